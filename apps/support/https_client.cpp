#include "apps/support/https_client.hpp"

#include <string.h>

#include "apps/support/file_text.hpp"

namespace pollux::apps {

namespace {

using Problem = HttpsClientProblem;

}  // namespace

HttpsClient::HttpsClient(tls::Library& library, const HttpsClientMemory& memory) noexcept
    : library_{library}, memory_{memory}, trust_{memory.trust} {}

std::optional<Problem> HttpsClient::start(const HttpsClientOptions& options) noexcept {
  if (const auto ready = library_.start(); !ready) {
    return Problem{.where = Problem::Where::library, .what = tls::describe(ready.error()), .error = ready.error()};
  }
  if (options.verify == tls::Verify::peer && !options.no_ca) {
    if (auto problem = read_trust(options)) {
      return problem;
    }
  }
  auto problem = start_context(options);
  ::explicit_bzero(memory_.files.data(), memory_.files.size());  // a key was in it
  is_ready_ = !problem;
  return problem;
}

std::optional<Problem> HttpsClient::read_trust(const HttpsClientOptions& options) noexcept {
  port::Port& port = library_.port();
  if (options.ca_file.empty() && options.ca_directory.empty()) {
    // A system without any is no error yet: no server will be believed, and trusted() says why.
    static_cast<void>(trust_.add_system(port));
    return std::nullopt;
  }
  const auto add = [&](std::string_view path, Problem::Where where) -> std::optional<Problem> {
    const auto added = trust_.add_file(port, path);
    if (added) {
      return std::nullopt;
    }
    // would_block, the first one, stands for no error: no file says it.
    const bool is_unreadable = added.error() == tls::Error::trust_syntax && trust_.file_error() != port::Error{};
    return Problem{.where = where,
                   .path = path,
                   .what = is_unreadable ? port::describe(trust_.file_error()) : tls::describe(added.error()),
                   .error = is_unreadable ? tls::Error::none : added.error()};
  };
  if (!options.ca_file.empty()) {
    if (auto problem = add(options.ca_file, Problem::Where::ca_file)) {
      return problem;
    }
  }
  return options.ca_directory.empty() ? std::nullopt : add(options.ca_directory, Problem::Where::ca_directory);
}

std::optional<Problem> HttpsClient::start_context(const HttpsClientOptions& options) noexcept {
  tls::CertificateSource own;
  if (!options.certificate.empty()) {
    const std::size_t half = memory_.files.size() / 2;
    const std::string_view key_path = options.key.empty() ? options.certificate : options.key;
    const FileText certificate = read_file_text(library_.port(), options.certificate, memory_.files.first(half));
    if (!certificate.text) {
      return Problem{.where = Problem::Where::certificate, .path = options.certificate, .what = certificate.why};
    }
    const FileText key = read_file_text(library_.port(), key_path, memory_.files.subspan(half));
    if (!key.text) {
      return Problem{.where = Problem::Where::key, .path = key_path, .what = key.why};
    }
    own = {.certificate = *certificate.text, .key = *key.text};
  }
  tls::ClientContextMemory memory = memory_.make(memory_.place);
  memory.limits = memory_.limits;
  memory.sessions = memory.sessions.first(memory_.limits.sessions);
  context_.emplace(tls::ClientContextConfig{.library = library_,
                                            .memory = memory,
                                            .trust = &trust_,
                                            .pins = options.pins,
                                            .verify = options.verify,
                                            .min = options.min,
                                            .max = options.max});
  const auto started = context_->start(options.certificate.empty() ? nullptr : &own);
  if (started) {
    return std::nullopt;
  }
  switch (started.error()) {
    case tls::Error::certificate_syntax:
      return Problem{.where = Problem::Where::certificate,
                     .path = options.certificate,
                     .what = tls::describe(started.error()),
                     .error = started.error()};
    case tls::Error::key_syntax:
    case tls::Error::key_mismatch:
      return Problem{.where = Problem::Where::key,
                     .path = options.key.empty() ? options.certificate : options.key,
                     .what = tls::describe(started.error()),
                     .error = started.error()};
    default:
      return Problem{
          .where = Problem::Where::library, .what = tls::describe(started.error()), .error = started.error()};
  }
}

}  // namespace pollux::apps
