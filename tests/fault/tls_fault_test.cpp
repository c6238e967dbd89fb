// TLS with a port that fails, and with an arena that fails. Servers and transports over TLS: each scenario with its first fallible call failing,
// then its second, and so on; then with everything failing from there on; kind by kind; at random. And each single allocation of mbedTLS from the
// arena, from the start of a context to the end of a connection. Whatever fails, the program goes on, nothing is held in the end, the next
// connection works - and no failure makes a bad certificate good.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <string>

#include "port/fault/fault_port.hpp"
#include "stack/http/server.hpp"
#include "tests/http/caller.hpp"
#include "tests/tls/session_support.hpp"

namespace pollux::test {
namespace {

using http::Next;
using http::Request;
using http::ResponseWriter;
using port::FaultCall;
using port::FaultPlan;

constexpr std::uint16_t https_port = 443;
constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view get_long = "GET /long HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view get_file = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";

// ---- servers

constexpr http::ServerLimits server_limits{.connections = 4,
                                           .exchanges = 2,
                                           .listeners = 1,
                                           .in_buffer = 1024,
                                           .out_buffer = 1024,
                                           .head_size_max = 512,
                                           .fields_max = 8,
                                           .state_size = 32,
                                           .close_records = 4};
constexpr tls::ServerTlsLimits server_tls{.sessions = 3, .handshakes = 2, .certificates = 1};

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
      root_ = {};
    }
  }

 private:
  struct State {
    std::uint64_t written;
  };
  Next hello(ResponseWriter& writer, Request&) {
    writer.text(200, "hello");
    return Next::done;
  }
  Next long_answer(ResponseWriter& writer, Request& request) {
    auto& state = request.state<State>();
    while (request.event() != http::Event::gone && state.written < 9000) {
      const std::size_t taken = writer.write("0123456789012345678901234567890123456789");
      state.written += taken;
      if (taken == 0) {
        return Next::write_body;
      }
    }
    return Next::done;
  }
  Next file(ResponseWriter& writer, Request&) {
    if (!root_.is_open()) {
      http::not_found(writer);
      return Next::done;
    }
    if (const auto opened = port_.open_file(root_, "page")) {
      writer.send_file(opened->file, 0, opened->size);
    } else {
      http::error(writer, 500, "no file");
    }
    return Next::done;
  }

  const std::array<http::Route, 3> routes_{http::Route{"/", http::handler<&App::hello>(*this)},
                                           {"/long", http::handler<&App::long_answer>(*this)},
                                           {"/file", http::handler<&App::file>(*this)}};
  port::Port& port_;
  port::File root_{};
};

struct ServerStage {
  Conversation& talk;
  http::Server& server;
  TlsEnd& clients;
  bool shuts_down = false;

  Peer& connect(TlsPeerOptions options = {.server_name = "site.test"}) {
    Peer& peer = talk.connect_plain(https_port);
    peer.set_layer(clients.make(std::move(options)));
    return peer;
  }
  Peer& say(std::string_view text) {
    Peer& peer = connect();
    peer.say(text);
    pass();
    return peer;
  }
  void pass(port::Duration duration = 20ms) { talk.advance(duration); }
};

struct ServerScenario {
  const char* name;
  void (*play)(ServerStage& stage);
};

