#include "stack/wire/base64.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

constexpr std::string_view letters_of(Base64 alphabet) {
  return alphabet == Base64::standard ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                                      : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

constexpr std::array<std::int8_t, 256> make_values(Base64 alphabet) {
  std::array<std::int8_t, 256> values{};
  for (std::int8_t& value : values) {
    value = -1;
  }
  for (std::size_t i = 0; i < 64; ++i) {
    values[static_cast<unsigned char>(letters_of(alphabet)[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr std::array<std::int8_t, 256> standard_values = make_values(Base64::standard);
constexpr std::array<std::int8_t, 256> url_values = make_values(Base64::url);

}  // namespace

port::Result<std::string_view, Base64Error> base64_encode(std::string_view bytes, Base64 alphabet,
                                                          std::span<char> out) noexcept {
  const std::string_view letters = letters_of(alphabet);
  base::TextWriter writer{out};
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      if (j <= count) {
        writer.put(letters[group >> (18 - 6 * j) & 63]);
      } else if (alphabet == Base64::standard) {
        writer.put('=');
      }
    }
  }
  if (writer.overflowed()) {
    return port::Failure{Base64Error::out_too_small};
  }
  return writer.view();
}

port::Result<std::string_view, Base64Error> base64_decode(std::string_view text, Base64 alphabet,
                                                          std::span<char> out) noexcept {
  const auto& values = alphabet == Base64::standard ? standard_values : url_values;
  if (alphabet == Base64::standard) {
    if (text.size() % 4 != 0) {
      return port::Failure{Base64Error::malformed};
    }
    for (int i = 0; i < 2 && text.ends_with('='); ++i) {
      text.remove_suffix(1);
    }
  }
  if (text.size() % 4 == 1) {
    return port::Failure{Base64Error::malformed};
  }
  std::size_t size = 0;
  std::uint32_t bits = 0;
  unsigned bit_count = 0;  // how many of the low bits of `bits` are not written yet
  for (const char c : text) {
    const std::int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0) {
      return port::Failure{Base64Error::malformed};
    }
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffff;
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      if (size == out.size()) {
        return port::Failure{Base64Error::out_too_small};
      }
      out[size++] = static_cast<char>(bits >> bit_count & 0xff);
    }
  }
  if ((bits & ((1U << bit_count) - 1)) != 0) {
    return port::Failure{Base64Error::malformed};
  }
  return std::string_view{out.data(), size};
}

}  // namespace pollux::wire
