// Raw requests against the server: which are answered how, what the handler saw, and what becomes of the connection. The rows
// follow net/http with the stricter choices of RFC 9110 and 9112; where pollux differs the row says why.

#include <string>

#include "stack/base/text.hpp"
#include "tests/http/site.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

using http::BodyState;
using http::Next;
using http::Request;
using http::ResponseWriter;

// Repeats what it saw: "METHOD path host body=...", and 400 if the body was broken.
struct Seen {
  std::uint16_t size;
  char body[100];
};
Next show(ResponseWriter& writer, Request& request) {
  auto& seen = request.state<Seen>();
  if (request.event() == http::Event::gone) {
    return Next::done;
  }
  const std::string_view piece = request.body_bytes();
  for (const char c : piece) {
    if (seen.size < sizeof seen.body) {
      seen.body[seen.size++] = c;
    }
  }
  request.consume(piece.size());
  switch (request.body_state()) {
    case BodyState::more:
      return Next::read_body;
    case BodyState::too_large:
      http::error(writer, 413, "413 too large");
      return Next::done;
    case BodyState::failed:
      http::error(writer, 400, "400 body");
      return Next::done;
    case BodyState::complete:
      break;
  }
  writer.set("Content-Type", "text/plain");
  const auto put = [&](std::string_view text) { writer.write(text); };
  put(request.method());
  put(" ");
  put(request.raw_path());
  if (request.has_query()) {
    put("?");
    put(request.query());
  }
  put(" host=");
  put(request.host());
  if (const auto value = request.field("Foo")) {
    put(" Foo=[");
    put(*value);
    put("]");
  }
  if (seen.size != 0) {
    put(" body=");
    put({seen.body, seen.size});
  }
  for (std::size_t i = 0; request.content_length() == std::nullopt && i < request.trailers().size(); ++i) {
    put(" trailer=");
    put(request.trailers()[i].name);
    put(":");
    put(request.trailers()[i].value);
  }
  return Next::done;
}

struct RequestRow {
  std::string_view request;
  int status;
  std::string_view body;  // of the answer, its start
  After after;
  bool finish = false;  // the client finishes behind its request
};

// Splits the first message off `text`: its head and as much body as Content-Length says.
struct Answer {
  int status = 0;
  std::string head;
  std::string body;
};
std::vector<Answer> split(const std::string& text) {
  std::vector<Answer> answers;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find("\r\n\r\n", at);
    if (end == std::string::npos) {
      ADD_FAILURE() << "half a head: " << escape(text.substr(at));
      break;
    }
    Answer answer;
    answer.head = text.substr(at, end + 4 - at);
    answer.status = std::stoi(answer.head.substr(9, 3));
    at = end + 4;
    const std::size_t length = answer.head.find("Content-Length: ");
    if (length != std::string::npos) {
      const std::size_t size = std::stoul(answer.head.substr(length + 16));
      answer.body = text.substr(at, size);
      at += size;
    }
    answers.push_back(answer);
  }
  return answers;
}

const std::string big_field = "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2100, 'a') + "\r\n\r\n";
const std::string many_fields = [] {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 16; ++i) {
    text += "X: y\r\n";
  }
  return text + "\r\n";
}();

using namespace std::string_view_literals;