constexpr ServerScenario server_scenarios[] = {
    {"get, idle, and get again",
     [](ServerStage& stage) {
       Peer& peer = stage.say(get);
       stage.pass(1s);
       peer.say(get);
       stage.pass();
       peer.finish();
       stage.pass();
     }},
    {"resumed",
     [](ServerStage& stage) {
       Peer& first = stage.say(get);
       const std::string session = tls_of(first).session();
       first.close();
       stage.connect({.server_name = "site.test", .session = session}).say(get);
       stage.pass();
     }},
    {"long answer, slowly read",
     [](ServerStage& stage) {
       Peer& peer = stage.connect();
       stage.pass();
       peer.stop_reading();
       peer.say(get_long);
       stage.pass(100ms);
       peer.resume_reading();
       stage.pass(100ms);
     }},
    {"file", [](ServerStage& stage) { stage.say(get_file); }},
    {"http on the port of https",
     [](ServerStage& stage) {
       Peer& peer = stage.talk.connect_plain(https_port);
       peer.say(get);
       stage.pass();
     }},
    {"handshakes that stop",
     [](ServerStage& stage) {
       stage.talk.connect_plain(https_port).say("\x16\x03\x01");
       Peer& peer = stage.connect({.server_name = "site.test", .split_at = 100});
       stage.pass(0ms);
       peer.reset();
       stage.pass();
     }},
    {"more than there are sessions",
     [](ServerStage& stage) {
       for (int i = 0; i < 6; ++i) {
         stage.connect().say(get);
       }
       stage.pass(100ms);
     }},
    {"shutdown",
     [](ServerStage& stage) {
       stage.say(get);
       stage.talk.connect_plain(https_port);
       stage.pass(0ms);
       stage.server.shutdown(1s);
       stage.pass(100ms);
       stage.shuts_down = true;
     }},
};

// What may fail in one run.
struct Faults {
  FaultPlan port{.calls = 0};
  std::uint64_t allocation = 0;  // the n-th of the arena, once the server listens
  bool and_later = false;
};

std::uint64_t run_server(const ServerScenario& scenario, TlsVersion version, const Faults& faults) {
  Conversation talk{Conversation::Options{.network = {.link = {.send_buffer = 900, .receive_buffer = 900}}}};
  talk.port().files().add_file("/www/page", std::string(6000, 'p'));
  port::FaultPort port{talk.port(), faults.port};
  const auto storage = std::make_unique<http::ServerStorage<server_limits>>();
  const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(server_limits)>>();
  std::uint64_t failures = 0;
  {
    TestLibrary library{port};
    library.forgive_lost(faults.allocation != 0 ? 4 : 0);
    TestServerMemory memory{server_tls};
    tls::ServerContext context{{.library = *library, .memory = memory.memory()}};
    EXPECT_TRUE(context.start(ServerWorld::sources({certificates::site})));
    TlsEnd clients{{.is_client = true, .min = version, .max = version}};
    App app{port};
    net::Loop loop{port, loop_storage->memory()};
    http::Server server{{.loop = loop, .handler = app, .memory = storage->memory()}};
    auto turn = [&] {
      loop.turn();
      const heap_guard::Allowed for_the_message;
      EXPECT_EQ(server.check(), "");
    };
    app.open_root();
    const bool is_listening =
        static_cast<bool>(server.listen({.endpoint = {port::Address::ipv4_any(https_port)}, .tls = &context}));
    const std::size_t listeners = talk.port().sockets_open();
    talk.set_turn<heap_guard::Forbidden>(turn);
    ServerStage stage{.talk = talk, .server = server, .clients = clients};
    const std::uint64_t blocks = tls_memory::blocks_inside();
    tls_memory::fail(faults.allocation, faults.and_later);
    scenario.play(stage);
    talk.advance(2s);
    failures = port.failures() + tls_memory::failures();

    // The bad time is over. Whoever is still there runs into a deadline, and the next client is served.
    tls_memory::fail(0);
    port.set_plan({.calls = 0});
    talk.advance(3min);
    EXPECT_EQ(server.connections().used, 0U);
    EXPECT_EQ(server.exchanges().used, 0U);
    EXPECT_EQ(context.sessions_used(), 0U);
    EXPECT_EQ(context.handshakes_under_way(), 0U);
    EXPECT_EQ(talk.port().sockets_open(), stage.shuts_down ? 0 : listeners);
    if (is_listening && !stage.shuts_down) {
      // After allocations that failed each session once: one that could not be made ready is by now.
      for (int i = 0; i < (faults.allocation != 0 ? server_tls.sessions : 1); ++i) {
        Peer& peer = stage.connect();
        peer.say(get);
        peer.want_head(200);
        peer.want("hello");
      }
      server.close();
    }
    talk.advance(3min);
    EXPECT_EQ(context.sessions_used(), 0U);
    if (faults.allocation == 0) {
      EXPECT_EQ(tls_memory::blocks_inside(), blocks);
    }
    app.close_root();
    talk.drop_layers();
  }
  EXPECT_EQ(talk.port().sockets_open(), 0U);
  EXPECT_EQ(talk.port().files_open(), 0U);
  EXPECT_EQ(tls_memory::blocks_inside(), 0U);
  return failures;
}

