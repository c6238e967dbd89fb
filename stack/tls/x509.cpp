#include "stack/tls/x509.hpp"

#include <mbedtls/oid.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "port/address.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/pem.hpp"

namespace pollux::tls {
namespace {

// More than parsing any key or certificate we take asks for beside its own size: the multiples of a point on P-384, the factors of an RSA key of
// 4096 bits.
constexpr std::size_t parse_memory_max = 8192;

// Memory of mbedTLS, cleared before it is given back: it holds keys.
class Scratch {
 public:
  explicit Scratch(std::size_t size) noexcept
      : bytes_{static_cast<std::byte*>(mbedtls_calloc(1, std::max<std::size_t>(size, 1)))}, size_{size} {}
  ~Scratch() {
    if (bytes_ != nullptr) {
      mbedtls_platform_zeroize(bytes_, size_);
      mbedtls_free(bytes_);
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] bool is_there() const noexcept { return bytes_ != nullptr; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {bytes_, size_}; }

 private:
  std::byte* bytes_;
  std::size_t size_;
};

const unsigned char* uchars(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}
std::string_view text_of(const mbedtls_x509_buf& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.p), bytes.len};
}
std::span<const std::byte> bytes_of(const mbedtls_x509_buf& bytes) noexcept {
  return {reinterpret_cast<const std::byte*>(bytes.p), bytes.len};
}

// The two halves of mbedTLS's error codes: a layer's own, and that of the layer below (error.h).
constexpr int high_part(int code) noexcept {
  return -(-code & 0xFF80);
}
constexpr int low_part(int code) noexcept {
  return -(-code & 0x7F);
}

Error error_of_certificate(int code) noexcept {
  switch (high_part(code)) {
    case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
    case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
    case MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE:
    case MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG:
    case MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE:
      return Error::unsupported;
    default:
      return Error::certificate_syntax;
  }
}

Error parse_der(std::span<const std::byte> der, mbedtls_x509_crt& chain) noexcept {
  const int code = mbedtls_x509_crt_parse_der(&chain, uchars(der.data()), der.size());
  return code == 0 ? Error::none : error_of_parse(code, error_of_certificate(code));
}

Error parse_key_der(Library& library, std::span<const std::byte> der, mbedtls_pk_context& key) noexcept {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  const int code = mbedtls_pk_parse_key(&key, uchars(der.data()), der.size(), nullptr, 0, random_for_mbedtls,
                                        library.random_context());
#else
  static_cast<void>(library);
  const int code = mbedtls_pk_parse_key(&key, uchars(der.data()), der.size(), nullptr, 0);
#endif
  return code == 0 ? Error::none : error_of_parse(code, Error::key_syntax);
}

// The value of one attribute of a name, in RFC 4514's writing but in ASCII only: such text goes into logs, headers and JSON.
void put_name_value(const mbedtls_x509_buf& value, base::TextWriter& out) noexcept {
  constexpr std::string_view hex = "0123456789ABCDEF";
  const std::string_view text = text_of(value);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto code = static_cast<unsigned char>(c);
    const bool is_special = std::string_view{",=+<>;\"\\"}.find(c) != std::string_view::npos ||
                            (i == 0 && (c == '#' || c == ' ')) || (i + 1 == text.size() && c == ' ');
    if (code < 0x20 || code >= 0x7F) {
      out.put('\\').put(hex[code >> 4]).put(hex[code & 15]);
    } else {
      if (is_special) {
        out.put('\\');
      }
      out.put(c);
    }
  }
}

template <std::size_t max>
void write_name(const mbedtls_x509_name& name, ShortText<max>& out) noexcept {
  // Room for one more piece than is kept: the writer drops what does not fit as a whole.
  std::array<char, max + 64> text{};
  base::TextWriter writer{text};
  for (const mbedtls_x509_name* part = &name; part != nullptr && writer.size() < max; part = part->next) {
    if (part->oid.p == nullptr) {
      continue;
    }
    if (writer.size() > 0) {
      writer.put(", ");
    }
    const char* short_name = nullptr;
    if (mbedtls_oid_get_attr_short_name(&part->oid, &short_name) == 0 && short_name != nullptr) {
      writer.put(short_name).put('=');
    } else {
      writer.put("?=");
    }
    put_name_value(part->val, writer);
  }
  out.assign(writer.view());
}

template <std::size_t max>
void write_serial(std::span<const std::byte> serial, ShortText<max>& out) noexcept {
  // DER puts a zero before a number whose first bit is set; it is not part of the number.
  if (serial.size() > 1 && serial[0] == std::byte{0}) {
    serial = serial.subspan(1);
  }
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::array<char, max> text{};
  base::TextWriter writer{text};
  for (const std::byte byte : serial) {
    const auto value = std::to_integer<unsigned>(byte);
    if (writer.size() > 0) {
      writer.put(':');
    }
    writer.put(hex[value >> 4]).put(hex[value & 15]);
  }
  out.assign(writer.view());
}

