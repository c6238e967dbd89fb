// The transport with a port that fails: each scenario is run with its first fallible call failing, then its second, and so on until none is
// left to fail; then with everything failing from there on; then kind by kind; then at random. Whatever the network does, each round trip
// ends exactly once, time is all it takes, and in the end nothing is held.

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "port/fault/fault_port.hpp"
#include "stack/http/proxy.hpp"
#include "tests/fault/origin.hpp"
#include "tests/http/caller.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

using port::FaultCall;
using port::FaultPlan;

constexpr http::TransportLimits limits{
    .connections = 2, .hosts = 2, .in_buffer = 4096, .out_buffer = 512, .head_size_max = 512, .fields_max = 8};
constexpr std::size_t large_size = 20'000;

// A body given piece by piece. After some of them it has nothing for now.
struct Source {
  http::RoundTrip* trip = nullptr;
  std::uint64_t size = 5000;
  int pauses_left = 0;
  bool waits = false;
  int opened = 0;  // closes that are owed
  static http::PullResult pull(void* object, std::span<char> out, std::uint64_t offset) {
    auto& self = *static_cast<Source*>(object);
    if (self.pauses_left > 0 && offset >= 1000) {
      --self.pauses_left;
      self.waits = true;
      return {http::PullResult::Kind::later, 0};
    }
    std::size_t count = 0;
    while (count < out.size() && count < 700 && offset + count < self.size) {
      out[count] = body_byte(offset + count);
      ++count;
    }
    return {offset + count == self.size ? http::PullResult::Kind::end : http::PullResult::Kind::more, count};
  }
  static void close(void* object) { --static_cast<Source*>(object)->opened; }
  static bool rewind(void* object) {
    static_cast<Source*>(object)->waits = false;
    return true;
  }
};

// What a scenario has in hand. It begins things and lets time pass; how they end does not matter.
struct Stage {
  Conversation& talk;
  http::Transport& transport;
  std::deque<Trip>& trips;
  Source& source;
  port::File file;
  const std::string& large;
  port::SimPort& machine;

  Trip& make(std::string_view method, const std::string& path, const std::string& server = "127.0.0.1") {
    Trip& trip = trips.emplace_back(transport);
    trip.trip.request().start(method, "http://" + server + path);
    return trip;
  }
  Trip& get(const std::string& path, const std::string& server = "127.0.0.1") {
    Trip& trip = make("GET", path, server);
    trip.go();
    return trip;
  }
  void pass(port::Duration duration = 20ms) { talk.advance(duration); }
};

struct Scenario {
  const char* name;
  void (*play)(Stage& stage);
  http::ProxyKind proxy = http::ProxyKind::none;
  bool tunnels = false;
};

