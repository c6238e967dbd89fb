// 100 (Continue), bodies nobody reads, half-closed and broken connections: what is owed to a client, and when the connection ends.

#include "tests/http/server_handlers.hpp"

namespace pollux::test {
namespace {

using http::CloseReason;
using http::Next;
using http::Request;
using http::ResponseWriter;

constexpr http::Route streamed_ok_route{"/unread", http::handler<&say_ok>(), {.body = http::Body::streamed}};
constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

std::string measured(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nDate: *\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

// ---- 100 (Continue)

TEST(ServerContinue, IsSaidOnceWhenTheBodyIsWanted) {
  for (const std::string_view path : {"/", "/measure"}) {
    SCOPED_TRACE(path);
    Site<> site;
    site.add(ok_route);
    site.add(measure_route);
    Peer& peer = site.connect();
    for (int i = 0; i < 2; ++i) {
      peer.say("POST " + std::string{path} +
               " HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 10\r\n\r\n");
      peer.want(continue_answer);
      peer.want_nothing(100ms);
      peer.say("01234");
      peer.want_nothing(100ms);
      peer.say("56789");
      peer.want(path == "/" ? std::string{ok_answer} : measured("10 complete"));
    }
    peer.finish();
    peer.want_closed();
    site.expect_quiet();
  }
}

TEST(ServerContinue, IsNotSaidWhenItIsNoUse) {
  struct Row {
    const char* name;
    std::string_view request;
    std::string answer;
  };
  const std::string measured_5 = measured("5 complete");
  for (const Row& row :
       {Row{"the body has begun to come",
            "POST /measure HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", measured_5},
        Row{"there is no body", "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", std::string{ok_answer}},
        Row{"the body is empty", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
            std::string{ok_answer}},
        Row{"the handler does not read",
            "POST /unread HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            std::string{ok_close_answer}},
        Row{"it is too long", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
            refusal("413 Content Too Large")},
        Row{"something else is expected",
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: a-miracle\r\nContent-Length: 5\r\n\r\n",
            refusal("417 Expectation Failed")}}) {
    SCOPED_TRACE(row.name);
    Site<> site;
    site.add(ok_route);
    site.add(measure_route);
    site.add(streamed_ok_route);
    Peer& peer = site.connect();
    peer.say(row.request);
    peer.want(row.answer);
    if (row.answer.find("Connection: close") != std::string::npos) {
      peer.want_closed();
    } else {
      peer.want_nothing(1s);
    }
    peer.close();
    site.advance(1s);
    site.expect_quiet();
  }
}

TEST(ServerContinue, IsUnknownToHttp10) {
  Site<> site;
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  peer.want_nothing(1s);
  peer.say("ab");
  peer.want_head(200);
  peer.want("ok");
  peer.want_closed();
}

// Writes something, and only then asks for the body.
struct Impatient {
  bool only_fields = false;
  Next serve(ResponseWriter& writer, Request& request) {
    if (request.event() == http::Event::start) {
      if (only_fields) {
        writer.set("X-Early", "1");
      } else {
        writer.write("first ");
      }
    }
    request.consume(request.body_bytes().size());
    if (request.event() != http::Event::gone && request.body_state() == http::BodyState::more) {
      return Next::read_body;
    }
    writer.write("last");
    return Next::done;
  }
};

TEST(ServerContinue, IsNotSaidBehindAnAnswer) {
  Site<> site;
  Impatient impatient;
  Impatient polite{.only_fields = true};
  site.add({"*", http::handler<&Impatient::serve>(impatient), {.body = http::Body::streamed}});
  site.add({"/polite", http::handler<&Impatient::serve>(polite), {.body = http::Body::streamed}});
  Peer& peer = site.connect();
  peer.say("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  peer.want_nothing(1s);
  peer.say("ab");  // as a client does that waited long enough
  const std::string head = peer.want_head(200);
  EXPECT_EQ(head.find("100"), std::string::npos);
  peer.want("first last");
  Peer& other = site.connect();
  other.say("POST /polite HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  other.want(continue_answer);
  other.say("ab");
  EXPECT_NE(other.want_head(200).find("X-Early: 1\r\n"), std::string::npos);
  other.want("last");
}

TEST(ServerContinue, IsSaidBehindEarlierAnswers) {
  Site<> site;
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say(std::string{get_request} +
           "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  peer.want(ok_answer);
  peer.want(continue_answer);
  peer.say("ab" + std::string{get_request});
  peer.want(ok_answer);
  peer.want(ok_answer);
}

// ---- bodies nobody reads

struct UnreadRow {
  const char* name;
  std::uint64_t size;
  bool chunked;
  bool keeps;
};

constexpr std::uint64_t kib_256 = 256 * 1024;

TEST(ServerUnread, IsReadAwayUpToItsLimit) {
  for (const UnreadRow& row :
       {UnreadRow{"100 KB", 100000, false, true}, UnreadRow{"256 KiB - 1", kib_256 - 1, false, true},
        UnreadRow{"256 KiB", kib_256, false, false}, UnreadRow{"1 MB", 1 << 20, false, false},
        UnreadRow{"100 KB chunked", 100000, true, true}, UnreadRow{"1 MB chunked", 1 << 20, true, false}}) {
    SCOPED_TRACE(row.name);
    Site<> site;
    site.add(ok_route);
    site.add(streamed_ok_route);
    Peer& peer = site.connect();
    std::string text = "POST /unread HTTP/1.1\r\nHost: h\r\n";
    if (row.chunked) {
      text += "Transfer-Encoding: chunked\r\n\r\n";
      for (std::uint64_t left = row.size; left > 0;) {
        const std::uint64_t count = std::min<std::uint64_t>(left, 4096);
        std::array<char, 16> line{};
        std::snprintf(line.data(), line.size(), "%llx\r\n", static_cast<unsigned long long>(count));
        text += line.data() + std::string(count, 'x') + "\r\n";
        left -= count;
      }
      text += "0\r\n\r\n";
    } else {
      text += "Content-Length: " + std::to_string(row.size) + "\r\n\r\n" + std::string(row.size, 'x');
    }
    peer.say(text);
    if (row.keeps) {
      peer.want(ok_answer);
      peer.say(get_request);
      peer.want(ok_answer);
    } else {
      // Whether the head could still say it or not: the answer survives and the connection ends.
      peer.want_head(200);
      peer.want("ok");
      peer.want_closed();
    }
    peer.close();
    site.advance(1s);
    site.expect_quiet();
    EXPECT_EQ(site.closes(CloseReason::body_too_large), row.keeps ? 0U : 1U);
  }
}

TEST(ServerUnread, TellsInTheHeadIfItKnowsInTime) {
  Site<> site;
  site.add(ok_route);
  site.add(streamed_ok_route);
  Peer& peer = site.connect();
  peer.say("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 262144\r\n\r\n");
  peer.want(ok_close_answer);
  peer.want_closed();
  Peer& other = site.connect();
  other.say("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 262143\r\n\r\n");
  other.want(ok_answer);  // before the body is there
  other.say(std::string(262143, 'x') + std::string{get_request});
  other.want(ok_answer);
}

// A client that sends all of its request before it reads gets the refusal, although most of it is never read.
TEST(ServerUnread, DoesNotDestroyARefusal) {
  for (const auto& [request, answer] :
       {std::pair{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + std::string(60000, 'x'),
                  refusal("413 Content Too Large")},
        std::pair{"GET / HTTP/1.1\r\nX: " + std::string(60000, 'x') + "\r\n\r\n",
                  refusal("431 Request Header Fields Too Large")}}) {
    Site<> site{{.conversation = {.network = {.link = {.latency_min = 30ms, .latency_max = 30ms}}}}};
    site.add(ok_route);
    Peer& peer = site.connect();
    peer.say(request);
    peer.want(answer);
    peer.want_closed();
    peer.close();
    site.advance(1s);
    site.expect_quiet();
  }
}

// The server ends the connection, and the client could not know: what it sent meanwhile must not cost it the answers.
void ok_and_close(ResponseWriter& writer, Request&) {
  writer.close_after();
  writer.text(200, "ok");
}
TEST(ServerUnread, PipelinedRequestsDoNotDestroyTheLastAnswer) {
  Site<> site{{.conversation = {.network = {.link = {.latency_min = 30ms, .latency_max = 30ms}}}}};
  site.add(ok_route);
  site.add({"/last", http::handler<&ok_and_close>()});
  Peer& peer = site.connect();
  std::string text = std::string{get_request} + "GET /last HTTP/1.1\r\nHost: h\r\n\r\n";
  for (int i = 0; i < 1000; ++i) {
    text += get_request;
  }
  peer.say(text);
  peer.want(ok_answer);
  peer.want(ok_close_answer);
  peer.want_closed();
  peer.close();
  site.advance(1s);
  site.expect_quiet();
}

// ---- clients that finish or break

TEST(ServerEnds, AHalfClosedClientGetsItsAnswer) {
  Site<> site;
  site.add(ok_route);
  site.add(measure_route);
  Waiter waiter;
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  for (const std::string_view request :
       {get_request, std::string_view{"POST /measure HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"}}) {
    Peer& peer = site.connect();
    peer.say(request).finish();
    peer.want_head(200);
    peer.take();
    peer.want_closed();
    peer.close();
  }
  Peer& two = site.connect();
  two.say(std::string{get_request} + std::string{get_request}).finish();
  two.want(ok_answer);
  two.want(ok_answer);
  two.want_closed();
  Peer& late = site.connect();
  late.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").finish();
  late.want_nothing(1s);
  EXPECT_TRUE(waiter.pending.resume());
  late.want(ok_answer);
  late.want_closed();
  site.advance(1s);
  site.expect_quiet();
}

TEST(ServerEnds, ATruncatedRequestIsNotServed) {
  struct Row {
    const char* name;
    std::string_view request;
    int status;  // 0: nothing
  };
  for (const Row& row :
       {Row{"nothing", "", 0}, Row{"in the request line", "GET /", 400},
        Row{"in the head", "GET / HTTP/1.1\r\nHost: h\r\n", 400},
        Row{"in a collected body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", 400},
        Row{"in a chunked body", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 400},
        Row{"in an unread body", "POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", 200}}) {
    SCOPED_TRACE(row.name);
    Site<> site;
    site.add(ok_route);
    site.add(streamed_ok_route);
    Peer& peer = site.connect();
    peer.say(row.request).finish();
    if (row.status != 0) {
      peer.want_head(row.status);
      peer.take();
    }
    peer.want_closed();
    site.advance(1s);
    site.expect_quiet();
    EXPECT_EQ(site.closes(CloseReason::client_truncated), row.status == 0 ? 0U : 1U);
  }
  // A streaming handler is told.
  Site<> site;
  site.add(ok_route);
  site.add(measure_route);
  Peer& peer = site.connect();
  peer.say("POST /measure HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe").finish();
  peer.want_containing("2 failed");
  peer.want_closed();
}

TEST(ServerEnds, ABrokenClientIsForgottenAtEveryStage) {
  struct Row {
    const char* name;
    std::string_view request;
    bool reads;
    int gone;
  };
  for (const Row& row :
       {Row{"silent", "", true, 0}, Row{"in the head", "GET / HT", true, 0},
        Row{"in a collected body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", true, 0},
        Row{"in a streamed body", "POST /measure HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", true, 0},
        Row{"in an unread body", "POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", true, 0},
        Row{"waiting", "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n", true, 1},
        Row{"taking an answer", "GET /long HTTP/1.1\r\nHost: h\r\n\r\n", false, 1}, Row{"idle", get_request, true, 0},
        Row{"lingering", "GET / HTTP/9.9\r\n\r\n", true, 0}}) {
    SCOPED_TRACE(row.name);
    Site<> site;
    Waiter waiter;
    LongAnswer answer;
    site.add(ok_route);
    site.add(measure_route);
    site.add(streamed_ok_route);
    site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
    site.add({"/long", http::handler<&LongAnswer::serve>(answer)});
    Peer& peer = site.connect();
    if (!row.reads) {
      peer.stop_reading();
    }
    peer.say(row.request);
    site.advance(10ms);
    EXPECT_EQ(site.server.connections().used, 1U);
    peer.reset();
    site.advance(1ms);
    site.expect_quiet();
    EXPECT_EQ(waiter.gone + answer.gone, row.gone);
    EXPECT_EQ(waiter.pending.resume(), false);
    std::uint64_t total = 0;
    site.server.for_each_close(
        [&](const http::CloseRecord& record) { total += record.bytes_in != 0 || row.request.empty() ? 1 : 0; });
    EXPECT_EQ(total, 1U);
  }
}

// Every request that was read is counted once as answered, or as ended without a whole answer.
TEST(ServerEnds, TheBooksBalance) {
  Site<> site;
  LongAnswer answer;
  Waiter waiter;
  site.add(ok_route);
  site.add(streamed_ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  site.add({"/long", http::handler<&LongAnswer::serve>(answer)});
  for (const std::string_view path : {"/", "/wait", "/long"}) {
    Peer& peer = site.connect();
    peer.stop_reading();
    peer.say("GET " + std::string{path} + " HTTP/1.1\r\nHost: h\r\n\r\n");
    site.advance(1ms);
    peer.reset();
  }
  Peer& unread = site.connect();
  unread.say("POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  unread.want(ok_answer);
  unread.reset();
  site.advance(1ms);
  const http::ServerCounters& counters = site.server.counters();
  std::uint64_t ended = 0;
  for (const std::uint64_t count : counters.answers) {
    ended += count;
  }
  EXPECT_EQ(counters.requests, 4U);
  EXPECT_EQ(ended, 4U);
  std::uint64_t closes = 0;
  for (const std::uint64_t count : counters.closes) {
    closes += count;
  }
  EXPECT_EQ(closes, counters.accepted);
}

}  // namespace
}  // namespace pollux::test
