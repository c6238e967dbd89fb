// Corners of the transport that a review against net/http found: one script for each.

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

constexpr http::TransportLimits decoding_limits{.connections = 2,
                                                .hosts = 2,
                                                .in_buffer = 4096,
                                                .out_buffer = 1024,
                                                .head_size_max = 2048,
                                                .fields_max = 16,
                                                .decoders = 1};

// gzip -9n of 20,000 times "a".
constexpr std::string_view gzip_20000{
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac\xeb\x5f\xc2\x1a\x1e\x40\x01\x00"
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x60\x31\x87\xbd\xca\x20\x4e\x00\x00",
    55};

std::string gzip_answer(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string{body};
}

// ---- room in the input buffer

// What is left of the buffer behind a body that was consumed may be filled by nothing but a chunk's line: then there is nobody to consume, and
// room has to be made all the same.
TEST(TransportReview, ChunkLineMayFillTheBuffer) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string rest = "\r\n2\r\nhi\r\n0\r\n\r\n";
  for (std::size_t left = 1; left <= 5; ++left) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& trip = caller.get();
    Peer& peer = origin.accept();
    static_cast<void>(peer.want_containing("\r\n\r\n"));
    const std::size_t size = caller_limits.in_buffer - left - head.size() - 5;
    std::array<char, 8> line{};
    std::snprintf(line.data(), line.size(), "%03zx\r\n", size);
    peer.say(head + line.data() + std::string(size, 'x'));
    caller.talk.advance(10ms);
    ASSERT_EQ(trip.body.size(), size) << left;
    peer.say(rest.substr(0, left));
    caller.talk.advance(10ms);
    peer.say(rest.substr(left));
    caller.want(trip, 200, std::string(size, 'x') + "hi");
    caller.expect_quiet(1);
  }
}

// ---- decoding

