// What sessions, handshakes and certificates take from the arena, held against the constants of stack/tls/limits.hpp; that an arena of just that
// size is enough; and that thousands of handshakes, many of them broken off somewhere, leave nothing behind. Raw ends take their memory
// elsewhere, so every byte counted is ours.
//
// `tls_arena_test --gtest_filter=*Need*` prints the single values. POLLUX_TLS_ROUNDS in the environment says how many handshakes are made; ctest
// has an entry with 10,000.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/support/emulated.hpp"
#include "tests/tls/session_support.hpp"

namespace pollux::test {
namespace {

class ArenaNeedOf : public testing::TestWithParam<TlsVersion> {};
INSTANTIATE_TEST_SUITE_P(Tls, ArenaNeedOf, each_version, version_name_of);

void print(const std::string& what, std::size_t bytes) {
  if (GTEST_FLAG_GET(brief)) {
    return;
  }
  std::printf("%-72s %7zu bytes\n", what.c_str(), bytes);
}

std::string name_of(TlsVersion version) {
  return version == TlsVersion::tls12 ? "TLS 1.2" : "TLS 1.3";
}

// Base64 of the PEM texts, without their borders: three bytes for four letters.
std::size_t der_size(const TestCertificate& certificate) {
  return (certificate.certificate.size() + certificate.key.size()) * 3 / 4;
}

std::size_t used(TlsWorld& world) {
  return world.library->arena_use().used;
}

// ---- what does not move

struct Started {
  std::size_t library = 0;
  std::size_t context = 0;  // with it
};
Started start_server(std::uint16_t sessions, const std::vector<TestCertificate>& own) {
  Conversation talk;
  TestLibrary library{talk.port()};
  Started started{.library = library->arena_use().used};
  TestServerMemory memory{{.sessions = sessions, .handshakes = 1, .certificates = 4}};
  tls::ServerContext context{{.library = *library, .memory = memory.memory()}};
  EXPECT_TRUE(context.start(ServerWorld::sources(own)));
  started.context = library->arena_use().used;
  return started;
}
Started start_client(std::uint16_t sessions, const TestCertificate* own) {
  Conversation talk;
  TestLibrary library{talk.port()};
  Started started{.library = library->arena_use().used};
  TestClientMemory memory{{.sessions = sessions, .handshakes = 1}};
  tls::ClientContext context{{.library = *library, .memory = memory.memory()}};
  const tls::CertificateSource source = own != nullptr ? source_of(*own) : tls::CertificateSource{};
  EXPECT_TRUE(context.start(own != nullptr ? &source : nullptr));
  started.context = library->arena_use().used;
  return started;
}

TEST(ArenaNeed, OfWhatIsThereFromTheStart) {
  const std::vector<TestCertificate> one{certificates::site};
  const Started server = start_server(1, one);
  const std::size_t server_session = (start_server(5, one).context - server.context) / 4;
  const Started client = start_client(1, nullptr);
  const std::size_t client_session = (start_client(5, nullptr).context - client.context) / 4;
  print("library", server.library);
  print("server: one session that waits", server_session);
  print("client: one session that waits", client_session);
  print("server: everything else, with one certificate", server.context - server_session);
  print("client: everything else", client.context - client_session);
  EXPECT_LE(server.context - server_session,
            tls::ArenaNeed::base + tls::ArenaNeed::certificate + der_size(certificates::site));
  EXPECT_LE(client.context - client_session, tls::ArenaNeed::client_base);
  EXPECT_LE(server_session, tls::ArenaNeed::session);
  EXPECT_LE(client_session, tls::ArenaNeed::session);

  struct Row {
    const char* name;
    TestCertificate own;
  };
  for (const Row& row :
       {Row{"P-256", certificates::second}, Row{"P-384", certificates::site_p384},
        Row{"RSA 2048", certificates::site_rsa}, Row{"P-256, chain of two", certificates::by_intermediate},
        Row{"P-256, thirty names", certificates::everywhere}}) {
    const std::size_t more = start_server(1, {certificates::site, row.own}).context - server.context;
    const std::size_t der = der_size(row.own);
    print("certificate and key on top of their DER: " + std::string{row.name}, more > der ? more - der : 0);
    EXPECT_LE(more, tls::ArenaNeed::certificate + der) << row.name;
  }
  const std::size_t own = start_client(1, &certificates::client).context - client.context;
  EXPECT_LE(own, tls::ArenaNeed::certificate + der_size(certificates::client));
}

// ---- what a handshake takes while it lasts, and an open connection keeps

struct Measured {
  std::size_t handshake = 0;  // the most above what a waiting session holds
  std::size_t open = 0;       // more than a waiting one, which has the memory of its handshake already
};

Measured measure_server(const ServerWorldOptions& options, const TlsPeerOptions& peer_options) {
  ServerWorld world{options};
  // An RSA key keeps two numbers from its first signature on; they are the certificate's.
  Peer& first = world.connect(peer_options);
  world.program.close(world.open_newest());
  first.close();
  const std::size_t before = used(world);
  world.library->reset_arena_used_max();
  Peer& peer = world.connect(peer_options);
  peer.say("hello");
  Link& link = world.open_newest();
  const std::size_t most = world.library->arena_use().used_max;
  world.want(link, "hello");
  link.out = "hello";
  peer.want("hello");
  const Measured measured{.handshake = most - before, .open = std::max(used(world), before) - before};
  world.program.close(link);
  EXPECT_LE(used(world), before + 600);  // blocks may be a little larger than before
  return measured;
}

Measured measure_client(const ClientWorldOptions& options) {
  ClientWorld world{options};
  Measured measured;
  for (int i = 0; i < 2; ++i) {  // the second one is resumed, if the server likes
    const std::size_t before = used(world);
    world.library->reset_arena_used_max();
    Link& link = world.connect();
    Peer& peer = world.accept();
    peer.say("hello");
    world.want_open(link);
    const std::size_t most = world.library->arena_use().used_max;
    world.want(link, "hello");
    measured.handshake = std::max(measured.handshake, most - before);
    measured.open = std::max(measured.open, std::max(used(world), before) - before);
    world.program.close(link);
    EXPECT_LE(used(world), before + 600);
  }
  return measured;
}

TEST_P(ArenaNeedOf, AServersHandshake) {
  const TlsEndOptions clients{.is_client = true, .min = GetParam(), .max = GetParam()};
  const std::size_t waiting =
      (start_server(5, {certificates::site}).context - start_server(1, {certificates::site}).context) / 4;
  const auto hold = [&](const std::string& what, const Measured& measured, std::size_t der = 0) {
    print(name_of(GetParam()) + ", server: " + what + ": handshake", measured.handshake);
    print(name_of(GetParam()) + ", server: " + what + ": open", measured.open);
    EXPECT_LE(waiting + measured.open, tls::ArenaNeed::session) << what;
    EXPECT_LE(measured.handshake, tls::ArenaNeed::server_handshake + der) << what;
  };
  const TlsPeerOptions site{.server_name = "site.test"};
  hold("P-256", measure_server({.clients = clients}, site));
  hold("P-384", measure_server({.own = {certificates::site_p384}, .clients = clients}, site));
  hold("RSA 2048", measure_server({.own = {certificates::site_rsa}, .clients = clients}, site));
  for (const std::uint16_t group : {0x0017, 0x0018, 0x001D}) {
    TlsEndOptions of_group = clients;
    of_group.groups = {group};
    hold("RSA 2048, group " + std::to_string(group),
         measure_server({.own = {certificates::site_rsa}, .clients = of_group}, site));
  }
  std::vector<TestCertificate> four{certificates::site, certificates::second, certificates::wildcard,
                                    certificates::site_rsa};
  hold("four certificates", measure_server({.own = four, .clients = clients}, site));
  TestTrust trust{{certificates::ca}};
  TlsEndOptions with_own = clients;
  with_own.own = {certificates::client};
  hold("client certificate",
       measure_server({.client_auth = tls::ClientAuth::require, .client_ca = &*trust, .clients = with_own}, site),
       world_server_limits.client_ca_size);
}

TEST_P(ArenaNeedOf, AClientsHandshake) {
  const std::size_t waiting = (start_client(5, nullptr).context - start_client(1, nullptr).context) / 4;
  struct Row {
    const char* name;
    TestCertificate own;
    const TestCertificate* mine = nullptr;
  };
  for (const Row& row : {Row{"P-256", certificates::site}, Row{"P-384", certificates::site_p384},
                         Row{"RSA 2048", certificates::site_rsa}, Row{"chain of two", certificates::by_intermediate},
                         Row{"own certificate", certificates::site, &certificates::client}}) {
    const ClientWorldOptions options{.trust = {certificates::ca, certificates::rsa_ca},
                                     .own = row.mine,
                                     .servers = {.is_client = false,
                                                 .min = GetParam(),
                                                 .max = GetParam(),
                                                 .own = {row.own},
                                                 .ca = row.mine != nullptr ? certificates::ca : std::string_view{},
                                                 .asks = row.mine != nullptr ? TlsAsks::require : TlsAsks::nothing}};
    const Measured measured = measure_client(options);
    print(name_of(GetParam()) + ", client: " + row.name + ": handshake", measured.handshake);
    print(name_of(GetParam()) + ", client: " + row.name + ": open", measured.open);
    // The chain is there twice at most, once as it came; so is one trusted certificate.
    EXPECT_LE(measured.handshake, tls::ArenaNeed::client_handshake + 3 * der_size(row.own)) << row.name;
    EXPECT_LE(waiting + measured.open, tls::ArenaNeed::session + 2 * der_size(row.own)) << row.name;
  }
}

// ---- as much as is promised is enough, and nothing is lost

std::uint64_t rounds() {
  const char* const text = std::getenv("POLLUX_TLS_ROUNDS");
  return text == nullptr ? test::rounds(300) : std::strtoull(text, nullptr, 10);
}

// What becomes of one connection after another.
class Chaos {
 public:
  // `size`: about so many bytes a peer says in a handshake.
  Chaos(std::uint64_t seed, std::uint64_t size) : random_{seed}, size_{size} {}

