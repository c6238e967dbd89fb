// https: the client's TLS as scripts over the simulated network. The raw servers are mbedTLS by itself (tests/support/tls_peer.hpp).
// What the scripts of plain connections ask for is asked again over TLS by the TLS mode; here stands what only TLS has.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stack/http/client.hpp"
#include "stack/http/cookie_jar.hpp"
#include "stack/http/proxy.hpp"
#include "tests/http/caller.hpp"
#include "tests/http/pieces.hpp"
#include "tests/support/tls_fixture.hpp"
#include "tests/support/tls_peer.hpp"

namespace pollux::test {
namespace {

using http::CallCause;
using http::CallStage;
using http::TraceEvent;

struct HttpsOptions {
  tls::ClientTlsLimits limits{.sessions = 6, .handshakes = 4, .cached = 4};
  tls::ClockPolicy clock = tls::ClockPolicy::refuse;
  port::WallTime clock_floor = test_clock_floor;
  port::Duration slice = 2ms;
  bool resume = true;
  TlsEndOptions server{.is_client = false, .own = {certificates::everywhere}};
  TlsPeerOptions peer{};
  bool servers_are_plain = false;  // until a script says otherwise
};

// What https needs, at both ends: the client's context, and TLS for the raw servers. Made by the Caller on its machine, and outlives it.
class Https {
 public:
  explicit Https(HttpsOptions options = {}) : options_{std::move(options)} {}

  [[nodiscard]] CallerOptions caller(CallerOptions options = {}) {
    options.tls = [this](Conversation& talk) { return begin(talk); };
    return options;
  }
  [[nodiscard]] TlsEnd& servers() { return *servers_; }
  [[nodiscard]] tls::ClientContext& context() { return *context_; }
  [[nodiscard]] tls::Library& library() { return **library_; }
  // From now on `peer`, which was plain, is one end of TLS.
  TlsPeer& wrap(Peer& peer) {
    peer.set_layer(servers_->make(options_.peer));
    return tls_of(peer);
  }

 private:
  tls::ClientContext* begin(Conversation& talk) {
    library_.emplace(talk.port());
    library().set_clock_floor(options_.clock_floor);
    trust_.emplace(std::initializer_list<std::string_view>{certificates::ca});
    memory_.emplace(options_.limits);
    context_.emplace(tls::ClientContextConfig{.library = library(),
                                              .memory = memory_->memory(),
                                              .trust = &**trust_,
                                              .clock = options_.clock,
                                              .resume = options_.resume,
                                              .slice = options_.slice});
    EXPECT_TRUE(context_->start());
    servers_.emplace(options_.server);
    if (!options_.servers_are_plain) {
      talk.set_layer(servers_->maker(options_.peer));
    }
    return &*context_;
  }

  HttpsOptions options_;
  std::optional<TestLibrary> library_;
  std::optional<TestTrust> trust_;
  std::optional<TestClientMemory> memory_;
  std::optional<tls::ClientContext> context_;
  std::optional<TlsEnd> servers_;
};

HttpsOptions only(TlsVersion version) {
  HttpsOptions options;
  options.server.min = options.server.max = version;
  return options;
}
HttpsOptions with_certificate(const TestCertificate& certificate) {
  HttpsOptions options;
  options.server.own = {certificate};
  return options;
}
HttpsOptions with_limits(std::uint16_t sessions, std::uint16_t handshakes) {
  HttpsOptions options;
  options.limits.sessions = sessions;
  options.limits.handshakes = handshakes;
  return options;
}

// What the trace hook of a round trip was told, in short.
struct Story {
  std::vector<TraceEvent> events;
  std::vector<std::string> texts;
  std::string cipher;
  bool had_tls = false;
  Story() {
    events.reserve(64);
    cipher.reserve(64);
  }
  void told(const http::Trace& trace) {
    events.push_back(trace.event);
    if (trace.event == TraceEvent::tls_done) {
      cipher = trace.text;
      had_tls = trace.tls != nullptr && trace.tls->cipher == trace.text;
    }
  }
  [[nodiscard]] bool has(TraceEvent event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }
  [[nodiscard]] http::RoundTripOptions options() { return {.trace = net::callback<&Story::told>(*this)}; }
};

class EachVersion : public testing::TestWithParam<TlsVersion> {};
INSTANTIATE_TEST_SUITE_P(Tls, EachVersion, testing::Values(TlsVersion::tls12, TlsVersion::tls13),
                         [](const auto& version) {
                           return version.param == TlsVersion::tls12 ? std::string{"Tls12"} : std::string{"Tls13"};
                         });

// ---- a round trip

TEST_P(EachVersion, RoundTripGoesOverTls) {
  Https https{only(GetParam())};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.make("GET", "https://127.0.0.1/");
  trip.use = Trip::Use::keep;
  Story story;
  trip.go(story.options());
  Peer& peer = origin.accept();
  peer.want(get_root);
  EXPECT_EQ(tls_of(peer).version(), GetParam());
  EXPECT_EQ(tls_of(peer).alpn(), "http/1.1");
  peer.say(ok_abc);
  ASSERT_TRUE(caller.talk.run_until([&] { return trip.response.body().size() == 3; }));
  const tls::ConnectionInfo* info = trip.response.tls();
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->version, GetParam() == TlsVersion::tls12 ? tls::Version::tls12 : tls::Version::tls13);
  EXPECT_TRUE(info->verified);
  EXPECT_FALSE(info->resumed);
  EXPECT_EQ(info->peer.subject.view(), "CN=Everywhere");
  EXPECT_EQ(info->cipher, story.cipher);
  trip.read();
  caller.want(trip, 200, "abc");
  const std::vector<TraceEvent> wanted{TraceEvent::get_conn,      TraceEvent::names_start,  TraceEvent::names_done,
                                       TraceEvent::connect_start, TraceEvent::connect_done, TraceEvent::tls_start,
                                       TraceEvent::tls_done,      TraceEvent::got_conn,     TraceEvent::wrote_head,
                                       TraceEvent::wrote_request, TraceEvent::first_byte,   TraceEvent::got_head,
                                       TraceEvent::body_done,     TraceEvent::put_idle};
  EXPECT_EQ(story.events, wanted);
  EXPECT_TRUE(story.had_tls);
  EXPECT_EQ(caller.transport.counters().tls_handshakes, 1U);
  EXPECT_EQ(caller.transport.counters().tls_resumed, 0U);
  caller.expect_quiet(1);
  // The same connection again.
  Trip& second = caller.get("https://127.0.0.1/");
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_TRUE(second.trip.was_reused());
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  caller.expect_quiet(1);
}

TEST_P(EachVersion, EveryByteOfTheAnswerMayComeAlone) {
  HttpsOptions options = only(GetParam());
  options.peer.piece_size = 1;
  options.peer.record_size = 1;
  Https https{options};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

// The answer's info is there in the callback though the response has no body and its connection is back in the pool.
TEST(TransportTls, AnswerWithoutABodyTellsOfTlsToo) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  struct Seen {
    bool called = false;
    bool verified = false;
    void answered(http::Response& response) {
      called = true;
      verified = response.tls() != nullptr && response.tls()->verified;
    }
  } seen;
  Trip& trip = caller.make("HEAD", "https://127.0.0.1/");
  trip.trip.start(net::callback<&Seen::answered>(seen));
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(caller.talk.run_until([&] { return seen.called; }));
  EXPECT_TRUE(seen.verified);
  caller.expect_quiet(1);
}

TEST(TransportTls, PlainAnswerTellsOfNoTls) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(80);
  Trip& trip = caller.make("GET", "http://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(ok_abc);
  ASSERT_TRUE(caller.talk.run_until([&] { return trip.response.body().size() == 3; }));
  EXPECT_EQ(trip.response.tls(), nullptr);
  trip.response.close();
}

TEST(TransportTls, TransportWithoutAContextRefusesHttps) {
  POLLUX_NOT_OVER_TLS("it has no context on purpose");
  Caller<> caller;
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  caller.want_error(trip, CallCause::no_tls);
  EXPECT_EQ(trip.error.stage, CallStage::check);
  origin.want_nobody(100ms);
}

// ---- hosts

TEST(TransportTls, PlainAndTlsConnectionsOfOneHostAreNeverMixed) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& first = caller.get("https://127.0.0.1/");
  Peer& secure = origin.accept();
  https.wrap(secure);
  secure.want(get_root);
  secure.say(ok_abc);
  caller.want(first, 200, "abc");
  Trip& second = caller.get("http://127.0.0.1:443/");
  Peer& plain = origin.accept();
  plain.want("GET / HTTP/1.1\r\nHost: 127.0.0.1:443\r\nUser-Agent: pollux\r\n\r\n");
  plain.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_FALSE(second.trip.was_reused());
  Trip& third = caller.get("https://127.0.0.1:443/");
  secure.want("GET / HTTP/1.1\r\nHost: 127.0.0.1:443\r\nUser-Agent: pollux\r\n\r\n");
  secure.say(ok_abc);
  caller.want(third, 200, "abc");
  EXPECT_TRUE(third.trip.was_reused());
  EXPECT_EQ(caller.transport.hosts_used(), 2U);
  caller.expect_quiet(2);
}

