#include "stack/wire/range.hpp"

#include "stack/base/text.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

// Decimal digits, at least one; a number beyond 64 bits counts as the largest, which is behind the end of anything.
std::optional<std::uint64_t> read_position(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  for (const char c : text) {
    if (!base::is_digit(c)) {
      return std::nullopt;
    }
  }
  return base::parse_decimal(text).value_or(UINT64_MAX);
}

enum class SpecStatus : std::uint8_t { ok, behind_the_end, malformed };

// One of "FIRST-LAST", "FIRST-" and "-SUFFIX".
SpecStatus read_spec(std::string_view spec, std::uint64_t size, ByteRange& range) {
  const Cut parts = cut(spec, '-');
  const std::string_view first_text = base::trim(parts.before);
  const std::string_view last_text = base::trim(parts.after);
  if (!parts.is_found) {
    return SpecStatus::malformed;
  }
  const auto last = read_position(last_text);
  if (!last && !last_text.empty()) {
    return SpecStatus::malformed;
  }
  if (first_text.empty()) {
    if (!last) {
      return SpecStatus::malformed;
    }
    range.size = *last < size ? *last : size;
    range.first = size - range.size;
    return range.size == 0 ? SpecStatus::behind_the_end : SpecStatus::ok;
  }
  const auto first = read_position(first_text);
  if (!first || (last && *first > *last)) {
    return SpecStatus::malformed;
  }
  if (*first >= size) {
    return SpecStatus::behind_the_end;
  }
  range.first = *first;
  range.size = last && *last < size ? *last - *first + 1 : size - *first;
  return SpecStatus::ok;
}

constexpr bool overlap(const ByteRange& a, const ByteRange& b) {
  return a.first < b.first + b.size && b.first < a.first + a.size;  // both end within the content: no overflow
}

bool overlaps_earlier(const Ranges& ranges, const ByteRange& range) {
  for (std::size_t i = 0; i < ranges.count; ++i) {
    if (overlap(ranges.items[i], range)) {
      return true;
    }
  }
  return false;
}

port::Result<std::string_view, ContentRangeError> result_of(const base::TextWriter& writer) {
  if (writer.overflowed()) {
    return port::Failure{ContentRangeError::out_too_small};
  }
  return writer.view();
}

}  // namespace

Ranges parse_range(std::string_view field, std::uint64_t size) noexcept {
  Ranges ranges;
  if (field.empty()) {
    return ranges;
  }
  const Cut parts = cut(field, '=');
  if (!parts.is_found || !is_token(parts.before)) {
    return {.status = RangeStatus::malformed};
  }
  if (!base::equal_ignoring_case(parts.before, "bytes")) {
    return ranges;  // a unit we do not know MUST be ignored, and units have no case (RFC 9110 sections 14.1 and 14.2)
  }
  std::uint64_t left = size;  // of what the ranges together may cover
  std::size_t overlapping = 0;
  bool is_whole = false;
  bool is_any_behind = false;
  for (std::string_view rest = parts.after; !rest.empty();) {
    const Cut piece = cut(rest, ',');
    rest = piece.after;
    const std::string_view spec = base::trim(piece.before);
    ByteRange range;
    const SpecStatus status = spec.empty() ? SpecStatus::ok : read_spec(spec, size, range);
    if (status == SpecStatus::malformed) {
      return {.status = RangeStatus::malformed};
    }
    is_any_behind = is_any_behind || status == SpecStatus::behind_the_end;
    if (range.size == 0 || is_whole) {
      continue;  // the rest is read on, since a malformed range makes the field malformed wherever it stands
    }
    overlapping += overlaps_earlier(ranges, range) ? 1 : 0;
    is_whole = ranges.count == ranges_max || range.size > left || overlapping > overlapping_ranges_max;
    if (!is_whole) {
      left -= range.size;
      ranges.items[ranges.count++] = range;
    }
  }
  if (is_whole || (is_any_behind && ranges.count == 0 && size == 0)) {
    return {.status = RangeStatus::whole};
  }
  if (ranges.count != 0) {
    ranges.status = RangeStatus::ranges;
  } else if (is_any_behind) {
    ranges.status = RangeStatus::not_satisfiable;
  }
  return ranges;
}

port::Result<std::string_view, ContentRangeError> write_content_range(const ByteRange& range, std::uint64_t size,
                                                                      std::span<char> out) noexcept {
  base::TextWriter writer{out};
  writer.put("bytes ").put_decimal(range.first).put('-').put_decimal(range.first + range.size - 1);
  writer.put('/').put_decimal(size);
  return result_of(writer);
}

port::Result<std::string_view, ContentRangeError> write_unsatisfied_range(std::uint64_t size,
                                                                          std::span<char> out) noexcept {
  base::TextWriter writer{out};
  writer.put("bytes */").put_decimal(size);
  return result_of(writer);
}

port::Result<ContentRange, ContentRangeError> parse_content_range(std::string_view text) noexcept {
  constexpr port::Failure malformed{ContentRangeError::malformed};
  const Cut unit = cut(base::trim(text), ' ');
  const Cut parts = cut(unit.after, '/');
  if (!base::equal_ignoring_case(unit.before, "bytes") || !parts.is_found) {
    return malformed;
  }
  ContentRange result;
  if (parts.after != "*") {
    result.size = base::parse_decimal(parts.after);
    if (!result.size) {
      return malformed;
    }
  }
  if (parts.before == "*") {
    return result.size ? port::Result<ContentRange, ContentRangeError>{result} : malformed;
  }
  const Cut positions = cut(parts.before, '-');
  const auto first = base::parse_decimal(positions.before);
  const auto last = base::parse_decimal(positions.after, UINT64_MAX - 1);
  if (!first || !last || *first > *last || (result.size && *last >= *result.size)) {
    return malformed;
  }
  result.range = ByteRange{.first = *first, .size = *last - *first + 1};
  return result;
}

}  // namespace pollux::wire
