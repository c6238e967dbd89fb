// A transport on small limits and many users of it, against servers of ours and rogues, over a bad network. Each seed is one run.
//
//   client_sim_test                         the usual seeds
//   client_sim_test --seeds 5000            more of them
//   client_sim_test --seed 17               this one, with what came of it
//   client_sim_test --round-trips 1000000   as many seeds as it takes

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>

#include "port/sim/sim_name_server.hpp"
#include "port/sim/sim_port.hpp"
#include "stack/http/proxy.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"
#include "tests/sim/client_rogues.hpp"
#include "tests/sim/client_users.hpp"
#include "tests/support/emulated.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;

std::uint64_t seed_first = 1;
std::uint64_t seed_count = rounds(200);
std::uint64_t round_trips_wanted = 0;  // 0: seed_count decides
bool is_talkative = false;
std::uint64_t round_trips_begun = 0;
std::uint64_t round_trips_right = 0;
std::uint64_t round_trips_failed = 0;

constexpr http::TransportLimits smallest{
    .connections = 1, .hosts = 1, .in_buffer = 4096, .out_buffer = 512, .head_size_max = 128, .fields_max = 4};
constexpr http::TransportLimits few{.connections = 3,
                                    .hosts = 2,
                                    .in_buffer = 4096,
                                    .out_buffer = 512,
                                    .head_size_max = 300,
                                    .fields_max = 8,
                                    .decoders = 1};
constexpr http::TransportLimits modest{.connections = 8,
                                       .hosts = 6,
                                       .in_buffer = 4096,
                                       .out_buffer = 1024,
                                       .head_size_max = 1000,
                                       .fields_max = 16,
                                       .decoders = 3};
constexpr net::ResolverLimits resolver_limits{.queries = 2, .cache_entries = 2};
constexpr http::ServerLimits server_limits{.connections = 12,
                                           .exchanges = 3,
                                           .listeners = 1,
                                           .in_buffer = 800,
                                           .out_buffer = 700,
                                           .head_size_max = 300,
                                           .fields_max = 8,
                                           .state_size = 32,
                                           .close_records = 4};

// Writes down which requests a server has seen, on their way to the app.
class Books final : public http::Router {
 public:
  explicit Books(UserWorld& world) : world_{world} {}
  void find(const http::RouteQuery& query, http::RouteMatch& match) const override {
    const std::string_view path = query.raw_path;
    const auto number = base::parse_decimal(path.substr(path.rfind('/') + 1)).value_or(0);
    if (number < UserWorld::numbers_max && world_.seen[number] < 255) {
      ++world_.seen[number];
    }
    app.find(query, match);
  }
  SimApp app;

 private:
  UserWorld& world_;
};

