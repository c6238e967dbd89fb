// What comes in and what a MessageReader makes of it: conversations for the tests that feed them whole, cut and
// mutated. Most are net/http's behaviour as observed; where pollux is stricter the comment says so.
#pragma once

#include <string>
#include <vector>

#include "tests/wire/reader_support.hpp"

namespace pollux::wire::test {

struct Conversation {
  std::string input;
  std::string expected;
  ReadOptions options{};
};

inline const ReadOptions request_then_end{.input_ends = true};
inline ReadOptions response_to(Method method, bool input_ends = false) {
  return {.kind = MessageReader::Kind::response, .request_method = method, .input_ends = input_ends};
}

inline const std::vector<Conversation>& request_conversations() {
  using namespace std::string_literals;
  static const std::string get_h = "GET / HTTP/1.1\r\nHost: h\r\n";
  static const std::string saw_get_h = "GET / HTTP/1.1 {Host=h}; none keep; ; complete\n";
  static const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  static const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  static const std::string saw_chunked = "POST / HTTP/1.1 {Host=h, Transfer-Encoding=chunked}; chunked keep";
  static const std::vector<Conversation> all = {
      {get_h + "\r\n", saw_get_h},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       "GET / HTTP/1.0 {Connection=keep-alive}; none keep; ; complete\n"},
      {"GET //double/path HTTP/1.1\r\nHost: h\r\n\r\n", "GET //double/path HTTP/1.1 {Host=h}; none keep; ; complete\n"},
      {"GET /p q HTTP/1.1\r\nHost: h\r\n\r\n", "failed head start_line"},
      {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", "GET * HTTP/1.1 {Host=h}; none keep; ; complete\n"},
      {"CONNECT www.g.com:443 HTTP/1.1\r\n\r\n", "CONNECT www.g.com:443 HTTP/1.1 {}; none keep; ; complete\n"},
      {post + "Content-Length: 3\r\n\r\nabc",
       "POST / HTTP/1.1 {Host=h, Content-Length=3}; sized 3 keep; abc; complete\n"},
      {post + "\r\nabc", "POST / HTTP/1.1 {Host=h}; none keep; ; complete\nfailed ended_early after 0",
       request_then_end},
      {get_h + "Content-Length: 3\r\n\r\nabc",
       "GET / HTTP/1.1 {Host=h, Content-Length=3}; sized 3 keep; abc; complete\n"},
      {post + "Content-Length: 0\r\n\r\n", "POST / HTTP/1.1 {Host=h, Content-Length=0}; sized 0 keep; ; complete\n"},
      // Chunked.
      {chunked + "3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n", saw_chunked + "; foobar; complete\n"},
      {chunked + "3;ext=1\r\nfoo\r\n0;x\r\n\r\n", saw_chunked + "; foo; complete\n"},
      {chunked + "3 \r\nfoo\r\n0\r\n\r\n", saw_chunked + "; foo; complete\n"},
      {chunked + "0\r\n\r\n", saw_chunked + "; ; complete\n"},
      {chunked + "3\r\nfoo\r\n0\r\nX-T: v\r\n\r\n", saw_chunked + "; foo; trailer {X-T=v}; complete\n"},
      {chunked + "3\r\nfoo\r\n0\r\nHost: evil\r\nX-T: v\r\nContent-Length: 9\r\n\r\n",
       saw_chunked + "; foo; trailer {X-T=v}; complete\n"},
      {chunked + "0x3\r\nfoo\r\n0\r\n\r\n", saw_chunked + "; failed chunk after 0"},
      {chunked + "00000000000000003\r\nfoo\r\n0\r\n\r\n", saw_chunked + "; failed chunk after 0"},
      {chunked + "\r\nfoo\r\n0\r\n\r\n", saw_chunked + "; failed chunk after 0"},
      {chunked + "3\r\nfoo\n0\r\n\r\n", saw_chunked + "; failed chunk after 3"},
      {chunked + "3\nfoo\r\n0\r\n\r\n", saw_chunked + "; failed chunk after 0"},
      {chunked + "3\r\nfoo\r\n0\r\nbad trailer\r\n\r\n", saw_chunked + "; failed trailer after 3"},
      {chunked + "3\r\nfoo\r\n0\r\n\n", saw_chunked + "; failed trailer after 3"},
      {chunked + "3\r\nfoo\r\n0\r\nX-T: v\n\r\n", saw_chunked + "; failed trailer after 3"},
      {chunked + "3\r\nfo", saw_chunked + "; failed ended_early after 2", request_then_end},
      {chunked + "3\r\nfoo\r\n0\r\n", saw_chunked + "; failed ended_early after 3", request_then_end},
      {chunked + "3\r\nfoo\r\n0\r\nX-T: v\r\n", saw_chunked + "; failed ended_early after 3", request_then_end},
      {post + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nfoo\r\n0\r\nX-T: v\r\n\r\n",
       "POST / HTTP/1.1 {Host=h, Transfer-Encoding=chunked, Trailer=X-T}; chunked keep; foo; trailer {X-T=v}; "
       "complete\n"},
      // Framing.
      {post + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n3\r\nfoo\r\n0\r\n\r\n",
       "failed framing trailer"},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "failed framing transfer_encoding"},
      {post + "Transfer-Encoding: fugazi\r\n\r\n", "failed framing transfer_encoding"},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "failed framing transfer_encoding"},
      {post + "Transfer-Encoding:\r\n\r\n", "failed framing transfer_encoding"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
       "POST / HTTP/1.0 {Transfer-Encoding=chunked, Content-Length=3}; sized 3 close must_close; abc; complete\n"},
      {post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "POST / HTTP/1.1 {Host=h, Content-Length=3, Transfer-Encoding=chunked}; chunked keep must_close; ; complete\n"},
      {post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
       "POST / HTTP/1.1 {Host=h, Content-Length=3, Content-Length=3}; sized 3 keep; abc; complete\n"},
      {post + "Content-Length: 3, 3\r\n\r\nabc", "failed framing content_length"},
      {post + "Content-Length: -3\r\n\r\nabc", "failed framing content_length"},
      {post + "Content-Length: 0x3\r\n\r\nabc", "failed framing content_length"},
      {post + "Content-Length:\r\n\r\n", "failed framing content_length"},
      {post + "Content-Length: 5\r\n\r\nabc",
       "POST / HTTP/1.1 {Host=h, Content-Length=5}; sized 5 keep; failed ended_early after 3", request_then_end},
      // Host.
      {"GET / HTTP/1.1\r\n\r\n", "failed head host_missing"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "failed head host_repeated"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "failed head host_repeated"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "failed head host_malformed"},
      {"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", "failed head host_malformed"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1 {Host=}; none keep; ; complete\n"},
      // Fields. net/http joins a folded line; pollux refuses it, as RFC 9112 section 5.2 allows.
      {get_h + "Foo: a\r\n b\r\n\r\n", "failed head field_syntax"},
      {"GET / HTTP/1.1\r\n Foo: a\r\nHost: h\r\n\r\n", "failed head field_syntax"},
      {get_h + "Foo bar\r\n\r\n", "failed head field_syntax"},
      {get_h + "Foo\xff: bar\r\n\r\n", "failed head field_name"},
      {get_h + "Foo: b\x00r\r\n\r\n"s, "failed head field_value"},
      {get_h + "Foo: b\xffr\r\n\r\n", "GET / HTTP/1.1 {Host=h, Foo=b\xffr}; none keep; ; complete\n"},
      {get_h + "Foo:   bar \t \r\n\r\n", "GET / HTTP/1.1 {Host=h, Foo=bar}; none keep; ; complete\n"},
      {"GET / HTTP/1.1\nHost: h\n\n", saw_get_h},
      // Request lines.
      {"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", "failed head start_line"},
      {"get / HTTP/1.1\r\nHost: h\r\n\r\n", "get / HTTP/1.1 {Host=h}; none keep; ; complete\n"},
      {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", "failed head start_line"},
      {"GET /\r\n\r\n", "failed head start_line"},
      {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", "GET / HTTP/1.2 {Host=h}; none keep; ; complete\n"},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "failed head version"},
      {"GET / HTTP/11\r\nHost: h\r\n\r\n", "failed head version_syntax"},
      {"GET / http/1.1\r\nHost: h\r\n\r\n", "failed head version_syntax"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "failed head version"},
      {"GET", "failed ended_early after 0", request_then_end},
      {"", "(end)", request_then_end},
      {get_h + "\r\n", saw_get_h + "(end)", request_then_end},
      {"\x16\x03\x01\x00\x05hello\r\n\r\n"s, "failed head start_line"},
      {get_h + "X: " + std::string(2000, 'a'), "failed head too_large"},
      // Several messages.
      {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n" + get_h + "Connection: close\r\n\r\n",
       "GET /a HTTP/1.1 {Host=h}; none keep; ; complete\nGET / HTTP/1.1 {Host=h, Connection=close}; none close; ; "
       "complete\n"},
      {post + "Content-Length: 3\r\n\r\nabc" + chunked + "3\r\nfoo\r\n0\r\n\r\n" + get_h + "\r\n",
       "POST / HTTP/1.1 {Host=h, Content-Length=3}; sized 3 keep; abc; complete\n" + saw_chunked + "; foo; complete\n" +
           saw_get_h},
      // Empty lines before a request line: behind a body up to four bytes of them, elsewhere none.
      {get_h + "\r\n\r\n" + get_h + "\r\n", saw_get_h + "failed head start_line"},
      {"\r\n" + get_h + "\r\n", "failed head start_line"},
      {post + "Content-Length: 1\r\n\r\na\r\n\r\n" + get_h + "\r\n",
       "POST / HTTP/1.1 {Host=h, Content-Length=1}; sized 1 keep; a; complete\n" + saw_get_h},
      {chunked + "0\r\n\r\n\r\n" + get_h + "\r\n\r\n",
       saw_chunked + "; ; complete\n" + saw_get_h + "failed head start_line"},
      {post + "Content-Length: 1\r\n\r\na\r\n\r\n\n" + get_h + "\r\n",
       "POST / HTTP/1.1 {Host=h, Content-Length=1}; sized 1 keep; a; complete\nfailed head start_line"},
      {post + "Content-Length: 1\r\n\r\na\r\n",
       "POST / HTTP/1.1 {Host=h, Content-Length=1}; sized 1 keep; a; complete\n(end)", request_then_end},
  };
  return all;
}

inline const std::vector<Conversation>& response_conversations() {
  static const ReadOptions get = response_to(Method::get);
  static const ReadOptions get_then_end = response_to(Method::get, true);
  static const ReadOptions head = response_to(Method::head);
  static const std::string ok = "HTTP/1.1 200 OK\r\n";
  static const std::vector<Conversation> all = {
      {ok + "Content-Length: 3\r\n\r\nabcNEXT",
       "HTTP/1.1 200 OK {Content-Length=3}; sized 3 keep; abc; complete\nfailed head start_line", get},
      {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
       "HTTP/1.0 200 OK {Content-Length=3}; sized 3 close; abc; complete\n", get},
      {"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nabc",
       "HTTP/1.0 200 OK {Connection=close}; until_close close; abc; complete\n(end)", get_then_end},
      {ok + "\r\n", "HTTP/1.1 200 OK {}; until_close close; ; complete\n(end)", get_then_end},
      {ok + "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
       "HTTP/1.1 200 OK {Transfer-Encoding=chunked, Content-Length=7}; chunked keep must_close; abc; complete\n", get},
      {ok + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", "failed framing transfer_encoding", get},
      {ok + "Content-Length: 256\r\n\r\n", "HTTP/1.1 200 OK {Content-Length=256}; none(256) keep; ; complete\n", head},
      {ok + "\r\n" + ok + "\r\n",
       "HTTP/1.1 200 OK {}; none keep; ; complete\nHTTP/1.1 200 OK {}; none keep; ; complete\n", head},
      {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content {}; none keep; ; complete\n", get},
      {"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 304 Not Modified {Transfer-Encoding=chunked}; none keep; ; complete\n", get},
      {"HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n",
       "HTTP/1.1 100 Continue {}; none keep; ; complete\nHTTP/1.1 200 OK {Content-Length=0}; sized 0 keep; ; "
       "complete\n",
       get},
      {ok + "Content-Length: +3\r\n\r\nabc", "failed framing content_length", get},
      {ok + "Content-Length:\r\n\r\nabc", "failed framing content_length", get},
      {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200  {Content-Length=0}; sized 0 keep; ; complete\n",
       get},
      {"HTTP/1.1 20X Unknown\r\n\r\n", "failed head status_code", get},
      {"HTTP/1.12 200 OK\r\n\r\n", "failed head version_syntax", get},
      // Folded lines: unfolded (RFC 9112 section 5.2), but nothing can be folded onto the status line.
      {ok + "A: b\r\n\tc\r\n  d\nContent-Length:\r\n 3\r\n\r\nabc" + ok + "B: c\r\n \r\nContent-Length: 0\r\n\r\n",
       "HTTP/1.1 200 OK {A=b  \tc    d, Content-Length=3}; sized 3 keep; abc; complete\n"
       "HTTP/1.1 200 OK {B=c, Content-Length=0}; sized 0 keep; ; complete\n",
       get},
      {ok + " A: b\r\nContent-Length: 0\r\n\r\n", "failed head field_syntax", get},
      {ok + "A: b\r\n c\r\nd\r\n\r\n", "failed head field_syntax", get},
      {"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", "HTTP/1.1 200 OK {Content-Length=3}; sized 3 keep; abc; complete\n",
       get},
      {ok + "bad header\r\n\r\n", "failed head field_syntax", get},
      {ok + "Content-Length : 3\r\n\r\nabc", "failed head field_name", get},
      {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
       "HTTP/1.1 200 OK {Transfer-Encoding=chunked}; chunked keep; failed ended_early after 3", get_then_end},
      {ok + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
       "HTTP/1.1 200 OK {Transfer-Encoding=chunked}; chunked keep; failed chunk after 0", get},
      {ok + "Content-Length: 3", "failed ended_early after 0", get_then_end},
      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nraw",
       "HTTP/1.0 200 OK {Transfer-Encoding=chunked}; until_close close must_close; raw; complete\n(end)", get_then_end},
      {ok + "\r\ntunnel bytes", "HTTP/1.1 200 OK {}; until_close close; tunnel bytes; complete\n(end)",
       response_to(Method::connect, true)},
      {"\r\n" + ok + "\r\n", "failed head start_line", get},
      {"", "(end)", get_then_end},
  };
  return all;
}

}  // namespace pollux::wire::test