// ---- clients

constexpr http::TransportLimits client_limits{
    .connections = 3, .hosts = 2, .in_buffer = 4096, .out_buffer = 512, .head_size_max = 512, .fields_max = 8};
constexpr tls::ClientTlsLimits client_tls{.sessions = 2, .handshakes = 2, .cached = 2};

// A raw web server over TLS: whatever the request, an answer of three bytes, or a long one.
class TlsOrigin {
 public:
  TlsOrigin(Conversation& talk, TlsEnd& end) : end_{end}, listener_{talk.listen(https_port)} {}
  void move() {
    while (listener_.waiting() != 0) {
      Peer& peer = listener_.accept();
      peer.set_layer(end_.make());
      peers_.push_back(&peer);
    }
    for (Peer* const peer : peers_) {
      const std::size_t end = peer->received().find("\r\n\r\n");
      if (end == std::string::npos) {
        continue;
      }
      const std::string request = peer->take();
      if (request.find("/long") != std::string::npos) {
        peer->say("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n" + std::string(6000, 'l'));
      } else if (request.find("/until") != std::string::npos) {
        peer->say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc").finish();
      } else if (request.find("/cut") != std::string::npos) {
        peer->say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab");
        peer->end().finish();
      } else {
        peer->say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
      }
    }
  }

 private:
  TlsEnd& end_;
  RawServer& listener_;
  std::vector<Peer*> peers_;
};

struct ClientStage {
  Conversation& talk;
  http::Transport& transport;
  TlsOrigin& origin;
  std::deque<Trip>& trips;

  Trip& make(std::string_view method, const std::string& path) {
    Trip& trip = trips.emplace_back(transport);
    trip.trip.request().start(method, "https://127.0.0.1" + path);
    return trip;
  }
  Trip& get(const std::string& path) {
    Trip& trip = make("GET", path);
    trip.go();
    return trip;
  }
  void pass(port::Duration duration = 20ms) {
    const port::Time until = talk.now() + duration;
    for (int i = 0; i < 12; ++i) {
      talk.step(talk.now());
      origin.move();
    }
    while (talk.now() < until) {
      talk.step(std::min(until, talk.now() + std::max<port::Duration>(5ms, duration / 4)));
      origin.move();
    }
  }
};

struct ClientScenario {
  const char* name;
  void (*play)(ClientStage& stage);
};

constexpr ClientScenario client_scenarios[] = {
    {"get, and get again",
     [](ClientStage& stage) {
       stage.get("/");
       stage.pass();
       stage.get("/");
       stage.pass();
     }},
    {"resumed",
     [](ClientStage& stage) {
       stage.get("/until");
       stage.pass();
       stage.get("/until");
       stage.pass();
     }},
    {"post of many bytes, and a long answer",
     [](ClientStage& stage) {
       static const std::string body(5000, 'b');
       Trip& trip = stage.make("POST", "/long");
       trip.trip.request().set_body(body);
       trip.go();
       stage.pass(200ms);
     }},
    {"an answer that is cut",
     [](ClientStage& stage) {
       stage.get("/cut");
       stage.pass();
     }},
    {"more than there are sessions",
     [](ClientStage& stage) {
       for (int i = 0; i < 4; ++i) {
         stage.get(i == 1 ? "/long" : "/");
       }
       stage.pass(100ms);
     }},
    {"cancelled in the handshake",
     [](ClientStage& stage) {
       Trip& trip = stage.get("/");
       for (int i = 0; i < 3; ++i) {
         stage.talk.step(stage.talk.now());
       }
       trip.trip.cancel();
       stage.pass();
     }},
};

