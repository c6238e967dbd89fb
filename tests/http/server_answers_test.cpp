// What a handler does and what the client then sees: status, fields, framing, and whether the connection lives on. The rows are those
// of net/http's behaviour; the framing window is the output buffer.

#include "tests/http/site.hpp"

namespace pollux::test {
namespace {

using http::HeadChange;
using http::Next;
using http::Request;
using http::ResponseWriter;

constexpr std::string_view get_1_1 = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view get_1_0 = "GET / HTTP/1.0\r\n\r\n";
constexpr std::string_view get_1_0_keep = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
constexpr std::string_view head_1_1 = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view text_type = "Content-Type: text/plain; charset=utf-8\r\n";

void nothing(ResponseWriter&, Request&) {}
void small(ResponseWriter& writer, Request&) {
  writer.write("hello");
}
void html(ResponseWriter& writer, Request&) {
  writer.write("<html>");
}
void html_without_type(ResponseWriter& writer, Request&) {
  writer.suppress(wire::FieldId::content_type);
  writer.write("<html>");
}
void no_date(ResponseWriter& writer, Request&) {
  writer.write("");
  writer.suppress(wire::FieldId::date);
}
void own_date(ResponseWriter& writer, Request&) {
  writer.set("X-Date-Like", "d");
}
void created_twice(ResponseWriter& writer, Request&) {
  EXPECT_EQ(writer.status(201), HeadChange::ok);
  EXPECT_EQ(writer.status(404), HeadChange::too_late);
}
void status_999(ResponseWriter& writer, Request&) {
  writer.status(999);
}
void no_content_with_write(ResponseWriter& writer, Request&) {
  writer.status(204);
  EXPECT_EQ(writer.write("dropped"), 7U);
}
void not_modified_with_type(ResponseWriter& writer, Request&) {
  writer.set("Content-Type", "text/html");
  writer.set("Etag", "\"x\"");
  writer.status(304);
}
void asks_close(ResponseWriter& writer, Request&) {
  writer.set("Connection", "close");
}
void declares_5_writes_3(ResponseWriter& writer, Request&) {
  writer.set_content_length(5);
  writer.write("hel");
}
void declares_5_writes_7(ResponseWriter& writer, Request&) {
  writer.set_content_length(5);
  writer.write("hello!!");
}
void declares_5_writes_5(ResponseWriter& writer, Request&) {
  writer.set("content-length", "5");
  writer.write("he");
  writer.write("llo");
}
void flushes(ResponseWriter& writer, Request&) {
  writer.write("hi");
  writer.flush();
}
void flushes_between(ResponseWriter& writer, Request&) {
  writer.write("one");
  writer.flush();
  writer.write("two");
}
void early_hints(ResponseWriter& writer, Request&) {
  writer.set("Link", "</a>");
  EXPECT_EQ(writer.status(103), HeadChange::ok);
  writer.write("ok");
}
Next aborts(ResponseWriter& writer, Request&) {
  writer.write("lost");
  return Next::abort;
}
Next aborts_after_flush(ResponseWriter& writer, Request&) {
  writer.write("part");
  writer.flush();
  return Next::abort;
}
void trailers(ResponseWriter& writer, Request&) {
  EXPECT_EQ(writer.declare_trailer("X-T"), HeadChange::ok);
  EXPECT_EQ(writer.declare_trailer("Content-Length"), HeadChange::invalid);
  writer.write("b");
  writer.trailer("X-T", "v");
}
void injection(ResponseWriter& writer, Request&) {
  EXPECT_EQ(writer.set("X", "a\r\nEvil: b"), HeadChange::invalid);
  EXPECT_EQ(writer.set("X Y", "a"), HeadChange::invalid);
  EXPECT_EQ(writer.set("Transfer-Encoding", "chunked"), HeadChange::invalid);
  EXPECT_EQ(writer.set("Content-Length", "+3"), HeadChange::invalid);
}
void set_replaces(ResponseWriter& writer, Request&) {
  writer.add("X-A", "1");
  writer.add("x-a", "2");
  writer.add("X-B", "3");
  writer.set("X-A", "4");
  EXPECT_TRUE(writer.has("x-A"));
  EXPECT_EQ(writer.remove("X-B"), HeadChange::ok);
  EXPECT_FALSE(writer.has("X-B"));
}
void too_late(ResponseWriter& writer, Request&) {
  writer.write("x");
  EXPECT_EQ(writer.set("X-A", "1"), HeadChange::too_late);
  EXPECT_EQ(writer.status(500), HeadChange::too_late);
}
void static_body(ResponseWriter& writer, Request&) {
  writer.send_static("a constant");
}
void missing(ResponseWriter& writer, Request&) {
  http::not_found(writer);
}
void head_then_error(ResponseWriter& writer, Request&) {
  writer.set("Content-Encoding", "gzip");
  writer.set("ETag", "\"1\"");
  writer.set_content_length(700);
  http::error(writer, 500, "boom");
}

struct AnswerRow {
  const char* name;
  http::Handler handler;
  std::string_view request;
  std::string wire;
  After after;
};

std::string head(std::string_view line, std::string_view fields) {
  return std::string{line} + "\r\n" + std::string{date_line} + std::string{fields} + "\r\n";
}

TEST(ServerAnswers, AreFramedAsNetHttpDoes) {
  const std::string ok = "HTTP/1.1 200 OK";
  const std::string ok_1_0 = "HTTP/1.0 200 OK";
  const std::string type{text_type};
  const AnswerRow rows[] = {
      {"nothing 1.1", http::handler<&nothing>(), get_1_1, head(ok, "Content-Length: 0\r\n"), After::keep},
      {"nothing 1.0", http::handler<&nothing>(), get_1_0, head(ok_1_0, "Content-Length: 0\r\n"), After::close},
      {"nothing 1.0 keep-alive", http::handler<&nothing>(), get_1_0_keep,
       head(ok_1_0, "Connection: keep-alive\r\nContent-Length: 0\r\n"), After::keep},
      {"nothing HEAD", http::handler<&nothing>(), head_1_1, head(ok, ""), After::keep},
      {"small", http::handler<&small>(), get_1_1, head(ok, type + "Content-Length: 5\r\n") + "hello", After::keep},
      {"small HEAD", http::handler<&small>(), head_1_1, head(ok, type + "Content-Length: 5\r\n"), After::keep},
      {"small 1.0", http::handler<&small>(), get_1_0, head(ok_1_0, type + "Content-Length: 5\r\n") + "hello",
       After::close},
      {"html", http::handler<&html>(), get_1_1,
       head(ok, "Content-Type: text/html; charset=utf-8\r\nContent-Length: 6\r\n") + "<html>", After::keep},
      {"type suppressed", http::handler<&html_without_type>(), get_1_1, head(ok, "Content-Length: 6\r\n") + "<html>",
       After::keep},
      {"no date", http::handler<&no_date>(), get_1_1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", After::keep},
      {"own field", http::handler<&own_date>(), get_1_1, head(ok, "X-Date-Like: d\r\nContent-Length: 0\r\n"),
       After::keep},
      {"status twice", http::handler<&created_twice>(), get_1_1, head("HTTP/1.1 201 Created", "Content-Length: 0\r\n"),
       After::keep},
      {"999", http::handler<&status_999>(), get_1_1, head("HTTP/1.1 999 status code 999", "Content-Length: 0\r\n"),
       After::keep},
      {"204 with write", http::handler<&no_content_with_write>(), get_1_1, head("HTTP/1.1 204 No Content", ""),
       After::keep},
      {"304 with type", http::handler<&not_modified_with_type>(), get_1_1,
       head("HTTP/1.1 304 Not Modified", "Etag: \"x\"\r\n"), After::keep},
      {"close", http::handler<&asks_close>(), get_1_1, head(ok, "Connection: close\r\nContent-Length: 0\r\n"),
       After::close},
      {"declared 5 wrote 3", http::handler<&declares_5_writes_3>(), get_1_1,
       head(ok, type + "Content-Length: 5\r\n") + "hel", After::close},
      {"declared 5 wrote 7", http::handler<&declares_5_writes_7>(), get_1_1,
       head(ok, type + "Content-Length: 5\r\n") + "hello", After::close},
      {"declared 5 wrote 5", http::handler<&declares_5_writes_5>(), get_1_1,
       head(ok, type + "Content-Length: 5\r\n") + "hello", After::keep},
      {"flush 1.1", http::handler<&flushes>(), get_1_1,
       head(ok, type + "Transfer-Encoding: chunked\r\n") + "2\r\nhi\r\n0\r\n\r\n", After::keep},
      {"flush 1.0", http::handler<&flushes>(), get_1_0_keep, head(ok_1_0, type) + "hi", After::close},
      {"flush between", http::handler<&flushes_between>(), get_1_1,
       head(ok, type + "Transfer-Encoding: chunked\r\n") + "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", After::keep},
      {"flush HEAD", http::handler<&flushes>(), head_1_1, head(ok, type), After::keep},
      {"103 then 200", http::handler<&early_hints>(), get_1_1,
       "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + head(ok, "Link: </a>\r\n" + type + "Content-Length: 2\r\n") +
           "ok",
       After::keep},
      {"abort", http::handler<&aborts>(), get_1_1, "", After::close},
      {"abort after flush", http::handler<&aborts_after_flush>(), get_1_1,
       head(ok, type + "Transfer-Encoding: chunked\r\n") + "4\r\npart\r\n", After::close},
      {"trailers", http::handler<&trailers>(), get_1_1,
       head(ok, "Trailer: X-T\r\n" + type + "Transfer-Encoding: chunked\r\n") + "1\r\nb\r\n0\r\nX-T: v\r\n\r\n",
       After::keep},
      {"injection", http::handler<&injection>(), get_1_1, head(ok, "Content-Length: 0\r\n"), After::keep},
      {"set replaces", http::handler<&set_replaces>(), get_1_1, head(ok, "X-A: 4\r\nContent-Length: 0\r\n"),
       After::keep},
      {"too late", http::handler<&too_late>(), get_1_1, head(ok, type + "Content-Length: 1\r\n") + "x", After::keep},
      {"static", http::handler<&static_body>(), get_1_1, head(ok, type + "Content-Length: 10\r\n") + "a constant",
       After::keep},
      {"static HEAD", http::handler<&static_body>(), head_1_1, head(ok, type + "Content-Length: 10\r\n"), After::keep},
      {"not found", http::handler<&missing>(), get_1_1,
       head("HTTP/1.1 404 Not Found", type + "X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n") +
           "404 page not found\n",
       After::keep},
      {"error", http::handler<&head_then_error>(), get_1_1,
       head("HTTP/1.1 500 Internal Server Error", type + "X-Content-Type-Options: nosniff\r\nContent-Length: 5\r\n") +
           "boom\n",
       After::keep},
  };
  for (const AnswerRow& row : rows) {
    SCOPED_TRACE(row.name);
    Site<> site;
    site.add({"*", row.handler});
    Peer& peer = site.connect();
    peer.say(row.request);
    peer.want(row.wire);
    if (row.after == After::keep) {
      peer.want_nothing(1s);
      peer.say(row.request);
      peer.want(row.wire);
      peer.finish();
      peer.want_closed();
    } else {
      peer.want_gone();
    }
    peer.close();
    site.advance(2s);
    site.expect_quiet();
  }
}

// ---- the framing window: one below, at, one above

std::size_t body_size;
void sized_body(ResponseWriter& writer, Request&) {
  const std::string_view piece = "0123456789abcdef";
  for (std::size_t left = body_size; left > 0;) {
    left -= writer.write(piece.substr(0, std::min(left, piece.size())));
  }
}

TEST(ServerAnswers, FitTheBufferWithLengthAndAreChunkedBeyond) {
  // Finds the window by its effect, then checks both sides of it byte by byte.
  std::size_t window = 0;
  for (std::size_t size : {100U, 1000U, 3000U, 3700U, 3750U, 3800U, 3850U, 3900U, 4000U, 4100U, 20000U}) {
    Site<> site;
    site.add({"*", http::handler<&sized_body>()});
    body_size = size;
    Peer& peer = site.connect();
    peer.say(get_1_1);
    const std::string text = peer.want_head(200);
    const bool chunked = text.find("Transfer-Encoding: chunked") != std::string::npos;
    EXPECT_NE(chunked, text.find("Content-Length: " + std::to_string(size)) != std::string::npos);
    if (!chunked) {
      window = size;
    }
  }
  EXPECT_GE(window, 3000U);
  bool was_chunked = false;
  for (std::size_t size = window; size < window + 120; ++size) {
    Site<> site;
    site.add({"*", http::handler<&sized_body>()});
    body_size = size;
    Peer& peer = site.connect();
    peer.say(get_1_1);
    const std::string text = peer.want_head(200);
    const bool chunked = text.find("Transfer-Encoding: chunked") != std::string::npos;
    EXPECT_GE(chunked, was_chunked) << "a longer body must not fit where a shorter one did not";
    was_chunked = chunked;
    std::string body;
    if (chunked) {
      for (;;) {
        const std::string line = peer.want_containing("\r\n");
        const auto count = std::stoul(line, nullptr, 16);
        body += peer.want_body(count);
        peer.want("\r\n");
        if (count == 0) {
          break;
        }
      }
    } else {
      body = peer.want_body(size);
    }
    ASSERT_EQ(body.size(), size);
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(body[i], "0123456789abcdef"[i % 16]);
    }
    peer.want_nothing(1s);
  }
  EXPECT_TRUE(was_chunked);
}

// ---- slow readers

struct Stream {
  std::uint64_t written;
};
Next endless(ResponseWriter& writer, Request& request) {
  auto& state = request.state<Stream>();
  if (request.event() == http::Event::gone) {
    return Next::done;
  }
  constexpr std::uint64_t size = 100000;
  while (state.written < size) {
    std::array<char, 100> piece;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      piece[i] = static_cast<char>('a' + (state.written + i) % 26);
    }
    const std::size_t count = writer.write({piece.data(), std::min<std::size_t>(piece.size(), size - state.written)});
    state.written += count;
    if (count == 0) {
      return Next::write_body;
    }
  }
  return Next::done;
}

TEST(ServerAnswers, WaitForASlowReader) {
  Site<> site{{.conversation = {.network = {.seed = 7}}}};
  site.add({"*", http::handler<&endless>()});
  Peer& peer = site.connect();
  peer.say(get_1_1);
  peer.want_head(200);
  std::uint64_t total = 0;
  for (;;) {
    const auto count = std::stoul(peer.want_containing("\r\n"), nullptr, 16);
    const std::string data = peer.want_body(count);
    for (const char c : data) {
      ASSERT_EQ(c, static_cast<char>('a' + total % 26));
      ++total;
    }
    peer.want("\r\n");
    if (count == 0) {
      break;
    }
  }
  EXPECT_EQ(total, 100000U);
  peer.finish();
  peer.want_closed();
}

const std::string much_text(1 << 20, 'x');
void too_much(ResponseWriter& writer, Request&) {
  static_cast<void>(writer.write(much_text));
}

TEST(ServerAnswers, OfAHandlerThatCannotWaitAreCutOff) {
  Site<> site;
  site.add({"*", http::handler<&too_much>()});
  Peer& peer = site.connect();
  peer.stop_reading();
  peer.say(get_1_1);
  site.advance(1s);
  EXPECT_EQ(site.closes(http::CloseReason::answer_overflow), 1U);
  site.expect_quiet();
}

// ---- sources

struct Count {
  std::uint64_t given = 0;
  int closed = 0;
};
Count source_count;
http::PullResult give_letters(void* object, std::span<char> out, std::uint64_t offset) {
  auto& count = *static_cast<Count*>(object);
  EXPECT_EQ(count.given, offset);
  std::size_t size = std::min<std::size_t>(out.size(), 5000 - offset);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>('a' + (offset + i) % 26);
  }
  count.given += size;
  return {count.given == 5000 ? http::PullResult::Kind::end : http::PullResult::Kind::more, size};
}
void close_letters(void* object) {
  ++static_cast<Count*>(object)->closed;
}
void sends_sized_source(ResponseWriter& writer, Request&) {
  writer.send_source({.pull = &give_letters, .close = &close_letters, .object = &source_count}, 5000);
}
void sends_open_source(ResponseWriter& writer, Request&) {
  writer.send_source({.pull = &give_letters, .close = &close_letters, .object = &source_count});
}
http::PullResult fails_soon(void*, std::span<char> out, std::uint64_t offset) {
  out[0] = 'x';
  return {offset == 0 ? http::PullResult::Kind::more : http::PullResult::Kind::failed,
          offset == 0 ? std::size_t{1} : 0};
}
void sends_failing_source(ResponseWriter& writer, Request&) {
  writer.send_source({.pull = &fails_soon, .close = &close_letters, .object = &source_count}, 10);
}

