#include "apps/support/serve.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "apps/support/line.hpp"
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

const char* check_endpoint(std::string_view value) {
  return port::parse_endpoint(value) ? nullptr : "is not ADDR:PORT, [ADDR]:PORT, :PORT or unix:PATH";
}

void print_listening(const port::Address& address, std::string_view value, bool is_https) noexcept {
  if (address.family == port::Family::local) {
    print_line(STDOUT_FILENO, "listening on ", value);
    return;
  }
  std::array<char, port::address_text_max> text{};
  print_line(STDOUT_FILENO, is_https ? "listening on https://" : "listening on http://",
             port::format_address(address, text));
}

// The part of a process's life that comes after the listeners: signals, watchdog, end.
class Life {
 public:
  Life(http::Server& server, port::LinuxPort& port, Https& https) noexcept
      : server_{server},
        port_{port},
        https_{https},
        watchdog_{server.loop(), net::callback<&Life::feed_watchdog>(*this)} {
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
    if (signal == port::Signal::hangup) {
      https_.reload();
    }
    if (signal != port::Signal::terminate && signal != port::Signal::interrupt) {
      return;
    }
    if (server_.is_shutting_down()) {
      end(http::ShutdownResult::deadline);
      return;
    }
    port_.notify("STOPPING=1");
    if (https_.redirect() != nullptr) {
      https_.redirect()->close();  // who is sent away has nothing to lose
    }
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
  Https& https_;
  net::Timer watchdog_;
};

// What is listened on, one listener after the other. `false`: it cannot be, and that has been said.
class Listeners {
 public:
  Listeners(http::Server& server, Https& https) noexcept : server_{server}, https_{https} {}

  // An address of --listen: https with a context, but for a unix socket, which does not leave the machine.
  [[nodiscard]] bool add(std::string_view value) noexcept {
    const auto endpoint = port::parse_endpoint(value);
    ENSURE(endpoint);  // --listen was checked when it was read
    const bool is_local = endpoint.value().address.family == port::Family::local;
    const auto listening = server_.listen({.endpoint = endpoint.value(), .tls = is_local ? nullptr : https_.context()});
    if (!listening) {
      print_line(STDERR_FILENO, "--listen ", value, ": ", http::describe(listening.error()));
      return false;
    }
    take(listening.value(), value);
    return true;
  }

  // What systemd passed. How many of them are listened on now.
  std::size_t add_inherited(port::LinuxPort& port) noexcept {
    std::array<port::Socket, TextList::size_max> sockets{};
    const std::size_t count = port.inherited_listeners(sockets);
    std::size_t listening_count = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto address = port.local_address(sockets[i]);
      const bool is_local = address && address.value().family == port::Family::local;
      const auto listening = server_.listen(sockets[i], false, is_local ? nullptr : https_.context());
      if (listening) {
        take(listening.value(), "a unix socket of the service manager");
        ++listening_count;
      } else {
        print_line(STDERR_FILENO, "LISTEN_FDS: ", http::describe(listening.error()));
        port.close(sockets[i]);
      }
    }
    return listening_count;
  }

  // The port of the first one that speaks TLS; 0: there is none.
  [[nodiscard]] std::uint16_t https_port() const noexcept { return https_port_; }

 private:
  void take(const port::Address& address, std::string_view value) noexcept {
    const bool is_https = https_.context() != nullptr && address.family != port::Family::local;
    if (is_https && https_port_ == 0) {
      https_port_ = address.port;
    }
    print_listening(address, value, is_https);
  }

  http::Server& server_;
  Https& https_;
  std::uint16_t https_port_ = 0;
};

}  // namespace

void add(Options& options, ServeOptions& serving) noexcept {
  options.list("--listen", "ADDR:PORT", "listen here; port 0 picks one; also unix:PATH", serving.listen,
               check_endpoint);
  add(options, serving.https);
}

int serve(http::Server& server, port::LinuxPort& port, const ServeOptions& serving, Https& https) noexcept {
  if (const int status = https.start(); status != 0) {
    return status;
  }
  Listeners listeners{server, https};
  const std::size_t inherited = listeners.add_inherited(port);
  for (const std::string_view value : serving.listen.values()) {
    if (!listeners.add(value)) {
      return 1;
    }
  }
  if (inherited == 0 && serving.listen.values().empty() && !listeners.add(serving.listen_default)) {
    return 1;
  }
  if (!https.start_redirect(server.loop(), listeners.https_port())) {
    return 1;
  }
  Life life{server, port, https};
  port.notify("READY=1");
  // An mbedTLS of the system's takes its memory from the heap while it works.
  const bool is_guarded = https.context() == nullptr || Https::has_own_memory();
  if (pollux_heap_guard_start != nullptr && is_guarded) {
    pollux_heap_guard_start();
  }
  const int status = server.loop().run();
  if (pollux_heap_guard_stop != nullptr && is_guarded) {
    pollux_heap_guard_stop();
  }
  return status;
}

}  // namespace pollux::apps