// Where to connect is one thing, whom the certificate has to name another.
TEST(TransportTls, EndpointIsConnectedToAndTheNameOfTheUrlIsChecked) {
  Https https{with_certificate(certificates::site)};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(8443);
  const http::RoundTripOptions there{.endpoint = port::Endpoint{.address = port::Address::ipv4_loopback(8443)}};
  Trip& trip = caller.make("GET", "https://site.test/");
  trip.go(there);
  Peer& peer = origin.accept();
  peer.want("GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: pollux\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  Trip& other = caller.make("GET", "https://elsewhere.test/");
  other.go(there);
  static_cast<void>(origin.accept());
  caller.want_error(other, CallCause::tls);
  EXPECT_EQ(other.error.tls.error, tls::Error::wrong_name);
  // And plain http to the same endpoint is a third connection.
  Trip& plain = caller.make("GET", "http://site.test:443/");
  plain.go(there);
  Peer& third = origin.accept();
  third.set_layer(nullptr);
  static_cast<void>(third.want_containing("Host: site.test:443\r\n"));
  third.say(ok_abc);
  caller.want(plain, 200, "abc");
  caller.expect_quiet(2);
}

// ---- resumption

TEST_P(EachVersion, NextConnectionResumesTheSession) {
  Https https{only(GetParam())};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  for (const bool resumes : {false, true, true}) {
    Trip& trip = caller.get("https://127.0.0.1/");
    Peer& peer = origin.accept();
    peer.want(get_root);
    EXPECT_EQ(tls_of(peer).is_resumed(), resumes);
    peer.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
    caller.want(trip, 200, "abc");
    peer.want_closed();
  }
  EXPECT_EQ(caller.transport.counters().tls_handshakes, 3U);
  EXPECT_EQ(caller.transport.counters().tls_resumed, 2U);
  caller.expect_quiet();
}

// ---- what the handshake does not accept

struct Refusal {
  const char* name;
  const TestCertificate& certificate;
  tls::Error error;
};
class RefusedCertificate : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedCertificate, EndsTheRoundTripBeforeAByteOfIt) {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    HttpsOptions options = only(version);
    options.server.own = {GetParam().certificate};
    Https https{options};
    Caller<> caller{https.caller()};
    RawServer& origin = caller.talk.listen(443);
    Trip& trip = caller.make("GET", "https://site.test/");
    trip.go({.endpoint = port::Endpoint{.address = port::Address::ipv4_loopback(443)}});
    Peer& peer = origin.accept();
    caller.want_error(trip, CallCause::tls);
    EXPECT_EQ(trip.error.stage, CallStage::handshake);
    EXPECT_EQ(trip.error.tls.error, GetParam().error) << tls::describe(trip.error.tls.error);
    EXPECT_FALSE(trip.error.retry_safe) << "it would be refused again";
    EXPECT_FALSE(trip.error.is_timeout());
    EXPECT_EQ(trip.error.bytes_sent, 0U);
    peer.want_gone();
    EXPECT_EQ(caller.transport.counters().dials_failed, 1U);
    EXPECT_EQ(caller.transport.counters().tls_handshakes, 0U);
    caller.expect_quiet();
  }
}

INSTANTIATE_TEST_SUITE_P(Table, RefusedCertificate,
                         testing::Values(Refusal{"name", certificates::wrong_name, tls::Error::wrong_name},
                                         Refusal{"expired", certificates::expired, tls::Error::expired},
                                         Refusal{"authority", certificates::by_other_ca, tls::Error::unknown_authority},
                                         Refusal{"self_signed", certificates::self_signed, tls::Error::self_signed}),
                         [](const auto& refusal) { return std::string{refusal.param.name}; });

