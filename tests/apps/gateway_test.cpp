// How the gateway behaves between clients and upstreams that stream, stall, vanish and fail.
#include "tests/apps/gateway_site.hpp"

namespace pollux::test {
namespace {

std::string letters(std::size_t size) {
  std::string text;
  text.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    text += static_cast<char>('a' + i % 26);
  }
  return text;
}

// Connections that hold little, so that back-pressure shows soon.
GatewaySiteOptions narrow() {
  GatewaySiteOptions options;
  options.conversation.network.link = {.send_buffer = 4096, .receive_buffer = 4096, .user_timeout = 1h};
  return options;
}
// What may be under way between an upstream and a client: four buffers of the kernel, two of the gateway.
constexpr std::size_t under_way_max = 4 * 4096 + 2 * 4096;

// ---- streaming

TEST(Gateway, StreamsALongAnswerAtTheClientsPace) {
  GatewaySite site{one_route, narrow()};
  RawServer& origin = site.talk.listen(8081);
  constexpr std::size_t size = 300'000;
  for (const bool chunked : {false, true}) {
    Peer& client = site.connect();
    client.say(get("/"));
    Peer& upstream = origin.accept();
    upstream.want_containing("\r\n\r\n");
    client.want_nothing(1ms);
    client.stop_reading();
    const std::string body = letters(size);
    std::string message = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    if (chunked) {
      message += "Transfer-Encoding: chunked\r\n\r\n";
      for (std::size_t at = 0; at < size; at += 1000) {
        message += "3e8\r\n" + body.substr(at, 1000) + "\r\n";
      }
      message += "0\r\n\r\n";
    } else {
      message += "Content-Length: " + std::to_string(size) + "\r\n\r\n" + body;
    }
    upstream.say(message);
    site.talk.advance(30s);
    EXPECT_GE(upstream.unsaid(), message.size() - under_way_max)
        << "the upstream is not read when the client does not read";
    // Somebody else is served meanwhile.
    Peer& other = site.connect();
    other.say(get("/other"));
    Peer& other_upstream = origin.accept();
    other_upstream.want_containing("\r\n\r\n");
    other_upstream.say(upstream_ok);
    other.want(client_ok);
    client.resume_reading();
    client.want_head(200);
    if (chunked) {
      std::string got;
      for (;;) {
        const std::size_t piece = std::stoul(client.want_containing("\r\n"), nullptr, 16);
        got += client.want_body(piece);
        client.want("\r\n");
        if (piece == 0) {
          break;
        }
      }
      EXPECT_TRUE(got == body);
    } else {
      EXPECT_TRUE(client.want_body(size) == body);
    }
    client.finish();
    other.finish();
    other_upstream.close();
    site.expect_quiet();
  }
}

TEST(Gateway, StreamsALongRequestAtTheUpstreamsPace) {
  GatewaySite site{one_route, narrow()};
  RawServer& origin = site.talk.listen(8081);
  const std::string body = letters(300'000);
  Peer& client = site.connect();
  client.say("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + body);
  Peer& upstream = origin.accept();
  upstream.stop_reading();
  site.talk.advance(30s);
  EXPECT_GE(client.unsaid(), body.size() - under_way_max);
  upstream.resume_reading();
  upstream.want_containing("\r\n\r\n");
  EXPECT_TRUE(upstream.want_body(body.size()) == body);
  upstream.say(upstream_ok);
  client.want(client_ok);
  site.expect_quiet();
}

TEST(Gateway, StreamsAChunkedRequest) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  Peer& upstream = origin.accept();
  upstream.want(forwarded("POST /") + "Transfer-Encoding: chunked\r\n\r\n");
  client.say("3\r\nabc\r\n");
  upstream.want("3\r\nabc\r\n");
  client.say("4\r\ndefg\r\n0\r\n\r\n");
  upstream.want("4\r\ndefg\r\n0\r\n\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  site.expect_quiet();
}

TEST(Gateway, PassesEachPieceOnAtOnce) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/events"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  client.want_head(200);
  for (int i = 0; i < 3; ++i) {
    site.talk.advance(50s);  // longer than any wait of the server, shorter than body-timeout
    upstream.say("data: x\n\n");
    client.want("9\r\ndata: x\n\n\r\n");
  }
  client.reset();
  upstream.want_gone();
  site.expect_quiet();
}

// An upstream that answers while the request is still coming, piece for piece.
TEST(Gateway, StreamsBothWaysAtOnce) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n");
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
  client.want_head(200);
  for (const std::string_view piece : {"ab", "cd", "ef"}) {
    client.say(piece);
    upstream.want(piece);
    upstream.say(piece);
    client.want(piece);
  }
  client.say(get("/"));
  upstream.want(forwarded("GET /") + "\r\n");
  site.talk.advance(1s);
}

TEST(Gateway, GivesAnEarlyAnswerWhileTheRequestIsComing) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
  Peer& upstream = origin.accept();
  upstream.want_containing("abc");
  upstream.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
  client.want_head(413);
  client.want("big");
  upstream.want_gone();
  client.close();
  site.expect_quiet();
}

