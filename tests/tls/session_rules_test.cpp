// Sessions that are refused, and rules of the contexts: certificates good and bad, the clock, pins, tickets, admission, reload; alerts, garbage
// and what else peers send.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/emulated.hpp"
#include "tests/tls/session_support.hpp"

namespace pollux::test {
namespace {

using namespace std::literals;

class RulesOf : public testing::TestWithParam<TlsVersion> {};
INSTANTIATE_TEST_SUITE_P(Tls, RulesOf, each_version, version_name_of);

constexpr std::uint8_t record_handshake = 22;
constexpr std::uint8_t record_data = 23;

tls::Digest pin_of(const TestCertificate& certificate) {
  Conversation talk;
  TestLibrary library{talk.port()};
  const auto info = tls::read_certificate(*library, certificate.certificate);
  EXPECT_TRUE(info);
  return info->public_key;
}

// ---- the server's certificate

struct BadServer {
  const char* name;
  TestCertificate own;
  tls::Error error;
  int alert;  // that the server gets
  const char* host = "site.test";
};

constexpr int alert_bad_certificate = 42;
constexpr int alert_unsupported_certificate = 43;
constexpr int alert_expired = 45;
constexpr int alert_certificate_unknown = 46;
constexpr int alert_unknown_ca = 48;

const BadServer bad_servers[]{
    {"Expired", certificates::expired, tls::Error::expired, alert_expired},
    {"NotYetValid", certificates::not_yet_valid, tls::Error::not_yet_valid, alert_certificate_unknown},
    {"WrongName", certificates::wrong_name, tls::Error::wrong_name, alert_bad_certificate},
    {"CommonNameOnly", certificates::common_name_only, tls::Error::wrong_name, alert_bad_certificate},
    {"AnotherHost", certificates::second, tls::Error::wrong_name, alert_bad_certificate},
    {"WildcardOfTwoLabels", certificates::wildcard, tls::Error::wrong_name, alert_bad_certificate, "a.b.wild.test"},
    {"WildcardOfNone", certificates::wildcard, tls::Error::wrong_name, alert_bad_certificate, "wild.test"},
    {"AnotherAddress", certificates::site, tls::Error::wrong_name, alert_bad_certificate, "192.0.2.81"},
    {"OtherAuthority", certificates::by_other_ca, tls::Error::unknown_authority, alert_unknown_ca},
    {"ExpiredAuthority", certificates::by_expired_ca, tls::Error::expired, alert_expired},
    {"SelfSigned", certificates::self_signed, tls::Error::self_signed, alert_unknown_ca},
    {"MissingIntermediate", certificates::by_intermediate_alone, tls::Error::unknown_authority, alert_unknown_ca},
    {"WeakKey", certificates::weak_key, tls::Error::weak_key, alert_unsupported_certificate},
    {"Sha1", certificates::sha1, tls::Error::weak_signature, alert_certificate_unknown},
    {"WrongUsage", certificates::wrong_usage, tls::Error::wrong_usage, alert_unsupported_certificate},
};

class BadServerOf : public testing::TestWithParam<std::tuple<TlsVersion, BadServer>> {};
INSTANTIATE_TEST_SUITE_P(Tls, BadServerOf, testing::Combine(each_version, testing::ValuesIn(bad_servers)),
                         [](const auto& which) {
                           const auto version = std::get<0>(which.param);
                           return std::get<1>(which.param).name +
                                  std::string{version == TlsVersion::tls12 ? "Tls12" : "Tls13"};
                         });

TEST_P(BadServerOf, IsRefusedByName) {
  const auto& [version, bad] = GetParam();
  ClientWorld world{{.trust = {certificates::ca, certificates::rsa_ca, certificates::expired_ca},
                     .servers = {.is_client = false, .min = version, .max = version, .own = {bad.own}}}};
  Link& link = world.connect(bad.host);
  Peer& peer = world.accept();
  link.out = "secret";
  world.want_error(link, bad.error);
  EXPECT_FALSE(link.info.verified);
  EXPECT_EQ(link.out, "secret");
  if (bad.error == tls::Error::expired) {
    EXPECT_EQ(link.error.date_seconds, 1'767'139'200);  // 2025-12-31
    EXPECT_EQ(link.error.now_seconds, 1'767'225'600);   // 2026-01-01
  } else if (bad.error == tls::Error::not_yet_valid) {
    EXPECT_EQ(link.error.date_seconds, 1'767'312'000);  // 2026-01-02
  }
  peer.want_gone();
  EXPECT_TRUE(tls_of(peer).is_failed());
  EXPECT_EQ(tls_of(peer).alert(), bad.alert);
  EXPECT_EQ(world.context.counters().failed, 1U);
  EXPECT_EQ(world.context.counters().handshakes, 0U);
  world.want_quiet();
}

TEST_P(BadServerOf, IsTakenByWhoDoesNotLook) {
  const auto& [version, bad] = GetParam();
  if (version == TlsVersion::tls13 && bad.error == tls::Error::weak_key) {
    GTEST_SKIP() << "mbedTLS's TLS 1.3 takes no such key in any case";
  }
  ClientWorld world{{.verify = tls::Verify::insecure_none,
                     .servers = {.is_client = false, .min = version, .max = version, .own = {bad.own}}}};
  Link& link = world.connect(bad.host);
  world.accept().say("hello");
  world.want_open(link);
  world.want(link, "hello");
  EXPECT_FALSE(link.info.verified);
  EXPECT_TRUE(link.info.has_peer);
}

TEST_P(RulesOf, ACurveThatIsNotTaken) {
  // The raw end cannot use it either: all that can be looked at is a server that has nothing the client knows.
  ClientWorld world{{.servers = {.is_client = false,
                                 .min = GetParam(),
                                 .max = GetParam(),
                                 .signatures = {0x0806},  // RSA-PSS with SHA-512
                                 .own = {certificates::site}}}};
  Link& link = world.connect();
  world.accept();
  world.want_error(link, tls::Error::alert);
  EXPECT_EQ(link.error.alert, 40);
}

struct GoodServer {
  const char* name;
  TestCertificate own;
  const char* host;
};
const GoodServer good_servers[]{
    {"Name", certificates::site, "site.test"},
    {"NameInUpperCase", certificates::site, "SITE.Test"},
    {"NameWithADot", certificates::site, "site.test."},
    {"SecondName", certificates::second, "www.second.test"},
    {"Wildcard", certificates::wildcard, "a.wild.test"},
    {"Ipv4", certificates::site, "192.0.2.80"},
    {"Ipv6", certificates::site, "2001:db8::80"},
    {"Ipv6WrittenAtLength", certificates::site, "2001:0DB8:0:0:0:0:0:80"},
    {"P384", certificates::site_p384, "site.test"},
    {"Rsa", certificates::site_rsa, "site.test"},
    {"Intermediate", certificates::by_intermediate, "site.test"},
};
class GoodServerOf : public testing::TestWithParam<std::tuple<TlsVersion, GoodServer>> {};
INSTANTIATE_TEST_SUITE_P(Tls, GoodServerOf, testing::Combine(each_version, testing::ValuesIn(good_servers)),
                         [](const auto& which) {
                           const auto version = std::get<0>(which.param);
                           return std::get<1>(which.param).name +
                                  std::string{version == TlsVersion::tls12 ? "Tls12" : "Tls13"};
                         });

TEST_P(GoodServerOf, IsTaken) {
  const auto& [version, good] = GetParam();
  ClientWorld world{{.trust = {certificates::ca, certificates::rsa_ca},
                     .servers = {.is_client = false, .min = version, .max = version, .own = {good.own}}}};
  Link& link = world.connect(good.host);
  world.accept().say("hello");
  world.want_open(link);
  world.want(link, "hello");
  EXPECT_TRUE(link.info.verified);
}

TEST_P(RulesOf, ATrustedSelfSignedCertificateIsTaken) {
  TlsEndOptions servers = servers_of(GetParam());
  servers.own = {certificates::self_signed};
  ClientWorld world{{.trust = {certificates::self_signed.certificate}, .servers = servers}};
  Link& link = world.connect();
  world.accept();
  world.want_open(link);
  EXPECT_TRUE(link.info.verified);
}

TEST_P(RulesOf, WhoTrustsNobodyTakesNobody) {
  ClientWorld world{{.trusts_nobody = true, .servers = servers_of(GetParam())}};
  Link& link = world.connect();
  world.accept();
  world.want_error(link, tls::Error::unknown_authority);
}

TEST_P(RulesOf, ATrustStoreMayChange) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& first = world.connect();
  world.accept().say("x");
  world.want_open(first);
  world.want(first, "x");
  // The authority goes: the remembered session must not carry on.
  world.trust->clear();
  ASSERT_TRUE(world.trust->add(certificates::other_ca));
  Link& second = world.connect();
  world.accept();
  world.want_error(second, tls::Error::unknown_authority);
  EXPECT_FALSE(second.info.verified);
  ASSERT_TRUE(world.trust->add(certificates::ca));
  Link& third = world.connect();
  world.accept();
  world.want_open(third);
  EXPECT_FALSE(third.info.resumed);
}

// ---- pins

TEST_P(RulesOf, APinIsHeldBesidesTheRest) {
  const tls::Digest right = pin_of(certificates::site);
  const tls::Digest wrong = pin_of(certificates::second);
  for (const bool insecure : {false, true}) {
    const tls::Verify verify = insecure ? tls::Verify::insecure_none : tls::Verify::peer;
    {
      ClientWorld world{{.pins = {wrong, right}, .verify = verify, .servers = servers_of(GetParam())}};
      Link& link = world.connect();
      world.accept();
      world.want_open(link);
    }
    ClientWorld world{{.pins = {wrong}, .verify = verify, .servers = servers_of(GetParam())}};
    Link& link = world.connect();
    Peer& peer = world.accept();
    world.want_error(link, tls::Error::pin_mismatch);
    EXPECT_FALSE(link.info.verified);
    peer.want_gone();
    EXPECT_TRUE(tls_of(peer).is_failed());
  }
  // The right key does not make a bad certificate good.
  TlsEndOptions servers = servers_of(GetParam());
  servers.own = {certificates::expired};
  ClientWorld world{{.pins = {pin_of(certificates::expired)}, .servers = servers}};
  Link& link = world.connect();
  world.accept();
  world.want_error(link, tls::Error::expired);
}

// ---- the clock

constexpr port::WallTime factory_clock{.seconds = 0};
constexpr port::WallTime set_clock{.seconds = 1'767'225'600};

TEST_P(RulesOf, AClockThatIsNotSetIsRefused) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  world.talk.network().set_wall_clock(factory_clock);
  Link& link = world.connect();
  world.want_error(link, tls::Error::clock_not_set);
  EXPECT_EQ(link.wait, tls::ClientContext::Wait::never);
  world.talk.network().set_wall_clock(set_clock);
  Link& later = world.connect();
  world.accept();  // the connection that was refused
  world.accept();
  world.want_open(later);
}

TEST_P(RulesOf, AClockThatIsNotSetIsWaitedFor) {
  ClientWorld world{{.clock = tls::ClockPolicy::wait, .servers = servers_of(GetParam())}};
  world.talk.network().set_wall_clock(factory_clock);
  Link& link = world.connect();
  Peer& peer = world.accept();
  world.talk.advance(3s);
  EXPECT_EQ(link.stage, Link::Stage::waiting);
  EXPECT_EQ(link.wait, tls::ClientContext::Wait::for_clock);
  EXPECT_EQ(world.context.counters().waited, 1U);
  world.talk.network().set_wall_clock(set_clock);
  world.talk.set_patience(15s);  // the program looks every ten seconds
  world.want_open(link);
  static_cast<void>(peer);
}

TEST_P(RulesOf, WithoutAClockAPinIsEnough) {
  TlsEndOptions servers = servers_of(GetParam());
  for (const TestCertificate& own : {certificates::site, certificates::expired, certificates::not_yet_valid}) {
    const tls::Digest pin = pin_of(own);
    servers.own = {own};
    ClientWorld world{{.pins = {pin}, .clock = tls::ClockPolicy::pin_only, .servers = servers}};
    world.talk.network().set_wall_clock(factory_clock);
    Link& link = world.connect();
    world.accept().say("hello");
    world.want_open(link);
    world.want(link, "hello");
  }
  // Everything but dates counts on.
  const tls::Digest pin = pin_of(certificates::by_other_ca);
  {
    servers.own = {certificates::by_other_ca};
    ClientWorld world{{.pins = {pin}, .clock = tls::ClockPolicy::pin_only, .servers = servers}};
    world.talk.network().set_wall_clock(factory_clock);
    Link& link = world.connect();
    world.accept();
    world.want_error(link, tls::Error::unknown_authority);
  }
  {
    servers.own = {certificates::site};
    ClientWorld world{{.pins = {pin}, .clock = tls::ClockPolicy::pin_only, .servers = servers}};
    world.talk.network().set_wall_clock(factory_clock);
    Link& link = world.connect();
    world.accept();
    world.want_error(link, tls::Error::pin_mismatch);
  }
  // Without pins there is nothing to go by.
  ClientWorld world{{.clock = tls::ClockPolicy::pin_only, .servers = servers}};
  world.talk.network().set_wall_clock(factory_clock);
  Link& link = world.connect();
  world.want_error(link, tls::Error::clock_not_set);
}

TEST_P(RulesOf, OnceTheClockIsSetDatesCountWithPinsToo) {
  TlsEndOptions servers = servers_of(GetParam());
  servers.own = {certificates::expired};
  const tls::Digest pin = pin_of(certificates::expired);
  ClientWorld world{{.pins = {pin}, .clock = tls::ClockPolicy::pin_only, .servers = servers}};
  Link& link = world.connect();
  world.accept();
  world.want_error(link, tls::Error::expired);
}

TEST_P(RulesOf, AClockBeforeTheFloorOnlyIsNotSet) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  world.talk.network().set_wall_clock({.seconds = test_clock_floor.seconds - 10});
  Link& refused = world.connect();
  world.want_error(refused, tls::Error::clock_not_set);
  world.talk.network().set_wall_clock(test_clock_floor);
  Link& link = world.connect();
  world.accept();
  world.accept();
  world.want_open(link);
}

TEST_P(RulesOf, InsecureNeedsNoClock) {
  ClientWorld world{{.verify = tls::Verify::insecure_none, .servers = servers_of(GetParam())}};
  world.talk.network().set_wall_clock(factory_clock);
  Link& link = world.connect();
  world.accept();
  world.want_open(link);
  EXPECT_FALSE(link.info.verified);
}

// ---- SNI

TEST_P(RulesOf, TheNameChoosesTheCertificate) {
  TlsEndOptions clients = clients_of(GetParam());
  struct Row {
    std::string asked;
    std::string subject;
  };
  const Row rows[]{{"site.test", "site.test"},
                   {"second.test", "second.test"},
                   {"WWW.Second.test", "second.test"},
                   {"a.wild.test", "wildcard"}};
  ServerWorld world{{.own = {certificates::site, certificates::second, certificates::wildcard}, .clients = clients}};
  for (const Row& row : rows) {
    Peer& peer = world.connect({.server_name = row.asked});
    Link& link = world.open_newest();
    peer.want_connected();
    EXPECT_NE(tls_of(peer).peer_subject().find("CN=" + row.subject), std::string::npos) << row.asked;
    std::string lower = row.asked;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_EQ(link.info.server_name.view(), lower);
    world.program.close(link);
    peer.close();
  }
}

TEST_P(RulesOf, AnUnknownNameOrNoneGetsTheFirst) {
  TlsEndOptions clients = clients_of(GetParam());
  clients.ca = {};
  ServerWorld world{{.own = {certificates::site, certificates::second}, .clients = clients}};
  for (const char* const name : {"", "unknown.test"}) {
    Peer& peer = world.connect({.server_name = name});
    Link& link = world.open_newest();
    EXPECT_EQ(link.info.server_name.view(), name);
    EXPECT_EQ(tls_of(peer).version(), GetParam());
    world.program.close(link);
  }
}

TEST_P(RulesOf, TheKindOfKeyIsChosenByTheClient) {
  ServerWorld world{{.own = {certificates::site, certificates::site_rsa},
                     .clients = {.is_client = true, .min = GetParam(), .max = GetParam()}}};
  TlsEnd rsa_only{{.is_client = true,
                   .min = GetParam(),
                   .max = GetParam(),
                   .suites = GetParam() == TlsVersion::tls12 ? std::vector{0xC02F} : std::vector<int>{},
                   .signatures = {0x0804, 0x0401},  // RSA-PSS and RSA with SHA-256
                   .ca = certificates::rsa_ca}};
  world.connect(rsa_only).say("rsa");
  world.want(world.open_newest(), "rsa");
  TlsEnd ecdsa_only{
      {.is_client = true, .min = GetParam(), .max = GetParam(), .signatures = {0x0403}, .ca = certificates::ca}};
  world.connect(ecdsa_only).say("ecdsa");
  world.want(world.open_newest(), "ecdsa");
}

// ---- client certificates

struct ClientCase {
  const char* name;
  tls::ClientAuth auth;
  std::vector<TestCertificate> own;
  tls::Error error;  // none: it is let in
  bool has_peer;
};
const ClientCase client_cases[]{
    {"NotAskedFor", tls::ClientAuth::none, {certificates::client}, tls::Error::none, false},
    {"RequestedAndGood", tls::ClientAuth::request, {certificates::client}, tls::Error::none, true},
    {"RequestedAndAbsent", tls::ClientAuth::request, {}, tls::Error::none, false},
    {"RequestedAndExpired", tls::ClientAuth::request, {certificates::client_expired}, tls::Error::expired, true},
    {"RequestedAndForeign",
     tls::ClientAuth::request,
     {certificates::client_by_other_ca},
     tls::Error::unknown_authority,
     true},
    {"RequestedAndForServers",
     tls::ClientAuth::request,
     {certificates::client_wrong_usage},
     tls::Error::wrong_usage,
     true},
    {"RequiredAndGood", tls::ClientAuth::require, {certificates::client}, tls::Error::none, true},
    {"RequiredAndAbsent", tls::ClientAuth::require, {}, tls::Error::no_certificate, false},
    {"RequiredAndExpired", tls::ClientAuth::require, {certificates::client_expired}, tls::Error::expired, true},
    {"RequiredAndForeign",
     tls::ClientAuth::require,
     {certificates::client_by_other_ca},
     tls::Error::unknown_authority,
     true},
    {"RequiredAndForServers",
     tls::ClientAuth::require,
     {certificates::client_wrong_usage},
     tls::Error::wrong_usage,
     true},
};
class ClientCertificate : public testing::TestWithParam<std::tuple<TlsVersion, ClientCase>> {};
INSTANTIATE_TEST_SUITE_P(Tls, ClientCertificate, testing::Combine(each_version, testing::ValuesIn(client_cases)),
                         [](const auto& which) {
                           const auto version = std::get<0>(which.param);
                           return std::get<1>(which.param).name +
                                  std::string{version == TlsVersion::tls12 ? "Tls12" : "Tls13"};
                         });

TEST_P(ClientCertificate, IsHeldAgainstTheAuthorities) {
  const auto& [version, row] = GetParam();
  TestTrust trust{{certificates::ca}};
  ServerWorld world{{.client_auth = row.auth,
                     .client_ca = &*trust,
                     .clients = {.is_client = true, .min = version, .max = version, .own = row.own}}};
  Peer& peer = world.connect();
  peer.say("hello");
  Link& link = world.newest();
  if (row.error == tls::Error::none) {
    world.want_open(link);
    world.want(link, "hello");
    EXPECT_EQ(link.info.has_peer, row.has_peer);
    EXPECT_EQ(link.info.verified, row.has_peer);
    if (row.has_peer) {
      EXPECT_NE(link.info.peer.subject.view().find("CN=Owner"), std::string_view::npos);
    }
  } else {
    world.want_error(link, row.error);
    EXPECT_FALSE(link.info.verified);
    EXPECT_EQ(link.in, "");
    peer.want_gone();
    EXPECT_TRUE(tls_of(peer).is_failed());
    EXPECT_NE(tls_of(peer).alert(), -1);
  }
  world.want_quiet();
}

TEST_P(RulesOf, WithoutAClockNoClientIsVerified) {
  TestTrust trust{{certificates::ca}};
  ServerWorld world{
      {.client_auth = tls::ClientAuth::require,
       .client_ca = &*trust,
       .clients = {.is_client = true, .min = GetParam(), .max = GetParam(), .own = {certificates::client}}}};
  world.talk.network().set_wall_clock(factory_clock);
  world.connect();
  Link& link = world.newest();
  world.want_error(link, tls::Error::clock_not_set);
  EXPECT_FALSE(link.info.verified);
}

TEST_P(RulesOf, AClientShowsItsOwnCertificateWhenItIsAsked) {
  for (const TlsAsks asks : {TlsAsks::nothing, TlsAsks::request, TlsAsks::require}) {
    TlsEndOptions servers = servers_of(GetParam());
    servers.asks = asks;
    servers.ca = asks == TlsAsks::nothing ? std::string_view{} : certificates::ca;
    ClientWorld world{{.own = &certificates::client, .servers = servers}};
    ASSERT_NE(world.context.own_certificate(), nullptr);
    Link& link = world.connect();
    Peer& peer = world.accept();
    peer.say("hello");
    world.want_open(link);
    world.want(link, "hello");
    peer.want_connected();
    EXPECT_EQ(tls_of(peer).peer_subject().find("CN=Owner") != std::string::npos, asks != TlsAsks::nothing);
    EXPECT_EQ(tls_of(peer).verify_flags() & 0xFFU, asks == TlsAsks::nothing ? tls_of(peer).verify_flags() & 0xFFU : 0U);
  }
}

// In TLS 1.3 a server looks at the certificate when the client believes itself through.
TEST_P(RulesOf, AClientIsRefusedBehindItsHandshake) {
  TlsEndOptions servers = servers_of(GetParam());
  servers.asks = TlsAsks::request;
  servers.ca = certificates::ca;
  ClientWorld world{{.servers = servers}};
  Link& link = world.connect();
  Peer& peer = world.accept();
  world.want_open(link);
  peer.want_connected();
  EXPECT_EQ(tls_of(peer).peer_subject(), "");
  tls_of(peer).say_alert(2, 116);  // certificate_required
  world.want_error(link, tls::Error::alert);
  EXPECT_EQ(link.error.alert, 116);
}

// ---- resumption

TEST_P(RulesOf, AServerResumes) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& first = world.connect();
  first.say("one");
  Link& one = world.open_newest();
  world.want(one, "one");
  one.out = "1";
  first.want("1");
  const std::string session = tls_of(first).session();
  ASSERT_NE(session, "");
  Peer& second = world.connect({.server_name = "site.test", .session = session});
  second.say("two");
  Link& two = world.open_newest();
  world.want(two, "two");
  EXPECT_TRUE(two.info.resumed);
  EXPECT_TRUE(tls_of(second).is_resumed());
  EXPECT_TRUE(two.info.has_alpn);
  EXPECT_EQ(world.context.counters().handshakes, 2U);
  EXPECT_EQ(world.context.counters().resumed, 1U);
}

TEST_P(RulesOf, AClientResumes) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  for (int i = 0; i < 4; ++i) {
    Link& link = world.connect();
    Peer& peer = world.accept();
    peer.say("hello");
    world.want_open(link);
    world.want(link, "hello");
    EXPECT_EQ(link.info.resumed, i != 0) << i;
    EXPECT_EQ(tls_of(peer).is_resumed(), i != 0) << i;
    EXPECT_TRUE(link.info.verified);
    EXPECT_TRUE(link.info.has_peer);
    EXPECT_NE(link.info.peer.subject.view().find("CN=site.test"), std::string_view::npos);
    world.program.close(link);
    peer.close();
  }
  EXPECT_EQ(world.context.counters().handshakes, 4U);
  EXPECT_EQ(world.context.counters().resumed, 3U);
}

// The certificates end with the year 2099, written as GeneralizedTime. Neither 2038 nor 2050 (where UTCTime ends) is anything special, and tickets
// have ages.
TEST_P(RulesOf, TheNextDecadesAreLikeThisOne) {
  for (const std::int64_t seconds :
       {std::int64_t{2'147'483'646}, std::int64_t{2'540'000'000}, std::int64_t{4'000'000'000}}) {
    SCOPED_TRACE(seconds);
    {
      ClientWorld world{{.servers = servers_of(GetParam())}};
      world.talk.network().set_wall_clock({.seconds = seconds});
      for (int i = 0; i < 2; ++i) {
        Link& link = world.connect();
        Peer& peer = world.accept();
        peer.say("hello");
        world.want_open(link);
        world.want(link, "hello");
        EXPECT_EQ(link.info.resumed, i != 0);
        EXPECT_TRUE(link.info.verified);
        world.program.close(link);
        peer.close();
        world.talk.advance(10s);
      }
    }
    ServerWorld world{{.clients = clients_of(GetParam())}};
    world.talk.network().set_wall_clock({.seconds = seconds});
    std::string session;
    for (int i = 0; i < 2; ++i) {
      Peer& peer = world.connect({.server_name = "site.test", .session = session});
      peer.say("one");
      Link& link = world.open_newest();
      world.want(link, "one");
      link.out = "1";
      peer.want("1");
      EXPECT_EQ(link.info.resumed, i != 0);
      session = tls_of(peer).session();
      world.program.close(link);
      peer.close();
      world.talk.advance(10s);
    }
  }
}

TEST_P(RulesOf, WithoutTicketsNothingIsResumed) {
  {
    ServerWorld world{{.ticket_lifetime = 0s, .clients = clients_of(GetParam())}};
    Peer& first = world.connect();
    first.say("one");
    Link& one = world.open_newest();
    world.want(one, "one");
    one.out = "1";
    first.want("1");
    EXPECT_EQ(tls_of(first).tickets_received(), 0U);
    if (GetParam() == TlsVersion::tls12) {
      Peer& second = world.connect({.server_name = "site.test", .session = tls_of(first).session()});
      Link& two = world.open_newest();
      EXPECT_FALSE(two.info.resumed);
      second.want_connected();
    }
  }
  ClientWorld world{{.resume = false, .servers = servers_of(GetParam())}};
  for (int i = 0; i < 2; ++i) {
    Link& link = world.connect();
    world.accept().say("hello");
    world.want_open(link);
    world.want(link, "hello");
    EXPECT_FALSE(link.info.resumed);
  }
  EXPECT_EQ(world.context.counters().remembered, 0U);
}

TEST_P(RulesOf, WithClientCertificatesThereAreNoTickets) {
  TestTrust trust{{certificates::ca}};
  ServerWorld world{
      {.client_auth = tls::ClientAuth::require,
       .client_ca = &*trust,
       .clients = {.is_client = true, .min = GetParam(), .max = GetParam(), .own = {certificates::client}}}};
  Peer& first = world.connect();
  first.say("one");
  Link& one = world.open_newest();
  world.want(one, "one");
  one.out = "1";
  first.want("1");
  EXPECT_EQ(tls_of(first).tickets_received(), 0U);
  if (!tls_of(first).session().empty()) {
    world.connect({.server_name = "site.test", .session = tls_of(first).session()});
    Link& two = world.open_newest();
    EXPECT_FALSE(two.info.resumed);
    EXPECT_TRUE(two.info.verified);
  }
}

TEST_P(RulesOf, ATicketLivesForItsLifetimeAndKeysAreReplaced) {
  ServerWorld world{{.ticket_lifetime = 1h, .clients = clients_of(GetParam())}};
  const auto handshake = [&](const std::string& session) {
    Peer& peer = world.connect({.server_name = "site.test", .session = session});
    peer.say("x");
    Link& link = world.open_newest();
    world.want(link, "x");
    link.out = "y";
    peer.want("y");
    const bool resumed = link.info.resumed;
    EXPECT_EQ(resumed, tls_of(peer).is_resumed());
    world.program.close(link);
    peer.close();
    return std::pair{resumed, tls_of(peer).session()};
  };
  const std::string old = handshake("").second;
  world.talk.advance(50min);
  EXPECT_TRUE(handshake(old).first);
  world.talk.advance(20min);
  EXPECT_FALSE(handshake(old).first);  // 70 minutes
  // Keys are replaced meanwhile; a ticket holds for its whole lifetime all the same. In TLS 1.2 the one that was good is kept (RFC 5077
  // section 3.3), in TLS 1.3 each handshake brings another.
  std::string session = handshake("").second;
  for (int i = 1; i <= 12; ++i) {
    world.talk.advance(25min);
    const auto [resumed, next] = handshake(session);
    EXPECT_EQ(resumed, GetParam() == TlsVersion::tls13 || i % 3 != 0) << i;
    session = next;
  }
}

TEST_P(RulesOf, ATicketOfAnotherServerIsOnlyAFullHandshake) {
  std::string session;
  {
    ServerWorld world;
    TlsEnd end{clients_of(GetParam())};
    Peer& peer = world.connect(end);
    peer.say("x");
    Link& link = world.open_newest();
    world.want(link, "x");
    link.out = "y";
    peer.want("y");
    session = tls_of(peer).session();
    world.talk.drop_layers();
  }
  ASSERT_NE(session, "");
  ServerWorld world{{.clients = clients_of(GetParam()), .conversation = {.network = {.seed = 2}}}};
  world.connect({.server_name = "site.test", .session = session}).say("x");
  Link& link = world.open_newest();
  world.want(link, "x");
  EXPECT_FALSE(link.info.resumed);
}

TEST_P(RulesOf, SessionsAreRememberedPerHostAndPort) {
  TlsEndOptions servers = servers_of(GetParam());
  servers.own = {certificates::everywhere};
  ClientWorld world{{.servers = servers}};
  const auto handshake = [&](std::string_view host) {
    Link& link = world.connect(host);
    Peer& peer = world.accept();
    peer.say("x");
    world.want_open(link);
    world.want(link, "x");
    const bool resumed = link.info.resumed;
    world.program.close(link);
    peer.close();
    world.talk.advance(1ms);
    return resumed;
  };
  EXPECT_FALSE(handshake("first.test"));
  EXPECT_FALSE(handshake("other.test"));
  EXPECT_FALSE(handshake("127.0.0.1"));
  EXPECT_TRUE(handshake("FIRST.test"));
  EXPECT_TRUE(handshake("127.0.0.1"));
  EXPECT_FALSE(handshake("foo.com"));  // takes the place of other.test, which was used longest ago
  EXPECT_TRUE(handshake("first.test"));
  EXPECT_TRUE(handshake("127.0.0.1"));
  EXPECT_TRUE(handshake("foo.com"));
  EXPECT_FALSE(handshake("other.test"));
  EXPECT_FALSE(handshake("first.test"));
  world.context.forget_sessions();
  EXPECT_FALSE(handshake("foo.com"));
  EXPECT_EQ(world.context.counters().too_large_to_remember, 0U);
}

TEST_P(RulesOf, ASessionThatIsTooLargeIsNotRemembered) {
  tls::ClientTlsLimits limits = world_client_limits;
  limits.cached_size = 64;
  ClientWorld world{{.limits = limits, .servers = servers_of(GetParam())}};
  for (int i = 0; i < 2; ++i) {
    Link& link = world.connect();
    world.accept().say("x");
    world.want_open(link);
    world.want(link, "x");
    EXPECT_FALSE(link.info.resumed);
  }
  EXPECT_EQ(world.context.counters().remembered, 0U);
  EXPECT_GE(world.context.counters().too_large_to_remember, 2U);
}

TEST_P(RulesOf, NoCacheNoResumption) {
  tls::ClientTlsLimits limits = world_client_limits;
  limits.cached = 0;
  ClientWorld world{{.limits = limits, .servers = servers_of(GetParam())}};
  for (int i = 0; i < 2; ++i) {
    Link& link = world.connect();
    world.accept().say("x");
    world.want_open(link);
    world.want(link, "x");
    EXPECT_FALSE(link.info.resumed);
  }
}

TEST_P(RulesOf, ASessionDoesNotOutliveItsCertificate) {
  TlsEndOptions servers = servers_of(GetParam());
  servers.own = {certificates::expired};
  servers.ticket_lifetime = 7 * 86400;
  ClientWorld world{{.servers = servers}};
  world.talk.network().set_wall_clock({.seconds = 1'767'139'200 - 3600});  // an hour before the end
  for (int i = 0; i < 2; ++i) {
    Link& link = world.connect();
    world.accept().say("x");
    world.want_open(link);
    world.want(link, "x");
    EXPECT_EQ(link.info.resumed, i == 1);
    world.program.close(link);
  }
  world.talk.advance(2h);
  Link& link = world.connect();
  world.accept();
  world.want_error(link, tls::Error::expired);
}

TEST_P(RulesOf, ASessionIsForgottenWhenItsHandshakeFails) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& first = world.connect();
  world.accept().say("x");
  world.want_open(first);
  world.want(first, "x");
  Link& second = world.connect();
  Peer& peer = world.origin.accept();
  world.talk.run_until([&] { return second.stage == Link::Stage::shaking; });
  peer.reset();
  world.want_error(second, tls::Error::lost);
  Link& third = world.connect();
  world.accept();
  world.want_open(third);
  EXPECT_FALSE(third.info.resumed);
}

TEST_P(RulesOf, WhatWasTakenUnseenIsNotVerifiedWhenItIsResumed) {
  TlsEndOptions servers = servers_of(GetParam());
  servers.own = {certificates::self_signed};
  ClientWorld world{{.verify = tls::Verify::insecure_none, .servers = servers}};
  for (int i = 0; i < 2; ++i) {
    Link& link = world.connect();
    world.accept().say("x");
    world.want_open(link);
    world.want(link, "x");
    EXPECT_EQ(link.info.resumed, i == 1);
    EXPECT_FALSE(link.info.verified);
  }
}

// ---- admission

TEST(Admission, HandshakesAreLimitedAndOthersWait) {
  ServerWorld world{{.limits = {.sessions = 6, .handshakes = 2}}};
  Peer* peers[4]{};
  for (auto& peer : peers) {
    peer = &world.talk.connect_plain(TlsProgram::listen_port);  // says nothing
  }
  world.talk.advance(10ms);
  EXPECT_EQ(world.context.handshakes_under_way(), 2U);
  EXPECT_EQ(world.context.counters().waited, 2U);
  EXPECT_FALSE(world.context.is_out_of_sessions());
  peers[0]->close();
  world.talk.advance(10ms);
  EXPECT_EQ(world.context.handshakes_under_way(), 2U);  // the third took its place
  peers[1]->close();
  peers[2]->close();
  peers[3]->close();
  world.talk.advance(10ms);
  EXPECT_EQ(world.context.handshakes_under_way(), 0U);
  EXPECT_EQ(world.context.counters().waited, 2U);
  EXPECT_EQ(world.context.counters().failed, 4U);
  world.connect().say("hello");
  world.newest();
  world.newest();
  world.newest();
  world.newest();
  world.want(world.open_newest(), "hello");
}

TEST(Admission, SessionsAreLimitedToo) {
  ServerWorld world{{.limits = {.sessions = 2, .handshakes = 2}}};
  Peer& first = world.connect();
  Link& one = world.open_newest();
  world.connect();
  world.open_newest();
  EXPECT_TRUE(world.context.is_out_of_sessions());
  Peer& third = world.connect();
  third.say("hello");
  Link& three = world.newest();
  world.talk.advance(1s);
  EXPECT_EQ(three.stage, Link::Stage::waiting);
  EXPECT_EQ(world.context.counters().waited, 1U);
  world.program.close(one);
  first.want_closed();
  world.talk.set_patience(15s);
  world.want(three, "hello");
  EXPECT_EQ(world.context.sessions_used_max(), 2U);
}

TEST(Admission, SomeAreReservedForOwners) {
  ServerWorld world{{.limits = {.sessions = 3, .handshakes = 2, .reserved = 1}}};
  world.talk.connect_plain(TlsProgram::listen_port);
  world.talk.advance(1ms);
  EXPECT_EQ(world.context.handshakes_under_way(), 1U);
  world.talk.connect_plain(TlsProgram::listen_port);
  world.talk.advance(1ms);
  EXPECT_EQ(world.context.handshakes_under_way(), 1U);  // the other is reserved
  world.program.next_is_owner = true;
  world.connect().say("mine");
  static_cast<void>(world.newest());
  static_cast<void>(world.newest());
  Link& owner = world.open_newest();
  world.want(owner, "mine");
  EXPECT_TRUE(owner.session->is_owner());
}

TEST(Admission, AFullArenaMakesWait) {
  ServerWorld world;
  // Something else takes the arena until less than a handshake's need is left.
  std::vector<void*> taken;
  const auto left = [&] { return world.library->arena_use().size - world.library->arena_use().used; };
  while (left() > tls::ArenaNeed::server_handshake) {
    void* const block = tls_memory::take(1024);
    ASSERT_NE(block, nullptr);
    taken.push_back(block);
  }
  world.connect().say("hello");
  Link& link = world.newest();
  world.talk.advance(1s);
  EXPECT_EQ(link.stage, Link::Stage::waiting);
  for (void* const block : taken) {
    tls_memory::give(block);
  }
  world.talk.set_patience(15s);
  world.want(link, "hello");
}

TEST_P(RulesOf, ClientsAreAdmittedAlike) {
  ClientWorld world{{.limits = {.sessions = 2, .handshakes = 1}, .servers = servers_of(GetParam())}};
  Link& one = world.connect();
  Peer& silent = world.origin.accept();
  Link& two = world.connect();
  Peer& second = world.accept();
  second.say("two");
  world.talk.advance(1s);
  EXPECT_EQ(two.stage, Link::Stage::waiting);
  EXPECT_EQ(two.wait, tls::ClientContext::Wait::for_session);
  EXPECT_EQ(world.context.counters().waited, 1U);
  silent.reset();
  world.want_error(one, tls::Error::lost);
  world.talk.set_patience(15s);
  world.want(two, "two");
}

TEST_P(RulesOf, AHandshakeGoesStepByStep) {
  ServerWorld world{{.slice = 0s, .clients = clients_of(GetParam())}};
  world.connect().say("one");
  world.connect().say("two");
  world.talk.advance(1ms);
  Link& one = *world.program.links()[0];
  Link& two = *world.program.links()[1];
  world.want(one, "one");
  world.want(two, "two");
  EXPECT_GT(one.again, 5);
  EXPECT_GT(two.again, 5);
  EXPECT_EQ(world.context.counters().handshakes, 2U);
}

// ---- reload

TEST_P(RulesOf, AReloadChangesTheCertificateForThoseWhoComeLater) {
  ServerWorld world{{.clients = {.is_client = true, .min = GetParam(), .max = GetParam()}}};
  TlsEnd looks{{.is_client = true, .min = GetParam(), .max = GetParam(), .ca = certificates::ca}};
  Peer& old = world.connect();
  old.say("old");
  Link& old_link = world.open_newest();
  // A handshake that has begun keeps the certificate it began with.
  Peer& begun = world.connect(looks, {.server_name = "site.test", .split_at = 100});
  Link& begun_link = world.newest();
  world.talk.run_until([&] { return world.context.handshakes_under_way() == 1; });
  ASSERT_TRUE(world.context.reload(ServerWorld::sources({certificates::second})));
  EXPECT_EQ(world.context.counters().reloads, 1U);
  ASSERT_EQ(world.context.certificates().size(), 1U);
  EXPECT_NE(world.context.certificates()[0].subject.view().find("second.test"), std::string_view::npos);
  world.want_open(begun_link);
  begun.want_connected();
  EXPECT_NE(tls_of(begun).peer_subject().find("site.test"), std::string::npos);
  // An open connection goes on.
  world.want(old_link, "old");
  old_link.out = "as before";
  old.want("as before");
  Peer& next = world.connect(looks, {.server_name = "second.test"});
  world.open_newest();
  next.want_connected();
  EXPECT_NE(tls_of(next).peer_subject().find("second.test"), std::string::npos);
}

TEST(Reload, IsBusyWhileTheSetBeforeLastIsInUse) {
  ServerWorld world;
  world.talk.connect_plain(TlsProgram::listen_port);
  world.talk.advance(1ms);
  ASSERT_EQ(world.context.handshakes_under_way(), 1U);
  ASSERT_TRUE(world.context.reload(ServerWorld::sources({certificates::second})));
  const auto again = world.context.reload(ServerWorld::sources({certificates::wildcard}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), tls::Error::busy);
  EXPECT_EQ(world.context.counters().reloads, 1U);
  world.program.close(*world.program.links()[0], false);
  EXPECT_TRUE(world.context.reload(ServerWorld::sources({certificates::wildcard})));
}

TEST(Reload, ThatFailsChangesNothing) {
  ServerWorld world;
  struct Row {
    std::vector<tls::CertificateSource> sources;
    tls::Error error;
  };
  const tls::CertificateSource good = source_of(certificates::site);
  const Row rows[]{
      {{}, tls::Error::no_certificate_given},
      {{{.certificate = "nonsense", .key = good.key}}, tls::Error::certificate_syntax},
      {{{.certificate = good.certificate, .key = "nonsense"}}, tls::Error::key_syntax},
      {{{.certificate = good.certificate, .key = certificates::second.key}}, tls::Error::key_mismatch},
      {{good, good, good, good, good}, tls::Error::too_many_certificates},
      {{good, {.certificate = good.certificate, .key = certificates::second.key}}, tls::Error::key_mismatch},
  };
  const std::size_t used = world.library->arena_use().used;
  for (const Row& row : rows) {
    const auto result = world.context.reload(row.sources);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), row.error) << tls::describe(result.error());
    EXPECT_EQ(world.library->arena_use().used, used);
  }
  EXPECT_EQ(world.context.counters().reloads, 0U);
  world.connect().say("hello");
  world.want(world.open_newest(), "hello");
}

TEST(Reload, ManyTakeNoMoreMemory) {
  ServerWorld world;
  const std::uint64_t blocks = tls_memory::blocks_inside();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(world.context.reload(ServerWorld::sources({i % 2 == 0 ? certificates::second : certificates::site})));
  }
  EXPECT_EQ(tls_memory::blocks_inside(), blocks);
  EXPECT_GT(world.context.days_to_expiry(), 20'000);
}

TEST(Start, SaysWhatIsWrong) {
  Conversation talk;
  TestLibrary library{talk.port()};
  TestServerMemory memory{world_server_limits};
  const std::size_t used = library->arena_use().used;
  const tls::CertificateSource good = source_of(certificates::site);
  {
    tls::ServerContext context{{.library = *library, .memory = memory.memory()}};
    const tls::CertificateSource bad[]{{.certificate = good.certificate, .key = certificates::second.key}};
    const auto started = context.start(bad);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error(), tls::Error::key_mismatch);
    EXPECT_EQ(library->arena_use().used, used);
    EXPECT_TRUE(context.start(std::span{&good, 1}));  // another time it may be right
  }
  EXPECT_EQ(library->arena_use().used, used);
  TestClientMemory client_memory{world_client_limits};
  tls::ClientContext context{{.library = *library, .memory = client_memory.memory()}};
  const tls::CertificateSource bad{.certificate = good.certificate, .key = "nonsense"};
  const auto started = context.start(&bad);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), tls::Error::key_syntax);
  EXPECT_EQ(library->arena_use().used, used);
  EXPECT_TRUE(context.start());
}