TEST(TransportTls, RefusedCertificateIsSaidInWords) {
  Https https{with_certificate(certificates::wrong_name)};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  static_cast<void>(origin.accept());
  caller.want_error(trip, CallCause::tls);
  std::array<char, 512> memory;
  std::array<char, 320> words;
  const std::string text{http::format_error(trip.error, "GET", "https://127.0.0.1/", memory)};
  EXPECT_TRUE(text.starts_with("Get \"https://127.0.0.1/\": TLS handshake with 127.0.0.1:443: ")) << text;
  EXPECT_NE(text.find(tls::describe(trip.error.tls, words)), std::string::npos) << text;
}

TEST(TransportTls, ServerThatAnswersInClearTextIsCalledThat) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_body(1));
  peer.say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  caller.want_error(trip, CallCause::tls);
  EXPECT_EQ(trip.error.stage, CallStage::handshake);
  EXPECT_EQ(trip.error.tls.error, tls::Error::peer_is_plain);
  EXPECT_FALSE(trip.error.retry_safe);
  caller.expect_quiet();
}

TEST(TransportTls, ServerThatIsNoTlsAtAllIsAProtocolError) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.say("220 mail.test ESMTP\r\n");
  caller.want_error(trip, CallCause::tls);
  EXPECT_EQ(trip.error.tls.error, tls::Error::protocol);
  caller.expect_quiet();
}

TEST(TransportTls, ServerThatGoesInTheHandshakeMayBeTriedAgain) {
  for (const bool resets : {false, true}) {
    Https https{{.servers_are_plain = true}};
    Caller<> caller{https.caller()};
    RawServer& origin = caller.talk.listen(443);
    Trip& trip = caller.get("https://127.0.0.1/");
    Peer& peer = origin.accept();
    static_cast<void>(peer.want_body(100));
    if (resets) {
      peer.reset();
    } else {
      static_cast<void>(peer.take());
      peer.finish();
    }
    caller.want_error(trip, CallCause::tls);
    EXPECT_EQ(trip.error.stage, CallStage::handshake);
    EXPECT_EQ(trip.error.tls.error, resets ? tls::Error::lost : tls::Error::closed);
    EXPECT_TRUE(trip.error.retry_safe);
    EXPECT_FALSE(trip.error.reused);
    caller.expect_quiet();
  }
}

TEST(TransportTls, AlertOfTheServerIsToldByItsNumber) {
  HttpsOptions options = only(TlsVersion::tls12);
  options.server.suites = {0xC0AF};  // TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8: not one of ours
  Https https{options};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  static_cast<void>(origin.accept());
  caller.want_error(trip, CallCause::tls);
  EXPECT_EQ(trip.error.tls.error, tls::Error::alert);
  EXPECT_EQ(trip.error.tls.alert, 40) << "handshake_failure";
  caller.expect_quiet();
}

// TLS 1.3: the client is through when the server looks at its certificate, so the refusal comes as the answer to the request.
TEST(TransportTls, RefusalBehindTheHandshakeIsAMatterOfTls) {
  Https https{only(TlsVersion::tls13)};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want(get_root);
  tls_of(peer).say_alert(2, 116);
  caller.want_error(trip, CallCause::tls);
  EXPECT_EQ(trip.error.stage, CallStage::head);
  EXPECT_EQ(trip.error.tls.error, tls::Error::alert);
  EXPECT_EQ(trip.error.tls.alert, 116) << "certificate_required";
  EXPECT_EQ(trip.trip.retries(), 0U) << "a new connection is not stale";
  caller.expect_quiet();
}

// ---- time

TEST(TransportTls, SilentServerRunsIntoTheHandshakesDeadline) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 3s}})};
  RawServer& origin = caller.talk.listen(443);
  const port::Time start = caller.talk.now();
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::handshake);
  EXPECT_TRUE(trip.error.is_timeout());
  EXPECT_TRUE(trip.error.retry_safe);
  EXPECT_EQ(caller.talk.now() - start, 3s);
  peer.want_gone();
  caller.expect_quiet();
}

TEST(TransportTls, RoundTripsDeadlineEndsItInTheHandshake) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 4s}})};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.make("GET", "https://127.0.0.1/");
  trip.go({.timeout = 1s});
  static_cast<void>(origin.accept());
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::handshake);
  EXPECT_EQ(caller.transport.connections_used(), 1U) << "the dial goes on for others";
  caller.talk.advance(4s);
  caller.expect_quiet();
}

// A dial belongs to the host: its handshake survives the cancel of the one it was begun for.
TEST(TransportTls, HandshakeGoesOnForWhoeverComesNext) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  ASSERT_TRUE(caller.talk.run_until([&] { return https.context().handshakes_under_way() == 1; }));
  trip.trip.cancel();
  caller.want_error(trip, CallCause::cancelled);
  Peer& peer = origin.accept();
  ASSERT_TRUE(caller.talk.run_until([&] { return caller.transport.connections_idle() == 1; }));
  // Tickets come now (TLS 1.3). They are nothing that an idle connection says.
  caller.talk.advance(1s);
  EXPECT_EQ(caller.transport.connections_idle(), 1U);
  EXPECT_EQ(caller.transport.counters().unsolicited, 0U);
  Trip& next = caller.get("https://127.0.0.1/");
  peer.want(get_root);
  peer.say(ok_abc);
  caller.want(next, 200, "abc");
  EXPECT_EQ(caller.transport.counters().dials, 1U);
  caller.expect_quiet(1);
}