  [[nodiscard]] TlsPeerOptions next_peer() {
    TlsPeerOptions options{.server_name = "site.test"};
    if (random_.chance(0.5)) {
      options.split_at = random_.between(1, size_);
    }
    if (random_.chance(0.05)) {
      options.piece_size = random_.between(1, 300);
    }
    if (random_.chance(0.2)) {
      options.damage_at = random_.below(size_);
    }
    return options;
  }
  void happen(TlsWorld& world, TlsProgram& program, Peer& peer) {
    switch (random_.below(10)) {
      case 0:
        peer.reset();
        break;
      case 1:
        peer.end().finish();
        break;
      case 2:
        peer.finish();
        break;
      case 3:
        tls_of(peer).say_raw("garbage in the middle");
        break;
      case 4:
        tls_of(peer).say_alert(2, 40);
        break;
      case 5:
        if (Link* const link = program.newest(); link != nullptr && link->is_used()) {
          program.close(*link, random_.chance(0.5));
        }
        break;
      case 6:
        peer.lose();
        break;
      default:
        break;  // it may work
    }
    static_cast<void>(world);
  }
  [[nodiscard]] port::SimRandom& random() { return random_; }

 private:
  port::SimRandom random_;
  std::uint64_t size_;
};

template <typename World, typename Connect>
void run_chaos(World& world, Connect connect, Chaos chaos, std::uint64_t count) {
  const std::uint64_t blocks = tls_memory::blocks_inside();
  const std::size_t at_first = used(world);
  std::size_t used_max = 0;
  std::deque<Peer*> peers;
  for (std::uint64_t round = 0; round < count; ++round) {
    Peer& peer = connect(chaos.next_peer());
    peers.push_back(&peer);
    peer.say("hello");
    const std::uint64_t turns = chaos.random().below(6);
    for (std::uint64_t i = 0; i < turns; ++i) {
      world.talk.step(world.talk.now() + 1ms);
    }
    chaos.happen(world, world.program, *peers[chaos.random().below(peers.size())]);
    // A few go on side by side.
    while (peers.size() > 5 || (round + 1 == count && !peers.empty())) {
      peers.front()->close();
      peers.pop_front();
    }
    world.talk.step(world.talk.now() + 1ms);
    for (auto& link : world.program.links()) {
      if (link->is_open() && (!link->in.empty() || link->has_ended)) {
        world.program.close(*link, chaos.random().chance(0.5));
      }
    }
    if (round % 32 == 31 || round + 1 == count) {
      world.talk.advance(1ms);
      for (auto& link : world.program.links()) {
        if (link->is_used()) {
          EXPECT_NE(link->error.error, tls::Error::no_memory);
          world.program.close(*link, false);
        }
      }
      for (Peer* const left : peers) {
        left->reset();
      }
      peers.clear();
      ASSERT_EQ(world.context.sessions_used(), 0U) << "round " << round;
      ASSERT_EQ(world.context.handshakes_under_way(), 0U) << "round " << round;
      EXPECT_EQ(tls_memory::blocks_inside(), blocks) << "round " << round;
      world.talk.forget_peers();
    }
    if (round == count / 2) {
      used_max = world.library->arena_use().used_max;
    }
  }
  EXPECT_LE(used(world), at_first + 1024);
  // Flat: the second half has not taken more than a few blocks' slack above the first.
  EXPECT_LE(world.library->arena_use().used_max, used_max + used_max / 20);
  EXPECT_GT(world.context.counters().handshakes, count / 8);
  EXPECT_GT(world.context.counters().failed, count / 30);
  print("most, of " + std::to_string(world.library->arena_use().size), world.library->arena_use().used_max);
}

TEST(Arena, IsFlatForAServer) {
  ServerWorldOptions options;
  options.limits = {.sessions = 6, .handshakes = 4, .certificates = 1, .chain_size = 2048, .client_ca_size = 0};
  options.arena_size = tls::arena_size(options.limits);
  ServerWorld world{options};
  TlsEnd old{{.is_client = true, .max = TlsVersion::tls12}};
  std::uint64_t made = 0;
  run_chaos(
      world, [&](TlsPeerOptions peer) -> Peer& { return world.connect(++made % 2 == 0 ? world.clients : old, peer); },
      Chaos{20260102, 1500}, rounds());
}

TEST(Arena, IsFlatForAClient) {
  ClientWorldOptions options;
  options.limits = {.sessions = 6, .handshakes = 4, .cached = 2, .peer_chain_size = 2048};
  options.arena_size = tls::arena_size(options.limits);
  ClientWorld world{options};
  TlsEnd old{servers_of(TlsVersion::tls12)};
  std::uint64_t made = 0;
  run_chaos(
      world,
      [&](TlsPeerOptions peer) -> Peer& {
        world.connect(made % 3 == 0 ? "site.test" : "elsewhere.test");
        return world.accept(++made % 2 == 0 ? world.servers : old, peer);
      },
      Chaos{20260102, 1500}, rounds());
}

// Handshakes of every kind at the same time, in an arena of just the size that is asked for.
TEST(Arena, OfTheSizeAskedForIsEnough) {
  ServerWorldOptions options;
  options.limits = {.sessions = 6, .handshakes = 6, .certificates = 2, .chain_size = 4096};
  options.own = {certificates::site, certificates::site_rsa};
  TestTrust trust{{certificates::ca}};
  options.client_auth = tls::ClientAuth::request;
  options.client_ca = &*trust;
  options.arena_size = tls::arena_size(options.limits);
  ServerWorld world{options};
  TlsEnd old{{.is_client = true, .max = TlsVersion::tls12, .own = {certificates::client}}};
  TlsEnd plain{{.is_client = true, .own = {certificates::client}}};
  TlsEnd large{{.is_client = true, .groups = {0x0018}}};
  TlsEnd rsa{{.is_client = true, .signatures = {0x0804, 0x0401}}};
  TlsEnd* const ends[]{&old, &plain, &large, &rsa};
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < 6; ++i) {
      world.connect(*ends[(i + static_cast<std::size_t>(round)) % 4]).say("hello");
    }
    world.talk.advance(10ms);
    std::size_t open = 0;
    for (auto& link : world.program.links()) {
      EXPECT_NE(link->error.error, tls::Error::no_memory);
      open += link->is_open() && link->in == "hello" ? 1 : 0;
    }
    EXPECT_EQ(open, 6U) << "round " << round;
    ASSERT_TRUE(world.context.reload(ServerWorld::sources(options.own)));
    world.want_quiet();
    world.talk.forget_peers();
    world.talk.advance(1ms);
  }
  EXPECT_EQ(world.context.counters().waited, 0U);
}

}  // namespace
}  // namespace pollux::test
