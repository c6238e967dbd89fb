// The endpoints that take their time or are long: /bytes /stream /stream-bytes /range /delay /drip /echo.
//
// Nothing here has a pool that could run out: what a long answer needs between two calls is a few numbers in the
// request's own state, and who waits does it by the deadline every waiting request has (Request::set_wait_deadline).
#pragma once

#include <cstdint>

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

inline constexpr std::uint64_t bytes_max = std::uint64_t{1} << 40;  // /bytes: it costs no memory
inline constexpr std::uint64_t stream_bytes_max = 100 * 1024;       // /stream-bytes and /range, as httpbin has it
inline constexpr std::uint64_t stream_lines_max = 100;              // /stream, as httpbin has it
inline constexpr std::uint64_t delay_max_ms = 10'000;               // /delay and the delay of /drip
inline constexpr std::uint64_t drip_duration_max_ms = 60'000;       // the duration of /drip
inline constexpr std::uint64_t drip_bytes_max = 10 * 1024 * 1024;   // as httpbin has it

// {n} bytes, the same ones for the same ?seed=; without a seed by chance.
void bytes(http::ResponseWriter& writer, http::Request& request);
// The same, chunked, at most stream_bytes_max.
void stream_bytes(http::ResponseWriter& writer, http::Request& request);
// {n} lines of JSON, at most stream_lines_max, chunked.
[[nodiscard]] http::Next stream(http::ResponseWriter& writer, http::Request& request);
// {n} letters from a to z, over and over; Range is understood. 404 above stream_bytes_max.
void range(http::ResponseWriter& writer, http::Request& request);
// Answers after {seconds}, at most ten.
[[nodiscard]] http::Next delay(http::ResponseWriter& writer, http::Request& request);
// ?numbytes= asterisks over ?duration= seconds, after ?delay= seconds, with status ?code=.
[[nodiscard]] http::Next drip(http::ResponseWriter& writer, http::Request& request);
// The body comes back as it is sent, while it is sent, of any size. A client that does not read is not read from.
[[nodiscard]] http::Next echo(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