// ---- failures before the head

TEST(Gateway, AnswersForAnUpstreamThatIsNotThere) {
  GatewaySite site{one_route};
  Peer& client = site.connect();
  client.say(get("/"));
  client.want_head(502);
  client.want("the upstream is not reached\n");
  RawServer& origin = site.talk.listen(8081);
  client.say(get("/"));  // the connection to the client lives on
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  site.expect_quiet();
}

TEST(Gateway, AnswersForAnUpstreamThatBreaksOff) {
  struct Case {
    std::string_view says;
    bool resets;
    std::string_view text;
  };
  const Case cases[] = {
      {"", false, "the upstream is not reached\n"},
      {"", true, "the upstream is not reached\n"},
      {"HTTP/1.1 200 OK\r\nContent-Le", false, "the upstream is not reached\n"},
      {"NOT HTTP\r\n\r\n", false, "the upstream's answer is not understood\n"},
      {"HTTP/1.1 200 OK\r\n bad: x\r\n\r\n", false, "the upstream's answer is not understood\n"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false,
       "the upstream's answer is not understood\n"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false,
       "the upstream switched protocols unasked\n"},
  };
  for (const Case& wanted : cases) {
    GatewaySite site{one_route};
    RawServer& origin = site.talk.listen(8081);
    Peer& client = site.connect();
    client.say(get("/"));
    Peer& upstream = origin.accept();
    upstream.want_containing("\r\n\r\n");
    upstream.say(wanted.says);
    site.talk.advance(1ms);
    wanted.resets ? upstream.reset() : upstream.close();
    client.want_head(502);
    client.want(wanted.text);
    EXPECT_EQ(site.gateway.upstreams()[0].failures, 1U) << wanted.says;
    site.expect_quiet();
  }
}

TEST(Gateway, AnswersForAnUpstreamThatIsSilent) {
  GatewaySite site{"route / http://127.0.0.1:8081\noption response-timeout 2s\n"};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  client.want_nothing(2s - 10ms);
  client.want_head(504);
  client.want("the upstream takes too long\n");
  upstream.want_containing("\r\n\r\n");
  upstream.want_gone();
  site.expect_quiet();
}

TEST(Gateway, AnswersForAnUpstreamThatDoesNotAccept) {
  GatewaySite site{"route / http://10.0.0.9:8081\noption connect-timeout 1s\n"};
  site.talk.network().set_connect_rule(
      {.to = port::Address::ipv4(10, 0, 0, 9, 8081), .outcome = port::SimConnectRule::Outcome::silent});
  Peer& client = site.connect();
  client.say(get("/"));
  client.want_nothing(1s - 10ms);
  client.want_head(504);
  client.want("the upstream takes too long\n");
  site.expect_quiet();
}

TEST(Gateway, AnswersWhenARelayIsMissing) {
  GatewaySiteOptions options;
  options.relays = 1;
  GatewaySite site{one_route, options};
  RawServer& origin = site.talk.listen(8081);
  Peer& first = site.connect();
  first.say(get("/"));
  Peer& upstream = origin.accept();
  Peer& second = site.connect();
  second.say(get("/"));
  EXPECT_NE(second.want_head(503).find("\r\nRetry-After: 1\r\n"), std::string::npos);
  upstream.want_containing("\r\n\r\n");
  upstream.say(upstream_ok);
  first.want(client_ok);
  EXPECT_EQ(site.gateway.counters().no_relay, 1U);
  site.expect_quiet();
}

