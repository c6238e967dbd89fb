#include "apps/fetch/tls_setup.hpp"

#include <cstdlib>
#include <optional>
#include <string_view>

#include "apps/fetch/data.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/base64.hpp"

namespace pollux::fetch {
namespace {

#if POLLUX_TLS
constinit apps::HttpsClientStorage<tls_limits, std::size_t{512} * 1024, 512> storage;
constinit tls::Arena<tls::arena_size(tls_limits)> arena;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

// The DER of a public key: what stands between the lines of a PEM file, or the file itself.
std::optional<std::string> public_key_der(const std::string& text) {
  constexpr std::string_view begin = "-----BEGIN PUBLIC KEY-----";
  constexpr std::string_view end = "-----END PUBLIC KEY-----";
  const std::size_t at = text.find(begin);
  if (at == std::string::npos) {
    // A SEQUENCE (X.690 section 8.9): anything else is no SubjectPublicKeyInfo.
    return text.starts_with('\x30') ? std::optional{text} : std::nullopt;
  }
  const std::size_t stop = text.find(end, at);
  if (stop == std::string::npos) {
    return std::nullopt;
  }
  std::string base64;
  for (const char c : text.substr(at + begin.size(), stop - at - begin.size())) {
    if (!base::is_blank(c) && c != '\n' && c != '\r') {
      base64 += c;
    }
  }
  std::string der(base64.size() + 2, '\0');
  const auto decoded = wire::base64_decode(base64, wire::Base64::standard, der);
  return decoded ? std::optional{std::string{*decoded}} : std::nullopt;
}

tls::Version version_of(TlsVersion version, tls::Version otherwise) {
  switch (version) {
    case TlsVersion::any:
      return otherwise;
    case TlsVersion::older:
    case TlsVersion::tls12:
      return tls::Version::tls12;
    case TlsVersion::tls13:
      return tls::Version::tls13;
  }
  return otherwise;
}

Failure failure_of(const apps::HttpsClientProblem& problem) {
  using Where = apps::HttpsClientProblem::Where;
  switch (problem.where) {
    case Where::library:
      break;
    case Where::ca_file:
      return {ExitCode::ssl_cacert_badfile,
              {"error setting certificate verify locations: CAfile ", problem.path, ": ", problem.what}};
    case Where::ca_directory:
      return {ExitCode::ssl_cacert_badfile,
              {"error setting certificate verify locations: CApath ", problem.path, ": ", problem.what}};
    case Where::certificate:
      return {ExitCode::ssl_certproblem, {"could not load the client certificate ", problem.path, ": ", problem.what}};
    case Where::key:
      return {ExitCode::ssl_certproblem, {"unable to use the private key of ", problem.path, ": ", problem.what}};
  }
  return {ExitCode::failed_init, {"TLS cannot be set up: ", problem.what}};
}
#endif

}  // namespace

#if POLLUX_TLS

TrustSource find_trust(const Options& options) {
  TrustSource source{.file = options.ca_file, .directory = options.ca_directory};
  if (!source.file.empty() || !source.directory.empty() || options.insecure) {
    return source;
  }
  source.file = variable("CURL_CA_BUNDLE");
  if (source.file.empty()) {
    source.directory = variable("SSL_CERT_DIR");
    source.file = variable("SSL_CERT_FILE");
  }
  return source;
}

std::vector<tls::Digest> read_pins(const std::string& value, Failure& failure) {
  std::vector<tls::Digest> pins;
  if (!value.starts_with("sha256//")) {
    const auto text = read_whole_file(value);
    const auto der = text ? public_key_der(*text) : std::nullopt;
    if (!der) {
      failure = {ExitCode::ssl_pinnedpubkeynotmatch,
                 {"--pinnedpubkey ", value, text ? ": is no public key" : ": cannot be read"}};
      return pins;
    }
    pins.push_back(tls::digest_of(base::as_bytes(*der)));
    return pins;
  }
  std::string_view rest = value;
  while (!rest.empty()) {
    const std::size_t end = rest.find(';');
    const auto pin = tls::parse_pin(rest.substr(0, end));
    if (!pin) {
      failure = {ExitCode::ssl_pinnedpubkeynotmatch,
                 {"--pinnedpubkey ", rest.substr(0, end), ": is not sha256// and 32 bytes in base64"}};
      return {};
    }
    pins.push_back(*pin);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return pins;
}

TlsSetup::TlsSetup(port::Port& port, const Options& options)
    : options_{options}, library_{port, arena.memory()}, https_{library_, storage.memory()} {}

void TlsSetup::start() {
  failure_ = prepare();
}

Failure TlsSetup::prepare() {
  if (options_.tls_max == TlsVersion::older) {
    return {ExitCode::ssl_connect_error, "--tls-max: TLS 1.0 and 1.1 are not spoken here, being broken; at least 1.2"};
  }
  const tls::Version min = version_of(options_.tls_min, tls::Version::tls12);
  const tls::Version max = version_of(options_.tls_max, tls::Version::tls13);
  if (min == tls::Version::tls13 && max == tls::Version::tls12) {
    return {ExitCode::ssl_connect_error, "--tlsv1.3 and --tls-max 1.2 leave no version"};
  }
  if (!options_.password.empty() && !options_.certificate.empty()) {
    return {ExitCode::ssl_certproblem,
            "a key with a password is not read here; take it off: openssl pkey -in KEY -out PLAIN"};
  }
  if (!options_.pinned_key.empty()) {
    Failure failure;
    pins_ = read_pins(options_.pinned_key, failure);
    if (failure) {
      return failure;
    }
  }
  trust_ = find_trust(options_);
  const auto problem = https_.start({.ca_file = trust_.file,
                                     .ca_directory = trust_.directory,
                                     .certificate = options_.certificate,
                                     .key = options_.key,
                                     .pins = pins_,
                                     .verify = options_.insecure ? tls::Verify::insecure_none : tls::Verify::peer,
                                     .min = min,
                                     .max = max});
  trusts_nobody_ = !problem && !options_.insecure && https_.trusted() == 0;
  return problem ? failure_of(*problem) : Failure{};
}

#else

TrustSource find_trust(const Options&) {
  return {};
}

std::vector<tls::Digest> read_pins(const std::string&, Failure&) {
  return {};
}

TlsSetup::TlsSetup(port::Port&, const Options& options) : options_{options}, https_{library_, {}} {}

void TlsSetup::start() {}

Failure TlsSetup::prepare() {
  return {};
}

#endif

}  // namespace pollux::fetch
