// What the gateway passes on, adds and takes away: start lines, fields, interim answers, trailers, lengths.
#include "tests/apps/gateway_site.hpp"

namespace pollux::test {
namespace {

TEST(GatewayFields, PassesARequestOnAndItsAnswerBack) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/a%20b?x=1&y=%zz", "User-Agent: me\r\nCookie: a=b\r\nAccept: */*\r\n"));
  Peer& upstream = origin.accept();
  upstream.want(forwarded("GET /a%20b?x=1&y=%zz", "User-Agent: me\r\nCookie: a=b\r\nAccept: */*\r\n") + "\r\n");
  upstream.say(
      "HTTP/1.1 203 Odd\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: s\r\nSet-Cookie: a=1\r\n"
      "Set-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok");
  client.want(
      "HTTP/1.1 203 Non-Authoritative Information\r\nDate: *\r\nServer: s\r\nSet-Cookie: a=1\r\n"
      "Set-Cookie: b=2\r\nVia: 1.1 pollux\r\nContent-Length: 2\r\n\r\nok");
  // Both connections serve on.
  client.say(get("/2"));
  upstream.want(forwarded("GET /2") + "\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
  EXPECT_EQ(origin.waiting(), 0U);
  site.expect_quiet();
}

TEST(GatewayFields, RemovesWhatIsHopByHop) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/",
                 "Connection: keep-alive, X-Mine, X-Forwarded-For\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\n"
                 "Proxy-Connection: x\r\nProxy-Authorization: secret\r\nX-Kept: 1\r\nUpgrade: h2c\r\n"));
  Peer& upstream = origin.accept();
  upstream.want(forwarded("GET /", "X-Kept: 1\r\n") + "\r\n");
  upstream.say(
      "HTTP/1.1 200 OK\r\nConnection: X-Own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\n"
      "X-Kept: 2\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok");
  client.want("HTTP/1.1 200 OK\r\nDate: *\r\nX-Kept: 2\r\nVia: 1.1 pollux\r\nContent-Length: 2\r\n\r\nok");
  site.expect_quiet();
}

TEST(GatewayFields, BelievesNobodyAboutWhereARequestCameFrom) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(
      get("/",
          "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Real-IP: 1.2.3.4\r\n"
          "X-Forwarded-Port: 1\r\nForwarded: for=1.2.3.4\r\n"));
  origin.accept().want(forwarded("GET /") + "\r\n");
}

TEST(GatewayFields, BelievesATrustedProxy) {
  GatewaySite site{"route / http://127.0.0.1:8081\noption trusted-proxy 127.0.0.0/8\noption via off\n"};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(
      get("/",
          "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\n"
          "Forwarded: for=1.2.3.4\r\nVia: 1.1 first\r\n"));
  Peer& upstream = origin.accept();
  upstream.want(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\n"
      "X-Forwarded-For: 1.2.3.4, 5.6.7.8, 127.0.0.1\r\nX-Forwarded-Host: h\r\n"
      "Forwarded: for=1.2.3.4, for=127.0.0.1;host=h;proto=http\r\nVia: 1.1 first\r\n\r\n");
  upstream.say(upstream_ok);
  client.want("HTTP/1.1 200 OK\r\nDate: *\r\nContent-Length: 2\r\n\r\nok");
}

TEST(GatewayFields, StripsThePrefixAndPutsTheBaseBefore) {
  GatewaySite site{
      "route /api/ http://127.0.0.1:8081/base strip\nroute /plain http://127.0.0.1:8081/base\n"
      "route h.example/ http://127.0.0.1:8081/host\n"
      "option pass-host off\noption via off\n"};
  RawServer& origin = site.talk.listen(8081);
  struct Case {
    std::string_view target;
    std::string_view host;
    std::string_view at_upstream;
  };
  const Case cases[] = {
      {"/api/x?q", "h", "/base/x?q"},
      {"/api/", "h", "/base/"},
      {"/%61pi/x%2Fy", "h", "/base/x%2Fy"},
      {"/api//x", "h", "/base/x"},
      {"/plain", "h", "/base/plain"},
      {"/plain/a", "h", "/base/plain/a"},
      {"/a#b?c#d", "h.example", "/host/a%23b?c%23d"},
      {"/api/x", "H.EXAMPLE:80", "/host/api/x"},
      {"http://h.example/abs", "h", "/host/abs"},
  };
  Peer* upstream = nullptr;
  Peer& client = site.connect();
  for (const Case& wanted : cases) {
    client.say("GET " + std::string{wanted.target} + " HTTP/1.1\r\nHost: " + std::string{wanted.host} + "\r\n\r\n");
    upstream = upstream != nullptr ? upstream : &origin.accept();
    upstream->want("GET " + std::string{wanted.at_upstream} + " HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n");
    upstream->want_containing("\r\n\r\n");
    upstream->say(upstream_ok);
    client.want_containing("\r\n\r\nok");
  }
  for (const std::string_view target : {"/", "/apix", "/plainx", "/api"}) {
    client.say(get(target));
    client.want_head(404);
    client.want_containing("not found\n");
  }
  for (const std::string_view target : {"/api/../x", "/api/%2e%2E/x", "/plain/.."}) {
    client.say(get(target));
    client.want_head(400);
    client.want_containing("not forwarded\n");
  }
  site.expect_quiet();
}

