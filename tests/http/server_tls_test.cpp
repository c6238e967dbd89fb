// A server over TLS: who is admitted when, handshakes that stop or go wrong, and what TLS changes about the end of a connection. (That
// everything else holds over TLS as well is what TLS mode is for: tests/support/tls_mode.hpp.)

#include "tests/http/server_handlers.hpp"
#include "tests/support/tls_fixture.hpp"
#include "tests/support/tls_peer.hpp"

namespace pollux::test {
namespace {

using http::CloseReason;
using http::ConnState;
using http::Next;
using http::Request;
using http::ResponseWriter;

constexpr std::string_view plain_http_answer =
    "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
// The start of a record with a ClientHello, whose rest does not come.
constexpr std::string_view hello_begun{"\x16\x03\x01\x02\x00\x01", 6};

struct TlsOptions {
  tls::ServerTlsLimits limits{.sessions = 8, .handshakes = 8, .client_ca_size = 0};
  tls::Version min = tls::Version::tls12;
  tls::ClientAuth client_auth = tls::ClientAuth::none;
  port::Duration slice = 2ms;
  TlsEndOptions clients{};
};

class OwnTls final : public SiteTls {
 public:
  OwnTls(Conversation& talk, const TlsOptions& options)
      : talk_{talk},
        library_{talk.port()},
        memory_{options.limits},
        client_ca_{{certificates::ca}},
        context_{{.library = *library_,
                  .memory = memory_.memory(),
                  .client_auth = options.client_auth,
                  .client_ca = &*client_ca_,
                  .min = options.min,
                  .slice = options.slice}},
        clients_{options.clients} {
    const tls::CertificateSource mine[]{source_of(certificates::site)};
    const auto started = context_.start(mine);
    EXPECT_TRUE(started) << "TLS cannot start: " << (started ? "" : tls::describe(started.error()));
    talk.set_layer(clients_.maker({.server_name = "site.test"}));
  }
  ~OwnTls() override { talk_.drop_layers(); }
  [[nodiscard]] tls::ServerContext* context() override { return &context_; }

