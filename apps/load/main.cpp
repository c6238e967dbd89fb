// pollux-load: how many requests a second a server answers, and how fast - asked by our own Transport.
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/load/load.hpp"
#include "apps/load/report.hpp"
#include "apps/support/https_client.hpp"
#include "apps/support/line.hpp"
#include "apps/support/options.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/transport_storage.hpp"
#include "stack/net/resolver_storage.hpp"

// Defined by the heap guard (tests/support/heap_guard.hpp) in the builds that have it.
extern "C" {
[[gnu::weak]] void pollux_heap_guard_start() noexcept;
[[gnu::weak]] void pollux_heap_guard_stop() noexcept;
}

using namespace pollux;
using namespace std::chrono_literals;

namespace {

// A connection for each round trip. Zero until it is used: a run with few connections takes few pages of it.
constexpr http::TransportLimits limits{
    .connections = load::connections_max,
    .hosts = 2,
    .in_buffer = 16 * 1024,
    .out_buffer = 8 * 1024,
    .head_size_max = 12 * 1024,
    .fields_max = 64,
};
constexpr net::ResolverLimits resolver_limits{};
constinit http::TransportStorage<limits> transport_storage;
constinit net::ResolverStorage<resolver_limits> resolver_storage;
constinit net::LoopStorage<http::sockets_max(limits) + 64> loop_storage;  // 64: the resolver's
constinit load::LoadStorage load_storage;
// As many TLS sessions as connections, 27 MiB of address space; touched for an https URL only, and for as many as -c says.
constexpr tls::ClientTlsLimits tls_limits{
    .sessions = load::connections_max,
    .handshakes = 16,
    .cached = 1,
    .cached_size = 4096,
    .peer_chain_size = 16 * 1024,
};
constinit apps::HttpsClientStorage<tls_limits> https_storage;
#if POLLUX_TLS
constinit tls::Arena<tls::arena_size(tls_limits)> arena;
#endif
constinit std::array<char, load::report_size_max> report_memory{};

// What the command line says.
struct Settings {
  std::string_view url;
  std::uint32_t connections = 10;
  std::uint64_t requests = 0;
  std::uint32_t duration_s = 0;
  std::uint32_t rate = 0;
  std::uint32_t timeout_s = 30;
  std::string_view method;
  apps::TextList fields;
  std::string_view body;
  std::string_view ca_file;
  bool insecure = false;
  bool no_keepalive = false;
  bool json = false;
  bool quiet = false;
};

const char* check_field(std::string_view value) {
  return value.find(':') == std::string_view::npos ? "is not \"Name: value\"" : nullptr;
}

void declare(apps::Options& options, Settings& settings) {
  options.operand("URL", "what to ask for", settings.url);
  options
      .number("--connections", "CONNS", "round trips kept under way at the same time", settings.connections,
              {.min = 1, .max = load::connections_max})
      .letter('c');
  options.number("--requests", "N", "end after so many; 0: no end. Without -n and -z: 1000", settings.requests, {})
      .letter('n');
  options.number("--duration", "SECONDS", "end after so long; 0: no end", settings.duration_s, {.max = 86400})
      .letter('z');
  options.number("--rate", "R", "requests a second, all together; 0: as fast as answers come", settings.rate,
                 {.max = 10'000'000});
  options.number("--timeout", "SECONDS", "of each request with its answer", settings.timeout_s,
                 {.min = 1, .max = 86400});
  options.flag("--no-keepalive", "a new connection for each request", settings.no_keepalive);
  options.text("--method", "METHOD", "instead of GET, or POST with -d", settings.method).letter('X');
  options.list("--header", "LINE", "send this field, \"Name: value\"", settings.fields, check_field).letter('H');
  options
      .text("--data", "BODY", "send this body; a form (application/x-www-form-urlencoded) unless -H says what",
            settings.body)
      .letter('d');
#if POLLUX_TLS
  options.text("--cacert", "FILE", "who may sign the server's certificate, instead of the system's CAs",
               settings.ca_file);
  options.flag("--insecure", "do not check the server's certificate: it may be anybody's", settings.insecure)
      .letter('k');
#endif
  options.flag("--json", "print the report as JSON", settings.json);
  options.flag("--quiet", "no progress, and a report of one line", settings.quiet).letter('q');
}

void write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written <= 0) {
      return;  // a closed or full output is no reason to fail
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool names_field(const apps::TextList& fields, std::string_view name) noexcept {
  for (const std::string_view field : fields.values()) {
    if (base::equal_ignoring_case(field.substr(0, field.find(':')), name)) {
      return true;
    }
  }
  return false;
}

// The request that the settings ask for; `fields` is where its field lines are put.
load::Request request_of(const Settings& settings,
                         std::array<std::string_view, apps::TextList::size_max + 1>& fields) noexcept {
  std::size_t count = 0;
  for (const std::string_view field : settings.fields.values()) {
    fields[count++] = field;
  }
  const bool has_body = settings.body.data() != nullptr;
  if (has_body && !names_field(settings.fields, "Content-Type")) {
    fields[count++] = "Content-Type: application/x-www-form-urlencoded";
  }
  load::Request request{.method = settings.method, .url = settings.url, .fields = std::span{fields}.first(count)};
  if (has_body) {
    request.body = settings.body;
  }
  if (request.method.empty()) {
    request.method = has_body ? "POST" : "GET";
  }
  return request;
}

// False, and it has been said, if there is no such request. What is wrong with it is found before anything is sent.
bool check(const load::Request& request) noexcept {
  static constinit http::RoundTripStorage<load::url_size_max, load::fields_size_max> memory;
  http::ClientRequest trial{memory.memory().url, memory.memory().fields};
  std::string_view at;
  const http::CallCause cause = load::apply(request, trial, at);
  if (cause == http::CallCause::none) {
    return true;
  }
  std::array<char, 128> buffer{};
  base::TextWriter line{buffer};
  line.put("pollux-load: ").put(at).put(": ").put(http::describe(cause)).put("; try --help\n");
  write_all(STDERR_FILENO, line.view());
  return false;
}

bool is_https(std::string_view url) noexcept {
  constexpr std::string_view scheme = "https:";
  return base::equal_ignoring_case(url.substr(0, scheme.size()), scheme);
}

// The context for an https URL. False, and it has been said, if it cannot be had.
bool start_tls(apps::HttpsClient& https, const Settings& settings) noexcept {
  if (!is_https(settings.url)) {
    return true;
  }
  const auto problem = https.start(
      {.ca_file = settings.ca_file, .verify = settings.insecure ? tls::Verify::insecure_none : tls::Verify::peer});
  if (problem) {
    apps::print_line(STDERR_FILENO, "pollux-load: ", problem->path.empty() ? "TLS" : "--cacert ", problem->path, ": ",
                     problem->what);
    return false;
  }
  if (settings.insecure) {
    apps::print_line(STDERR_FILENO,
                     "pollux-load: --insecure: the server's certificate is not checked; it may be anybody's");
  }
  return true;
}

// As many descriptors as the connections may need and the system gives.
void raise_descriptor_limit(std::uint32_t connections) noexcept {
  rlimit limit{};
  const rlim_t wanted = connections + 64;
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// One line on the terminal, written anew each second.
class Progress {
 public:
  Progress(net::Loop& loop, const load::Load& load) noexcept
      : load_{load}, timer_{loop, net::callback<&Progress::show>(*this)} {}
  void start() noexcept { timer_.start_every(1s); }
  void end() noexcept {
    timer_.stop();
    if (is_shown_) {
      write_all(STDERR_FILENO, "\r\x1b[K");  // back to the left, and erase the line (ECMA-48, CR and EL)
    }
  }

 private:
  void show() noexcept {
    const std::uint64_t answers = load_.tally().answers;
    const port::Duration elapsed = load_.elapsed();
    std::array<char, 160> buffer{};
    base::TextWriter line{buffer};
    line.put('\r').put_decimal(answers).put(" answers, ");
    line.put_decimal(static_cast<std::uint64_t>(load::per_second(answers - answers_, elapsed - elapsed_)));
    line.put(" a second, median ");
    load::put_duration(line, load_.tally().latencies.percentile(500));
    if (load_.tally().failures > 0) {
      line.put(", ").put_decimal(load_.tally().failures).put(" errors");
    }
    line.put("\x1b[K");
    write_all(STDERR_FILENO, line.view());
    answers_ = answers;
    elapsed_ = elapsed;
    is_shown_ = true;
  }

  const load::Load& load_;
  net::Timer timer_;
  std::uint64_t answers_ = 0;
  port::Duration elapsed_{};
  bool is_shown_ = false;
};

// From the first request to the report.
class Run {
 public:
  Run(http::Transport& transport, load::Load& load) noexcept
      : loop_{transport.loop()}, load_{load}, progress_{loop_, load} {
    loop_.on_signal(net::callback<&Run::take_signal>(*this));
  }
  void run(bool with_progress, bool is_guarded) noexcept {
    load_.start(net::callback<&Run::over>(*this));
    if (with_progress) {
      progress_.start();
    }
    if (pollux_heap_guard_start != nullptr && is_guarded) {
      pollux_heap_guard_start();
    }
    loop_.run();
    if (pollux_heap_guard_stop != nullptr && is_guarded) {
      pollux_heap_guard_stop();
    }
    progress_.end();
  }

 private:
  void take_signal(port::Signal signal) noexcept {
    if (signal == port::Signal::interrupt || signal == port::Signal::terminate) {
      load_.stop();
    }
  }
  void over() noexcept { loop_.stop(); }

  net::Loop& loop_;
  load::Load& load_;
  Progress progress_;
};

void print_report(const Settings& settings, const load::Request& request, const http::Transport& transport,
                  const load::Load& load) noexcept {
  const http::TransportCounters& counters = transport.counters();
  const load::Report report{.method = request.method,
                            .url = request.url,
                            .connections = settings.connections,
                            .elapsed = load.elapsed(),
                            .dials = counters.dials,
                            .dials_failed = counters.dials_failed,
                            .tls_handshakes = counters.tls_handshakes,
                            .tls_resumed = counters.tls_resumed,
                            .bytes_sent = counters.bytes_sent,
                            .bytes_received = counters.bytes_received,
                            .interrupted = load.was_stopped()};
  base::TextWriter out{report_memory};
  if (settings.json) {
    load::write_json(report, load.tally(), out);
  } else if (settings.quiet) {
    load::write_line(report, load.tally(), out);
  } else {
    load::write_text(report, load.tally(), out);
  }
  write_all(STDOUT_FILENO, out.view());
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  apps::Options options{"pollux-load", "Asks a server again and again, and says how many answers came and how fast."};
  declare(options, settings);
  if (const auto status = options.parse(argc, argv)) {
    return *status;
  }
  if (settings.requests == 0 && settings.duration_s == 0) {
    settings.requests = 1000;
  }
  std::array<std::string_view, apps::TextList::size_max + 1> fields{};
  const load::Request request = request_of(settings, fields);
  if (!check(request)) {
    return 2;
  }
  raise_descriptor_limit(settings.connections);

  port::LinuxPort port;
  net::Loop loop{port, loop_storage.memory()};
  net::Resolver resolver{{.loop = loop, .memory = resolver_storage.memory()}};
#if POLLUX_TLS
  tls::Library library{port, arena.memory()};
#else
  int library = 0;
#endif
  apps::HttpsClient https{library, https_storage.memory(settings.connections)};
  if (!start_tls(https, settings)) {
    return 2;
  }
  http::Transport transport{{
      .loop = loop,
      .memory = transport_storage.memory(),
      .resolver = &resolver,
      .tls = https.context(),
      .user_agent = "pollux-load",
      .max_idle_conns = 0,
      .max_idle_conns_per_host = static_cast<std::int32_t>(settings.connections),
      .max_conns_per_host = settings.connections,
      .disable_keep_alives = settings.no_keepalive,
      .disable_compression = true,
  }};
  load::Load load{transport,
                  load_storage,
                  {.connections = settings.connections,
                   .requests = settings.requests,
                   .duration = std::chrono::seconds{settings.duration_s},
                   .rate = settings.rate,
                   .timeout = std::chrono::seconds{settings.timeout_s}},
                  request};
  Run run{transport, load};
  const bool is_guarded = https.context() == nullptr || apps::HttpsClient::has_own_memory();
  run.run(!settings.quiet && ::isatty(STDERR_FILENO) == 1, is_guarded);
  print_report(settings, request, transport, load);
  return load.tally().failures == 0 ? 0 : 1;
}
