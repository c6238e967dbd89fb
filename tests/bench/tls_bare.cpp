#include "tests/bench/tls_bare.hpp"

#include <mbedtls/memory_buffer_alloc.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <psa/crypto.h>
#include <sys/random.h>
#include <time.h>

#include <array>
#include <string>

namespace bare {

namespace {

mbedtls_ctr_drbg_context generator;
mbedtls_ssl_ticket_context tickets;
mbedtls_x509_crt chain;
mbedtls_pk_context key;
std::array<unsigned char, 8 * 1024 * 1024> arena;

constexpr int suites[]{
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};
#if defined(MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED)
constexpr std::uint16_t groups[]{MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                 MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#else
constexpr std::uint16_t groups[]{MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                 MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#endif
const char* protocols[]{"http/1.1", nullptr};

int seed(void*, unsigned char* out, std::size_t size) {
  return ::getrandom(out, size, 0) == static_cast<ssize_t>(size) ? 0 : -1;
}

std::string text_of(const char* name) {
  std::FILE* const file = std::fopen(name, "rb");
  if (file == nullptr) {
    fail(name);
  }
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    text += static_cast<char>(c);
  }
  std::fclose(file);
  return text;
}

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.c_str());
}

}  // namespace

mbedtls_ctr_drbg_context& random() {
  return generator;
}

void start() {
  mbedtls_memory_buffer_alloc_init(arena.data(), arena.size());
  mbedtls_platform_set_time([](mbedtls_time_t* out) { return ::time(out); });
  mbedtls_ctr_drbg_init(&generator);
  if (const int code = mbedtls_ctr_drbg_seed(&generator, seed, nullptr, nullptr, 0); code != 0) {
    fail("mbedtls_ctr_drbg_seed", code);
  }
  if (const int code = psa_crypto_init(); code != 0) {
    fail("psa_crypto_init", code);
  }
}

void configure(mbedtls_ssl_config& config, End end) {
  mbedtls_ssl_config_init(&config);
  const int code =
      mbedtls_ssl_config_defaults(&config, end == End::client ? MBEDTLS_SSL_IS_CLIENT : MBEDTLS_SSL_IS_SERVER,
                                  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code != 0) {
    fail("mbedtls_ssl_config_defaults", code);
  }
  mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &generator);
  mbedtls_ssl_conf_ciphersuites(&config, suites);
  mbedtls_ssl_conf_groups(&config, groups);
  mbedtls_ssl_conf_alpn_protocols(&config, protocols);
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&config,
                                                           MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}

void serve(mbedtls_ssl_config& config, const char* certificate_file, const char* key_file) {
  const std::string certificate_text = text_of(certificate_file);
  const std::string key_text = text_of(key_file);
  mbedtls_x509_crt_init(&chain);
  mbedtls_pk_init(&key);
  mbedtls_ssl_ticket_init(&tickets);
  if (mbedtls_x509_crt_parse(&chain, bytes_of(certificate_text), certificate_text.size() + 1) != 0 ||
      mbedtls_pk_parse_key(&key, bytes_of(key_text), key_text.size() + 1, nullptr, 0, mbedtls_ctr_drbg_random,
                           &generator) != 0 ||
      mbedtls_ssl_conf_own_cert(&config, &chain, &key) != 0 ||
      mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &generator, MBEDTLS_CIPHER_AES_256_GCM, 43200) != 0) {
    fail("the certificate or its key");
  }
  mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
}

void only(mbedtls_ssl_config& config, bool is_13) {
  const auto version = is_13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
  mbedtls_ssl_conf_min_tls_version(&config, version);
  mbedtls_ssl_conf_max_tls_version(&config, version);
}

}  // namespace bare

extern "C" {

struct tm* mbedtls_platform_gmtime_r(const mbedtls_time_t* seconds, struct tm* out) {
  return ::gmtime_r(seconds, out);
}

mbedtls_ms_time_t mbedtls_ms_time(void) {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t*, uint8_t* out, size_t size,
                                             size_t* given) {
  *given = size;
  return mbedtls_ctr_drbg_random(&bare::random(), out, size) == 0 ? PSA_SUCCESS : PSA_ERROR_INSUFFICIENT_ENTROPY;
}

}  // extern "C"