const RequestRow request_rows[] = {
    {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET / host=h", After::keep},
    {"GET / HTTP/1.0\r\n\r\n", 200, "GET / host=", After::close},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "GET / host=", After::keep},
    {"GET http://other.com/x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET /x host=other.com", After::keep},
    {"GET http://other.com HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET / host=other.com", After::keep},
    {"GET //double/path HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET //double/path host=h", After::keep},
    {"GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET /a?b=c host=h", After::keep},
    {"GET /p q HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400 Bad Request", After::close},
    {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 200, "GET * host=h", After::keep},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 200, "", After::keep},
    {"CONNECT www.g.com:443 HTTP/1.1\r\n\r\n", 200, "CONNECT  host=www.g.com:443", After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200, "POST / host=h body=abc", After::keep},
    {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200, "GET / host=h body=abc", After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n", 200,
     "POST / host=h body=foobar", After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nfoo\r\n0\r\nX-T: v\r\n\r\n",
     200, "POST / host=h body=foo trailer=X-T:v", After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n3\r\nfoo\r\n0\r\n\r\n",
     400, "400 Bad Request", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "501 Not Implemented",
     After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: fugazi\r\n\r\n", 501, "501", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", 501, "501", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501,
     "501", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", 501, "501", After::close},
    // Transfer-Encoding wins over Content-Length, and the connection ends, so that nothing can be smuggled behind it.
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n3\r\nfoo\r\n0\r\n\r\n", 200,
     "POST / host=h body=foo", After::close},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 200, "POST / host= body=abc",
     After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, "POST / host=h body=abc",
     After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, "400", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nfoo\r\n0;x\r\n\r\n", 200,
     "POST / host=h body=foo", After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nfoo\r\n0\r\n\r\n", 200,
     "POST / host=h body=foo", After::keep},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nfoo\r\n0\r\n\r\n", 400, "400 body",
     After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000003\r\nfoo\r\n0\r\n\r\n", 400,
     "400 body", After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\nfoo\r\n0\r\n\r\n", 400, "400 body",
     After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nfoo\r\n0\r\n\r\n", 400, "400 body",
     After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfooX\r\n0\r\n\r\n", 400, "400 body",
     After::close},
    {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n0\r\nbad trailer\r\n\r\n", 400,
     "400 body", After::close},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "400 Bad Request", After::close},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "400 Bad Request", After::close},
    {"GET / HTTP/1.1\r\n\r\n", 400, "400 Bad Request: ", After::close},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "400 Bad Request: ", After::close},
    {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200, "GET / host=[::1]:8080", After::keep},
    {"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", 400, "400 Bad Request: ", After::close},
    {"GET / HTTP/1.1\r\nHost: foo'bar\r\n\r\n", 200, "GET / host=foo'bar", After::keep},
    // Folded lines are refused, as RFC 9112 section 5.2 allows, where net/http joins them.
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo: a\r\n b\r\n\r\n", 400, "400 Bad Request", After::close},
    {"GET / HTTP/1.1\r\n Foo: a\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo bar\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo : bar\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\n: bar\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo\xff: bar\r\n\r\n", 400, "400 Bad Request: ", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo: b\x00r\r\n\r\n"sv, 400, "400 Bad Request: ", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo: b\rr\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo: b\xffr\r\n\r\n", 200, "GET / host=h Foo=[b\xffr]", After::keep},
    {"GET / HTTP/1.1\r\nHost: h\r\nFoo:   bar \t \r\n\r\n", 200, "GET / host=h Foo=[bar]", After::keep},
    {"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"get / HTTP/1.1\r\nHost: h\r\n\r\n", 200, "get / host=h", After::keep},
    {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"GET /\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 200, "GET / host=h", After::keep},
    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, "505 HTTP Version Not Supported: unsupported protocol version",
     After::close},
    {"GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505, "505", After::close},
    {"GET / HTTP/11\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"GET / http/1.1\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "505", After::close},
    {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"GET p HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400", After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n", 200, "GET / host=h", After::close},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 200, "POST / host= body=abc",
     After::close},
    {"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", 200, "GET / host=h", After::keep},
    {"GET / HTTP/1.1\r\nHost: h\r\nExpect: the-worst\r\n\r\n", 417, "417", After::close},
    {big_field, 431, "431 Request Header Fields Too Large", After::close},
    {many_fields, 431, "431", After::close},
    {"GET", 400, "400 Bad Request", After::close, true},
    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab", 400, "400 body", After::close, true},
    {"\x16\x03\x01\x00\x05hello\r\n\r\n"sv, 400, "400", After::close},
    {"GET / HTTP/1.1\nHost: h\n\n", 200, "GET / host=h", After::keep},
};

void check(Peer& peer, Site<>& site, const RequestRow& row) {
  site.talk.run_until([&] { return peer.is_closed() || peer.is_reset() || !peer.received().empty(); });
  site.advance(50ms);
  const std::vector<Answer> answers = split(peer.take());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].status, row.status);
  EXPECT_EQ(answers[0].body.substr(0, row.body.size()), row.body);
  EXPECT_NE(answers[0].head.find(date_line), std::string::npos);
  const bool closes = answers[0].head.find("Connection: close\r\n") != std::string::npos;
  if (row.after == After::close) {
    EXPECT_TRUE(closes || answers[0].head.starts_with("HTTP/1.0"));
    EXPECT_TRUE(peer.is_closed());
  } else {
    EXPECT_FALSE(closes);
    EXPECT_FALSE(peer.is_closed());
    EXPECT_FALSE(peer.is_reset());
  }
}

class ServerRequests : public ::testing::Test {
 protected:
  void expect_all(void (*say)(Peer& peer, std::string_view text)) {
    for (const RequestRow& row : request_rows) {
      SCOPED_TRACE(escape(row.request.substr(0, 100)));
      Site<> site;
      site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
      Peer& peer = site.connect();
      say(peer, row.request);
      if (row.finish) {
        peer.finish();
      }
      check(peer, site, row);
      peer.close();
      site.advance(2s);
      site.expect_quiet();
    }
  }
};

