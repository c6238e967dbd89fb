// BlockingCall: against a server of ours on the same loop, because everything else on the loop goes on while it waits.
#include "stack/http/blocking.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "port/sim/sim_port.hpp"
#include "stack/http/route_table.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using http::BlockingResult;
using http::CallCause;

constexpr http::ServerLimits server_limits{
    .connections = 4, .listeners = 1, .in_buffer = 4096, .out_buffer = 4096, .head_size_max = 2048, .fields_max = 16};
constexpr http::TransportLimits transport_limits{
    .connections = 2, .hosts = 2, .in_buffer = 4096, .out_buffer = 1024, .head_size_max = 2048, .fields_max = 16};

void hello(http::ResponseWriter& writer, http::Request&) {
  writer.text(200, "hello");
}
void echo(http::ResponseWriter& writer, http::Request& request) {
  writer.text(201, request.body_bytes());
}
void away(http::ResponseWriter& writer, http::Request&) {
  writer.set("Location", "/hello");
  writer.text(302, "away");
}
http::Next silent(http::ResponseWriter&, http::Request& request) {
  return request.event() == http::Event::gone ? http::Next::done : http::Next::wait;
}
constexpr http::RouteTable routes{{
    http::handle<&hello>("GET /hello"),
    http::handle<&echo>("POST /echo"),
    http::handle<&away>("GET /away"),
    http::handle<&silent>("GET /silent"),
}};

class Blocking : public testing::Test {
 public:
  struct Storage {
    http::ServerStorage<server_limits> server{};
    http::TransportStorage<transport_limits> transport{};
    net::LoopStorage<http::sockets_max(server_limits) + http::sockets_max(transport_limits)> loop{};
    http::CallStorage<256, 256> call{};
  };

  Blocking() { EXPECT_TRUE(server.listen({.endpoint = {.address = port::Address::ipv4_loopback(80)}})); }

  port::SimNetwork network{{.seed = 1}};
  port::SimPort machine{network, {}};
  std::unique_ptr<Storage> storage = std::make_unique<Storage>();
  net::Loop loop{machine, storage->loop.memory()};
  const http::ServeMux mux{routes};
  http::Server server{{.loop = loop, .handler = mux, .memory = storage->server.memory()}};
  http::Transport transport{{.loop = loop, .memory = storage->transport.memory()}};
  http::Client client{{.transport = transport, .timeout = 5s}};
  http::BlockingCall blocking{client, storage->call.memory()};
  std::array<char, 64> memory{};
};

TEST_F(Blocking, GetHeadAndPost) {
  const heap_guard::Forbidden no_heap;
  const BlockingResult got = blocking.get("http://127.0.0.1/hello", memory);
  EXPECT_TRUE(got);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "hello");
  EXPECT_FALSE(got.is_cut);

  const BlockingResult head = blocking.head("http://127.0.0.1/hello");
  EXPECT_TRUE(head);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");

  const BlockingResult posted = blocking.post("http://127.0.0.1/echo", "text/plain", "back", memory);
  EXPECT_TRUE(posted);
  EXPECT_EQ(posted.status, 201);
  EXPECT_EQ(posted.body, "back");

  const BlockingResult followed = blocking.get("http://127.0.0.1/away", memory);
  EXPECT_EQ(followed.status, 200);
  EXPECT_EQ(followed.body, "hello");
  EXPECT_EQ(blocking.call().redirects(), 1U);

  const BlockingResult missing = blocking.get("http://127.0.0.1/nothing", memory);
  EXPECT_TRUE(missing);  // any status is an answer
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(transport.counters().dials, 1U);
}

TEST_F(Blocking, WithARequestOfItsOwn) {
  blocking.call().request().start("GET", "http://127.0.0.1/away");
  const BlockingResult result = blocking.go(memory, {.follow = false});
  EXPECT_EQ(result.status, 302);
  EXPECT_EQ(result.body, "away");
}

TEST_F(Blocking, ABodyThatJustFits) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, std::size_t{5}, std::size_t{6}}) {
    SCOPED_TRACE(size);
    const BlockingResult result = blocking.get("http://127.0.0.1/hello", std::span<char>{memory}.first(size));
    EXPECT_EQ(result.status, 200);
    EXPECT_EQ(result.is_cut, size < 5);
    EXPECT_EQ(result.error.cause, size < 5 ? CallCause::too_large : CallCause::none);
    EXPECT_EQ(result.body, std::string_view{"hello"}.substr(0, size));
    EXPECT_FALSE(blocking.call().is_under_way());
  }
}

TEST_F(Blocking, Errors) {
  EXPECT_EQ(blocking.get("ftp://h/", memory).error.cause, CallCause::bad_scheme);
  const BlockingResult refused = blocking.get("http://127.0.0.1:81/", memory);
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.error.cause, CallCause::refused);
  EXPECT_EQ(refused.status, 0);
  EXPECT_EQ(refused.body, "");
  const port::Time before = network.now();
  const BlockingResult late = blocking.get("http://127.0.0.1/silent", memory);
  EXPECT_EQ(late.error.cause, CallCause::timed_out);
  EXPECT_EQ(network.now() - before, 5s);
}

TEST_F(Blocking, TimeThatWentByBeforeDoesNotCount) {
  network.advance(1h);  // the program did something else, and the loop did not turn
  EXPECT_EQ(blocking.get("http://127.0.0.1/hello", memory).body, "hello");
}

TEST_F(Blocking, EndsWhenTheLoopIsStopped) {
  net::Timer timer{loop, {[](void* object) { static_cast<net::Loop*>(object)->stop(); }, &loop}};
  timer.start(1s);
  const port::Time before = network.now();
  const BlockingResult result = blocking.get("http://127.0.0.1/silent", memory);
  EXPECT_EQ(result.error.cause, CallCause::cancelled);
  EXPECT_EQ(network.now() - before, 1s);
  // A loop that was stopped some time ago is no reason to end.
  EXPECT_EQ(blocking.get("http://127.0.0.1/hello", memory).body, "hello");
}

TEST_F(Blocking, IsNoThingForACallback) {
  struct Bad {
    Blocking& test;
    void wait() { static_cast<void>(test.blocking.get("http://127.0.0.1/hello", test.memory)); }
  };
  Bad bad{*this};
  net::Timer timer{loop, net::callback<&Bad::wait>(bad)};
  timer.start(1s);
  EXPECT_DEATH(
      {
        loop.turn();
        loop.turn();
      },
      "is_turning");
}

}  // namespace
}  // namespace pollux::test
