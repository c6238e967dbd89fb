// What each hop's request says: fields of the first one, credentials, cookies, Referer, Host; who must not see them; and what happens when
// the memory for them is too small. net-http.md 4.3 (62..65), C13..C21.
#include <algorithm>
#include <iterator>

#include "tests/http/client_site.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;

// ---- fields of the first request

TEST(ClientFields, AreSentOnEachHop) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.request().start("POST", test_url("http://127.0.0.1/a"));
  site.request().add("Accept", "text/plain");
  site.request().add("X-Two", "1");
  site.request().add("Content-Type", "text/x");
  site.request().add("X-Two", "2");
  site.request().add("Content-Language", "de");
  site.request().add("content-encoding", "gzip");
  site.request().add("User-Agent", "mine");
  site.request().set_body("abc");
  site.go();
  Peer& peer = origin.accept();
  peer.want(
      "POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain\r\nX-Two: 1\r\nContent-Type: text/x\r\nX-Two: 2\r\n"
      "Content-Language: de\r\ncontent-encoding: gzip\r\nUser-Agent: mine\r\nContent-Length: 3\r\n\r\nabc");
  peer.say(moved(307, "/b"));
  peer.want(
      "POST /b HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain\r\nX-Two: 1\r\nContent-Type: text/x\r\nX-Two: 2\r\n"
      "Content-Language: de\r\ncontent-encoding: gzip\r\nUser-Agent: mine\r\nReferer: " +
      test_url("http://127.0.0.1/a") +
      "\r\n"
      "Content-Length: 3\r\n\r\nabc");
  peer.say(moved(303, "/c"));  // the body is dropped, and what was said about it
  peer.want(
      "GET /c HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain\r\nX-Two: 1\r\nX-Two: 2\r\n"
      "User-Agent: mine\r\nReferer: " +
      test_url("http://127.0.0.1/b") + "\r\n\r\n");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientFields, AnExplicitRefererIsKept) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.request().start("GET", test_url("http://127.0.0.1/a"));
  site.request().add("Referer", "http://me.test/");
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Referer"), "http://me.test/");
  peer.say(found("/b"));
  EXPECT_EQ(want_request(peer).field("Referer"), "http://me.test/");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientFields, TheRefererHasNoUserAndNoFragment) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://user:secret@127.0.0.1/a?b=c#d");
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Referer"), "-");
  peer.say(found("/b"));
  EXPECT_EQ(want_request(peer).field("Referer"), test_url("http://127.0.0.1/a?b=c"));
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

// ---- Host

