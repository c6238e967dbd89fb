// Caller: a Transport on a simulated machine and round trips whose outcome is recorded, for the transport's tests. Every turn runs with the
// heap forbidden and is followed by Transport::check().
//
//   Caller<> caller;
//   RawServer& origin = caller.talk.listen(80);
//   Trip& trip = caller.get("http://127.0.0.1/a");
//   Peer& peer = origin.accept();
//   peer.want("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n");
//   peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
//   caller.want(trip, 200, "hi");
//
// In TLS mode (tests/support/tls_mode.hpp) the same script runs over TLS.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "stack/http/transport.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_mode.hpp"

namespace pollux::test {

using namespace std::chrono_literals;

inline constexpr http::TransportLimits caller_limits{
    .connections = 6, .hosts = 4, .in_buffer = 4096, .out_buffer = 1024, .head_size_max = 2048, .fields_max = 16};

// What Caller::get() says, and an answer to it.
inline constexpr std::string_view get_root = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n";
inline constexpr std::string_view ok_abc = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
// gzip -9n of "abc".
inline constexpr std::string_view gzip_abc{
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00\x00", 23};

// A round trip, what its user does with the response, and what came of it.
class Trip {
 public:
  // What is done when the head comes.
  enum class Use { read, keep, let_go };

  explicit Trip(http::Transport& transport) : trip{transport, memory.memory()} {
    body.reserve(1 << 20);
    reason.reserve(256);
    field.reserve(256);
  }

  void go(const http::RoundTripOptions& options = {}) {
    answers = 0;
    is_over = false;
    status = 0;
    body.clear();
    error = {};
    trip.start(net::callback<&Trip::answered>(*this), options);
  }
  // Takes what has come; for Use::keep.
  void read() {
    const std::string_view text = response.body();
    body += text;
    response.consume(text.size());
    look();
  }

  http::RoundTripStorage<512, 1024> memory;
  http::RoundTrip trip;
  http::Response response;
  Use use = Use::read;
  std::string_view wanted_field{};  // copied into `field`
  net::Callback<Trip&> then{};      // called when it is over, in the turn
  int answers = 0;
  bool is_over = false;
  int status = 0;
  std::string body;
  std::string reason;
  std::string field;
  http::CallError error{};
  http::ResponseBodyState end = http::ResponseBodyState::more;

 private:
  void answered(http::Response& answer) {
    ++answers;
    if (!answer) {
      error = answer.error();
      over();
      return;
    }
    status = answer.status();
    reason = answer.reason();
    if (!wanted_field.empty()) {
      field = answer.fields().get(wanted_field).value_or("(none)");
    }
    if (use == Use::let_go) {
      over();
      return;
    }
    response = std::move(answer);
    response.on_body(net::callback<&Trip::more>(*this));
    if (use == Use::read) {
      read();
    }
  }
  void more() {
    if (use == Use::read) {
      read();
    } else {
      look();
    }
  }
  void look() {
    if (is_over || response.body_state() == http::ResponseBodyState::more || !response.body().empty()) {
      return;
    }
    end = response.body_state();
    error = response.error();
    over();
  }
  void over() {
    is_over = true;
    then(*this);
  }
};

struct CallerOptions {
  http::TransportTimeouts timeouts{};
  std::uint32_t max_idle_conns = 100;
  std::int32_t max_idle_conns_per_host = 2;
  std::uint32_t max_conns_per_host = 0;
  std::size_t max_response_header_bytes = 0;
  std::uint64_t drain_max_bytes = 64 * 1024;
  std::uint32_t rate_min = 0;
  bool disable_keep_alives = false;
  bool proxy_tunnels = false;
  const http::ProxySettings* proxy = nullptr;
  Conversation::Options conversation{};
  // Makes the transport's TLS on the conversation's machine; called once, before the transport is made, which what it makes has to outlive.
  std::function<tls::ClientContext*(Conversation&)> tls{};
};

template <http::TransportLimits limits = caller_limits>
class Caller {
 public:
  explicit Caller(const CallerOptions& options = {})
      : talk{options.conversation},
        brings_tls_{options.tls != nullptr},
        tls_mode_{talk, talk.port(), brings_tls_ ? 0 : limits.connections},
        storage{std::make_unique<http::TransportStorage<limits>>()},
        loop_storage{std::make_unique<net::LoopStorage<http::sockets_max(limits)>>()},
        loop{talk.port(), loop_storage->memory()},
        memory{storage->memory()},
        transport{{.loop = loop,
                   .memory = memory,
                   .tls = options.tls ? options.tls(talk) : tls_mode_.context(),
                   .proxy = options.proxy,
                   .timeouts = options.timeouts,
                   .max_idle_conns = options.max_idle_conns,
                   .max_idle_conns_per_host = options.max_idle_conns_per_host,
                   .max_conns_per_host = options.max_conns_per_host,
                   .max_response_header_bytes = options.max_response_header_bytes,
                   .drain_max_bytes = options.drain_max_bytes,
                   .rate_min = options.rate_min,
                   .proxy_tunnels = options.proxy_tunnels,
                   .disable_keep_alives = options.disable_keep_alives}} {
    talk.template set_turn<heap_guard::Forbidden>(turn_);
    loop.on_turn(net::callback<&Caller::check>(*this));
  }

  // A round trip that is not begun yet.
  Trip& make(std::string_view method, std::string_view url) {
    Trip& trip = trips.emplace_back(transport);
    trip.trip.request().start(method, brings_tls_ ? std::string{url} : test_url(url));
    return trip;
  }
  Trip& get(std::string_view url = "http://127.0.0.1/") {
    Trip& trip = make("GET", url);
    trip.go();
    return trip;
  }
  bool run(Trip& trip) {
    return talk.run_until([&trip] { return trip.is_over; });
  }
  void want(Trip& trip, int status, std::string_view body,
            std::source_location where = std::source_location::current()) {
    if (!run(trip)) {
      talk.report(where, "the round trip is not over");
      return;
    }
    EXPECT_EQ(trip.status, status) << where.line() << ": " << http::describe(trip.error.cause);
    EXPECT_EQ(trip.body, body) << where.line();
    EXPECT_EQ(trip.answers, 1) << where.line();
    EXPECT_EQ(trip.error.cause, http::CallCause::none) << where.line() << ": " << http::describe(trip.error.cause);
  }
  void want_error(Trip& trip, http::CallCause cause, std::source_location where = std::source_location::current()) {
    if (!run(trip)) {
      talk.report(where, "the round trip is not over");
      return;
    }
    EXPECT_EQ(trip.error.cause, cause) << where.line() << ": " << http::describe(trip.error.cause);
    EXPECT_EQ(trip.answers, 1) << where.line();
  }
  // Every slot is free but for `idle` connections, and nothing waits.
  void expect_quiet(std::size_t idle = 0, std::source_location where = std::source_location::current()) {
    talk.advance(200ms);
    EXPECT_EQ(transport.connections_used(), idle) << where.line();
    EXPECT_EQ(transport.connections_idle(), idle) << where.line();
    EXPECT_EQ(transport.round_trips_under_way(), 0U) << where.line();
    EXPECT_EQ(talk.port().sockets_open(), idle) << where.line();
  }

  Conversation talk;

 private:
  bool brings_tls_;  // the test does, and its URLs say what they mean
  TlsClientMode tls_mode_;

 public:
  std::unique_ptr<http::TransportStorage<limits>> storage;
  std::unique_ptr<net::LoopStorage<http::sockets_max(limits)>> loop_storage;
  net::Loop loop;
  http::TransportMemory memory;
  http::Transport transport;
  std::deque<Trip> trips;

 private:
  void check() {
    if (const std::string_view broken = transport.check(); !broken.empty()) {
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

}  // namespace pollux::test
