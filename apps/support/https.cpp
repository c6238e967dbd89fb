#include "apps/support/https.hpp"

#include <string.h>
#include <unistd.h>

#include "apps/support/file_text.hpp"
#include "apps/support/line.hpp"
#include "port/ensure.hpp"

namespace pollux::apps {

namespace {

const char* check_client_auth(std::string_view value) {
  return value == "request" || value == "require" ? nullptr : "is neither request nor require";
}

const char* check_redirect(std::string_view value) {
  const auto endpoint = port::parse_endpoint(value);
  return endpoint && endpoint->address.family != port::Family::local ? nullptr
                                                                     : "is not ADDR:PORT, [ADDR]:PORT or :PORT";
}

}  // namespace

void add(Options& options, HttpsOptions& https) noexcept {
  options.list("--tls-cert", "FILE", "serve https with this certificate and its chain (PEM or DER)", https.certificates)
      .list("--tls-key", "FILE", "the key of the certificate; the n-th of the n-th", https.keys)
      .text("--tls-client-ca", "FILE", "clients show a certificate that one of these has signed", https.client_ca)
      .text("--tls-client-auth", "HOW", "request: they may; require: they must (default)", https.client_auth,
            check_client_auth)
      .text("--http-redirect", "ADDR:PORT", "listen here for http, and send everybody to https", https.redirect,
            check_redirect);
}

// The pairs as they were read, and where each stands.
struct Https::Files {
  std::array<tls::CertificateSource, tls::ServerContext::certificates_max> sources{};
  std::size_t count = 0;
  [[nodiscard]] std::span<const tls::CertificateSource> all() const noexcept { return {sources.data(), count}; }
};

Https::Https(port::LinuxPort& port, const HttpsOptions& options, const HttpsMemory& memory) noexcept
    : port_{port}, options_{options}, memory_{memory}, library_{port, memory.arena} {}

// Here, so that nobody else needs the table of the context's functions.
Https::~Https() = default;

tls::Library* Https::start_library() noexcept {
  if (const auto ready = library_.start(); !ready) {
    print_line(STDERR_FILENO, "TLS cannot be set up: ", tls::describe(ready.error()));
    return nullptr;
  }
  return &library_;
}

// Flags that make no sense together: 2.
int Https::check_options() const noexcept {
  const std::size_t certificates = options_.certificates.values().size();
  const std::size_t keys = options_.keys.values().size();
  if (certificates != keys) {
    print_line(STDERR_FILENO, certificates > keys ? "--tls-cert " : "--tls-key ",
               certificates > keys ? options_.certificates.values()[keys] : options_.keys.values()[certificates],
               certificates > keys ? ": its --tls-key is missing" : ": its --tls-cert is missing");
    return 2;
  }
  if (certificates == 0 && !options_.client_ca.empty()) {
    print_line(STDERR_FILENO,
               "--tls-client-ca: needs --tls-cert and --tls-key: without TLS clients have no certificates");
    return 2;
  }
  if (certificates == 0 && !options_.redirect.empty()) {
    print_line(STDERR_FILENO, "--http-redirect: needs --tls-cert and --tls-key: there is no https to go to");
    return 2;
  }
  if (certificates > memory_.limits.certificates || certificates > tls::ServerContext::certificates_max) {
    print_line(STDERR_FILENO, "--tls-cert: this program has room for ",
               base::Decimal{memory_.limits.certificates}.view(), " certificates");
    return 2;
  }
  if (!options_.client_ca.empty() && memory_.limits.client_ca_size == 0) {
    print_line(STDERR_FILENO, "--tls-client-ca: this program has no memory for client CAs");
    return 2;
  }
  return 0;
}

int Https::start() noexcept {
  if (context_) {
    return 0;
  }
  if (const int status = check_options(); status != 0 || !options_.is_on()) {
    return status;
  }
  if (start_library() == nullptr) {
    return 1;
  }
  const bool has_clients = !options_.client_ca.empty();
  if (has_clients) {
    client_ca_.emplace(memory_.client_ca);
    if (!read_client_ca(*client_ca_)) {
      return 1;
    }
  }
  Files files;
  if (!read_files(files)) {
    return 1;
  }
  tls::ServerContextMemory sessions = memory_.make_sessions(memory_.sessions);
  sessions.limits = memory_.limits;
  sessions.sessions = sessions.sessions.first(memory_.limits.sessions);
  const tls::ClientAuth how = options_.client_auth == "request" ? tls::ClientAuth::request : tls::ClientAuth::require;
  context_.emplace(tls::ServerContextConfig{.library = library_,
                                            .memory = sessions,
                                            .client_auth = has_clients ? how : tls::ClientAuth::none,
                                            .client_ca = has_clients ? &*client_ca_ : nullptr});
  const auto started = context_->start(files.all());
  if (!started) {
    explain(started.error(), files);
  }
  forget_files();
  if (!started) {
    context_.reset();
    return 1;
  }
  warn_of_dates();
  return 0;
}

void Https::reload() noexcept {
  if (!context_) {
    return;
  }
  Files files;
  bool is_good = read_files(files);
  if (is_good && client_ca_) {
    // Tried elsewhere first: a file that is being written, or is gone, must not leave the server without its CAs.
    tls::TrustStore trial{memory_.client_ca_trial};
    is_good = read_client_ca(trial);
  }
  if (is_good) {
    const auto reloaded = context_->reload(files.all());
    is_good = static_cast<bool>(reloaded);
    if (!reloaded) {
      explain(reloaded.error(), files);
    }
  }
  forget_files();
  if (!is_good) {
    print_line(STDERR_FILENO, "certificates not reloaded: those there were stay in use");
    return;
  }
  if (client_ca_) {
    client_ca_->clear();
    static_cast<void>(read_client_ca(*client_ca_));
  }
  const auto days = context_->days_to_expiry();
  std::int64_t first_end = INT64_MAX;
  for (const tls::CertificateInfo& info : context_->certificates()) {
    first_end = info.not_after < first_end ? info.not_after : first_end;
  }
  std::array<char, 24> memory{};
  print_line(STDERR_FILENO, "certificates reloaded, valid until ", DateText{first_end}.view(), " (",
             base::TextWriter{memory}.put_signed(days).view(), " days)");
  warn_of_dates();
}

bool Https::start_redirect(net::Loop& loop, std::uint16_t https_port) noexcept {
  if (options_.redirect.empty()) {
    return true;
  }
  redirect_.emplace(https_port);
  redirect_server_.emplace(http::ServerConfig{.loop = loop,
                                              .handler = *redirect_,
                                              .memory = memory_.redirect,
                                              .timeouts = {.idle = std::chrono::seconds{5}},
                                              .body_max = 0});
  const auto endpoint = port::parse_endpoint(options_.redirect);
  ENSURE(endpoint);  // --http-redirect was checked when it was read
  const auto listening = redirect_server_->listen({.endpoint = endpoint.value()});
  if (!listening) {
    print_line(STDERR_FILENO, "--http-redirect ", options_.redirect, ": ", http::describe(listening.error()));
    return false;
  }
  std::array<char, port::address_text_max> text{};
  print_line(STDOUT_FILENO, "redirecting http://", port::format_address(listening.value(), text), " to https");
  return true;
}

// All of a file; nothing, and it has been said, if that cannot be had.
std::optional<std::string_view> Https::read(std::string_view flag, std::string_view path,
                                            std::span<char> memory) noexcept {
  const FileText file = read_file_text(port_, path, memory);
  if (!file.text) {
    print_line(STDERR_FILENO, flag, " ", path, ": ", file.why);
  }
  return file.text;
}

bool Https::read_files(Files& files) noexcept {
  const auto certificates = options_.certificates.values();
  const std::size_t each = memory_.files.size() / (2U * memory_.limits.certificates);
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    const auto certificate = read("--tls-cert", certificates[i], memory_.files.subspan(2 * i * each, each));
    if (!certificate) {
      return false;
    }
    const auto key = read("--tls-key", options_.keys.values()[i], memory_.files.subspan((2 * i + 1) * each, each));
    if (!key) {
      return false;
    }
    files.sources[files.count++] = {.certificate = *certificate, .key = *key};
  }
  return true;
}

