// The pool scenarios of net/http: who gets which connection, and what becomes of it (net-http.md 2, vectors.md 5.8).

#include <string>
#include <vector>

#include "tests/http/caller.hpp"

namespace pollux::test {
namespace {

using http::CallCause;

TEST(TransportPool, AnswerReadToItsEndGivesTheConnectionBack) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Peer* peer = nullptr;
  for (int i = 0; i < 3; ++i) {
    Trip& trip = caller.get();
    if (peer == nullptr) {
      peer = &origin.accept();
    }
    peer->want(get_root);
    peer->say(ok_abc);
    caller.want(trip, 200, "abc");
    EXPECT_EQ(trip.trip.was_reused(), i != 0);
  }
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  EXPECT_EQ(caller.transport.counters().reused, 2U);
  caller.expect_quiet(1);
}

// ---- vectors.md 5.8: three requests one after the other; how many connections and requests the peer saw

struct Scenario {
  const char* name;
  std::string_view method;
  std::string_view answer;
  bool closes;  // the peer finishes behind the answer
  Trip::Use use;
  std::size_t conns;  // for three round trips
  int status;
  std::string_view body;
};

class TransportPoolScenario : public testing::TestWithParam<Scenario> {};

TEST_P(TransportPoolScenario, UsesSoManyConnections) {
  const Scenario& scenario = GetParam();
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Peer* peer = nullptr;
  std::size_t conns = 0;
  for (int i = 0; i < 3; ++i) {
    Trip& trip = caller.make(scenario.method, "http://127.0.0.1/");
    trip.use = scenario.use;
    trip.go();
    caller.talk.advance(1ms);
    if (origin.waiting() != 0) {
      peer = &origin.accept();
      ++conns;
    }
    ASSERT_NE(peer, nullptr);
    static_cast<void>(peer->want_containing("\r\n\r\n"));
    peer->say(scenario.answer);
    if (scenario.closes) {
      peer->finish();
    }
    caller.want(trip, scenario.status, scenario.use == Trip::Use::read ? scenario.body : "");
    caller.talk.advance(30ms);
  }
  EXPECT_EQ(conns, scenario.conns);
  caller.talk.advance(100s);
  caller.expect_quiet(0);
}

constexpr auto read = Trip::Use::read;
constexpr auto let_go = Trip::Use::let_go;

INSTANTIATE_TEST_SUITE_P(
    Vectors, TransportPoolScenario,
    testing::Values(
        Scenario{"sized_read", "GET", ok_abc, false, read, 1, 200, "abc"},
        Scenario{"sized_let_go", "GET", ok_abc, false, let_go, 1, 200, ""},
        Scenario{"chunked_read", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                 false, read, 1, 200, "abc"},
        Scenario{"chunked_let_go", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                 false, let_go, 1, 200, ""},
        Scenario{"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, read, 1, 200, ""},
        Scenario{"no_content", "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, let_go, 1, 204, ""},
        Scenario{"not_modified_with_length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false,
                 read, 1, 304, ""},
        Scenario{"says_close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", false,
                 read, 3, 200, "abc"},
        Scenario{"http_1_0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, read, 3, 200, "abc"},
        Scenario{"http_1_0_keep_alive", "GET",
                 "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", false, read, 1, 200,
                 "abc"},
        Scenario{"bytes_behind_the_body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcX", false, read, 3,
                 200, "abc"},
        Scenario{"until_close", "GET", "HTTP/1.1 200 OK\r\n\r\nabc", true, read, 3, 200, "abc"},
        Scenario{"closes_idle", "GET", ok_abc, true, read, 3, 200, "abc"},
        Scenario{"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", false, read, 1, 200, ""},
        Scenario{"head_with_body", "HEAD", ok_abc, false, read, 3, 200, ""},
        Scenario{"length_and_chunked", "GET",
                 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                 false, read, 3, 200, "abc"}),
    [](const auto& scenario) { return std::string{scenario.param.name}; });

// ---- errors and retries

TEST(TransportPool, FirstRequestOnAFreshConnectionIsNeverRepeated) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.finish();
  caller.want_error(trip, CallCause::closed);
  EXPECT_EQ(trip.error.stage, http::CallStage::head);
  EXPECT_FALSE(trip.error.retry_safe);
  EXPECT_EQ(trip.trip.retries(), 0U);
  origin.want_nobody(1s);
  caller.expect_quiet();
}

// One round trip on a connection, then `method` on the same connection, which the peer ends with `last` words.
struct Stale {
  Stale(std::string_view method, std::string_view last, bool idempotency_key = false, bool with_body = false) {
    Trip& first = caller.get();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(ok_abc);
    caller.want(first, 200, "abc");
    Trip& second = caller.make(method, "http://127.0.0.1/");
    if (idempotency_key) {
      second.trip.request().add("X-Idempotency-Key", "1");
    }
    if (with_body) {
      second.trip.request().set_body("hello");
    }
    second.go();
    static_cast<void>(peer.want_containing("\r\n\r\n"));
    if (with_body) {
      peer.want("hello");
    }
    peer.say(last);
    peer.finish();
    trip = &second;
  }
  void want_retry() {
    Peer& next = origin.accept();
    static_cast<void>(next.want_containing("\r\n\r\n"));
    next.say(ok_abc);
    caller.run(*trip);
    EXPECT_EQ(trip->error.cause, CallCause::none);
    EXPECT_EQ(trip->status, 200);
    EXPECT_EQ(trip->trip.retries(), 1U);
  }
  void want_error(CallCause cause) {
    caller.want_error(*trip, cause);
    EXPECT_EQ(trip->trip.retries(), 0U);
    origin.want_nobody(1s);
    caller.expect_quiet();
  }
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip* trip = nullptr;
};

TEST(TransportPool, GetOnAStaleConnectionIsRepeated) {
  Stale{"GET", ""}.want_retry();
}
TEST(TransportPool, HeadOnAStaleConnectionIsRepeated) {
  Stale{"HEAD", ""}.want_retry();
}
TEST(TransportPool, OptionsOnAStaleConnectionIsRepeated) {
  Stale{"OPTIONS", ""}.want_retry();
}
TEST(TransportPool, GetWithABodyThatCanBeSentAgainIsRepeated) {
  Stale{"GET", "", false, true}.want_retry();
}
TEST(TransportPool, PostWithAnIdempotencyKeyIsRepeated) {
  Stale{"POST", "", true}.want_retry();
}
TEST(TransportPool, PostOnAStaleConnectionIsNot) {
  Stale{"POST", ""}.want_error(CallCause::closed);
}
TEST(TransportPool, PostWithBodyOnAStaleConnectionIsNot) {
  Stale{"POST", "", false, true}.want_error(CallCause::closed);
}
TEST(TransportPool, DeleteOnAStaleConnectionIsNot) {
  Stale{"DELETE", ""}.want_error(CallCause::closed);
}
TEST(TransportPool, PartOfAStatusLineIsFinal) {
  Stale{"GET", "HTT"}.want_error(CallCause::closed);
}
TEST(TransportPool, PartOfAHeadIsFinal) {
  Stale{"GET", "HTTP/1.1 200 OK\r\nA: b"}.want_error(CallCause::closed);
}
TEST(TransportPool, GarbageIsFinal) {
  Stale{"GET", "garbage\r\n\r\n"}.want_error(CallCause::not_http);
}

TEST(TransportPool, ResetInsteadOfAnAnswerIsRepeatedOnAStaleConnection) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  Trip& second = caller.get();
  peer.want(get_root);
  peer.reset();
  Peer& next = origin.accept();
  next.want(get_root);
  next.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_EQ(second.trip.retries(), 1U);
  EXPECT_FALSE(second.trip.was_reused());
}

TEST(TransportPool, ConnectionThatWasResetWhileIdleIsNotUsed) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  peer.reset();
  Trip& second = caller.make("POST", "http://127.0.0.1/");
  second.trip.request().set_body("hello");
  second.go();
  Peer& next = origin.accept();
  static_cast<void>(next.want_containing("hello"));
  next.say(ok_abc);
  caller.want(second, 200, "abc");
}

TEST(TransportPool, RetryStopsWithTheFreshConnection) {
  Stale stale{"GET", ""};
  Peer& next = stale.origin.accept();
  next.want(get_root);
  next.finish();
  stale.caller.want_error(*stale.trip, CallCause::closed);
  EXPECT_EQ(stale.trip->trip.retries(), 1U);
  stale.origin.want_nobody(1s);
  stale.caller.expect_quiet();
}

// ---- idle connections

TEST(TransportPool, NewestIdleConnectionIsTakenFirst) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& a = caller.get("http://127.0.0.1/a");
  Peer& peer_a = origin.accept();
  Trip& b = caller.get("http://127.0.0.1/b");
  Peer& peer_b = origin.accept();
  static_cast<void>(peer_a.want_containing("\r\n\r\n"));
  static_cast<void>(peer_b.want_containing("\r\n\r\n"));
  peer_b.say(ok_abc);
  caller.want(b, 200, "abc");
  caller.talk.advance(1s);
  peer_a.say(ok_abc);
  caller.want(a, 200, "abc");
  Trip& c = caller.get("http://127.0.0.1/c");
  static_cast<void>(peer_a.want_containing("GET /c"));
  EXPECT_TRUE(peer_b.received().empty());
  c.trip.cancel();
  caller.run(c);
}

