// What a certificate says, in fixed memory; fingerprints and pins.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "port/time.hpp"
#include "stack/tls/error.hpp"

namespace pollux::tls {

class Library;
using Digest = std::array<std::byte, 32>;  // SHA-256
[[nodiscard]] Digest digest_of(std::span<const std::byte> bytes) noexcept;

// Text of at most `max` bytes, cut when it is longer.
template <std::size_t max>
struct ShortText {
  std::array<char, max> bytes{};
  std::uint8_t size = 0;
  static_assert(max <= 255);
  [[nodiscard]] std::string_view view() const noexcept { return {bytes.data(), size}; }
  void assign(std::string_view text) noexcept {
    size = static_cast<std::uint8_t>(text.size() < max ? text.size() : max);
    for (std::size_t i = 0; i < size; ++i) {
      bytes[i] = text[i];
    }
  }
};

struct CertificateInfo {
  ShortText<160> subject;  // "CN=device, O=Example" (RFC 4514 order as in the certificate)
  ShortText<160> issuer;
  ShortText<64> serial;         // "01:AB:..."
  Digest fingerprint{};         // SHA-256 of the certificate
  Digest public_key{};          // SHA-256 of its SubjectPublicKeyInfo: what pins name (RFC 7469 section 2.4)
  std::int64_t not_before = 0;  // seconds since 1970
  std::int64_t not_after = 0;
};

// Whole days until it expires, rounded down: 0 on the last day, -1 on the first day after it.
[[nodiscard]] std::int64_t days_to_expiry(const CertificateInfo& info, port::WallTime now) noexcept;
// "AB:CD:..." (95 bytes).
inline constexpr std::size_t fingerprint_text_size = 95;
[[nodiscard]] std::string_view write_fingerprint(const Digest& digest,
                                                 std::span<char, fingerprint_text_size> out) noexcept;

// The first certificate of a PEM text or of DER bytes. Needs a started Library (ENSURE).
// Errors: certificate_syntax, unsupported (a key or signature that this mbedTLS does not know), no_memory.
[[nodiscard]] port::Result<CertificateInfo, Error> read_certificate(Library& library, std::string_view text) noexcept;

// Whether `key` is the key of the first certificate in `certificate`, both in PEM or DER; for programs that want to say which of several files
// is wrong. Needs a started Library (ENSURE).
// Errors: certificate_syntax, key_syntax, key_mismatch, unsupported, no_memory; none.
[[nodiscard]] Error check_pair(Library& library, std::string_view certificate, std::string_view key) noexcept;

// "sha256//BASE64" (curl's --pinnedpubkey writes several with ';' between them). Error: pin_syntax.
[[nodiscard]] port::Result<Digest, Error> parse_pin(std::string_view text) noexcept;
// The text of a pin (52 bytes).
inline constexpr std::size_t pin_text_size = 52;
[[nodiscard]] std::string_view write_pin(const Digest& digest, std::span<char, pin_text_size> out) noexcept;

// ---- a certificate of one's own

struct SelfSignedOptions {
  // Also the first of the names; as CN it is cut at 64 characters.
  std::string_view common_name;
  // Further names. Each is a DNS name ("*." may stand before it) or an IP address literal.
  std::span<const std::string_view> names{};
  port::WallTime not_before{};
  port::WallTime not_after{};
};
struct SelfSigned {
  std::string_view key;          // PEM, in the memory given; a P-256 key
  std::string_view certificate;  // PEM
};
// Makes a key and a certificate that signs itself, for a server. `key_memory` 512 bytes, `certificate_memory` 2048 bytes are enough for ten
// names. Takes a few milliseconds on a PC.
// Errors: no_memory (the arena, or the memory given), unsupported (a name that is neither, dates that are not within 1970 to 9999 or in
// the wrong order), internal.
[[nodiscard]] port::Result<SelfSigned, Error> make_self_signed(Library& library, const SelfSignedOptions& options,
                                                               std::span<char> key_memory,
                                                               std::span<char> certificate_memory) noexcept;

}  // namespace pollux::tls
