// Every deadline of ServerTimeouts, one below and one above; zero means no limit. Below is 1 ms before, above 1 ms behind.

#include "tests/http/server_handlers.hpp"

namespace pollux::test {
namespace {

using http::CloseReason;
using http::Next;
using http::Request;
using http::ResponseWriter;

constexpr port::Duration step = 1ms;
constexpr http::Route measure_any_route{"*", http::handler<&measure_body>(), {.body = http::Body::streamed}};

// ---- a head

struct HeadRow {
  const char* name;
  std::string_view said;  // of the head, before silence
};

TEST(ServerDeadlines, AHeadThatDoesNotComeIsClosedSilently) {
  for (const HeadRow& row :
       {HeadRow{"no byte", ""}, HeadRow{"one byte", "G"}, HeadRow{"half a head", "GET / HTTP/1.1\r\nHo"}}) {
    SCOPED_TRACE(row.name);
    Site<> site{{.timeouts = {.read_head = 3s}}};
    site.add(ok_route);
    Peer& peer = site.connect();
    peer.say(row.said);
    peer.want_nothing(3s - step);
    site.advance(2 * step);
    peer.want_closed();
    EXPECT_EQ(site.closes(CloseReason::head_timeout), 1U);
    peer.close();
    site.advance(step);
    site.expect_quiet();
  }
}

TEST(ServerDeadlines, AHeadInTimeIsServed) {
  Site<> site{{.timeouts = {.read_head = 3s}}};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("GET / HTTP/1.1\r\n");
  site.advance(3s - step);
  peer.say("Host: h\r\n\r\n");
  peer.want(ok_answer);
}

TEST(ServerDeadlines, AHeadThatDripsHasNoMoreTime) {
  Site<> site{{.timeouts = {.read_head = 3s}}};
  site.add(ok_route);
  Peer& peer = site.connect();
  for (int i = 0; i < 29; ++i) {
    peer.say("G");
    peer.want_nothing(100ms);
  }
  peer.say("G");
  site.advance(100ms + step);
  peer.want_closed();
  EXPECT_EQ(site.closes(CloseReason::head_timeout), 1U);
}

// A board stays up for longer than 2^32 ms (50 days), and a test may pretend 2^31 s or 2^32 s of it: no count of 32 bits may be in the way.
TEST(ServerDeadlines, AreTheSameLongAfterBoot) {
  for (const port::Duration up : {port::Duration{std::chrono::milliseconds{std::int64_t{1} << 32}},
                                  port::Duration{std::chrono::seconds{std::int64_t{1} << 31}},
                                  port::Duration{std::chrono::seconds{std::int64_t{1} << 32}}}) {
    SCOPED_TRACE(up.count());
    Site<> site{{.timeouts = {.read_head = 3s, .idle = 5s}}};
    site.add(ok_route);
    site.advance(up - (site.talk.now().time_since_epoch()) - 1s);
    Peer& late = site.connect();
    late.say("GET / HT");
    Peer& idle = site.connect();
    idle.say(get_request);
    idle.want(ok_answer);
    late.want_nothing(3s - 2 * step);
    site.advance(3 * step);
    late.want_closed();
    EXPECT_EQ(site.closes(CloseReason::head_timeout), 1U);
    idle.want_nothing(1s);
    site.advance(2s);
    idle.want_closed();
    late.close();
    idle.close();
    site.advance(step);
    site.expect_quiet();
  }
}

TEST(ServerDeadlines, AHeadThatWasBegunIsAnswered408IfWished) {
  Site<> site{{.timeouts = {.read_head = 3s}, .answer_head_timeout = true}};
  site.add(ok_route);
  Peer& begun = site.connect();
  begun.say("GET / HT");
  Peer& silent = site.connect();
  begun.want_nothing(3s - step);
  begun.want(refusal("408 Request Timeout"));
  begun.want_closed();
  silent.want_closed();
  site.advance(1s);
  EXPECT_EQ(site.closes(CloseReason::head_timeout), 2U);
  begun.close();
  silent.close();
  site.advance(1s);
  site.expect_quiet();
}

TEST(ServerDeadlines, TheNextHeadHasItsOwnTime) {
  Site<> site{{.timeouts = {.read_head = 3s, .idle = 60s}}};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  peer.want_nothing(50s);
  peer.say("G");
  peer.want_nothing(3s - step);
  site.advance(2 * step);
  peer.want_closed();
  EXPECT_EQ(site.closes(CloseReason::head_timeout), 1U);
}

// ---- between requests

TEST(ServerDeadlines, AnIdleConnectionIsClosed) {
  Site<> site{{.timeouts = {.idle = 7s}}};
  site.add(ok_route);
  Peer& peer = site.connect();
  for (int i = 0; i < 2; ++i) {
    peer.say(get_request);
    peer.want(ok_answer);
    peer.want_nothing(7s - step);
  }
  site.advance(2 * step);
  peer.want_closed();
  EXPECT_EQ(site.closes(CloseReason::idle_timeout), 1U);
}

TEST(ServerDeadlines, ZeroMeansNoLimit) {
  Site<> site{{.timeouts = {
                   .read_head = 0s, .read_body = 0s, .write = 0s, .stall = 0s, .idle = 0s, .wait = 0s, .rate_min = 0}}};
  site.add(measure_any_route);
  Waiter waiter;
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& silent = site.connect();
  Peer& half = site.connect();
  half.say("GET / HT");
  Peer& body = site.connect();
  body.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  Peer& idle = site.connect();
  idle.say(get_request);
  idle.want_head(200);
  idle.want("0 complete");
  Peer& waiting = site.connect();
  waiting.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  silent.want_nothing(24h);
  half.say("TP/1.1\r\nHost: h\r\n\r\n");
  half.want_containing("0 complete");
  body.say("llo");
  body.want_containing("5 complete");
  idle.say(get_request);
  idle.want_containing("0 complete");
  EXPECT_TRUE(waiter.pending.resume());
  waiting.want(ok_answer);
  EXPECT_EQ(waiter.expired, 0);
}

// ---- a body

TEST(ServerDeadlines, ACollectedBodyThatTakesTooLongIsAnswered408) {
  Site<> site{{.timeouts = {.read_body = 4s, .rate_min = 0}}};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 39; ++i) {
    peer.say("x");
    peer.want_nothing(100ms);
  }
  peer.want_nothing(100ms - step);
  peer.want(refusal("408 Request Timeout"));
  peer.want_closed();
  peer.close();
  site.advance(1s);
  EXPECT_EQ(site.closes(CloseReason::body_timeout), 1U);
  site.expect_quiet();
}

TEST(ServerDeadlines, AStreamedBodyThatTakesTooLongFailsForItsHandler) {
  Site<> site{{.timeouts = {.read_body = 4s, .rate_min = 0}}};
  site.add(measure_any_route);
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello");
  peer.want_nothing(4s - step);
  EXPECT_NE(peer.want_head(200).find("Connection: close\r\n"), std::string::npos);
  peer.want("5 failed");
  peer.want_closed();
  peer.close();
  site.advance(1s);
  EXPECT_EQ(site.closes(CloseReason::body_timeout), 1U);
  site.expect_quiet();
}

TEST(ServerDeadlines, ABodyThatStallsIsEnded) {
  Site<> site{{.timeouts = {.stall = 2s, .rate_min = 0}}};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 3; ++i) {
    peer.want_nothing(2s - step);
    peer.say("x");  // each byte buys the full time again
  }
  peer.want_nothing(2s - step);
  peer.want(refusal("408 Request Timeout"));
  peer.want_closed();
}

