// A key and a certificate that signs itself.
//
// It says CA:FALSE: whoever trusts it trusts this one key and nothing that it might sign. curl --cacert, OpenSSL, Go and mbedTLS (over
// TrustStore::contains) take it as a trusted certificate for its names, and browsers after their question. Browsers look at subjectAltName
// only. The subject key identifier is there because OpenSSL's strict mode asks for it (RFC 5280 section 4.2.1.2).
#include <mbedtls/asn1write.h>
#include <mbedtls/base64.h>
#include <mbedtls/oid.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "port/address.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/certificate.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/mbedtls.hpp"
#include "stack/tls/x509.hpp"

namespace pollux::tls {
namespace {

// RFC 5280 appendix A.1 (ub-common-name), RFC 1035 section 3.1.
constexpr std::size_t common_name_max = 64;
constexpr std::size_t dns_name_max = 253;
constexpr std::size_t names_size_max = 1024;  // of subjectAltName
constexpr std::size_t serial_size = 16;

// Frees everything, whichever way the function ends.
struct Writing {
  mbedtls_pk_context key;
  mbedtls_x509write_cert certificate;

  Writing() noexcept {
    mbedtls_pk_init(&key);
    mbedtls_x509write_crt_init(&certificate);
  }
  ~Writing() {
    mbedtls_x509write_crt_free(&certificate);
    mbedtls_pk_free(&key);
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
};

unsigned char* uchars(std::span<char> memory) noexcept {
  return reinterpret_cast<unsigned char*>(memory.data());
}

// Letters, digits, '-', '_' and dots between labels that are not empty; a first label "*". Nothing that a name in mbedTLS's text form would
// need a backslash for.
bool is_dns_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > dns_name_max) {
    return false;
  }
  if (base::starts_with(name, "*.")) {
    name.remove_prefix(2);
  }
  char before = '.';
  for (const char c : name) {
    const bool is_dot = c == '.';
    if ((is_dot && before == '.') || (!is_dot && !base::is_alpha(c) && !base::is_digit(c) && c != '-' && c != '_')) {
      return false;
    }
    before = c;
  }
  return before != '.';
}

// "20261002115900", as mbedTLS wants it. False: not within the years 1970 to 9999.
bool write_time(port::WallTime time, std::array<char, 15>& out) noexcept {
  constexpr std::int64_t seconds_max = 253'402'300'799;
  if (time.seconds < 0 || time.seconds > seconds_max) {
    return false;
  }
  const std::chrono::sys_days day{std::chrono::days{time.seconds / 86'400}};
  const std::chrono::year_month_day date{day};
  const std::int64_t of_day = time.seconds % 86'400;
  std::int64_t value = static_cast<int>(date.year());
  value = value * 100 + static_cast<unsigned>(date.month());
  value = value * 100 + static_cast<unsigned>(date.day());
  value = value * 100 + of_day / 3600;
  value = value * 100 + of_day / 60 % 60;
  value = value * 100 + of_day % 60;
  for (std::size_t i = 14; i > 0; --i) {
    out[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out[14] = '\0';
  return true;
}

// Writes one element before `at`, as mbedTLS's writer does: from the end to the beginning. Negative: mbedTLS's error.
int write_element(unsigned char** at, unsigned char* start, unsigned char tag,
                  std::span<const std::byte> content) noexcept {
  int code =
      mbedtls_asn1_write_raw_buffer(at, start, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  if (code >= 0) {
    code = mbedtls_asn1_write_len(at, start, content.size());
  }
  return code >= 0 ? mbedtls_asn1_write_tag(at, start, tag) : code;
}

// One GeneralName (RFC 5280 section 4.2.1.6): [2] dNSName or [7] iPAddress.
int write_name(unsigned char** at, unsigned char* start, std::string_view name) noexcept {
  if (const auto address = port::parse_ip(name); address) {
    const std::size_t size = address->family == port::Family::ipv4 ? 4 : 16;
    return write_element(at, start, MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7,
                         std::as_bytes(std::span{address->ip}.first(size)));
  }
  return write_element(at, start, MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2, base::as_bytes(name));
}

int set_names(mbedtls_x509write_cert& certificate, const SelfSignedOptions& options) noexcept {
  std::array<unsigned char, names_size_max> buffer{};
  unsigned char* at = buffer.data() + buffer.size();
  for (std::size_t i = options.names.size(); i > 0; --i) {
    if (options.names[i - 1] == options.common_name) {
      continue;
    }
    if (const int code = write_name(&at, buffer.data(), options.names[i - 1]); code < 0) {
      return code;
    }
  }
  if (const int code = write_name(&at, buffer.data(), options.common_name); code < 0) {
    return code;
  }
  if (const int code =
          mbedtls_asn1_write_len(&at, buffer.data(), static_cast<std::size_t>(buffer.data() + buffer.size() - at));
      code < 0) {
    return code;
  }
  if (const int code = mbedtls_asn1_write_tag(&at, buffer.data(), MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
      code < 0) {
    return code;
  }
  return mbedtls_x509write_crt_set_extension(&certificate, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                             MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, at,
                                             static_cast<std::size_t>(buffer.data() + buffer.size() - at));
}

// SEQUENCE { id-kp-serverAuth } (RFC 5280 section 4.2.1.12). mbedTLS 2.28 has no function for it.
int set_server_usage(mbedtls_x509write_cert& certificate) noexcept {
  constexpr std::array<unsigned char, 12> usage{0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
  return mbedtls_x509write_crt_set_extension(&certificate, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                             MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, usage.data(),
                                             usage.size());
}

// A positive number of full length that nobody can guess (RFC 5280 section 4.1.2.2).
int set_serial(Library& library, mbedtls_x509write_cert& certificate) noexcept {
  std::array<std::byte, serial_size> serial{};
  library.random(serial);
  serial[0] = (serial[0] & std::byte{0x3F}) | std::byte{0x40};
  auto* const bytes = reinterpret_cast<unsigned char*>(serial.data());
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  return mbedtls_x509write_crt_set_serial_raw(&certificate, bytes, serial.size());
#else
  mbedtls_mpi number;
  mbedtls_mpi_init(&number);
  int code = mbedtls_mpi_read_binary(&number, bytes, serial.size());
  if (code == 0) {
    code = mbedtls_x509write_crt_set_serial(&certificate, &number);
  }
  mbedtls_mpi_free(&number);
  return code;
#endif
}

int set_subject(mbedtls_x509write_cert& certificate, std::string_view common_name) noexcept {
  std::array<char, common_name_max + 4> text{};
  base::TextWriter writer{std::span{text}.first(text.size() - 1)};
  writer.put("CN=").put({common_name.data(), std::min(common_name.size(), common_name_max)});
  const int code = mbedtls_x509write_crt_set_subject_name(&certificate, text.data());
  return code == 0 ? mbedtls_x509write_crt_set_issuer_name(&certificate, text.data()) : code;
}

int make_key(Library& library, mbedtls_pk_context& key) noexcept {
  const int code = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  return code != 0 ? code
                   : mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_for_mbedtls,
                                         library.random_context());
}

// Everything but the texts; one step after the other until one fails.
int fill(Library& library, const SelfSignedOptions& options, Writing& writing, const char* not_before,
         const char* not_after) noexcept {
  mbedtls_x509write_cert& certificate = writing.certificate;
  int code = make_key(library, writing.key);
  if (code == 0) {
    mbedtls_x509write_crt_set_subject_key(&certificate, &writing.key);
    mbedtls_x509write_crt_set_issuer_key(&certificate, &writing.key);
    mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
    code = set_subject(certificate, options.common_name);
  }
  code = code != 0 ? code : set_serial(library, certificate);
  code = code != 0 ? code : mbedtls_x509write_crt_set_validity(&certificate, not_before, not_after);
  code = code != 0 ? code : mbedtls_x509write_crt_set_basic_constraints(&certificate, 0, -1);
  code = code != 0 ? code : mbedtls_x509write_crt_set_key_usage(&certificate, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
  code = code != 0 ? code : set_server_usage(certificate);
  code = code != 0 ? code : mbedtls_x509write_crt_set_subject_key_identifier(&certificate);
  return code != 0 ? code : set_names(certificate, options);
}

Error error_of_writing(int code) noexcept {
  const bool is_too_small = code == MBEDTLS_ERR_ASN1_BUF_TOO_SMALL || code == MBEDTLS_ERR_BASE64_BUFFER_TOO_SMALL;
  return is_too_small ? Error::no_memory : error_of_parse(code, Error::internal);
}

}  // namespace

port::Result<SelfSigned, Error> make_self_signed(Library& library, const SelfSignedOptions& options,
                                                 std::span<char> key_memory,
                                                 std::span<char> certificate_memory) noexcept {
  ENSURE(library.is_started());
  const auto is_name = [](std::string_view name) { return is_dns_name(name) || is_address_literal(name); };
  std::array<char, 15> not_before{};
  std::array<char, 15> not_after{};
  if (!is_name(options.common_name) || !std::all_of(options.names.begin(), options.names.end(), is_name) ||
      options.not_after < options.not_before || !write_time(options.not_before, not_before) ||
      !write_time(options.not_after, not_after)) {
    return port::Failure{Error::unsupported};
  }
  Writing writing;
  int code = fill(library, options, writing, not_before.data(), not_after.data());
  code = code != 0 ? code : mbedtls_pk_write_key_pem(&writing.key, uchars(key_memory), key_memory.size());
  code = code != 0 ? code
                   : mbedtls_x509write_crt_pem(&writing.certificate, uchars(certificate_memory),
                                               certificate_memory.size(), random_for_mbedtls, library.random_context());
  if (code != 0) {
    const Error error = error_of_writing(code);
    if (!key_memory.empty()) {
      mbedtls_platform_zeroize(key_memory.data(), key_memory.size());
    }
    return port::Failure{error};
  }
  // mbedTLS ends both with a NUL, which is not part of them.
  return SelfSigned{.key = {key_memory.data(), std::strlen(key_memory.data())},
                    .certificate = {certificate_memory.data(), std::strlen(certificate_memory.data())}};
}

}  // namespace pollux::tls