TEST(GatewayFields, SpeaksToUnixSockets) {
  GatewaySite site{"route / unix:/run/app.sock\noption pass-host off\n"};
  RawServer& origin = site.talk.listen({.address = {.family = port::Family::local}, .path = "/run/app.sock"});
  Peer& client = site.connect();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want("GET / HTTP/1.1\r\nHost: localhost\r\n");
  upstream.want_containing("\r\n\r\n");
  upstream.say(upstream_ok);
  client.want(client_ok);
}

TEST(GatewayFields, AnswersSomeMethodsItself) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n");
  client.want_head(405);
  client.want_containing("\n");
  client.say("OPTIONS /x HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n");
  client.want_head(200);
  client.say("OPTIONS /x HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n");
  Peer& upstream = origin.accept();
  EXPECT_NE(upstream.want_containing("\r\n\r\n").find("\r\nMax-Forwards: 2\r\n"), std::string::npos);
  upstream.say(upstream_ok);
  client.want(client_ok);
  client.say("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
  client.want_head(405);
}

TEST(GatewayFields, KeepsAnswersWithoutABody) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 123456\r\nETag: \"x\"\r\n\r\n");
  client.want("HTTP/1.1 200 OK\r\nDate: *\r\nETag: \"x\"\r\nVia: 1.1 pollux\r\nContent-Length: 123456\r\n\r\n");
  client.say(get("/"));
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n");
  client.want("HTTP/1.1 204 No Content\r\nDate: *\r\nX: 1\r\nVia: 1.1 pollux\r\n\r\n");
  client.say(get("/", "If-None-Match: \"x\"\r\n"));
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
  client.want("HTTP/1.1 304 Not Modified\r\nDate: *\r\nETag: \"x\"\r\nVia: 1.1 pollux\r\n\r\n");
  client.say(get("/"));
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  client.want("HTTP/1.1 200 OK\r\nDate: *\r\nVia: 1.1 pollux\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(origin.waiting(), 0U) << "one connection did for all";
  site.expect_quiet();
}

TEST(GatewayFields, EndsAnUnknownLengthAsTheClientUnderstands) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.0 200 OK\r\n\r\nuntil ");
  client.want("HTTP/1.1 200 OK\r\nDate: *\r\nVia: 1.0 pollux\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nuntil \r\n");
  upstream.say("the end").finish();
  client.want("7\r\nthe end\r\n0\r\n\r\n");
  Peer& old = site.connect();
  old.say("GET / HTTP/1.0\r\n\r\n");
  Peer& second = origin.accept();
  second.want("GET / HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n");
  second.want_containing("Via: 1.0 pollux\r\n\r\n");
  second.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  old.want_head(200);
  old.want("abc");
  second.say("0\r\n\r\n");
  old.want_closed();
  site.expect_quiet();
}

TEST(GatewayFields, PassesTrailersOnBothWays) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(
      "POST / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Sum, X-Other\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\nX-Sum: 42\r\nX-Unannounced: 1\r\n\r\n");
  Peer& upstream = origin.accept();
  const std::string head = upstream.want_containing("\r\n\r\n");
  EXPECT_NE(head.find("\r\nTE: trailers\r\nConnection: TE\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("\r\nTrailer: X-Sum, X-Other\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos) << head;
  upstream.want("3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n");
  upstream.say(
      "HTTP/1.1 200 OK\r\nTrailer: X-Time\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Time: 7\r\n\r\n");
  const std::string answer = client.want_head(200);
  EXPECT_NE(answer.find("\r\nTrailer: X-Time\r\n"), std::string::npos) << answer;
  client.want("2\r\nok\r\n0\r\nX-Time: 7\r\n\r\n");
  site.expect_quiet();
}

TEST(GatewayFields, PassesInterimAnswersOn) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/"));
  Peer& upstream = origin.accept();
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n");
  client.want("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  upstream.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + std::string{upstream_ok});
  client.want("HTTP/1.1 102 Processing\r\n\r\n" + std::string{client_ok});
  Peer& old = site.connect();
  old.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  upstream.want_containing("\r\n\r\n");
  upstream.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + std::string{upstream_ok});
  EXPECT_EQ(old.want_head(200).find("Link"), std::string::npos) << "nothing is left of what an old client does not get";
  site.expect_quiet();
}

// 100 (Continue) is ours to send, when the upstream takes the body; an upstream that is not there costs the client no body.
TEST(GatewayFields, AnswersExpectItself) {
  GatewaySite site{one_route};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  Peer& upstream = origin.accept();
  upstream.want(forwarded("POST /") + "Content-Length: 2\r\n\r\n");
  client.want("HTTP/1.1 100 Continue\r\n\r\n");
  client.say("hi");
  upstream.want("hi");
  upstream.say(upstream_ok);
  client.want(client_ok);
  origin.close();
  upstream.finish();
  site.talk.advance(1s);
  client.say("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  client.want_head(502);
  site.talk.advance(1s);
  site.expect_quiet();
}

TEST(GatewayFields, RefusesWhatIsTooLongToForward) {
  GatewaySite site{"route / http://127.0.0.1:8081/" + std::string(150, 'b') + "\n"};
  RawServer& origin = site.talk.listen(8081);
  Peer& client = site.connect();
  client.say(get("/" + std::string(400, '#') + std::string(500, 'a')));  // each '#' becomes three bytes
  client.want_head(414);
  client.want_containing("URI too long\n");
  origin.want_nobody(1s);
  EXPECT_EQ(site.gateway.upstreams()[0].failures, 0U) << "nothing is wrong with the upstream";
  site.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