// ---- alerts

TEST(Alerts, EachInTheHandshakeIsTold) {
  for (const int number : {10, 20, 21, 22, 40, 42, 43,  44,  45,  46,  47,  48,  49, 50,
                           51, 70, 71, 80, 86, 90, 109, 110, 112, 113, 115, 116, 120}) {
    SCOPED_TRACE(number);
    const std::string alert{"\x15\x03\x03\x00\x02\x02"s + static_cast<char>(number)};
    {
      ServerWorld world;
      Peer& peer = world.talk.connect_plain(TlsProgram::listen_port);
      peer.say(alert);
      Link& link = world.newest();
      world.want_error(link, tls::Error::alert);
      EXPECT_EQ(link.error.alert, number);
    }
    ClientWorld world;
    Link& link = world.connect();
    world.origin.accept().say(alert);
    world.want_error(link, tls::Error::alert);
    EXPECT_EQ(link.error.alert, number);
  }
}

TEST_P(RulesOf, AnAlertOnAnOpenConnectionEndsIt) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  peer.say("before");
  Link& link = world.open_newest();
  link.reads = false;
  world.talk.advance(1ms);
  tls_of(peer).say_alert(2, 80);
  world.talk.advance(1ms);
  link.reads = true;
  world.want(link, "before");
  world.want_error(link, tls::Error::alert);
  EXPECT_EQ(link.error.alert, 80);
}