// `bytes_per_second` for 13 s; then silence.
bool survives_rate(std::uint64_t bytes_per_second, http::ServerTimeouts timeouts) {
  Site<> site{{.timeouts = timeouts}};
  site.add(measure_any_route);
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 130 && !peer.is_closed() && peer.received().empty(); ++i) {
    peer.say(std::string(bytes_per_second / 10, 'x'));
    site.advance(100ms);
  }
  return peer.received().empty() && !peer.is_closed();
}

TEST(ServerDeadlines, ABodySlowerThanTheMinimumRateIsEnded) {
  const http::ServerTimeouts timeouts{.rate_min = 240, .rate_window = 5s};
  EXPECT_FALSE(survives_rate(10, timeouts));
  EXPECT_FALSE(survives_rate(220, timeouts));
  EXPECT_TRUE(survives_rate(260, timeouts));
  EXPECT_TRUE(survives_rate(10, {.rate_min = 0}));
  EXPECT_TRUE(survives_rate(10, {.rate_window = 0s}));
  // A window that is no whole number of seconds counts in full.
  EXPECT_FALSE(survives_rate(150, {.rate_min = 240, .rate_window = 500ms}));
  EXPECT_TRUE(survives_rate(400, {.rate_min = 240, .rate_window = 500ms}));
}

struct ReadDeadline {
  port::Duration after;
  Next serve(ResponseWriter& writer, Request& request) {
    if (request.event() == http::Event::start) {
      request.set_read_deadline(after);
    }
    return measure_body(writer, request);
  }
};

