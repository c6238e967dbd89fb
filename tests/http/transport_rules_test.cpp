// Rules of net/http's transport that its own tests pin and no other test of ours does; each names the test it mirrors.

#include <array>
#include <string>
#include <vector>

#include "tests/http/caller.hpp"
#include "tests/http/pieces.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;
using http::TraceEvent;

// Answers one request on `peer`.
void answer(Peer& peer, std::string_view text = ok_abc) {
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say(text);
}

// ---- the pool

// TestReuseRequest
TEST(TransportRules, RoundTripMayBeUsedAgainAndAgain) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  for (int i = 0; i < 3; ++i) {
    answer(peer);
    caller.want(trip, 200, "abc");
    if (i != 2) {
      trip.go();
    }
  }
  caller.expect_quiet(1);
}

// TestTransportIdleCacheKeys, TestCacheKeys: scheme, name and port in one writing
TEST(TransportRules, HostIsTheSameInEveryWriting) {
  POLLUX_NOT_OVER_TLS("it names port 80, which only http implies");
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  RawServer& other = caller.talk.listen(81);
  Trip& first = caller.get("http://LocalHost/");
  Peer& peer = origin.accept();
  answer(peer);
  caller.want(first, 200, "abc");
  for (const std::string_view url : {"http://localhost:80/", "HTTP://LOCALHOST/", "http://user@localhost/?q"}) {
    Trip& trip = caller.get(url);
    answer(peer);
    caller.want(trip, 200, "abc");
    EXPECT_TRUE(trip.trip.was_reused()) << url;
  }
  EXPECT_EQ(caller.transport.hosts_used(), 1U);
  Trip& trip = caller.get("http://localhost:81/");
  answer(other.accept());
  caller.want(trip, 200, "abc");
  EXPECT_EQ(caller.transport.hosts_used(), 2U);
  caller.transport.close_idle_connections();
  caller.expect_quiet();
  EXPECT_EQ(caller.transport.hosts_used(), 0U);
}

// TestTransportMaxConnsPerHostIncludeDialInProgress
TEST(TransportRules, DialUnderWayCountsForTheLimitOfAHost) {
  Caller<> caller{{.max_conns_per_host = 1}};
  RawServer& origin = caller.talk.listen(80);
  caller.talk.network().set_connect_rule({.to = port::Address::ipv4_loopback(80), .delay = 500ms});
  Trip& first = caller.get("http://127.0.0.1/1");
  Trip& second = caller.get("http://127.0.0.1/2");
  caller.talk.advance(100ms);
  EXPECT_EQ(caller.transport.connections_used(), 1U);
  first.trip.cancel();  // its dial goes on, and is the second one's
  caller.want_error(first, CallCause::cancelled);
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("GET /2"));
  peer.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  caller.expect_quiet(1);
}

// TestTransportMaxConnsPerHostDialCancellation: the dial that nobody waits for any more fails
TEST(TransportRules, FailedDialOfACancelledRoundTripHandsItsPermitOn) {
  Caller<> caller{{.max_conns_per_host = 1}};
  RawServer& origin = caller.talk.listen(80);
  caller.talk.network().set_connect_rule(
      {.to = port::Address::ipv4_loopback(80), .outcome = port::SimConnectRule::Outcome::refused, .delay = 500ms});
  Trip& first = caller.get("http://127.0.0.1/1");
  Trip& second = caller.get("http://127.0.0.1/2");
  caller.talk.advance(100ms);
  first.trip.cancel();
  caller.want_error(first, CallCause::cancelled);
  caller.talk.network().set_connect_rule({.to = port::Address::ipv4_loopback(80), .delay = 0ms});
  Peer& peer = origin.accept();
  answer(peer);
  caller.want(second, 200, "abc");
  caller.expect_quiet(1);
}

// TestTransportDecrementConnWhenIdleConnRemoved
TEST(TransportRules, EvictedConnectionGivesItsPermitBack) {
  Caller<> caller{{.max_idle_conns = 1, .max_conns_per_host = 1}};
  RawServer& first = caller.talk.listen(81);
  RawServer& second = caller.talk.listen(82);
  for (int i = 0; i < 3; ++i) {
    for (RawServer* origin : {&first, &second}) {
      Trip& trip = caller.get(origin == &first ? "http://127.0.0.1:81/" : "http://127.0.0.1:82/");
      answer(origin->accept());
      caller.want(trip, 200, "abc");
    }
  }
  EXPECT_EQ(caller.transport.counters().evicted, 5U);
  caller.expect_quiet(1);
}

