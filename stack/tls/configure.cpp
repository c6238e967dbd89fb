// What both ends of TLS have in common: versions, ciphers, groups, ALPN.

#include "stack/tls/session_hooks.hpp"

namespace pollux::tls {

namespace {

// In mbedTLS ChaCha20 is the quickest: on x86-64 1.2 times AES-128-GCM with the instructions for AES, three times AES-128-GCM without them
// (stack/tls/README.md). RFC 8446 section 9.1 asks for AES too; nothing without forward secrecy or without authenticated encryption is offered.
constexpr int suites[] {
#if POLLUX_TLS_13
  MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
      MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
      MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
      MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 0,
};

// The quickest first. mbedTLS has precomputed points for P-256 and none for X25519, but our build of it takes other code for the latter where the
// machine has 64 bits.
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
constexpr std::uint16_t groups[] {
#if defined(MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED)
  MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
#else
  MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
#endif
      MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE
};
#else
constexpr mbedtls_ecp_group_id groups[]{MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP384R1,
                                        MBEDTLS_ECP_DP_NONE};
#endif

const char* protocols[]{"http/1.1", nullptr};

}  // namespace

const int* cipher_suites() noexcept {
  return suites;
}

void configure(mbedtls_ssl_config& config, Library& library, Version min, [[maybe_unused]] Version max) noexcept {
  mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, library.random_context());
  mbedtls_ssl_conf_ciphersuites(&config, suites);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  mbedtls_ssl_conf_groups(&config, groups);
#if POLLUX_TLS_13
  mbedtls_ssl_conf_max_tls_version(&config,
                                   max == Version::tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_min_tls_version(&config,
                                   min == Version::tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
#endif
#else
  mbedtls_ssl_conf_curves(&config, groups);
  static_cast<void>(min);
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
  mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
  mbedtls_ssl_conf_alpn_protocols(&config, protocols);  // it fails for empty names only
}

// With a TrustStore: the trusted certificates that may have signed `child`.
int SessionHooks::find_issuer(void* store, const mbedtls_x509_crt* child, mbedtls_x509_crt** found) noexcept {
  *found = nullptr;
  if (store == nullptr) {
    return 0;
  }
  const mbedtls_x509_buf& issuer = child->issuer_raw;
  const std::span name{reinterpret_cast<const std::byte*>(issuer.p), issuer.len};
  return static_cast<const TrustStore*>(store)->find(name, found) ? 0 : MBEDTLS_ERR_X509_ALLOC_FAILED;
}

}  // namespace pollux::tls