// Keys are in it.
void Https::forget_files() noexcept {
  ::explicit_bzero(memory_.files.data(), memory_.files.size());
}

bool Https::read_client_ca(tls::TrustStore& store) noexcept {
  const auto added = store.add_file(port_, options_.client_ca);
  if (added) {
    return true;
  }
  const bool is_file_error = store.file_error() != port::Error{} && added.error() == tls::Error::trust_syntax;
  print_line(STDERR_FILENO, "--tls-client-ca ", options_.client_ca, ": ",
             is_file_error ? port::describe(store.file_error()) : tls::describe(added.error()));
  return false;
}

// Names the flag and the file that are meant.
void Https::explain(tls::Error error, const Files& files) noexcept {
  const auto certificates = options_.certificates.values();
  const auto keys = options_.keys.values();
  for (std::size_t i = 0; i < files.count; ++i) {
    const tls::Error found = tls::check_pair(library_, files.sources[i].certificate, files.sources[i].key);
    switch (found) {
      case tls::Error::none:
        continue;
      case tls::Error::key_syntax:
        print_line(STDERR_FILENO, "--tls-key ", keys[i], ": ", tls::describe(found));
        return;
      case tls::Error::key_mismatch:
        print_line(STDERR_FILENO, "--tls-key ", keys[i], ": is not the key of --tls-cert ", certificates[i]);
        return;
      default:
        print_line(STDERR_FILENO, "--tls-cert ", certificates[i], ": ", tls::describe(found));
        return;
    }
  }
  // Each is good by itself: there are too many of them, or they are too large together.
  print_line(STDERR_FILENO, "--tls-cert ", certificates.front(), ": ", tls::describe(error));
}

// A certificate that nobody will accept is no reason not to start: the clock may be wrong, and a client that pins looks at the key.
void Https::warn_of_dates() noexcept {
  const port::WallTime now = port_.wall_clock();
  if (!library_.is_clock_set()) {
    print_line(STDERR_FILENO, "warning: the clock is not set (", DateText{now.seconds}.view(),
               "): whether certificates have expired cannot be told");
    return;
  }
  const auto infos = context_->certificates();
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const std::string_view path = options_.certificates.values()[i];
    if (infos[i].not_after < now.seconds) {
      print_line(STDERR_FILENO, "warning: --tls-cert ", path, ": expired on ", DateText{infos[i].not_after}.view(),
                 ": clients will refuse it");
    } else if (infos[i].not_before > now.seconds) {
      print_line(STDERR_FILENO, "warning: --tls-cert ", path, ": is not valid before ",
                 DateText{infos[i].not_before}.view(), ": clients will refuse it");
    }
  }
}

}  // namespace pollux::apps