TEST(ClientFields, AHostOfItsOwnIsKeptForRelativeLocationsOnly) {
  struct Row {
    std::string_view location;
    std::string_view host;
  };
  for (const Row& row : {Row{"/b", "own.test:81"}, Row{"?x", "own.test:81"}, Row{"http://127.0.0.1/b", "127.0.0.1"},
                         Row{"//127.0.0.1/b", "127.0.0.1"}}) {
    SCOPED_TRACE(row.location);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.request().start("GET", test_url("http://127.0.0.1/a"));
    site.request().set_host("own.test:81");
    site.go();
    Peer& peer = origin.accept();
    EXPECT_EQ(want_request(peer).field("Host"), "own.test:81");
    peer.say(found(row.location));
    EXPECT_EQ(want_request(peer).field("Host"), row.host);
    peer.say(found("/c"));
    EXPECT_EQ(want_request(peer).field("Host"), row.host);
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

// ---- who may see what

// Sends a request with all secret fields along `urls`; returns what the last host saw of each.
struct Seen {
  std::string authorization;
  std::string cookie;
  std::string others;  // one letter per field that came
  std::string harmless;
};
Seen follow(const std::vector<std::string>& urls, bool trusts = false) {
  ClientSite site;
  RawServer& origin = site.talk.listen({.address = port::Address::ipv4(10, 0, 0, 1, 80)});
  RawServer& other_port = site.talk.listen({.address = port::Address::ipv4(10, 0, 0, 1, 8080)});
  static_cast<void>(site.talk.listen({.address = port::Address::ipv4(10, 0, 0, 2, 80)}));
  for (const std::string_view name :
       {"foo.com", "sub.foo.com", "a.sub.foo.com", "afoo.com", "bar.com", "foo.com.bar.com", "com", "a.10.0.0.1"}) {
    EXPECT_TRUE(site.resolver.pin(name, 0, port::Address::ipv4(10, 0, 0, 1, 0)));
  }
  site.request().start("GET", test_url(urls.front()));
  site.request().add("Authorization", "Bearer x");
  site.request().add("Cookie", "own=1");
  site.request().add("Cookie2", "c");
  site.request().add("Www-Authenticate", "w");
  site.request().add("Proxy-Authorization", "p");
  site.request().add("Proxy-Authenticate", "q");
  site.request().add("X-Harmless", "h");
  site.go({.trusts_redirects = trusts});
  Seen seen;
  std::vector<Peer*> peers;
  for (std::size_t i = 0; i < urls.size(); ++i) {
    // A new connection, or one that there is.
    site.talk.run_until([&] {
      if (origin.waiting() + other_port.waiting() > 0) {
        return true;
      }
      for (Peer* peer : peers) {
        if (peer->received().find("\r\n\r\n") != std::string::npos) {
          return true;
        }
      }
      return false;
    });
    Peer* peer = nullptr;
    for (Peer* one : peers) {
      if (one->received().find("\r\n\r\n") != std::string::npos) {
        peer = one;
      }
    }
    if (peer == nullptr) {
      peer = other_port.waiting() > 0 ? &other_port.accept() : &origin.accept();
      peers.push_back(peer);
    }
    const GotRequest request = want_request(*peer);
    if (i + 1 < urls.size()) {
      peer->say(found(urls[i + 1]));
      continue;
    }
    seen.authorization = request.field("Authorization");
    seen.cookie = request.field("Cookie");
    seen.others += request.field("Cookie2") == "-" ? "" : "c";
    seen.others += request.field("Www-Authenticate") == "-" ? "" : "w";
    seen.others += request.field("Proxy-Authorization") == "-" ? "" : "p";
    seen.others += request.field("Proxy-Authenticate") == "-" ? "" : "q";
    seen.harmless = request.field("X-Harmless");
    peer->say(ok("ok"));
  }
  site.want_answer(200, "ok");
  return seen;
}

TEST(ClientFields, SecretsStayWithTheFirstHostAndThoseBelowIt) {
  const std::vector<std::vector<std::string>> keep = {
      {"http://foo.com/", "http://foo.com/b"},
      {"http://foo.com/", "/b"},
      {"http://foo.com/", "http://FOO.com/b"},
      {"http://foo.com/", "http://sub.foo.com/"},
      {"http://foo.com/", "http://a.sub.foo.com/"},
      {"http://foo.com/", "http://sub.foo.com/", "http://foo.com/"},
      {"http://foo.com/", "http://sub.foo.com/", "/b", "http://a.sub.foo.com/"},
      {"http://foo.com/", "http://foo.com:8080/"},
      {"http://10.0.0.1/", "http://10.0.0.1/b"},
  };
  const std::vector<std::vector<std::string>> drop = {
      {"http://foo.com/", "http://bar.com/"},
      {"http://sub.foo.com/", "http://foo.com/"},
      {"http://foo.com/", "http://afoo.com/"},
      {"http://foo.com/", "http://foo.com.bar.com/"},
      {"http://foo.com/", "http://com/"},
      {"http://foo.com/", "http://bar.com/", "http://foo.com/"},  // it stays so
      {"http://foo.com/", "http://sub.foo.com/", "http://bar.com/", "http://sub.foo.com/"},
      {"http://foo.com/", "//bar.com/"},
      {"http://foo.com/", "http://com/", "http://bar.com/"},
      {"http://10.0.0.1/", "http://a.10.0.0.1/"},
      {"http://foo.com/", "http://10.0.0.1/"},
      {"http://10.0.0.1/", "http://foo.com/"},
  };
  for (const auto& urls : keep) {
    SCOPED_TRACE(urls[0] + " " + urls[1]);
    const Seen seen = follow(urls);
    EXPECT_EQ(seen.authorization, "Bearer x");
    EXPECT_EQ(seen.cookie, "own=1");
    EXPECT_EQ(seen.others, "cwpq");
    EXPECT_EQ(seen.harmless, "h");
  }
  for (const auto& urls : drop) {
    SCOPED_TRACE(urls[0] + " " + urls[1]);
    constexpr std::string_view uncertified[] = {"//afoo.com/", "//foo.com.bar.com/", "//com/", "//a.10.0.0.1/"};
    const bool has_no_certificate =
        std::any_of(std::begin(uncertified), std::end(uncertified),
                    [&](std::string_view name) { return urls[1].find(name) != std::string::npos; });
    if (tls_mode() && has_no_certificate) {
      continue;
    }
    const Seen seen = follow(urls);
    EXPECT_EQ(seen.authorization, "-");
    EXPECT_EQ(seen.cookie, "-");
    EXPECT_EQ(seen.others, "");
    EXPECT_EQ(seen.harmless, "h");
    const Seen trusted = follow(urls, true);
    EXPECT_EQ(trusted.authorization, "Bearer x");
    EXPECT_EQ(trusted.cookie, "own=1");
    EXPECT_EQ(trusted.others, "cwpq");
  }
}

// ---- credentials in the URL

TEST(ClientFields, UserAndPasswordBecomeBasicCredentials) {
  struct Row {
    std::string_view url;
    std::string_view value;
  };
  for (const Row& row :
       {Row{"http://user:pwd@127.0.0.1/a", "Basic dXNlcjpwd2Q="}, Row{"http://user@127.0.0.1/a", "Basic dXNlcjo="},
        Row{"http://user:@127.0.0.1/a", "Basic dXNlcjo="}, Row{"http://:pwd@127.0.0.1/a", "Basic OnB3ZA=="},
        Row{"http://@127.0.0.1/a", "Basic Og=="}, Row{"http://u%40h:p%3aw%25@127.0.0.1/a", "Basic dUBoOnA6dyU="},
        Row{"http://a:b:c@127.0.0.1/a", "Basic YTpiOmM="}, Row{"http://127.0.0.1/a", "-"}}) {
    SCOPED_TRACE(row.url);
    ClientSite site;
    RawServer& origin = site.talk.listen(80);
    site.get(row.url);
    Peer& peer = origin.accept();
    const GotRequest request = want_request(peer);
    EXPECT_EQ(request.field("Authorization"), row.value);
    EXPECT_EQ(request.field("Host"), "127.0.0.1");
    EXPECT_EQ(request.target, "/a");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
    EXPECT_EQ(site.call->url(), test_url("http://127.0.0.1/a"));
  }
}

TEST(ClientFields, AnExplicitAuthorizationWins) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.request().start("GET", test_url("http://user:pwd@127.0.0.1/a"));
  site.request().add("authorization", "Bearer x");
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Authorization"), "Bearer x");
  peer.say(found("http://other:one@127.0.0.1/b"));
  EXPECT_EQ(want_request(peer).field("Authorization"), "Bearer x");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientFields, CredentialsOfAUrlGoWithItsAuthority) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.get("http://user:pwd@127.0.0.1/a");
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Authorization"), "Basic dXNlcjpwd2Q=");
  peer.say(found("b"));  // relative: the authority stays, and they with it (RFC 3986 section 5.3)
  EXPECT_EQ(want_request(peer).field("Authorization"), "Basic dXNlcjpwd2Q=");
  peer.say(found("http://x:y@127.0.0.1/c"));
  EXPECT_EQ(want_request(peer).field("Authorization"), "Basic eDp5");
  peer.say(found("http://127.0.0.1/d"));
  EXPECT_EQ(want_request(peer).field("Authorization"), "-");
  peer.say(found("//x:y@127.0.0.1/e"));
  EXPECT_EQ(want_request(peer).field("Authorization"), "Basic eDp5");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(site.call->url(), test_url("http://127.0.0.1/e"));
}

