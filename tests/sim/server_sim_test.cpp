// Many good and bad peers against a server on the smallest limits, over a bad network. Each seed is one run.
//
//   server_sim_test                  the usual seeds
//   server_sim_test --seeds 5000     more of them
//   server_sim_test --seed 17        this one, with what the server counted

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "tests/sim/server_peers.hpp"
#include "tests/support/emulated.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;

std::uint64_t seed_first = 1;
std::uint64_t seed_count = rounds(250);
bool is_talkative = false;

// The smallest there are; fewer exchanges than connections; and a few more of everything.
constexpr http::ServerLimits smallest{.connections = 1,
                                      .exchanges = 1,
                                      .listeners = 1,
                                      .in_buffer = 256,
                                      .out_buffer = 512,
                                      .head_size_max = 128,
                                      .fields_max = 4,
                                      .state_size = 16,
                                      .close_records = 1};
constexpr http::ServerLimits few_exchanges{.connections = 5,
                                           .exchanges = 2,
                                           .listeners = 1,
                                           .in_buffer = 256,
                                           .out_buffer = 512,
                                           .head_size_max = 128,
                                           .fields_max = 4,
                                           .state_size = 32,
                                           .close_records = 2};
constexpr http::ServerLimits modest{.connections = 8,
                                    .exchanges = 0,
                                    .listeners = 1,
                                    .in_buffer = 700,
                                    .out_buffer = 700,
                                    .head_size_max = 300,
                                    .fields_max = 8,
                                    .state_size = 32,
                                    .close_records = 4};

template <http::ServerLimits limits>
class World {
 public:
  explicit World(std::uint64_t seed)
      : random_{seed},
        network_{{.seed = seed,
                  .connections_max = 128,
                  .send_buffer_max = 4096,
                  .receive_buffer_max = 4096,
                  .link = {.latency_min = 0ms,
                           .latency_max = port::Duration{random_.below(30'000'000)},
                           .send_buffer = 200 + static_cast<std::size_t>(random_.below(3000)),
                           .receive_buffer = 200 + static_cast<std::size_t>(random_.below(3000)),
                           .recv_size_min = static_cast<std::size_t>(random_.below(2)),
                           .recv_size_max = static_cast<std::size_t>(random_.below(2) * (1 + random_.below(300))),
                           .partial_send = random_.chance(0.5) ? 0.2 : 0}}},
        port_{network_, {.sockets_max = 100}},
        storage_{std::make_unique<http::ServerStorage<limits>>()},
        loop_storage_{std::make_unique<net::LoopStorage<http::sockets_max(limits)>>()},
        loop_{port_, loop_storage_->memory()},
        server_{{.loop = loop_,
                 .handler = app_,
                 .memory = storage_->memory(),
                 .timeouts = {.read_head = 5s, .read_body = 20s, .write = 20s, .stall = 5s, .idle = 8s, .wait = 6s},
                 .overload = http::Overload::park,
                 .body_max = 4000,
                 .drain_max = 1000,
                 .answer_head_timeout = seed % 2 == 0}} {
    EXPECT_TRUE(server_.listen({.endpoint = {port::Address::ipv4_any(sim_server_port)}}));
    port_.set_parking(random_.chance(0.7));
    port_.set_spurious_polls(random_.chance(0.5) ? 0.1 : 0);
    port_.set_late_readiness(random_.chance(0.5) ? 0.2 : 0);
    for (std::uint64_t i = 1 + random_.below(4); i > 0; --i) {
      good_.emplace_back(network_, random_);
    }
    for (std::uint64_t i = random_.below(12); i > 0; --i) {
      bad_.emplace_back(network_, random_);
    }
  }

  void run() {
    for (int i = 0; i < 1500 && !has_failed(); ++i) {
      step(port::Duration{random_.below(20'000'000)});
      stir();
    }
    for (BadPeer& peer : bad_) {
      peer.calm_down();
    }
    for (GoodPeer& peer : good_) {
      peer.calm_down();
    }
    port_.set_descriptors_max(1000);
    settle();
    app_.let_go();
  }

 private:
  bool has_failed() const { return ::testing::Test::HasFailure(); }

  void step(port::Duration at_most) {
    network_.set_horizon(network_.now() + at_most);
    {
      const heap_guard::Forbidden no_heap;
      loop_.turn();
    }
    network_.set_horizon(port::never);
    EXPECT_EQ(server_.check(), "");
    app_.tick(random_);
    for (GoodPeer& peer : good_) {
      peer.act();
      EXPECT_EQ(peer.complaint(), "");
    }
    for (BadPeer& peer : bad_) {
      peer.act();
    }
  }