// What subjectAltName calls them: context-specific tags 2 and 7 (RFC 5280 section 4.2.1.6).
constexpr int dns_name_tag = 0x82;
constexpr int ip_address_tag = 0x87;

std::string_view without_end_dot(std::string_view name) noexcept {
  return name.ends_with('.') ? std::string_view{name.data(), name.size() - 1} : name;
}

bool dns_name_matches(std::string_view pattern, std::string_view host) noexcept {
  pattern = without_end_dot(pattern);
  if (pattern.empty() || host.empty()) {
    return false;
  }
  if (!base::starts_with(pattern, "*.")) {
    return base::equal_ignoring_case(pattern, host);
  }
  const std::string_view rest{pattern.data() + 1, pattern.size() - 1};  // ".example.com"
  const std::size_t dot = host.find('.');
  if (rest.find('.', 1) == std::string_view::npos || dot == std::string_view::npos || dot == 0) {
    return false;
  }
  return base::equal_ignoring_case(rest, {host.data() + dot, host.size() - dot});
}

bool address_matches(std::span<const std::byte> bytes, const port::Address& address) noexcept {
  const std::size_t size = address.family == port::Family::ipv4 ? 4 : 16;
  return bytes.size() == size && std::memcmp(bytes.data(), address.ip.data(), size) == 0;
}

}  // namespace

bool is_no_memory(int code) noexcept {
  if (code >= 0) {
    return false;
  }
  switch (high_part(code)) {
    case MBEDTLS_ERR_X509_ALLOC_FAILED:
    case MBEDTLS_ERR_PK_ALLOC_FAILED:
    case MBEDTLS_ERR_ECP_ALLOC_FAILED:
    case MBEDTLS_ERR_PEM_ALLOC_FAILED:
    case MBEDTLS_ERR_MD_ALLOC_FAILED:
    case MBEDTLS_ERR_CIPHER_ALLOC_FAILED:
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
      return true;
    default:
      return low_part(code) == MBEDTLS_ERR_MPI_ALLOC_FAILED || low_part(code) == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
  }
}

Error error_of_parse(int code, Error otherwise) noexcept {
  const bool has_room = !is_no_memory(code) && Scratch{parse_memory_max}.is_there();
  return has_room ? otherwise : Error::no_memory;
}

Error parse_chain(std::string_view text, mbedtls_x509_crt& chain, std::size_t certificates_max) noexcept {
  if (is_der_text(text)) {
    return parse_der(base::as_bytes(text), chain);
  }
  std::size_t count = 0;
  PemReader reader{certificate_label};
  while (count < certificates_max) {
    // Twice: how large it is, and then into that much memory.
    PemReader measure = reader;
    std::string_view rest = text;
    const PemReader::Event event = measure.read(rest, {});
    if (event == PemReader::Event::need_more && !measure.is_inside()) {
      break;
    }
    if (event != PemReader::Event::too_large) {
      return Error::certificate_syntax;
    }
    const Scratch der{measure.size()};
    if (!der.is_there()) {
      return Error::no_memory;
    }
    ENSURE(reader.read(text, der.bytes()) == PemReader::Event::block);
    if (const Error error = parse_der(der.bytes(), chain); error != Error::none) {
      return error;
    }
    ++count;
  }
  return count > 0 ? Error::none : Error::certificate_syntax;
}

Error parse_key(Library& library, std::string_view text, mbedtls_pk_context& key) noexcept {
  if (is_der_text(text)) {
    return parse_key_der(library, base::as_bytes(text), key);
  }
  std::string_view rest = text;
  PemReader measure{PemReader::AnyPrivateKey{}};
  if (measure.read(rest, {}) != PemReader::Event::too_large) {
    return Error::key_syntax;
  }
  const Scratch der{measure.size()};
  if (!der.is_there()) {
    return Error::no_memory;
  }
  PemReader reader{PemReader::AnyPrivateKey{}};
  ENSURE(reader.read(text, der.bytes()) == PemReader::Event::block);
  return parse_key_der(library, der.bytes(), key);
}

Error check_key(Library& library, const mbedtls_x509_crt& certificate, const mbedtls_pk_context& key) noexcept {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  const int code = mbedtls_pk_check_pair(&certificate.pk, &key, random_for_mbedtls, library.random_context());
#else
  static_cast<void>(library);
  const int code = mbedtls_pk_check_pair(&certificate.pk, &key);
#endif
  return code == 0 ? Error::none : error_of_parse(code, Error::key_mismatch);
}

