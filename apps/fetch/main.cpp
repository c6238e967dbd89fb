// pollux-fetch: curl's everyday flags over the stack's own transport.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "apps/fetch/data.hpp"
#include "apps/fetch/file_io.hpp"
#include "apps/fetch/job.hpp"
#include "apps/fetch/limits.hpp"
#include "apps/fetch/options.hpp"
#include "apps/fetch/transfer.hpp"
#include "apps/fetch/ways.hpp"
#include "apps/fetch/write_out.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/transport_storage.hpp"
#include "stack/net/resolver_storage.hpp"

using namespace pollux;

// Linked into builds that check that nothing is allocated while transfers run (tests/support/heap_guard.hpp).
extern "C" {
[[gnu::weak]] void pollux_heap_guard_start() noexcept;
[[gnu::weak]] void pollux_heap_guard_stop() noexcept;
}

namespace {

using namespace fetch;

constinit http::TransportStorage<transport_limits> transport_storage;
constinit net::ResolverStorage<resolver_limits> resolver_storage;
constinit net::LoopStorage<http::sockets_max(transport_limits) + net::sockets_max(resolver_limits) + 1> loop_storage;
constinit http::CookieJarStorage<cookies_max, cookie_size> cookie_storage;
constinit TransferMemory transfer_memory;
constinit http::ProxySettings proxies;

void say(std::string_view text) {
  static_cast<void>(write_all(STDERR_FILENO, text));
}

void warn(const Options& options, std::string_view text) {
  if (!options.silent) {
    say("Warning: ");
    say(text);
    say("\n");
  }
}

int fail(const Options& options, const Failure& failure) {
  if (!options.silent || options.show_error) {
    say("pollux-fetch: (" + std::to_string(failure.status()) + ") " + std::string{failure.text()} + "\n");
  }
  return failure.status();
}

void redirect_errors(const Options& options) {
  if (options.error_file.empty()) {
    return;
  }
  const int file = options.error_file == "-" ? STDOUT_FILENO
                                             : ::open(options.error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ::dup2(file, STDERR_FILENO) < 0) {
    warn(options, "Failed to open " + options.error_file);
  }
}

void load_cookies(const Options& options, http::CookieJar& jar, port::WallTime now) {
  for (const std::string& path : options.cookie_files) {
    if (path.empty()) {
      continue;
    }
    // A file that is not there is an empty one, as in curl.
    if (const auto text = read_whole_file(path)) {
      static_cast<void>(jar.load(*text, now));
    }
  }
  if (options.junk_session_cookies) {
    jar.clear_session();
  }
}

void save_cookies(const Options& options, http::CookieJar& jar, port::WallTime now) {
  if (options.cookie_jar.empty()) {
    return;
  }
  std::string text;
  std::array<char, cookie_size + 64> line;
  http::CookieFileCursor cursor;
  while (const auto written = jar.save_line(cursor, now, line)) {
    text.append(*written).append("\n");
  }
  const bool is_standard = options.cookie_jar == "-";
  const int file = is_standard ? STDOUT_FILENO : ::open(options.cookie_jar.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || !write_all(file, text)) {
    warn(options, "Failed to write cookies to " + options.cookie_jar);
  }
  if (file >= 0 && !is_standard) {
    ::close(file);
  }
}

http::TransportTimeouts timeouts(const Options& options) {
  // As patient as curl: what is not limited by a flag is not limited, but for the connect.
  return {.total = {},
          .connect = options.connect_timeout,
          .tls_handshake = options.connect_timeout,
          .proxy = options.connect_timeout,
          .response_header = {},
          .expect_continue = options.expect_timeout,
          .write_stall = {},
          .body_idle = {},
          .body_unread = {},
          .idle_conn = std::chrono::seconds{118}};
}

void print_write_out(const Options& options, const Report& report) {
  write_out(options.write_out, report,
            {.put =
                 [](void*, bool to_error, std::string_view text) {
                   static_cast<void>(write_all(to_error ? STDERR_FILENO : STDOUT_FILENO, text));
                 },
             .object = nullptr});
}

// Runs all transfers, one behind the other. The exit status is the last one's, as curl's.
int run(const Session& session, const std::vector<Job>& jobs) {
  Transfer transfer{session, transfer_memory};
  int status = 0;
  for (const Job& job : jobs) {
    transfer.start(job);
    while (!transfer.is_over()) {
      session.loop.turn();
    }
    status = transfer.report().exit_status;
    if (!session.options.write_out.empty()) {
      print_write_out(session.options, transfer.report());
    }
    const bool is_fatal = transfer.failure().code() == ExitCode::bad_function_argument;
    if (status != 0 && (is_fatal || session.options.fail_early)) {
      break;
    }
  }
  return status;
}

// A URL is https, or a redirect may lead there.
bool may_need_tls(const Options& options, const std::vector<Job>& jobs) {
  return options.follow || std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.scheme == "https"; });
}