 private:
  Conversation& talk_;
  TestLibrary library_;
  TestServerMemory memory_;
  TestTrust client_ca_;
  tls::ServerContext context_;
  TlsEnd clients_;
};

SiteOptions over_tls(const TlsOptions& options = {}, SiteOptions site = {}) {
  site.make_tls = [options](Conversation& talk) { return std::make_unique<OwnTls>(talk, options); };
  return site;
}

struct Log {
  std::string text{};
  void note(std::string_view line) {
    const heap_guard::Scope<heap_guard::Rule::allowed> for_the_test;
    text += line;
    text += '\n';
  }
};

// Nothing of TLS is lent any more either.
template <typename AnySite>
void expect_all_quiet(AnySite& site, std::size_t listeners = 1) {
  site.advance(1s);
  site.expect_quiet(listeners);
  EXPECT_EQ(site.tls_context()->sessions_used(), 0U);
  EXPECT_EQ(site.tls_context()->handshakes_under_way(), 0U);
}

template <typename AnySite>
void expect_served(AnySite& site) {
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  peer.close();
  expect_all_quiet(site);
}

// ---- requests

struct Seen {
  bool is_tls = false;
  tls::Version version{};
  std::string server_name{};
  std::string subject{};
  bool verified = false;
  bool has_alpn = false;
  void serve(ResponseWriter& writer, Request& request) {
    const heap_guard::Scope<heap_guard::Rule::allowed> for_the_test;
    is_tls = request.tls() != nullptr;
    if (is_tls) {
      version = request.tls()->version;
      server_name = request.tls()->server_name.view();
      subject = request.tls()->peer.subject.view();
      verified = request.tls()->verified;
      has_alpn = request.tls()->has_alpn;
    }
    writer.text(200, "ok");
  }
};

TEST(ServerTls, ARequestSaysWhatWasAgreedOn) {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    Site<> site{over_tls({.clients = {.min = version, .max = version, .ca = certificates::ca}})};
    Seen seen;
    site.add({"*", http::handler<&Seen::serve>(seen)});
    Peer& peer = site.connect();
    for (int i = 0; i < 3; ++i) {
      peer.say(get_request);
      peer.want(ok_answer);
    }
    EXPECT_TRUE(seen.is_tls);
    EXPECT_EQ(seen.version, version == TlsVersion::tls12 ? tls::Version::tls12 : tls::Version::tls13);
    EXPECT_EQ(seen.server_name, "site.test");
    EXPECT_EQ(seen.subject, "");
    EXPECT_FALSE(seen.verified);
    EXPECT_TRUE(seen.has_alpn);
    peer.finish();
    peer.want_closed();
    EXPECT_EQ(site.closes(CloseReason::client_closed), 1U);
    expect_all_quiet(site);
  }
}

TEST(ServerTls, ARequestSaysWhoTheClientIs) {
  Site<> site{over_tls({.limits = {.sessions = 4, .handshakes = 4},
                        .client_auth = tls::ClientAuth::require,
                        .clients = {.own = {certificates::client}}})};
  Seen seen;
  site.add({"*", http::handler<&Seen::serve>(seen)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  EXPECT_TRUE(seen.verified);
  EXPECT_NE(seen.subject.find("CN=Owner"), std::string::npos) << seen.subject;
}

TEST(ServerTls, OneServerHasBothKindsOfListeners) {
  Site<> site{over_tls()};
  Seen seen;
  site.add({"*", http::handler<&Seen::serve>(seen)});
  ASSERT_TRUE(site.server.listen({.endpoint = {.address = port::Address::ipv4_any(8080)}}));
  Peer& plain = site.talk.connect_plain(8080);
  plain.say(get_request);
  plain.want(ok_answer);
  EXPECT_FALSE(seen.is_tls);
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  EXPECT_TRUE(seen.is_tls);
  plain.close();
  peer.close();
  expect_all_quiet(site, 2);
}

// More in one go than the input buffer holds: what is left is inside TLS, where no event of the socket tells of it.
TEST(ServerTls, NothingIsForgottenInsideTls) {
  for (const std::size_t record_size : {std::size_t{0}, std::size_t{1}, std::size_t{700}, std::size_t{5000}}) {
    Site<> site{over_tls()};
    site.add(ok_route);
    Peer& peer = site.talk.connect_plain(site_port);
    TlsEnd end{{}};
    peer.set_layer(end.make({.record_size = record_size}));
    const int count = record_size == 1 ? 30 : 700;
    std::string requests;
    std::string answers;
    for (int i = 0; i < count; ++i) {
      requests += get_request;
      answers += ok_answer;
    }
    const port::Time before = site.talk.now();
    peer.say(requests);
    peer.want(answers);
    EXPECT_EQ(site.talk.now(), before) << "nothing had to wait for time to pass; records of " << record_size;
    // The same when every request finds the connection idle.
    for (int i = 0; i < 3; ++i) {
      site.advance(1s);
      peer.say(get_request);
      peer.want(ok_answer);
    }
    peer.close();
    expect_all_quiet(site);
    site.talk.drop_layers();
  }
}

TEST(ServerTls, BodiesOfManyRecordsBothWays) {
  Site<> site{over_tls()};
  LongAnswer letters{.size = 300'000};
  site.add({"/measure", http::handler<&measure_body>(), {.body = http::Body::streamed}});
  site.add({"/letters", http::handler<&LongAnswer::serve>(letters)});
  Peer& peer = site.connect();
  peer.say("POST /measure HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x'));
  peer.want(answer("HTTP/1.1 200 OK", "Content-Type: text/plain; charset=utf-8\r\n", "300000 complete"));
  peer.stop_reading();
  peer.say("GET /letters HTTP/1.0\r\n\r\n");  // until the connection ends
  site.advance(1s);
  peer.read_slowly(100'000);
  site.talk.set_patience(10s);
  peer.want_head(200);
  const std::string body = peer.want_body(300'000);
  for (std::size_t i = 0; i < body.size(); ++i) {
    ASSERT_EQ(body[i], static_cast<char>('a' + i % 26)) << "at " << i;
  }
  peer.want_closed();  // with a close_notify: all of it has come
  EXPECT_EQ(site.closes(CloseReason::close_asked), 1U);
}

// Records that take longer than anybody may stand still, both ways: parts of them count.
TEST(ServerTls, ASlowLineIsNoStandstill) {
  Site<> site{over_tls({}, {.timeouts = {.stall = 4s}})};
  LongAnswer letters{.size = 48'000};
  site.add({"/measure", http::handler<&measure_body>(), {.body = http::Body::streamed}});
  site.add({"/letters", http::handler<&LongAnswer::serve>(letters)});
  Peer& peer = site.connect();
  peer.want_connected();
  peer.end().link() = {.bytes_per_second = 500, .send_buffer = 1000, .receive_buffer = 1000};
  site.talk.set_patience(10min);
  peer.say("POST /measure HTTP/1.1\r\nHost: h\r\nContent-Length: 48000\r\n\r\n" + std::string(48'000, 'x'));
  peer.want(answer("HTTP/1.1 200 OK", "Content-Type: text/plain; charset=utf-8\r\n", "48000 complete"));
  peer.say("GET /letters HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  peer.want_head(200);
  EXPECT_EQ(want_chunked_body(peer).size(), 48'000U);
  peer.want_closed();
}

// A byte of a record now and then is no request, and keeps no connection from being idle; nor does it cost an exchange, or a place among
// those that are parked.
TEST(ServerTls, PartsOfARecordDoNotMoveDeadlines) {
  for (const bool is_fresh : {false, true}) {
    for (const bool parks : {false, true}) {
      Site<> site{over_tls({}, {.timeouts = {.read_head = 60s, .idle = 60s}})};
      site.talk.port().set_parking(parks);
      site.add(ok_route);
      Peer& peer = site.connect();
      peer.want_connected();
      if (!is_fresh) {
        peer.say(get_request);
        peer.want(ok_answer);
      }
      site.talk.drop_layers();
      for (const char byte : std::string_view{"\x17\x03\x03"}) {
        site.advance(19s);
        peer.say({&byte, 1});
        site.advance(1ms);
        EXPECT_EQ(site.server.exchanges().used, 0U);
        EXPECT_EQ(site.talk.port().sockets_parked(), parks ? 1U : 0U);
      }
      EXPECT_EQ(site.server.connections().used, 1U);
      site.advance(3s);
      EXPECT_EQ(site.closes(is_fresh ? CloseReason::head_timeout : CloseReason::idle_timeout), 1U);
    }
  }
}

// The same if every exchange is busy when the byte comes.
TEST(ServerTls, APartOfARecordWaitsForAnExchangeAndGivesItBack) {
  constexpr http::ServerLimits one_exchange{.connections = 4,
                                            .exchanges = 1,
                                            .listeners = 1,
                                            .in_buffer = 1024,
                                            .out_buffer = 1024,
                                            .head_size_max = 512,
                                            .fields_max = 8,
                                            .state_size = 128,
                                            .close_records = 4};
  Site<one_exchange> site{over_tls()};
  Waiter waiter;
  site.add(ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  site.advance(1s);
  Peer& later = site.connect();
  later.say(get_request);
  later.want(ok_answer);
  Peer& busy = site.connect();
  busy.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1s);
  peer.set_layer(nullptr);
  peer.say("\x17");
  site.advance(1s);
  EXPECT_EQ(site.server.counters().exchange_waits, 1U);
  waiter.pending.resume();
  busy.want(ok_answer);
  site.advance(0s);
  EXPECT_EQ(site.server.exchanges().used, 0U);
  later.say(get_request);
  later.want(ok_answer);
  for (Peer* one : {&peer, &later, &busy}) {
    one->close();
  }
  expect_all_quiet(site);
}

TEST(ServerTls, TheStatesAreThoseOfAnyConnection) {
  struct States {
    std::string text{};
    void note(const http::ConnEvent& event) {
      const heap_guard::Scope<heap_guard::Rule::allowed> for_the_test;
      constexpr std::string_view letters = "faihc";
      text += letters[static_cast<std::size_t>(event.state)];
      text += event.tls != nullptr ? "+" : "-";
    }
  } states;
  Site<> site{over_tls({}, {.on_state = net::callback<&States::note>(states)})};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.want_connected();
  EXPECT_EQ(states.text, "f-");
  peer.say(get_request);
  peer.want(ok_answer);
  peer.close();
  site.advance(1s);
  EXPECT_EQ(states.text, "f-a+i+c-");
}

TEST(ServerTls, AHijackerGetsTheStreamWithItsTls) {
  struct Taker {
    net::Stream stream{};
    Next serve(ResponseWriter& writer, Request&) {
      if (auto taken = writer.hijack()) {
        stream = taken->stream;
      }
      return Next::done;
    }
  } taker;
  Site<> site{over_tls()};
  site.add({"*", http::handler<&Taker::serve>(taker)});
  Peer& peer = site.connect();
  peer.say(get_request);
  EXPECT_TRUE(site.talk.run_until([&] { return taker.stream.is_open(); }));
  ASSERT_TRUE(taker.stream.is_tls());
  EXPECT_EQ(taker.stream.send("hello").size, 5U);
  peer.want("hello");
  EXPECT_EQ(site.server.connections().used, 0U);
  EXPECT_EQ(site.tls_context()->sessions_used(), 1U);
  taker.stream.close();
  peer.want_closed();
  expect_all_quiet(site);
}

// ---- handshakes that go wrong

TEST(ServerTls, AClientThatSpeaksHttpIsToldSoInTheClear) {
  for (const std::string_view request :
       {std::string_view{"GET / HTTP/1.1\r\nHost: h\r\n\r\n"}, std::string_view{"POST /x HTTP/1.0\r\n\r\nabc"},
        std::string_view{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"}}) {
    Log log;
    Site<> site{over_tls({}, {.log = net::callback<&Log::note>(log)})};
    Peer& peer = site.talk.connect_plain(site_port);
    peer.say(request);
    peer.want(plain_http_answer);
    peer.want_closed();
    peer.say("and more, which would reset a connection that is closed");
    peer.finish();
    site.advance(100ms);
    EXPECT_FALSE(peer.is_reset());
    EXPECT_EQ(site.closes(CloseReason::handshake_failed), 1U);
    EXPECT_EQ(site.server.counters().answers[4], 1U);
    EXPECT_EQ(log.text.find("TLS handshake with "), 0U) << log.text;
    expect_all_quiet(site);
  }
}

TEST(ServerTls, HttpByteByByteIsStillHttp) {
  Site<> site{over_tls()};
  Peer& peer = site.talk.connect_plain(site_port);
  peer.say_in_pieces("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 1);
  peer.want(plain_http_answer);
  peer.want_closed();
}

TEST(ServerTls, SomethingElseIsJustClosed) {
  Log log;
  Site<> site{over_tls({}, {.log = net::callback<&Log::note>(log)})};
  Peer& peer = site.talk.connect_plain(site_port);
  peer.say("SSH-2.0-OpenSSH_9.2\r\n");
  peer.want_gone();
  peer.close();
  EXPECT_NE(log.text, "");
  expect_all_quiet(site);
  EXPECT_EQ(site.closes(CloseReason::handshake_failed), 1U);
}

TEST(ServerTls, AClientWithoutACommonVersionReadsTheAlert) {
  Log log;
  Site<> site{over_tls({.min = tls::Version::tls13, .clients = {.max = TlsVersion::tls12}},
                       {.log = net::callback<&Log::note>(log)})};
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_gone();
  EXPECT_FALSE(peer.is_reset());
  EXPECT_EQ(tls_of(peer).alert(), 70);  // protocol_version, RFC 8446 section 6.2
  EXPECT_NE(log.text.find("version"), std::string::npos) << log.text;
  peer.close();
  expect_all_quiet(site);
  EXPECT_EQ(site.closes(CloseReason::handshake_failed), 1U);
}

TEST(ServerTls, WhoIsSilentHasTheTimeOfAHandshakeAndHoldsNoSession) {
  for (const std::string_view beginning : {std::string_view{}, hello_begun}) {
    Site<> site{over_tls({}, {.timeouts = {.handshake = 7s}})};
    Peer& peer = site.talk.connect_plain(site_port);
    peer.say(beginning);
    site.advance(3s);
    EXPECT_EQ(site.tls_context()->sessions_used(), beginning.empty() ? 0U : 1U);
    peer.want_nothing(3999ms);
    site.advance(1ms);
    peer.want_gone();
    EXPECT_EQ(site.closes(CloseReason::handshake_timeout), 1U);
    peer.close();
    expect_all_quiet(site);
  }
}

TEST(ServerTls, TheTimeForAHeadBeginsWhenTheHandshakeIsOver) {
  Site<> site{over_tls({}, {.timeouts = {.handshake = 7s, .read_head = 10s}})};
  Peer& peer = site.talk.connect_plain(site_port);
  site.advance(6s);
  TlsEnd end{{}};
  peer.set_layer(end.make());
  peer.want_connected();
  peer.want_nothing(9999ms);
  site.advance(1ms);
  peer.want_closed();
  EXPECT_EQ(site.closes(CloseReason::head_timeout), 1U);
  site.talk.drop_layers();
}

// Neither in its first request's place nor between two of them, parked or not.
TEST(ServerTls, ARecordThatComesByteByByteMovesNoDeadline) {
  Site<> site{over_tls()};
  site.add(ok_route);
  TlsEnd end{{}};
  for (const int requests : {0, 1}) {
    Peer& peer = site.talk.connect_plain(site_port);
    auto layer = end.make();
    TlsPeer& raw = *layer;
    peer.set_layer(std::move(layer));
    peer.want_connected();
    if (requests != 0) {
      peer.say(get_request);
      peer.want(ok_answer);
    }
    raw.say_raw("\x17\x03\x03\x10");  // a record of more than 4 KiB begins
    int seconds = 0;
    for (; site.server.connections().used != 0 && seconds < 200; ++seconds) {
      raw.say_raw("x");
      site.advance(1s);
    }
    EXPECT_EQ(seconds, requests == 0 ? 10 : 60);
    EXPECT_EQ(site.closes(requests == 0 ? CloseReason::head_timeout : CloseReason::idle_timeout), 1U);
    peer.close();
    expect_all_quiet(site);
  }
  site.talk.drop_layers();
}

// One that says a byte now and then is still the longest idle when a slot is needed.
TEST(ServerTls, APartOfARecordDoesNotMakeItAnyYounger) {
  Site<> site{over_tls()};
  site.add(ok_route);
  TlsEnd end{{}};
  Peer& first = site.talk.connect_plain(site_port);
  auto layer = end.make();
  TlsPeer& raw = *layer;
  first.set_layer(std::move(layer));
  first.say(get_request);
  first.want(ok_answer);
  std::vector<Peer*> others;
  for (std::size_t i = 1; i < site_limits.connections; ++i) {
    site.advance(1s);
    others.push_back(&site.connect());
    others.back()->say(get_request);
    others.back()->want(ok_answer);
    raw.say_raw(i == 1 ? "\x17\x03\x03\x10" : "x");
  }
  site.advance(1s);
  Peer& new_one = site.connect();
  new_one.say(get_request);
  new_one.want(ok_answer);
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
  EXPECT_TRUE(first.is_closed() || first.is_reset());
  new_one.close();
  for (Peer* peer : others) {
    peer->close();
  }
  expect_all_quiet(site);
  site.talk.drop_layers();
}

// Whoever breaks off, at whatever byte: nothing stays behind.
TEST(ServerTls, AHandshakeThatBreaksOffLeavesNothing) {
  for (int turns = 0; turns < 60; ++turns) {
    Site<> site{over_tls({.slice = port::Duration::zero()})};
    site.add(ok_route);
    Peer& peer = site.talk.connect_plain(site_port);
    TlsEnd end{{}};
    peer.set_layer(end.make({.piece_size = 50}));
    peer.say(get_request);
    for (int i = 0; i < turns; ++i) {
      site.talk.step(site.talk.now());
    }
    turns % 2 == 0 ? peer.reset() : peer.close();
    expect_all_quiet(site);
    site.talk.drop_layers();
  }
}

// ---- admission

TEST(ServerTls, OneHandshakeAtATime) {
  Site<> site{over_tls({.limits = {.sessions = 4, .handshakes = 1, .client_ca_size = 0}})};
  site.add(ok_route);
  Peer& first = site.talk.connect_plain(site_port);
  TlsEnd end{{}};
  first.set_layer(end.make({.split_at = 100}));  // the rest one turn later
  std::array<Peer*, 3> others{};
  for (Peer*& peer : others) {
    peer = &site.connect();
    peer->say(get_request);
  }
  first.say(get_request);
  first.want(ok_answer);
  for (Peer* peer : others) {
    peer->want(ok_answer);
  }
  EXPECT_GE(site.server.counters().handshake_waits, 1U);
  EXPECT_EQ(site.server.counters().handshake_waits, site.tls_context()->counters().waited);
  EXPECT_EQ(site.tls_context()->counters().handshakes, 4U);
  first.close();
  for (Peer* peer : others) {
    peer->close();
  }
  expect_all_quiet(site);
  site.talk.drop_layers();
}

TEST(ServerTls, WhoWaitsIsServedInTheOrderOfComing) {
  Site<> site{over_tls({.limits = {.sessions = 4, .handshakes = 1, .client_ca_size = 0}})};
  site.add(ok_route);
  Peer& blocker = site.talk.connect_plain(site_port);
  blocker.say(hello_begun);
  site.advance(0s);
  Peer& first = site.connect();
  first.say(get_request);
  site.advance(0s);
  Peer& second = site.connect();
  second.say(get_request);
  first.want_nothing(1s);
  EXPECT_EQ(site.server.counters().handshake_waits, 2U);
  blocker.close();
  first.want(ok_answer);
  second.want(ok_answer);
  first.close();
  second.close();
  expect_all_quiet(site);
}

TEST(ServerTls, AHandshakeThatStopsGivesWayWhenAnotherWaits) {
  Site<> site{over_tls({.limits = {.sessions = 4, .handshakes = 1, .client_ca_size = 0}})};
  site.add(ok_route);
  Peer& slow = site.talk.connect_plain(site_port);
  slow.say(hello_begun);
  site.advance(5s);  // as long as nobody waits it may take its time
  EXPECT_FALSE(slow.is_closed() || slow.is_reset());
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  slow.want_gone();
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
  // One that has not had its time yet: the other one waits for that, and no longer.
  Peer& slow_too = site.talk.connect_plain(site_port);
  slow_too.say(hello_begun);
  site.advance(0s);
  Peer& next = site.connect();
  next.say(get_request);
  next.want_nothing(1900ms);
  slow_too.say("\x01");  // a byte now and then does not help
  next.want(ok_answer);
  slow_too.want_gone();
  for (Peer* one : {&slow, &peer, &slow_too, &next}) {
    one->close();
  }
  expect_all_quiet(site);
}

TEST(ServerTls, WhoWaitsForAHandshakeHasItsDeadline) {
  Site<> site{over_tls({.limits = {.sessions = 2, .handshakes = 1, .reserved = 0, .client_ca_size = 0}},
                       {.timeouts = {.handshake = 1s}})};
  site.add(ok_route);
  Peer& blocker = site.talk.connect_plain(site_port);
  blocker.say(hello_begun);
  site.advance(500ms);
  Peer& waiting = site.talk.connect_plain(site_port);
  waiting.say(hello_begun);
  site.advance(499ms);
  EXPECT_EQ(site.closes(CloseReason::handshake_timeout), 0U);
  site.advance(1ms);
  EXPECT_EQ(site.closes(CloseReason::handshake_timeout), 1U);
  site.advance(500ms);
  EXPECT_EQ(site.closes(CloseReason::handshake_timeout), 2U);
  expect_served(site);
}

TEST(ServerTls, WhoWaitsForAHandshakeAndGoesIsForgotten) {
  Site<> site{over_tls({.limits = {.sessions = 2, .handshakes = 1, .client_ca_size = 0}})};
  site.add(ok_route);
  Peer& blocker = site.talk.connect_plain(site_port);
  blocker.say(hello_begun);
  site.advance(1ms);
  Peer& waiting = site.talk.connect_plain(site_port);
  waiting.say(hello_begun);
  site.advance(1ms);
  waiting.reset();
  site.advance(1ms);
  EXPECT_EQ(site.server.connections().used, 1U);
  EXPECT_EQ(site.closes(CloseReason::peer_reset), 1U);
  blocker.close();
  expect_served(site);
}

TEST(ServerTls, TheLongestIdleConnectionGivesItsSession) {
  Site<> site{over_tls({.limits = {.sessions = 2, .handshakes = 2, .client_ca_size = 0}})};
  site.add(ok_route);
  std::array<Peer*, 2> peers{};
  for (Peer*& peer : peers) {
    peer = &site.connect();
    peer->say(get_request);
    peer->want(ok_answer);
    site.advance(1s);
  }
  ASSERT_TRUE(site.server.listen({.endpoint = {.address = port::Address::ipv4_any(8080)}}));
  Peer& plain = site.talk.connect_plain(8080);
  plain.say(get_request);
  plain.want(ok_answer);
  peers[0]->say(get_request);  // no longer the longest idle
  peers[0]->want(ok_answer);
  site.advance(1s);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want(ok_answer);
  peers[1]->want_closed();
  peers[0]->want_nothing(1s);
  plain.want_nothing(1s);  // it has no session to give
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
  peers[0]->close();
  newcomer.close();
  plain.close();
  expect_all_quiet(site, 2);
}

TEST(ServerTls, WithoutIdleOnesANewConnectionWaitsForASession) {
  Site<> site{over_tls({.limits = {.sessions = 1, .handshakes = 1, .client_ca_size = 0}})};
  Waiter waiter;
  site.add(ok_route);
  site.add({"/wait", http::handler<&Waiter::serve>(waiter)});
  Peer& busy = site.connect();
  busy.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  site.advance(1s);
  Peer& newcomer = site.connect();
  newcomer.say(get_request);
  newcomer.want_nothing(3s);
  EXPECT_EQ(site.server.counters().handshake_waits, 1U);
  waiter.pending.resume();
  busy.want(ok_answer);
  newcomer.want(ok_answer);
  busy.want_closed();  // idle by now
  newcomer.close();
  expect_all_quiet(site);
}

TEST(ServerTls, OwnersHaveReservedHandshakesAndSessions) {
  Site<> site{over_tls({.limits = {.sessions = 3, .handshakes = 2, .reserved = 1, .client_ca_size = 0}})};
  site.add(ok_route);
  ASSERT_TRUE(site.server.listen(
      {.endpoint = {.address = port::Address::ipv4_any(8443)}, .owner = true, .tls = site.tls_context()}));
  Peer& slow = site.talk.connect_plain(site_port);
  slow.say(hello_begun);
  site.advance(1ms);
  Peer& other = site.connect();
  other.say(get_request);
  other.want_nothing(1s);
  Peer& owner = site.talk.connect(8443);  // behind the other one in the queue
  owner.say(get_request);
  owner.want(ok_answer);
  EXPECT_EQ(other.received(), "");
  slow.close();
  other.want(ok_answer);
  owner.close();
  other.close();
  expect_all_quiet(site, 2);
}

// ---- connections run out

constexpr http::ServerLimits two_connections{.connections = 2,
                                             .listeners = 2,
                                             .in_buffer = 1024,
                                             .out_buffer = 1024,
                                             .head_size_max = 512,
                                             .fields_max = 8,
                                             .state_size = 128,
                                             .close_records = 4};

TEST(ServerTls, ASilentConnectionGivesItsSlot) {
  Site<two_connections> site{over_tls()};
  site.add(ok_route);
  Peer& silent = site.talk.connect_plain(site_port);
  site.advance(1ms);
  Peer& silent_too = site.talk.connect_plain(site_port);
  site.advance(1ms);
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want(ok_answer);
  silent.want_gone();
  EXPECT_FALSE(silent_too.is_closed());
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
}

TEST(ServerTls, AHandshakeUnderWayKeepsItsSlotForAWhile) {
  Site<two_connections> site{over_tls()};
  site.add(ok_route);
  Peer& slow = site.talk.connect_plain(site_port);
  slow.say(hello_begun);
  Peer& slow_too = site.talk.connect_plain(site_port);
  slow_too.say(hello_begun);
  site.advance(1ms);
  Peer& peer = site.connect();
  peer.say(get_request);
  peer.want_nothing(1900ms);
  peer.want(ok_answer);
  EXPECT_EQ(site.closes(CloseReason::evicted), 1U);
}

TEST(ServerTls, OverloadHasNoAnswerOverTls) {
  Site<two_connections> site{over_tls({}, {.overload = http::Overload::answer})};
  Waiter first;
  Waiter second;
  site.add({"/1", http::handler<&Waiter::serve>(first)});
  site.add({"/2", http::handler<&Waiter::serve>(second)});
  Peer& one = site.connect();
  one.say("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
  Peer& two = site.connect();
  two.say("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(site.talk.run_until([&] { return first.started + second.started == 2; }));
  Peer& third = site.talk.connect_plain(site_port);
  third.say(hello_begun);
  third.want_gone();
  EXPECT_EQ(third.received(), "");
  EXPECT_EQ(site.closes(CloseReason::refused), 1U);
  first.pending.resume();
  second.pending.resume();
  one.want(ok_answer);
  two.want(ok_answer);
}

// ---- slices

// Zero: one step a turn, and in every turn the others are served.
TEST(ServerTls, OthersAreServedWhileHandshakesAreUnderWay) {
  Site<> site{over_tls({.slice = port::Duration::zero()})};
  struct Counter {
    int calls = 0;
    void serve(ResponseWriter& writer, Request&) {
      ++calls;
      writer.text(200, "ok");
    }
  } counter;
  site.add({"*", http::handler<&Counter::serve>(counter)});
  ASSERT_TRUE(site.server.listen({.endpoint = {.address = port::Address::ipv4_any(8080)}}));
  Peer& plain = site.talk.connect_plain(8080);
  plain.say(get_request);
  plain.want(ok_answer);
  Peer& first = site.connect();
  Peer& second = site.connect();
  const port::Time before = site.talk.now();
  int served_between = 0;
  const auto is_open = [](Peer& peer) { return tls_of(peer).is_open(); };
  for (int turns = 0; turns < 1000 && !(is_open(first) && is_open(second)); ++turns) {
    const int calls = counter.calls;
    plain.say(get_request);
    site.talk.step(site.talk.now());
    served_between += counter.calls - calls;
  }
  EXPECT_TRUE(is_open(first));
  EXPECT_TRUE(is_open(second));
  EXPECT_EQ(site.talk.now(), before) << "a slice that is used up must not wait for the socket";
  EXPECT_GT(served_between, 10);
  plain.take();
  first.say(get_request);
  first.want(ok_answer);
  second.say(get_request);
  second.want(ok_answer);
}

// ---- the end

TEST(ServerTls, AWholeAnswerEndsWithCloseNotify) {
  Site<> site{over_tls()};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  peer.want(ok_close_answer);
  peer.want_closed();
  peer.close();
  expect_all_quiet(site);
}

TEST(ServerTls, AnAnswerThatIsCutShortEndsWithoutCloseNotify) {
  const auto declares_more = [](ResponseWriter& writer, Request&) {
    writer.set_content_length(10);
    writer.write("half");
  };
  Site<> site{over_tls()};
  site.add({"/short", http::Handler{[](void*, ResponseWriter& writer, Request& request) {
                                      decltype(declares_more){}(writer, request);
                                      return Next::done;
                                    },
                                    nullptr}});
  Waiter waiter;
  site.add({"/stream", http::Handler{[](void*, ResponseWriter& writer, Request& request) {
                                       if (request.event() == http::Event::start) {
                                         writer.write("half");
                                         writer.flush();
                                         return Next::write_body;
                                       }
                                       return Next::abort;
                                     },
                                     nullptr}});
  Peer& peer = site.connect();
  peer.say("GET /short HTTP/1.1\r\nHost: h\r\n\r\n");
  peer.want_head(200);
  peer.want("half");
  peer.want_cut();
  peer.close();
  Peer& other = site.connect();
  other.say("GET /stream HTTP/1.0\r\n\r\n");  // only the end of the connection would tell
  other.want_head(200);
  other.want("half");
  other.want_cut();
  other.close();
  expect_all_quiet(site);
  EXPECT_EQ(site.closes(CloseReason::length_mismatch), 1U);
  EXPECT_EQ(site.closes(CloseReason::aborted), 1U);
}

TEST(ServerTls, AWriteThatTimesOutEndsWithoutCloseNotify) {
  Site<> site{over_tls({}, {.timeouts = {.stall = 5s}})};
  LongAnswer letters{};
  site.add({"*", http::handler<&LongAnswer::serve>(letters)});
  Peer& peer = site.connect();
  peer.want_connected();
  peer.stop_reading();
  peer.say(get_request);
  site.advance(6s);
  EXPECT_EQ(site.closes(CloseReason::write_timeout), 1U);
  EXPECT_EQ(letters.gone, 1);
  peer.resume_reading();
  site.advance(1s);
  peer.take();
  peer.want_cut();
  peer.close();
  expect_all_quiet(site);
}

// Who lingers only waits for the client to go: the session is free for somebody else.
TEST(ServerTls, WhoLingersHoldsNoSession) {
  Site<> site{
      over_tls({.limits = {.sessions = 1, .handshakes = 1, .client_ca_size = 0}}, {.timeouts = {.linger = 5s}})};
  site.add(ok_route);
  Peer& peer = site.connect();
  peer.say("NONSENSE\r\n\r\n");
  peer.want(refusal("400 Bad Request"));
  peer.want_closed();
  EXPECT_EQ(site.server.connections().used, 1U);
  EXPECT_EQ(site.tls_context()->sessions_used(), 0U);
  Peer& other = site.connect();
  other.say(get_request);
  other.want(ok_answer);
  peer.say("what follows is thrown away").finish();
  site.advance(1s);
  EXPECT_FALSE(peer.is_reset());
  EXPECT_EQ(site.closes(CloseReason::bad_request), 1U);
  peer.close();
  other.close();
  expect_all_quiet(site);
}

// Small buffers and a client that does not read: the close_notify has to wait, and nothing is lost.
TEST(ServerTls, ACloseNotifyThatDoesNotFitIsSentLater) {
  int waited = 0;
  for (std::size_t body_size = 1900; body_size < 2100; body_size += 7) {
    SiteOptions options{.timeouts = {.linger = 3s}};
    options.conversation.network.send_buffer_max = 1024;
    options.conversation.network.receive_buffer_max = 1200;
    Site<> site{over_tls({}, options)};
    LongAnswer letters{.size = body_size};
    site.add({"*", http::handler<&LongAnswer::serve>(letters)});
    Peer& peer = site.connect();
    peer.want_connected();
    site.advance(1s);  // tickets, too
    peer.stop_reading();
    peer.say("GET / HTTP/1.0\r\n\r\n");
    site.advance(1s);
    const bool is_waiting = site.server.connections().used == 1 && site.server.exchanges().used == 0;
    waited += is_waiting ? 1 : 0;
    peer.resume_reading();
    peer.want_head(200);
    peer.want_body(body_size);
    peer.want_closed();
    peer.close();
    expect_all_quiet(site);
    EXPECT_EQ(site.closes(CloseReason::close_asked), 1U);
  }
  EXPECT_GT(waited, 0) << "of no size was it just the close_notify that did not fit";
}

TEST(ServerTls, ACloseNotifyThatNeverFitsHasTheTimeOfLingering) {
  int waited = 0;
  for (std::size_t body_size = 1900; body_size < 2100 && waited == 0; body_size += 7) {
    SiteOptions options{.timeouts = {.linger = 3s}};
    options.conversation.network.send_buffer_max = 1024;
    options.conversation.network.receive_buffer_max = 1200;
    Site<> site{over_tls({}, options)};
    LongAnswer letters{.size = body_size};
    site.add({"*", http::handler<&LongAnswer::serve>(letters)});
    Peer& peer = site.connect();
    peer.want_connected();
    site.advance(1s);
    peer.stop_reading();
    peer.say("GET / HTTP/1.0\r\n\r\n");
    site.advance(2s);
    if (site.server.connections().used != 1 || site.server.exchanges().used != 0) {
      peer.reset();
      continue;
    }
    ++waited;
    site.advance(2s);
    EXPECT_EQ(site.closes(CloseReason::close_asked), 1U);
    expect_all_quiet(site);
  }
  EXPECT_EQ(waited, 1) << "of no size was it just the close_notify that did not fit";
}

TEST(ServerTls, AConnectionThatEndsWithoutCloseNotifyIsLost) {
  Site<> site{over_tls()};
  site.add({"/measure", http::handler<&measure_body>(), {.body = http::Body::streamed}});
  Peer& peer = site.connect();
  peer.say("POST /measure HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  site.advance(1s);
  peer.set_layer(nullptr);
  peer.finish();  // the FIN alone
  peer.want_gone();
  EXPECT_EQ(site.closes(CloseReason::peer_reset), 1U);
  expect_all_quiet(site);
}

TEST(ServerTls, AShutdownGivesHandshakesFiveSeconds) {
  Site<> site{over_tls()};
  site.add(ok_route);
  Peer& old = site.talk.connect_plain(site_port);
  old.say(hello_begun);
  Peer& silent = site.talk.connect_plain(site_port);
  site.advance(4s);
  Peer& fresh = site.talk.connect_plain(site_port);
  site.advance(2s);
  TlsEnd end{{}};
  site.server.shutdown(1h);
  site.advance(0s);
  EXPECT_EQ(site.closes(CloseReason::shutdown), 2U);
  old.want_gone();
  silent.want_gone();
  fresh.set_layer(end.make());
  fresh.say(get_request);
  fresh.want(ok_close_answer);
  fresh.want_closed();
  fresh.close();
  expect_all_quiet(site, 0);
  site.talk.drop_layers();
}

TEST(ServerTls, AShutdownEndsAHandshakeThatGoesOnForTooLong) {
  Site<> site{over_tls()};
  Peer& peer = site.talk.connect_plain(site_port);
  site.advance(1s);
  peer.say(hello_begun);
  site.advance(1s);
  site.server.shutdown(1h);
  peer.want_nothing(2999ms);
  site.advance(1ms);
  peer.want_gone();
  EXPECT_EQ(site.closes(CloseReason::shutdown), 1U);
  expect_all_quiet(site, 0);
}

TEST(ServerTls, CloseEndsEveryHandshake) {
  Site<> site{over_tls({.limits = {.sessions = 2, .handshakes = 1, .client_ca_size = 0}})};
  for (int i = 0; i < 3; ++i) {
    site.talk.connect_plain(site_port).say(i == 2 ? std::string_view{} : hello_begun);
    site.advance(1ms);
  }
  EXPECT_EQ(site.server.connections().used, 3U);
  site.server.close();
  EXPECT_EQ(site.closes(CloseReason::closed), 3U);
  expect_all_quiet(site, 0);
}

}  // namespace
}  // namespace pollux::test
