// Byte ranges: the Range field against the size of what is asked for, and Content-Range written and read. Source: RFC
// 9110 section 14.
//
// Range has a meaning for GET only: with any other method a server MUST ignore it (RFC 9110 section 14.2), so ask
// range_applies_to() first.
//
//   const Ranges ranges = parse_range("bytes=0-4, -2", 10);
//   // ranges.status == RangeStatus::ranges, count == 2, items[0] == {0, 5}, items[1] == {8, 2}
//   write_content_range(ranges.items[1], 10, out).value() == "bytes 8-9/10"
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/result.hpp"

namespace pollux::wire {

// How many ranges of one request are answered. A request for more gets the whole: many small ranges cost the server
// more than they save (RFC 9110 section 17.15), and pdf readers and media players ask for one to five.
inline constexpr std::size_t ranges_max = 16;

// How many ranges may overlap an earlier one of the same request (RFC 9110 section 14.2: more than two is broken or an
// attack).
inline constexpr std::size_t overlapping_ranges_max = 2;

struct ByteRange {
  std::uint64_t first = 0;  // offset of the first byte
  std::uint64_t size = 0;   // 1 or more
  friend constexpr bool operator==(const ByteRange&, const ByteRange&) = default;
};

enum class RangeStatus : std::uint8_t {
  whole,   // 200 with everything: no Range, another unit, an empty file, too many ranges, or their sum is larger
  ranges,  // 206 with `items`
  not_satisfiable,  // 416 with "Content-Range: bytes */SIZE": no range has a byte in common with the content
  malformed,        // 416 without Content-Range
};

struct Ranges {
  RangeStatus status = RangeStatus::whole;
  std::size_t count = 0;  // 1..ranges_max if status is ranges, else 0
  std::array<ByteRange, ranges_max> items{};
};

[[nodiscard]] constexpr bool range_applies_to(std::string_view method) noexcept {
  return method == "GET";
}

// Reads a Range field (empty: there was none) for content of `size` bytes. Ranges that lie behind the end are dropped,
// those that reach over it are cut. Positions of any number of digits are understood.
[[nodiscard]] Ranges parse_range(std::string_view field, std::uint64_t size) noexcept;

enum class ContentRangeError : std::uint8_t {
  malformed,      // not "bytes FIRST-LAST/SIZE", "bytes FIRST-LAST/*" or "bytes */SIZE" with FIRST <= LAST < SIZE
  out_too_small,  // `out` has no room for the result
};

// The longest Content-Range value: "bytes ", three numbers of 20 digits, '-' and '/'.
inline constexpr std::size_t content_range_size_max = 68;

// "bytes 0-4/10" for a 206. Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, ContentRangeError> write_content_range(const ByteRange& range,
                                                                                    std::uint64_t size,
                                                                                    std::span<char> out) noexcept;
// "bytes */10" for a 416. Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, ContentRangeError> write_unsatisfied_range(std::uint64_t size,
                                                                                        std::span<char> out) noexcept;

struct ContentRange {
  std::optional<ByteRange> range;     // nothing for "bytes */10"
  std::optional<std::uint64_t> size;  // of the whole; nothing for '*'
};

// Reads a Content-Range field, for a client that asked for a part. Errors: malformed.
[[nodiscard]] port::Result<ContentRange, ContentRangeError> parse_content_range(std::string_view text) noexcept;

}  // namespace pollux::wire