// A machine with a server of ours.
struct Site {
  Site(port::SimNetwork& network, UserWorld& world, port::SimRandom& random, bool is_good)
      : port{network, {.sockets_max = 64}},
        storage{std::make_unique<http::ServerStorage<server_limits>>()},
        loop_storage{std::make_unique<net::LoopStorage<http::sockets_max(server_limits)>>()},
        loop{port, loop_storage->memory()},
        books{world},
        server{{.loop = loop,
                .handler = books,
                .memory = storage->memory(),
                .timeouts = {.read_head = 5s,
                             .read_body = 20s,
                             .write = 20s,
                             .stall = 5s,
                             .idle = is_good ? 60s : port::Duration{100'000'000 + random.below(10'000'000'000)},
                             .wait = 3s},
                .overload = random.chance(0.5) ? http::Overload::park : http::Overload::answer,
                .body_max = 5000,
                .drain_max = 1000,
                .answer_head_timeout = random.chance(0.5)}} {
    EXPECT_TRUE(server.listen({.endpoint = {port::Address::ipv4_any(80)}}));
    port.set_spurious_polls(random.chance(0.3) ? 0.1 : 0);
    port.set_late_readiness(random.chance(0.3) ? 0.2 : 0);
  }
  port::SimPort port;
  std::unique_ptr<http::ServerStorage<server_limits>> storage;
  std::unique_ptr<net::LoopStorage<http::sockets_max(server_limits)>> loop_storage;
  net::Loop loop;
  Books books;
  http::Server server;
};

constexpr port::Address rogue_address = port::Address::ipv4(192, 0, 2, 66, 80);
constexpr port::Address nobody_address = port::Address::ipv4(192, 0, 2, 99, 80);
constexpr std::array<port::Address, 1> name_servers{port::Address::ipv4(192, 0, 2, 53, 53)};

port::Duration some(port::SimRandom& random, port::Duration low, port::Duration high) {
  return port::Duration{
      random.between(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))};
}

template <http::TransportLimits limits>
class World {
 public:
  explicit World(std::uint64_t seed)
      : random_{seed},
        is_good_{seed % 4 == 0},
        network_{{.seed = seed,
                  .connections_max = 128,
                  .send_buffer_max = 4096,
                  .receive_buffer_max = 4096,
                  .link = {.latency_min = 0ms,
                           .latency_max = port::Duration{random_.below(30'000'000)},
                           .send_buffer = 200 + static_cast<std::size_t>(random_.below(3000)),
                           .receive_buffer = 200 + static_cast<std::size_t>(random_.below(3000)),
                           .recv_size_min = is_good_ ? 0 : static_cast<std::size_t>(random_.below(2)),
                           .recv_size_max = static_cast<std::size_t>(random_.below(2) *
                                                                     (1 + random_.below(300) + (is_good_ ? 200 : 0))),
                           .partial_send = random_.chance(0.5) ? 0.2 : 0,
                           .reset = !is_good_ && random_.chance(0.3) ? 0.005 : 0,
                           .loss = !is_good_ && random_.chance(0.3) ? 0.003 : 0}}},
        world_{.network = network_, .random = random_, .is_good = is_good_},
        port_{network_, {.sockets_max = 100}},
        names_{network_, name_servers[0]},
        rogue_{network_, random_, rogue_address},
        storage_{std::make_unique<http::TransportStorage<limits>>()},
        memory_{storage_->memory()},
        resolver_storage_{std::make_unique<net::ResolverStorage<resolver_limits>>()},
        resolver_memory_{resolver_storage_->memory()},
        loop_storage_{std::make_unique<LoopStorage>()},
        loop_{port_, loop_storage_->memory()},
        resolver_{
            {.loop = loop_, .memory = resolver_memory_, .servers = name_servers, .timeout = 500ms, .attempts = 6}},
        transport_{{.loop = loop_,
                    .memory = memory_,
                    .resolver = &resolver_,
                    .proxy = &proxies_,
                    .timeouts = timeouts(),
                    .max_idle_conns = pick<std::uint32_t>({100, 100, 0, 1, 2}),
                    .max_idle_conns_per_host = pick<std::int32_t>({2, 2, 0, 1, 5, -1}),
                    .max_conns_per_host = pick<std::uint32_t>({0, 0, 1, 2, 3}),
                    .max_response_header_bytes = pick<std::size_t>({0, 0, 200}),
                    .drain_max_bytes = pick<std::uint64_t>({65536, 0, 100, 1000}),
                    .rate_min = is_good_ ? 0 : pick<std::uint32_t>({0, 0, 500}),
                    .rate_window = 1s,
                    .disable_keep_alives = random_.chance(0.1)}} {
    for (std::uint64_t i = 1 + random_.below(2); i > 0; --i) {
      const Site& site = sites_.emplace_back(network_, world_, random_, is_good_);
      std::array<char, port::address_text_max> text;
      port::Address address = site.port.ipv4_address();
      const std::string name = "site" + std::to_string(i) + ".test";
      names_.add(name, address, random_.chance(0.5) ? 300 : 1);
      world_.targets.push_back({.authority = std::string{port::format_ip(address, text)}});
      world_.targets.push_back({.authority = name});
      world_.targets.push_back({.authority = name + ":80"});  // another key for the same place
      if (random_.chance(0.3)) {
        port::Address at = address;
        at.port = 80;
        world_.targets.push_back({.authority = "elsewhere.test", .endpoint = port::Endpoint{at}});
      }
    }
    names_.add("rogue.test", rogue_address);
    names_.add("www.nobody.test", nobody_address);
    names_.add_rule({.name = "silent.test", .answer = port::SimNameAnswer::silent});
    using Outcome = port::SimConnectRule::Outcome;
    network_.set_connect_rule({.to = nobody_address,
                               .outcome = pick<Outcome>({Outcome::refused, Outcome::unreachable, Outcome::silent}),
                               .delay = 30ms,
                               .at_once = random_.chance(0.3)});
    // Everything through one server, which does not care whose the request is: many hosts share its connections.
    const bool has_proxy = random_.chance(0.2);
    if (has_proxy) {
      http::Proxy proxy;
      std::array<char, port::address_text_max> text;
      EXPECT_EQ(proxy.parse(port::format_ip(sites_[0].port.ipv4_address(), text)), http::ProxyError::none);
      proxies_.set(proxy);
    }
    if (!is_good_ && !has_proxy && random_.chance(0.7)) {
      world_.targets.push_back({.authority = "192.0.2.66", .kind = UserTarget::Kind::rogue});
      world_.targets.push_back({.authority = "rogue.test", .kind = UserTarget::Kind::rogue});
    }
    if (!is_good_ && !has_proxy && random_.chance(0.4)) {
      for (const char* name : {"none.test", "silent.test", "www.nobody.test"}) {
        world_.targets.push_back({.authority = name, .kind = UserTarget::Kind::nobody});
      }
    }
    // Often no more hosts than there is room for.
    const std::size_t targets_max = 1 + static_cast<std::size_t>(random_.below(limits.hosts + 2));
    while (world_.targets.size() > targets_max) {
      const auto at = static_cast<std::ptrdiff_t>(random_.below(world_.targets.size()));
      world_.targets.erase(world_.targets.begin() + at);
    }
    for (int i = 0; i < 300; ++i) {
      world_.alphabet += "abcdefghijklmnopqrstuvwxyz";
    }
    port_.files().add_file("/body", world_.alphabet);
    const auto opened = port_.open_path("/body");
    EXPECT_TRUE(opened);
    world_.file = opened->file;
    port_.set_spurious_polls(random_.chance(0.5) ? 0.1 : 0);
    port_.set_late_readiness(random_.chance(0.5) ? 0.2 : 0);
    for (std::uint64_t i = 1 + random_.below(2 * limits.connections + 4); i > 0; --i) {
      users_.emplace_back(transport_, world_);
    }
  }

