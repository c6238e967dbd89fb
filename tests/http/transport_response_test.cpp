// How a round trip takes what comes: early answers, 1xx, wrong answers, bodies, deadlines, cancel; and its ways by proxies and sockets.

#include <functional>
#include <string>
#include <vector>

#include "stack/http/proxy.hpp"
#include "tests/http/caller.hpp"
#include "tests/http/pieces.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;

// ---- early answers

TEST(RoundTrip, AnswerMayComeWhileTheBodyGoesOut) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Pieces pieces{{"one", ""}};
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("one\r\n"));
  peer.say(ok_abc);
  caller.talk.advance(10ms);
  EXPECT_EQ(trip.status, 200);
  EXPECT_EQ(trip.body, "abc");
  EXPECT_FALSE(trip.is_over) << "the request gets a little time";
  trip.trip.resume_body();
  peer.want("0\r\n\r\n");
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

TEST(RoundTrip, ConnectionIsNotReusedWhenTheBodyDoesNotGetOut) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  const std::string body(300'000, 'x');
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  peer.stop_reading();
  caller.talk.advance(10ms);
  peer.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
  caller.want(trip, 413, "no");
  caller.expect_quiet(0);
}

TEST(RoundTrip, AnswerIsPreferredToAWriteError) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  const std::string body(300'000, 'x');
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
  peer.finish();
  caller.want(trip, 413, "no");
  caller.expect_quiet();
}

// ---- 100 (Continue) and other 1xx

struct Expecting {
  explicit Expecting(const CallerOptions& options = {}) : caller{options} {
    trip = &caller.make("POST", "http://127.0.0.1/");
    trip->trip.request().set_body("hello");
    trip->trip.request().set_expect_continue(true);
    trip->go();
    peer = &origin.accept();
    peer->want(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nExpect: 100-continue\r\nContent-Length: "
        "5\r\n\r\n");
  }
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip* trip = nullptr;
  Peer* peer = nullptr;
};

TEST(RoundTrip, BodyWaitsForContinue) {
  Expecting e;
  e.peer->want_nothing(500ms);
  e.peer->say("HTTP/1.1 100 Continue\r\n\r\n");
  e.peer->want("hello");
  e.peer->say(ok_abc);
  e.caller.want(*e.trip, 200, "abc");
  e.caller.expect_quiet(1);
}

TEST(RoundTrip, BodyGoesWithoutContinueAfterItsTime) {
  Expecting e;
  e.peer->want_nothing(990ms);
  e.peer->want("hello");
  e.peer->say(ok_abc);
  e.caller.want(*e.trip, 200, "abc");
}

TEST(RoundTrip, BodyIsStillOwedAfterAFinalAnswerThatKeepsTheConnection) {
  Expecting e;
  e.peer->say(ok_abc);
  e.peer->want("hello");
  e.caller.want(*e.trip, 200, "abc");
  e.caller.expect_quiet(1);
}

TEST(RoundTrip, BodyIsNotSentAfterAFinalAnswerThatCloses) {
  Expecting e;
  e.peer->say("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  e.caller.want(*e.trip, 413, "");
  e.peer->want_cut();
  e.caller.expect_quiet();
}

TEST(RoundTrip, WithoutAWaitTheBodyGoesAtOnce) {
  Caller<> caller{{.timeouts = {.expect_continue = 0s}}};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body("hello");
  trip.trip.request().set_expect_continue(true);
  trip.go();
  static_cast<void>(origin.accept().want_containing("Content-Length: 5\r\n\r\nhello"));
  trip.trip.cancel();
  caller.run(trip);
}

TEST(RoundTrip, InterimAnswersAreSkippedWithinTheBudget) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  for (int i = 0; i < 20; ++i) {
    peer.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  }
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

TEST(RoundTrip, FloodOfInterimAnswersIsAnError) {
  Caller<> caller;  // 2048 bytes of heads in all
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  for (int i = 0; i < 60; ++i) {
    peer.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  }
  caller.want_error(trip, CallCause::head_too_large);
  caller.expect_quiet();
}

TEST(RoundTrip, SwitchingProtocolsHandsTheConnectionOver) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.trip.request().add("Upgrade", "echo");
  trip.trip.request().add("Connection", "Upgrade");
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("Upgrade: echo\r\nConnection: Upgrade\r\n\r\n"));
  peer.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst");
  caller.talk.advance(10ms);
  ASSERT_EQ(trip.status, 101);
  auto upgraded = trip.response.upgrade();
  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->received, "first");
  EXPECT_EQ(upgraded->stream.send("hi").size, 2U);
  peer.want("hi");
  caller.talk.advance(1s);
  EXPECT_EQ(caller.transport.connections_used(), 0U);
  EXPECT_FALSE(trip.trip.is_under_way());
  upgraded->stream.close();
  peer.want_closed();
}