std::uint64_t run_client(const ClientScenario& scenario, TlsVersion version, const Faults& faults) {
  Conversation talk{Conversation::Options{.network = {.link = {.send_buffer = 900, .receive_buffer = 900}}}};
  port::FaultPort port{talk.port(), faults.port};
  const auto storage = std::make_unique<http::TransportStorage<client_limits>>();
  const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(client_limits)>>();
  std::uint64_t failures = 0;
  {
    TestLibrary library{port};
    library.forgive_lost(faults.allocation != 0 ? 4 : 0);
    TestClientMemory memory{client_tls};
    TestTrust trust{{certificates::ca}};
    tls::ClientContext context{{.library = *library, .memory = memory.memory(), .trust = &*trust}};
    EXPECT_TRUE(context.start());
    TlsEnd servers{{.is_client = false, .min = version, .max = version, .own = {certificates::everywhere}}};
    net::Loop loop{port, loop_storage->memory()};
    std::deque<Trip> trips;
    http::Transport transport{{.loop = loop,
                               .memory = storage->memory(),
                               .tls = &context,
                               .timeouts = {.connect = 5s, .tls_handshake = 5s, .idle_conn = 30s}}};
    auto turn = [&] {
      loop.turn();
      const heap_guard::Allowed for_the_message;
      EXPECT_EQ(transport.check(), "");
    };
    talk.set_turn<heap_guard::Forbidden>(turn);
    TlsOrigin origin{talk, servers};
    ClientStage stage{.talk = talk, .transport = transport, .origin = origin, .trips = trips};
    const std::uint64_t blocks = tls_memory::blocks_inside();
    tls_memory::fail(faults.allocation, faults.and_later);
    scenario.play(stage);
    stage.pass(1s);
    failures = port.failures() + tls_memory::failures();

    tls_memory::fail(0);
    port.set_plan({.calls = 0});
    stage.pass(100ms);
    talk.advance(3min);
    EXPECT_EQ(transport.round_trips_under_way(), 0U);
    for (std::size_t i = 0; i < trips.size(); ++i) {
      EXPECT_EQ(trips[i].answers, 1) << "round trip " << i;
      const bool has_error = trips[i].error.cause != http::CallCause::none;
      EXPECT_TRUE(has_error || trips[i].status == 200) << "round trip " << i;
      if (!has_error) {
        EXPECT_TRUE(trips[i].body == "abc" || trips[i].body.size() == 6000)
            << "round trip " << i << ": " << trips[i].body.size();
      }
    }
    EXPECT_EQ(transport.connections_used(), 0U);
    EXPECT_EQ(context.sessions_used(), 0U);
    EXPECT_EQ(context.handshakes_under_way(), 0U);
    EXPECT_EQ(talk.port().sockets_open(), 0U);
    if (faults.allocation == 0) {
      EXPECT_EQ(tls_memory::blocks_inside(), blocks);
    }
    // And everything works again.
    for (int i = 0; i < (faults.allocation != 0 ? client_tls.sessions : 1); ++i) {
      Trip& last = stage.get("/");
      stage.pass();
      EXPECT_EQ(last.status, 200) << http::describe(last.error.cause);
      EXPECT_EQ(last.body, "abc");
    }
    talk.drop_layers();
  }
  EXPECT_EQ(talk.port().sockets_open(), 0U);
  EXPECT_EQ(tls_memory::blocks_inside(), 0U);
  return failures;
}

// ---- sweeps

