// Sessions in order: what is agreed on, what moves, and how it ends. Raw ends of mbedTLS are opposite.

#include <gtest/gtest.h>

#include "tests/support/emulated.hpp"
#include "tests/tls/session_support.hpp"

namespace pollux::test {
namespace {

class SessionOf : public testing::TestWithParam<TlsVersion> {};
INSTANTIATE_TEST_SUITE_P(Tls, SessionOf, each_version, version_name_of);

// ---- both ends, from hello to goodbye

TEST_P(SessionOf, AServerTalks) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  peer.say("hello");
  Link& link = world.open_newest();
  EXPECT_EQ(link.info.version, named(GetParam()));
  EXPECT_FALSE(link.info.resumed);
  EXPECT_TRUE(link.info.has_alpn);
  EXPECT_FALSE(link.info.has_peer);
  EXPECT_EQ(link.info.server_name.view(), "site.test");
  EXPECT_EQ(link.info.cipher, tls_of(peer).cipher());
  world.want(link, "hello");
  link.out = "good day";
  peer.want("good day");
  peer.say("bye").finish();
  world.want(link, "bye");
  world.want_end(link);
  link.finishes = true;
  peer.want_closed();
  EXPECT_EQ(world.context.counters().handshakes, 1U);
  EXPECT_EQ(world.context.counters().resumed, 0U);
  EXPECT_EQ(world.context.counters().failed, 0U);
  world.want_quiet();
}

TEST_P(SessionOf, AClientTalks) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& link = world.connect();
  Peer& peer = world.accept();
  world.want_open(link);
  EXPECT_EQ(link.info.version, named(GetParam()));
  EXPECT_FALSE(link.info.resumed);
  EXPECT_TRUE(link.info.has_alpn);
  EXPECT_TRUE(link.info.verified);
  EXPECT_TRUE(link.info.has_peer);
  EXPECT_EQ(link.info.peer.not_after, 4'102'444'799);
  EXPECT_NE(link.info.peer.subject.view().find("CN=site.test"), std::string_view::npos);
  link.out = "hello";
  peer.want("hello");
  peer.say("good day");
  world.want(link, "good day");
  link.out = "bye";
  link.finishes = true;
  peer.want("bye");
  peer.want_closed();
  peer.say("still here").finish();
  world.want(link, "still here");
  world.want_end(link);
  EXPECT_EQ(world.context.counters().handshakes, 1U);
  world.want_quiet();
}

TEST_P(SessionOf, CloseSaysGoodbyeByItself) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  world.program.close(link);
  peer.want_closed();
}

TEST_P(SessionOf, AbortSaysNothing) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  world.program.close(link, false);
  peer.want_cut();
}

TEST_P(SessionOf, AnEndWithoutCloseNotifyIsTruncated) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  peer.say("half a");
  Link& link = world.open_newest();
  world.want(link, "half a");
  peer.end().finish();
  world.want_error(link, tls::Error::truncated);
  EXPECT_FALSE(link.has_ended);
}

TEST_P(SessionOf, WhatCameBeforeTheEndIsHandedOutFirst) {
  for (const bool says_goodbye : {true, false}) {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    link.reads = false;
    peer.say("one").say("two");
    world.talk.advance(10ms);
    if (says_goodbye) {
      peer.finish();
    } else {
      peer.end().finish();
    }
    world.talk.advance(10ms);
    link.reads = true;
    world.want(link, "onetwo");
    if (says_goodbye) {
      world.want_end(link);
    } else {
      world.want_error(link, tls::Error::truncated);
    }
  }
}

TEST_P(SessionOf, AResetIsALoss) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  peer.reset();
  world.want_error(link, tls::Error::lost);
}

// ---- ciphers

TEST(Session, EachCipherSuite) {
  constexpr int suites[]{0x1301, 0x1302, 0x1303, 0xC02B, 0xC02C, 0xCCA9, 0xC02F, 0xC030, 0xCCA8};
  for (const int suite : suites) {
    const TlsVersion version = (suite >> 8) == 0x13 ? TlsVersion::tls13 : TlsVersion::tls12;
    const bool is_rsa = suite == 0xC02F || suite == 0xC030 || suite == 0xCCA8;
    ServerWorld world{{.own = {is_rsa ? certificates::site_rsa : certificates::site},
                       .clients = {.is_client = true, .max = version, .suites = {suite}}}};
    Peer& peer = world.connect();
    peer.say("hello");
    Link& link = world.open_newest();
    world.want(link, "hello");
    EXPECT_EQ(link.info.cipher, tls_of(peer).cipher());
    EXPECT_EQ(link.info.version, named(version));
  }
}

