#include "stack/wire/percent.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

using Kept = std::array<std::uint8_t, 256>;  // for each byte, one bit for each PercentSet that leaves it as it is

constexpr std::uint8_t bit(PercentSet set) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(set));
}

template <typename... Sets>
constexpr void keep(Kept& kept, std::string_view bytes, Sets... sets) {
  for (const char c : bytes) {
    kept[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>((bit(sets) | ...));
  }
}

constexpr Kept make_kept() {
  Kept kept{};
  for (unsigned c = 0; c < 128; ++c) {
    if (base::is_alpha(static_cast<char>(c)) || base::is_digit(static_cast<char>(c))) {
      kept[c] = 0xff;
    }
    if (c > 0x20 && c != 0x7f) {
      kept[c] |= bit(PercentSet::query);
    }
  }
  for (const char c : std::string_view{"-._~"}) {
    kept[static_cast<unsigned char>(c)] = 0xff;
  }
  for (const char c : std::string_view{"\"#<>%"}) {
    kept[static_cast<unsigned char>(c)] = 0;
  }
  using enum PercentSet;
  keep(kept, "!$&'()*+,;=", path_segment, path, userinfo, fragment, host);
  keep(kept, ":", path_segment, path, fragment, host);
  keep(kept, "@", path_segment, path, fragment);
  keep(kept, "/", path, fragment);
  keep(kept, "?", fragment);
  keep(kept, "[]", host);
  return kept;
}

constexpr Kept kept = make_kept();
constexpr std::string_view upper_hex = "0123456789ABCDEF";

constexpr bool is_kept(char c, PercentSet set, Escapes escapes) {
  return (kept[static_cast<unsigned char>(c)] & bit(set)) != 0 || (c == '%' && escapes == Escapes::keep);
}

// A byte that is not kept still takes one byte of output when a form writes '+' for it.
constexpr bool is_form_blank(char c, PercentSet set) {
  return c == ' ' && set == PercentSet::form_component;
}

// Takes one decoded byte off the front of `raw` (not empty). False: a bad escape.
bool take_decoded(std::string_view& raw, Plus plus, char& byte) {
  byte = raw.front();
  if (byte == '%') {
    if (raw.size() < 3) {
      return false;
    }
    const int high = base::hex_value(raw[1]);
    const int low = base::hex_value(raw[2]);
    if (high < 0 || low < 0) {
      return false;
    }
    byte = static_cast<char>(high * 16 + low);
    raw.remove_prefix(3);
    return true;
  }
  if (byte == '+' && plus == Plus::space) {
    byte = ' ';
  }
  raw.remove_prefix(1);
  return true;
}

}  // namespace

bool has_valid_escapes(std::string_view text) noexcept {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (text.size() - at < 3 || base::hex_value(text[at + 1]) < 0 || base::hex_value(text[at + 2]) < 0) {
      return false;
    }
  }
  return true;
}

port::Result<std::string_view, PercentError> percent_decode(std::string_view text, std::span<char> out,
                                                            Plus plus) noexcept {
  std::size_t size = 0;
  while (!text.empty()) {
    char byte = 0;
    if (!take_decoded(text, plus, byte)) {
      return port::Failure{PercentError::bad_escape};
    }
    if (size == out.size()) {
      return port::Failure{PercentError::out_too_small};
    }
    out[size++] = byte;
  }
  return std::string_view{out.data(), size};
}

port::Result<std::string_view, PercentError> percent_decode_in_place(std::span<char> text, Plus plus) noexcept {
  return percent_decode(std::string_view{text.data(), text.size()}, text, plus);
}

bool percent_decoded_equals(std::string_view raw, std::string_view text, Plus plus) noexcept {
  while (!raw.empty() && !text.empty()) {
    char byte = 0;
    if (!take_decoded(raw, plus, byte) || byte != text.front()) {
      return false;
    }
    text.remove_prefix(1);
  }
  return raw.empty() && text.empty();
}

port::Result<std::string_view, PercentError> percent_encode(std::string_view text, PercentSet set, std::span<char> out,
                                                            Escapes escapes) noexcept {
  base::TextWriter writer{out};
  for (const char c : text) {
    if (is_kept(c, set, escapes)) {
      writer.put(c);
    } else if (is_form_blank(c, set)) {
      writer.put('+');
    } else {
      const auto byte = static_cast<unsigned char>(c);
      const std::array<char, 3> escape{'%', upper_hex[byte >> 4], upper_hex[byte & 15]};
      writer.put(std::string_view{escape.data(), escape.size()});
    }
    if (writer.overflowed()) {
      return port::Failure{PercentError::out_too_small};
    }
  }
  return writer.view();
}

std::size_t percent_encoded_size(std::string_view text, PercentSet set, Escapes escapes) noexcept {
  std::size_t size = 0;
  for (const char c : text) {
    size += is_kept(c, set, escapes) || is_form_blank(c, set) ? 1 : 3;
  }
  return size;
}

}  // namespace pollux::wire