TEST(Gateway, RefusesABodyThatIsTooLong) {
  GatewaySite site{"route / http://127.0.0.1:8081\noption max-body 10\n"};
  RawServer& origin = site.talk.listen(8081);
  Peer& sized = site.connect();
  sized.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
  sized.want_head(413);
  Peer& chunked = site.connect();
  chunked.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n");
  Peer& upstream = origin.accept();
  upstream.want_containing("a\r\n0123456789\r\n");
  chunked.say("1\r\nx\r\n");
  chunked.want_head(413);
  upstream.want_gone();
  EXPECT_EQ(site.gateway.upstreams()[0].failures, 0U) << "that is not the upstream's fault";
  site.expect_quiet();
}

TEST(Gateway, RefusesABodyThatIsMalformed) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  Peer& upstream = origin.accept();
  upstream.want_containing("3\r\nabc\r\n");
  client.say("zz\r\n");
  client.want_head(400);
  upstream.want_gone();
  EXPECT_EQ(site.gateway.upstreams()[0].failures, 0U);
  site.expect_quiet();
}

// ---- failures after the head

TEST(Gateway, CutsAnAnswerThatBreaksOff) {
  for (const bool chunked : {false, true}) {
    GatewaySite site{one_route};
    RawServer& origin = site.talk.listen(8081);
    Peer& client = site.connect();
    client.say(get("/"));
    Peer& upstream = origin.accept();
    upstream.want_containing("\r\n\r\n");
    upstream.say(chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                         : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    client.want_head(200);
    client.want(chunked ? "3\r\nabc\r\n" : "abc");
    upstream.close();
    client.want_gone();
    EXPECT_EQ(site.gateway.counters().cut, 1U);
    EXPECT_EQ(site.gateway.upstreams()[0].failures, 1U);
    site.expect_quiet();
  }
}

TEST(Gateway, CutsAnAnswerThatStandsStill) {
  GatewaySite site{"route / http://127.0.0.1:8081\noption body-timeout 3s\n"};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  client.want_head(200);
  client.want("abc");
  client.want_nothing(3s - 10ms);
  client.want_gone();
  upstream.want_gone();
  site.expect_quiet();
}

TEST(Gateway, CutsAClientThatTakesNothing) {
  GatewaySite site{"route / http://127.0.0.1:8081\noption client-timeout 20s\n", narrow()};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.stop_reading();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + letters(300'000));
  site.talk.advance(21s);
  upstream.want_gone();
  EXPECT_EQ(site.gateway.upstreams()[0].failures, 0U);
  site.expect_quiet();
}

// ---- clients that go away

TEST(Gateway, CancelsTheCallOfAClientThatIsGone) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  {
    Peer& client = site.connect();  // while the upstream thinks
    client.say(get("/"));
    Peer& upstream = origin.accept();
    upstream.want_containing("\r\n\r\n");
    client.reset();
    upstream.want_gone();
    site.expect_quiet();
  }
  {
    Peer& client = site.connect();  // while the request is coming
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    Peer& upstream = origin.accept();
    upstream.want_containing("abc");
    client.close();
    upstream.want_gone();
    site.expect_quiet();
  }
  {
    Peer& client = site.connect();  // while the answer is coming
    client.say(get("/"));
    Peer& upstream = origin.accept();
    upstream.want_containing("\r\n\r\n");
    upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + letters(1000));
    client.want_head(200);
    client.reset();
    upstream.want_gone();
    site.expect_quiet();
  }
  EXPECT_EQ(site.gateway.upstreams()[0].failures, 0U) << "nothing is wrong with the upstream";
}

TEST(Gateway, AnswersAClientThatOnlyFinishedItsDirection) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/")).finish();
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  site.talk.advance(1s);
  upstream.say(upstream_ok);
  client.want(client_ok);
  client.want_closed();
  site.expect_quiet();
}

// ---- several upstreams

constexpr std::string_view three =
    "route / http://127.0.0.1:8081 http://127.0.0.1:8082 http://127.0.0.1:8083\n"
    "option max-fails 2\noption fail-timeout 10s\noption response-timeout 1s\n";

TEST(Gateway, GoesRoundItsUpstreams) {
  GatewaySite site{three};
  RawServer* origins[] = {&site.talk.listen(8081), &site.talk.listen(8082), &site.talk.listen(8083)};
  Peer& client = site.connect();
  for (RawServer* origin : origins) {
    client.say(get("/"));
    Peer& upstream = origin->accept();
    upstream.want_containing("\r\n\r\n");
    upstream.say(upstream_ok);
    client.want(client_ok);
  }
  site.expect_quiet();
}