  void run() {
    for (int i = 0; i < 1500 && !has_failed(); ++i) {
      step(port::Duration{random_.below(20'000'000)});
      stir();
    }
    for (User& user : users_) {
      user.calm_down();
    }
    rogue_.calm_down();
    port_.set_descriptors_max(1000);
    settle();
    users_.clear();
    for (Site& site : sites_) {
      site.books.app.let_go();
    }
    port_.close_file(world_.file);
    round_trips_begun += world_.starts;
    round_trips_right += world_.right;
    round_trips_failed += world_.failed;
  }

 private:
  using LoopStorage = net::LoopStorage<http::sockets_max(limits) + net::sockets_max(resolver_limits)>;

  bool has_failed() const { return ::testing::Test::HasFailure(); }

  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + static_cast<std::ptrdiff_t>(random_.below(values.size())));
  }

  http::TransportTimeouts timeouts() {
    if (is_good_) {
      return {.response_header = 60s,
              .expect_continue = pick<port::Duration>({0s, 50ms, 1s}),
              .idle_conn = some(random_, 10ms, 20s),
              .conn_lifetime = random_.chance(0.7) ? 0s : some(random_, 10ms, 20s)};
    }
    return {.total = random_.chance(0.5) ? 0s : some(random_, 5s, 30s),
            .connect = some(random_, 500ms, 5s),
            .response_header = some(random_, 1s, 10s),
            .expect_continue = pick<port::Duration>({0s, 50ms, 1s}),
            .write_stall = some(random_, 1s, 8s),
            .body_idle = some(random_, 1s, 8s),
            .body_unread = some(random_, 1s, 8s),
            .idle_conn = some(random_, 10ms, 20s),
            .conn_lifetime = random_.chance(0.7) ? 0s : some(random_, 10ms, 20s),
            .drain = pick<port::Duration>({50ms, 1s, 1ms}),
            .early_response = pick<port::Duration>({50ms, 1s, 1ms})};
  }

  void step(port::Duration at_most) {
    network_.set_horizon(network_.now() + at_most);
    {
      const heap_guard::Forbidden no_heap;
      loop_.turn();
    }
    check_client();
    for (Site& site : sites_) {
      {
        const heap_guard::Forbidden no_heap;
        site.loop.turn();
      }
      EXPECT_EQ(site.server.check(), "");
      site.books.app.tick(random_);
    }
    network_.set_horizon(port::never);
    for (User& user : users_) {
      user.act();
      if (!user.complaint().empty()) {
        ADD_FAILURE() << user.complaint();
      }
    }
    EXPECT_EQ(transport_.check(), "") << "after what the users did";
    rogue_.act();
  }

  void check_client() {
    EXPECT_EQ(transport_.check(), "");
    std::size_t under_way = 0;
    for (const User& user : users_) {
      under_way += user.trip().is_under_way() ? 1 : 0;
      if (!user.complaint().empty()) {
        ADD_FAILURE() << user.complaint();
      }
    }
    EXPECT_EQ(transport_.round_trips_under_way(), under_way);
    EXPECT_LE(transport_.connections_used(), limits.connections);
    EXPECT_LE(transport_.hosts_used(), limits.hosts);
    EXPECT_LE(transport_.connections_idle(), transport_.connections_used());
  }

  // Now and then the machine itself has a bad moment, or its owner an idea.
  void stir() {
    if (!is_good_ && random_.chance(0.003)) {
      port_.set_descriptors_max(1 + random_.below(4));
    } else if (random_.chance(0.05)) {
      port_.set_descriptors_max(1000);
    }
    if (random_.chance(0.004)) {
      transport_.close_idle_connections();
    }
    if (random_.chance(0.002)) {
      transport_.network_changed();
    }
    if (!is_good_ && random_.chance(0.005)) {
      sites_[random_.below(sites_.size())].port.fail_accepts(port::Error::aborted, 1);
    }
    EXPECT_EQ(transport_.check(), "");
  }

  // Nobody begins anything any more: everything under way ends by itself, and then nothing is left of anybody.
  void settle() {
    const port::Time limit = network_.now() + 5min;
    const auto is_over = [this] {
      return std::none_of(users_.begin(), users_.end(), [](const User& user) { return user.is_busy(); }) &&
             transport_.connections_used() == 0 && port_.sockets_open() == 0 &&
             std::all_of(sites_.begin(), sites_.end(),
                         [](const Site& site) { return site.server.connections().used == 0; });
    };
    while (!is_over() && network_.now() < limit && !has_failed()) {
      step(50ms);
    }
    for (const User& user : users_) {
      EXPECT_FALSE(user.is_busy()) << user.doing();
    }
    EXPECT_EQ(transport_.round_trips_under_way(), 0U);
    EXPECT_EQ(transport_.connections_used(), 0U);
    EXPECT_EQ(transport_.hosts_used(), 0U);
    EXPECT_EQ(port_.sockets_open(), 0U);
    for (Site& site : sites_) {
      EXPECT_EQ(site.server.connections().used, 0U);
      EXPECT_EQ(site.books.app.suspended(), 0);
      EXPECT_EQ(site.books.app.sources_open(), 0);
    }
    for (std::size_t number = 0; number <= world_.numbers; ++number) {
      EXPECT_TRUE(!world_.once[number] || world_.seen[number] <= 1)
          << "request " << number << " must not be repeated, and a server saw it " << int{world_.seen[number]}
          << " times";
    }
    const http::TransportCounters& counters = transport_.counters();
    EXPECT_EQ(counters.round_trips, world_.starts);
    if (is_talkative) {
      report(counters);
    }
  }

  void report(const http::TransportCounters& counters) const {
    const auto print = [](const char* name, std::uint64_t count) {
      std::printf("  %-16s %llu\n", name, static_cast<unsigned long long>(count));
    };
    std::printf("%zu users, %zu sites\n", users_.size(), sites_.size());
    print("round trips", world_.starts);
    print("right", world_.right);
    print("... decoded", world_.decoded);
    print("other status", world_.refused);
    print("let go", world_.let_go);
    print("failed", world_.failed);
    print("dropped", world_.dropped);
    print("upgraded", world_.upgraded);
    for (std::size_t i = 0; i < world_.causes.size(); ++i) {
      if (world_.causes[i] != 0) {
        std::printf("    %s: %llu\n", http::describe(static_cast<http::CallCause>(i)).data(),
                    static_cast<unsigned long long>(world_.causes[i]));
      }
    }
    print("dials", counters.dials);
    print("dials failed", counters.dials_failed);
    print("reused", counters.reused);
    print("retried", counters.retried);
    print("waited for slot", counters.waited_for_slot);
    print("... for permit", counters.waited_for_permit);
    print("evicted", counters.evicted);
    print("hosts refused", counters.refused_hosts);
    print("drained", counters.drained);
    print("cut", counters.cut);
    print("abandoned", counters.abandoned);
    print("unsolicited", counters.unsolicited);
    print("idle closed", counters.idle_closed);
    print("rogue requests", rogue_.requests());
  }

  port::SimRandom random_;
  bool is_good_;  // nothing bad happens in this world, and everything that can be answered has to be
  port::SimNetwork network_;
  UserWorld world_;
  port::SimPort port_;
  port::SimNameServer names_;
  Rogue rogue_;
  std::unique_ptr<http::TransportStorage<limits>> storage_;
  http::TransportMemory memory_;
  std::unique_ptr<net::ResolverStorage<resolver_limits>> resolver_storage_;
  net::ResolverMemory resolver_memory_;
  std::unique_ptr<LoopStorage> loop_storage_;
  net::Loop loop_;
  net::Resolver resolver_;
  http::ProxySettings proxies_;
  http::Transport transport_;
  std::deque<Site> sites_;
  std::deque<User> users_;
};

