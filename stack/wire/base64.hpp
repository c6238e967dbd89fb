// Base64, standard and for URLs. Source: RFC 4648 sections 4 and 5. Used for credentials, nonces and digests: short
// texts, one pass.
//
//   std::array<char, base64_size(8)> out;
//   base64_encode("user:pwd", Base64::standard, out).value() == "dXNlcjpwd2Q="
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"

namespace pollux::wire {

enum class Base64 : std::uint8_t {
  standard,  // '+' and '/', padded with '='
  url,       // '-' and '_', no padding
};

enum class Base64Error : std::uint8_t {
  malformed,      // a byte outside the alphabet, wrong padding, an impossible length, or bits set behind the last byte
  out_too_small,  // `out` has no room for the result
};

// The size of the text for `bytes` bytes, padding included (the url alphabet needs up to 2 less).
[[nodiscard]] constexpr std::size_t base64_size(std::size_t bytes) noexcept {
  return (bytes + 2) / 3 * 4;
}

// Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, Base64Error> base64_encode(std::string_view bytes, Base64 alphabet,
                                                                        std::span<char> out) noexcept;

// Each value has exactly one text: nothing is skipped, and unused bits must be zero (RFC 4648 sections 3.3 and 3.5), so
// that two different texts are never the same credentials. `out` may begin at text.data(). text.size() / 4 * 3 + 2
// bytes are always enough. The result may hold any byte.
[[nodiscard]] port::Result<std::string_view, Base64Error> base64_decode(std::string_view text, Base64 alphabet,
                                                                        std::span<char> out) noexcept;

}  // namespace pollux::wire