TEST(TransportPool, NoMoreIdleConnectionsAreKeptThanAllowed) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  std::vector<Trip*> trips;
  std::vector<Peer*> peers;
  for (int i = 0; i < 4; ++i) {
    trips.push_back(&caller.get());
    peers.push_back(&origin.accept());
    peers.back()->want_connected();
  }
  for (int i = 0; i < 4; ++i) {
    peers[i]->want(get_root);
    peers[i]->say(ok_abc);
    caller.want(*trips[i], 200, "abc");
  }
  peers[0]->want_nothing(10ms);
  peers[2]->want_closed();
  peers[3]->want_closed();
  caller.expect_quiet(2);
}

TEST(TransportPool, IdleConnectionsOfAllHostsAreLimitedAndTheOldestGoes) {
  Caller<> caller{{.max_idle_conns = 2}};
  std::vector<Peer*> peers;
  for (const std::uint16_t port : {std::uint16_t{81}, std::uint16_t{82}, std::uint16_t{83}}) {
    RawServer& origin = caller.talk.listen(port);
    Trip& trip = caller.get("http://127.0.0.1:" + std::to_string(port) + "/");
    peers.push_back(&origin.accept());
    static_cast<void>(peers.back()->want_containing("\r\n\r\n"));
    peers.back()->say(ok_abc);
    caller.want(trip, 200, "abc");
  }
  peers[0]->want_closed();
  peers[1]->want_nothing(10ms);
  peers[2]->want_nothing(10ms);
  EXPECT_EQ(caller.transport.counters().evicted, 1U);
  caller.expect_quiet(2);
}

