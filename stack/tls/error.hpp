// Why TLS did not work: one enum for what a program decides on, and the facts behind it for what a person reads.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/time.hpp"

namespace pollux::tls {

enum class Error : std::uint8_t {
  none,
  // ---- configuration: told by start(), reload() and the loading functions
  no_memory,             // the arena is too small for this configuration
  no_random,             // mbedTLS could not be set up
  certificate_syntax,    // not a certificate, in PEM or DER
  key_syntax,            // not a private key, in PEM or DER, or one with a password
  key_mismatch,          // the key is not the certificate's
  no_certificate_given,  // a server without a certificate
  too_many_certificates,
  trust_syntax,  // nothing in the CA file is a certificate
  trust_full,    // more certificates, or larger ones, than the trust store's memory holds
  pin_syntax,    // not "sha256//" and 32 bytes in base64
  busy,          // reload(): handshakes still use the certificates before last; again in a few seconds
  unsupported,   // this mbedTLS cannot do it
  // ---- the peer's certificate
  clock_not_set,  // the clock stands before the day this program was built: no date can be checked
  expired,
  not_yet_valid,
  wrong_name,
  unknown_authority,  // no trusted certificate signed it, nor the chain that came with it
  self_signed,        // as unknown_authority, and it signed itself
  weak_key,           // RSA below 2048 bits, or a curve that is not taken
  weak_signature,     // SHA-1, MD5
  wrong_usage,        // a certificate for something else than this end of TLS
  pin_mismatch,       // none of the pinned keys
  bad_certificate,    // malformed or otherwise unusable
  no_certificate,     // the peer gave none though it must
  // ---- the handshake
  version,  // no common version
  no_common_cipher,
  alpn,           // the peer speaks other protocols only
  alert,          // the peer ended it with an alert (ErrorInfo::alert)
  plain_http,     // server: the client speaks http, not https
  peer_is_plain,  // client: the server answers in clear text
  protocol,       // what came is not TLS, or breaks its rules
  closed,         // the connection ended during the handshake
  // ---- afterwards
  truncated,  // the connection ended without close_notify
  lost,       // reset, timed out
  internal,   // mbedTLS says so (ErrorInfo::code)
};

[[nodiscard]] std::string_view describe(Error error) noexcept;

// What is known about a failure.
struct ErrorInfo {
  Error error = Error::none;
  std::uint8_t alert = 0;         // the alert's number, received or sent (RFC 8446 section 6); 0: none
  int code = 0;                   // mbedTLS's; 0: none
  std::int64_t date_seconds = 0;  // expired, not_yet_valid: the certificate's date, seconds since 1970
  std::int64_t now_seconds = 0;   // and the clock's
};
// As a sentence a person can act on: "the certificate expired on 2026-10-02, 50 days ago". Cut to fit `out`.
[[nodiscard]] std::string_view describe(const ErrorInfo& info, std::span<char> out) noexcept;
// "handshake_failure (40)" and so on; "" for a number nobody has defined.
[[nodiscard]] std::string_view alert_name(std::uint8_t alert) noexcept;

}  // namespace pollux::tls