// The handshake's share of a turn: with none at all each step is a turn of its own, and no time passes.
TEST(TransportTls, HandshakeInSlicesNeedsTurnsAndNoTime) {
  HttpsOptions options;
  options.slice = port::Duration::zero();
  Https https{options};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  const port::Time start = caller.talk.now();
  const std::uint64_t turns = caller.loop.turns();
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want(get_root);
  EXPECT_EQ(caller.talk.now(), start);
  EXPECT_GE(caller.loop.turns() - turns, 8U);
  EXPECT_LE(caller.loop.turns() - turns, 60U);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

// ---- what runs out

// Of sessions: the one of an idle connection of another host.
TEST(TransportTls, IdleConnectionGivesItsSessionUp) {
  Https https{with_limits(1, 1)};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  RawServer& other = caller.talk.listen(444);
  Trip& first = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want(get_root);
  Trip& second = caller.get("https://127.0.0.1:444/");
  Peer& waiting = other.accept();
  waiting.want_nothing(1s);
  EXPECT_EQ(waiting.end().unread(), 0U) << "connected, and not a byte of TLS";
  EXPECT_EQ(caller.transport.counters().waited_for_tls, 1U);
  EXPECT_FALSE(second.is_over);
  peer.say(ok_abc);
  caller.want(first, 200, "abc");
  waiting.want("GET / HTTP/1.1\r\nHost: 127.0.0.1:444\r\nUser-Agent: pollux\r\n\r\n");
  peer.want_closed();
  EXPECT_EQ(caller.transport.counters().evicted, 1U);
  EXPECT_EQ(caller.transport.counters().waited_for_tls, 1U) << "counted once";
  waiting.say(ok_abc);
  caller.want(second, 200, "abc");
  caller.expect_quiet(1);
}

// An idle plain connection holds none, and is left alone; so does one of the same host, which the round trip would have taken.
TEST(TransportTls, SeveralWaitForASessionAndTheLoopWaitsToo) {
  Https https{{.limits = {.sessions = 1, .handshakes = 1}}};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 10s}})};
  RawServer& origin = caller.talk.listen(443);
  Trip& first = caller.get("https://127.0.0.1/1");
  Peer& busy = origin.accept();
  static_cast<void>(busy.want_containing("GET /1"));
  Trip& second = caller.get("https://127.0.0.1/2");
  Trip& third = caller.get("https://127.0.0.1/3");
  const std::uint64_t turns = caller.talk.turns();
  caller.talk.advance(5s);
  EXPECT_LT(caller.talk.turns() - turns, 60U);  // each is looked at once a second
  busy.say(ok_abc);
  caller.want(first, 200, "abc");
  second.trip.cancel();
  third.trip.cancel();
  caller.want_error(second, CallCause::cancelled);
  caller.want_error(third, CallCause::cancelled);
}

TEST(TransportTls, WaitForASessionEndsWithTheHandshakesDeadline) {
  Https https{{.limits = {.sessions = 1, .handshakes = 1}, .servers_are_plain = true}};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 2s}})};
  RawServer& plain = caller.talk.listen(80);
  RawServer& origin = caller.talk.listen(443);
  RawServer& other = caller.talk.listen(444);
  Trip& before = caller.make("GET", "http://127.0.0.1:80/");
  before.go();
  Peer& idle = plain.accept();
  static_cast<void>(idle.want_containing("\r\n\r\n"));
  idle.say(ok_abc);
  caller.want(before, 200, "abc");
  Trip& first = caller.get("https://127.0.0.1/");
  Peer& busy = origin.accept();
  https.wrap(busy);
  busy.want(get_root);
  const port::Time start = caller.talk.now();
  Trip& second = caller.get("https://127.0.0.1:444/");
  Peer& waiting = other.accept();
  caller.want_error(second, CallCause::timed_out);
  EXPECT_EQ(second.error.stage, CallStage::handshake);
  EXPECT_TRUE(second.error.retry_safe);
  EXPECT_EQ(caller.talk.now() - start, 2s);
  waiting.want_closed();
  EXPECT_EQ(caller.transport.counters().evicted, 0U);
  EXPECT_EQ(caller.transport.connections_idle(), 1U);
  busy.say(ok_abc);
  caller.want(first, 200, "abc");
  caller.expect_quiet(2);
}

TEST(TransportTls, ConnectionThatBreaksWhileItWaitsIsNoticed) {
  Https https{{.limits = {.sessions = 1, .handshakes = 1}, .servers_are_plain = true}};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  RawServer& other = caller.talk.listen(444);
  Trip& first = caller.get("https://127.0.0.1/");
  Peer& busy = origin.accept();
  https.wrap(busy);
  busy.want(get_root);
  Trip& second = caller.get("https://127.0.0.1:444/");
  Peer& waiting = other.accept();
  waiting.want_nothing(1s);
  const port::Time start = caller.talk.now();
  waiting.reset();
  caller.want_error(second, CallCause::tls);
  EXPECT_EQ(second.error.tls.error, tls::Error::lost);
  EXPECT_EQ(caller.talk.now(), start);
  busy.say(ok_abc);
  caller.want(first, 200, "abc");
  caller.expect_quiet(1);
}

// A dial that nobody waits for any more is the last to get a session, and closes nobody's connection for it.
TEST(TransportTls, DialOfNobodyStandsBehindTheOthers) {
  Https https{{.limits = {.sessions = 1, .handshakes = 1}, .servers_are_plain = true}};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  RawServer& other = caller.talk.listen(444);
  RawServer& third = caller.talk.listen(445);
  Trip& first = caller.get("https://127.0.0.1/");
  Peer& busy = origin.accept();
  https.wrap(busy);
  busy.want(get_root);
  Trip& gone = caller.get("https://127.0.0.1:444/");
  Peer& nobodys = other.accept();
  nobodys.want_nothing(10ms);
  gone.trip.cancel();
  busy.say(ok_abc);
  caller.want(first, 200, "abc");
  nobodys.want_nothing(1s);
  EXPECT_EQ(caller.transport.counters().evicted, 0U);
  Trip& wanted = caller.get("https://127.0.0.1:445/");
  Peer& peer = third.accept();
  https.wrap(peer);
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  EXPECT_EQ(caller.transport.counters().evicted, 1U);
  peer.say(ok_abc);
  caller.want(wanted, 200, "abc");
  caller.talk.advance(10s);  // its handshake's deadline is over
  nobodys.want_closed();
  caller.expect_quiet(1);
}

// Handshakes end by themselves, and the next one begins: first in, first out.
TEST(TransportTls, HandshakesWaitForEachOther) {
  Https https{{.limits = {.sessions = 3, .handshakes = 1}, .servers_are_plain = true}};
  Caller<> caller{https.caller({.max_idle_conns_per_host = 4})};
  RawServer& origin = caller.talk.listen(443);
  std::vector<Trip*> trips;
  std::vector<Peer*> peers;
  for (int i = 0; i < 3; ++i) {
    trips.push_back(&caller.get("https://127.0.0.1/"));
    peers.push_back(&origin.accept());
    peers.back()->stop_reading();
  }
  const port::Time start = caller.talk.now();
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(caller.talk.run_until([&] { return peers[i]->end().unread() != 0; })) << i;
    EXPECT_EQ(https.context().handshakes_under_way(), 1U);
    for (std::size_t later = i + 1; later < 3; ++later) {
      EXPECT_EQ(peers[later]->end().unread(), 0U);
    }
    https.wrap(*peers[i]);
    peers[i]->resume_reading();
    peers[i]->want(get_root);
  }
  EXPECT_EQ(caller.talk.now(), start) << "the next begins as soon as one is over";
  EXPECT_EQ(caller.transport.counters().waited_for_tls, 2U);
  for (std::size_t i = 0; i < 3; ++i) {
    peers[i]->say(ok_abc);
    caller.want(*trips[i], 200, "abc");
  }
  caller.expect_quiet(3);
}