TEST(ClientSim, EachAnswerIsTheRightOneAndNothingIsLeft) {
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t seed = seed_first;
  for (; round_trips_wanted != 0 ? round_trips_begun < round_trips_wanted : seed < seed_first + seed_count; ++seed) {
    SCOPED_TRACE("--seed " + std::to_string(seed));
    switch (seed % 3) {
      case 0:
        std::make_unique<World<smallest>>(seed)->run();
        break;
      case 1:
        std::make_unique<World<few>>(seed)->run();
        break;
      default:
        std::make_unique<World<modest>>(seed)->run();
        break;
    }
    if (HasFailure()) {
      std::printf("seed %llu failed\n", static_cast<unsigned long long>(seed));
      return;
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("seeds %llu to %llu, %llu round trips (%llu right, %llu failed), %.1f s\n",
              static_cast<unsigned long long>(seed_first), static_cast<unsigned long long>(seed - 1),
              static_cast<unsigned long long>(round_trips_begun), static_cast<unsigned long long>(round_trips_right),
              static_cast<unsigned long long>(round_trips_failed), took.count());
}

}  // namespace
}  // namespace pollux::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name{argv[i]};
    const auto value = i + 1 < argc ? pollux::base::parse_decimal(argv[i + 1]) : std::nullopt;
    if (!value || (name != "--seeds" && name != "--seed" && name != "--round-trips")) {
      std::fprintf(stderr, "usage: client_sim_test [--seeds COUNT | --seed SEED | --round-trips COUNT]\n");
      return 2;
    }
    if (name == "--seed") {
      pollux::test::seed_first = *value;
      pollux::test::seed_count = 1;
      pollux::test::is_talkative = true;
    } else if (name == "--round-trips") {
      pollux::test::round_trips_wanted = *value;
    } else {
      pollux::test::seed_count = *value;
    }
  }
  return RUN_ALL_TESTS();
}