class TlsFault : public testing::TestWithParam<TlsVersion> {
 protected:
  // Runs `run(n)` for n from 1 until it says that nothing was left to fail. How many there were. From `dense` on only every `stride`-th, as
  // neighbours are alike: the thousands of allocations of one signature, or what fails from one call on or from the next. (All with
  // POLLUX_TLS_EVERY in the environment.)
  template <typename Run>
  static std::uint64_t until_nothing_fails(const char* name, Run run, std::uint64_t dense = UINT64_MAX,
                                           std::uint64_t stride = 7) {
    static const bool takes_every = std::getenv("POLLUX_TLS_EVERY") != nullptr;
    for (std::uint64_t n = 1;; n += n < dense || takes_every ? 1 : stride) {
      SCOPED_TRACE(std::string{name} + ", number " + std::to_string(n));
      if (run(n) == 0 || HasFailure()) {
        return n - 1;
      }
      if (n >= 20'000) {
        ADD_FAILURE() << "it never runs out";
        return n;
      }
    }
  }
  std::uint64_t sweep_servers(std::uint32_t calls, bool and_later) {
    std::uint64_t most = 0;
    for (const ServerScenario& scenario : server_scenarios) {
      most = std::max(most, until_nothing_fails(
                                scenario.name,
                                [&](std::uint64_t n) {
                                  return run_server(scenario, GetParam(),
                                                    {.port = {.calls = calls, .first = n, .and_later = and_later}});
                                },
                                and_later ? 1 : UINT64_MAX, 3));
    }
    return most;
  }
  std::uint64_t sweep_clients(std::uint32_t calls, bool and_later) {
    std::uint64_t most = 0;
    for (const ClientScenario& scenario : client_scenarios) {
      most = std::max(most, until_nothing_fails(
                                scenario.name,
                                [&](std::uint64_t n) {
                                  return run_client(scenario, GetParam(),
                                                    {.port = {.calls = calls, .first = n, .and_later = and_later}});
                                },
                                and_later ? 1 : UINT64_MAX, 3));
    }
    return most;
  }
};
INSTANTIATE_TEST_SUITE_P(Tls, TlsFault, each_version, version_name_of);

// The calls before these are those of starting and listening, which server_fault_test has.
constexpr std::uint32_t conversation_calls =
    port::fault_bit(FaultCall::accept) | port::fault_bit(FaultCall::connect) |
    port::fault_bit(FaultCall::connect_result) | port::fault_bit(FaultCall::recv) | port::fault_bit(FaultCall::send) |
    port::fault_bit(FaultCall::poll) | port::fault_bit(FaultCall::park) | port::fault_bit(FaultCall::open_file) |
    port::fault_bit(FaultCall::read_file);

TEST_P(TlsFault, EachCallOfAServerFailsOnce) {
  EXPECT_GT(sweep_servers(conversation_calls, false), 30U);
}
TEST_P(TlsFault, EverythingFailsToAServerFromSomeCallOn) {
  EXPECT_GT(sweep_servers(conversation_calls, true), 30U);
}
TEST_P(TlsFault, EachCallOfAClientFailsOnce) {
  EXPECT_GT(sweep_clients(conversation_calls, false), 30U);
}
TEST_P(TlsFault, EverythingFailsToAClientFromSomeCallOn) {
  EXPECT_GT(sweep_clients(conversation_calls, true), 30U);
}
TEST_P(TlsFault, SendingOrReceivingAloneFails) {
  for (const FaultCall call : {FaultCall::recv, FaultCall::send}) {
    EXPECT_GT(sweep_servers(port::fault_bit(call), true), 5U);
    EXPECT_GT(sweep_clients(port::fault_bit(call), true), 5U);
  }
}
TEST_P(TlsFault, CallsFailAtRandom) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    for (const ServerScenario& scenario : server_scenarios) {
      SCOPED_TRACE(std::string{scenario.name} + ", seed " + std::to_string(seed));
      run_server(scenario, GetParam(), {.port = {.calls = conversation_calls, .probability = 0.1, .seed = seed}});
    }
    for (const ClientScenario& scenario : client_scenarios) {
      SCOPED_TRACE(std::string{scenario.name} + ", seed " + std::to_string(seed));
      run_client(scenario, GetParam(), {.port = {.calls = conversation_calls, .probability = 0.1, .seed = seed}});
    }
  }
}

// ---- the arena. A handshake allocates some thousand times, so the connections follow each other in one program.

// Blocks that mbedTLS may lose in one sweep: see TestLibrary::forgive_lost().
constexpr std::uint64_t lost_max = 4;

class AllocationFault : public TlsFault {
 protected:
  static constexpr std::uint64_t dense = 300;