TEST(Alerts, CloseNotifyInTheHandshakeIsAnEnd) {
  ServerWorld world;
  Peer& peer = world.talk.connect_plain(TlsProgram::listen_port);
  peer.say("\x15\x03\x03\x00\x02\x01\x00"sv);
  world.want_error(world.newest(), tls::Error::closed);
}

TEST_P(RulesOf, AnEndInTheHandshakeIsTold) {
  {
    ServerWorld world;
    world.talk.connect_plain(TlsProgram::listen_port).finish();
    world.want_error(world.newest(), tls::Error::closed);
  }
  {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    Peer& peer = world.connect({.server_name = "site.test", .split_at = 60});
    world.newest();
    peer.end().finish();
    world.want_error(*world.program.newest(), tls::Error::closed);
  }
  ClientWorld world;
  Link& link = world.connect();
  world.origin.accept().finish();
  world.want_error(link, tls::Error::closed);
}

// ---- what is not TLS

TEST(Garbage, HttpToTheServerIsTold) {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n\r\n"sv, "HEAD / HTTP/1.0\r\n"sv, "POST /x HTTP/1.1\r\n"sv,
                                      "PUT /firmware HTTP/1.1\r\n"sv, "OPTIONS * HTTP/1.1\r\n"sv}) {
    for (std::size_t at = 1; at <= 8; ++at) {
      ServerWorld world;
      Peer& peer = world.talk.connect_plain(TlsProgram::listen_port);
      peer.say_split(text, at);
      Link& link = world.newest();
      world.want_error(link, tls::Error::plain_http);
      EXPECT_EQ(world.context.counters().plain_http, 1U);
    }
  }
}