Error check_pair(Library& library, std::string_view certificate, std::string_view key) noexcept {
  ENSURE(library.is_started());
  mbedtls_x509_crt chain;
  mbedtls_x509_crt_init(&chain);
  mbedtls_pk_context own;
  mbedtls_pk_init(&own);
  Error error = parse_chain(certificate, chain, 1);
  error = error == Error::none ? parse_key(library, key, own) : error;
  error = error == Error::none ? check_key(library, chain, own) : error;
  mbedtls_pk_free(&own);
  mbedtls_x509_crt_free(&chain);
  return error;
}

void read_info(const mbedtls_x509_crt& certificate, CertificateInfo& out) noexcept {
  write_name(certificate.subject, out.subject);
  write_name(certificate.issuer, out.issuer);
  write_serial(bytes_of(certificate.serial), out.serial);
  out.fingerprint = digest_of(bytes_of(certificate.raw));
  out.public_key = digest_of(bytes_of(certificate.pk_raw));
  out.not_before = seconds_of(certificate.valid_from);
  out.not_after = seconds_of(certificate.valid_to);
}

Digest digest_of(std::span<const std::byte> bytes) noexcept {
  Digest digest{};
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  const int code = mbedtls_sha256(uchars(bytes.data()), bytes.size(), out, 0);
#else
  const int code = mbedtls_sha256_ret(uchars(bytes.data()), bytes.size(), out, 0);
#endif
  ENSURE(code == 0);  // in software it has no way to fail
  return digest;
}

bool names_host(const mbedtls_x509_crt& certificate, std::string_view host) noexcept {
  const auto address = port::parse_ip(host);
  host = without_end_dot(host);
  for (const mbedtls_x509_sequence* name = &certificate.subject_alt_names; name != nullptr; name = name->next) {
    if (name->buf.p == nullptr) {
      continue;
    }
    if (address) {
      if (name->buf.tag == ip_address_tag && address_matches(bytes_of(name->buf), *address)) {
        return true;
      }
    } else if (name->buf.tag == dns_name_tag && dns_name_matches(text_of(name->buf), host)) {
      return true;
    }
  }
  return false;
}

bool is_address_literal(std::string_view host) noexcept {
  return static_cast<bool>(port::parse_ip(host));
}

Error error_of_flags(std::uint32_t flags, bool is_own_issuer) noexcept {
  const auto has = [flags](std::uint32_t wanted) { return (flags & wanted) != 0; };
  if (flags == 0) {
    return Error::none;
  }
  // All ones: mbedTLS could not finish.
  if (flags == UINT32_MAX) {
    return Error::bad_certificate;
  }
  // In this order: what nobody can repair by setting a clock or asking for another name comes first. A signature of a weak kind is also said to be
  // not trusted, because it is not looked at.
  if (has(MBEDTLS_X509_BADCERT_MISSING)) {
    return Error::no_certificate;
  }
  if (has(MBEDTLS_X509_BADCERT_BAD_MD)) {
    return Error::weak_signature;
  }
  if (has(MBEDTLS_X509_BADCERT_NOT_TRUSTED)) {
    return is_own_issuer ? Error::self_signed : Error::unknown_authority;
  }
  if (has(MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY)) {
    return Error::weak_key;
  }
  if (has(MBEDTLS_X509_BADCERT_EXPIRED)) {
    return Error::expired;
  }
  if (has(MBEDTLS_X509_BADCERT_FUTURE)) {
    return Error::not_yet_valid;
  }
  if (has(MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE)) {
    return Error::wrong_usage;
  }
  if (has(MBEDTLS_X509_BADCERT_CN_MISMATCH)) {
    return Error::wrong_name;
  }
  return Error::bad_certificate;
}

std::int64_t seconds_of(const mbedtls_x509_time& time) noexcept {
  const std::chrono::year_month_day date{std::chrono::year{time.year},
                                         std::chrono::month{static_cast<unsigned>(time.mon)},
                                         std::chrono::day{static_cast<unsigned>(time.day)}};
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return ((days * 24 + time.hour) * 60 + time.min) * 60 + time.sec;
}

port::Result<CertificateInfo, Error> read_certificate(Library& library, std::string_view text) noexcept {
  ENSURE(library.is_started());
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  const Error error = parse_chain(text, certificate, 1);
  CertificateInfo info;
  if (error == Error::none) {
    read_info(certificate, info);
  }
  mbedtls_x509_crt_free(&certificate);
  if (error != Error::none) {
    return port::Failure{error};
  }
  return info;
}

}  // namespace pollux::tls