TEST(TransportPool, IdleConnectionIsClosedAfterItsTime) {
  Caller<> caller{{.timeouts = {.idle_conn = 20ms}}};
  RawServer& origin = caller.talk.listen(80);
  for (int i = 0; i < 3; ++i) {
    Trip& trip = caller.get();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(ok_abc);
    caller.want(trip, 200, "abc");
    peer.want_closed();
  }
}

TEST(TransportPool, ConnectionOfItsFullAgeIsNotUsedAgain) {
  Caller<> caller{{.timeouts = {.conn_lifetime = 10s}}};
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  caller.talk.advance(11s);
  Trip& second = caller.get();
  Peer& next = origin.accept();
  next.want(get_root);
  next.say(ok_abc);
  caller.want(second, 200, "abc");
  peer.want_closed();
}

TEST(TransportPool, UnsolicitedBytesEndAnIdleConnection) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  peer.say("HTTP/1.1 200 OK\r\n\r\n");
  caller.expect_quiet(0);
  EXPECT_EQ(caller.transport.counters().unsolicited, 1U);
}

TEST(TransportPool, A408OnAnIdleConnectionIsAnOrdinaryEnd) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  peer.say("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
  caller.expect_quiet(0);
  EXPECT_EQ(caller.transport.counters().unsolicited, 0U);
}