constexpr Scenario scenarios[] = {
    {"get",
     [](Stage& stage) {
       stage.get("/");
       stage.pass();
     }},
    {"get on a reused connection",
     [](Stage& stage) {
       stage.get("/");
       stage.pass();
       stage.get("/empty");
       stage.pass();
       stage.get("/interim");
       stage.pass();
     }},
    {"post of many bytes",
     [](Stage& stage) {
       Trip& trip = stage.make("POST", "/");
       trip.trip.request().set_body(stage.large);
       trip.go();
       stage.pass(500ms);
     }},
    {"post of a file",
     [](Stage& stage) {
       Trip& trip = stage.make("PUT", "/");
       trip.trip.request().set_body(
           {.kind = http::RequestBody::Kind::file, .file = stage.file, .offset = 0, .size = 3000});
       trip.go();
       stage.pass(200ms);
     }},
    {"chunked both ways",
     [](Stage& stage) {
       Trip& trip = stage.make("POST", "/chunked");
       stage.source = {.trip = &trip.trip, .pauses_left = 2, .opened = 1};
       static_cast<void>(trip.trip.request().set_trailer_names("X-End"));
       static_cast<void>(trip.trip.request().add_trailer("X-End", "1"));
       trip.trip.request().set_body(
           {.kind = http::RequestBody::Kind::source,
            .source = {
                .pull = &Source::pull, .close = &Source::close, .object = &stage.source, .rewind = &Source::rewind}});
       trip.go();
       for (int i = 0; i < 4; ++i) {
         stage.pass();
         if (std::exchange(stage.source.waits, false)) {
           trip.trip.resume_body();
         }
       }
       stage.pass(200ms);
     }},
    {"100 (Continue)",
     [](Stage& stage) {
       Trip& trip = stage.make("POST", "/");
       trip.trip.request().set_body(stage.large);
       trip.trip.request().set_expect_continue(true);
       trip.go();
       stage.pass(500ms);
     }},
    {"refused before the body",
     [](Stage& stage) {
       Trip& trip = stage.make("POST", "/refuse");
       trip.trip.request().set_body(stage.large);
       trip.go();
       stage.pass(500ms);
     }},
    {"refused instead of 100",
     [](Stage& stage) {
       Trip& trip = stage.make("POST", "/refuse");
       trip.trip.request().set_body(stage.large);
       trip.trip.request().set_expect_continue(true);
       trip.go();
       stage.pass(500ms);
     }},
    {"answered before the body is out",
     [](Stage& stage) {
       Trip& trip = stage.make("POST", "/early");
       trip.trip.request().set_body(stage.large);
       trip.go();
       stage.pass(500ms);
       stage.get("/");
       stage.pass();
     }},
    {"retry on a stale connection",
     [](Stage& stage) {
       stage.get("/");
       stage.pass();
       Trip& trip = stage.make("PUT", "/stale");
       trip.trip.request().set_idempotent(true);
       stage.source = {.trip = &trip.trip, .size = 600, .opened = 1};
       trip.trip.request().set_body(
           {.kind = http::RequestBody::Kind::source,
            .size = 600,
            .source = {
                .pull = &Source::pull, .close = &Source::close, .object = &stage.source, .rewind = &Source::rewind}});
       trip.go();
       stage.pass(100ms);
       stage.get("/stale");
       stage.pass(100ms);
     }},
    {"let go and drained",
     [](Stage& stage) {
       for (const char* path : {"/large", "/chunked", "/"}) {
         Trip& trip = stage.make("GET", path);
         trip.use = Trip::Use::let_go;
         trip.go();
         stage.pass(100ms);
       }
     }},
    {"kept, read late",
     [](Stage& stage) {
       Trip& trip = stage.make("GET", "/large");
       trip.use = Trip::Use::keep;
       trip.go();
       stage.pass(1s);
       trip.use = Trip::Use::read;
       trip.read();
       stage.pass(100ms);
     }},
    {"until the end",
     [](Stage& stage) {
       stage.get("/close");
       stage.pass();
     }},
    {"cut and reset",
     [](Stage& stage) {
       stage.get("/cut");
       stage.pass();
       stage.get("/reset");
       stage.pass();
     }},
    {"silence and a deadline",
     [](Stage& stage) {
       Trip& trip = stage.make("GET", "/silent");
       trip.go({.timeout = 300ms});
       stage.pass(400ms);
     }},
    {"cancelled in each state",
     [](Stage& stage) {
       Trip& waiting = stage.get("/silent");
       waiting.trip.cancel();
       Trip& going = stage.get("/silent");
       stage.pass(1ms);
       going.trip.cancel();
       Trip& reading = stage.make("GET", "/large");
       reading.use = Trip::Use::keep;
       reading.go();
       stage.pass();
       reading.trip.cancel();
       stage.pass();
     }},
    {"more than there are slots",
     [](Stage& stage) {
       for (int i = 0; i < 6; ++i) {
         stage.get(i % 2 == 0 ? "/" : "/chunked");
       }
       stage.pass(100ms);
     }},
    {"several hosts",
     [](Stage& stage) {
       for (const char* server : {"127.0.0.1", "127.0.0.1:81", "127.0.0.1:82", "127.0.0.1"}) {
         stage.get("/", server);
         stage.pass();
       }
     }},
    {"idle connections closed",
     [](Stage& stage) {
       stage.get("/");
       stage.pass();
       stage.transport.close_idle_connections();
       stage.pass();
       stage.get("/");
       stage.pass();
     }},
    {"another network",
     [](Stage& stage) {
       stage.get("/");
       stage.get("/silent");
       stage.pass();
       stage.transport.network_changed();
       stage.get("/");
       stage.pass();
     }},
    {"through a proxy",
     [](Stage& stage) {
       stage.get("/chunked");
       stage.pass();
       stage.get("/");
       stage.pass();
     },
     http::ProxyKind::http},
    {"through a tunnel",
     [](Stage& stage) {
       stage.get("/chunked");
       stage.pass();
       stage.get("/stale");
       stage.pass();
     },
     http::ProxyKind::http, true},
    {"through SOCKS5",
     [](Stage& stage) {
       stage.get("/chunked");
       stage.pass();
       stage.get("/");
       stage.pass();
     },
     http::ProxyKind::socks5},
    {"shut down",
     [](Stage& stage) {
       stage.get("/");
       stage.get("/silent");
       stage.pass();
       stage.transport.close();
       stage.pass();
     }},
};

