// Parts of a view by position. string_view::substr() throws when it is asked for too much, and the thrower lives in
// libstdc++, which pollux does not link; here a wrong position is a bug of ours and stops the program.
//
//   slice("name=value", 0, 4) == "name"      drop("name=value", 5) == "value"
#pragma once

#include <cstddef>
#include <string_view>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::wire {

// The bytes from `begin` up to but not including `end`.
[[nodiscard]] constexpr std::string_view slice(std::string_view text, std::size_t begin, std::size_t end) noexcept {
  ENSURE(begin <= end);
  ENSURE(end <= text.size());
  return {text.data() + begin, end - begin};
}

// Everything after the first `count` bytes.
[[nodiscard]] constexpr std::string_view drop(std::string_view text, std::size_t count) noexcept {
  return slice(text, count, text.size());
}

[[nodiscard]] constexpr bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && slice(text, 0, prefix.size()) == prefix;
}

[[nodiscard]] constexpr bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && base::equal_ignoring_case(slice(text, 0, prefix.size()), prefix);
}

// What stands before and after the first `separator`; without one, everything is `before` and is_found is false.
struct Cut {
  std::string_view before;
  std::string_view after;
  bool is_found = false;
};
[[nodiscard]] constexpr Cut cut(std::string_view text, char separator) noexcept {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) {
    return {.before = text, .after = {}, .is_found = false};
  }
  return {.before = slice(text, 0, at), .after = drop(text, at + 1), .is_found = true};
}

// A byte below 0x20 or DEL: never part of a URL, a cookie or a parameter.
[[nodiscard]] constexpr bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

[[nodiscard]] constexpr bool is_ascii(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x80;
}

}  // namespace pollux::wire
