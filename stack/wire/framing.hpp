// Framing: where a message's body ends and whether the connection survives it. The only place that decides either (RFC
// 9112 sections 6 and 9.3); reader, writer, server and client all ask here.
#pragma once

#include <cstdint>

#include "port/result.hpp"
#include "stack/wire/head.hpp"

namespace pollux::wire {

enum class BodyKind : std::uint8_t { none, sized, chunked, until_close };

struct Framing {
  BodyKind kind = BodyKind::none;
  // sized: bytes of the body. `none` in a response (to HEAD, 304): the declared Content-Length, if has_size.
  std::uint64_t size = 0;
  bool has_size = false;    // a valid Content-Length was there and Transfer-Encoding did not override it
  bool keep_alive = true;   // what version and Connection ask for (RFC 9112 section 9.3); false with until_close
  bool must_close = false;  // the framing is ambiguous or faulty but usable: answer, then close (RFC 9112 section 6.1)
};

enum class FramingError : std::uint8_t {
  content_length,     // empty, not digits, beyond 2^63 - 1, or several that differ as text (request: 400)
  transfer_encoding,  // anything but exactly one field "chunked", in any case of letters (request: 501)
  trailer,  // chunked, and the Trailer field names Transfer-Encoding, Content-Length or Trailer (request: 400)
};

// A request without Content-Length and Transfer-Encoding has no body, whatever its method. Transfer-Encoding wins over
// Content-Length, and then must_close is set. In HTTP/1.0 Transfer-Encoding is ignored and must_close is set.
[[nodiscard]] port::Result<Framing, FramingError> request_framing(const RequestHead& head) noexcept;

// `request_method`: of the request this answers. HEAD, 1xx, 204, 304: none. 2xx to CONNECT: until_close, its fields
// unread. Neither Content-Length nor Transfer-Encoding: until_close. The fields are held to the same rules as a
// request's, and must_close has the same reasons: a client then does not use the connection again.
[[nodiscard]] port::Result<Framing, FramingError> response_framing(Method request_method,
                                                                   const ResponseHead& head) noexcept;

// True if a connection stays open after a message of that version with these fields: HTTP/1.1 unless "close", HTTP/1.0
// only with "keep-alive" and no "close" (RFC 9112 section 9.3).
[[nodiscard]] bool wants_keep_alive(Version version, const Fields& fields) noexcept;

}  // namespace pollux::wire