  // Now and then the machine itself has a bad moment.
  void stir() {
    if (random_.chance(0.005)) {
      port_.set_descriptors_max(random_.chance(0.5) ? 1 + random_.below(4) : 1000);
    }
    if (random_.chance(0.005)) {
      port_.fail_accepts(random_.chance(0.5) ? port::Error::aborted : port::Error::no_memory, 1);
    }
  }

  // The peers are quiet: the good ones get what they still wait for, and then nothing is left of anybody.
  void settle() {
    const port::Time limit = network_.now() + 10min;
    const auto is_over = [this] {
      return server_.connections().used == 0 &&
             std::all_of(good_.begin(), good_.end(), [](const GoodPeer& p) { return p.is_done(); });
    };
    while (!is_over() && network_.now() < limit && !has_failed()) {
      step(50ms);
    }
    EXPECT_TRUE(is_over()) << "still there after " << (10min).count() << " minutes; a good peer waits for "
                           << waits_for();
    EXPECT_EQ(server_.connections().used, 0U);
    EXPECT_EQ(server_.exchanges().used, 0U);
    EXPECT_EQ(port_.sockets_open(), 1U);
    EXPECT_EQ(port_.sockets_parked(), 0U);
    EXPECT_EQ(app_.suspended(), 0) << "a handler was promised another call and did not get it";
    EXPECT_EQ(app_.sources_open(), 0);
    const http::ServerCounters& counters = server_.counters();
    std::uint64_t closes = 0;
    for (const std::uint64_t count : counters.closes) {
      closes += count;
    }
    EXPECT_EQ(closes, counters.accepted);
    if (is_talkative) {
      report(counters);
    }
  }

  std::string waits_for() const {
    for (const GoodPeer& peer : good_) {
      if (!peer.is_done()) {
        return peer.waits_for();
      }
    }
    return "nothing";
  }

  void report(const http::ServerCounters& counters) const {
    std::printf("accepted %llu, requests %llu, answers", static_cast<unsigned long long>(counters.accepted),
                static_cast<unsigned long long>(counters.requests));
    for (const std::uint64_t count : counters.answers) {
      std::printf(" %llu", static_cast<unsigned long long>(count));
    }
    std::printf(", exchange waits %llu, parked %llu\n", static_cast<unsigned long long>(counters.exchange_waits),
                static_cast<unsigned long long>(counters.listener_parked));
    for (std::size_t i = 0; i < http::close_reason_count; ++i) {
      if (counters.closes[i] != 0) {
        std::printf("  %s: %llu\n", http::describe(static_cast<http::CloseReason>(i)).data(),
                    static_cast<unsigned long long>(counters.closes[i]));
      }
    }
    for (const GoodPeer& peer : good_) {
      std::printf("  good peer: %llu answers, the slowest after %lld ms\n",
                  static_cast<unsigned long long>(peer.answered()), static_cast<long long>(peer.slowest() / 1ms));
    }
  }

  port::SimRandom random_;
  port::SimNetwork network_;
  port::SimPort port_;
  std::unique_ptr<http::ServerStorage<limits>> storage_;
  std::unique_ptr<net::LoopStorage<http::sockets_max(limits)>> loop_storage_;
  SimApp app_;
  net::Loop loop_;
  http::Server server_;
  std::vector<GoodPeer> good_;
  std::vector<BadPeer> bad_;
};

TEST(ServerSim, GoodPeersAreServedAmongBadOnes) {
  std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(seed_first),
              static_cast<unsigned long long>(seed_first + seed_count - 1));
  for (std::uint64_t seed = seed_first; seed < seed_first + seed_count; ++seed) {
    SCOPED_TRACE("--seed " + std::to_string(seed));
    switch (seed % 3) {
      case 0:
        World<smallest>{seed}.run();
        break;
      case 1:
        World<few_exchanges>{seed}.run();
        break;
      default:
        World<modest>{seed}.run();
        break;
    }
    if (HasFailure()) {
      std::printf("seed %llu failed\n", static_cast<unsigned long long>(seed));
      return;
    }
  }
}

}  // namespace
}  // namespace pollux::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name{argv[i]};
    const auto value = pollux::base::parse_decimal(argv[i + 1]);
    if (!value || (name != "--seeds" && name != "--seed")) {
      std::fprintf(stderr, "usage: server_sim_test [--seeds COUNT | --seed SEED]\n");
      return 2;
    }
    if (name == "--seed") {
      pollux::test::seed_first = *value;
      pollux::test::seed_count = 1;
      pollux::test::is_talkative = true;
    } else {
      pollux::test::seed_count = *value;
    }
  }
  return RUN_ALL_TESTS();
}