TEST_F(ServerRequests, AreAnsweredAsNetHttpAndTheRfcsAsk) {
  expect_all([](Peer& peer, std::string_view text) { peer.say(text); });
}

TEST_F(ServerRequests, AreAnsweredTheSameByteByByte) {
  expect_all([](Peer& peer, std::string_view text) { peer.say_in_pieces(text, 1); });
}

TEST_F(ServerRequests, AreAnsweredTheSameAtEverySplit) {
  for (const RequestRow& row : request_rows) {
    if (row.request.size() > 300 || row.finish) {
      continue;  // the long ones are covered byte by byte
    }
    Site<> site;
    site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
    for (std::size_t at = 1; at < row.request.size(); at += stride) {
      SCOPED_TRACE(escape(row.request) + " split at " + std::to_string(at));
      Peer& peer = site.connect();
      peer.say_split(row.request, at);
      check(peer, site, row);
      peer.close();
      site.advance(1s);
    }
    site.expect_quiet();
  }
}

// ---- what 32 bits cannot count

// 2^32 + 3 is 3 for who counts with 32 bits.
TEST(ServerLargeBodies, CollectedOnesAreRefusedNotCut) {
  struct Row {
    const char* name;
    std::string_view length;
    std::string_view answer;
  };
  for (const Row& row :
       {Row{"2^32 + 3", "4294967299", "413 Content Too Large"}, Row{"2^32", "4294967296", "413 Content Too Large"},
        Row{"2^63 - 1", "9223372036854775807", "413 Content Too Large"},
        Row{"2^64 + 3", "18446744073709551619", "400 Bad Request"}}) {
    SCOPED_TRACE(row.name);
    // Nothing but the buffer limits the body of this server.
    Site<> site{{.body_max = UINT64_MAX}};
    site.add(http::handle<&show>("*"));
    Peer& peer = site.connect();
    peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::string{row.length} + "\r\n\r\nabc");
    EXPECT_EQ(peer.want_containing("\r\n\r\n").substr(9, row.answer.size()), row.answer);
  }
}

TEST(ServerLargeBodies, ALargeChunkIsNotItsLowerBits) {
  for (const bool is_streamed : {false, true}) {
    SCOPED_TRACE(is_streamed);
    Site<> site{{.body_max = UINT64_MAX}};
    site.add(http::handle<&show>("*", {.body = is_streamed ? http::Body::streamed : http::Body::collected}));
    Peer& peer = site.connect();
    peer.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100000003\r\nabc\r\n0\r\n\r\n");
    peer.want_nothing(1s);
    peer.finish();
    EXPECT_EQ(peer.want_containing("\r\n\r\n").substr(9, 3), "400");
  }
}

struct Declared {
  std::uint64_t length = 0;
  Next serve(ResponseWriter& writer, Request& request) {
    if (request.event() == http::Event::start) {
      length = request.content_length().value_or(0);
    }
    return measure(writer, request);
  }
  static Next measure(ResponseWriter&, Request& request) {
    request.consume(request.body_bytes().size());
    return request.event() == http::Event::gone ? Next::done : Next::read_body;
  }
};

TEST(ServerLargeBodies, TheLimitOfARouteMayBeLarger) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 33;
  for (const std::uint64_t length : {limit - 1, limit, limit + 1}) {
    SCOPED_TRACE(length);
    Declared declared;
    Site<> site;
    site.add(http::max_bytes(limit, http::handle<&Declared::serve>("*", declared, {.body = http::Body::streamed})));
    Peer& peer = site.connect();
    peer.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n\r\nabc");
    if (length > limit) {
      EXPECT_EQ(peer.want_containing("\r\n\r\n").substr(9, 3), "413");
    } else {
      peer.want_nothing(1s);
      EXPECT_EQ(declared.length, length);
    }
    peer.reset();
    site.advance(1s);
    site.expect_quiet();
  }
}

// ---- pipelining

constexpr std::string_view pipeline =
    "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
    "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n0\r\n\r\n"
    "HEAD /4 HTTP/1.1\r\nHost: h\r\n\r\n"
    "GET /5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

std::string plain(std::string_view fields, std::string_view body, bool with_body = true) {
  std::string text = answer("HTTP/1.1 200 OK", "Content-Type: text/plain\r\n" + std::string{fields}, body);
  return with_body ? text : text.substr(0, text.size() - body.size());
}
const std::string pipeline_answers = plain("", "GET /1 host=h") + plain("", "POST /2 host=h body=abc") +
                                     plain("", "POST /3 host=h body=foo") + plain("", "HEAD /4 host=h", false) +
                                     plain("Connection: close\r\n", "GET /5 host=h");