TEST(Gateway, TriesTheNextWhenOneIsNotThere) {
  GatewaySite site{three};
  RawServer& origin = site.talk.listen(8083);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");  // none of it has gone anywhere
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.want("abc");
  upstream.say(upstream_ok);
  client.want(client_ok);
  EXPECT_EQ(site.gateway.counters().retried, 2U);
  client.say(get("/"));
  upstream.want_containing("\r\n\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  EXPECT_EQ(site.log,
            "http://127.0.0.1:8081 is out: connection refused\nhttp://127.0.0.1:8082 is out: connection refused\n");
  // They are left alone for fail-timeout, and come back then.
  for (int i = 0; i < 3; ++i) {
    client.say(get("/"));
    upstream.want_containing("\r\n\r\n");
    upstream.say(upstream_ok);
    client.want(client_ok);
  }
  EXPECT_EQ(site.gateway.upstreams()[0].requests, 2U);
  site.talk.advance(10s);
  RawServer& first = site.talk.listen(8081);
  site.log.clear();
  client.say(get("/"));
  Peer& back = first.accept();
  back.want_containing("\r\n\r\n");
  back.say(upstream_ok);
  client.want(client_ok);
  EXPECT_EQ(site.log, "http://127.0.0.1:8081 is back\n");
  site.expect_quiet();
}

// A request that an upstream may have acted on is not given to another one.
TEST(Gateway, DoesNotRepeatWhatMayHaveHadAnEffect) {
  GatewaySite site{three};
  RawServer& first = site.talk.listen(8081);
  RawServer& second = site.talk.listen(8082);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  Peer& upstream = first.accept();
  upstream.want_containing("abc");
  upstream.close();
  client.want_head(502);
  client.want("the upstream is not reached\n");
  second.want_nobody(1s);
  site.expect_quiet();
}

TEST(Gateway, SaysWhenAllAreOut) {
  GatewaySite site{three};
  Peer& client = site.connect();
  for (int i = 0; i < 2; ++i) {
    client.say(get("/"));
    client.want_head(502);
    client.want("the upstream is not reached\n");
  }
  site.talk.advance(3s);
  client.say(get("/"));
  EXPECT_NE(client.want_head(503).find("\r\nRetry-After: 7\r\n"), std::string::npos);
  client.want("no upstream is there\n");
  EXPECT_EQ(site.gateway.upstreams()[0].requests + site.gateway.upstreams()[1].requests +
                site.gateway.upstreams()[2].requests,
            7U)
      << "one is tried all the same";
  RawServer& origin = site.talk.listen(8082);
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  site.expect_quiet();
}

// ---- upgrades

constexpr std::string_view upgrade_fields = "Connection: keep-alive, Upgrade\r\nUpgrade: echo/1\r\n";

