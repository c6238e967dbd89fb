// Site: a Server on a simulated machine, with a few handlers, for the server's tests. Every turn runs with the heap forbidden.
//
//   Site<> site;
//   Peer& peer = site.connect();
//   peer.say("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
//   peer.want(answer(200, "Content-Type: text/plain; charset=utf-8\r\n", "Hello, world!"));
//
// In TLS mode (tests/support/tls_mode.hpp) the same scripts run over TLS; a test of TLS itself brings its own (SiteOptions::make_tls).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stack/http/server.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_mode.hpp"

namespace pollux::test {

using namespace std::chrono_literals;

inline constexpr std::uint16_t site_port = 80;
inline constexpr std::string_view date_line = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

// What becomes of the connection behind an answer; for tables.
enum class After { keep, close };

// Routes by exact path; everything unknown is served by the route for "*".
class PathRouter final : public http::Router {
 public:
  void add(http::Route route) { routes_.push_back(route); }
  void find(const http::RouteQuery& query, http::RouteMatch& match) const override {
    match.route = &routes_.front();
    for (const http::Route& route : routes_) {
      if (route.pattern == query.raw_path) {
        match.route = &route;
        match.pattern = route.pattern;
      }
    }
  }

 private:
  std::vector<http::Route> routes_;
};

// Limits with which the 64 KiB of a test are plenty and the buffers are still small enough to overflow on purpose.
inline constexpr http::ServerLimits site_limits{.connections = 8,
                                                .listeners = 2,
                                                .in_buffer = 4096,
                                                .out_buffer = 4096,
                                                .head_size_max = 2048,
                                                .fields_max = 16,
                                                .state_size = 128,
                                                .close_records = 16};

// A site's TLS. It stands on the site's port and outlives its server.
class SiteTls {
 public:
  SiteTls() = default;
  SiteTls(const SiteTls&) = delete;
  SiteTls& operator=(const SiteTls&) = delete;
  virtual ~SiteTls() = default;
  [[nodiscard]] virtual tls::ServerContext* context() = 0;
};

struct SiteOptions {
  http::ServerTimeouts timeouts{};
  http::Overload overload = http::Overload::park;
  std::uint64_t body_max = 1 << 20;
  std::uint64_t drain_max = 256 * 1024;
  bool answer_head_timeout = false;
  bool answer_options_star = true;
  std::string_view server_name{};
  net::Callback<const http::ConnEvent&> on_state{};
  net::Callback<std::string_view> log{};
  Conversation::Options conversation{};
  std::function<std::unique_ptr<SiteTls>(Conversation&)> make_tls{};  // in place of what TLS mode says
};

template <http::ServerLimits limits = site_limits>
class Site {
 public:
  explicit Site(const SiteOptions& options = {})
      : talk{options.conversation},
        tls_mode{talk, talk.port(), options.make_tls ? 0 : limits.connections},
        own_tls{options.make_tls ? options.make_tls(talk) : nullptr},
        storage{std::make_unique<http::ServerStorage<limits>>()},
        loop_storage{std::make_unique<net::LoopStorage<http::sockets_max(limits)>>()},
        loop{talk.port(), loop_storage->memory()},
        server{{.loop = loop,
                .handler = router,
                .memory = storage->memory(),
                .timeouts = options.timeouts,
                .overload = options.overload,
                .body_max = options.body_max,
                .drain_max = options.drain_max,
                .server_name = options.server_name,
                .answer_options_star = options.answer_options_star,
                .answer_head_timeout = options.answer_head_timeout,
                .on_state = options.on_state,
                .log = options.log}} {
    const auto listening =
        server.listen({.endpoint = {.address = port::Address::ipv4_any(site_port)}, .tls = tls_context()});
    EXPECT_TRUE(listening) << "listen failed";
    talk.template set_turn<heap_guard::Forbidden>(turn_);
    loop.on_turn(net::callback<&Site::check>(*this));
  }

  Peer& connect() { return talk.connect(site_port); }
  [[nodiscard]] tls::ServerContext* tls_context() { return own_tls ? own_tls->context() : tls_mode.context(); }
  void add(http::Route route) { router.add(route); }
  void advance(port::Duration duration) { talk.advance(duration); }

  // Everything that was taken has been given back: slots, sockets (the listeners stay) and files.
  void expect_quiet(std::size_t listeners = 1) {
    EXPECT_EQ(server.connections().used, 0U);
    EXPECT_EQ(server.exchanges().used, 0U);
    EXPECT_EQ(talk.port().sockets_open(), listeners);
    EXPECT_EQ(talk.port().sockets_parked(), 0U);
    EXPECT_EQ(talk.port().files_open(), 0U);
  }
  [[nodiscard]] std::uint64_t closes(http::CloseReason reason) const {
    return server.counters().closes[static_cast<std::size_t>(reason)];
  }

  Conversation talk;
  TlsServerMode tls_mode;
  std::unique_ptr<SiteTls> own_tls;
  std::unique_ptr<http::ServerStorage<limits>> storage;
  std::unique_ptr<net::LoopStorage<http::sockets_max(limits)>> loop_storage;
  PathRouter router;
  net::Loop loop;
  http::Server server;

 private:
  void check() {
    if (const std::string_view broken = server.check(); !broken.empty()) {
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_message;
      ADD_FAILURE() << "after turn " << loop.turns() << ": " << broken;
    }
  }

  struct Turn {
    net::Loop& loop;
    void operator()() { loop.turn(); }
  };
  Turn turn_{loop};
};

// The text of an answer with a body: status line, Date, `fields`, Content-Length.
inline std::string answer(std::string_view status_line, std::string_view fields, std::string_view body) {
  std::string text{status_line};
  text += "\r\n";
  text += date_line;
  text += fields;
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  text += body;
  return text;
}

}  // namespace pollux::test
