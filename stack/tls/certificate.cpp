// What of certificates and pins needs no mbedTLS; read_certificate() is in x509.cpp. Every build has this file.

#include "stack/tls/certificate.hpp"

#include <chrono>

#include "stack/base/text.hpp"
#include "stack/tls/pem.hpp"

namespace pollux::tls {
namespace {

constexpr std::string_view pin_prefix = "sha256//";
static_assert(pin_prefix.size() + (std::tuple_size_v<Digest> + 2) / 3 * 4 == pin_text_size,
              "a pin is its prefix and the base64 of a SHA-256 digest");
static_assert(std::tuple_size_v<Digest> * 3 - 1 == fingerprint_text_size,
              "a fingerprint is two digits for each byte of a SHA-256 digest, and colons between them");

}  // namespace

std::int64_t days_to_expiry(const CertificateInfo& info, port::WallTime now) noexcept {
  const std::chrono::seconds left{info.not_after - now.seconds};
  return std::chrono::floor<std::chrono::days>(left).count();
}

std::string_view write_fingerprint(const Digest& digest, std::span<char, fingerprint_text_size> out) noexcept {
  constexpr std::string_view hex = "0123456789ABCDEF";
  base::TextWriter writer{out};
  for (const std::byte byte : digest) {
    const auto value = std::to_integer<unsigned>(byte);
    if (writer.size() > 0) {
      writer.put(':');
    }
    writer.put(hex[value >> 4]).put(hex[value & 15]);
  }
  return writer.view();
}

port::Result<Digest, Error> parse_pin(std::string_view text) noexcept {
  if (text.size() != pin_text_size || !base::starts_with(text, pin_prefix)) {
    return port::Failure{Error::pin_syntax};
  }
  Digest digest{};
  std::size_t size = 0;
  Base64Decoder base64;
  for (const char c : std::string_view{text.data() + pin_prefix.size(), text.size() - pin_prefix.size()}) {
    std::byte value{};
    bool has_byte = false;
    if (!base64.put(c, value, has_byte) || (has_byte && size == digest.size())) {
      return port::Failure{Error::pin_syntax};
    }
    if (has_byte) {
      digest[size++] = value;
    }
  }
  if (size != digest.size() || !base64.may_end()) {
    return port::Failure{Error::pin_syntax};
  }
  return digest;
}

std::string_view write_pin(const Digest& digest, std::span<char, pin_text_size> out) noexcept {
  base::TextWriter writer{out};
  writer.put(pin_prefix);
  writer.produced(write_base64(digest, writer.space()).size());
  return writer.view();
}

}  // namespace pollux::tls
