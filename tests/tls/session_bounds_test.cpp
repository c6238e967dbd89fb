// What a peer can make a session do at most, and what is not carried over from one connection to the next.

#include "tests/tls/session_support.hpp"

namespace pollux::test {
namespace {

class BoundsOf : public testing::TestWithParam<TlsVersion> {};
INSTANTIATE_TEST_SUITE_P(Versions, BoundsOf, each_version, version_name_of);

// Warnings mean nothing and mbedTLS reads on over them by itself, for as long as there are more.
constexpr std::string_view warning{"\x15\x03\x03\x00\x02\x01\x5a", 7};
constexpr std::size_t flood_size = 400'000;
constexpr std::size_t call_max = 64 * 1024;

std::string flood_of(std::string_view record) {
  std::string text;
  while (text.size() < flood_size) {
    text += record;
  }
  return text;
}

// How much the link's session takes from the socket in one turn, at most.
std::size_t most_in_a_turn(TlsWorld& world, Link& link) {
  static_cast<void>(link.session->take_received());  // of the handshake
  std::size_t most = 0;
  for (int turn = 0; turn < 200; ++turn) {
    world.talk.step(world.talk.now() + 1ms);
    if (link.session == nullptr || !link.is_used() || link.is_over()) {
      break;
    }
    most = std::max(most, link.session->take_received());
  }
  return most;
}

TEST(Bounds, WarningsInTheHandshakeDoNotKeepTheLoop) {
  ServerWorld world;
  Peer& peer = world.talk.connect_plain(TlsProgram::listen_port);
  peer.want_connected();
  peer.end().link() = {.send_buffer = flood_size, .receive_buffer = flood_size};
  Link& link = world.newest();
  peer.say(flood_of(warning));
  const std::size_t most = most_in_a_turn(world, link);
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, call_max);
}

TEST_P(BoundsOf, RecordsWithoutDataDoNotKeepTheLoop) {
  ServerWorld world{{.clients = clients_of(GetParam())}};
  Peer& peer = world.connect();
  Link& link = world.open_newest();
  peer.end().link() = {.send_buffer = flood_size, .receive_buffer = flood_size};
  for (int i = 0; i < 10'000; ++i) {
    tls_of(peer).say_alert(1, 90);  // user_canceled
  }
  const std::size_t most = most_in_a_turn(world, link);
  EXPECT_GT(most, 0U);
  EXPECT_LE(most, call_max);
}

// ---- what was trusted before

TEST_P(BoundsOf, WhatWasTrustedBeforeIsNotResumed) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& first = world.connect();
  Peer& peer = world.accept();
  world.want_open(first);
  world.trust->clear();  // while the connection is open, and before its ticket was read
  peer.say("x");
  world.want(first, "x");
  Link& second = world.connect();
  world.accept();
  world.want_error(second, tls::Error::unknown_authority);
}

TEST_P(BoundsOf, ForgottenSessionsAreNotRememberedByThoseStillOpen) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  Link& first = world.connect();
  Peer& peer = world.accept();
  world.want_open(first);
  world.context.forget_sessions();
  peer.say("x");
  world.want(first, "x");
  Link& second = world.connect();
  world.accept().say("y");
  world.want_open(second);
  EXPECT_FALSE(second.info.resumed);
}

TEST_P(BoundsOf, AnotherPinIsNotResumedPast) {
  tls::Digest key{};
  {
    ClientWorld world{{.servers = servers_of(GetParam())}};
    Link& first = world.connect();
    world.accept();
    world.want_open(first);
    key = first.info.peer.public_key;
  }
  ClientWorldOptions options{.pins = {key}, .servers = servers_of(GetParam())};
  ClientWorld pinned{options};
  Link& second = pinned.connect();
  pinned.accept().say("x");
  pinned.want_open(second);
  pinned.want(second, "x");
  pinned.program.close(second);
  pinned.pins.front() = tls::Digest{};
  Link& third = pinned.connect();
  pinned.accept();
  pinned.want_error(third, tls::Error::pin_mismatch);
}

// ---- memory

TEST(Bounds, AnArenaThatIsTooSmallIsNoticedAtTheStart) {
  Conversation talk;
  TestLibrary library{talk.port(), 96 * 1024};  // of 2 sessions, and not of a handshake
  const tls::ServerTlsLimits limits{
      .sessions = 2, .handshakes = 2, .certificates = 1, .chain_size = 2048, .client_ca_size = 0};
  TestServerMemory memory{limits};
  const std::size_t used = library->arena_use().used;
  tls::ServerContext context{{.library = *library, .memory = memory.memory()}};
  const tls::CertificateSource good[]{source_of(certificates::site)};
  const auto started = context.start(good);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), tls::Error::no_memory);
  EXPECT_EQ(library->arena_use().used, used);
}

TEST(Bounds, OneContextDoesNotTakeWhatAnotherWasPromised) {
  Conversation talk;
  const tls::ServerTlsLimits limits{
      .sessions = 2, .handshakes = 2, .certificates = 1, .chain_size = 2048, .client_ca_size = 0};
  TestLibrary library{talk.port(), tls::arena_size(limits) + tls::arena_size(limits) / 2};
  TestServerMemory memory{limits};
  TestServerMemory other_memory{limits};
  const tls::CertificateSource good[]{source_of(certificates::site)};
  {
    tls::ServerContext context{{.library = *library, .memory = memory.memory()}};
    ASSERT_TRUE(context.start(good));
    tls::ServerContext other{{.library = *library, .memory = other_memory.memory()}};
    const auto started = other.start(good);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error(), tls::Error::no_memory);
  }
  tls::ServerContext other{{.library = *library, .memory = other_memory.memory()}};
  EXPECT_TRUE(other.start(good));
}

TEST(Bounds, ContradictingVersionsAreNotTaken) {
  Conversation talk;
  TestLibrary library{talk.port()};
  TestClientMemory memory{world_client_limits};
  tls::ClientContext context{
      {.library = *library, .memory = memory.memory(), .min = tls::Version::tls13, .max = tls::Version::tls12}};
  const auto started = context.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), tls::Error::unsupported);
}

// A name with the dot of the root is the same name (RFC 6066 section 3 has none in what is sent).
TEST_P(BoundsOf, ADotAtTheEndIsNotSent) {
  ClientWorld world{{.servers = servers_of(GetParam())}};
  for (const std::string_view host : {"site.test.", "site.test"}) {
    Link& link = world.connect(host);
    world.accept().say("x");
    world.want_open(link);
    world.want(link, "x");
    EXPECT_EQ(link.info.resumed, host == "site.test");
    world.program.close(link);
  }
}

}  // namespace
}  // namespace pollux::test
