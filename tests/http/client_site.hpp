// ClientSite: a Client on a simulated machine, for the client's tests. Every turn runs with the heap forbidden, and after every one the
// transport is asked whether all of its rules hold.
//
//   ClientSite site;
//   RawServer& origin = site.talk.listen(80);
//   site.get("http://127.0.0.1/a");
//   Peer& peer = origin.accept();
//   peer.want("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
//   peer.say(found("/b"));
//   ...
//   site.want_answer(200, "ok");
//
// In TLS mode (tests/support/tls_mode.hpp) the same script runs over TLS.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "port/fault/fault_port.hpp"
#include "stack/base/text.hpp"
#include "stack/http/client.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"
#include "tests/support/tls_mode.hpp"

namespace pollux::test {

using namespace std::chrono_literals;

inline constexpr http::TransportLimits client_limits{.connections = 4,
                                                     .hosts = 4,
                                                     .in_buffer = 4096,
                                                     .out_buffer = 2048,
                                                     .head_size_max = 2048,
                                                     .fields_max = 16,
                                                     .decoders = 1};
inline constexpr net::ResolverLimits client_names{.queries = 1, .cache_entries = 1};

// Memory of a call in the sizes a test wants.
struct CallSizes {
  std::size_t url = 256;
  std::size_t fields = 512;
  std::size_t scratch = 512;
};
class SizedCallMemory {
 public:
  explicit SizedCallMemory(const CallSizes& sizes)
      : url_(sizes.url), fields_(sizes.fields), url_next_(sizes.url), scratch_(sizes.scratch) {}
  [[nodiscard]] http::CallMemory memory() {
    return {.request = {.url = url_, .fields = fields_}, .url_next = url_next_, .scratch = scratch_};
  }

 private:
  std::vector<char> url_;
  std::vector<char> fields_;
  std::vector<char> url_next_;
  std::vector<char> scratch_;
};

struct ClientSiteOptions {
  port::Duration timeout = 30s;
  http::CookieJar* jar = nullptr;
  std::uint32_t redirects_max = 10;
  http::RedirectCheck check{};
  bool follow = true;
  bool decode = false;
  http::TransportTimeouts timeouts{};
  CallSizes sizes{};
  port::FaultPlan faults{};
};

class ClientSite {
 public:
  explicit ClientSite(const ClientSiteOptions& options = {})
      : storage{std::make_unique<Storage>()},
        sizes_{options.sizes},
        faults{talk.port(), options.faults},
        tls_mode_{talk, faults, client_limits.connections},
        loop{faults, storage->loop.memory()},
        resolver{{.loop = loop, .memory = storage->resolver.memory()}},
        transport{{.loop = loop,
                   .memory = storage->transport.memory(),
                   .resolver = &resolver,
                   .tls = tls_mode_.context(),
                   .user_agent = {},
                   .timeouts = options.timeouts}},
        client{{.transport = transport,
                .timeout = options.timeout,
                .jar = options.jar,
                .redirects_max = options.redirects_max,
                .check = options.check,
                .follow = options.follow,
                .decode = options.decode}} {
    make_call();
    talk.set_turn<heap_guard::Forbidden>(turn_);
    loop.on_turn(net::callback<&ClientSite::check>(*this));
  }

  // Another call in the place of the old one, which ends.
  void make_call() {
    kept.close();
    call.reset();
    memory_ = std::make_unique<SizedCallMemory>(sizes_);
    call = std::make_unique<http::Call>(client, memory_->memory());
  }
  // The machine `name` is at 10.0.0.`last`; a raw server listens there.
  RawServer& serve(std::string_view name, std::uint8_t last, std::uint16_t port = 80) {
    EXPECT_TRUE(resolver.pin(name, 0, port::Address::ipv4(10, 0, 0, last, 0)));
    return talk.listen({.address = port::Address::ipv4(10, 0, 0, last, port)});
  }

  [[nodiscard]] http::ClientRequest& request() { return call->request(); }
  [[nodiscard]] net::Callback<http::Response&> answered() { return net::callback<&ClientSite::got>(*this); }
  void go(const http::CallOptions& options = {}) {
    began_at = talk.now();
    loop.refresh_now();
    call->go(answered(), options);
  }
  void get(std::string_view url, const http::CallOptions& options = {}) {
    request().start("GET", test_url(url));
    go(options);
  }

  // The answer comes, with this status and body.
  void want_answer(int wanted_status, std::string_view wanted_body,
                   std::source_location where = std::source_location::current()) {
    talk.run_until([this] { return is_over(); });
    EXPECT_EQ(answers, 1) << at(where);
    EXPECT_EQ(error.cause, http::CallCause::none) << at(where) << http::describe(error.cause);
    EXPECT_EQ(status, wanted_status) << at(where);
    EXPECT_EQ(body, wanted_body) << at(where);
    EXPECT_EQ(body_state, http::ResponseBodyState::complete) << at(where);
    forget();
  }
  void want_error(http::CallCause cause, http::CallStage stage,
                  std::source_location where = std::source_location::current()) {
    talk.run_until([this] { return is_over(); });
    EXPECT_EQ(answers, 1) << at(where);
    EXPECT_EQ(error.cause, cause) << at(where) << http::describe(error.cause) << " instead of "
                                  << http::describe(cause);
    EXPECT_EQ(error.stage, stage) << at(where) << http::describe(error.stage) << " instead of "
                                  << http::describe(stage);
    EXPECT_EQ(call->error().cause, cause) << at(where);
    EXPECT_FALSE(call->is_under_way()) << at(where);
    forget();
  }
  // Nothing is left but idle connections: no round trip, no socket of a response.
  void want_quiet(std::size_t idle, std::source_location where = std::source_location::current()) {
    talk.run_until([&] { return transport.connections_used() == idle && transport.connections_idle() == idle; });
    EXPECT_EQ(transport.round_trips_under_way(), 0U) << at(where);
    EXPECT_EQ(transport.connections_used(), idle) << at(where);
    EXPECT_EQ(transport.connections_idle(), idle) << at(where);
    EXPECT_EQ(talk.port().sockets_open(), idle) << at(where);
  }
  // As at the beginning, for the next call.
  void forget() {
    kept.close();
    answers = status = 0;
    error = {};
    body.clear();
    body_state = http::ResponseBodyState::more;
  }
  [[nodiscard]] bool is_over() const {
    return answers > 0 && (error.cause != http::CallCause::none || body_state != http::ResponseBodyState::more);
  }