TEST(TransportReview, DecodedBodyLargerThanTheDecodersMemoryIsToldPieceByPiece) {
  if (!http::DecoderPool::is_built()) {
    GTEST_SKIP() << "this build has no zlib";
  }
  Caller<decoding_limits> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.go({.decode = true});
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("Accept-Encoding: gzip\r\n\r\n"));
  peer.say(gzip_answer(gzip_20000));
  caller.want(trip, 200, std::string(20'000, 'a'));
  EXPECT_EQ(trip.end, http::ResponseBodyState::complete);
  caller.expect_quiet(1);
}

// Bytes that make no output: the name in a gzip header has no limit.
TEST(TransportReview, GzipHeaderMayBeLargerThanTheBuffer) {
  if (!http::DecoderPool::is_built()) {
    GTEST_SKIP() << "this build has no zlib";
  }
  Caller<decoding_limits> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.go({.decode = true});
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  std::string body{gzip_abc.substr(0, 10)};
  body[3] = '\x08';  // FNAME
  body += std::string(10'000, 'n') + '\0';
  body += gzip_abc.substr(10);
  peer.say(gzip_answer(body));
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

TEST(TransportReview, DecodedBytesInFrontOfABrokenChunkAreDelivered) {
  if (!http::DecoderPool::is_built()) {
    GTEST_SKIP() << "this build has no zlib";
  }
  Caller<decoding_limits> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.go({.decode = true});
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" +
           std::string{gzip_abc} + "\r\nzz\r\n");
  caller.want_error(trip, CallCause::malformed_chunk);
  EXPECT_EQ(trip.body, "abc");
  caller.expect_quiet();
}

// ---- errors that come early

// The body fails in the same segment that brings the head: the user learns of it although it has not said yet whom to tell.
TEST(TransportReview, BodyThatFailedBeforeTheAnswerWasToldIsTold) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  caller.want_error(trip, CallCause::malformed_chunk);
  EXPECT_EQ(trip.status, 200);
  EXPECT_EQ(trip.end, http::ResponseBodyState::failed);
  caller.expect_quiet();
}

// ---- an answer that is there, and a request that cannot go out any more

class LostRequest : public testing::TestWithParam<bool> {};

TEST_P(LostRequest, DoesNotHarmTheAnswerThatCame) {
  const bool is_whole = GetParam();
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  const std::string body(300'000, 'x');
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  peer.stop_reading();
  caller.talk.advance(10ms);
  peer.say(is_whole ? "HTTP/1.1 413 No\r\n\r\nno" : "HTTP/1.1 413 No\r\nContent-Length: 9\r\n\r\nno");
  peer.finish();
  caller.talk.advance(10ms);
  peer.reset();
  caller.talk.advance(10ms);
  ASSERT_EQ(trip.status, 413);
  EXPECT_EQ(trip.response.body(), "no");
  trip.read();
  caller.talk.advance(10ms);
  EXPECT_TRUE(trip.is_over);
  EXPECT_EQ(trip.body, "no");
  EXPECT_EQ(trip.end, is_whole ? http::ResponseBodyState::complete : http::ResponseBodyState::failed);
  EXPECT_EQ(trip.error.cause, is_whole ? CallCause::none : CallCause::closed);
  caller.expect_quiet();
}

INSTANTIATE_TEST_SUITE_P(Cases, LostRequest, testing::Bool(),
                         [](const auto& is_whole) { return is_whole.param ? "whole" : "cut"; });

// ---- deadlines

// Nobody takes the request, and nobody takes the answer that has begun. The first of the two deadlines ends it, and no turn is wasted.
TEST(TransportReview, RequestThatStallsBehindAnAnswerNobodyReadsHasADeadline) {
  Caller<> caller{{.timeouts = {.write_stall = 1s, .body_unread = 10s}}};
  RawServer& origin = caller.talk.listen(80);
  const std::string body(300'000, 'x');
  Trip& trip = caller.make("PUT", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  peer.stop_reading();
  caller.talk.advance(10ms);
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  caller.talk.advance(900ms);
  EXPECT_EQ(trip.response.body_state(), http::ResponseBodyState::more);
  const std::uint64_t turns = caller.loop.turns();
  caller.talk.advance(1s);
  EXPECT_LT(caller.loop.turns() - turns, 100U);
  EXPECT_EQ(trip.response.body_state(), http::ResponseBodyState::failed);
  EXPECT_EQ(trip.response.error().cause, CallCause::timed_out);
  EXPECT_EQ(trip.response.error().stage, CallStage::send);
  caller.expect_quiet();
}

TEST(TransportReview, HeadThatNobodyTakesHasADeadlineWithExpectToo) {
  Caller<> caller{{.timeouts = {.write_stall = 1s},
                   .conversation = {.network = {.send_buffer_max = 64, .receive_buffer_max = 64}}}};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.trip.request().add("X-Long", std::string(400, 'x'));
  trip.trip.request().set_body("hello");
  trip.trip.request().set_expect_continue(true);
  trip.go();
  Peer& peer = origin.accept();
  peer.stop_reading();
  caller.talk.advance(3s);
  EXPECT_TRUE(trip.is_over);
  EXPECT_EQ(trip.error.cause, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::send);
  trip.trip.cancel();
  caller.run(trip);
}

// ---- who said close

TEST(TransportReview, ConnectionIsNotUsedAgainWhenTheRequestSaidClose) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.trip.request().set_close(true);
  trip.go();
  Peer& peer = origin.accept();
  peer.want("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\nConnection: close\r\n\r\n");
  peer.say(ok_abc);  // and the server does not close
  caller.want(trip, 200, "abc");
  peer.want_closed();
  caller.expect_quiet();
}

// ---- the pool

// Two connections come back in one turn and are wanted: they are never idle, so the limit of idle ones is not asked.
TEST(TransportReview, WantedConnectionIsNotEvicted) {
  Caller<> caller{{.max_idle_conns = 1, .max_conns_per_host = 1}};
  RawServer& first = caller.talk.listen(81);
  RawServer& second = caller.talk.listen(82);
  Trip& a1 = caller.get("http://127.0.0.1:81/1");
  Trip& a2 = caller.get("http://127.0.0.1:81/2");
  Trip& b1 = caller.get("http://127.0.0.1:82/1");
  Trip& b2 = caller.get("http://127.0.0.1:82/2");
  Peer& a = first.accept();
  Peer& b = second.accept();
  for (Peer* peer : {&a, &b}) {
    static_cast<void>(peer->want_containing("\r\n\r\n"));
  }
  a.say(ok_abc);
  b.say(ok_abc);
  caller.want(a1, 200, "abc");
  caller.want(b1, 200, "abc");
  for (Peer* peer : {&a, &b}) {
    static_cast<void>(peer->want_containing("GET /2"));
  }
  a.say(ok_abc);
  b.say(ok_abc);
  caller.want(a2, 200, "abc");
  caller.want(b2, 200, "abc");
  EXPECT_EQ(caller.transport.counters().dials, 2U);
  caller.expect_quiet(1);
}

// The server closes behind its answer and does not say so. The next request is begun in the callback, before anybody could see it.
struct Following {
  Trip* next = nullptr;
  void go(Trip&) { next->go(); }
};

TEST(TransportReview, RequestThatCannotBeRepeatedDoesNotFollowAnEnd) {
  for (const std::string_view behind : {"", "stray"}) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Trip& second = caller.make("POST", "http://127.0.0.1/2");
    second.trip.request().set_body("hello");
    Following following{&second};
    Trip& first = caller.make("GET", "http://127.0.0.1/1");
    first.then = net::callback<&Following::go>(following);
    first.go();
    Peer& peer = origin.accept();
    static_cast<void>(peer.want_containing("\r\n\r\n"));
    // The answer fills what one call receives, and what is behind it is left in the socket.
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: ";
    const std::size_t size = caller_limits.in_buffer - head.size() - 8;
    peer.say(head + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x') + std::string{behind});
    peer.finish();
    caller.want(first, 200, std::string(size, 'x'));
    Peer& next = origin.accept();
    static_cast<void>(next.want_containing("\r\n\r\nhello"));
    next.say(ok_abc);
    caller.want(second, 200, "abc");
    EXPECT_EQ(second.trip.retries(), 0U);
    caller.expect_quiet(1);
  }
}

// An entry that only a draining connection holds is as good as free.
TEST(TransportReview, HostThatOnlyDrainsGivesItsEntryUp) {
  Caller<http::TransportLimits{
      .connections = 2, .hosts = 1, .in_buffer = 4096, .out_buffer = 1024, .head_size_max = 2048}>
      caller;
  RawServer& first = caller.talk.listen(81);
  RawServer& second = caller.talk.listen(82);
  Trip& a = caller.make("GET", "http://127.0.0.1:81/");
  a.use = Trip::Use::let_go;
  a.go();
  Peer& peer_a = first.accept();
  static_cast<void>(peer_a.want_containing("\r\n\r\n"));
  peer_a.say("HTTP/1.1 302 Found\r\nContent-Length: 30\r\n\r\nabc");
  caller.want(a, 302, "");
  Trip& b = caller.get("http://127.0.0.1:82/");
  Peer& peer_b = second.accept();
  static_cast<void>(peer_b.want_containing("\r\n\r\n"));
  peer_b.say(ok_abc);
  caller.want(b, 200, "abc");
  peer_a.want_gone();
  caller.expect_quiet(1);
}

// ---- trace

struct Log {
  std::vector<TraceEvent> events;
  Trip* to_cancel = nullptr;
  TraceEvent cancel_at{};
  Log() { events.reserve(64); }
  void note(const http::Trace& trace) {
    events.push_back(trace.event);
    if (to_cancel != nullptr && trace.event == cancel_at) {
      to_cancel->trip.cancel();
    }
  }
};

struct Ending {
  const char* name;
  std::string_view answer;
  TraceEvent last;
};
class TraceOfAnEnd : public testing::TestWithParam<Ending> {};

TEST_P(TraceOfAnEnd, TellsWhatBecameOfTheConnection) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Log log;
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.go({.trace = net::callback<&Log::note>(log)});
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say(GetParam().answer);
  caller.want(trip, 200, "abc");
  std::vector<TraceEvent> wanted{TraceEvent::get_conn, TraceEvent::names_start, TraceEvent::names_done,
                                 TraceEvent::connect_start, TraceEvent::connect_done};
  if (tls_mode()) {
    wanted.insert(wanted.end(), {TraceEvent::tls_start, TraceEvent::tls_done});
  }
  wanted.insert(wanted.end(), {TraceEvent::got_conn, TraceEvent::wrote_head, TraceEvent::wrote_request,
                               TraceEvent::first_byte, TraceEvent::got_head, TraceEvent::body_done, GetParam().last});
  EXPECT_EQ(log.events, wanted);
}

INSTANTIATE_TEST_SUITE_P(
    Table, TraceOfAnEnd,
    testing::Values(Ending{"kept", ok_abc, TraceEvent::put_idle},
                    Ending{"said_close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
                           TraceEvent::closed},
                    Ending{"left_over", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", TraceEvent::closed}),
    [](const auto& ending) { return std::string{ending.param.name}; });

// A hook may cancel the round trip that it is told of, whatever the moment.
TEST(TransportReview, TraceHookMayCancel) {
  for (const TraceEvent event :
       {TraceEvent::get_conn, TraceEvent::names_start, TraceEvent::names_done, TraceEvent::connect_done,
        TraceEvent::got_conn, TraceEvent::wrote_head, TraceEvent::wrote_request, TraceEvent::got_interim,
        TraceEvent::first_byte, TraceEvent::got_head}) {
    Caller<> caller;
    RawServer& origin = caller.talk.listen(80);
    Log log;
    Trip& trip = caller.make("GET", "http://127.0.0.1/");
    log.to_cancel = &trip;
    log.cancel_at = event;
    trip.go({.trace = net::callback<&Log::note>(log)});
    caller.talk.advance(10ms);
    if (origin.waiting() != 0) {
      Peer& peer = origin.accept();
      peer.say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    }
    caller.want_error(trip, CallCause::cancelled);
    caller.talk.advance(1s);
    EXPECT_EQ(caller.transport.round_trips_under_way(), 0U);
    EXPECT_EQ(caller.transport.connections_used(), caller.transport.connections_idle());
  }
}

// So may a body's source, in each of its calls.
struct Quitter {
  Trip* trip = nullptr;
  int closed = 0;
  http::BodySource source() {
    return {.pull = [](void* object, std::span<char> out, std::uint64_t) -> http::PullResult {
              static_cast<Quitter*>(object)->trip->trip.cancel();
              out[0] = 'x';
              return {.kind = http::PullResult::Kind::more, .size = 1};
            },
            .close = [](void* object) { ++static_cast<Quitter*>(object)->closed; },
            .object = this};
  }
};

TEST(TransportReview, SourceMayCancel) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  Quitter quitter{&trip};
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = quitter.source()});
  trip.go();
  static_cast<void>(origin.accept());
  caller.want_error(trip, CallCause::cancelled);
  EXPECT_EQ(quitter.closed, 1);
  caller.expect_quiet();
}

// A source that is resumed while it is asked, and says "later" all the same.
struct Eager {
  Trip* trip = nullptr;
  int asked = 0;
  http::BodySource source() {
    return {.pull = [](void* object, std::span<char> out, std::uint64_t) -> http::PullResult {
              auto& self = *static_cast<Eager*>(object);
              if (++self.asked == 1) {
                self.trip->trip.resume_body();
                return {.kind = http::PullResult::Kind::later};
              }
              out[0] = 'x';
              return {.kind = http::PullResult::Kind::end, .size = 1};
            },
            .object = this};
  }
};

TEST(TransportReview, SourceMayBeResumedWhileItIsAsked) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  Eager eager{&trip};
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = eager.source()});
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("1\r\nx\r\n0\r\n\r\n"));
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  EXPECT_EQ(eager.asked, 2);
}