// -D: opened once, at start; nothing if that fails.
std::optional<int> open_head_file(const Options& options) {
  if (options.dump_header.empty()) {
    return -1;
  }
  if (options.dump_header == "-") {
    return STDOUT_FILENO;
  }
  if (options.create_dirs) {
    static_cast<void>(make_folders(options.dump_header.c_str()));
  }
  const int file = ::open(options.dump_header.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  return file < 0 ? std::nullopt : std::optional{file};
}

int transfer_all(const Options& options) {
  const std::optional<int> head_file = open_head_file(options);
  if (!head_file) {
    return fail(options, {ExitCode::write_error, {"Failed to open ", options.dump_header}});
  }
  const ProxyChoice choice = choose_proxy(options, proxies);
  if (choice.failure) {
    return fail(options, choice.failure);
  }
  port::LinuxPort port{{.signals = {.terminate = false, .interrupt = false},
                        .user_timeout = {},
                        .keep_alive_idle = std::chrono::seconds{options.keep_alive_probes ? 60 : 0},
                        .keep_alive_interval = std::chrono::seconds{60}}};
  net::Loop loop{port, loop_storage.memory()};
  net::Resolver resolver{{.loop = loop,
                          .memory = resolver_storage.memory(),
                          .servers = options.dns_servers,
                          .use_ipv4 = !options.ipv6_only,
                          .use_ipv6 = !options.ipv4_only}};
  if (const Failure failure = pin_names(options, resolver)) {
    return fail(options, failure);
  }
  const std::vector<Job> jobs = make_jobs(options);
  TlsSetup tls{port, options};
  if (may_need_tls(options, jobs)) {
    tls.start();
    if (options.insecure && tls.context() != nullptr) {
      warn(options,
           "-k: the certificate is not checked. Anybody can pretend to be the server, read and change everything");
    }
  }
  http::Transport transport{{.loop = loop,
                             .memory = transport_storage.memory(),
                             .resolver = &resolver,
                             .tls = tls.context(),
                             .proxy = choice.is_on ? &proxies : nullptr,
                             .user_agent = {},
                             .timeouts = timeouts(options),
                             .rate_min = options.speed_limit,
                             .rate_window = options.speed_time}};
  http::CookieJar jar{cookie_storage.memory()};
  load_cookies(options, jar, port.wall_clock());
  Verbose verbose{options.verbose};
  const bool has_jar = !options.cookie_files.empty() || !options.cookie_jar.empty();
  verbose.trusting(tls.trust().file, tls.trust().directory, options.insecure);
  const Session session{.options = options,
                        .loop = loop,
                        .resolver = resolver,
                        .transport = transport,
                        .jar = has_jar ? &jar : nullptr,
                        .verbose = verbose,
                        .tls = tls,
                        .head_file = *head_file};
  const bool is_guarded = tls.context() == nullptr || apps::HttpsClient::has_own_memory();
  if (pollux_heap_guard_start != nullptr && is_guarded) {
    pollux_heap_guard_start();
  }
  const int status = run(session, jobs);
  if (pollux_heap_guard_stop != nullptr && is_guarded) {
    pollux_heap_guard_stop();
  }
  save_cookies(options, jar, port.wall_clock());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Warnings warnings;
  const std::span<const char* const> arguments{argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)};
  if (const auto ended = fetch::parse(options, arguments, warnings)) {
    say(ended->message);
    static_cast<void>(write_all(STDOUT_FILENO, ended->output));
    return ended->status;
  }
  redirect_errors(options);
  for (const std::string& text : warnings.texts()) {
    warn(options, text);
  }
  return transfer_all(options);
}