  Conversation talk;

 private:
  struct Storage {
    http::TransportStorage<client_limits> transport{};
    net::ResolverStorage<client_names> resolver{};
    net::LoopStorage<http::sockets_max(client_limits) + net::sockets_max(client_names)> loop{};
  };
  std::unique_ptr<Storage> storage;
  CallSizes sizes_;
  std::unique_ptr<SizedCallMemory> memory_;

 public:
  port::FaultPort faults;  // breaks nothing unless it is told to

 private:
  TlsClientMode tls_mode_;

 public:
  net::Loop loop;
  net::Resolver resolver;
  http::Transport transport;
  http::Client client;
  std::unique_ptr<http::Call> call;

  // What came of the call.
  int answers = 0;
  int status = 0;
  http::CallError error{};
  std::string body;
  http::ResponseBodyState body_state = http::ResponseBodyState::more;
  http::Response kept;
  bool reads = true;     // the body, as it comes
  bool lets_go = false;  // of the response, at once
  port::Time began_at{};
  port::Time answered_at{};
  port::Time over_at{};
  std::string broken;  // the first rule that did not hold

 private:
  static std::string at(const std::source_location& where) {
    return std::string{where.file_name()} + ":" + std::to_string(where.line()) + " ";
  }

  void got(http::Response& response) {
    const heap_guard::Scope<heap_guard::Rule::allowed> for_the_record;
    ++answers;
    answered_at = loop.now();
    if (!response) {
      error = response.error();
      over_at = loop.now();
      return;
    }
    status = response.status();
    if (lets_go) {
      body_state = http::ResponseBodyState::closed;
      return;
    }
    kept = std::move(response);
    kept.on_body(net::callback<&ClientSite::more>(*this));
    more();
  }
  void more() {
    const heap_guard::Scope<heap_guard::Rule::allowed> for_the_record;
    while (reads && !kept.body().empty()) {
      body += kept.body();
      kept.consume(kept.body().size());
    }
    body_state = kept.body_state();
    if (body_state == http::ResponseBodyState::failed) {
      error = kept.error();
    }
    over_at = loop.now();
  }
  void check() {
    if (const std::string_view rule = transport.check(); !rule.empty() && broken.empty()) {
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_message;
      broken = rule;
      ADD_FAILURE() << "after turn " << loop.turns() << ": " << rule;
    }
  }

  struct Turn {
    net::Loop& loop;
    void operator()() { loop.turn(); }
  };
  Turn turn_{loop};
};

// A response that leads to `location`, without a body; in TLS mode to https where it says http.
inline std::string moved(int status, std::string_view location, std::string_view fields = {}) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Moved\r\n";
  text += "Location: ";
  text += test_url(location);
  text += "\r\n";
  text += fields;
  text += "Content-Length: 0\r\n\r\n";
  return text;
}
inline std::string found(std::string_view location, std::string_view fields = {}) {
  return moved(302, location, fields);
}
inline std::string ok(std::string_view body, std::string_view fields = {}) {
  std::string text = "HTTP/1.1 200 OK\r\n";
  text += fields;
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  text += body;
  return text;
}

// A request that a peer got: its head comes, and is taken apart.
struct GotRequest {
  std::string head;
  std::string method;
  std::string target;

  // The value of the only field line of that name; "-" if there is none, "+" if there are several.
  [[nodiscard]] std::string field(std::string_view name) const {
    std::string value = "-";
    for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
      const std::size_t end = head.find("\r\n", at + 2);
      const std::string line = head.substr(at + 2, end - at - 2);
      if (line.size() > name.size() && line[name.size()] == ':' &&
          base::equal_ignoring_case({line.data(), name.size()}, name)) {
        if (value != "-") {
          return "+";
        }
        value = line.substr(name.size() + 1);
        value.erase(0, value.find_first_not_of(' '));
      }
      if (end == std::string::npos) {
        break;
      }
    }
    return value;
  }
};
inline GotRequest want_request(Peer& peer, std::source_location where = std::source_location::current()) {
  GotRequest request;
  request.head = peer.want_containing("\r\n\r\n", where);
  const std::size_t first = request.head.find(' ');
  const std::size_t second = request.head.find(' ', first + 1);
  if (second != std::string::npos) {
    request.method = request.head.substr(0, first);
    request.target = request.head.substr(first + 1, second - first - 1);
  }
  return request;
}

}  // namespace pollux::test