// A source that gives what another round trip receives, and so ends that one while the transport goes through its connections.
struct Pipe {
  Trip* from = nullptr;
  http::BodySource source() {
    return {.pull = [](void* object, std::span<char> out, std::uint64_t) -> http::PullResult {
              http::Response& response = static_cast<Pipe*>(object)->from->response;
              const std::size_t size = response.body().copy(out.data(), out.size());
              if (size == 0) {
                return {.kind = http::PullResult::Kind::later};
              }
              response.consume(size);
              return {.kind = http::PullResult::Kind::end, .size = size};
            },
            .object = this};
  }
};

TEST(TransportReview, SourceThatEndsAnotherRoundTripHidesNobody) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& from = caller.make("GET", "http://127.0.0.1/from");
  from.use = Trip::Use::keep;
  Pipe pipe{&from};
  Trip& to = caller.make("POST", "http://127.0.0.1/to");
  to.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pipe.source()});
  Pieces pieces{{"one", "", "two"}};
  Trip& other = caller.make("POST", "http://127.0.0.1/other");
  other.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  std::array<Peer*, 3> peers{};
  std::size_t count = 0;
  for (Trip* trip : {&to, &from, &other}) {
    trip->go();
    peers[count] = &origin.accept();
    static_cast<void>(peers[count++]->want_containing("\r\n\r\n"));
  }
  peers[1]->say(ok_abc);
  peers[2]->want("3\r\none\r\n");
  caller.talk.advance(10ms);
  to.trip.resume_body();
  other.trip.resume_body();
  peers[0]->want("3\r\nabc\r\n0\r\n\r\n");
  peers[2]->want("3\r\ntwo\r\n0\r\n\r\n");
  for (std::size_t i : {0, 2}) {
    peers[i]->say(ok_abc);
  }
  caller.want(to, 200, "abc");
  caller.want(other, 200, "abc");
  caller.want(from, 200, "");
  caller.expect_quiet(2);
}

// A source that lets go of the answer to its own request.
struct Closer {
  Trip* trip = nullptr;
  int asked = 0;
  http::BodySource source() {
    return {.pull = [](void* object, std::span<char> out, std::uint64_t) -> http::PullResult {
              auto& self = *static_cast<Closer*>(object);
              if (++self.asked == 1) {
                return {.kind = http::PullResult::Kind::later};
              }
              self.trip->response.close();
              out[0] = 'x';
              return {.kind = http::PullResult::Kind::more, .size = 1};
            },
            .object = this};
  }
};

TEST(TransportReview, SourceMayLetGoOfTheAnswer) {
  Caller<> caller;
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("POST", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  Closer closer{&trip};
  trip.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = closer.source()});
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  caller.talk.advance(10ms);
  ASSERT_EQ(trip.status, 200);
  trip.trip.resume_body();
  peer.want_gone();
  EXPECT_FALSE(trip.trip.is_under_way());
  caller.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