TEST(Garbage, AnHttpAnswerToTheClientIsTold) {
  for (std::size_t at = 1; at <= 8; ++at) {
    ClientWorld world;
    Link& link = world.connect();
    world.origin.accept().say_split("HTTP/1.1 400 Bad Request\r\n\r\n", at);
    world.want_error(link, tls::Error::peer_is_plain);
  }
}

TEST(Garbage, AnythingElseIsAProtocolError) {
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.2\r\n"sv, "\0\0\0\0\0\0\0\0"sv, "DELETE / HTTP/1.1\r\n"sv, "GETX / HTTP/1.1\r\n"sv,
        "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"sv,  // SSL 2.0
        "\x16\x03\x01\x00\x00"sv,                          // a handshake record of no bytes
        "\x16\x03\x03\x50\x00\x01\x00\x00\x00"sv,          // one larger than allowed
        "\x16\x03\x03\x00\x05\x0e\x00\x00\x01\x00"sv,      // ServerHelloDone
        "\x16\x03\x03\x00\x06\x01\x00\x00\x02\x03\x03"sv,  // a hello that ends in the middle
        "\x17\x03\x03\x00\x05hello"sv,                     // data before any hello
        "\x14\x03\x03\x00\x01\x01"sv}) {                   // ChangeCipherSpec before any hello
    ServerWorld world;
    Peer& peer = world.talk.connect_plain(TlsProgram::listen_port);
    peer.say(text).finish();
    Link& link = world.newest();
    world.talk.run_until([&] { return link.is_over(); });
    EXPECT_TRUE(link.error.error == tls::Error::protocol || link.error.error == tls::Error::closed)
        << escape(text) << ": " << tls::describe(link.error.error) << " " << link.error.code;
    world.want_quiet();
  }
}