// Several transports may share a context: one notices what another gives back.
TEST(TransportTls, SessionOfAnotherTransportIsWaitedForToo) {
  Https https{with_limits(1, 1)};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 1h}})};
  auto storage = std::make_unique<http::TransportStorage<caller_limits>>();
  http::Transport second{{.loop = caller.loop, .memory = storage->memory(), .tls = &https.context()}};
  RawServer& origin = caller.talk.listen(443);
  Trip mine{second};
  static_cast<void>(mine.trip.request().start("GET", "https://127.0.0.1/"));
  mine.go();
  Peer& busy = origin.accept();
  busy.want(get_root);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& waiting = origin.accept();
  waiting.want_nothing(5s);
  const port::Time start = caller.talk.now();
  busy.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
  waiting.want(get_root);
  EXPECT_EQ(caller.talk.now(), start);
  waiting.say(ok_abc);
  caller.want(trip, 200, "abc");
  EXPECT_EQ(mine.body, "abc");
  EXPECT_EQ(second.check(), "");
}

// ---- a clock that nobody has set

constexpr port::WallTime later_floor{.seconds = test_clock_floor.seconds + 400LL * 24 * 3600};

HttpsOptions without_clock(tls::ClockPolicy policy) {
  HttpsOptions options;
  options.clock = policy;
  options.clock_floor = later_floor;
  return options;
}

TEST(TransportTls, ClockThatIsNotSetIsAnErrorOfItsOwn) {
  HttpsOptions options = without_clock(tls::ClockPolicy::refuse);
  options.servers_are_plain = true;
  Https https{options};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  caller.want_error(trip, CallCause::tls);
  EXPECT_EQ(trip.error.stage, CallStage::handshake);
  EXPECT_EQ(trip.error.tls.error, tls::Error::clock_not_set);
  EXPECT_EQ(trip.error.tls.now_seconds, caller.talk.network().wall_clock().seconds);
  EXPECT_TRUE(trip.error.retry_safe);
  peer.want_closed();
  caller.expect_quiet();
}

TEST(TransportTls, ClockIsWaitedFor) {
  Https https{without_clock(tls::ClockPolicy::wait)};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want_nothing(5s);
  EXPECT_EQ(caller.transport.counters().waited_for_tls, 0U) << "a session is free";
  caller.talk.network().set_wall_clock({.seconds = later_floor.seconds + 3600});
  const port::Time start = caller.talk.now();
  peer.want(get_root);
  EXPECT_LE(caller.talk.now() - start, 1s);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

TEST(TransportTls, WaitForTheClockEndsWithTheDeadlineAndSaysWhy) {
  Https https{without_clock(tls::ClockPolicy::wait)};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 2500ms}})};
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  static_cast<void>(origin.accept());
  const port::Time start = caller.talk.now();
  caller.want_error(trip, CallCause::tls);
  EXPECT_EQ(trip.error.tls.error, tls::Error::clock_not_set);
  EXPECT_EQ(caller.talk.now() - start, 2500ms);
  caller.expect_quiet();
}

// ---- ends

struct Ending {
  const char* name;
  std::string_view said;
  bool says_notify;
  CallCause cause;
  std::string_view body;
};
class EndOfTheConnection : public testing::TestWithParam<Ending> {};

// RFC 9112 section 9.8: without close_notify only a message that says its own length is complete.
TEST_P(EndOfTheConnection, CompletesTheBodyOrCutsIt) {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    Https https{only(version)};
    Caller<> caller{https.caller()};
    RawServer& origin = caller.talk.listen(443);
    Trip& trip = caller.get("https://127.0.0.1/");
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(GetParam().said);
    caller.talk.advance(10ms);
    if (GetParam().says_notify) {
      peer.finish();
    } else {
      port::SimPeer end = peer.end();
      end.finish();
    }
    ASSERT_TRUE(caller.run(trip));
    EXPECT_EQ(trip.error.cause, GetParam().cause) << http::describe(trip.error.cause);
    EXPECT_EQ(trip.body, GetParam().body);
    EXPECT_EQ(trip.answers, 1);
    const bool is_truncated = GetParam().cause != CallCause::none && !GetParam().says_notify;
    EXPECT_EQ(trip.error.tls.error, is_truncated ? tls::Error::truncated : tls::Error::none);
    EXPECT_EQ(trip.trip.retries(), 0U);
    caller.expect_quiet();
  }
}