// TestTransportMaxIdleConns with one host only
TEST(TransportRules, LimitOfAllIdleConnectionsMayBeBelowThatOfAHost) {
  Caller<> caller{{.max_idle_conns = 1, .max_idle_conns_per_host = 4}};
  RawServer& origin = caller.talk.listen(80);
  std::vector<Trip*> trips;
  std::vector<Peer*> peers;
  for (int i = 0; i < 3; ++i) {
    trips.push_back(&caller.get());
    peers.push_back(&origin.accept());
    peers.back()->want_connected();
  }
  for (Peer* peer : peers) {
    answer(*peer);
  }
  for (Trip* trip : trips) {
    caller.want(*trip, 200, "abc");
  }
  peers[0]->want_closed();
  peers[1]->want_closed();
  caller.expect_quiet(1);
}

// TestTransportIdleConnRacesRequest
TEST(TransportRules, RequestAtTheMomentOfTheIdleTimeoutWorks) {
  for (const port::Duration wait : {999ms, 1000ms, 1001ms}) {
    Caller<> caller{{.timeouts = {.idle_conn = 1s}}};
    RawServer& origin = caller.talk.listen(80);
    Trip& first = caller.get();
    Peer* peer = &origin.accept();
    answer(*peer);
    caller.want(first, 200, "abc");
    caller.talk.advance(wait);
    Trip& second = caller.make("POST", "http://127.0.0.1/");
    second.trip.request().set_body("hello");
    second.go();
    caller.talk.advance(1ms);
    if (origin.waiting() != 0) {
      peer = &origin.accept();
    }
    answer(*peer);
    caller.want(second, 200, "abc");
    caller.expect_quiet(1);
  }
}

// TestTransportReuseConnection_Gzip_Chunked, _ContentLength
TEST(TransportRules, ConnectionIsUsedAgainUnderADecoder) {
  if (!http::DecoderPool::is_built()) {
    GTEST_SKIP() << "this build has no zlib";
  }
  for (const bool is_chunked : {false, true}) {
    Caller<http::TransportLimits{.connections = 2, .hosts = 2, .decoders = 1}> caller;
    RawServer& origin = caller.talk.listen(80);
    Peer* peer = nullptr;
    for (int i = 0; i < 3; ++i) {
      Trip& trip = caller.make("GET", "http://127.0.0.1/");
      trip.go({.decode = true});
      peer = peer == nullptr ? &origin.accept() : peer;
      const std::string body{gzip_abc};
      answer(*peer, is_chunked
                        ? "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" +
                              body + "\r\n0\r\n\r\n"
                        : "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 23\r\n\r\n" + body);
      caller.want(trip, 200, "abc");
      EXPECT_FALSE(trip.response.content_length());
    }
    caller.expect_quiet(1);
  }
}