TEST(TransportPool, ConnectionThatEndsInTheSameTurnIsNotHandedOut) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  peer.finish();
  caller.talk.network().advance(10ms);  // it has arrived, and no turn has seen it
  Trip& second = caller.get();
  Peer& next = origin.accept();
  next.want(get_root);
  next.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_EQ(second.trip.retries(), 0U);
}

// ---- late binding

TEST(TransportPool, WaiterTakesAConnectionThatComesBackBeforeItsOwnDialIsThere) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get("http://127.0.0.1/1");
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  caller.talk.network().set_connect_rule({.to = port::Address::ipv4_loopback(80), .delay = 500ms});
  Trip& second = caller.get("http://127.0.0.1/2");
  caller.talk.advance(10ms);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  static_cast<void>(peer.want_containing("GET /2"));  // although its own dial takes half a second
  peer.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_TRUE(second.trip.was_reused());
  caller.talk.advance(1s);
  static_cast<void>(origin.accept());
  caller.expect_quiet(2);  // the surplus dial is in the pool
  EXPECT_EQ(caller.transport.counters().dials, 2U);
}

TEST(TransportPool, DialSurvivesItsCallersCancel) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(81);
  caller.talk.network().set_connect_rule({.to = port::Address::ipv4_loopback(81), .delay = 500ms});
  for (int i = 0; i < 5; ++i) {
    Trip& trip = caller.get("http://127.0.0.1:81/");
    caller.talk.advance(1ms);
    trip.trip.cancel();
    caller.want_error(trip, CallCause::cancelled);
  }
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(origin.accept());
  }
  caller.talk.advance(1s);
  EXPECT_EQ(caller.transport.connections_idle(), 2U);  // and the others were closed
  caller.talk.network().set_connect_rule({.to = port::Address::ipv4_loopback(81), .delay = 0ms});
  Trip& trip = caller.get("http://127.0.0.1:81/");
  caller.talk.advance(10ms);
  EXPECT_TRUE(trip.trip.was_reused());
  trip.trip.cancel();
  caller.run(trip);
}

TEST(TransportPool, FailedDialIsItsOwnersOnly) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(81);
  Trip& first = caller.get("http://127.0.0.1:81/1");
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  caller.talk.network().set_connect_rule(
      {.to = port::Address::ipv4_loopback(81), .outcome = port::SimConnectRule::Outcome::refused, .delay = 500ms});
  Trip& second = caller.get("http://127.0.0.1:81/2");
  caller.talk.advance(10ms);
  peer.say(ok_abc);
  static_cast<void>(peer.want_containing("GET /2"));
  caller.talk.advance(1s);  // its dial fails, and it does not care
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  caller.want(second, 200, "abc");
  EXPECT_EQ(caller.transport.counters().dials_failed, 1U);
  Trip& third = caller.get("http://127.0.0.1:99/");
  caller.want_error(third, CallCause::refused);
  EXPECT_EQ(third.error.stage, http::CallStage::connect);
  EXPECT_TRUE(third.error.retry_safe);
}

TEST(TransportPool, WithoutKeepAliveEveryRequestHasItsOwnConnection) {
  Caller<> caller{{.disable_keep_alives = true}};
  RawServer& origin = caller.talk.listen(80);
  for (int i = 0; i < 3; ++i) {
    Trip& trip = caller.get();
    Peer& peer = origin.accept();
    peer.want("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nConnection: close\r\n\r\n");
    peer.say(ok_abc);
    caller.want(trip, 200, "abc");
    peer.want_closed();
  }
  caller.expect_quiet();
}

TEST(TransportPool, NegativeIdleLimitKeepsNone) {
  Caller<> caller{{.max_idle_conns_per_host = -1}};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  peer.want_closed();
}

// ---- limits