TEST(ClientFields, AnotherHostGetsOnlyWhatItsUrlSays) {
  ClientSite site;
  RawServer& first = site.serve("foo.com", 1);
  RawServer& second = site.serve("bar.com", 2);
  site.get("http://user:pwd@foo.com/a");
  Peer& one = first.accept();
  static_cast<void>(want_request(one));
  one.say(found("http://bar.com/"));
  Peer& two = second.accept();
  EXPECT_EQ(want_request(two).field("Authorization"), "-");
  two.say(found("http://x:y@bar.com/"));
  EXPECT_EQ(want_request(two).field("Authorization"), "Basic eDp5");
  two.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientFields, CredentialsThatWereDroppedMakeRoomForThoseOfAUrl) {
  ClientSite site;
  RawServer& first = site.serve("foo.com", 1);
  RawServer& second = site.serve("bar.com", 2);
  site.request().start("GET", test_url("http://foo.com/a"));
  site.request().add("Authorization", "Bearer x");
  site.go();
  Peer& one = first.accept();
  static_cast<void>(want_request(one));
  one.say(found("http://x:y@bar.com/"));
  Peer& two = second.accept();
  EXPECT_EQ(want_request(two).field("Authorization"), "Basic eDp5");
  two.say(found("http://bar.com/"));
  EXPECT_EQ(want_request(two).field("Authorization"), "-");
  two.say(ok("ok"));
  site.want_answer(200, "ok");
}