TEST(RoundTrip, SwitchingProtocolsThatNobodyTakesIsClosed) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::let_go;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  caller.want(trip, 101, "");
  peer.want_gone();
  caller.expect_quiet();
}

// ---- answers that are wrong

struct Wrong {
  const char* name;
  std::string_view answer;
  bool finishes;
  CallCause cause;
  std::string_view body;
};
class WrongAnswer : public testing::TestWithParam<Wrong> {};

TEST_P(WrongAnswer, IsAnErrorAndTheConnectionIsClosed) {
  const Wrong& wrong = GetParam();
  for (std::size_t cut = 0; cut < wrong.answer.size(); cut += stride) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& trip = caller.get();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say_split(wrong.answer, cut);
    if (wrong.finishes) {
      peer.finish();
    }
    caller.want_error(trip, wrong.cause);
    EXPECT_EQ(trip.body, wrong.body) << cut;
    EXPECT_EQ(trip.trip.retries(), 0U);
    peer.want_gone();
    caller.expect_quiet();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrongAnswer,
    testing::Values(
        Wrong{"no_http", "SSH-2.0-x\r\n\r\n", false, CallCause::not_http, ""},
        Wrong{"short_status", "HTTP/1.1 20\r\n\r\n", false, CallCause::malformed_head, ""},
        Wrong{"http_2", "HTTP/2.0 200 OK\r\n\r\n", false, CallCause::malformed_head, ""},
        Wrong{"no_colon", "HTTP/1.1 200 OK\r\nfoo\r\n\r\n", false, CallCause::malformed_head, ""},
        Wrong{"blank_before_colon", "HTTP/1.1 200 OK\r\nfoo : bar\r\n\r\n", false, CallCause::malformed_head, ""},
        Wrong{"two_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", false,
              CallCause::malformed_framing, ""},
        Wrong{"signed_length", "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", false, CallCause::malformed_framing,
              ""},
        Wrong{"gzip_coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", false,
              CallCause::malformed_framing, ""},
        Wrong{"short_body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true, CallCause::closed, "abc"},
        Wrong{"chunk_line", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", false,
              CallCause::malformed_chunk, "abc"},
        Wrong{"chunk_end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX", false,
              CallCause::malformed_chunk, "abc"},
        Wrong{"no_last_chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true,
              CallCause::closed, "abc"},
        Wrong{"trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nfoo\r\n\r\n", false,
              CallCause::malformed_trailer, "abc"},
        Wrong{"end_in_head", "HTTP/1.1 200 OK\r\nContent-Le", true, CallCause::closed, ""}),
    [](const auto& wrong) { return std::string{wrong.param.name}; });

TEST(RoundTrip, HeadThatIsTooLargeIsAnError) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say("HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'a'));
  caller.want_error(trip, CallCause::head_too_large);
  caller.expect_quiet();
}

TEST(RoundTrip, TooManyFieldsAreAnError) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 17; ++i) {
    head += "X: 1\r\n";
  }
  peer.say(head + "\r\n");
  caller.want_error(trip, CallCause::head_too_large);
  caller.expect_quiet();
}

// ---- bodies in

TEST(RoundTrip, EveryCutOfAChunkedAnswerReadsTheSame) {
  const std::string answer =
      "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-T: v\r\n\r\n";
  for (std::size_t cut = 0; cut < answer.size(); cut += stride) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& trip = caller.make("GET", "http://127.0.0.1/");
    trip.wanted_field = "x-a";
    trip.go();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say_split(answer, cut);
    caller.want(trip, 200, "abc0123456789");
    EXPECT_EQ(trip.field, "1");
    caller.expect_quiet(1);
  }
}