constexpr auto none = CallCause::none;
constexpr auto closed = CallCause::closed;
INSTANTIATE_TEST_SUITE_P(
    Table, EndOfTheConnection,
    testing::Values(Ending{"until_close", "HTTP/1.1 200 OK\r\n\r\nabc", true, none, "abc"},
                    Ending{"until_close_cut", "HTTP/1.1 200 OK\r\n\r\nabc", false, closed, "abc"},
                    Ending{"until_close_empty", "HTTP/1.1 200 OK\r\n\r\n", true, none, ""},
                    Ending{"until_close_empty_cut", "HTTP/1.1 200 OK\r\n\r\n", false, closed, ""},
                    Ending{"sized", ok_abc, true, none, "abc"}, Ending{"sized_cut", ok_abc, false, none, "abc"},
                    Ending{"sized_short", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", true, closed, "abc"},
                    Ending{"sized_short_cut", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", false, closed, "abc"},
                    Ending{"chunked_cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                           false, none, "abc"},
                    Ending{"chunked_short_cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                           false, closed, "abc"},
                    Ending{"head_cut", "HTTP/1.1 200 OK\r\nContent-Le", false, closed, ""},
                    Ending{"nothing", "", true, closed, ""}, Ending{"nothing_cut", "", false, closed, ""}),
    [](const auto& ending) { return std::string{ending.param.name}; });

// Before the first byte of an answer it is the server's close, as FIN is on a plain connection: the request is repeated.
TEST(TransportTls, StaleConnectionIsReplacedHoweverItEnds) {
  enum class End { notify, fin, reset, alert };
  for (const End how : {End::notify, End::fin, End::reset, End::alert}) {
    Https https;
    Caller<> caller{https.caller()};
    RawServer& origin = caller.talk.listen(443);
    Trip& first = caller.get("https://127.0.0.1/");
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(ok_abc);
    caller.want(first, 200, "abc");
    Trip& second = caller.get("https://127.0.0.1/");
    peer.want(get_root);
    port::SimPeer end = peer.end();
    switch (how) {
      case End::notify:
        peer.finish();
        break;
      case End::fin:
        end.finish();
        break;
      case End::reset:
        peer.reset();
        break;
      case End::alert:
        tls_of(peer).say_alert(2, 80);
        peer.say("x");  // the alert goes out in front of it
        break;
    }
    Peer& next = origin.accept();
    next.want(get_root);
    next.say(ok_abc);
    caller.want(second, 200, "abc");
    EXPECT_EQ(second.trip.retries(), 1U) << static_cast<int>(how);
    caller.expect_quiet(1);
  }
}

TEST(TransportTls, IdleConnectionEndsWithAndWithoutCloseNotify) {
  for (const bool says_notify : {true, false}) {
    Https https;
    Caller<> caller{https.caller()};
    RawServer& origin = caller.talk.listen(443);
    Trip& trip = caller.get("https://127.0.0.1/");
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(ok_abc);
    caller.want(trip, 200, "abc");
    if (says_notify) {
      peer.finish();
    } else {
      port::SimPeer end = peer.end();
      end.finish();
    }
    caller.expect_quiet();
    EXPECT_EQ(caller.transport.counters().idle_closed, 1U);
    EXPECT_EQ(caller.transport.counters().unsolicited, 0U);
  }
}

TEST(TransportTls, WhatAnIdleConnectionSaysEndsIt) {
  for (const bool is_timeout : {false, true}) {
    Https https;
    Caller<> caller{https.caller()};
    RawServer& origin = caller.talk.listen(443);
    Trip& trip = caller.get("https://127.0.0.1/");
    Peer& peer = origin.accept();
    peer.want(get_root);
    peer.say(ok_abc);
    caller.want(trip, 200, "abc");
    caller.talk.advance(100ms);
    peer.say(is_timeout ? "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n");
    caller.expect_quiet();
    EXPECT_EQ(caller.transport.counters().unsolicited, is_timeout ? 0U : 1U);
  }
}

// A request that is complete ends with close_notify, whatever becomes of the answer; one that was broken off without.
TEST(TransportTls, RequestThatIsBrokenOffEndsWithoutCloseNotify) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Pieces pieces{{"abc", "", "def"}};
  Trip& cut = caller.make("POST", "https://127.0.0.1/");
  cut.trip.request().set_body({.kind = http::RequestBody::Kind::source, .source = pieces.source()});
  cut.go();
  Peer& first = origin.accept();
  static_cast<void>(first.want_containing("3\r\nabc\r\n"));
  caller.talk.advance(1ms);  // the server's tickets are read: a socket that is closed with unread bytes resets
  cut.trip.cancel();
  first.want_cut();
  Trip& whole = caller.get("https://127.0.0.1/");
  Peer& second = origin.accept();
  second.want(get_root);
  caller.talk.advance(1ms);
  whole.trip.cancel();
  second.want_closed();
  caller.expect_quiet();
}

// ---- bytes that TLS has and the socket has not

std::string sized(std::size_t size, std::string_view fields = {}) {
  return "HTTP/1.1 200 OK\r\n" + std::string{fields} + "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

// One record holds more than the buffer has room for beside the head, and nothing follows it.
TEST_P(EachVersion, RecordLargerThanTheRoomIsReadWithoutWaiting) {
  Https https{only(GetParam())};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  const std::string body(caller_limits.in_buffer, 'x');
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(sized(body.size()));
  caller.talk.advance(1ms);
  const port::Time start = caller.talk.now();
  peer.say(body);
  caller.want(trip, 200, body);
  EXPECT_EQ(caller.talk.now(), start);
  caller.expect_quiet(1);
}

// The body is wanted late: what TLS holds is read when there is room, without a spinning loop meanwhile.
TEST(TransportTls, ReaderThatStopsFindsTheRestLater) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  const std::string body(caller_limits.in_buffer, 'x');
  Trip& trip = caller.make("GET", "https://127.0.0.1/");
  trip.use = Trip::Use::keep;
  trip.go();
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(sized(body.size()));
  caller.talk.advance(1ms);
  peer.say(body);
  caller.talk.advance(1s);
  EXPECT_LT(trip.response.body().size(), body.size());
  const std::uint64_t turns = caller.loop.turns();
  caller.talk.advance(10s);
  EXPECT_LE(caller.loop.turns() - turns, 10U);
  const port::Time start = caller.talk.now();
  trip.read();
  ASSERT_TRUE(caller.talk.run_until([&] { return !trip.response.body().empty(); }));
  EXPECT_EQ(caller.talk.now(), start);
  trip.read();
  EXPECT_TRUE(trip.is_over);
  EXPECT_EQ(trip.body, body);
  caller.expect_quiet(1);
}

// The answer fills the buffer to its last byte, and the same record says more: the next request must not take that for its answer.
TEST(TransportTls, BytesBehindTheAnswerInTheSameRecordAreUnsolicited) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  std::string answer = sized(1000);
  answer = sized(caller_limits.in_buffer - answer.size());
  answer.resize(caller_limits.in_buffer, 'x');
  Trip& first = caller.get("https://127.0.0.1/");
  Trip& second = caller.make("GET", "https://127.0.0.1/2");
  struct Follow {
    Trip& next;
    void over(Trip&) { next.go(); }
  } follow{second};
  first.then = net::callback<&Follow::over>(follow);
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(answer + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  ASSERT_TRUE(caller.run(first));
  EXPECT_EQ(first.error.cause, CallCause::none);
  Peer& next = origin.accept();
  next.want("GET /2 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: pollux\r\n\r\n");
  next.say(ok_abc);
  caller.want(second, 200, "abc");
  EXPECT_EQ(caller.transport.counters().unsolicited, 1U);
  caller.expect_quiet(1);
}

// A record is handed out only when it is whole. A slow line takes its time for one, and that is no silence.
TEST(TransportTls, RecordThatComesSlowlyIsNoSilence) {
  HttpsOptions options;
  options.peer.piece_size = 100;
  Https https{options};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 1h, .body_idle = 2s}})};
  caller.talk.set_patience(1h);
  caller.talk.network().link().bytes_per_second = 500;
  RawServer& origin = caller.talk.listen(443);
  Trip& trip = caller.get("https://127.0.0.1/");
  Peer& peer = origin.accept();
  peer.want(get_root);
  peer.say(sized(4000));
  ASSERT_TRUE(caller.talk.run_until([&] { return trip.status == 200; }));
  const port::Time start = caller.talk.now();
  peer.say(std::string(4000, 'x'));
  caller.want(trip, 200, std::string(4000, 'x'));
  EXPECT_GE(caller.talk.now() - start, 7s);
  caller.expect_quiet(1);
}

