// Text: the few string functions that HTTP needs, on views, for ASCII only (RFC 9110 section 5.1: names are case-insensitive
// ASCII; no locale is ever consulted), and TextWriter, which writes into given memory and knows when it was full.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "port/ensure.hpp"

namespace pollux::base {

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
// 0..15, or -1 if `c` is no hexadecimal digit.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) {
    return c - '0';
  }
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
[[nodiscard]] constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

// As the member of string_view, which needs libstdc++ in a build without optimisation.
[[nodiscard]] constexpr bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && std::string_view{text.data(), prefix.size()} == prefix;
}

// Equal but for the case of ASCII letters.
[[nodiscard]] constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) {
      return false;
    }
  }
  return true;
}

// Without blanks and tabs at both ends (OWS of RFC 9110 section 5.6.3).
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// Decimal digits only, at least one, no sign, up to `max`; nothing otherwise.
[[nodiscard]] constexpr std::optional<std::uint64_t> parse_decimal(std::string_view text,
                                                                   std::uint64_t max = UINT64_MAX) noexcept {
  if (text.empty()) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) {
      return std::nullopt;
    }
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (digit > max || value > (max - digit) / 10) {
      return std::nullopt;
    }
    value = value * 10 + digit;
  }
  return value;
}

static_assert(parse_decimal("1", 1) == 1U && !parse_decimal("2", 1) && !parse_decimal("10", 9));

// The decimal text of `value`, right-aligned in the result's buffer.
class Decimal {
 public:
  constexpr explicit Decimal(std::uint64_t value) noexcept {
    do {
      digits_[--first_] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
  }
  [[nodiscard]] constexpr std::string_view view() const noexcept {
    return {digits_.data() + first_, digits_.size() - first_};
  }

 private:
  std::array<char, 20> digits_{};
  std::size_t first_ = 20;
};

// Writes into given memory. What does not fit is dropped as a whole piece and overflowed() stays true, so one check at the end is
// enough.
class TextWriter {
 public:
  constexpr explicit TextWriter(std::span<char> out) noexcept : out_{out} {}

  constexpr TextWriter& put(std::string_view text) noexcept {
    if (text.size() > out_.size() - size_) {
      overflowed_ = true;
      return *this;
    }
    if (std::is_constant_evaluated()) {
      for (std::size_t i = 0; i < text.size(); ++i) {
        out_[size_ + i] = text[i];
      }
    } else if (!text.empty()) {
      std::memcpy(out_.data() + size_, text.data(), text.size());
    }
    size_ += text.size();
    return *this;
  }
  constexpr TextWriter& put(char c) noexcept { return put(std::string_view{&c, 1}); }
  constexpr TextWriter& put_decimal(std::uint64_t value) noexcept { return put(Decimal{value}.view()); }
  constexpr TextWriter& put_signed(std::int64_t value) noexcept {
    if (value < 0) {
      put('-');
      return put_decimal(~static_cast<std::uint64_t>(value) + 1);
    }
    return put_decimal(static_cast<std::uint64_t>(value));
  }
  // Lower-case hexadecimal without leading zeros, at least `digits_min` digits.
  constexpr TextWriter& put_hex(std::uint64_t value, int digits_min = 1) noexcept {
    std::array<char, 16> digits{};
    std::size_t first = digits.size();
    do {
      digits[--first] = "0123456789abcdef"[value & 15];
      value >>= 4;
    } while (value != 0 || static_cast<int>(digits.size() - first) < digits_min);
    return put(std::string_view{digits.data() + first, digits.size() - first});
  }

  // What is left of the memory, for somebody else to write into; produced() then says how much that was.
  [[nodiscard]] constexpr std::span<char> space() const noexcept { return out_.subspan(size_); }
  constexpr void produced(std::size_t count) noexcept {
    ENSURE(count <= out_.size() - size_);
    size_ += count;
  }

  [[nodiscard]] constexpr std::string_view view() const noexcept { return {out_.data(), size_}; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  [[nodiscard]] constexpr std::size_t room() const noexcept { return out_.size() - size_; }
  [[nodiscard]] constexpr bool overflowed() const noexcept { return overflowed_; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
  bool overflowed_ = false;
};

// Bytes of a text, for the port.
[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}
[[nodiscard]] inline std::span<std::byte> as_writable_bytes(std::span<char> text) noexcept {
  return std::as_writable_bytes(text);
}

}  // namespace pollux::base