TEST(RoundTrip, SlowConsumerStopsTheSocketFromBeingRead) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  const std::string body(300'000, 'x');
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
  peer.say(body);
  caller.talk.advance(10s);
  EXPECT_GT(peer.unsaid(), 200'000U) << "more is not taken than the buffers hold";
  const std::uint64_t received = caller.transport.counters().bytes_received;
  EXPECT_LE(received, 4096U);
  while (!trip.is_over) {
    trip.read();
    caller.talk.advance(1ms);
  }
  EXPECT_EQ(trip.body.size(), body.size());
  EXPECT_EQ(trip.end, http::ResponseBodyState::complete);
  caller.expect_quiet(1);
}

// 2^32 + 3 is 3 for who counts with 32 bits: such a body is not complete behind its third byte.
TEST(RoundTrip, BodyBeyondFourGibibytesIsNotItsLowerBits) {
  for (const std::string_view answer : {"HTTP/1.1 200 OK\r\nContent-Length: 4294967299\r\n\r\nabc",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000003\r\nabc"}) {
    SCOPED_TRACE(escape(answer));
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& trip = caller.get();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(answer);
    caller.talk.advance(1s);
    EXPECT_EQ(trip.body, "abc");
    EXPECT_FALSE(trip.is_over);
    peer.finish();
    caller.run(trip);
    EXPECT_EQ(trip.end, http::ResponseBodyState::failed);
    EXPECT_EQ(trip.error.cause, CallCause::closed);
    caller.expect_quiet();
  }
}

TEST(RoundTrip, LargeBodyLetGoIsNotReadToItsEnd) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::let_go;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
  caller.want(trip, 200, "");
  peer.want_gone();
  EXPECT_EQ(caller.transport.counters().cut, 1U);
  caller.expect_quiet();
}

TEST(RoundTrip, SmallBodyLetGoIsReadAwayAndTheConnectionUsedAgain) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::let_go;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\nabc");
  caller.talk.advance(5ms);
  EXPECT_TRUE(trip.is_over);
  EXPECT_EQ(caller.transport.connections_idle(), 0U);
  peer.say(std::string(29'997, 'x'));
  caller.expect_quiet(1);
  EXPECT_EQ(caller.transport.counters().drained, 1U);
}

TEST(RoundTrip, BodyThatIsNotOverInTimeIsNotDrained) {
  for (const bool is_endless : {false, true}) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& trip = caller.make("GET", "http://127.0.0.1/");
    trip.use = Trip::Use::let_go;
    trip.go();
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    caller.talk.advance(1ms);
    EXPECT_TRUE(trip.is_over);
    if (is_endless) {
      for (int i = 0; i < 100; ++i) {
        peer.say("800\r\n" + std::string(2048, 'x') + "\r\n");
      }
      caller.talk.advance(20ms);
    }
    peer.want_gone();
    caller.expect_quiet();
  }
}

TEST(RoundTrip, BodyNobodyReadsIsEndedAndCounted) {
  Caller<> caller{{.timeouts = {.body_unread = 10s}}};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  caller.talk.advance(9s);
  EXPECT_EQ(trip.response.body(), "abc");
  caller.talk.advance(2s);
  EXPECT_EQ(trip.response.body_state(), http::ResponseBodyState::failed);
  EXPECT_EQ(trip.response.error().cause, CallCause::body_abandoned);
  EXPECT_EQ(caller.transport.counters().abandoned, 1U);
  caller.expect_quiet();
}

// ---- deadlines

struct Silence {
  const char* name;
  CallerOptions options;
  std::string_view said;
  port::Duration until;
  CallStage stage;
  CallCause cause;
};
class Deadline : public testing::TestWithParam<Silence> {};

TEST_P(Deadline, EndsTheRoundTrip) {
  const Silence& silence = GetParam();
  Caller<> caller{silence.options};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(silence.said);
  caller.talk.advance(silence.until - 100ms);
  EXPECT_FALSE(trip.is_over);
  caller.talk.advance(200ms);
  EXPECT_TRUE(trip.is_over);
  EXPECT_EQ(trip.error.cause, silence.cause);
  EXPECT_EQ(trip.error.stage, silence.stage);
  peer.want_gone();
  caller.expect_quiet();
}

INSTANTIATE_TEST_SUITE_P(
    Table, Deadline,
    testing::Values(Silence{"response_header",
                            {.timeouts = {.response_header = 5s}},
                            "HTTP/1.1 200",
                            5s,
                            CallStage::head,
                            CallCause::timed_out},
                    Silence{"total_head", {.timeouts = {.total = 4s}}, "", 4s, CallStage::head, CallCause::timed_out},
                    Silence{"total_body",
                            {.timeouts = {.total = 4s}},
                            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                            4s,
                            CallStage::body,
                            CallCause::timed_out},
                    Silence{"body_idle",
                            {.timeouts = {.body_idle = 3s}},
                            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                            3s,
                            CallStage::body,
                            CallCause::timed_out},
                    Silence{"rate",
                            {.rate_min = 100},
                            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
                            10s,
                            CallStage::body,
                            CallCause::too_slow}),
    [](const auto& silence) { return std::string{silence.param.name}; });

TEST(RoundTrip, ConnectHasADeadline) {
  Caller<> caller{{.timeouts = {.connect = 3s}}};
  caller.talk.network().set_connect_rule(
      {.to = port::Address::ipv4_loopback(81), .outcome = port::SimConnectRule::Outcome::silent});
  Trip& trip = caller.get("http://127.0.0.1:81/");
  caller.talk.advance(2900ms);
  EXPECT_FALSE(trip.is_over);
  caller.talk.advance(200ms);
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::connect);
  EXPECT_TRUE(trip.error.retry_safe);
  caller.expect_quiet();
}