// ---- bodies out

TEST_P(EachVersion, LargeBodyGoesOutAsTheServerTakesIt) {
  Https https{only(GetParam())};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  std::string body(300'000, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) {
    body[i] = static_cast<char>('a' + i % 23);
  }
  Trip& trip = caller.make("PUT", "https://127.0.0.1/");
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  peer.want_connected();
  peer.stop_reading();
  caller.talk.advance(1s);
  peer.read_slowly(100'000);
  static_cast<void>(peer.want_containing("Content-Length: 300000\r\n\r\n"));
  const std::string got = peer.want_body(300'000);
  EXPECT_EQ(got.size(), body.size());
  EXPECT_EQ(std::mismatch(got.begin(), got.end(), body.begin(), body.end()).first - got.begin(), 300'000);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

// A source of so many letters, in pieces of changing sizes.
struct Letters {
  std::size_t size = 0;
  std::size_t given = 0;
  int asked = 0;
  [[nodiscard]] http::BodySource source() {
    return {.pull = [](void* object, std::span<char> out,
                       std::uint64_t) { return static_cast<Letters*>(object)->pull(out); },
            .object = this};
  }
  http::PullResult pull(std::span<char> out) {
    ++asked;
    const std::size_t piece = std::min({out.size(), size - given, static_cast<std::size_t>(1 + asked * 97 % 300)});
    for (std::size_t i = 0; i < piece; ++i, ++given) {
      out[i] = letter(given);
    }
    return {given == size ? http::PullResult::Kind::end : http::PullResult::Kind::more, piece};
  }
  [[nodiscard]] static char letter(std::size_t at) { return static_cast<char>('a' + at % 23); }
};

// The buffer is filled up again behind bytes that are encrypted already: they have to stay in front, and as they are.
TEST_P(EachVersion, SourceGoesOutThroughASlowSocket) {
  Https https{only(GetParam())};
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  Letters letters{.size = 200'000};
  std::string body;
  for (std::size_t i = 0; i < letters.size; ++i) {
    body += Letters::letter(i);
  }
  Trip& trip = caller.make("PUT", "https://127.0.0.1/");
  trip.trip.request().set_body(
      {.kind = http::RequestBody::Kind::source, .size = letters.size, .source = letters.source()});
  trip.go();
  Peer& peer = origin.accept();
  peer.want_connected();
  peer.stop_reading();
  caller.talk.advance(1s);
  EXPECT_LT(letters.given, letters.size) << "the socket is full";
  peer.read_slowly(100'000);
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  EXPECT_TRUE(peer.want_body(body.size()) == body);
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

// The server refuses the body and closes while it still comes: what it said counts.
TEST(TransportTls, AnswerThatComesBeforeTheBodyIsOutIsRead) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  const std::string body(1'000'000, 'x');
  Trip& trip = caller.make("PUT", "https://127.0.0.1/");
  trip.trip.request().set_body(body);
  trip.go();
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.stop_reading();
  peer.say("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!");
  peer.finish();
  caller.want(trip, 413, "no!");
  caller.expect_quiet();
}

// ---- proxies

struct ThroughProxy {
  ThroughProxy(std::string_view url) {
    EXPECT_EQ(proxy.parse(url), http::ProxyError::none);
    settings.set(proxy);
  }
  http::Proxy proxy;
  http::ProxySettings settings;
};

TEST(TransportTls, HttpProxyIsAskedToConnect) {
  ThroughProxy through{"http://user:pw@127.0.0.1:3128"};
  Https https{{.server = {.is_client = false, .own = {certificates::site}}, .servers_are_plain = true}};
  Caller<> caller{https.caller({.proxy = &through.settings})};
  RawServer& proxy = caller.talk.listen(3128);
  Story story;
  Trip& trip = caller.make("GET", "https://site.test/");
  trip.go(story.options());
  Peer& peer = proxy.accept();
  peer.want(
      "CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\nUser-Agent: pollux\r\n"
      "Proxy-Authorization: Basic dXNlcjpwdw==\r\n\r\n");
  peer.stop_reading();
  peer.say("HTTP/1.1 200 Connection established\r\n\r\n");
  ASSERT_TRUE(caller.talk.run_until([&] { return peer.end().unread() != 0; }));
  https.wrap(peer);
  peer.resume_reading();
  peer.want("GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: pollux\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  EXPECT_TRUE(story.has(TraceEvent::proxy_done));
  EXPECT_TRUE(story.has(TraceEvent::tls_done));
  // The tunnel is the target's: another host has its own.
  Trip& other = caller.make("GET", "https://other.test/");
  other.go();
  Peer& second = proxy.accept();
  static_cast<void>(second.want_containing("CONNECT other.test:443 HTTP/1.1\r\n"));
  static_cast<void>(second.want_containing("\r\n\r\n"));
  second.stop_reading();
  second.say("HTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(caller.talk.run_until([&] { return second.end().unread() != 0; }));
  https.wrap(second);
  second.resume_reading();
  caller.want_error(other, CallCause::tls);
  EXPECT_EQ(other.error.tls.error, tls::Error::wrong_name);
  EXPECT_TRUE(other.error.through_proxy);
  caller.expect_quiet(1);
}

TEST(TransportTls, ProxyThatSpeaksForTheTargetIsRefused) {
  ThroughProxy through{"127.0.0.1:3128"};
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller({.proxy = &through.settings})};
  RawServer& proxy = caller.talk.listen(3128);
  Trip& trip = caller.get("https://site.test/");
  Peer& peer = proxy.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03");
  caller.want_error(trip, CallCause::proxy_failed);
  EXPECT_EQ(trip.error.stage, CallStage::proxy);
  caller.expect_quiet();
}

TEST(TransportTls, ProxyThatRefusesIsNamed) {
  ThroughProxy through{"127.0.0.1:3128"};
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller({.proxy = &through.settings})};
  RawServer& proxy = caller.talk.listen(3128);
  Trip& trip = caller.get("https://site.test/");
  Peer& peer = proxy.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  caller.want_error(trip, CallCause::proxy_refused);
  EXPECT_EQ(trip.error.status, 403);
  caller.expect_quiet();
}

TEST(TransportTls, SocksProxyCarriesTls) {
  ThroughProxy through{"socks5h://127.0.0.1"};
  Https https{{.server = {.is_client = false, .own = {certificates::site}}, .servers_are_plain = true}};
  Caller<> caller{https.caller({.proxy = &through.settings})};
  RawServer& proxy = caller.talk.listen(1080);
  Trip& trip = caller.get("https://site.test/");
  Peer& peer = proxy.accept();
  using namespace std::string_view_literals;
  peer.want("\x05\x01\x00"sv);
  peer.say("\x05\x00"sv);
  peer.want("\x05\x01\x00\x03\x09site.test\x01\xbb"sv);
  peer.stop_reading();
  peer.say("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"sv);
  ASSERT_TRUE(caller.talk.run_until([&] { return peer.end().unread() != 0; }));
  https.wrap(peer);
  peer.resume_reading();
  peer.want("GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: pollux\r\n\r\n");
  peer.say(ok_abc);
  caller.want(trip, 200, "abc");
  caller.expect_quiet(1);
}

TEST(TransportTls, HandshakesDeadlineBeginsBehindTheTunnel) {
  ThroughProxy through{"127.0.0.1:3128"};
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller({.timeouts = {.tls_handshake = 2s, .proxy = 10s}, .proxy = &through.settings})};
  RawServer& proxy = caller.talk.listen(3128);
  Trip& trip = caller.get("https://site.test/");
  Peer& peer = proxy.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  caller.talk.advance(4s);
  const port::Time start = caller.talk.now();
  peer.say("HTTP/1.1 200 OK\r\n\r\n");
  caller.want_error(trip, CallCause::timed_out);
  EXPECT_EQ(trip.error.stage, CallStage::handshake);
  EXPECT_EQ(caller.talk.now() - start, 2s);
  caller.expect_quiet();
}

// ---- calls: from http to https and back

TEST(TransportTls, CallKeepsWhatIsSecretWithTls) {
  Https https{{.servers_are_plain = true}};
  Caller<> caller{https.caller()};
  http::CookieJarStorage<4, 128> jar_storage{};
  http::CookieJar jar{jar_storage.memory()};
  http::Client client{{.transport = caller.transport, .jar = &jar, .decode = false}};
  const auto memory = std::make_unique<http::CallStorage<>>();
  http::Call call{client, memory->memory()};
  struct Seen {
    int status = 0;
    void answered(http::Response& response) { status = response.status(); }
  } seen;
  RawServer& plain = caller.talk.listen(80);
  RawServer& secure = caller.talk.listen(443);
  call.request().start("GET", "https://127.0.0.1/a");
  call.request().add("Authorization", "Bearer x");
  call.go(net::callback<&Seen::answered>(seen));
  Peer& peer = secure.accept();
  https.wrap(peer);
  std::string head = peer.want_containing("\r\n\r\n");
  EXPECT_NE(head.find("Authorization: Bearer x\r\n"), std::string::npos);
  peer.say("HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: s=1; Secure\r\nContent-Length: 0\r\n\r\n");
  head = peer.want_containing("\r\n\r\n");
  EXPECT_NE(head.find("Cookie: s=1\r\n"), std::string::npos);
  EXPECT_NE(head.find("Referer: https://127.0.0.1/a\r\n"), std::string::npos);
  EXPECT_NE(head.find("Authorization: Bearer x\r\n"), std::string::npos);
  peer.say("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/c\r\nContent-Length: 0\r\n\r\n");
  Peer& clear = plain.accept();
  head = clear.want_containing("\r\n\r\n");
  for (const std::string_view secret : {"Cookie", "Referer", "Authorization"}) {
    EXPECT_EQ(head.find(secret), std::string::npos) << head;
  }
  clear.say("HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/d\r\nContent-Length: 0\r\n\r\n");
  head = peer.want_containing("\r\n\r\n");
  EXPECT_NE(head.find("Cookie: s=1\r\n"), std::string::npos);
  EXPECT_NE(head.find("Referer: http://127.0.0.1/c\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Authorization"), std::string::npos) << "it stays dropped";
  peer.say("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(caller.talk.run_until([&] { return seen.status != 0; }));
  EXPECT_EQ(seen.status, 204);
  EXPECT_EQ(caller.transport.counters().dials, 2U);
  caller.expect_quiet(2);
}

// ---- taking the connection over

TEST(TransportTls, UpgradeHandsTheTlsStreamOver) {
  Https https;
  Caller<> caller{https.caller()};
  RawServer& origin = caller.talk.listen(443);
  struct Taker {
    std::optional<http::Upgraded> taken;
    std::string received;
    void answered(http::Response& response) {
      taken = response.upgrade();
      if (taken) {
        received = taken->received;
      }
    }
  } taker;
  taker.received.reserve(64);
  Trip& trip = caller.make("GET", "https://127.0.0.1/");
  ASSERT_EQ(trip.trip.request().add("Connection", "Upgrade"), CallCause::none);
  ASSERT_EQ(trip.trip.request().add("Upgrade", "echo"), CallCause::none);
  trip.trip.start(net::callback<&Taker::answered>(taker));
  Peer& peer = origin.accept();
  static_cast<void>(peer.want_containing("\r\n\r\n"));
  peer.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");
  ASSERT_TRUE(caller.talk.run_until([&] { return taker.taken.has_value(); }));
  EXPECT_EQ(taker.received, "hello");
  net::Stream stream = taker.taken->stream;
  EXPECT_TRUE(stream.is_tls());
  EXPECT_EQ(stream.send("back", {}, false).size, 4U);
  peer.want("back");
  EXPECT_EQ(https.context().sessions_used(), 1U);
  stream.close();
  EXPECT_EQ(https.context().sessions_used(), 0U);
  peer.want_closed();
  caller.expect_quiet();
}

}  // namespace
}  // namespace pollux::test