  void sweep_server(bool asks, bool and_later, std::uint64_t count_min) {
    TestTrust trust{{certificates::ca}};
    TlsEndOptions clients = clients_of(GetParam());
    clients.own = {certificates::client};
    ServerWorld world{{.own = {certificates::site, certificates::second},
                       .client_auth = asks ? tls::ClientAuth::require : tls::ClientAuth::none,
                       .client_ca = asks ? &*trust : nullptr,
                       .clients = clients}};
    world.library.forgive_lost(lost_max);
    const std::uint64_t blocks = tls_memory::blocks_inside();
    std::uint64_t no_memory = 0;
    const auto run = [&](std::uint64_t n) {
      tls_memory::fail(n, and_later);
      Peer& peer = world.connect();
      peer.say("hello").finish();
      Link& link = world.newest();
      world.talk.run_until([&] { return link.is_over() || link.has_ended || link.stage == Link::Stage::waiting; });
      const std::uint64_t failures = tls_memory::failures();
      EXPECT_TRUE(failures != 0 || link.in == "hello") << tls::describe(link.error.error) << " " << link.error.code;
      EXPECT_TRUE(!asks || link.in.empty() || link.info.verified) << "somebody got in unseen";
      no_memory += link.error.error == tls::Error::no_memory ? 1 : 0;
      tls_memory::fail(0);
      world.program.close(link);
      world.talk.forget_peers();
      EXPECT_EQ(world.context.sessions_used(), 0U);
      EXPECT_EQ(world.context.handshakes_under_way(), 0U);
      // A session may lack what its next handshake begins with; it is made ready when it is lent.
      EXPECT_LE(tls_memory::blocks_inside(), blocks + lost_max);
      return failures;
    };
    EXPECT_GT(until_nothing_fails(asks ? "with client certificates" : "plainly", run, dense), count_min);
    EXPECT_GT(no_memory, 0U);
    world.connect().say("hello");
    Link& link = world.open_newest();
    world.want(link, "hello");
  }

  void sweep_client(const TestCertificate& own, bool and_later, std::uint64_t count_min) {
    ClientWorld world{{.trust = {certificates::ca, certificates::rsa_ca},
                       .servers = {.is_client = false, .min = GetParam(), .max = GetParam(), .own = {own}}}};
    world.library.forgive_lost(lost_max);
    const std::uint64_t blocks = tls_memory::blocks_inside();
    std::uint64_t no_memory = 0;
    const auto run = [&](std::uint64_t n, bool may_resume) {
      if (!may_resume) {
        world.context.forget_sessions();
      }
      tls_memory::fail(n, and_later);
      Link& link = world.connect();
      Peer& peer = world.accept();
      peer.say("hello").finish();
      world.talk.run_until([&] { return link.is_over() || link.has_ended || link.stage == Link::Stage::waiting; });
      const std::uint64_t failures = tls_memory::failures();
      EXPECT_TRUE(failures != 0 || link.in == "hello") << tls::describe(link.error.error) << " " << link.error.code;
      EXPECT_TRUE(link.in.empty() || link.info.verified);
      no_memory += link.error.error == tls::Error::no_memory ? 1 : 0;
      tls_memory::fail(0);
      world.program.close(link);
      world.talk.forget_peers();
      EXPECT_EQ(world.context.sessions_used(), 0U);
      EXPECT_EQ(world.context.handshakes_under_way(), 0U);
      EXPECT_LE(tls_memory::blocks_inside(), blocks + lost_max);
      return failures;
    };
    EXPECT_GT(until_nothing_fails(
                  "full", [&](std::uint64_t n) { return run(n, false); }, dense),
              count_min);
    // A handshake that fails makes its session forgotten: each that is resumed needs a full one before it.
    EXPECT_GT(until_nothing_fails(
                  "resumed",
                  [&](std::uint64_t n) {
                    run(0, true);
                    return run(n, true);
                  },
                  dense / 3),
              10U);
    EXPECT_GT(no_memory, 0U);
  }

  // The worst that could be: a check that is skipped because there was no memory for it.
  void sweep_bad_certificate(const TestCertificate& own, bool and_later) {
    ClientWorld world{{.servers = {.is_client = false, .min = GetParam(), .max = GetParam(), .own = {own}}}};
    world.library.forgive_lost(lost_max);
    const auto run = [&](std::uint64_t n) {
      tls_memory::fail(n, and_later);
      Link& link = world.connect();
      Peer& peer = world.accept();
      world.talk.run_until([&] { return link.is_over() || link.is_open() || link.stage == Link::Stage::waiting; });
      const std::uint64_t failures = tls_memory::failures();
      tls_memory::fail(0);
      EXPECT_FALSE(link.is_open());
      EXPECT_FALSE(link.info.verified);
      world.program.close(link, false);
      peer.reset();
      world.talk.forget_peers();
      return failures;
    };
    until_nothing_fails("bad certificate", run, dense);
  }
};
INSTANTIATE_TEST_SUITE_P(Tls, AllocationFault, each_version, version_name_of);

