// Numbers as they stand in paths and queries.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

// "1.25" as thousandths, 1250; further digits are cut. Up to `max` thousandths, more counts as `max`. Nothing for any
// other text.
[[nodiscard]] constexpr std::optional<std::uint64_t> parse_thousandths(std::string_view text,
                                                                       std::uint64_t max) noexcept {
  const wire::Cut parts = wire::cut(text, '.');
  if (parts.before.empty() && parts.after.empty()) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : parts.before) {
    if (!base::is_digit(c)) {
      return std::nullopt;
    }
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
    value = value < max ? value : max;
  }
  value *= 1000;
  std::uint64_t step = 100;
  for (const char c : parts.after) {
    if (!base::is_digit(c)) {
      return std::nullopt;
    }
    value += static_cast<std::uint64_t>(c - '0') * step;
    step /= 10;
  }
  return value < max ? value : max;
}

static_assert(parse_thousandths("1.25", 10'000) == 1250);
static_assert(parse_thousandths(".5", 10'000) == 500);
static_assert(parse_thousandths("11", 10'000) == 10'000);
static_assert(parse_thousandths("99999999999999999999999", 10'000) == 10'000);
static_assert(!parse_thousandths("", 10'000));
static_assert(!parse_thousandths(".", 10'000));
static_assert(!parse_thousandths("-1", 10'000));
static_assert(!parse_thousandths("1e3", 10'000));

}  // namespace pollux::httpbin
