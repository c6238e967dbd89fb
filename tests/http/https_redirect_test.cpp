// The server on port 80 that sends everybody to https.

#include "stack/http/https_redirect.hpp"

#include <memory>
#include <string>

#include "tests/http/site.hpp"

namespace pollux::test {
namespace {

constexpr http::ServerLimits redirecting_limits{
    .connections = 2, .listeners = 1, .in_buffer = 4096, .out_buffer = 4096, .head_size_max = 3000, .fields_max = 8};

// A server whose router is the redirect itself.
struct Redirecting {
  explicit Redirecting(const http::HttpsRedirect& redirect)
      : storage{std::make_unique<http::ServerStorage<redirecting_limits>>()},
        loop_storage{std::make_unique<net::LoopStorage<http::sockets_max(redirecting_limits)>>()},
        loop{talk.port(), loop_storage->memory()},
        server{{.loop = loop, .handler = redirect, .memory = storage->memory()}} {
    EXPECT_TRUE(server.listen({.endpoint = {.address = port::Address::ipv4_any(80)}}));
    talk.set_turn<heap_guard::Forbidden>(turn);
  }
  // Says `request` and returns the whole answer, its Date left out.
  std::string ask(std::string_view request) {
    Peer& peer = talk.connect(80);
    peer.say(request);
    peer.finish();
    EXPECT_TRUE(talk.run_until([&] { return peer.is_closed(); }));
    std::string text = peer.take();
    if (const std::size_t at = text.find(date_line); at != std::string::npos) {
      text.erase(at, date_line.size());
    }
    peer.close();
    return text;
  }
  std::string location(std::string_view request) {
    const std::string text = ask(request);
    const std::size_t at = text.find("Location: ");
    return at == std::string::npos ? text : text.substr(at + 10, text.find("\r\n", at) - at - 10);
  }

  Conversation talk;
  std::unique_ptr<http::ServerStorage<redirecting_limits>> storage;
  std::unique_ptr<net::LoopStorage<http::sockets_max(redirecting_limits)>> loop_storage;
  net::Loop loop;
  http::Server server;
  struct Turn {
    net::Loop& loop;
    void operator()() { loop.turn(); }
  } turn{loop};
};

TEST(HttpsRedirect, GetAndHeadMoveEverythingElseKeepsItsMethod) {
  const http::HttpsRedirect redirect{443};
  Redirecting site{redirect};
  EXPECT_EQ(site.ask("GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n"),
            "HTTP/1.1 301 Moved Permanently\r\nLocation: https://example.org/a?b=c\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(site.ask("HEAD / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
            "HTTP/1.1 301 Moved Permanently\r\nLocation: https://example.org/\r\n\r\n");
  EXPECT_EQ(site.ask("POST /a HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\nabc"),
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://example.org/a\r\nContent-Length: 0\r\n\r\n");
  // A body that is long, or does not come, is not waited for.
  EXPECT_EQ(site.ask("PUT /a HTTP/1.1\r\nHost: example.org\r\nContent-Length: 900000000\r\n\r\nabc").substr(0, 13),
            "HTTP/1.1 308 ");
}

TEST(HttpsRedirect, ThePlaceIsTheSame) {
  const http::HttpsRedirect redirect{443};
  Redirecting site{redirect};
  const auto location_of = [&](const std::string& target, const std::string& host) {
    return site.location("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  };
  EXPECT_EQ(location_of("/", "example.org:80"), "https://example.org/");
  EXPECT_EQ(location_of("/", "example.org:8080"), "https://example.org/");
  EXPECT_EQ(location_of("/", "192.0.2.1"), "https://192.0.2.1/");
  EXPECT_EQ(location_of("/x", "[2001:db8::1]:80"), "https://[2001:db8::1]/x");
  EXPECT_EQ(location_of("/a/../b//c/%2F%41?", "h"), "https://h/a/../b//c/%2F%41?");
  EXPECT_EQ(location_of("//evil.example/x", "h"), "https://h//evil.example/x");
  EXPECT_EQ(location_of("/?u=http://x/", "h"), "https://h/?u=http://x/");
  EXPECT_EQ(location_of("http://other.example:80/x?y", "h"), "https://other.example/x?y");
  EXPECT_EQ(location_of("http://other.example", "h"), "https://other.example/");
}

TEST(HttpsRedirect, AnotherPortAndAFixedHost) {
  const http::HttpsRedirect redirect{8443, "device.local"};
  Redirecting site{redirect};
  EXPECT_EQ(site.location("GET /x HTTP/1.1\r\nHost: whatever\r\n\r\n"), "https://device.local:8443/x");
  EXPECT_EQ(site.location("GET /x HTTP/1.0\r\n\r\n"), "https://device.local:8443/x");
}

TEST(HttpsRedirect, WithoutAHostOrAPathThereIsNowhereToGo) {
  const http::HttpsRedirect redirect{443};
  Redirecting site{redirect};
  for (const std::string_view request :
       {std::string_view{"GET / HTTP/1.0\r\n\r\n"}, std::string_view{"GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        std::string_view{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"}, std::string_view{"GET / HTTP/1.1\r\n\r\n"},
        std::string_view{"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"}}) {
    EXPECT_EQ(site.ask(request).substr(8, 16), " 400 Bad Request") << request;
  }
}

TEST(HttpsRedirect, ALocationThatIsTooLongIsNotCut) {
  const http::HttpsRedirect redirect{443};
  Redirecting site{redirect};
  const std::size_t fits = http::HttpsRedirect::location_size_max - std::string_view{"https://h"}.size();
  const auto ask = [&](std::size_t size) {
    return site.ask("GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n").substr(0, 13);
  };
  EXPECT_EQ(ask(fits), "HTTP/1.1 301 ");
  EXPECT_EQ(ask(fits + 1), "HTTP/1.1 414 ");
}

}  // namespace
}  // namespace pollux::test