TEST_P(AllocationFault, OfAServer) {
  sweep_server(false, false, 400);
  sweep_server(false, true, 400);
}
TEST_P(AllocationFault, OfAServerThatAsksForCertificates) {
  sweep_server(true, false, 2000);
}
TEST_P(AllocationFault, OfAClient) {
  sweep_client(certificates::by_intermediate, false, 2000);
  sweep_client(certificates::site_rsa, true, 60);
}
TEST_P(AllocationFault, MakesNoBadCertificateGood) {
  for (const TestCertificate& own : {certificates::expired, certificates::wrong_name, certificates::by_other_ca,
                                     certificates::by_intermediate_alone, certificates::wrong_usage}) {
    sweep_bad_certificate(own, false);
  }
  sweep_bad_certificate(certificates::self_signed, true);
}

TEST(TlsFaultStart, EachAllocationFails) {
  for (const bool is_server : {true, false}) {
    Conversation talk;
    TestLibrary library{talk.port()};
    const std::uint64_t blocks = tls_memory::blocks_inside();
    TestServerMemory server_memory{server_tls};
    TestClientMemory client_memory{client_tls};
    TestTrust trust{{certificates::ca}};
    const tls::CertificateSource own = source_of(certificates::site);
    std::uint64_t n = 0;
    bool is_started = false;
    while (!is_started && n < 5000) {
      tls_memory::fail(++n);
      {
        tls::ServerContext server{{.library = *library, .memory = server_memory.memory()}};
        tls::ClientContext client{{.library = *library, .memory = client_memory.memory(), .trust = &*trust}};
        const auto started = is_server ? server.start(std::span{&own, 1}) : client.start(&own);
        is_started = static_cast<bool>(started);
        EXPECT_EQ(is_started, tls_memory::failures() == 0) << "allocation " << n;
      }
      EXPECT_EQ(tls_memory::blocks_inside(), blocks) << "allocation " << n;
    }
    EXPECT_TRUE(is_started);
    EXPECT_GT(n, 20U);
    tls_memory::fail(0);
  }
}

TEST(TlsFaultStart, EachAllocationOfAReloadFails) {
  ServerWorld world;
  const std::uint64_t blocks = tls_memory::blocks_inside();
  std::uint64_t n = 0;
  for (bool is_done = false; !is_done;) {
    tls_memory::fail(++n);
    const auto reloaded = world.context.reload(ServerWorld::sources({certificates::site_rsa}));
    is_done = static_cast<bool>(reloaded);
    EXPECT_EQ(is_done, tls_memory::failures() == 0) << "allocation " << n;
    if (!is_done) {
      EXPECT_EQ(tls_memory::blocks_inside(), blocks) << "allocation " << n;
      ASSERT_EQ(world.context.certificates().size(), 1U);
      EXPECT_EQ(world.context.certificates()[0].not_after, 4'102'444'799);
    }
    ASSERT_LT(n, 5000U);
  }
  tls_memory::fail(0);
  EXPECT_GT(n, 20U);
  EXPECT_EQ(world.context.counters().reloads, 1U);
}

// And below servers and transports.
TEST_P(AllocationFault, AtRandom) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    port::SimRandom random{seed};
    for (const ServerScenario& scenario : server_scenarios) {
      SCOPED_TRACE(std::string{scenario.name} + ", seed " + std::to_string(seed));
      run_server(scenario, GetParam(), {.allocation = random.between(1, 900), .and_later = random.chance(0.5)});
    }
    for (const ClientScenario& scenario : client_scenarios) {
      SCOPED_TRACE(std::string{scenario.name} + ", seed " + std::to_string(seed));
      run_client(scenario, GetParam(), {.allocation = random.between(1, 2500), .and_later = random.chance(0.5)});
    }
  }
}

}  // namespace
}  // namespace pollux::test