TEST(ServerAnswers, FromASourceWithLength) {
  source_count = {};
  Site<> site;
  site.add({"*", http::handler<&sends_sized_source>()});
  Peer& peer = site.connect();
  peer.say(get_1_1);
  EXPECT_NE(peer.want_head(200).find("Content-Length: 5000\r\n"), std::string::npos);
  EXPECT_EQ(peer.want_body(5000).substr(4998), "gh");
  EXPECT_EQ(source_count.closed, 1);
  peer.want_nothing(1s);
}

TEST(ServerAnswers, FromASourceWithoutLength) {
  source_count = {};
  Site<> site;
  site.add({"*", http::handler<&sends_open_source>()});
  Peer& peer = site.connect();
  peer.say(get_1_1);
  EXPECT_NE(peer.want_head(200).find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  std::string body;
  for (;;) {
    const auto count = std::stoul(peer.want_containing("\r\n"), nullptr, 16);
    body += peer.want_body(count);
    peer.want("\r\n");
    if (count == 0) {
      break;
    }
  }
  EXPECT_EQ(body.size(), 5000U);
  EXPECT_EQ(source_count.closed, 1);
}

TEST(ServerAnswers, FromASourceThatFailsAreNotCompleted) {
  source_count = {};
  Site<> site;
  site.add({"*", http::handler<&sends_failing_source>()});
  Peer& peer = site.connect();
  peer.say(get_1_1);
  peer.want_gone();
  EXPECT_EQ(source_count.closed, 1);
  site.expect_quiet();
}

TEST(ServerAnswers, FromASourceEndWithTheirClient) {
  source_count = {};
  Site<> site;
  site.add({"*", http::handler<&sends_sized_source>()});
  Peer& peer = site.connect();
  peer.stop_reading();
  peer.say(get_1_1);
  site.advance(100ms);
  peer.reset();
  site.advance(1s);
  EXPECT_EQ(source_count.closed, 1);
  site.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
