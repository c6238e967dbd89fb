// The programs that leak connections with net/http - bodies never read, never closed, a client for each request - cannot leak here.

#include <memory>
#include <string>
#include <vector>

#include "tests/http/caller.hpp"

namespace pollux::test {
namespace {

// Answers whatever comes, on every connection, `answer`.
struct Answering {
  Answering(Caller<>& the_caller, RawServer& the_origin, std::string_view text)
      : caller{the_caller}, origin{the_origin}, answer{text} {}
  // Runs for `duration` in steps of 20 ms.
  void run(port::Duration duration) {
    for (port::Duration at{}; at < duration; at += 20ms) {
      caller.talk.advance(20ms);
      if (origin.waiting() != 0) {
        peers.push_back(&origin.accept());
      }
      for (Peer* peer : peers) {
        while (peer->received().find("\r\n\r\n") != std::string::npos) {
          static_cast<void>(peer->want_containing("\r\n\r\n"));
          peer->say(answer);
        }
      }
    }
  }
  Caller<>& caller;
  RawServer& origin;
  std::string answer;
  std::vector<Peer*> peers;
};

// The four cases: read or not, let go or not; with and without keep-alive.
TEST(TransportLeak, EveryCaseEndsWithTheConnectionReusedOrClosed) {
  for (const bool disable_keep_alives : {false, true}) {
    for (const Trip::Use use : {Trip::Use::read, Trip::Use::let_go, Trip::Use::keep}) {
      for (const std::string_view answer :
           {ok_abc, std::string_view{"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc"},
            std::string_view{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}}) {
        Caller<> caller{{.timeouts = {.body_idle = 2s, .body_unread = 1s}, .disable_keep_alives = disable_keep_alives}};
        RawServer& origin = caller.talk.listen(80);
        Answering answering{caller, origin, answer};
        // Twenty requests for six slots: whoever holds one without reading gives it up when its time is over.
        for (int i = 0; i < 20; ++i) {
          Trip& trip = caller.make("GET", "http://127.0.0.1/");
          trip.use = use;
          trip.go();
        }
        answering.run(12s);
        EXPECT_EQ(caller.transport.counters().answered, 20U);
        EXPECT_EQ(caller.transport.round_trips_under_way(), 0U);
        EXPECT_EQ(caller.transport.connections_used(), caller.transport.connections_idle());
        EXPECT_LE(caller.transport.connections_idle(), 2U);
        EXPECT_EQ(caller.transport.connections_used_max(), 6U);
        EXPECT_EQ(caller.transport.counters().abandoned, use == Trip::Use::keep ? 20U : 0U);
      }
    }
  }
}

TEST(TransportLeak, AClientForEachRequestLeavesNothingBehind) {
  Conversation talk;
  RawServer& origin = talk.listen(80);
  for (int i = 0; i < 50; ++i) {
    const auto storage = std::make_unique<http::TransportStorage<caller_limits>>();
    const auto loop_storage = std::make_unique<net::LoopStorage<http::sockets_max(caller_limits)>>();
    net::Loop loop{talk.port(), loop_storage->memory()};
    const http::TransportMemory memory = storage->memory();
    {
      http::Transport transport{{.loop = loop, .memory = memory}};
      auto turn = [&loop] { loop.turn(); };
      talk.set_turn(turn);
      Trip trip{transport};
      trip.trip.request().start("GET", "http://127.0.0.1/");
      trip.use = static_cast<Trip::Use>(i % 3);
      trip.go();
      Peer& peer = origin.accept();
      static_cast<void>(peer.want_containing("\r\n\r\n"));
      peer.say(i % 2 == 0 ? ok_abc : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
      talk.advance(5ms);
      EXPECT_EQ(trip.status, 200);
    }
    EXPECT_EQ(talk.port().sockets_open(), 0U) << i;
    auto idle = [&talk] { talk.network().advance(1ms); };
    talk.set_turn(idle);
  }
}

}  // namespace
}  // namespace pollux::test