TEST(Session, EachGroup) {
  for (const std::uint16_t group : {0x0017, 0x0018, 0x001D}) {
    for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
      // In TLS 1.2 the client's groups bind the curves of certificates as well (RFC 8422 section 5.1.1).
      const TestCertificate& own = version == TlsVersion::tls12 ? certificates::site_rsa : certificates::site;
      {
        ServerWorld world{{.own = {own}, .clients = {.is_client = true, .max = version, .groups = {group}}}};
        world.connect().say("hello");
        world.want(world.open_newest(), "hello");
      }
      ClientWorld world{{.trust = {certificates::ca, certificates::rsa_ca},
                         .servers = {.is_client = false, .max = version, .groups = {group}, .own = {own}}}};
      Link& link = world.connect();
      world.accept().say("hello");  // with another group than its first: HelloRetryRequest in TLS 1.3
      world.want_open(link);
      world.want(link, "hello");
    }
  }
}

// ---- ALPN

TEST_P(SessionOf, WithoutAlpnItIsNotAgreedOn) {
  TlsEndOptions clients = clients_of(GetParam());
  clients.alpn = {};
  {
    ServerWorld world{{.clients = clients}};
    Peer& peer = world.connect();
    EXPECT_FALSE(world.open_newest().info.has_alpn);
    EXPECT_EQ(tls_of(peer).alpn(), "");
  }
  TlsEndOptions servers = servers_of(GetParam());
  servers.alpn = {};
  ClientWorld world{{.servers = servers}};
  Link& link = world.connect();
  world.accept();
  world.want_open(link);
  EXPECT_FALSE(link.info.has_alpn);
}

TEST_P(SessionOf, AlpnPicksHttp11AmongSeveral) {
  TlsEndOptions clients = clients_of(GetParam());
  clients.alpn = {"h2", "http/1.1", "http/1.0"};
  ServerWorld world{{.clients = clients}};
  Peer& peer = world.connect();
  EXPECT_TRUE(world.open_newest().info.has_alpn);
  peer.want_connected();
  EXPECT_EQ(tls_of(peer).alpn(), "http/1.1");
}

TEST_P(SessionOf, OtherProtocolsAreRefused) {
  TlsEndOptions clients = clients_of(GetParam());
  clients.alpn = {"h2"};
  {
    ServerWorld world{{.clients = clients}};
    Peer& peer = world.connect();
    world.want_error(world.newest(), tls::Error::alpn);
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 120);  // no_application_protocol
  }
  TlsEndOptions servers = servers_of(GetParam());
  servers.alpn = {"h2"};
  ClientWorld world{{.servers = servers}};
  Link& link = world.connect();
  world.accept();
  world.want_error(link, tls::Error::alert);
  EXPECT_EQ(link.error.alert, 120);
}

// ---- versions

TEST(Session, NoCommonVersion) {
  {
    ServerWorld world{{.min = tls::Version::tls13, .clients = clients_of(TlsVersion::tls12)}};
    Peer& peer = world.connect();
    world.want_error(world.newest(), tls::Error::version);
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 70);  // protocol_version
  }
  {
    // mbedTLS's TLS 1.2 does not look at the versions a client names, and finds nothing else in common.
    ServerWorld world{{.max = tls::Version::tls12, .clients = clients_of(TlsVersion::tls13)}};
    Peer& peer = world.connect();
    world.want_error(world.newest(), tls::Error::no_common_cipher);
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 40);  // handshake_failure
  }
  {
    ClientWorld world{{.min = tls::Version::tls13, .servers = servers_of(TlsVersion::tls12)}};
    Link& link = world.connect();
    world.accept();
    world.want_error(link, tls::Error::alert);
    EXPECT_EQ(link.error.alert, 40);  // for the same reason
  }
  {
    ClientWorld world{{.max = tls::Version::tls12, .servers = servers_of(TlsVersion::tls13)}};
    Link& link = world.connect();
    world.accept();
    world.want_error(link, tls::Error::alert);
    EXPECT_EQ(link.error.alert, 70);
  }
}