TEST(RoundTrip, TotalTimeRunsWhileItWaitsForAConnection) {
  Caller<> caller{{.max_conns_per_host = 1}};
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  static_cast<void>(origin.accept());
  Trip& second = caller.make("GET", "http://127.0.0.1/");
  second.go({.timeout = 2s});
  caller.talk.advance(2100ms);
  caller.want_error(second, CallCause::timed_out);
  EXPECT_EQ(second.error.stage, CallStage::wait);
  first.trip.cancel();
  caller.run(first);
}

TEST(RoundTrip, RequestThatNobodyTakesHasADeadline) {
  Caller<> caller{{.timeouts = {.write_stall = 3s}}};
  RawServer& origin = caller.talk.listen(80);
  const std::string body(300'000, 'x');
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  peer.stop_reading();
  caller.talk.advance(3100ms);
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::send);
  caller.expect_quiet();
}

TEST(RoundTrip, SourceThatIsNeverResumedHasADeadline) {
  Caller<> caller{{.timeouts = {.source = 3s}}};
  RawServer& origin = caller.talk.listen(80);
  Pieces pieces{{"one", ""}};
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  trip.go();
  static_cast<void>(origin.accept());
  caller.talk.advance(2900ms);
  EXPECT_FALSE(trip.is_over);
  caller.talk.advance(200ms);
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::send);
  EXPECT_EQ(pieces.closed, 1);
  caller.expect_quiet();
}

TEST(RoundTrip, WithoutTimeToDrainAResponseLetGoIsClosed) {
  Caller<> caller{{.timeouts = {.drain = 0s}}};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::let_go;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nabc");
  caller.want(trip, 200, "");
  caller.expect_quiet();
}

// ---- cancel

TEST(RoundTrip, CancelInEveryPhase) {
  for (int phase = 0; phase < 7; ++phase) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    if (phase == 1) {
      caller.talk.network().set_connect_rule({.to = port::Address::ipv4_loopback(80), .delay = 1s});
    }
    const std::string body(300'000, 'x');
    Trip& trip = caller.make("PUT", "http://127.0.0.1/");
    trip.trip.request().set_body(phase == 2 ? std::string_view{body} : "");
    trip.go();
    Peer* peer = nullptr;
    if (phase >= 2) {
      peer = &origin.accept();
      if (phase == 2) {
        peer->stop_reading();
      }
      caller.talk.advance(10ms);
    } else if (phase == 1) {
      caller.talk.advance(10ms);
    }
    if (phase >= 4) {
      peer->say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
      caller.talk.advance(10ms);
    }
    if (phase >= 5) {
      peer->say("abc");
      caller.talk.advance(10ms);
    }
    if (phase == 6) {
      peer->say("def");
      caller.talk.advance(10ms);
    }
    trip.trip.cancel();
    trip.trip.cancel();  // once is enough
    caller.run(trip);
    EXPECT_EQ(trip.error.cause, phase == 6 ? CallCause::none : CallCause::cancelled) << phase;
    EXPECT_EQ(trip.answers, 1) << phase;
    caller.talk.advance(2s);
    EXPECT_EQ(caller.transport.round_trips_under_way(), 0U);
    EXPECT_EQ(caller.transport.connections_used(), phase == 1 || phase == 6 ? 1U : 0U) << phase;
  }
}

TEST(RoundTrip, CancelOfAFinishedRoundTripLeavesTheNextOneAlone) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& first = caller.get();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  Trip& second = caller.get();
  peer.want(get_root);
  first.trip.cancel();
  first.response.close();
  peer.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_TRUE(second.trip.was_reused());
}

// ---- proxies and other ways

TEST(RoundTrip, PlainHttpGoesToAProxyInAbsoluteFormAndSharesItsConnections) {
  POLLUX_NOT_OVER_TLS("the proxy speaks clear text");
  http::ProxySettings settings;
  http::Proxy proxy;
  ASSERT_EQ(proxy.parse("http://user:pw@127.0.0.1:3128"), http::ProxyError::none);
  settings.set(proxy);
  Caller<> caller{{.proxy = &settings}};
  RawServer& server = caller.talk.listen(3128);
  Peer* peer = nullptr;
  for (const std::string host : {"a.example", "b.example:8080"}) {
    Trip& trip = caller.get("http://" + host + "/x?y");
    if (peer == nullptr) {
      peer = &server.accept();
    }
    peer->want("GET http://" + host + "/x?y HTTP/1.1\r\nHost: " + host +
               "\r\nUser-Agent: pollux\r\nProxy-Authorization: Basic dXNlcjpwdw==\r\n\r\n");
    peer->say(ok_abc);
    caller.want(trip, 200, "abc");
  }
  EXPECT_EQ(caller.transport.counters().dials, 1U);
}

