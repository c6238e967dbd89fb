#include "apps/support/https_client.hpp"

#include <string.h>

#include "apps/support/file_text.hpp"
#include "board/board.hpp"
#include "stack/base/text.hpp"

namespace pollux::apps {

namespace {

using Problem = HttpsClientProblem;

}  // namespace

HttpsClient::HttpsClient(tls::Library& library, const HttpsClientMemory& memory) noexcept
    : library_{library}, memory_{memory}, trust_{memory.trust} {}

// Here, so that nobody else needs the table of the context's functions.
HttpsClient::~HttpsClient() = default;

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
  if (options.ca_file.empty() && options.ca_directory.empty()) {
    // A system without any is no error yet: no server will be believed, and trusted() says why.
    static_cast<void>(trust_.add_system(library_.port()));
    return std::nullopt;
  }
  if (!options.ca_file.empty()) {
    if (auto problem = add_trusted(options.ca_file, Problem::Where::ca_file)) {
      return problem;
    }
  }
  return options.ca_directory.empty() ? std::nullopt : add_trusted(options.ca_directory, Problem::Where::ca_directory);
}

std::optional<Problem> HttpsClient::add_trusted(std::string_view path, Problem::Where where) noexcept {
  std::array<char, 4096> memory{};
  path.copy(memory.data(), memory.size() - 1);
  if (DIR* directory = ::opendir(memory.data())) {
    auto problem = add_directory(*directory, path, where);
    ::closedir(directory);
    return problem;
  }
  const auto added = trust_.add_file(library_.port(), path);
  return added ? std::nullopt : std::optional{problem_of(added.error(), path, where)};
}

Problem HttpsClient::problem_of(tls::Error error, std::string_view path, Problem::Where where) const noexcept {
  // would_block, the first one, stands for no error: no file says it.
  const bool is_unreadable = error == tls::Error::trust_syntax && trust_.file_error() != port::Error{};
  return {.where = where,
          .path = path,
          .what = is_unreadable ? port::describe(trust_.file_error()) : tls::describe(error),
          .error = is_unreadable ? tls::Error::none : error};
}

// Every file that is called as certificates are; what is none of them is passed over, as OpenSSL does it.
std::optional<Problem> HttpsClient::add_directory(DIR& directory, std::string_view path,
                                                  Problem::Where where) noexcept {
  bool has_any = false;
  while (const dirent* entry = ::readdir(&directory)) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(".pem") && !name.ends_with(".crt") &&
        (name.size() < 2 || name[name.size() - 2] != '.' || !base::is_digit(name.back()))) {
      continue;
    }
    std::array<char, 4096> memory{};
    base::TextWriter file{memory};
    if (file.put(path).put('/').put(name).overflowed()) {
      continue;
    }
    const auto added = trust_.add_file(library_.port(), file.view());
    if (!added && added.error() != tls::Error::trust_syntax) {
      return problem_of(added.error(), path, where);
    }
    has_any = has_any || added;
  }
  return has_any ? std::nullopt
                 : std::optional{Problem{.where = where,
                                         .path = path,
                                         .what = tls::describe(tls::Error::trust_syntax),
                                         .error = tls::Error::trust_syntax}};
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
  context_.emplace(tls::ClientContextConfig{
      .library = library_,
      .memory = memory,
      .trust = &trust_,
      .pins = options.pins,
      .verify = options.verify,
      // A board without a battery starts in the past; soon after the network has brought the time.
      .clock = board::facts.clock == board::Clock::network ? tls::ClockPolicy::wait : tls::ClockPolicy::refuse,
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