TEST(ServerDeadlines, AHandlerReplacesTheReadDeadline) {
  for (const auto after : {port::Duration{1s}, port::Duration{0s}}) {
    Site<> site{{.timeouts = {.read_body = 4s, .stall = 1h, .rate_min = 0}}};
    ReadDeadline handler{after};
    site.add({"*", http::handler<&ReadDeadline::serve>(handler), {.body = http::Body::streamed}});
    Peer& peer = site.connect();
    peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell");
    if (after == 0s) {
      peer.want_nothing(5min);
      peer.say("o");
      peer.want_containing("5 complete");
    } else {
      peer.want_nothing(1s - step);
      peer.want_containing("4 failed");
    }
  }
}

// The bytes of a body that came together with the request before it are as fresh as that request.
TEST(ServerDeadlines, ABodyBehindAPipelinedRequestHasItsTime) {
  Site<> site{{.timeouts = {.stall = 2s, .rate_min = 0}}};
  site.add(ok_route);
  site.advance(1h);  // the clock is far from its beginning
  Peer& peer = site.connect();
  peer.say(std::string{get_request} + "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  peer.want(ok_answer);
  peer.want_nothing(2s - step);
  peer.say("llo");
  peer.want(ok_answer);
}

// ---- an answer

TEST(ServerDeadlines, AReaderThatStopsIsCutOff) {
  Site<> site{{.timeouts = {.stall = 2s}}};
  LongAnswer answer;
  site.add({"*", http::handler<&LongAnswer::serve>(answer)});
  Peer& peer = site.connect();
  peer.stop_reading();
  peer.say(get_request);
  site.advance(2s - step);
  EXPECT_EQ(site.server.connections().used, 1U);
  EXPECT_EQ(answer.gone, 0);
  site.advance(2 * step);
  EXPECT_EQ(site.closes(CloseReason::write_timeout), 1U);
  EXPECT_EQ(answer.gone, 1);
  peer.reset();
  site.advance(step);
  site.expect_quiet();
}

TEST(ServerDeadlines, AnAnswerMayTakeAsLongAsWrite) {
  Site<> site{{.timeouts = {.write = 5s, .stall = 1s}}};
  LongAnswer answer;
  site.add({"*", http::handler<&LongAnswer::serve>(answer)});
  Peer& peer = site.connect();
  peer.read_slowly(20000);
  peer.say(get_request);
  site.advance(5s - step);
  EXPECT_EQ(site.server.connections().used, 1U);
  site.advance(2 * step);
  EXPECT_EQ(site.closes(CloseReason::write_timeout), 1U);
  EXPECT_EQ(answer.gone, 1);
}

TEST(ServerDeadlines, AHandlerReplacesTheWriteDeadline) {
  for (const auto after : {port::Duration{2s}, port::Duration{0s}}) {
    Site<> site{{.timeouts = {.write = 5s, .stall = 1s}}};
    LongAnswer answer{.size = 200000, .write_deadline = after};
    site.add({"*", http::handler<&LongAnswer::serve>(answer)});
    Peer& peer = site.connect();
    peer.read_slowly(20000);
    peer.say(get_request);
    site.advance(2s - step);
    EXPECT_EQ(site.server.connections().used, 1U);
    site.advance(2 * step);
    if (after == 0s) {
      EXPECT_EQ(site.server.connections().used, 1U);
      site.advance(20s);
      EXPECT_EQ(want_chunked_body((peer.want_head(200), peer)).size(), 200000U);
    } else {
      EXPECT_EQ(site.closes(CloseReason::write_timeout), 1U);
    }
  }
}

// The last kilobytes of an answer lie in the buffer when its handler is done: a client that takes them byte by byte must not hold the
// connection for longer than the answer may take.
TEST(ServerDeadlines, TheEndOfAnAnswerBelongsToIt) {
  Site<> site{{.timeouts = {.write = 5s, .stall = 2s},
               .conversation = {.network = {.link = {.send_buffer = 256, .receive_buffer = 256}}}}};
  LongAnswer answer{.size = 3000};
  site.add({"*", http::handler<&LongAnswer::serve>(answer)});
  Peer& peer = site.connect();
  peer.read_slowly(10);
  peer.say(get_request);
  site.advance(5s - step);
  EXPECT_EQ(site.server.connections().used, 1U);
  site.advance(2s);
  EXPECT_EQ(site.closes(CloseReason::write_timeout), 1U);
}

// Requests that wait behind an answer which is not taken are not late themselves.
TEST(ServerDeadlines, ASlowReaderThatPipelinesIsServed) {
  Site<> site{{.timeouts = {.read_head = 2s, .stall = 4s},
               .conversation = {.network = {.link = {.send_buffer = 512, .receive_buffer = 512}}}}};
  LongAnswer answer{.size = 1500};
  site.add({"*", http::handler<&LongAnswer::serve>(answer)});
  Peer& peer = site.connect();
  peer.stop_reading();
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += get_request;
  }
  peer.say(requests);
  for (int i = 0; i < 40; ++i) {
    site.advance(3s);  // longer than a head may take, shorter than a stall
    peer.resume_reading();
    site.advance(step);
    peer.stop_reading();
  }
  peer.resume_reading();
  for (int i = 0; i < 20; ++i) {
    peer.want_head(200);
    ASSERT_EQ(peer.want_body(1500).size(), 1500U);
  }
  peer.want_closed();  // it has been idle for long
  site.expect_quiet();
}

