// The server with a port that fails: each scenario is run with its first fallible call failing, then its second, and so on until none
// is left to fail; then with everything failing from there on; then kind by kind. Whatever the client sees, the program goes on,
// and in the end nothing is held.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "port/fault/fault_port.hpp"
#include "stack/http/server.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/emulated.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using http::Next;
using http::Request;
using http::ResponseWriter;
using port::FaultCall;
using port::FaultPlan;

constexpr http::ServerLimits limits{.connections = 4,
                                    .exchanges = 2,
                                    .listeners = 1,
                                    .in_buffer = 1024,
                                    .out_buffer = 1024,
                                    .head_size_max = 512,
                                    .fields_max = 8,
                                    .state_size = 32,
                                    .close_records = 4};

// Handlers, and what they hold.
class App final : public http::Router {
 public:
  explicit App(port::Port& port) : port_{port} {}
  void find(const http::RouteQuery& query, http::RouteMatch& match) const override {
    match.route = &routes_[0];
    for (const http::Route& route : routes_) {
      if (query.raw_path == route.pattern) {
        match.route = &route;
      }
    }
  }
  void open_root() {
    if (const auto opened = port_.open_directory("/www")) {
      root_ = *opened;
    }
  }
  void close_root() {
    if (root_.is_open()) {
      port_.close_file(root_);
    }
  }
  void resume() {
    for (http::Deferred& deferred : waiting_) {
      deferred.resume();
    }
  }
  void let_go() {
    for (http::Deferred& deferred : waiting_) {
      deferred.drop();
    }
  }
  [[nodiscard]] int suspended() const { return suspended_; }
  [[nodiscard]] int sources_open() const { return sources_open_; }

 private:
  Next book(const Request& request, Next next) {
    suspended_ -= request.event() == http::Event::start ? 0 : 1;
    suspended_ += request.event() != http::Event::gone && next != Next::done ? 1 : 0;
    return next;
  }
  Next hello(ResponseWriter& writer, Request& request) {
    writer.text(200, request.body().empty() ? "hello" : request.body());
    return book(request, Next::done);
  }
  Next streamed(ResponseWriter& writer, Request& request) {
    request.consume(request.body_bytes().size());
    if (request.event() != http::Event::gone && request.body_state() == http::BodyState::more) {
      return book(request, Next::read_body);
    }
    writer.text(200, "read");
    return book(request, Next::done);
  }
  struct State {
    std::uint64_t written;
  };
  Next long_answer(ResponseWriter& writer, Request& request) {
    auto& state = request.state<State>();
    while (request.event() != http::Event::gone && state.written < 5000) {
      const std::size_t taken = writer.write("0123456789012345678901234567890123456789");
      state.written += taken;
      if (taken == 0) {
        return book(request, Next::write_body);
      }
    }
    return book(request, Next::done);
  }
  Next file(ResponseWriter& writer, Request& request) {
    if (!root_.is_open()) {
      http::not_found(writer);
      return book(request, Next::done);
    }
    const auto opened = port_.open_file(root_, "page");
    if (!opened) {
      http::error(writer, 500, "no file");
    } else {
      writer.send_file(opened->file, 0, opened->size);
    }
    return book(request, Next::done);
  }
  Next source(ResponseWriter& writer, Request& request) {
    ++sources_open_;
    writer.send_source({.pull =
                            [](void*, std::span<char> out, std::uint64_t offset) {
                              out[0] = 's';
                              const auto kind =
                                  offset == 2000 ? http::PullResult::Kind::end : http::PullResult::Kind::more;
                              return http::PullResult{kind, 1};
                            },
                        .close = [](void* object) { --static_cast<App*>(object)->sources_open_; },
                        .object = this});
    return book(request, Next::done);
  }
  Next wait(ResponseWriter& writer, Request& request) {
    if (request.event() == http::Event::start) {
      waiting_[waiting_count_++ % waiting_.size()] = request.defer();
      return book(request, Next::wait);
    }
    writer.text(200, "resumed");
    return book(request, Next::done);
  }