// ---- the jar

struct JarSite {
  explicit JarSite(ClientSiteOptions options = {}) : jar{storage.memory()}, site{with(options)} {}
  ClientSiteOptions with(ClientSiteOptions options) {
    options.jar = &jar;
    return options;
  }
  void store(std::string_view host, std::string_view text) {
    static_cast<void>(jar.store({.host = host, .path = "/"}, text, site.talk.port().wall_clock()));
  }
  http::CookieJarStorage<4, 128> storage{};
  http::CookieJar jar;
  ClientSite site;
};

TEST(ClientCookies, AreStoredAndSentOnEachHop) {
  JarSite with;
  ClientSite& site = with.site;
  RawServer& origin = site.talk.listen(80);
  with.store("127.0.0.1", "old=1; Path=/");
  site.get("http://127.0.0.1/a");
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Cookie"), "old=1");
  peer.say(found("/b", "Set-Cookie: x=1; Path=/\r\nset-cookie: y=2; Path=/b\r\nSet-Cookie: z=3; Path=/elsewhere\r\n"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "y=2; old=1; x=1");
  peer.say(found("/c", "Set-Cookie: old=; Path=/; Max-Age=0\r\n"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "x=1");
  peer.say("HTTP/1.1 404 Not Found\r\nSet-Cookie: x=; Path=/; Max-Age=0\r\nContent-Length: 0\r\n\r\n");
  site.want_answer(404, "");

  // Nothing of a hop's own stays in the request.
  EXPECT_EQ(site.request().field_lines(), "");
  site.get("http://127.0.0.1/elsewhere");
  EXPECT_EQ(want_request(peer).field("Cookie"), "z=3");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  site.get("http://127.0.0.1/d");
  EXPECT_EQ(want_request(peer).field("Cookie"), "-");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientCookies, EachHostGetsItsOwn) {
  JarSite with;
  ClientSite& site = with.site;
  RawServer& first = site.serve("foo.com", 1);
  RawServer& second = site.serve("bar.com", 2);
  with.store("bar.com", "bar=1");
  site.get("http://foo.com/");
  Peer& one = first.accept();
  EXPECT_EQ(want_request(one).field("Cookie"), "-");
  one.say(found("http://bar.com/", "Set-Cookie: foo=1\r\n"));
  Peer& two = second.accept();
  EXPECT_EQ(want_request(two).field("Cookie"), "bar=1");
  two.say(found("http://foo.com/b", "Set-Cookie: foo=evil; Domain=foo.com\r\n"));
  EXPECT_EQ(want_request(one).field("Cookie"), "foo=1");
  one.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientCookies, TheHostFieldSaysWhoseTheyAre) {
  JarSite with;
  ClientSite& site = with.site;
  RawServer& origin = site.talk.listen(80);
  with.store("own.test", "own=1");
  site.request().start("GET", test_url("http://127.0.0.1/"));
  site.request().set_host("own.test:80");
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Cookie"), "own=1");
  peer.say(found("http://127.0.0.1/b", "Set-Cookie: two=2\r\n"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "-");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(with.jar.size(), 2U);
}

TEST(ClientCookies, TheRequestsOwnComeFirstAndInOneField) {
  JarSite with;
  ClientSite& site = with.site;
  RawServer& origin = site.talk.listen(80);
  with.store("127.0.0.1", "jar=1");
  site.request().start("GET", test_url("http://127.0.0.1/a"));
  site.request().add("Cookie", "own=1; two=2");
  site.request().add("COOKIE", "three=3");
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Cookie"), "own=1; two=2; three=3; jar=1");
  peer.say(found("/b"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "own=1; two=2; three=3; jar=1");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
  EXPECT_EQ(site.request().find("Cookie"), "own=1; two=2; three=3");
}

TEST(ClientCookies, WhatTheServerSetsReplacesTheRequestsOwn) {
  // net-http.md 4.3, 64: TestClientAltersCookiesOnRedirect.
  JarSite with;
  ClientSite& site = with.site;
  RawServer& origin = site.talk.listen(80);
  site.request().start("GET", test_url("http://127.0.0.1/a"));
  site.request().add("Cookie", "one=old; two=old;three=old; four=old");
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Cookie"), "one=old; two=old;three=old; four=old");
  peer.say(found("/b", "Set-Cookie: one=new\r\nSet-Cookie: three=; Max-Age=0\r\n"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "two=old; four=old; one=new");
  peer.say(found("/c", "Set-Cookie: two=new\r\nSet-Cookie: four=new\r\n"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "one=new; two=new; four=new");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientCookies, WithoutAJarTheRequestsOwnAreLeftAlone) {
  ClientSite site;
  RawServer& origin = site.talk.listen(80);
  site.request().start("GET", test_url("http://127.0.0.1/a"));
  site.request().add("Cookie", "one=old");
  site.go();
  Peer& peer = origin.accept();
  EXPECT_EQ(want_request(peer).field("Cookie"), "one=old");
  peer.say(found("/b", "Set-Cookie: one=new\r\n"));
  EXPECT_EQ(want_request(peer).field("Cookie"), "one=old");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientCookies, TheRequestsOwnDoNotGoToAnotherHost) {
  JarSite with;
  ClientSite& site = with.site;
  RawServer& first = site.serve("foo.com", 1);
  RawServer& second = site.serve("bar.com", 2);
  with.store("foo.com", "foo=1");
  with.store("bar.com", "bar=1");
  site.request().start("GET", test_url("http://foo.com/"));
  site.request().add("Cookie", "own=1");
  site.go();
  Peer& one = first.accept();
  EXPECT_EQ(want_request(one).field("Cookie"), "own=1; foo=1");
  one.say(found("http://bar.com/"));
  Peer& two = second.accept();
  EXPECT_EQ(want_request(two).field("Cookie"), "bar=1");
  two.say(found("http://foo.com/b"));
  EXPECT_EQ(want_request(one).field("Cookie"), "foo=1");
  one.say(ok("ok"));
  site.want_answer(200, "ok");
}

// ---- memory

TEST(ClientMemory, TheFirstUrl) {
  const std::string url = test_url("http://127.0.0.1/abc");
  for (const std::size_t size : {url.size() - 1, url.size(), url.size() + 1}) {
    SCOPED_TRACE(size);
    ClientSite site{{.sizes = {.url = size}}};
    RawServer& origin = site.talk.listen(80);
    site.get(url + "#fragment");
    if (size < url.size()) {
      site.want_error(CallCause::url_too_long, CallStage::check);
      origin.want_nobody(1s);
      continue;
    }
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

TEST(ClientMemory, TheNextUrl) {
  const std::string next = test_url("http://127.0.0.1/a/longer/one");
  for (const std::string_view location : {"http://127.0.0.1/a/longer/one", "/a/longer/one", "a/longer/one"}) {
    for (const std::size_t size : {next.size() - 1, next.size(), next.size() + 1}) {
      SCOPED_TRACE(std::string{location} + " " + std::to_string(size));
      ClientSite site{{.sizes = {.url = size}}};
      RawServer& origin = site.talk.listen(80);
      site.get("http://127.0.0.1/x");
      Peer& peer = origin.accept();
      static_cast<void>(want_request(peer));
      peer.say("HTTP/1.1 302 Found\r\nLocation: " + test_url(location) + "\r\nContent-Length: 4\r\n\r\nbody");
      if (size < next.size()) {
        site.want_error(CallCause::url_too_long, CallStage::redirect);
        EXPECT_EQ(site.call->url(), test_url("http://127.0.0.1/x"));
        site.want_quiet(1);
        continue;
      }
      EXPECT_EQ(want_request(peer).target, "/a/longer/one");
      peer.say(ok("ok"));
      site.want_answer(200, "ok");
      EXPECT_EQ(site.call->url(), next);
    }
  }
}

TEST(ClientMemory, CredentialsInTheFieldMemory) {
  const std::string line = "Authorization: Basic dXNlcjpwd2Q=\r\n";
  for (const std::size_t size : {line.size() - 1, line.size(), line.size() + 1}) {
    SCOPED_TRACE(size);
    ClientSite site{{.sizes = {.fields = size}}};
    RawServer& origin = site.talk.listen(80);
    site.get("http://user:pwd@127.0.0.1/x");
    if (size < line.size()) {
      site.want_error(CallCause::fields_too_long, CallStage::check);
      origin.want_nobody(1s);
      continue;
    }
    Peer& peer = origin.accept();
    EXPECT_EQ(want_request(peer).field("Authorization"), "Basic dXNlcjpwd2Q=");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

TEST(ClientMemory, CredentialsOfARedirect) {
  const std::string line = "Authorization: Basic dXNlcjpwd2Q=\r\n";
  for (const std::size_t size : {line.size() - 1, line.size(), line.size() + 1}) {
    SCOPED_TRACE(size);
    ClientSite site{{.sizes = {.fields = size}}};
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/x");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say("HTTP/1.1 302 Found\r\nLocation: " + test_url("http://user:pwd@127.0.0.1/y") +
             "\r\nContent-Length: 4\r\n\r\nbody");
    if (size < line.size()) {
      site.want_error(CallCause::fields_too_long, CallStage::redirect);
      site.want_quiet(1);
      continue;
    }
    EXPECT_EQ(want_request(peer).field("Authorization"), "Basic dXNlcjpwd2Q=");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

TEST(ClientMemory, CredentialsInTheScratchMemory) {
  // "Basic ", 12 bytes of Base64, and the 8 of the plain text.
  for (const std::size_t size : {std::size_t{25}, std::size_t{26}, std::size_t{27}}) {
    SCOPED_TRACE(size);
    ClientSite site{{.sizes = {.scratch = size}}};
    RawServer& origin = site.talk.listen(80);
    site.get("http://user:pwd1@127.0.0.1/x");  // 9 bytes of plain text
    if (size < 27) {
      site.want_error(CallCause::fields_too_long, CallStage::check);
      continue;
    }
    Peer& peer = origin.accept();
    EXPECT_EQ(want_request(peer).field("Authorization"), "Basic dXNlcjpwd2Qx");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

TEST(ClientMemory, ARefererThatDoesNotFitIsLeftOut) {
  const std::string line = "Referer: " + test_url("http://127.0.0.1/x") + "\r\n";
  for (const std::size_t size : {line.size() - 1, line.size(), line.size() + 1}) {
    SCOPED_TRACE(size);
    ClientSite site{{.sizes = {.fields = size}}};
    RawServer& origin = site.talk.listen(80);
    site.get("http://127.0.0.1/x");
    Peer& peer = origin.accept();
    static_cast<void>(want_request(peer));
    peer.say(found("/y"));
    EXPECT_EQ(want_request(peer).field("Referer"), size < line.size() ? "-" : test_url("http://127.0.0.1/x"));
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

TEST(ClientMemory, ARefererOfTheHopBeforeIsNotSentAgain) {
  ClientSite site{{.sizes = {.fields = 32}}};
  RawServer& origin = site.talk.listen(80);
  site.get("http://127.0.0.1/x");
  Peer& peer = origin.accept();
  static_cast<void>(want_request(peer));
  peer.say(found("/a/much/longer/one"));
  EXPECT_EQ(want_request(peer).field("Referer"), test_url("http://127.0.0.1/x"));
  peer.say(found("/y"));
  EXPECT_EQ(want_request(peer).field("Referer"), "-");
  peer.say(ok("ok"));
  site.want_answer(200, "ok");
}

TEST(ClientMemory, CookiesThatDoNotFitAreLeftOut) {
  const std::string line = "Cookie: a=1; b=2\r\n";
  for (const bool in_scratch : {false, true}) {
    const std::size_t need = in_scratch ? 8 : line.size();
    for (const std::size_t size : {need - 1, need, need + 1}) {
      SCOPED_TRACE(size);
      JarSite with{{.sizes = in_scratch ? CallSizes{.scratch = size} : CallSizes{.fields = size}}};
      ClientSite& site = with.site;
      RawServer& origin = site.talk.listen(80);
      with.store("127.0.0.1", "a=1");
      with.store("127.0.0.1", "b=2");
      site.get("http://127.0.0.1/x");
      Peer& peer = origin.accept();
      EXPECT_EQ(want_request(peer).field("Cookie"), size < need ? "a=1" : "a=1; b=2");
      peer.say(ok("ok"));
      site.want_answer(200, "ok");
      EXPECT_EQ(with.jar.stats().left_out, size < need ? 1U : 0U);
    }
  }
}

TEST(ClientMemory, OwnCookiesInTheScratchMemory) {
  for (const std::size_t size : {std::size_t{4}, std::size_t{5}, std::size_t{6}}) {
    SCOPED_TRACE(size);
    JarSite with{{.sizes = {.scratch = size}}};
    ClientSite& site = with.site;
    RawServer& origin = site.talk.listen(80);
    with.store("127.0.0.1", "jar=1");
    site.request().start("GET", test_url("http://127.0.0.1/x"));
    site.request().add("Cookie", "own=1");
    site.go();
    if (size < 5) {
      site.want_error(CallCause::fields_too_long, CallStage::check);
      EXPECT_EQ(site.request().find("Cookie"), "own=1");
      continue;
    }
    Peer& peer = origin.accept();
    EXPECT_EQ(want_request(peer).field("Cookie"), "own=1");
    peer.say(ok("ok"));
    site.want_answer(200, "ok");
  }
}

}  // namespace
}  // namespace pollux::test