TEST(Session, TheHighestCommonVersionIsTaken) {
  {
    ServerWorld world{{.max = tls::Version::tls12}};
    world.connect();
    EXPECT_EQ(world.open_newest().info.version, tls::Version::tls12);
  }
  ServerWorld world;
  world.connect();
  EXPECT_EQ(world.open_newest().info.version, tls::Version::tls13);
}

TEST(Session, NoCommonCipher) {
  {
    // An RSA suite, and the server has no RSA key.
    ServerWorld world{{.clients = {.is_client = true, .max = TlsVersion::tls12, .suites = {0xC02F}}}};
    Peer& peer = world.connect();
    world.want_error(world.newest(), tls::Error::no_common_cipher);
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 40);  // handshake_failure
  }
  {
    // Signatures by RSA only.
    ServerWorld world{{.clients = {.is_client = true, .min = TlsVersion::tls13, .signatures = {0x0804}}}};
    Peer& peer = world.connect();
    world.want_error(world.newest(), tls::Error::no_common_cipher);
    peer.want_gone();
    EXPECT_EQ(tls_of(peer).alert(), 40);
  }
}

// ---- many bytes, few bytes

TEST_P(SessionOf, MuchGoesBothWays) {
  const std::string text = letters(200'000);
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  peer.say(text);
  link.out = text;
  EXPECT_TRUE(peer.want_body(text.size()) == text);
  world.want(link, text);
}

TEST_P(SessionOf, RecordsLargerThanTheSpan) {
  const std::string text = letters(10'000);
  for (const std::size_t size : {1U, 2U, 100U, 4095U, 4096U, 4097U, 16384U}) {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    link.read_size = size;
    peer.say(text);
    world.want(link, text);
    EXPECT_FALSE(link.stream.has_pending());
    peer.finish();
    world.want_end(link);
  }
}

TEST_P(SessionOf, WhatWaitsInsideIsPending) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  world.talk.advance(10ms);
  link.reads = false;
  peer.say("abc");
  peer.say("def");  // a second record, read from the socket together with the first
  world.talk.advance(10ms);
  std::array<char, 2> out{};
  EXPECT_EQ(link.stream.recv(out).size, 2U);
  EXPECT_TRUE(link.stream.has_pending());
  EXPECT_EQ(link.stream.recv(out).size, 2U);
  EXPECT_EQ(std::string_view(out.data(), 2), "cd");
  EXPECT_TRUE(link.stream.has_pending());
  EXPECT_EQ(link.stream.recv(out).size, 2U);
  EXPECT_EQ(link.stream.recv(out).status, net::StreamStatus::want_read);
  EXPECT_FALSE(link.stream.has_pending());
}

TEST_P(SessionOf, RecordsOfOneByte) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect({.server_name = "site.test", .record_size = 1});
  Link& link = world.open_newest();
  const std::string text = letters(300);
  peer.say(text);
  world.want(link, text);
}