// Without a body there is nothing to decode, whatever the head says.
TEST(TransportRules, EncodedAnswerWithoutABodyIsWhole) {
  for (const std::string_view head :
       {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    Caller<http::TransportLimits{.connections = 2, .hosts = 2, .decoders = 1}> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& trip = caller.make("GET", "http://127.0.0.1/");
    trip.go({.decode = true});
    answer(origin.accept(), head);
    caller.run(trip);
    EXPECT_EQ(trip.error.cause, CallCause::none) << head;
    EXPECT_EQ(trip.end, http::ResponseBodyState::complete) << head;
    caller.expect_quiet(1);
  }
}

// A connection that closes serves the next waiter of the limit by its permit.
TEST(TransportRules, WaitersAreServedWithoutKeepAliveToo) {
  Caller<> caller{{.max_conns_per_host = 2, .disable_keep_alives = true}};
  RawServer& origin = caller.talk.listen(80);
  std::vector<Trip*> trips;
  for (int i = 0; i < 6; ++i) {
    trips.push_back(&caller.get("http://127.0.0.1/" + std::to_string(i)));
  }
  for (std::size_t i = 0; i < trips.size(); ++i) {
    Peer& peer = origin.accept();
    static_cast<void>(peer.want_containing("GET /" + std::to_string(i)));
    answer(peer);
    caller.want(*trips[i], 200, "abc");
  }
  caller.expect_quiet();
}

// ---- retry: any method if nothing of it was written (TestRetryRequestsOnError)

// Ends the idle connection between the turn's events and the request: in the moment that no check can see.
struct Snatch {
  Peer* peer = nullptr;
  void note(const http::Trace& trace) {
    if (trace.event == TraceEvent::get_conn && peer != nullptr) {
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_peer;
      peer->reset();
      peer = nullptr;
    }
  }
};

TEST(TransportRules, RequestOfWhichNothingWasWrittenIsRepeatedIfItsBodyCanBe) {
  for (const bool can_rewind : {true, false}) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& first = caller.get();
    Peer& peer = origin.accept();
    answer(peer);
    caller.want(first, 200, "abc");
    caller.talk.advance(1ms);
    Snatch snatch{&peer};
    Pieces pieces{{"hello"}};
    Trip& trip = caller.make("POST", "http://127.0.0.1/");
    trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source(can_rewind)});
    trip.go({.trace = net::callback<&Snatch::note>(snatch)});
    if (can_rewind) {
      Peer& next = origin.accept();
      static_cast<void>(next.want_containing("5\r\nhello\r\n0\r\n\r\n"));
      next.say(ok_abc);
      caller.want(trip, 200, "abc");
      EXPECT_EQ(trip.trip.retries(), 1U);
      EXPECT_EQ(pieces.rewound, 1);
    } else {
      caller.want_error(trip, CallCause::lost);
      EXPECT_TRUE(trip.error.retry_safe);
      EXPECT_EQ(trip.error.bytes_sent, 0U);
    }
    EXPECT_EQ(pieces.closed, 1);
    caller.expect_quiet(can_rewind ? 1 : 0);
  }
}

// ---- the body's source is closed once, whatever happens (TestTransportClosesBodyOnError, TestTransportClosesBodyOnInvalidRequests)

TEST(TransportRules, SourceIsClosedOnceWhateverHappens) {
  enum class End { faulty, refused, cancelled_waiting, cancelled_sending, deadline, shut_down, destroyed };
  for (const End end : {End::faulty, End::refused, End::cancelled_waiting, End::cancelled_sending, End::deadline,
                        End::shut_down, End::destroyed}) {
    Caller<> caller;
    Pieces pieces{{"one", ""}};
    RawServer* const origin = end != End::refused ? &caller.talk.listen(80) : nullptr;
    Trip& trip = caller.make("POST", "http://127.0.0.1/");
    trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
    if (end == End::faulty) {
      trip.trip.request().add("Content-Length", "3");
    }
    trip.go({.timeout = end == End::deadline ? port::Duration{50ms} : port::Duration{}});
    if (end == End::cancelled_waiting) {
      trip.trip.cancel();
    }
    caller.talk.advance(1ms);
    if (origin != nullptr && origin->waiting() != 0) {
      static_cast<void>(origin->accept());
    }
    caller.talk.advance(100ms);
    if (end == End::cancelled_sending) {
      trip.trip.cancel();
    } else if (end == End::shut_down) {
      caller.transport.close();
    } else if (end == End::destroyed) {
      caller.trips.pop_back();
    }
    caller.talk.advance(100ms);
    EXPECT_EQ(pieces.closed, 1) << static_cast<int>(end);
    caller.expect_quiet();
  }
}

// ---- deadlines

// TestTransportResponseHeaderTimeout: it begins when the request is out
TEST(TransportRules, WaitForTheHeadBeginsWhenTheRequestIsOut) {
  Caller<> caller{{.timeouts = {.response_header = 1s}}};
  RawServer& origin = caller.talk.listen(80);
  Pieces pieces{{"a", "", "b", "", "c", ""}};
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.go();
  static_cast<void>(origin.accept());
  for (int i = 0; i < 3; ++i) {
    caller.talk.advance(800ms);
    EXPECT_FALSE(trip.is_over);
    trip.trip.resume_body();
  }
  caller.talk.advance(900ms);
  EXPECT_FALSE(trip.is_over);
  caller.talk.advance(200ms);
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::head);
}

// ---- 1xx

