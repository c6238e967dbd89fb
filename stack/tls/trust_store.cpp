#include "stack/tls/trust_store.hpp"

#include <algorithm>
#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/mbedtls.hpp"
#include "stack/tls/x509.hpp"

// Issuers are parsed when a chain needs them, if mbedTLS asks for them at all.
#if defined(MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK)
#define POLLUX_TLS_TRUST_LIST 0
#else
#define POLLUX_TLS_TRUST_LIST 1
#endif

namespace pollux::tls {
namespace {

// How much of a file is read at once.
constexpr std::size_t piece_size = 1024;

using Bytes = std::span<const std::byte>;

constexpr std::byte integer_tag{0x02};
constexpr std::byte bit_string_tag{0x03};
constexpr std::byte sequence_tag{0x30};
constexpr std::byte version_tag{0xA0};

// Takes one element of DER from the front of `rest`: `whole` with its tag and length, `content` without. Source: X.690 sections 8.1.2, 8.1.3.
bool take_element(Bytes& rest, std::byte tag, Bytes& whole, Bytes& content) noexcept {
  if (rest.size() < 2 || rest[0] != tag) {
    return false;
  }
  auto size = std::to_integer<std::size_t>(rest[1]);
  std::size_t head = 2;
  if (size >= 0x80) {
    // The long form: so many bytes of length follow. Three say 16 MiB.
    const std::size_t digits = size & 0x7F;
    if (digits == 0 || digits > 3 || rest.size() < 2 + digits) {
      return false;
    }
    size = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      size = size << 8 | std::to_integer<std::size_t>(rest[2 + i]);
    }
    head += digits;
  }
  if (size > rest.size() - head) {
    return false;
  }
  whole = rest.first(head + size);
  content = whole.subspan(head);
  rest = rest.subspan(head + size);
  return true;
}

// The subject of a certificate, as DER; empty: `der` is none. Nothing of it is understood but where its parts begin (RFC 5280 section 4.1).
Bytes subject_of(Bytes der) noexcept {
  Bytes whole;
  Bytes certificate;
  Bytes body;
  Bytes part;
  Bytes subject;
  if (!take_element(der, sequence_tag, whole, certificate) || !der.empty() ||
      !take_element(certificate, sequence_tag, whole, body)) {
    return {};
  }
  if (!body.empty() && body[0] == version_tag && !take_element(body, version_tag, whole, part)) {
    return {};
  }
  const bool is_certificate = take_element(body, integer_tag, whole, part) &&          // serial number
                              take_element(body, sequence_tag, whole, part) &&         // signature algorithm
                              take_element(body, sequence_tag, whole, part) &&         // issuer
                              take_element(body, sequence_tag, whole, part) &&         // validity
                              take_element(body, sequence_tag, subject, part) &&       // subject
                              take_element(body, sequence_tag, whole, part) &&         // public key
                              take_element(certificate, sequence_tag, whole, part) &&  // signature algorithm, again
                              take_element(certificate, bit_string_tag, whole, part) && certificate.empty();
  return is_certificate ? subject : Bytes{};
}

// FNV-1a, but equal for names that mbedTLS takes for equal: it compares without case, and PrintableString with UTF8String. Bytes that merely
// look like these tags or letters are changed as well, on both sides alike.
std::uint32_t hash_of(Bytes name) noexcept {
  std::uint32_t hash = 2'166'136'261U;
  for (const std::byte byte : name) {
    auto value = std::to_integer<std::uint32_t>(byte);
    value = value == 0x13 ? 0x0C : value >= 'A' && value <= 'Z' ? value + ('a' - 'A') : value;
    hash = (hash ^ value) * 16'777'619U;
  }
  return hash;
}

const unsigned char* uchars(Bytes bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Parses into the list, which is made if there is none. mbedTLS keeps pointing into `der`.
Error parse_into(mbedtls_x509_crt*& list, Bytes der) noexcept {
  if (list == nullptr) {
    list = static_cast<mbedtls_x509_crt*>(mbedtls_calloc(1, sizeof(mbedtls_x509_crt)));
    if (list == nullptr) {
      return Error::no_memory;
    }
    mbedtls_x509_crt_init(list);
  }
  const int code = mbedtls_x509_crt_parse_der_nocopy(list, uchars(der), der.size());
  return code == 0 ? Error::none : error_of_parse(code, Error::trust_syntax);
}

void free_list(mbedtls_x509_crt*& list) noexcept {
  if (list != nullptr) {
    mbedtls_x509_crt_free(list);
    mbedtls_free(list);
    list = nullptr;
  }
}

}  // namespace

Error TrustStore::take(std::size_t size) noexcept {
  const Bytes der = free_bytes().first(size);
  const Bytes subject = subject_of(der);
  if (subject.empty()) {
    return Error::trust_syntax;
  }
  if (contains(der)) {
    return Error::none;
  }
  if (used_ == memory_.entries.size()) {
    return Error::trust_full;
  }
#if POLLUX_TLS_TRUST_LIST
  if (const Error error = parse_into(list_, der); error != Error::none) {
    return error;
  }
#endif
  memory_.entries[used_] = {.subject_hash = hash_of(subject),
                            .at = static_cast<std::uint32_t>(bytes_used_),
                            .size = static_cast<std::uint32_t>(size)};
  ++used_;
  bytes_used_ += size;
  ++generation_;
  return Error::none;
}

Error TrustStore::scan(PemReader& reader, std::string_view text, std::size_t& added) noexcept {
  while (true) {
    Error error = Error::none;
    switch (reader.read(text, free_bytes())) {
      case PemReader::Event::need_more:
        return Error::none;
      case PemReader::Event::too_large:
        return Error::trust_full;
      case PemReader::Event::bad_block:
        error = Error::trust_syntax;
        break;
      case PemReader::Event::block:
        error = take(reader.size());
        break;
    }
    if (error == Error::none) {
      ++added;
    } else if (error == Error::trust_syntax) {
      ++skipped_;
    } else {
      return error;
    }
  }
}

Error TrustStore::read(port::Port& port, port::File file, std::size_t& added) noexcept {
  PemReader reader{certificate_label};
  std::array<char, piece_size> piece;  // NOLINT(*-member-init): filled by read_file
  bool is_der = false;
  std::uint64_t at = 0;
  while (true) {
    // A certificate in DER is read to where it will stay; one byte more than the memory has shows that it does not fit.
    const bool is_full = is_der && at >= free_bytes().size();
    const std::span<std::byte> out =
        is_der && !is_full ? free_bytes().subspan(static_cast<std::size_t>(at)) : base::as_writable_bytes(piece);
    const port::IoResult result = port.read_file(file, at, out);
    if (result.status == port::IoStatus::end) {
      break;
    }
    if (result.status != port::IoStatus::ok) {
      file_error_ = port::Error::failed;
      return Error::trust_syntax;
    }
    if (is_full) {
      return Error::trust_full;
    }
    if (at == 0 && is_der_text({piece.data(), result.size})) {
      is_der = true;
      if (result.size > free_bytes().size()) {
        return Error::trust_full;
      }
      std::memcpy(free_bytes().data(), piece.data(), result.size);
    } else if (!is_der) {
      if (const Error error = scan(reader, {piece.data(), result.size}, added); error != Error::none) {
        return error;
      }
    }
    at += result.size;
  }
  if (is_der) {
    const Error error = take(static_cast<std::size_t>(at));
    added += error == Error::none ? 1 : 0;
    return error;
  }
  skipped_ += reader.is_inside() ? 1 : 0;
  return Error::none;
}

port::Result<std::size_t, Error> TrustStore::outcome(Error error, std::size_t added) noexcept {
  if (error != Error::none) {
    return port::Failure{error};
  }
  if (added == 0) {
    return port::Failure{Error::trust_syntax};
  }
  return added;
}

port::Result<std::size_t, Error> TrustStore::add(std::string_view text) noexcept {
  std::size_t added = 0;
  if (is_der_text(text)) {
    if (text.size() > free_bytes().size()) {
      return port::Failure{Error::trust_full};
    }
    std::memcpy(free_bytes().data(), text.data(), text.size());
    const Error error = take(text.size());
    return outcome(error, error == Error::none ? 1 : 0);
  }
  PemReader reader{certificate_label};
  const Error error = scan(reader, text, added);
  skipped_ += error == Error::none && reader.is_inside() ? 1 : 0;
  return outcome(error, added);
}

port::Result<std::size_t, Error> TrustStore::add_file(port::Port& port, std::string_view path) noexcept {
  file_error_ = {};
  const auto opened = port.open_path(path);
  if (!opened) {
    file_error_ = opened.error();
    return port::Failure{Error::trust_syntax};
  }
  std::size_t added = 0;
  const Error error = read(port, opened->file, added);
  port.close_file(opened->file);
  return outcome(error, added);
}

port::Result<std::size_t, Error> TrustStore::add_system(port::Port& port) noexcept {
  constexpr std::array<std::string_view, 4> paths{"/etc/ssl/certs/ca-certificates.crt",
                                                  "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                                  "/etc/ssl/cert.pem"};
  for (const std::string_view path : paths) {
    const auto added = add_file(port, path);
    if (added || added.error() != Error::trust_syntax) {
      return added;
    }
  }
  return port::Failure{Error::trust_syntax};
}

void TrustStore::clear() noexcept {
  free_list(list_);
  generation_ += used_ > 0 ? 1 : 0;
  used_ = 0;
  bytes_used_ = 0;
  skipped_ = 0;
}

bool TrustStore::contains(std::span<const std::byte> der) const noexcept {
  return std::any_of(memory_.entries.begin(), memory_.entries.begin() + static_cast<std::ptrdiff_t>(used_),
                     [this, der](const TrustEntry& entry) {
                       return entry.size == der.size() &&
                              std::memcmp(&memory_.bytes[entry.at], der.data(), der.size()) == 0;
                     });
}

bool TrustStore::find(std::span<const std::byte> subject, mbedtls_x509_crt** found) const noexcept {
  ENSURE(is_library_started());
  *found = nullptr;
  const std::uint32_t hash = hash_of(subject);
  for (const TrustEntry& entry : memory_.entries.first(used_)) {
    if (entry.subject_hash != hash) {
      continue;
    }
    // One that mbedTLS does not understand can sign nothing for us.
    if (parse_into(*found, memory_.bytes.subspan(entry.at, entry.size)) == Error::no_memory) {
      free_list(*found);
      return false;
    }
  }
  if (*found != nullptr && (*found)->raw.p == nullptr) {
    free_list(*found);
  }
  return true;
}

}  // namespace pollux::tls