TEST(Garbage, RandomBytesNeverStopTheProgram) {
  for (std::uint64_t seed = 1; seed <= rounds(std::uint64_t{200}); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    port::SimRandom random{seed};
    std::string text = "\x16\x03\x01"s;
    const std::size_t size = random.between(1, 600);
    text += static_cast<char>(size >> 8U);
    text += static_cast<char>(size & 255U);
    text += "\x01"s;
    for (std::size_t i = 1; i < size; ++i) {
      text += static_cast<char>(random.next() & 255U);
    }
    ServerWorld world;
    Peer& peer = world.talk.connect_plain(TlsProgram::listen_port);
    peer.say(text).finish();
    Link& link = world.newest();
    world.talk.run_until([&] { return link.is_over(); });
    EXPECT_TRUE(link.has_failed);
    world.want_quiet();
  }
}

// Each byte of a client's handshake changed, one at a time: it must fail, or the change was of no meaning, and never may anything else happen.
TEST_P(RulesOf, ADamagedByteIsNoticed) {
  std::size_t size = 0;
  std::size_t taken = 0;
  for (std::size_t at = 0; at == 0 || at < size; at += 3 * stride) {
    SCOPED_TRACE("byte " + std::to_string(at));
    ServerWorld world{{.clients = {.is_client = true, .min = GetParam(), .max = GetParam()}}};
    Peer& peer = world.connect({.server_name = "site.test", .damage_at = at});
    peer.say("hello").finish();
    Link& link = world.newest();
    world.talk.run_until([&] { return link.is_over() || link.has_ended; });
    taken += link.in == "hello" ? 1 : 0;
    EXPECT_TRUE(link.in.empty() || link.in == "hello") << escape(link.in);
    if (at == 0) {
      size = std::max<std::size_t>(tls_of(peer).sent(), 250);
    }
    world.want_quiet();
  }
  // Harmless may be: the version of the first record, and a few bits nobody looks at.
  EXPECT_LE(taken, 6U);
}

