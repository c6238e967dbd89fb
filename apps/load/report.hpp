// Report: what a run measured, as a text for people or as JSON for programs.
#pragma once

#include <cstdint>
#include <string_view>

#include "apps/load/tally.hpp"
#include "port/time.hpp"
#include "stack/base/text.hpp"

namespace pollux::load {

struct Report {
  std::string_view method{};
  std::string_view url{};
  std::uint32_t connections = 0;  // requests kept under way at the same time
  port::Duration elapsed{};       // from the first request to the last answer
  std::uint64_t dials = 0;
  std::uint64_t dials_failed = 0;
  std::uint64_t tls_handshakes = 0;  // completed; 0: nothing was https
  std::uint64_t tls_resumed = 0;     // of those, of a session the server remembered
  std::uint64_t bytes_sent = 0;      // with heads
  std::uint64_t bytes_received = 0;
  bool interrupted = false;
};

// Both fit report_size_max, whatever was counted, for a URL of up to 2,048 bytes, even if JSON has to escape every byte of it.
inline constexpr std::size_t report_size_max = 128 * 1024;
void write_text(const Report& report, const Tally& tally, base::TextWriter& out) noexcept;
void write_json(const Report& report, const Tally& tally, base::TextWriter& out) noexcept;
// "100000 answers in 2.31 s, 43290 a second, no errors" and a newline.
void write_line(const Report& report, const Tally& tally, base::TextWriter& out) noexcept;

// Three figures and a unit: "312 us", "1.25 ms", "18.0 s".
void put_duration(base::TextWriter& out, port::Duration duration) noexcept;
// "13 B", "1.21 kB", "7.90 MB".
void put_bytes(base::TextWriter& out, std::uint64_t bytes) noexcept;
// Per second of `elapsed`, at least one nanosecond.
[[nodiscard]] double per_second(std::uint64_t count, port::Duration elapsed) noexcept;

// The ends of the rows of the printed histogram: 1, 2, 5, 10 ... nanoseconds; `row` 0 begins at 0.
inline constexpr std::size_t histogram_rows = 38;
[[nodiscard]] port::Duration row_begin(std::size_t row) noexcept;

}  // namespace pollux::load