// ---- a handler that waits

TEST(ServerDeadlines, AHandlerThatWaitsTooLongIsTold) {
  Site<> site{{.timeouts = {.wait = 3s}}};
  Waiter waiter;
  site.add({"*", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_nothing(3s - step);
  EXPECT_EQ(waiter.expired, 0);
  peer.want_head(503);
  peer.want("Service Unavailable\n");
  EXPECT_EQ(waiter.expired, 1);
  EXPECT_FALSE(waiter.pending.is_pending());
  EXPECT_FALSE(waiter.pending.resume());
  // The connection lives on.
  peer.say(get_request);
  site.advance(step);
  EXPECT_TRUE(waiter.pending.resume());
  peer.want(ok_answer);
  EXPECT_EQ(waiter.gone, 0);
}

TEST(ServerDeadlines, AHandlerThatExpiredMayAnswerOrGoOn) {
  Site<> site{{.timeouts = {.wait = 3s}}};
  Waiter answering{.answers_when_expired = true};
  Waiter patient{.waits_again_when_expired = true};
  site.add({"*", http::handler<&Waiter::serve>(answering)});
  site.add({"/patient", http::handler<&Waiter::serve>(patient)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_nothing(3s - step);
  peer.want_head(504);
  peer.want("too late");
  peer.say("GET /patient HTTP/1.1\r\nHost: h\r\n\r\n");
  peer.want_nothing(10s - step);
  EXPECT_EQ(patient.expired, 1);
  peer.want_head(503);
  EXPECT_EQ(patient.expired, 2);
}

TEST(ServerDeadlines, TheRouteAndTheHandlerReplaceTheWaitDeadline) {
  Site<> site{{.timeouts = {.handshake = 0s, .wait = 3s}}};
  Waiter by_route;
  Waiter by_handler{.wait_deadline = 1s};
  Waiter unlimited{.wait_deadline = 0s};
  site.add({"*", http::handler<&Waiter::serve>(by_route), {.wait_max = 6s}});
  site.add({"/handler", http::handler<&Waiter::serve>(by_handler), {.wait_max = 6s}});
  site.add({"/unlimited", http::handler<&Waiter::serve>(unlimited), {.wait_max = 6s}});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_nothing(6s - step);
  peer.want_containing("Service Unavailable\n");
  peer.say("GET /handler HTTP/1.1\r\nHost: h\r\n\r\n");
  peer.want_nothing(1s - step);
  peer.want_containing("Service Unavailable\n");
  peer.say("GET /unlimited HTTP/1.1\r\nHost: h\r\n\r\n");
  peer.want_nothing(9min);
  EXPECT_EQ(unlimited.expired, 0);
  EXPECT_TRUE(unlimited.pending.resume());
  peer.want(ok_answer);
}

// What a handler said about its answer before it waited in vain does not damage the server's.
struct HalfHead {
  int code;
  Next serve(ResponseWriter& writer, Request& request) {
    if (request.event() == http::Event::start) {
      writer.status(code);
      writer.set_content_length(3);
    }
    return request.event() == http::Event::gone ? Next::done : Next::wait;
  }
};

TEST(ServerDeadlines, AnExpiredHandlersHeadIsForgotten) {
  for (const int code : {200, 204, 304}) {
    SCOPED_TRACE(code);
    Site<> site{{.timeouts = {.wait = 3s}}};
    HalfHead handler{code};
    site.add({"*", http::handler<&HalfHead::serve>(handler)});
    Peer& peer = site.connect();
    peer.say(get_request);
    EXPECT_NE(peer.want_head(503).find("Content-Length: 20\r\n"), std::string::npos);
    peer.want("Service Unavailable\n");
    peer.want_nothing(1s);
  }
}

// ---- the end

TEST(ServerDeadlines, LingeringEndsAfterItsTime) {
  Site<> site;
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("GET / HTTP/9.9\r\n\r\n");
  peer.want_head(505);
  peer.want_containing("version");
  peer.want_closed();
  EXPECT_EQ(site.server.connections().used, 1U) << "our direction is finished, theirs is not";
  site.advance(500ms - 10 * step);
  EXPECT_EQ(site.server.connections().used, 1U);
  site.advance(20 * step);
  site.expect_quiet();
  EXPECT_EQ(site.closes(CloseReason::bad_request), 1U);
}

}  // namespace
}  // namespace pollux::test