TEST(TransportPool, ConnectionsOfAHostAreLimitedAndWaitersAreServedInOrder) {
  Caller<> caller{{.max_conns_per_host = 1}};
  RawServer& origin = caller.talk.listen(80);
  std::vector<Trip*> trips;
  for (int i = 0; i < 5; ++i) {
    trips.push_back(&caller.get("http://127.0.0.1/" + std::to_string(i)));
  }
  Peer& peer = origin.accept();
  for (int i = 0; i < 5; ++i) {
    peer.want_prefix("GET /" + std::to_string(i) + " ");
    static_cast<void>(peer.want_containing("\r\n\r\n"));
    peer.say(ok_abc);
    caller.want(*trips[static_cast<std::size_t>(i)], 200, "abc");
  }
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  EXPECT_EQ(caller.transport.counters().waited_for_permit, 4U);
  caller.expect_quiet(1);
}

TEST(TransportPool, PermitIsHandedOnWhenAConnectionIsClosed) {
  Caller<> caller{{.max_conns_per_host = 1}};
  RawServer& origin = caller.talk.listen(80);
  std::vector<Trip*> trips;
  for (int i = 0; i < 3; ++i) {
    trips.push_back(&caller.get("http://127.0.0.1/" + std::to_string(i)));
  }
  trips[1]->trip.cancel();  // a waiter that gives up does not take the permit with it
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    Peer& peer = origin.accept();
    peer.want_prefix("GET /" + std::to_string(i) + " ");
    static_cast<void>(peer.want_containing("\r\n\r\n"));
    peer.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
    caller.want(*trips[i], 200, "abc");
    peer.want_closed();
  }
  caller.want_error(*trips[1], CallCause::cancelled);
  caller.expect_quiet();
}

TEST(TransportPool, PermitIsHandedOnWhenADialFails) {
  Caller<> caller{{.max_conns_per_host = 1}};
  Trip& first = caller.get();
  Trip& second = caller.get();
  caller.want_error(first, CallCause::refused);
  caller.want_error(second, CallCause::refused);
  caller.expect_quiet();
}

TEST(TransportPool, AllSlotsInUseMakesRoundTripsWaitInOrder) {
  Caller<> caller;  // six slots
  RawServer& origin = caller.talk.listen(80);
  std::vector<Trip*> trips;
  for (int i = 0; i < 9; ++i) {
    trips.push_back(&caller.get("http://127.0.0.1/" + std::to_string(i)));
  }
  std::vector<Peer*> peers;
  for (int i = 0; i < 6; ++i) {
    peers.push_back(&origin.accept());
    static_cast<void>(peers.back()->want_containing("\r\n\r\n"));
  }
  origin.want_nobody(1s);
  for (int i = 0; i < 9; ++i) {
    Peer& peer = *peers[static_cast<std::size_t>(i % 6)];
    if (i >= 6) {
      peer.want_prefix("GET /" + std::to_string(i) + " ");
      static_cast<void>(peer.want_containing("\r\n\r\n"));
    }
    peer.say(ok_abc);
    caller.want(*trips[static_cast<std::size_t>(i)], 200, "abc");
  }
  EXPECT_EQ(caller.transport.counters().waited_for_slot, 3U);
  caller.expect_quiet(2);
}

TEST(TransportPool, IdleConnectionOfAnotherHostMakesRoom) {
  Caller<http::TransportLimits{
      .connections = 2, .hosts = 4, .in_buffer = 4096, .out_buffer = 1024, .head_size_max = 2048}>
      caller;
  std::vector<Peer*> peers;
  for (const std::uint16_t port : {std::uint16_t{81}, std::uint16_t{82}, std::uint16_t{83}}) {
    RawServer& origin = caller.talk.listen(port);
    Trip& trip = caller.get("http://127.0.0.1:" + std::to_string(port) + "/");
    peers.push_back(&origin.accept());
    static_cast<void>(peers.back()->want_containing("\r\n\r\n"));
    peers.back()->say(ok_abc);
    caller.want(trip, 200, "abc");
  }
  peers[0]->want_closed();
  EXPECT_EQ(caller.transport.counters().evicted, 1U);
  caller.expect_quiet(2);
}

