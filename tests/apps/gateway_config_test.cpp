// The gateway's configuration file: tables of good and bad ones, and the pure parts that work with what it says.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "apps/gateway/config.hpp"
#include "apps/gateway/forward.hpp"
#include "apps/gateway/upstreams.hpp"

namespace pollux::gateway {
namespace {

using namespace std::chrono_literals;

struct Parsed {
  std::string text;  // what the configuration's views point into
  Config config;
  std::optional<ConfigError> error;
};

std::unique_ptr<Parsed> parse(std::string_view text) {
  auto parsed = std::make_unique<Parsed>();
  parsed->text = text;
  parsed->error = parse_config(parsed->text, parsed->config);
  return parsed;
}

// What the program would say, "" if nothing is wrong.
std::string complaint(std::string_view text) {
  const auto parsed = parse(text);
  std::array<char, 1024> memory;
  return parsed->error ? std::string{format_error(*parsed->error, "f", memory)} : std::string{};
}

TEST(GatewayConfig, ReadsEverything) {
  const auto parsed = parse(
      "# a comment\n"
      "listen 127.0.0.1:8080   # and another\n"
      "listen unix:/run/g.sock\r\n"
      "\n"
      "\t route /api/  http://10.0.0.7:8081 http://[::1]/base/ strip\n"
      "route example.com/ unix:/run/app.sock\n"
      "route / http://10.0.0.7:8081\n"
      "status /-/gateway/status\n"
      "option connect-timeout 250ms\noption response-timeout 2s\noption body-timeout 3s\noption client-timeout 4m\n"
      "option idle-timeout 1h\noption upgrade-timeout 24h\noption fail-timeout 10s\noption max-fails 0\n"
      "option pass-host off\noption via edge-1\noption max-body 10M\n"
      "option trusted-proxy 10.0.0.0/8\noption trusted-proxy ::1\noption trusted-proxy unix");
  ASSERT_FALSE(parsed->error) << parsed->error->reason;
  const Config& config = parsed->config;
  ASSERT_EQ(config.listen.size(), 2U);
  EXPECT_EQ(config.listen[1], "unix:/run/g.sock");
  ASSERT_EQ(config.upstreams.size(), 3U) << "one that stands in two routes is one";
  EXPECT_EQ(config.upstreams[0].host, "10.0.0.7:8081");
  EXPECT_EQ(config.upstreams[0].base_path, "");
  EXPECT_EQ(config.upstreams[1].host, "[::1]");
  EXPECT_EQ(config.upstreams[1].base_path, "/base");
  EXPECT_EQ(config.upstreams[2].socket, "/run/app.sock");
  EXPECT_EQ(config.upstreams[2].host, "localhost");
  ASSERT_EQ(config.routes.size(), 3U);
  EXPECT_EQ(config.routes[0].prefix, "/api/");
  EXPECT_TRUE(config.routes[0].strip);
  EXPECT_EQ(config.routes[0].upstreams.size(), 2U);
  EXPECT_EQ(config.routes[1].host, "example.com");
  EXPECT_EQ(config.routes[1].prefix, "/");
  EXPECT_FALSE(config.routes[1].strip);
  EXPECT_EQ(config.routes[2].upstreams[0], 0U);
  EXPECT_EQ(config.status_path, "/-/gateway/status");
  EXPECT_EQ(config.options.connect_timeout, 250ms);
  EXPECT_EQ(config.options.response_timeout, 2s);
  EXPECT_EQ(config.options.body_timeout, 3s);
  EXPECT_EQ(config.options.client_timeout, 4min);
  EXPECT_EQ(config.options.idle_timeout, 1h);
  EXPECT_EQ(config.options.upgrade_timeout, 24h);
  EXPECT_EQ(config.options.fail_timeout, 10s);
  EXPECT_EQ(config.options.max_fails, 0U);
  EXPECT_FALSE(config.options.pass_host);
  EXPECT_EQ(config.options.via, "edge-1");
  EXPECT_EQ(config.options.max_body, 10U << 20);
  EXPECT_TRUE(config.trusts(port::Address::ipv4(10, 200, 3, 4, 5)));
  EXPECT_FALSE(config.trusts(port::Address::ipv4(11, 0, 0, 1, 5)));
  EXPECT_TRUE(config.trusts(port::Address::ipv6_loopback(1)));
  EXPECT_FALSE(config.trusts(port::Address::ipv6_any(1)));
  EXPECT_TRUE(config.trusts({.family = port::Family::local}));
}

TEST(GatewayConfig, HasDefaults) {
  const auto parsed = parse("route / http://a");
  ASSERT_FALSE(parsed->error);
  EXPECT_TRUE(parsed->config.options.pass_host);
  EXPECT_EQ(parsed->config.options.via, "pollux");
  EXPECT_EQ(parsed->config.options.max_fails, 3U);
  EXPECT_TRUE(parsed->config.status_path.empty());
  EXPECT_FALSE(parsed->config.trusts(port::Address::ipv4_loopback(1)));
}

TEST(GatewayConfig, NamesLineAndWord) {
  struct Case {
    std::string_view text;
    std::string_view complaint;
  };
  const Case cases[] = {
    {"", "f: there is no route"},
    {"# only a comment", "f: there is no route"},
    {"listen :80", "f: there is no route"},
    {"rout / http://a", "f:1: \"rout\" is not a statement: listen, route, option, status"},
    {"\nlisten", "f:2: \"listen\" needs an address"},
    {"listen #", "f:1: \"listen\" needs an address"},
    {"listen 1.2.3:80", "f:1: \"1.2.3:80\" is not ADDR:PORT, [ADDR]:PORT, :PORT or unix:PATH"},
    {"listen :80 :81", "f:1: \":81\" is one word too many"},
    {"route", "f:1: \"route\" needs a prefix"},
    {"route /", "f:1: \"/\" has no upstream"},
    {"route / strip", "f:1: \"/\" has no upstream"},
    {"route / strip http://a", "f:1: \"http://a\" stands behind strip, which comes last"},
    {"route api http://a", "f:1: \"api\" is not a prefix: /PATH or HOST/PATH"},
    {"route h:80/ http://a", "f:1: \"h:80/\" does not begin with a host without a port"},
    {"route h\xC3\xA9/ http://a", "f:1: \"h\xC3\xA9/\" does not begin with a host without a port"},
    {"route / http://a\nroute /x http://a\nroute / http://b", "f:3: \"/\" is routed already"},
    {"route H/ http://a\nroute h/ http://b", "f:2: \"h/\" is routed already"},
    {"route / http://a http://a", "f:1: \"http://a\" stands twice in this route"},
    {"route / a:80",
     "f:1: \"a:80\" is not an upstream: http://HOST[:PORT][/BASE], https://HOST[:PORT][/BASE] or unix:PATH"},
    {"route / http:a",
     "f:1: \"http:a\" is not an upstream: http://HOST[:PORT][/BASE], https://HOST[:PORT][/BASE] or unix:PATH"},
    {"route / http:///x",
     "f:1: \"http:///x\" is not an upstream: http://HOST[:PORT][/BASE], https://HOST[:PORT][/BASE] or unix:PATH"},
    {"route / http://a:99999",
     "f:1: \"http://a:99999\" is not an upstream: http://HOST[:PORT][/BASE], https://HOST[:PORT][/BASE] or unix:PATH"},
    {"route / http://a:0", "f:1: \"http://a:0\" has no host that can be asked"},
    {"route / http://a:", "f:1: \"http://a:\" has no host that can be asked"},
#if POLLUX_TLS
    {"route / ftp://a", "f:1: \"ftp://a\" is reached neither by http nor by https: no other scheme is built in"},
#else
    {"route / https://a", "f:1: \"https://a\" is not reached by http: no other scheme is built in"},
#endif
    {"route / http://a\noption upstream-verify no", "f:2: \"no\" is not on or off"},
    {"route / http://a\noption upstream-key k",
     "f: \"upstream-key\" needs upstream-cert: the certificate that the key is of"},
    {"route / http://a\noption upstream-ca a\noption upstream-ca b", "f:3: \"upstream-ca\" is set already"},
    {"route / http://u@a", "f:1: \"http://u@a\" has more than host, port and path"},
    {"route / http://a/?x", "f:1: \"http://a/?x\" has more than host, port and path"},
    {"route / http://a/../b", "f:1: \"http://a/../b\" has no path that can stand before others"},
    {"route / unix:", "f:1: \"unix:\" is not unix:PATH with a path of 1 to 107 bytes"},
    {"status", "f:1: \"status\" needs a path"},
    {"status x", "f:1: \"x\" is not a path, as in /-/gateway/status"},
    {"status /a\nstatus /b", "f:2: \"/b\" is a second status page"},
    {"option", "f:1: \"option\" needs a name and a value"},
    {"option connect_timeout 2s", "f:1: \"connect_timeout\" is not an option: see the README for their names"},
    {"option connect-timeout", "f:1: \"connect-timeout\" needs a value"},
    {"option connect-timeout 2", "f:1: \"2\" is not a duration, as in 500ms, 2s, 5m, 1h; at most 24h"},
    {"option connect-timeout 0s", "f:1: \"0s\" is not a duration, as in 500ms, 2s, 5m, 1h; at most 24h"},
    {"option connect-timeout 25h", "f:1: \"25h\" is not a duration, as in 500ms, 2s, 5m, 1h; at most 24h"},
    {"option connect-timeout -1s", "f:1: \"-1s\" is not a duration, as in 500ms, 2s, 5m, 1h; at most 24h"},
    {"option connect-timeout 99999999999999999999h",
     "f:1: \"99999999999999999999h\" is not a duration, as in 500ms, 2s, 5m, 1h; at most 24h"},
    {"option connect-timeout 2s 3s", "f:1: \"3s\" is one word too many"},
    {"option connect-timeout 2s\noption connect-timeout 2s", "f:2: \"connect-timeout\" is set already"},
    {"option pass-host yes", "f:1: \"yes\" is not on or off"},
    {"option max-fails many", "f:1: \"many\" is not a number up to 1000000"},
    {"option max-body 10m", "f:1: \"10m\" is not a size, as in 65536, 512k, 10M, 2G"},
    {"option max-body 0", "f:1: \"0\" is not a size, as in 65536, 512k, 10M, 2G"},
    {"option via a/b", "f:1: \"a/b\" is not a name of up to 64 letters, digits, dots and dashes, or off"},
    {"option trusted-proxy 10.0.0.1/8", "f:1: \"10.0.0.1/8\" is not an address, a network as 10.0.0.0/8, or unix"},
    {"option trusted-proxy 10.0.0.0/33", "f:1: \"10.0.0.0/33\" is not an address, a network as 10.0.0.0/8, or unix"},
    {"option trusted-proxy example.com", "f:1: \"example.com\" is not an address, a network as 10.0.0.0/8, or unix"},
    {std::string_view{"route / http://a\n\0", 18}, "f:2: a control byte is in the line"},
    {"route /%61 http://a",
     "f:1: \"/%61\" is not a prefix: letters as the path has them when it is decoded, no . or .. between slashes"},
    {"route /a/../b http://a",
     "f:1: \"/a/../b\" is not a prefix: letters as the path has them when it is decoded, no . or .. between slashes"},
  };
  for (const Case& wanted : cases) {
    EXPECT_EQ(complaint(wanted.text), wanted.complaint) << wanted.text;
  }
}

TEST(GatewayConfig, HoldsAsMuchAsItSays) {
  std::string text;
  for (int i = 0; i < 64; ++i) {
    text += "route /" + std::to_string(i) + " http://h" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(complaint(text), "");
  EXPECT_EQ(complaint(text + "route /x http://h0"), "f:65: \"/x\" is one route too many: there may be 64");
  EXPECT_EQ(complaint(text + "route /x http://new"), "f:65: \"http://new\" is one upstream too many: there may be 64");
  std::string line = "route /";
  for (int i = 0; i < 16; ++i) {
    line += " http://h" + std::to_string(i);
  }
  EXPECT_EQ(complaint(line), "");
  EXPECT_EQ(complaint(line + " http://more"), "f:1: \"http://more\" is one upstream too many: a route may have 16");
  const std::string longest = "http://" + std::string(193, 'a');
  EXPECT_EQ(complaint("route / " + longest).find("longer"), std::string::npos);
  EXPECT_NE(complaint("route / " + longest + "a").find("is longer than 200 bytes"), std::string::npos);
}

// ---- paths and fields

TEST(GatewayForward, ComparesPrefixesBySegment) {
  EXPECT_TRUE(has_prefix("/", "/"));
  EXPECT_TRUE(has_prefix("/x", "/"));
  EXPECT_TRUE(has_prefix("/api", "/api"));
  EXPECT_TRUE(has_prefix("/api/x", "/api"));
  EXPECT_TRUE(has_prefix("/api/", "/api/"));
  EXPECT_FALSE(has_prefix("/apix", "/api"));
  EXPECT_FALSE(has_prefix("/api", "/api/"));
  EXPECT_FALSE(has_prefix("", "/"));
}

TEST(GatewayForward, FindsAPrefixInARawPath) {
  EXPECT_EQ(raw_prefix_size("/api/x", "/api/"), 5U);
  EXPECT_EQ(raw_prefix_size("/%61pi/x", "/api/"), 7U);
  EXPECT_EQ(raw_prefix_size("/api%2Fx", "/api/"), 7U);
  EXPECT_EQ(raw_prefix_size("/api", "/api"), 4U);
}

TEST(GatewayForward, SeesWhatLeadsUp) {
  for (const std::string_view path : {"/..", "/a/..", "/a/../b", "/../"}) {
    EXPECT_TRUE(leads_up(path)) << path;
  }
  for (const std::string_view path : {"/", "/a..b/", "/...", "/.", "", "/a/.b"}) {
    EXPECT_FALSE(leads_up(path)) << path;
  }
}

TEST(GatewayForward, KnowsHopByHopFields) {
  constexpr std::string_view head =
      "GET / HTTP/1.1\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nx-yours: 1\r\nTE: gzip\r\nUpgrade: h2c\r\n"
      "Proxy-Connection: x\r\nKeep-Alive: 1\r\nTrailer: a\r\nTransfer-Encoding: chunked\r\nProxy-Authorization: x\r\n"
      "Proxy-Authenticate: x\r\nContent-Type: a/b\r\n\r\n";
  std::array<wire::Field, 16> table;
  wire::RequestHead parsed;
  ASSERT_EQ(wire::parse_request_head(head, table, parsed), wire::HeadError::none);
  std::string kept;
  for (std::size_t i = 0; i < parsed.fields.size(); ++i) {
    if (!is_hop_by_hop(parsed.fields, i)) {
      kept += std::string{parsed.fields[i].name} + " ";
    }
  }
  EXPECT_EQ(kept, "x-yours Content-Type ");
}

TEST(GatewayForward, KnowsWhatMayBeATrailer) {
  EXPECT_TRUE(are_trailer_names("Server-Timing, X-Checksum"));
  EXPECT_TRUE(are_trailer_names("ETag"));
  for (const std::string_view names :
       {"", "Content-Length", "X-Sum, Host", "Transfer-Encoding", "a b", "X-Forwarded-For"}) {
    EXPECT_FALSE(are_trailer_names(names)) << names;
  }
}

// ---- health

class GatewayHealth : public ::testing::Test {
 protected:
  static constexpr port::Time start{1h};
  // The upstream chosen, as its number; -1 if there is none. Its request begins.
  int choose(port::Time now, Tried tried = 0) {
    const auto choice = upstreams.choose(0, tried, now);
    was_last_resort = choice && choice->is_last_resort;
    return choice ? choice->upstream : -1;
  }
  std::unique_ptr<Parsed> parsed =
      parse("route / http://a http://b http://c\noption max-fails 2\noption fail-timeout 10s");
  Upstreams upstreams{parsed->config};
  bool was_last_resort = false;
};

TEST_F(GatewayHealth, GoesRound) {
  EXPECT_EQ(choose(start), 0);
  EXPECT_EQ(choose(start), 1);
  EXPECT_EQ(choose(start), 2);
  EXPECT_EQ(choose(start), 0);
  EXPECT_EQ(choose(start, 0b010), 2) << "1 was tried by this request";
  EXPECT_EQ(choose(start, 0b111), -1);
}

TEST_F(GatewayHealth, TakesOutAfterFailuresInARow) {
  EXPECT_FALSE(upstreams.failed(1, start));
  upstreams.succeeded(1);
  EXPECT_FALSE(upstreams.failed(1, start)) << "the row was broken";
  EXPECT_TRUE(upstreams.failed(1, start));
  EXPECT_EQ(choose(start), 0);
  EXPECT_EQ(choose(start), 2);
  EXPECT_EQ(choose(start + 9s), 0);
  EXPECT_EQ(upstreams.until_back(0, start), 0s);
}

TEST_F(GatewayHealth, TriesOneRequestAtATime) {
  static_cast<void>(upstreams.failed(1, start));
  static_cast<void>(upstreams.failed(1, start));
  EXPECT_EQ(choose(start + 10s), 0);
  EXPECT_EQ(choose(start + 10s), 1) << "the trial";
  EXPECT_EQ(choose(start + 10s), 2);
  EXPECT_EQ(choose(start + 10s), 0);
  EXPECT_EQ(choose(start + 10s), 2) << "while the trial is under way nobody else is sent there";
  upstreams.given_up(1);
  EXPECT_EQ(choose(start + 10s), 0);
  EXPECT_EQ(choose(start + 10s), 1) << "that client went away: the next trial";
  EXPECT_FALSE(upstreams.failed(1, start + 11s)) << "it was out before";
  EXPECT_EQ(upstreams[1].health, Health::out) << "one failure is enough now";
  EXPECT_EQ(choose(start + 20s), 2);
  EXPECT_EQ(choose(start + 21s), 0);
  EXPECT_EQ(choose(start + 21s), 1);
  upstreams.succeeded(1);
  EXPECT_EQ(upstreams[1].health, Health::up);
  EXPECT_EQ(upstreams[1].times_out, 1U);
}

TEST_F(GatewayHealth, WithAllOutTriesTheOneThatFailedLongestAgo) {
  for (const std::size_t upstream : {2, 0, 1}) {
    static_cast<void>(upstreams.failed(upstream, start + upstream * 1s));
    static_cast<void>(upstreams.failed(upstream, start + upstream * 1s));
  }
  EXPECT_EQ(choose(start + 3s), 0);
  EXPECT_TRUE(was_last_resort);
  EXPECT_EQ(choose(start + 3s, 0b001), -1) << "one try is enough then";
  EXPECT_EQ(upstreams.until_back(0, start + 3s), 7s);
  EXPECT_EQ(upstreams.until_back(0, start + 30s), 0s);
  static_cast<void>(upstreams.failed(0, start + 4s));
  EXPECT_EQ(choose(start + 5s), 1);
}

}  // namespace
}  // namespace pollux::gateway