TEST(Session, SmallFragmentsAreHonoured) {
  ServerWorld world{{.clients = {.is_client = true, .max = TlsVersion::tls12, .fragment_code = 1}}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  const std::string text = letters(3000);
  link.out = text;
  EXPECT_TRUE(peer.want_body(text.size()) == text);  // the raw end refuses larger records than it asked for
}

TEST_P(SessionOf, TwoSpansAreSentAsOne) {
  for (const std::size_t size : {2U, 100U, 4095U, 4096U, 4097U, 9000U, 40'000U}) {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    const std::string text = letters(size);
    link.out_is_split = true;
    link.out = text;
    EXPECT_TRUE(peer.want_body(text.size()) == text) << size;
  }
}

TEST_P(SessionOf, AFullSocketMakesSendingWait) {
  Conversation::Options options;
  options.network.send_buffer_max = 700;
  options.network.receive_buffer_max = 700;
  for (const bool is_split : {false, true}) {
    ServerWorld world{{.clients = clients_of(GetParam()), .conversation = options}};
    Peer& peer = world.connect();
    Link& link = world.open_newest();
    world.talk.advance(10ms);
    peer.stop_reading();
    const std::string text = letters(20'000);
    link.out_is_split = is_split;
    link.out = text;
    world.talk.advance(1s);
    EXPECT_GT(link.sends_refused, 0);
    EXPECT_NE(link.session->send_pending(), 0U);
    // The other direction goes on meanwhile.
    peer.say("and you?");
    world.want(link, "and you?");
    peer.resume_reading();
    EXPECT_TRUE(peer.want_body(text.size()) == text);
    EXPECT_EQ(link.session->send_pending(), 0U);
    link.finishes = true;
    peer.want_closed();
  }
}

TEST_P(SessionOf, CloseNotifyWaitsForAFullSocket) {
  Conversation::Options options;
  options.network.send_buffer_max = 600;
  options.network.receive_buffer_max = 600;
  ServerWorld world{{.clients = clients_of(GetParam()), .conversation = options}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  world.talk.advance(10ms);
  peer.stop_reading();
  // Fill it exactly: one record more than fits is begun and then taken as the peer reads a little.
  while (link.sends_refused == 0) {
    link.out += "0123456789";
    world.talk.advance(1ms);
  }
  link.finishes = true;
  world.talk.advance(100ms);
  EXPECT_FALSE(link.has_finished);
  peer.resume_reading();
  world.talk.run_until([&] { return link.has_finished; });
  EXPECT_TRUE(link.has_finished);
  static_cast<void>(peer.take());
  peer.want_closed();
}

TEST_P(SessionOf, ChoppyNetworks) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Conversation::Options options;
    options.network.seed = seed;
    options.network.link.latency_min = 1ms;
    options.network.link.latency_max = 20ms;
    options.network.link.recv_size_min = 1;
    options.network.link.recv_size_max = 40;
    options.network.link.partial_send = 0.5;
    options.network.send_buffer_max = 900;
    options.network.receive_buffer_max = 900;
    const std::string text = letters(5000);
    {
      ServerWorld world{{.clients = clients_of(GetParam()), .conversation = options}};
      world.talk.set_patience(60s);
      Peer& peer = world.connect();
      peer.say(text).finish();
      Link& link = world.open_newest();
      link.out = text;
      link.finishes = true;
      EXPECT_TRUE(peer.want_body(text.size()) == text);
      peer.want_closed();
      world.want(link, text);
      world.want_end(link);
    }
    {
      ClientWorld world{{.servers = servers_of(GetParam()), .conversation = options}};
      world.talk.set_patience(60s);
      Link& link = world.connect();
      Peer& peer = world.accept();
      world.want_open(link);
      peer.say(text).finish();
      link.out = text;
      link.finishes = true;
      EXPECT_TRUE(peer.want_body(text.size()) == text);
      peer.want_closed();
      world.want(link, text);
      world.want_end(link);
    }
  }
}

// ---- every split of what the peer sends, from the first byte of its hello to the last of its close_notify

TEST_P(SessionOf, AServerHearsEverySplit) {
  std::size_t size = 0;
  for (std::size_t at = 0; size == 0 || at < size; at += stride * stride) {
    SCOPED_TRACE("cut at byte " + std::to_string(at));
    ServerWorld world{{.clients = {.is_client = true, .min = GetParam(), .max = GetParam()}}};
    Peer& peer = world.connect({.server_name = "site.test", .split_at = at});
    peer.say("hello").finish();
    Link& link = world.open_newest();
    world.want(link, "hello");
    world.want_end(link);
    if (at == 0) {
      size = tls_of(peer).sent();
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(size, 250U);
}

TEST_P(SessionOf, AClientHearsEverySplit) {
  std::size_t size = 0;
  for (std::size_t at = 0; size == 0 || at < size; at += stride * stride) {
    SCOPED_TRACE("cut at byte " + std::to_string(at));
    ClientWorld world{{.servers = servers_of(GetParam())}};
    Link& link = world.connect();
    Peer& peer = world.accept({.split_at = at});
    peer.say("hello").finish();
    world.want_open(link);
    world.want(link, "hello");
    world.want_end(link);
    if (at == 0) {
      size = tls_of(peer).sent();
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(size, 600U);
}

TEST_P(SessionOf, BytesComeOneByOne) {
  {
    ServerWorld world{{.clients = clients_of(GetParam())}};
    world.connect({.server_name = "site.test", .piece_size = 1}).say("hello").finish();
    Link& link = world.open_newest();
    world.want(link, "hello");
    world.want_end(link);
  }
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& link = world.connect();
  world.accept({.piece_size = 1}).say("hello").finish();
  world.want_open(link);
  world.want(link, "hello");
  world.want_end(link);
}

}  // namespace
}  // namespace pollux::test