TEST(RoundTrip, TunnelThroughAProxy) {
  POLLUX_NOT_OVER_TLS("the proxy speaks clear text");
  http::ProxySettings settings;
  http::Proxy proxy;
  ASSERT_EQ(proxy.parse("127.0.0.1:3128"), http::ProxyError::none);
  settings.set(proxy);
  Caller<> caller{{.proxy_tunnels = true, .proxy = &settings}};
  RawServer& server = caller.talk.listen(3128);
  Trip& trip = caller.get("http://a.example/x");
  Peer& peer = server.accept();
  static_cast<void>(peer.want_containing("CONNECT a.example:80 HTTP/1.1\r\n"));
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 200 Connection established\r\n\r\n");
  peer.want("GET /x HTTP/1.1\r\nHost: a.example\r\nUser-Agent: pollux\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  Trip& other = caller.get("http://b.example/");  // a tunnel serves one target
  Peer& next = server.accept();
  static_cast<void>(next.want_containing("CONNECT b.example:80 HTTP/1.1\r\n"));
  static_cast<void>(next.want_containing("\r\n\r\n"));
  next.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  caller.want_error(other, CallCause::proxy_refused);
  EXPECT_EQ(other.error.status, 403);
  EXPECT_EQ(other.error.stage, CallStage::proxy);
  caller.expect_quiet(1);
}

TEST(RoundTrip, Socks5) {
  POLLUX_NOT_OVER_TLS("the proxy speaks clear text");
  http::ProxySettings settings;
  http::Proxy proxy;
  ASSERT_EQ(proxy.parse("socks5h://127.0.0.1"), http::ProxyError::none);
  settings.set(proxy);
  Caller<> caller{{.proxy = &settings}};
  RawServer& server = caller.talk.listen(1080);
  Trip& trip = caller.get("http://a.example/x");
  Peer& peer = server.accept();
  peer.want(std::string_view{"\x05\x01\x00", 3});
  peer.say(std::string_view{"\x05\x00", 2});
  peer.want(
      std::string_view{"\x05\x01\x00\x03\x09"
                       "a.example\x00\x50",
                       16});
  peer.say(std::string_view{"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10});
  peer.want("GET /x HTTP/1.1\r\nHost: a.example\r\nUser-Agent: pollux\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
}

TEST(RoundTrip, ProxyExchangeHasADeadline) {
  http::ProxySettings settings;
  http::Proxy proxy;
  ASSERT_EQ(proxy.parse("socks5h://127.0.0.1"), http::ProxyError::none);
  settings.set(proxy);
  Caller<> caller{{.timeouts = {.proxy = 5s}, .proxy = &settings}};
  RawServer& server = caller.talk.listen(1080);
  Trip& trip = caller.get("http://a.example/x");
  static_cast<void>(server.accept());
  caller.talk.advance(5100ms);
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::proxy);
  caller.expect_quiet();
}

TEST(RoundTrip, EndpointInsteadOfTheUrlsHost) {
  Caller<> caller;
  RawServer& server = caller.talk.listen({.address = {.family = port::Family::local}, .path = "/run/app.sock"});
  const port::Endpoint endpoint{.address = {.family = port::Family::local}, .path = "/run/app.sock"};
  Trip& trip = caller.make("GET", "http://device/x");
  trip.go({.endpoint = endpoint});
  Peer& peer = server.accept();
  peer.want("GET /x HTTP/1.1\r\nHost: device\r\nUser-Agent: pollux\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  trip.trip.request().start("GET", test_url("http://device/y"));
  trip.go({.endpoint = endpoint});
  static_cast<void>(peer.want_containing("GET /y "));
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  EXPECT_EQ(caller.transport.counters().dials, 1U);
}

TEST(RoundTrip, NameWithoutAResolverIsAnError) {
  Caller<> caller;
  Trip& trip = caller.get("http://no.example/");
  caller.want_error(trip, CallCause::name);
  EXPECT_EQ(trip.error.name, net::NameError::no_resolver);
  EXPECT_EQ(trip.error.stage, CallStage::resolve);
  caller.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
