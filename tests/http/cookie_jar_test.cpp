#include "stack/http/cookie_jar.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stack/http/cookie_host.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/url.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::http {
namespace {

using Outcome = CookieOutcome;

// 2026-01-01.
constexpr port::WallTime today{.seconds = 1'767'225'600};

port::WallTime after(std::int64_t seconds) {
  return {.seconds = today.seconds + seconds};
}

// A jar, and URLs instead of their parts. Its calls run without the heap.
class TestJar {
 public:
  explicit TestJar(std::size_t entries = 16, std::size_t text_size = 512)
      : entries_(entries),
        texts_(entries * text_size),
        jar_{{.entries = entries_, .texts = texts_, .text_size = text_size}} {}

  Outcome set(std::string_view url, std::string_view set_cookie, port::WallTime now = today) {
    const CookieOrigin where = origin(url);
    const heap_guard::Forbidden no_heap;
    return jar_.store(where, set_cookie, now);
  }
  std::string get(std::string_view url, port::WallTime now = today, std::size_t size = 4096) {
    const CookieOrigin where = origin(url);
    std::vector<char> out(size);
    std::string_view text;
    {
      const heap_guard::Forbidden no_heap;
      text = jar_.write(where, now, out);
    }
    return std::string{text};
  }
  // The whole jar: "name=value domain path flags;".
  std::string content() {
    std::string text;
    for (std::size_t i = 0; i < jar_.capacity(); ++i) {
      if (const auto cookie = jar_.at(i)) {
        text += std::string{cookie->name} + "=" + std::string{cookie->value} + " " + (cookie->host_only ? "" : ".") +
                std::string{cookie->domain} + std::string{cookie->path} + (cookie->secure ? " secure" : "") +
                (cookie->http_only ? " httponly" : "") + "\n";
      }
    }
    return text;
  }
  CookieJar& operator*() { return jar_; }
  CookieJar* operator->() { return &jar_; }

 private:
  static CookieOrigin origin(std::string_view url) {
    const auto parsed = wire::parse_url(url);
    EXPECT_TRUE(parsed) << url;
    return {.host = parsed->host, .path = parsed->path, .is_secure = parsed->scheme == "https"};
  }
  std::vector<CookieEntry> entries_;
  std::vector<char> texts_;
  CookieJar jar_;
};

std::string file_of(CookieJar& jar, port::WallTime now = today) {
  std::string text;
  std::vector<char> out(jar.line_size());
  CookieFileCursor cursor;
  while (const auto line = jar.save_line(cursor, now, out)) {
    text.append(*line).append("\n");
  }
  return text;
}

// ---- which host

TEST(CookieJar, DecidesTheDomainOfACookie) {
  struct Row {
    std::string_view host;
    std::string_view domain;  // the attribute
    std::string_view want;    // with a dot in front: for what is below too; empty: refused
  };
  constexpr std::array rows{
      Row{"www.example.com", "", "www.example.com"},
      Row{"127.0.0.1", "", "127.0.0.1"},
      Row{"[2001:4860:0:2001::68]", "", "2001:4860:0:2001::68"},
      Row{"www.example.com", "example.com", ".example.com"},
      Row{"www.example.com", ".example.com", ".example.com"},
      Row{"www.example.com", "www.example.com", ".www.example.com"},
      Row{"www.example.com", "WWW.Example.COM", ".www.example.com"},
      Row{"WWW.EXAMPLE.COM", "example.com", ".example.com"},
      Row{"www.example.com:8080", "example.com", ".example.com"},
      Row{"www.example.com.", "example.com", ".example.com"},
      Row{"foo.sso.example.com", "sso.example.com", ".sso.example.com"},
      Row{"bar.co.uk", "bar.co.uk", ".bar.co.uk"},
      Row{"a.bar.co.uk", "bar.co.uk", ".bar.co.uk"},
      // Addresses: exactly.
      Row{"127.0.0.1", "127.0.0.1", "127.0.0.1"},
      Row{"127.0.0.1", ".127.0.0.1", ""},
      Row{"127.0.0.1", "0.0.1", ""},
      Row{"127.0.0.1", "1", ""},
      Row{"[2001:db8::1]", "[2001:db8::1]", "2001:db8::1"},
      Row{"[2001:db8::1]", "2001:DB8::1", "2001:db8::1"},
      Row{"[2001:db8::1]", ":1", ""},
      // Not the server's.
      Row{"www.example.com", "example.org", ""},
      Row{"www.example.com", "a.www.example.com", ""},
      Row{"www.example.com", "ample.com", ""},
      Row{"www.example.com", "w.example.com", ""},
      Row{"www.example.com", ".", ""},
      Row{"www.example.com", "..", ""},
      Row{"www.example.com", "..example.com", ""},
      Row{"www.example.com", "example.com.", ""},
      Row{"www.example.com", "example com", ""},
      Row{"www.example.com", "example.com,example.org", ""},
      // Registries and single labels.
      Row{"www.example.com", "com", ""},
      Row{"www.example.com", ".com", ""},
      Row{"foo.co.uk", "co.uk", ""},
      Row{"foo.co.uk", "CO.UK", ""},
      Row{"me.github.io", "github.io", ""},
      Row{"co.uk", "co.uk", "co.uk"},
      Row{"github.io", ".github.io", "github.io"},
      Row{"localhost", "localhost", "localhost"},
      Row{"printer", ".printer", "printer"},
      Row{"a.localhost", "localhost", ""},
      Row{"board.local", "local", ""},
      Row{"a.board.local", "board.local", ".board.local"},
  };
  for (const Row& row : rows) {
    TestJar jar;
    std::string cookie = "a=b";
    if (!row.domain.empty()) {
      cookie.append("; Domain=").append(row.domain);
    }
    const Outcome outcome = jar->store({.host = row.host, .path = "/"}, cookie, today);
    SCOPED_TRACE(testing::Message() << row.host << " sets " << row.domain);
    if (row.want.empty()) {
      EXPECT_EQ(outcome, Outcome::foreign_domain);
      EXPECT_EQ(jar->size(), 0U);
    } else {
      EXPECT_EQ(outcome, Outcome::stored);
      EXPECT_EQ(jar.content(), "a=b " + std::string{row.want} + "/\n");
    }
  }
}

TEST(CookieJar, KnowsSomeRegistries) {
  for (const std::string_view domain :
       {"com", "uk", "localhost", "co.uk", "com.au", "github.io", "workers.dev", "ac.at", "Co.Uk"}) {
    EXPECT_TRUE(is_registry_domain(domain)) << domain;
  }
  for (const std::string_view domain :
       {"example.com", "a.co.uk", "uk.co", "github.com", "a.github.io", "zz.zz", "a.a", "."}) {
    EXPECT_FALSE(is_registry_domain(domain)) << domain;
  }
}

TEST(CookieJar, TakesNoHostThatIsNone) {
  TestJar jar;
  for (const std::string_view host : {"", ".", "..", "a b", "h\r\n",
                                      "b\xc3\xbc"
                                      "cher.example",
                                      "[]", "a/b", ".a", "a\tb"}) {
    EXPECT_EQ(jar->store({.host = host, .path = "/"}, "a=b", today), Outcome::bad_host) << host;
    std::array<char, 100> out;
    EXPECT_EQ(jar->write({.host = host, .path = "/"}, today, out), "") << host;
  }
  EXPECT_EQ(jar->store({.host = std::string(254, 'a'), .path = "/"}, "a=b", today), Outcome::bad_host);
  EXPECT_EQ(jar->stats().refused, 11U);
}

TEST(CookieHost, IsTakenFromAHostField) {
  EXPECT_EQ(cookie_host("h"), "h");
  EXPECT_EQ(cookie_host("h:80"), "h");
  EXPECT_EQ(cookie_host("h."), "h");
  EXPECT_EQ(cookie_host("h.:80"), "h");
  EXPECT_EQ(cookie_host("[::1]:80"), "::1");
  EXPECT_EQ(cookie_host("::1"), "::1");
  EXPECT_EQ(cookie_host("2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(cookie_host("10.0.0.1:80"), "10.0.0.1");
}

TEST(CookieJar, GivesEachHostItsOwn) {
  TestJar jar;
  jar.set("http://www.example.com/", "host=1");
  jar.set("http://www.example.com/", "domain=2; Domain=example.com");
  jar.set("http://10.0.0.1/", "ip=3");
  EXPECT_EQ(jar.get("http://www.example.com/"), "host=1; domain=2");
  EXPECT_EQ(jar.get("http://WWW.example.COM:81/"), "host=1; domain=2");
  EXPECT_EQ(jar.get("http://www.example.com./"), "host=1; domain=2");
  EXPECT_EQ(jar.get("http://example.com/"), "domain=2");
  EXPECT_EQ(jar.get("http://a.www.example.com/"), "domain=2");
  EXPECT_EQ(jar.get("http://myexample.com/"), "");
  EXPECT_EQ(jar.get("http://example.com.evil.test/"), "");
  EXPECT_EQ(jar.get("http://10.0.0.1:8080/"), "ip=3");
  EXPECT_EQ(jar.get("http://0.0.1/"), "");
  EXPECT_EQ(jar.get("http://1.10.0.0.1/"), "");
}

// ---- which path

TEST(CookieJar, TakesTheDefaultPath) {
  struct Row {
    std::string_view path;
    std::string_view want;
  };
  constexpr std::array rows{
      Row{"/", "/"},     Row{"/abc", "/"},   Row{"/ab/", "/ab"}, Row{"/ab/cd", "/ab"}, Row{"/ab/cd/", "/ab/cd"},
      Row{"", "/"},      Row{"ab", "/"},     Row{"ab/cd", "/"},  Row{"//", "/"},       Row{"/ab/cd?x/y", "/ab"},
      Row{"?/a/b", "/"}, Row{"/a\tb/c", "/"}};
  for (const Row& row : rows) {
    for (const std::string_view cookie : {"a=b", "a=b; Path=", "a=b; Path=x/y", "a=b; Path"}) {
      TestJar jar;
      EXPECT_EQ(jar->store({.host = "h.test", .path = row.path}, cookie, today), Outcome::stored);
      EXPECT_EQ(jar.content(), "a=b h.test" + std::string{row.want} + "\n") << row.path << " " << cookie;
    }
  }
}

TEST(CookieJar, MatchesPathsAtTheirSegments) {
  struct Row {
    std::string_view cookie;
    std::string_view request;
    bool is_match;
  };
  constexpr std::array rows{Row{"/", "/", true},      Row{"/", "/a/b", true},      Row{"/", "", true},
                            Row{"/a", "/a", true},    Row{"/a", "/a/", true},      Row{"/a", "/a/b", true},
                            Row{"/a", "/ab", false},  Row{"/a", "/", false},       Row{"/a", "/A", false},
                            Row{"/a/", "/a/b", true}, Row{"/a/", "/a", false},     Row{"/a/b", "/a", false},
                            Row{"/a", "/a?b", true},  Row{"/a/b", "/a?/b", false}, Row{"/a", "a", false}};
  for (const Row& row : rows) {
    TestJar jar;
    jar->store({.host = "h.test", .path = "/"}, "a=b; Path=" + std::string{row.cookie}, today);
    std::array<char, 100> out;
    EXPECT_EQ(jar->write({.host = "h.test", .path = row.request}, today, out), row.is_match ? "a=b" : "")
        << row.cookie << " " << row.request;
  }
}

TEST(CookieJar, WritesLongerPathsFirstThenOlderCookies) {
  TestJar jar;
  jar.set("http://h.test/", "c=1; Path=/");
  jar.set("http://h.test/", "a=2; Path=/a");
  jar.set("http://h.test/", "b=3; Path=/a/b");
  jar.set("http://h.test/", "d=4; Path=/");
  jar.set("http://h.test/", "e=5; Path=/a");
  jar.set("http://h.test/", "c=6; Path=/a/b/c");
  EXPECT_EQ(jar.get("http://h.test/a/b/c"), "c=6; b=3; a=2; e=5; c=1; d=4");
  EXPECT_EQ(jar.get("http://h.test/a"), "a=2; e=5; c=1; d=4");
  // A new value does not make it a new cookie.
  EXPECT_EQ(jar.set("http://h.test/", "c=7; Path=/"), Outcome::replaced);
  EXPECT_EQ(jar.get("http://h.test/"), "c=7; d=4");
  // Made again after it was deleted, it is.
  EXPECT_EQ(jar.set("http://h.test/", "c=; Path=/; Max-Age=0"), Outcome::deleted);
  EXPECT_EQ(jar.set("http://h.test/", "c=8; Path=/"), Outcome::stored);
  EXPECT_EQ(jar.get("http://h.test/"), "d=4; c=8");
}

// ---- which time

TEST(CookieJar, ReplacesByNameDomainAndPath) {
  TestJar jar;
  EXPECT_EQ(jar.set("http://www.h.test/a/b", "n=1"), Outcome::stored);
  EXPECT_EQ(jar.set("http://www.h.test/a/c", "n=2"), Outcome::replaced);
  EXPECT_EQ(jar.set("http://www.h.test/a/c", "N=3"), Outcome::stored);
  EXPECT_EQ(jar.set("http://www.h.test/a/c", "n=4; Path=/"), Outcome::stored);
  EXPECT_EQ(jar.set("http://www.h.test/a/c", "n=5; Domain=h.test"), Outcome::stored);
  // RFC 6265 does not look at the host-only flag.
  EXPECT_EQ(jar.set("http://www.h.test/a/c", "n=6; Domain=www.h.test"), Outcome::replaced);
  EXPECT_EQ(jar.get("http://www.h.test/a/c"), "n=6; N=3; n=5; n=4");
  EXPECT_EQ(jar->size(), 4U);
  EXPECT_EQ(jar->stats().stored, 4U);
  EXPECT_EQ(jar->stats().replaced, 2U);
}

TEST(CookieJar, EndsCookies) {
  TestJar jar;
  jar.set("http://h.test/", "session=1");
  jar.set("http://h.test/", "short=2; Max-Age=10");
  jar.set("http://h.test/", "long=3; Max-Age=1000; Expires=Thu, 01 Jan 1970 00:00:01 GMT");
  jar.set("http://h.test/", "until=4; Expires=Thu, 01 Jan 2026 00:01:00 GMT");
  jar.set("http://h.test/", "forever=5; Max-Age=9223372036854775807");
  EXPECT_EQ(jar.get("http://h.test/"), "session=1; short=2; long=3; until=4; forever=5");
  EXPECT_EQ(jar.get("http://h.test/", after(9)), "session=1; short=2; long=3; until=4; forever=5");
  EXPECT_EQ(jar.get("http://h.test/", after(10)), "session=1; long=3; until=4; forever=5");
  EXPECT_EQ(jar.get("http://h.test/", after(59)), "session=1; long=3; until=4; forever=5");
  EXPECT_EQ(jar.get("http://h.test/", after(60)), "session=1; long=3; forever=5");
  EXPECT_EQ(jar.get("http://h.test/", after(1000)), "session=1; forever=5");
  EXPECT_EQ(jar->size(), 2U);
  EXPECT_EQ(jar->stats().expired, 3U);
}

TEST(CookieJar, DeletesCookies) {
  for (const std::string_view deletion :
       {"a=; Max-Age=0", "a=x; Max-Age=-1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "a=; expires=Mon, 01-Jan-01 00:00:00 GMT", "a=; Expires=Thu, 01 Jan 2026 00:00:00 GMT",
        "a=; Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT"}) {
    TestJar jar;
    jar.set("http://h.test/", "a=1");
    jar.set("http://h.test/", "b=2");
    EXPECT_EQ(jar.set("http://h.test/", deletion), Outcome::deleted) << deletion;
    EXPECT_EQ(jar.get("http://h.test/"), "b=2");
    EXPECT_EQ(jar.set("http://h.test/", deletion), Outcome::deleted);  // there is nothing any more
    EXPECT_EQ(jar->size(), 1U);
  }
  TestJar jar;
  jar.set("http://h.test/a/b", "a=1");
  jar.set("http://h.test/", "a=; Max-Age=0");  // another path
  jar.set("http://www.h.test/a/b", "a=; Max-Age=0");
  EXPECT_EQ(jar.get("http://h.test/a/b"), "a=1");
  // What cannot be read does not count: a session cookie.
  EXPECT_EQ(jar.set("http://h.test/a/b", "a=2; Max-Age=x; Expires=soon"), Outcome::replaced);
  EXPECT_EQ(jar.get("http://h.test/a/b", after(1'000'000'000)), "a=2");
}

TEST(CookieJar, EndsNothingByAClockThatIsNotSet) {
  const port::WallTime boot{.seconds = 5};
  TestJar jar;
  jar.set("http://h.test/", "short=1; Max-Age=100", boot);
  jar.set("http://h.test/", "long=2; Max-Age=1000", boot);
  jar.set("http://h.test/", "date=3; Expires=Fri, 02 Jan 2026 00:00:00 GMT", boot);
  jar.set("http://h.test/", "past=4; Expires=Wed, 01 Jan 2025 00:00:00 GMT", boot);
  jar.set("http://h.test/", "gone=5", boot);
  EXPECT_EQ(jar.set("http://h.test/", "gone=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", boot), Outcome::deleted);
  EXPECT_EQ(jar.set("http://h.test/", "gone=; Expires=Tue, 31 Dec 2019 23:59:59 GMT", boot), Outcome::deleted);
  EXPECT_EQ(jar.get("http://h.test/", boot), "short=1; long=2; date=3; past=4");
  // Max-Age runs by the clock there is.
  EXPECT_EQ(jar.get("http://h.test/", {.seconds = 104}), "short=1; long=2; date=3; past=4");
  EXPECT_EQ(jar.get("http://h.test/", {.seconds = 105}), "long=2; date=3; past=4");
  // The clock is set: 900 s of the 1,000 are left, and dates count.
  EXPECT_EQ(jar.get("http://h.test/"), "long=2; date=3");
  EXPECT_EQ(jar.get("http://h.test/", after(899)), "long=2; date=3");
  EXPECT_EQ(jar.get("http://h.test/", after(900)), "date=3");
  EXPECT_EQ(jar.get("http://h.test/", after(86'400)), "");
}

TEST(CookieJar, EndsNothingBehindTheCalendar) {
  TestJar jar;
  jar.set("http://h.test/", "a=1; Max-Age=253402300799", {.seconds = 5});
  jar.set("http://h.test/", "b=1; Max-Age=253402300799");
  EXPECT_EQ(jar.get("http://h.test/"), "a=1; b=1");
  EXPECT_EQ(jar->at(0)->expires, wire::date_max);
  EXPECT_EQ(jar->at(1)->expires, wire::date_max);
}

TEST(CookieJar, KeepsDatesWhenTheClockIsLost) {
  TestJar jar;
  jar.set("http://h.test/", "a=1; Max-Age=100");
  EXPECT_EQ(jar.get("http://h.test/", {.seconds = -5}), "a=1");
  EXPECT_EQ(jar.get("http://h.test/", {.seconds = 1'000'000}), "a=1");
  EXPECT_EQ(jar.get("http://h.test/", after(99)), "a=1");
  EXPECT_EQ(jar.get("http://h.test/", after(100)), "");
}

TEST(CookieJar, ReckonsWithAnyClock) {
  for (const std::int64_t seconds : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    for (const std::int64_t later : {INT64_MIN, std::int64_t{0}, today.seconds, INT64_MAX}) {
      TestJar jar;
      jar.set("http://h.test/", "a=1; Max-Age=9223372036854775807", {.seconds = seconds});
      jar.set("http://h.test/", "b=1; Max-Age=1", {.seconds = seconds});
      jar.set("http://h.test/", "c=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", {.seconds = seconds});
      jar.get("http://h.test/", {.seconds = later});
      file_of(*jar, {.seconds = later});
    }
  }
}

// ---- Secure and the prefixes

TEST(CookieJar, KeepsSecureCookiesForHttps) {
  TestJar jar;
  EXPECT_EQ(jar.set("http://h.test/", "s=1; Secure"), Outcome::not_secure);
  EXPECT_EQ(jar.set("https://h.test/", "s=1; Secure"), Outcome::stored);
  EXPECT_EQ(jar.set("https://h.test/", "t=2"), Outcome::stored);
  EXPECT_EQ(jar.get("http://h.test/"), "t=2");
  EXPECT_EQ(jar.get("https://h.test/"), "s=1; t=2");
}

TEST(CookieJar, LetsHttpNeitherReplaceNorHideASecureCookie) {
  TestJar jar;
  jar.set("https://www.h.test/", "s=1; Secure; Path=/login");
  jar.set("https://www.h.test/", "d=1; Secure; Domain=h.test");
  EXPECT_EQ(jar.set("http://www.h.test/", "s=2; Path=/login"), Outcome::not_secure);
  EXPECT_EQ(jar.set("http://www.h.test/", "s=2; Path=/login/en"), Outcome::not_secure);
  EXPECT_EQ(jar.set("http://www.h.test/", "s=; Path=/login; Max-Age=0"), Outcome::not_secure);
  EXPECT_EQ(jar.set("http://www.h.test/", "s=2; Path=/login; Domain=h.test"), Outcome::not_secure);
  EXPECT_EQ(jar.set("http://a.h.test/", "d=2"), Outcome::not_secure);
  EXPECT_EQ(jar.set("http://h.test/", "d=2"), Outcome::not_secure);
  EXPECT_EQ(jar.get("https://www.h.test/login/en"), "s=1; d=1");
  // Elsewhere it may, and https may everywhere.
  EXPECT_EQ(jar.set("http://www.h.test/", "s=2; Path=/"), Outcome::stored);
  EXPECT_EQ(jar.set("http://other.test/", "s=2; Path=/login"), Outcome::stored);
  EXPECT_EQ(jar.set("http://www.h.test/", "S=2; Path=/login"), Outcome::stored);
  EXPECT_EQ(jar.set("https://www.h.test/", "s=3; Path=/login"), Outcome::replaced);
  EXPECT_EQ(jar.set("http://www.h.test/", "s=4; Path=/login"), Outcome::replaced);
  // One that has ended hides behind nothing.
  jar.set("https://www.h.test/", "e=1; Secure; Max-Age=5");
  EXPECT_EQ(jar.set("http://www.h.test/", "e=2", after(4)), Outcome::not_secure);
  EXPECT_EQ(jar.set("http://www.h.test/", "e=2", after(5)), Outcome::replaced);
}

TEST(CookieJar, HoldsPrefixesToTheirPromise) {
  TestJar jar;
  EXPECT_EQ(jar.set("https://h.test/", "__Secure-a=1"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("http://h.test/", "__Secure-a=1; Secure"), Outcome::not_secure);
  EXPECT_EQ(jar.set("https://h.test/", "__Secure-a=1; Secure; Domain=h.test; Path=/x"), Outcome::stored);
  EXPECT_EQ(jar.set("https://h.test/", "__SECURE-b=1"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("https://h.test/", "__Host-a=1; Secure"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("https://h.test/", "__Host-a=1; Path=/"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("https://h.test/", "__Host-a=1; Secure; Path=/x"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("https://h.test/", "__Host-a=1; Secure; Path=/; Domain=h.test"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("https://localhost/", "__Host-a=1; Secure; Path=/; Domain=localhost"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("https://h.test/", "__host-a=1; Secure"), Outcome::bad_prefix);
  EXPECT_EQ(jar.set("http://h.test/", "__Host-a=1; Secure; Path=/"), Outcome::not_secure);
  EXPECT_EQ(jar.set("https://h.test/", "__Host-a=1; Secure; Path=/"), Outcome::stored);
  EXPECT_EQ(jar.set("https://h.test/", "_Secure-a=1"), Outcome::stored);
  EXPECT_EQ(jar->stats().refused, 10U);
}

// ---- what is kept

// The rows of Set-Cookie fields that were run against net/http, seen from the jar.
TEST(CookieJar, TakesCookiesAsNetHttpDoes) {
  struct Row {
    std::string_view field;
    std::string_view want;  // the Cookie field; empty: dropped or deleted
  };
  constexpr std::array rows{
      Row{"a=b", "a=b"},
      Row{"=b", ""},
      Row{"", ""},
      Row{"a", ""},
      Row{"a b=c", ""},
      Row{" a=b ", "a=b"},
      Row{"a=b; max-age=0", ""},
      Row{"a=b; Max-Age=05", "a=b"},
      Row{"a=b; Max-Age=x", "a=b"},
      Row{"a=b; Expires=Wed, 23 Nov 2011 01:05:03 GMT", ""},
      Row{"a=\"b c\"", "a=\"b c\""},
      Row{"a=b c", "a=b c"},
      Row{"a=\"\"", "a=\"\""},
      Row{"a=", "a="},
      Row{"a=\"b", ""},
      Row{"a=b\\c", ""},
      Row{"a=\xff", ""},
      Row{"a=b; SameSite", "a=b"},
      Row{"a=b; Foo=Bar; Baz", "a=b"},
      Row{"a=b;;; Path=/", "a=b"},
      Row{"a=b; Domain=;", "a=b"},
      Row{"a=b=c", "a=b=c"},
      Row{"a==b", "a==b"},
      Row{"a=b; PATH=/p; path=/", "a=b"},
      Row{"a=b; PATH=/; path=/p", ""},
  };
  for (const Row& row : rows) {
    TestJar jar;
    jar.set("http://h.test/", row.field);
    EXPECT_EQ(jar.get("http://h.test/"), row.want) << row.field;
  }
}

TEST(CookieJar, KeepsAttributes) {
  TestJar jar;
  jar.set("https://h.test/", "a=\"b\"; HttpOnly; SameSite=Strict; Secure; Max-Age=60; Domain=h.test; Path=/p");
  const auto cookie = jar->at(0);
  ASSERT_TRUE(cookie);
  EXPECT_EQ(cookie->name, "a");
  EXPECT_EQ(cookie->value, "b");
  EXPECT_TRUE(cookie->is_quoted);
  EXPECT_EQ(cookie->domain, "h.test");
  EXPECT_EQ(cookie->path, "/p");
  EXPECT_FALSE(cookie->host_only);
  EXPECT_TRUE(cookie->http_only);
  EXPECT_TRUE(cookie->secure);
  EXPECT_EQ(cookie->same_site, wire::SameSite::strict);
  EXPECT_EQ(cookie->expires, after(60));
  EXPECT_FALSE(jar->at(1));
}

TEST(CookieJar, ForgetsOnRequest) {
  TestJar jar;
  jar.set("http://h.test/", "s=1");
  jar.set("http://h.test/", "p=2; Max-Age=5");
  jar.set("http://h.test/", "r=3; Max-Age=5", {.seconds = 1});
  jar->clear_session();
  EXPECT_EQ(jar.get("http://h.test/"), "p=2; r=3");
  jar->clear();
  EXPECT_EQ(jar->size(), 0U);
  EXPECT_EQ(jar.get("http://h.test/"), "");
  EXPECT_EQ(jar.set("http://h.test/", "s=1"), Outcome::stored);
}

// ---- limits

TEST(CookieJar, RefusesWhatDoesNotFitAnEntry) {
  TestJar jar{2, 64};
  const std::string fits(64 - 1 - 6 - 1, 'v');  // name, "h.test", "/"
  EXPECT_EQ(jar.set("http://h.test/", "n=" + fits + "v"), Outcome::too_long);
  EXPECT_EQ(jar.set("http://h.test/", "n=" + fits), Outcome::stored);
  EXPECT_EQ(jar.get("http://h.test/"), "n=" + fits);
  EXPECT_EQ(jar.set("http://h.test/", "n=" + fits + "v"), Outcome::too_long);  // the old one stays
  EXPECT_EQ(jar.get("http://h.test/"), "n=" + fits);
  EXPECT_EQ(jar.set("http://h.test/", "n=" + fits + "v; Max-Age=0"), Outcome::deleted);
  EXPECT_EQ(jar->stats().too_long, 2U);
  EXPECT_EQ(jar->size(), 0U);
}

TEST(CookieJar, MakesRoomByTime) {
  TestJar jar{3};
  jar.set("http://a.test/", "a=1; Max-Age=10");
  jar.set("http://b.test/", "b=1; Max-Age=10");
  jar.set("http://c.test/", "c=1");
  EXPECT_EQ(jar.set("http://d.test/", "d=1", after(10)), Outcome::stored);
  EXPECT_EQ(jar->stats().expired, 2U);
  EXPECT_EQ(jar->stats().evicted, 0U);
  EXPECT_EQ(jar.get("http://c.test/", after(10)), "c=1");
  EXPECT_EQ(jar->stats().used_max, 3U);
}

TEST(CookieJar, MakesRoomInItsOwnDomainFirst) {
  TestJar jar{4};
  jar.set("http://old.test/", "o=1");
  jar.set("http://h.test/a/x", "a=1");
  jar.set("http://h.test/b/x", "b=1");
  jar.set("http://h.test/c/x", "c=1");
  jar.get("http://h.test/a/");  // used: now b is what was not used for longest
  EXPECT_EQ(jar.set("http://h.test/d/x", "d=1"), Outcome::stored);
  EXPECT_EQ(jar.content(), "o=1 old.test/\na=1 h.test/a\nd=1 h.test/d\nc=1 h.test/c\n");
  EXPECT_EQ(jar->stats().evicted, 1U);
  // A domain that has none yet takes from all.
  EXPECT_EQ(jar.set("http://new.test/", "n=1"), Outcome::stored);
  EXPECT_EQ(jar.content(), "n=1 new.test/\na=1 h.test/a\nd=1 h.test/d\nc=1 h.test/c\n");
  EXPECT_EQ(jar->stats().evicted, 2U);
  EXPECT_EQ(jar->size(), 4U);
}

TEST(CookieJar, LivesWithOneEntry) {
  TestJar jar{1};
  for (int i = 0; i < 10; ++i) {
    const std::string host = "http://h" + std::to_string(i) + ".test/";
    EXPECT_EQ(jar.set(host, "a=b"), Outcome::stored);
    EXPECT_EQ(jar.get(host), "a=b");
    EXPECT_EQ(jar->size(), 1U);
  }
  EXPECT_EQ(jar->stats().evicted, 9U);
}

TEST(CookieJar, LeavesOutWhatDoesNotFitTheField) {
  TestJar jar;
  jar.set("http://h.test/", "aa=11");
  jar.set("http://h.test/", "bbbb=2222");
  jar.set("http://h.test/", "c=\"3\"");
  EXPECT_EQ(jar.get("http://h.test/", today, 23), "aa=11; bbbb=2222; c=\"3\"");
  EXPECT_EQ(jar->stats().left_out, 0U);
  EXPECT_EQ(jar.get("http://h.test/", today, 22), "aa=11; bbbb=2222");
  EXPECT_EQ(jar.get("http://h.test/", today, 15), "aa=11; c=\"3\"");
  EXPECT_EQ(jar.get("http://h.test/", today, 4), "");
  EXPECT_EQ(jar.get("http://h.test/", today, 0), "");
  EXPECT_EQ(jar->stats().left_out, 8U);
}

// ---- files

TEST(CookieFile, IsWrittenAsCurlDoes) {
  TestJar jar;
  jar.set("https://www.h.test/a/b", "one=1");
  jar.set("https://www.h.test/", "two=\"2 2\"; Domain=h.test; HttpOnly; Secure; Max-Age=60; Path=/p");
  jar.set("https://[::1]/", "three=");
  jar.set("https://www.h.test/", "gone=1; Max-Age=1");
  EXPECT_EQ(file_of(*jar, after(2)),
            "# Netscape HTTP Cookie File\n"
            "www.h.test\tFALSE\t/a\tFALSE\t0\tone\t1\n"
            "#HttpOnly_.h.test\tTRUE\t/p\tTRUE\t1767225660\ttwo\t\"2 2\"\n"
            "::1\tFALSE\t/\tFALSE\t0\tthree\t\n");
}

TEST(CookieFile, ComesBackTheSame) {
  TestJar jar;
  jar.set("https://www.h.test/a/b", "one=1");
  jar.set("https://www.h.test/", "two=\"2 2\"; Domain=h.test; HttpOnly; Secure; Max-Age=60; Path=/p");
  jar.set("https://[::1]/", "three=");
  jar.set("https://www.h.test/", "__Host-x=4; Secure; Path=/");
  const std::string text = file_of(*jar);
  TestJar other;
  const CookieFileResult result = other->load(text, today);
  EXPECT_EQ(result.loaded, 4U);
  EXPECT_EQ(result.line, 0U);
  EXPECT_EQ(other.content(), jar.content());
  EXPECT_EQ(file_of(*other), text);
  EXPECT_EQ(other.get("https://www.h.test/p/a"), "two=\"2 2\"; __Host-x=4");
  EXPECT_EQ(other.get("https://www.h.test/p/a", after(60)), "__Host-x=4");
}

TEST(CookieFile, FitsTheLongestLine) {
  TestJar jar{1, 128};
  ASSERT_EQ(jar.set("https://h.test/", "n=\"" + std::string(128 - 1 - 6 - 1, 'v') +
                                           "\"; Domain=h.test; Secure; HttpOnly; Max-Age=999999999999"),
            Outcome::stored);
  const std::string text = file_of(*jar);
  EXPECT_NE(text.find("\t253402300799\t"), std::string::npos) << text;
}

TEST(CookieFile, IsReadLineByLine) {
  TestJar jar;
  const std::string_view text =
      "# Netscape HTTP Cookie File\r\n"
      "# https://curl.se/docs/http-cookies.html\n"
      "\n"
      "   \n"
      ".h.test\tTRUE\t/\tFALSE\t0\ta\t1\r\n"
      "#HttpOnly_h.test\tfalse\t/\ttrue\t1767225601\tb\t2\n"
      "h.test\tFALSE\t/\tFALSE\t1767225600\told\t3\n"
      "h.test\tFALSE\t/\tFALSE\t99999999999999999\tc\n"
      "com\tTRUE\t/\tFALSE\t0\tonly\t5\n"
      "10.0.0.1\tTRUE\t/\tFALSE\t0\tip\t6";
  const CookieFileResult result = jar->load(text, today);
  EXPECT_EQ(result.loaded, 5U);
  EXPECT_EQ(result.expired, 1U);
  EXPECT_EQ(result.refused, 0U);
  EXPECT_EQ(result.line, 0U);
  EXPECT_EQ(jar.content(),
            "a=1 .h.test/\n"
            "b=2 h.test/ secure httponly\n"
            "c= h.test/\n"
            "only=5 com/\n"
            "ip=6 10.0.0.1/\n");
  EXPECT_EQ(jar.get("https://h.test/"), "a=1; b=2; c=");
  EXPECT_EQ(jar->load("", today).loaded, 0U);
  EXPECT_EQ(jar->load("\n\n", today).refused, 0U);
}

TEST(CookieFile, NamesTheFirstBadLineAndLoadsTheOthers) {
  TestJar jar;
  const CookieFileResult result = jar->load(
      "h.test\tFALSE\t/\tFALSE\t0\ta\t1\n"
      "# comment\n"
      "h.test\tFALSE\t/\tMAYBE\t0\tb\t2\n"
      "garbage\n"
      "h.test\tFALSE\t/\tFALSE\t0\tc\t3\n",
      today);
  EXPECT_EQ(result.loaded, 2U);
  EXPECT_EQ(result.refused, 2U);
  EXPECT_EQ(result.line, 3U);
  EXPECT_EQ(result.problem, CookieFileProblem::bad_flag);
  EXPECT_EQ(jar.get("http://h.test/"), "a=1; c=3");
}

TEST(CookieFile, RefusesBadLines) {
  struct Row {
    std::string_view line;
    CookieFileProblem want;
  };
  using Problem = CookieFileProblem;
  constexpr std::array rows{
      Row{"h.test\tFALSE\t/\tFALSE\t0\ta\t1", Problem::none},
      Row{"h.test FALSE / FALSE 0 a 1", Problem::fields},
      Row{"h.test\tFALSE\t/\tFALSE\t0", Problem::fields},
      Row{"h.test\tFALSE\t/\tFALSE\t0\ta\t1\t2", Problem::fields},
      Row{"#HttpOnly_", Problem::fields},
      Row{"\tFALSE\t/\tFALSE\t0\ta\t1", Problem::bad_domain},
      Row{".\tTRUE\t/\tFALSE\t0\ta\t1", Problem::bad_domain},
      Row{"..h.test\tTRUE\t/\tFALSE\t0\ta\t1", Problem::bad_domain},
      Row{"h test\tTRUE\t/\tFALSE\t0\ta\t1", Problem::bad_domain},
      Row{"h.test\t1\t/\tFALSE\t0\ta\t1", Problem::bad_flag},
      Row{"h.test\tTRUE\t/\t\t0\ta\t1", Problem::bad_flag},
      Row{"h.test\tTRUE\t\tFALSE\t0\ta\t1", Problem::bad_path},
      Row{"h.test\tTRUE\tx\tFALSE\t0\ta\t1", Problem::bad_path},
      Row{"h.test\tTRUE\t/\x01\tFALSE\t0\ta\t1", Problem::bad_path},
      Row{"h.test\tTRUE\t/\tFALSE\t-1\ta\t1", Problem::bad_expiry},
      Row{"h.test\tTRUE\t/\tFALSE\t\ta\t1", Problem::bad_expiry},
      Row{"h.test\tTRUE\t/\tFALSE\t1e9\ta\t1", Problem::bad_expiry},
      Row{"h.test\tTRUE\t/\tFALSE\t0\t\t1", Problem::bad_name},
      Row{"h.test\tTRUE\t/\tFALSE\t0\ta b\t1", Problem::bad_name},
      Row{"h.test\tTRUE\t/\tFALSE\t0\ta\t;", Problem::bad_value},
      Row{"h.test\tTRUE\t/\tFALSE\t0\ta\t\"", Problem::bad_value},
      Row{"h.test\tTRUE\t/\tFALSE\t0\ta\t\xff", Problem::bad_value},
      Row{"h.test\tFALSE\t/\tFALSE\t0\t__Secure-a\t1", Problem::bad_prefix},
      Row{"h.test\tTRUE\t/\tTRUE\t0\t__Host-a\t1", Problem::bad_prefix},
      Row{"h.test\tFALSE\t/p\tTRUE\t0\t__Host-a\t1", Problem::bad_prefix},
      Row{"h.test\tFALSE\t/\tTRUE\t0\t__Host-a\t1", Problem::none},
  };
  for (const Row& row : rows) {
    TestJar jar;
    EXPECT_EQ(jar->load_line(row.line, today), row.want) << row.line;
    EXPECT_EQ(jar->size(), row.want == Problem::none ? 1U : 0U) << row.line;
    EXPECT_EQ(jar->load_line(std::string{row.line} + "\r\n", today), row.want) << row.line;
  }
  TestJar jar{1, 64};
  EXPECT_EQ(jar->load_line("h.test\tFALSE\t/\tFALSE\t0\ta\t" + std::string(100, 'v'), today), Problem::too_long);
}

TEST(CookieFile, LosesNothingWithoutAClock) {
  const port::WallTime boot{.seconds = 5};
  TestJar jar;
  EXPECT_EQ(
      jar->load("h.test\tFALSE\t/\tFALSE\t1600000000\tdate\t1\nh.test\tFALSE\t/\tFALSE\t9\told\t2\n", boot).loaded, 1U);
  jar.set("http://h.test/", "age=3; Max-Age=60", boot);
  // The end of `age` cannot be told yet.
  EXPECT_EQ(file_of(*jar, {.seconds = 10}),
            "# Netscape HTTP Cookie File\n"
            "h.test\tFALSE\t/\tFALSE\t1600000000\tdate\t1\n"
            "h.test\tFALSE\t/\tFALSE\t0\tage\t3\n");
  EXPECT_EQ(file_of(*jar),
            "# Netscape HTTP Cookie File\n"
            "h.test\tFALSE\t/\tFALSE\t1767225655\tage\t3\n");
}

TEST(CookieJar, HasWordsForEverything) {
  for (int i = 0; i <= static_cast<int>(Outcome::too_long); ++i) {
    EXPECT_NE(describe(static_cast<Outcome>(i)), "unknown outcome");
  }
  for (int i = 0; i <= static_cast<int>(CookieFileProblem::too_long); ++i) {
    EXPECT_NE(describe(static_cast<CookieFileProblem>(i)), "unknown problem");
  }
}

// A new jar on memory that another one used is empty.
TEST(CookieJar, BeginsEmpty) {
  static CookieJarStorage<2> storage;
  for (int i = 0; i < 2; ++i) {
    CookieJar jar{storage.memory()};
    EXPECT_EQ(jar.size(), 0U);
    EXPECT_EQ(jar.capacity(), 2U);
    EXPECT_EQ(jar.store({.host = "h.test", .path = "/"}, "a=b", today), Outcome::stored);
  }
}

}  // namespace
}  // namespace pollux::http
