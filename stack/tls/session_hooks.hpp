// The functions mbedTLS calls for a session, and what the contexts share. Inside stack/tls only.
#pragma once

#include "stack/tls/library.hpp"
#include "stack/tls/mbedtls.hpp"
#include "stack/tls/session.hpp"
#include "stack/tls/trust_store.hpp"
#include "stack/tls/x509.hpp"

namespace pollux::tls {

// MBEDTLS_ERR_NET_CONN_RESET, whose header needs mbedTLS's own sockets.
inline constexpr int hook_connection_lost = -0x0050;

struct SessionHooks {
  // `object` is the session. mbedtls_ssl_set_bio: what the socket gives beyond what is asked for is kept in the session.
  static int receive(void* object, unsigned char* buffer, std::size_t size) noexcept;
  static int send(void* object, const unsigned char* buffer, std::size_t size) noexcept;
  // Of a certificate that is meant for something else than this end of TLS; mbedTLS itself looks only after the callbacks.
  [[nodiscard]] static std::uint32_t usage_flags(const mbedtls_x509_crt& certificate, bool of_client) noexcept;
  static void note(Session& session, const mbedtls_x509_crt& certificate, Error error) noexcept;
  [[nodiscard]] static bool is_own_issuer(const mbedtls_x509_crt& certificate) noexcept;
  // A leaf that signed itself and is one of `trust`: mbedTLS looks for issuers there, and for this one it does not (TrustStore::contains).
  [[nodiscard]] static bool is_trusted_itself(const TrustStore* trust, const mbedtls_x509_crt& certificate) noexcept;
#if POLLUX_TLS_13
  // What is sent from now on is encrypted with these.
  static void change_keys(mbedtls_ssl_context& ssl, mbedtls_ssl_transform* keys) noexcept;
  // What a server says after its Finished goes with other keys (RFC 8446 section 7.3). mbedTLS changes to them only at the handshake's end, and
  // a client could not read why its certificate was refused.
  static void change_keys_after_finished(mbedtls_ssl_context& ssl) noexcept;
#endif
  static void say_refusal_encrypted(Session& session) noexcept;
  // `object` is the session. mbedtls_ssl_set_verify, of a server's session and of a client's.
  static int verify_client(void* object, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) noexcept;
  static int verify_server(void* object, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) noexcept;
  // mbedtls_ssl_conf_ca_cb, with a TrustStore.
  static int find_issuer(void* store, const mbedtls_x509_crt* child, mbedtls_x509_crt** found) noexcept;
  // mbedtls_ssl_conf_sni, with a ServerContext.
  static int choose_certificate(void* context, mbedtls_ssl_context* ssl, const unsigned char* name,
                                std::size_t size) noexcept;
};

// What both ends offer, strongest or cheapest first, ended by 0.
[[nodiscard]] const int* cipher_suites() noexcept;
// Version, ciphers, groups, randomness and ALPN, for both ends.
void configure(mbedtls_ssl_config& config, Library& library, Version min, Version max) noexcept;

}  // namespace pollux::tls
