#include "apps/support/serve.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/net/loop.hpp"

// Defined by the heap guard (tests/support/heap_guard.hpp) in the builds that have it.
extern "C" {
[[gnu::weak]] void pollux_heap_guard_start() noexcept;
[[gnu::weak]] void pollux_heap_guard_stop() noexcept;
}

namespace pollux::apps {

namespace {

// Longer than any line: a unix socket's path has at most 107 bytes.
inline constexpr std::size_t line_max = 256;

// A whole line in one write(2), so that lines of several programs do not mix and nothing is left in a buffer. A closed or full standard
// output is no reason to stop serving.
template <typename... Pieces>
void print_line(int descriptor, const Pieces&... pieces) noexcept {
  std::array<char, line_max> buffer{};
  base::TextWriter line{buffer};
  (line.put(pieces), ...);
  line.put('\n');
  [[maybe_unused]] const ssize_t written = ::write(descriptor, line.view().data(), line.size());
}

const char* check_endpoint(std::string_view value) {
  return port::parse_endpoint(value) ? nullptr : "is not ADDR:PORT, [ADDR]:PORT, :PORT or unix:PATH";
}

void print_listening(const port::Address& address, std::string_view value) noexcept {
  if (address.family == port::Family::local) {
    print_line(STDOUT_FILENO, "listening on ", value);
    return;
  }
  std::array<char, port::address_text_max> text{};
  print_line(STDOUT_FILENO, "listening on http://", port::format_address(address, text));
}

// The part of a process's life that comes after the listeners: signals, watchdog, end.
class Life {
 public:
  Life(http::Server& server, port::LinuxPort& port) noexcept
      : server_{server}, port_{port}, watchdog_{server.loop(), net::callback<&Life::feed_watchdog>(*this)} {
    server.loop().on_signal(net::callback<&Life::take_signal>(*this));
    if (const port::Duration period = watchdog_period(); period > port::Duration::zero()) {
      watchdog_.start_every(period / 2);  // half the time: what sd_watchdog_enabled(3) recommends
    }
  }
  ~Life() { server_.loop().on_signal({}); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

 private:
  // Zero if this process is not watched (sd_watchdog_enabled(3)).
  static port::Duration watchdog_period() noexcept {
    const char* period = std::getenv("WATCHDOG_USEC");
    if (period == nullptr) {
      return {};
    }
    if (const char* pid = std::getenv("WATCHDOG_PID")) {
      const auto watched = base::parse_decimal(pid);
      if (!watched || *watched != static_cast<std::uint64_t>(::getpid())) {
        return {};
      }
    }
    constexpr std::uint64_t day_us = 86'400'000'000;  // longer ones mean no supervision worth a timer
    return std::chrono::microseconds{base::parse_decimal(period, day_us).value_or(0)};
  }

  void feed_watchdog() noexcept { port_.notify("WATCHDOG=1"); }

  void take_signal(port::Signal signal) noexcept {
    if (signal != port::Signal::terminate && signal != port::Signal::interrupt) {
      return;
    }
    if (server_.is_shutting_down()) {
      end(http::ShutdownResult::deadline);
      return;
    }
    port_.notify("STOPPING=1");
    server_.shutdown(shutdown_deadline, net::callback<&Life::end>(*this));
  }

  void end(http::ShutdownResult result) noexcept {
    if (result == http::ShutdownResult::deadline) {
      server_.close();
    }
    server_.loop().stop(0);
  }

  http::Server& server_;
  port::LinuxPort& port_;
  net::Timer watchdog_;
};

// False, and it has been said, if `value` cannot be listened on.
bool listen_on(http::Server& server, std::string_view value) noexcept {
  const auto endpoint = port::parse_endpoint(value);
  ENSURE(endpoint);  // --listen was checked when it was read
  const auto listening = server.listen({.endpoint = endpoint.value()});
  if (!listening) {
    print_line(STDERR_FILENO, "--listen ", value, ": ", http::describe(listening.error()));
    return false;
  }
  print_listening(listening.value(), value);
  return true;
}

// How many listeners systemd passed that are listened on now.
std::size_t listen_on_inherited(http::Server& server, port::LinuxPort& port) noexcept {
  std::array<port::Socket, TextList::size_max> sockets{};
  const std::size_t count = port.inherited_listeners(sockets);
  std::size_t listening_count = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto listening = server.listen(sockets[i]);
    if (listening) {
      print_listening(listening.value(), "a unix socket of the service manager");
      ++listening_count;
    } else {
      print_line(STDERR_FILENO, "LISTEN_FDS: ", http::describe(listening.error()));
      port.close(sockets[i]);
    }
  }
  return listening_count;
}

}  // namespace

void add(Options& options, ServeOptions& serving) noexcept {
  options.list("--listen", "ADDR:PORT", "listen here; port 0 picks one; also unix:PATH", serving.listen,
               check_endpoint);
}

int serve(http::Server& server, port::LinuxPort& port, const ServeOptions& serving) noexcept {
  const std::size_t inherited = listen_on_inherited(server, port);
  for (const std::string_view value : serving.listen.values()) {
    if (!listen_on(server, value)) {
      return 1;
    }
  }
  if (inherited == 0 && serving.listen.values().empty() && !listen_on(server, serving.listen_default)) {
    return 1;
  }
  Life life{server, port};
  port.notify("READY=1");
  if (pollux_heap_guard_start != nullptr) {
    pollux_heap_guard_start();
  }
  const int status = server.loop().run();
  if (pollux_heap_guard_stop != nullptr) {
    pollux_heap_guard_stop();
  }
  return status;
}

}  // namespace pollux::apps