TEST_P(RulesOf, ADamagedRecordEndsTheConnection) {
  {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    peer.say("good");
    world.want(link, "good");
    tls_of(peer).corrupt();
    peer.say("bad");
    world.want_error(link, tls::Error::protocol);
    EXPECT_EQ(link.in, "");
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 20);  // bad_record_mac
  }
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& link = world.connect();
  Peer& peer = world.accept();
  peer.say("good");
  world.want_open(link);
  world.want(link, "good");
  tls_of(peer).corrupt();
  peer.say("bad");
  world.want_error(link, tls::Error::protocol);
  EXPECT_EQ(link.in, "");
}

TEST_P(RulesOf, ARecordThatIsRepeatedEndsTheConnection) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  tls_of(peer).keep_records();
  peer.say("pay");
  world.want(link, "pay");
  tls_of(peer).say_raw(tls_of(peer).kept());
  world.want_error(link, tls::Error::protocol);
  EXPECT_EQ(link.in, "");
}

TEST_P(RulesOf, PlainBytesOnAnOpenConnectionEndIt) {
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n\r\n"sv, "\x17\x03\x03\x00\x05hello"sv, "\x17\x03\x03\xff\xff"sv}) {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    tls_of(peer).say_raw(text);
    world.want_error(link, tls::Error::protocol);
    EXPECT_EQ(link.in, "");
  }
}

