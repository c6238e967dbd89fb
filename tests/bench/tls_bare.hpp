// mbedTLS by itself, for what pollux is compared with: the same library, the same configuration, no line of pollux. Needs our own build of
// mbedTLS, whose platform functions are here as stack/tls/library.cpp has them for pollux.
#pragma once

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace bare {

[[noreturn]] inline void fail(const char* what, int code = 0) {
  std::fprintf(stderr, "%s (%d)\n", what, code);
  std::exit(1);
}

// Gives mbedTLS its memory, clock and randomness. Once, before everything else.
void start();
mbedtls_ctr_drbg_context& random();

// Ciphers, groups, versions and ALPN as stack/tls/configure.cpp has them. Ends the program if that does not work.
enum class End : std::uint8_t { client, server };
void configure(mbedtls_ssl_config& config, End end);
// A server's certificate and key from PEM files, and tickets as stack/tls/server_context.cpp makes them.
void serve(mbedtls_ssl_config& config, const char* certificate_file, const char* key_file);
// Only this version.
void only(mbedtls_ssl_config& config, bool is_13);

// Whether a step that is done now belongs to a full handshake: one that is resumed passes it by.
inline bool is_full_step(const mbedtls_ssl_context& ssl) {
  return ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_SERVER_CERTIFICATE;
}
inline bool is_over(const mbedtls_ssl_context& ssl) {
  return ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER;
}

}  // namespace bare
