// The bodies of responses that are followed: small ones are read so that the connection can be used again, others are let go.
// net-http.md C18, 4.3 (61).
#include "tests/http/client_site.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

TEST(ClientHopBody, ASmallBodyIsReadAndTheConnectionUsedAgain) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{2048}}) {
    SCOPED_TRACE(size);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    peer.want_nothing(100ms);  // it is waited for
    peer.say(std::string(size - 1, 'x'));
    peer.want_nothing(100ms);
    peer.say("x");
    EXPECT_EQ(want_request(peer).target, "/b");
    peer.want_nothing(2s);  // the wait for the body is over
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
    EXPECT_EQ(site.transport.counters().dials, 1U);
    site.want_quiet(1);
  }
}

TEST(ClientHopBody, ALargeBodyIsLetGo) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 2049\r\n\r\n");
  Peer& next = origin.accept();  // nobody waits for it
  EXPECT_EQ(want_request(next).target, "/b");
  EXPECT_LT(site.talk.now() - site.began_at, 500ms);
  next.say(ok("ok"));
  site.want_answer(200, "ok");
  peer.want_gone();
  site.want_quiet(1);
}

TEST(ClientHopBody, AChunkedBodyIsReadUpToALimit) {
  for (const std::size_t size : {std::size_t{2048}, std::size_t{2049}}) {
    SCOPED_TRACE(size);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.say(size == 2048 ? "800\r\n" : "801\r\n");
    peer.say(std::string(size, 'x'));
    if (size == 2048) {
      peer.want_nothing(100ms);
      peer.say("\r\n0\r\n\r\n");
      static_cast<void>(want_request(peer));
      peer.say(ok("ok"));
    } else {
      Peer& next = origin.accept();
      static_cast<void>(want_request(next));
      next.say(ok("ok"));
    }
    site.want_answer(200, "ok");
  }
}

TEST(ClientHopBody, ABodyUntilCloseIsNotWaitedFor) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\nbegin");  // its connection cannot be used again anyway
  Peer& next = origin.accept();
  static_cast<void>(want_request(next));
  EXPECT_LT(site.talk.now() - site.began_at, 500ms);
  next.say(ok("ok"));
  site.want_answer(200, "ok");
  site.want_quiet(1);
}

TEST(ClientHopBody, ATrickleDoesNotHoldUpTheNextRequest) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 10\r\n\r\nx");
  origin.want_nobody(900ms);
  Peer& next = origin.accept();
  static_cast<void>(want_request(next));
  next.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_LT(site.over_at - site.began_at, 2s);
  site.want_quiet(1);
}

TEST(ClientHopBody, ABrokenBodyIsNotOurAffair) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 10\r\n\r\nx");
  peer.want_nothing(10ms);
  peer.close();
  Peer& next = origin.accept();
  static_cast<void>(want_request(next));
  next.say(ok("ok"));
  site.want_answer(200, "ok");
  site.want_quiet(1);
}

TEST(ClientHopBody, ARedirectThatComesInPieces) {
  const std::string text = found("/b", "Set-Cookie: a=b\r\n");
  for (std::size_t at = 1; at < text.size(); at += stride) {
    SCOPED_TRACE(at);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/a");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say_split(text, at);
    EXPECT_EQ(want_request(peer).target, "/b");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

}  // namespace
}  // namespace pollux::test