TEST_P(RulesOf, RecordsOfOddTypesEndTheConnection) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  tls_of(peer).say_record(99, "what");
  world.want_error(link, tls::Error::protocol);
}

TEST_P(RulesOf, EmptyRecordsAreNothing) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  tls_of(peer).say_record(record_data, "");
  tls_of(peer).say_record(record_data, "");
  peer.say("hello");
  world.want(link, "hello");
}

// ---- renegotiation

TEST(Renegotiation, AServerRefusesAndGoesOn) {
  ServerWorld world{{.clients = clients_of(TlsVersion::tls12)}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  tls_of(peer).renegotiate();
  world.talk.advance(10ms);
  EXPECT_TRUE(link.is_open());
  EXPECT_EQ(tls_of(peer).alert(), 100);  // no_renegotiation
  peer.say("on we go");
  world.want(link, "on we go");
  EXPECT_EQ(world.context.counters().handshakes, 1U);
}

TEST(Renegotiation, AClientRefusesAndGoesOn) {
  ClientWorld world{{.servers = servers_of(TlsVersion::tls12)}};
  Link& link = world.connect();
  Peer& peer = world.accept();
  world.want_open(link);
  peer.want_connected();
  tls_of(peer).renegotiate();
  world.talk.advance(10ms);
  EXPECT_TRUE(link.is_open());
  EXPECT_EQ(tls_of(peer).alert(), 100);
  peer.say("on we go");
  world.want(link, "on we go");
}

TEST(Renegotiation, InTls13ItEndsTheConnection) {
  {
    ServerWorld world{{.clients = clients_of(TlsVersion::tls13)}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    tls_of(peer).renegotiate();
    world.want_error(link, tls::Error::protocol);
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 10);  // unexpected_message (RFC 8446 section 4.1.2)
  }
  ClientWorld world{{.servers = servers_of(TlsVersion::tls13)}};
  Link& link = world.connect();
  Peer& peer = world.accept();
  world.want_open(link);
  peer.want_connected();
  tls_of(peer).renegotiate();
  world.want_error(link, tls::Error::protocol);
}

// mbedTLS 3.6 knows no KeyUpdate (RFC 8446 section 4.6.3). Others send one after terabytes, or never.
TEST(Renegotiation, AKeyUpdateEndsTheConnection) {
  ServerWorld world{{.clients = clients_of(TlsVersion::tls13)}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  tls_of(peer).say_record(record_handshake, "\x18\0\0\x01\0"sv);
  world.want_error(link, tls::Error::protocol);
}

}  // namespace
}  // namespace pollux::test