TEST(ServerPipelining, AnswersInOrderAtEverySplit) {
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  site.talk.at_each_split({.address = port::Address::ipv4_loopback(site_port)}, pipeline, [](Peer& peer) {
    peer.want(pipeline_answers);
    peer.want_closed();
  });
  site.advance(2s);
  site.expect_quiet();
}

TEST(ServerPipelining, HandlesHundredsOfRequestsInOnePiece) {
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  Peer& peer = site.connect();
  std::string requests;
  std::string answers;
  for (int i = 0; i < 500; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    answers += plain("", "GET /" + std::to_string(i) + " host=h");
  }
  peer.say(requests);
  peer.want(answers);
  peer.want_nothing(1s);
  EXPECT_EQ(site.server.counters().requests, 500U);
}

TEST(ServerPipelining, SkipsAnEmptyLineBeforeTheFirstRequest) {
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  Peer& peer = site.connect();
  peer.say("\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
  peer.want(plain("", "GET /1 host=h"));
}

// With every slot taken by clients that do not get on, somebody who waits gets one.
TEST(ServerOverload, SlowTransfersGiveWay) {
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed, .body_max = 1 << 20}));
  for (int i = 0; i < 8; ++i) {
    site.connect().say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc");
  }
  site.advance(1s);
  Peer& good = site.connect();
  good.say("GET /good HTTP/1.1\r\nHost: h\r\n\r\n");
  good.want_nothing(1s);  // three seconds of standing still are allowed
  good.want(plain("", "GET /good host=h"));
  EXPECT_EQ(site.closes(http::CloseReason::evicted), 1U);
}

// The decoded path needs memory of its own, which a client that pipelines must not use up.
TEST(ServerPipelining, DecodesPathsHoweverMuchIsPipelined) {
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  Peer& peer = site.connect();
  std::string requests;
  std::string answers;
  for (int i = 0; i < 300; ++i) {
    const std::string path = "/%61%20" + std::string(static_cast<std::size_t>(i % 50), 'x') + "%2F" + std::to_string(i);
    requests += "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
    answers += plain("", "GET " + path + " host=h");
  }
  peer.say(requests);
  peer.want(answers);
  peer.want_nothing(1s);
}

TEST(ServerRequestTarget, IsTooLongIfItsPathDoesNotFitTwice) {
  constexpr http::ServerLimits limits{.connections = 2, .in_buffer = 1024, .out_buffer = 1024, .head_size_max = 900};
  Site<limits> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  Peer& plain_path = site.connect();
  plain_path.say("GET /" + std::string(850, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  plain_path.want_head(200);
  Peer& short_path = site.connect();
  short_path.say("GET /%61" + std::string(400, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  short_path.want_head(200);
  plain_path.close();
  short_path.close();
  site.advance(1s);
  Peer& long_path = site.connect();
  long_path.say("GET /%61" + std::string(800, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  long_path.want_head(414);
}

TEST(ServerPipelining, SkipsOneEmptyLineBehindABodyOnly) {
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  Peer& post = site.connect();
  post.say("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  post.want(plain("", "POST /1 host=h body=a") + plain("", "GET /2 host=h"));
  post.want_nothing(1s);
  // The same when the empty line comes later.
  Peer& late = site.connect();
  late.say("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na");
  late.want(plain("", "POST /1 host=h body=a"));
  site.advance(1s);
  late.say("\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  late.want(plain("", "GET /2 host=h"));
  // After a request without a body it is an error: somebody counts differently.
  Peer& get = site.connect();
  get.say("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  get.want(plain("", "GET /1 host=h"));
  get.want_head(400);
}

TEST(ServerPipelining, OfOneBatchLeavesInOneSend) {
  POLLUX_NOT_OVER_TLS("counts system calls");
  Site<> site;
  site.add(http::handle<&show>("*", {.body = http::Body::streamed}));
  Peer& peer = site.connect();
  std::string requests;
  for (int i = 0; i < 16; ++i) {
    requests += "GET /0 HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  peer.say(requests);
  const std::string one = plain("", "GET /0 host=h");
  std::string all;
  for (int i = 0; i < 16; ++i) {
    all += one;
  }
  const auto calls_before = site.talk.port().sends();
  peer.want(all);
  EXPECT_EQ(site.talk.port().sends() - calls_before, 1U);
}

}  // namespace
}  // namespace pollux::test