TEST(TransportPool, TooManyHostsIsAnErrorOfItsOwn) {
  Caller<> caller;  // four hosts
  std::vector<Trip*> trips;
  for (int i = 0; i < 4; ++i) {
    static_cast<void>(caller.talk.listen(static_cast<std::uint16_t>(81 + i)));
    trips.push_back(&caller.get("http://127.0.0.1:" + std::to_string(81 + i) + "/"));
  }
  Trip& fifth = caller.get("http://127.0.0.1:85/");
  caller.want_error(fifth, CallCause::too_many_hosts);
  for (Trip* trip : trips) {
    trip->trip.cancel();
    caller.run(*trip);
  }
  caller.talk.advance(1s);
  static_cast<void>(caller.talk.listen(86));
  Trip& sixth = caller.get("http://127.0.0.1:86/");  // an entry that only idle connections hold is given up
  caller.talk.advance(10ms);
  EXPECT_TRUE(sixth.trip.is_under_way());
  EXPECT_EQ(sixth.answers, 0);
  sixth.trip.cancel();
  caller.run(sixth);
}

// ---- the end

TEST(TransportPool, CloseIdleConnectionsClosesThemAndThoseThatBecomeIdle) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& idle = origin.accept();
  Trip& second = caller.get();
  Peer& busy = origin.accept();
  idle.want(get_root);
  idle.say(ok_abc);
  caller.want(first, 200, "abc");
  busy.want(get_root);
  caller.transport.close_idle_connections();
  idle.want_closed();
  busy.say(ok_abc);
  caller.want(second, 200, "abc");
  busy.want_closed();
  Trip& third = caller.get();  // whoever looks for a connection starts pooling again
  Peer& next = origin.accept();
  next.want(get_root);
  next.say(ok_abc);
  caller.want(third, 200, "abc");
  caller.expect_quiet(1);
}

TEST(TransportPool, NetworkChangeBeginsAgainWhatMayBeRepeated) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& get = caller.get("http://127.0.0.1/get");
  Peer& old_get = origin.accept();
  Trip& post = caller.make("POST", "http://127.0.0.1/post");
  post.go();
  Peer& old_post = origin.accept();
  static_cast<void>(old_get.want_containing("\r\n\r\n"));
  static_cast<void>(old_post.want_containing("\r\n\r\n"));
  caller.transport.network_changed();
  Peer& next = origin.accept();
  static_cast<void>(next.want_containing("GET /get "));
  next.say(ok_abc);
  caller.want(get, 200, "abc");
  old_post.say(ok_abc);
  caller.want(post, 200, "abc");
  old_get.want_gone();
}

TEST(TransportPool, CloseEndsEverything) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  Trip& second = caller.get();
  caller.transport.close();
  caller.want_error(first, CallCause::shut_down);
  caller.want_error(second, CallCause::shut_down);
  peer.want_gone();
  Trip& third = caller.get();
  caller.want_error(third, CallCause::shut_down);
  caller.expect_quiet();
}

TEST(TransportPool, RoundTripMayGoAwayAtAnyTime) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  {
    Trip trip{caller.transport};
    trip.trip.request().start("GET", test_url("http://127.0.0.1/"));
    trip.go();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\nabc");
    caller.talk.advance(10ms);
    EXPECT_EQ(trip.body, "abc");
  }
  caller.expect_quiet();
}

TEST(TransportPool, CallbackMayBeginTheNextRoundTrip) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  struct Again {
    int left = 3;
    void over(Trip& done) {
      if (left-- > 0) {
        done.go();
      }
    }
  } again;
  trip.then = net::callback<&Again::over>(again);
  trip.go();
  Peer& peer = origin.accept();
  for (int i = 0; i < 4; ++i) {
    peer.want(get_root);
    peer.say(ok_abc);
  }
  caller.talk.advance(10ms);
  EXPECT_EQ(caller.transport.counters().answered, 4U);
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  caller.expect_quiet(1);
}

}  // namespace
}  // namespace pollux::test