// TestTransportExpect100Continue: a body of unknown size; and no body, for which nothing is expected
TEST(TransportRules, ExpectWithASourceAndWithoutABody) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Pieces pieces{{"hello"}};
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.trip.request().set_expect_continue(true);
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
  peer.want_nothing(500ms);
  EXPECT_EQ(pieces.next, 0U) << "nobody asks the source for what may not be wanted";
  peer.say("HTTP/1.1 100 Continue\r\n\r\n");
  peer.want("5\r\nhello\r\n0\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  Trip& empty = caller.make("POST", "http://127.0.0.1/");
  empty.trip.request().set_expect_continue(true);
  empty.go();
  peer.want("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nContent-Length: 0\r\n\r\n");
  peer.say(ok_abc);
  caller.want(empty, 200, "abc");
  caller.expect_quiet(1);
}

// TestTransportReading100Continue: nobody asked for it; and one behind the final answer is bytes nobody asked for
TEST(TransportRules, ContinueThatNobodyAskedForIsSkippedBeforeTheAnswerAndStrayBehindIt) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  answer(peer, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + std::string{ok_abc});
  caller.want(first, 200, "abc");
  Trip& second = caller.get();
  answer(peer, std::string{ok_abc} + "HTTP/1.1 100 Continue\r\n\r\n");
  caller.want(second, 200, "abc");
  peer.want_closed();
  caller.expect_quiet();
}

// ---- vectors.md 5.3: what a response is, seen from the transport

struct Vector {
  const char* name;
  std::string_view method;
  std::string_view said;
  bool finishes;
  CallCause cause;
  int status;
  std::string_view body;
  bool is_reused;
};
class ResponseVector : public testing::TestWithParam<Vector> {};

TEST_P(ResponseVector, IsReadLikeThis) {
  const Vector& vector = GetParam();
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make(vector.method, "http://127.0.0.1/");
  trip.go();
  Peer& peer = origin.accept();
  answer(peer, vector.said);
  if (vector.finishes) {
    peer.finish();
  }
  ASSERT_TRUE(caller.run(trip));
  EXPECT_EQ(trip.error.cause, vector.cause) << http::describe(trip.error.cause);
  EXPECT_EQ(trip.status, vector.status);
  EXPECT_EQ(trip.body, vector.body);
  EXPECT_EQ(trip.answers, 1);
  caller.expect_quiet(vector.is_reused ? 1 : 0);
}

constexpr auto none = CallCause::none;
constexpr auto bad_head = CallCause::malformed_head;
constexpr auto bad_framing = CallCause::malformed_framing;

INSTANTIATE_TEST_SUITE_P(
    Table, ResponseVector,
    testing::Values(
        Vector{"r5", "GET", "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nabc", true, none, 200, "abc", false},
        Vector{"r10", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", false,
               bad_framing, 0, "", false},
        Vector{"r15", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", false, none, 200, "", true},
        Vector{"r16", "HEAD", "HTTP/1.0 200 OK\r\n\r\n", false, none, 200, "", false},
        Vector{"r20", "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", false, none, 304, "",
               true},
        Vector{"r23", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", false, none, 200,
               "abc", true},
        Vector{"r26", "GET", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc", false, bad_framing, 0, "", false},
        Vector{"r30", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, none, 200, "", true},
        Vector{"r31", "GET", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", false, none, 200, "", true},
        Vector{"r33", "GET", "HTTP/1.1 20X Unknown\r\n\r\n", false, bad_head, 0, "", false},
        Vector{"r35", "GET", "HTTP/1.1 2000 OK\r\n\r\n", false, bad_head, 0, "", false},
        Vector{"r36", "GET", "HTTP/1.1 99 OK\r\n\r\n", false, bad_head, 0, "", false},
        Vector{"r38", "GET", "HTTP/1.1 +20 OK\r\n\r\n", false, bad_head, 0, "", false},
        Vector{"r40", "GET", "HTTP/1.12 200 OK\r\n\r\n", false, bad_head, 0, "", false},
        Vector{"r41", "GET", "HTTP/A.B 200 OK\r\n\r\n", false, bad_head, 0, "", false},
        Vector{"r43", "GET", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", false, none, 200, "abc", true},
        Vector{"r50", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", false,
               CallCause::malformed_chunk, 200, "", false},
        Vector{"r51", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3", true, CallCause::closed, 0, "", false},
        Vector{"r53", "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nraw", true, none, 200, "raw",
               false}),
    [](const auto& vector) { return std::string{vector.param.name}; });

}  // namespace
}  // namespace pollux::test