  const std::array<http::Route, 6> routes_{
      http::Route{"/", http::handler<&App::hello>(*this)},
      {"/streamed", http::handler<&App::streamed>(*this), {.body = http::Body::streamed}},
      {"/long", http::handler<&App::long_answer>(*this)},
      {"/file", http::handler<&App::file>(*this)},
      {"/source", http::handler<&App::source>(*this)},
      {"/wait", http::handler<&App::wait>(*this)},
  };
  port::Port& port_;
  port::File root_{};
  std::array<http::Deferred, 8> waiting_{};
  std::size_t waiting_count_ = 0;
  int suspended_ = 0;
  int sources_open_ = 0;
};

// What a scenario has in hand. It says things and lets time pass; what it hears does not matter.
struct Stage {
  Conversation& talk;
  http::Server& server;
  App& app;
  bool shuts_down = false;

  Peer& say(std::string_view text) {
    Peer& peer = talk.connect(80);
    peer.say(text);
    talk.advance(10ms);
    return peer;
  }
};

struct Scenario {
  const char* name;
  void (*play)(Stage& stage);
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

constexpr Scenario scenarios[] = {
    {"get",
     [](Stage& stage) {
       Peer& peer = stage.say(get);
       peer.say(get);
       stage.talk.advance(10ms);
     }},
    {"idle, parked and woken",
     [](Stage& stage) {
       Peer& peer = stage.say(get);
       stage.talk.advance(1s);
       stage.talk.advance(1s);
       peer.say(get);
       stage.talk.advance(10ms);
     }},
    {"post, collected",
     [](Stage& stage) {
       Peer& peer = stage.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
       peer.say("01234");
       stage.talk.advance(10ms);
       peer.say("56789");
       stage.talk.advance(10ms);
     }},
    {"post, streamed",
     [](Stage& stage) {
       Peer& peer = stage.say("POST /streamed HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
       peer.say("800\r\n" + std::string(2048, 'x') + "\r\n0\r\n\r\n");
       stage.talk.advance(10ms);
     }},
    {"unread body",
     [](Stage& stage) {
       stage.say("POST /long HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n" + std::string(3000, 'x'));
     }},
    {"chunked answer, slowly read",
     [](Stage& stage) {
       Peer& peer = stage.talk.connect(80);
       peer.stop_reading();
       peer.say("GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
       stage.talk.advance(100ms);
       peer.resume_reading();
       stage.talk.advance(100ms);
     }},
    {"file", [](Stage& stage) { stage.say("GET /file HTTP/1.1\r\nHost: h\r\n\r\n"); }},
    {"source", [](Stage& stage) { stage.say("GET /source HTTP/1.1\r\nHost: h\r\n\r\n"); }},
    {"deferred",
     [](Stage& stage) {
       stage.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
       stage.app.resume();
       stage.talk.advance(10ms);
     }},
    {"pipelined",
     [](Stage& stage) {
       std::string text;
       for (int i = 0; i < 8; ++i) {
         text += get;
       }
       stage.say(text + "GET /file HTTP/1.1\r\nHost: h\r\n\r\n" + "GET /long HTTP/1.1\r\nHost: h\r\n\r\n" +
                 std::string{get});
     }},
    {"bad request", [](Stage& stage) { stage.say(std::string{get} + "GET / HTTP/9.9\r\n\r\n"); }},
    {"more than there are slots",
     [](Stage& stage) {
       for (int i = 0; i < 7; ++i) {
         stage.talk.connect(80).say(i % 2 == 0 ? std::string{get} : "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
       }
       stage.talk.advance(100ms);
     }},
    {"shutdown",
     [](Stage& stage) {
       stage.say(get);
       stage.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
       stage.server.shutdown(1s);
       stage.talk.advance(10ms);
       stage.app.resume();
       stage.talk.advance(10ms);
       stage.shuts_down = true;
     }},
};

// One run of a scenario. How many calls were made to fail.
std::uint64_t run(const Scenario& scenario, const FaultPlan& plan) {
  Conversation talk{Conversation::Options{.network = {.link = {.send_buffer = 512, .receive_buffer = 512}}}};
  talk.port().files().add_file("/www/page", std::string(3000, 'p'));
  port::FaultPort port{talk.port(), plan};
  const auto storage = std::make_unique<http::ServerStorage<limits>>();
  const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(limits)>>();
  std::uint64_t failures = 0;
  {
    App app{port};
    net::Loop loop{port, loop_storage->memory()};
    http::Server server{{.loop = loop, .handler = app, .memory = storage->memory()}};
    auto turn = [&] {
      loop.turn();
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_message;
      EXPECT_EQ(server.check(), "");
    };
    app.open_root();
    const auto listening = server.listen({.endpoint = {port::Address::ipv4_any(80)}});
    const bool is_listening = static_cast<bool>(listening);
    const std::size_t listeners = talk.port().sockets_open();
    EXPECT_EQ(listeners, is_listening ? 1U : 0U);
    talk.set_turn<heap_guard::Forbidden>(turn);
    Stage stage{.talk = talk, .server = server, .app = app};
    scenario.play(stage);
    talk.advance(2s);
    failures = port.failures();

    // The bad time is over. Whoever is still there runs into a deadline, and the next client is served.
    port.set_plan({.calls = 0});
    talk.advance(2min);
    EXPECT_EQ(server.connections().used, 0U);
    EXPECT_EQ(server.exchanges().used, 0U);
    EXPECT_EQ(app.suspended(), 0);
    EXPECT_EQ(app.sources_open(), 0);
    EXPECT_EQ(talk.port().sockets_open(), stage.shuts_down ? 0 : listeners);
    if (is_listening && !stage.shuts_down) {
      Peer& peer = talk.connect(80);
      peer.say(get);
      peer.want_head(200);
      peer.want("hello");
    }
    app.close_root();
    app.let_go();
    EXPECT_EQ(talk.port().files_open(), 0U);
  }
  EXPECT_EQ(talk.port().sockets_open(), 0U);
  return failures;
}

// Sweeps `calls` over every scenario. The most calls that one had.
std::uint64_t sweep(std::uint32_t calls, bool and_later) {
  std::uint64_t most = 0;
  for (const Scenario& scenario : scenarios) {
    for (std::uint64_t n = 1;; n += stride) {
      SCOPED_TRACE(std::string{scenario.name} + ", call " + std::to_string(n) + (and_later ? " and all after it" : ""));
      const std::uint64_t failures = run(scenario, {.calls = calls, .first = n, .and_later = and_later});
      if (failures == 0) {
        most = std::max(most, n - 1);
        break;
      }
      if (testing::Test::HasFailure()) {
        return most;
      }
      if (n >= 5000) {
        ADD_FAILURE() << "never runs out of calls";
        return most;
      }
    }
  }
  return most;
}

TEST(ServerFault, EachCallFailsOnce) {
  EXPECT_GT(sweep(port::fault_all, false), 30U);
}

TEST(ServerFault, EverythingFailsFromSomeCallOn) {
  EXPECT_GT(sweep(port::fault_all, true), 30U);
}

TEST(ServerFault, EachKindOfCallFails) {
  for (const FaultCall call :
       {FaultCall::listen, FaultCall::local_address, FaultCall::accept, FaultCall::recv, FaultCall::send,
        FaultCall::send_file, FaultCall::poll, FaultCall::park, FaultCall::open_directory, FaultCall::open_file}) {
    SCOPED_TRACE("kind " + std::to_string(static_cast<int>(call)));
    EXPECT_GT(sweep(port::fault_bit(call), false), 0U) << "no scenario makes this call";
    EXPECT_GT(sweep(port::fault_bit(call), true), 0U);
  }
}

TEST(ServerFault, CallsFailAtRandom) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    for (const Scenario& scenario : scenarios) {
      SCOPED_TRACE(std::string{scenario.name} + ", seed " + std::to_string(seed));
      run(scenario, {.probability = 0.1, .seed = seed});
    }
  }
}

}  // namespace
}  // namespace pollux::test