struct Upgraded {
  Peer& client;
  Peer& upstream;
};
Upgraded upgrade(GatewaySite& site, RawServer& origin) {
  Peer& client = site.connect();
  client.say(get("/ws", std::string{upgrade_fields} + "Sec-Key: 1\r\n") + "early");
  Peer& upstream = origin.accept();
  upstream.want("GET /ws HTTP/1.1\r\nHost: h\r\nSec-Key: 1\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n");
  upstream.want_containing("\r\n\r\n");
  upstream.say(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\nSec-Accept: 2\r\n\r\nhello");
  client.want(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nSec-Accept: 2\r\nVia: 1.1 pollux\r\nConnection: "
      "Upgrade\r\n\r\nhello");
  upstream.want("early");
  return {client, upstream};
}

TEST(Gateway, PassesUpgradedConnectionsThrough) {
  GatewaySite site{one_route, narrow()};
  RawServer& origin = site.talk.listen(8081);
  const Upgraded pair = upgrade(site, origin);
  pair.client.say("ping");
  pair.upstream.want("ping");
  pair.upstream.say("pong");
  pair.client.want("pong");
  // Back-pressure in one direction does not stop the other.
  const std::string body = letters(100'000);
  pair.client.stop_reading();
  pair.upstream.say(body);
  site.talk.advance(5s);
  EXPECT_GE(pair.upstream.unsaid(), body.size() - under_way_max);
  pair.client.say("still here");
  pair.upstream.want("still here");
  pair.client.resume_reading();
  EXPECT_TRUE(pair.client.want_body(body.size()) == body);
  // Half-closes are passed on.
  pair.client.say("bye").finish();
  pair.upstream.want("bye");
  pair.upstream.want_closed();
  pair.upstream.say("last words").finish();
  pair.client.want("last words");
  pair.client.want_closed();
  site.expect_quiet();
  EXPECT_EQ(site.gateway.counters().upgraded, 1U);
}

// More arrives at once than is moved in one turn: what the last step brought must not wait for an event that nobody asked for.
TEST(Gateway, KeepsAnUpgradedConnectionGoing) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  const Upgraded pair = upgrade(site, origin);
  const std::string body = letters(1'000'000);
  pair.upstream.say(body);
  EXPECT_TRUE(pair.client.want_body(body.size()) == body);
  pair.client.say(body);
  EXPECT_TRUE(pair.upstream.want_body(body.size()) == body);
  pair.client.finish();
  pair.upstream.want_closed();
  pair.upstream.finish();
  pair.client.want_closed();
  site.expect_quiet();
}

TEST(Gateway, EndsUpgradedConnections) {
  GatewaySite site{"route / http://127.0.0.1:8081\noption upgrade-timeout 5s\n"};
  RawServer& origin = site.talk.listen(8081);
  {
    const Upgraded pair = upgrade(site, origin);
    pair.client.want_nothing(4s);
    pair.client.say("x");
    pair.upstream.want("x");
    pair.client.want_nothing(4s);
    pair.client.want_gone();
    pair.upstream.want_gone();
    site.expect_quiet();
  }
  {
    const Upgraded pair = upgrade(site, origin);
    pair.client.reset();
    pair.upstream.want_gone();
    site.expect_quiet();
  }
  {
    const Upgraded pair = upgrade(site, origin);
    pair.upstream.reset();
    pair.client.want_gone();
    site.expect_quiet();
  }
}

TEST(Gateway, HasAFixedNumberOfTunnels) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  upgrade(site, origin);
  upgrade(site, origin);
  Peer& client = site.connect();
  client.say(get("/ws", upgrade_fields));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n");
  client.want_head(503);
  upstream.want_gone();
  EXPECT_EQ(site.gateway.counters().no_tunnel, 1U);
}

TEST(Gateway, PassesARefusedUpgradeOn) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/ws", upgrade_fields));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  client.say(get("/"));
  upstream.want(forwarded("GET /") + "\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  site.expect_quiet();
}

// ---- around it

TEST(Gateway, ShowsItsStatus) {
  GatewaySite site{"route / http://127.0.0.1:8081\nstatus /-/status\n"};
  Peer& client = site.connect();
  client.say(get("/x"));
  client.want_head(502);
  client.want_containing("\n");
  client.say(get("/-/status"));
  const std::string head = client.want_head(200);
  EXPECT_NE(head.find("\r\nContent-Type: application/json\r\n"), std::string::npos);
  client.want(
      "{\"upstreams\":[{\"url\":\"http://127.0.0.1:8081\",\"health\":\"up\",\"active\":0,\"fails\":1,\"requests\":1,"
      "\"answered\":0,\"failures\":1,\"times_out\":0}],\"gateway\":{\"requests\":1,\"passed\":0,");
  client.want_containing("}\n");
  client.say("POST /-/status HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  client.want_head(405);
}

TEST(Gateway, AnswersPipelinedRequestsInOrder) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/1") + get("/2") + get("/3"));
  Peer& upstream = origin.accept();
  for (const char number : {'1', '2', '3'}) {
    upstream.want(forwarded("GET /" + std::string{number}) + "\r\n");
    upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::string{number});
    client.want_head(200);
    client.want(std::string{number});
  }
  site.expect_quiet();
}

TEST(Gateway, EndsGracefully) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  site.server.shutdown(10s);
  site.talk.advance(1s);
  upstream.say(upstream_ok);
  EXPECT_NE(client.want_head(200).find("\r\nConnection: close\r\n"), std::string::npos);
  client.want("ok");
  client.want_closed();
  site.expect_quiet();
}

// Every cut of an exchange gives the same.
TEST(Gateway, TakesMessagesInAnyPieces) {
  const std::string request = "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  Peer* upstream = nullptr;
  for (std::size_t at = 1; at < request.size() && !::testing::Test::HasFailure(); ++at) {
    client.say_split(request, at);
    upstream = upstream != nullptr ? upstream : &origin.accept();
    upstream->want_containing("\r\n0\r\n\r\n");
    upstream->say_split(answer, at % (answer.size() - 1) + 1);
    client.want_containing("\r\n0\r\n\r\n");
  }
  site.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