// One run of a scenario. How many calls were made to fail.
std::uint64_t run(const Scenario& scenario, const FaultPlan& plan) {
  Conversation talk{Conversation::Options{.network = {.link = {.send_buffer = 512, .receive_buffer = 512}}}};
  std::string large;
  for (std::size_t i = 0; i < large_size; ++i) {
    large += body_byte(i);
  }
  talk.port().files().add_file("/body", large);
  Origin origin{talk.network(), 80};
  Origin second{talk.network(), 81};
  Origin third{talk.network(), 82};
  Origin gate{talk.network(), 3128};
  port::FaultPort port{talk.port(), plan};
  const auto file = talk.port().open_path("/body");
  EXPECT_TRUE(file);
  http::ProxySettings proxies;
  if (scenario.proxy != http::ProxyKind::none) {
    http::Proxy proxy;
    const std::string text = std::string{http::proxy_kind_name(scenario.proxy)} + "://127.0.0.1:3128";
    EXPECT_EQ(proxy.parse(text), http::ProxyError::none);
    proxies.set(proxy);
  }
  const auto storage = std::make_unique<http::TransportStorage<limits>>();
  const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(limits)>>();
  Source source;
  std::uint64_t failures = 0;
  {
    net::Loop loop{port, loop_storage->memory()};
    const http::TransportMemory memory = storage->memory();
    http::Transport transport{{.loop = loop,
                               .memory = memory,
                               .proxy = &proxies,
                               .timeouts = {.proxy = 10s, .response_header = 10s},
                               .proxy_tunnels = scenario.tunnels}};
    auto turn = [&] {
      loop.turn();
      const heap_guard::Allowed for_the_message;
      EXPECT_EQ(transport.check(), "");
    };
    talk.set_turn<heap_guard::Forbidden>(turn);
    std::deque<Trip> trips;
    Stage stage{.talk = talk,
                .transport = transport,
                .trips = trips,
                .source = source,
                .file = file->file,
                .large = large,
                .machine = talk.port()};
    scenario.play(stage);
    talk.advance(2s);
    failures = port.failures();

    // The bad time is over. What is still under way is answered or runs into a deadline; who was given nothing to read with
    // reads now.
    port.set_plan({.calls = 0});
    talk.advance(2min);
    for (Trip& trip : trips) {
      if (trip.use == Trip::Use::keep) {
        trip.response.close();
      }
    }
    talk.advance(1s);
    EXPECT_EQ(transport.round_trips_under_way(), 0U);
    for (std::size_t i = 0; i < trips.size(); ++i) {
      EXPECT_EQ(trips[i].answers, 1) << "round trip " << i;
      EXPECT_TRUE(trips[i].is_over || trips[i].use == Trip::Use::keep) << "round trip " << i;
      const bool has_error = trips[i].error.cause != http::CallCause::none;
      EXPECT_EQ(trips[i].trip.state(), http::RoundTrip::State::done);
      EXPECT_TRUE(has_error || trips[i].status != 0) << "round trip " << i;
      if (!has_error && trips[i].status == 200 && trips[i].use == Trip::Use::read) {
        const std::size_t size = trips[i].body.size();
        EXPECT_TRUE(size == 3 || size == 1027 || size == 3000) << "round trip " << i << " has " << size << " bytes";
      }
    }
    EXPECT_EQ(source.opened, 0) << "the source was not closed once";
    EXPECT_EQ(transport.connections_used(), 0U);  // the idle ones had their time
    EXPECT_EQ(transport.hosts_used(), 0U);
    EXPECT_EQ(talk.port().sockets_open(), 0U);
    EXPECT_LT(talk.turns(), 20'000U);

    // And everything works again.
    if (std::string_view{scenario.name} != "shut down") {
      Trip& last = stage.get("/");
      stage.pass();
      EXPECT_EQ(last.answers, 1);
      EXPECT_EQ(last.status, 200) << http::describe(last.error.cause);
      EXPECT_EQ(last.body, "abc");
    }
    for (const Origin* each : {&origin, &second, &third, &gate}) {
      EXPECT_EQ(each->nonsense(), 0U);
      EXPECT_EQ(each->bad_bodies(), 0U);
    }
  }
  EXPECT_EQ(talk.port().sockets_open(), 0U);
  talk.port().close_file(file->file);
  EXPECT_EQ(talk.port().files_open(), 0U);
  return failures;
}

// Sweeps `calls` over every scenario. The most calls that one had.
std::uint64_t sweep(std::uint32_t calls, bool and_later) {
  std::uint64_t most = 0;
  for (const Scenario& scenario : scenarios) {
    for (std::uint64_t n = 1;; n += stride) {
      SCOPED_TRACE(std::string{scenario.name} + ", call " + std::to_string(n) + (and_later ? " and all after it" : ""));
      const std::uint64_t failures = run(scenario, {.calls = calls, .first = n, .and_later = and_later});
      if (testing::Test::HasFailure()) {
        return most;
      }
      if (failures == 0) {
        most = std::max(most, n - 1);
        break;
      }
      if (n >= 5000) {
        ADD_FAILURE() << "never runs out of calls";
        return most;
      }
    }
  }
  return most;
}

TEST(ClientFault, EachCallFailsOnce) {
  EXPECT_GT(sweep(port::fault_all, false), 60U);
}

TEST(ClientFault, EverythingFailsFromSomeCallOn) {
  EXPECT_GT(sweep(port::fault_all, true), 60U);
}

TEST(ClientFault, EachKindOfCallFails) {
  for (const FaultCall call : {FaultCall::connect, FaultCall::connect_result, FaultCall::recv, FaultCall::send,
                               FaultCall::send_file, FaultCall::poll}) {
    SCOPED_TRACE("kind " + std::to_string(static_cast<int>(call)));
    EXPECT_GT(sweep(port::fault_bit(call), false), 0U) << "no scenario makes this call";
    EXPECT_GT(sweep(port::fault_bit(call), true), 0U);
  }
}

TEST(ClientFault, CallsFailAtRandom) {
  for (std::uint64_t seed = 1; seed <= rounds(std::uint64_t{30}); ++seed) {
    for (const Scenario& scenario : scenarios) {
      SCOPED_TRACE(std::string{scenario.name} + ", seed " + std::to_string(seed));
      run(scenario, {.probability = 0.1, .seed = seed});
      if (HasFailure()) {
        return;
      }
    }
  }
}

// Found by the sweep: a request that cannot be sent on, and a peer that says nothing because it still waits for the rest. The round trip ends
// soon, and with what was wrong with the sending.
TEST(ClientFault, SendThatFailsInTheMiddleEndsTheRoundTripWithoutAWordFromThePeer) {
  Conversation talk{Conversation::Options{.network = {.link = {.send_buffer = 512, .receive_buffer = 512}}}};
  Origin origin{talk.network(), 80};
  port::FaultPort port{talk.port(), {.calls = port::fault_bit(FaultCall::send), .first = 3}};
  const auto storage = std::make_unique<http::TransportStorage<limits>>();
  const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(limits)>>();
  net::Loop loop{port, loop_storage->memory()};
  const http::TransportMemory memory = storage->memory();
  http::Transport transport{{.loop = loop, .memory = memory}};
  auto turn = [&] { loop.turn(); };
  talk.set_turn<heap_guard::Forbidden>(turn);
  Trip trip{transport};
  trip.trip.request().start("POST", "http://127.0.0.1/");
  std::string body;
  for (std::size_t i = 0; i < large_size; ++i) {
    body += body_byte(i);
  }
  trip.trip.request().set_body(body);
  trip.go();
  talk.advance(500ms);
  EXPECT_EQ(port.failures(), 1U);
  EXPECT_EQ(trip.answers, 1);
  EXPECT_EQ(trip.error.cause, http::CallCause::lost);
  EXPECT_EQ(trip.error.stage, http::CallStage::send);
  EXPECT_NE(trip.error.system_error, 0);
  EXPECT_FALSE(trip.error.retry_safe);
  EXPECT_EQ(talk.port().sockets_open(), 0U);
}

}  // namespace
}  // namespace pollux::test
