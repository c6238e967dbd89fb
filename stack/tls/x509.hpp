// What the contexts and the trust store need of mbedTLS's certificates. Inside stack/tls only: includes mbedTLS's headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/tls/certificate.hpp"
#include "stack/tls/error.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/mbedtls.hpp"

namespace pollux::tls {

// Whether a failure of mbedTLS was for want of memory.
[[nodiscard]] bool is_no_memory(int code) noexcept;
// The same for parsing, where mbedTLS tries several formats one after the other and forgets why each failed: no_memory or, if there was enough,
// `otherwise`.
[[nodiscard]] Error error_of_parse(int code, Error otherwise) noexcept;

// Parses a PEM text (every certificate in it, the first is the own one) or one certificate in DER into `chain` (initialised, empty). The text
// needs no NUL at its end. More than `certificates_max` are not looked at.
// Errors: certificate_syntax (one that is malformed spoils the whole), unsupported (a kind of key or signature that this mbedTLS does not
// know), no_memory. After an error `chain` holds what was read so far and must be freed as ever.
[[nodiscard]] Error parse_chain(std::string_view text, mbedtls_x509_crt& chain,
                                std::size_t certificates_max = SIZE_MAX) noexcept;
// A private key in PEM or DER, not encrypted (PKCS#8, SEC 1 or PKCS#1); the first one of a PEM text. Errors: key_syntax, no_memory.
[[nodiscard]] Error parse_key(Library& library, std::string_view text, mbedtls_pk_context& key) noexcept;
// key_mismatch, no_memory, or none.
[[nodiscard]] Error check_key(Library& library, const mbedtls_x509_crt& certificate,
                              const mbedtls_pk_context& key) noexcept;

// Everything of CertificateInfo.
void read_info(const mbedtls_x509_crt& certificate, CertificateInfo& out) noexcept;

// Whether the certificate is for `host`: a DNS name (compared without case, "*." for exactly one first label of at least three, a dot at the
// end ignored) or an IP address literal (compared with iPAddress names only). Only subjectAltName counts, never the common name (RFC 9110
// section 4.3.4, RFC 6125 section 6.4; net/http does the same).
[[nodiscard]] bool names_host(const mbedtls_x509_crt& certificate, std::string_view host) noexcept;
[[nodiscard]] bool is_address_literal(std::string_view host) noexcept;

// What mbedTLS's verification flags of one certificate mean; none for 0. `is_own_issuer`: subject and issuer are the same.
[[nodiscard]] Error error_of_flags(std::uint32_t flags, bool is_own_issuer) noexcept;
[[nodiscard]] std::int64_t seconds_of(const mbedtls_x509_time& time) noexcept;  // since 1970

}  // namespace pollux::tls
