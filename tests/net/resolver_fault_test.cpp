// Breaks the first call of the port, then the second, and so on, in whole lookups: each ends, and nothing is left behind.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <string>

#include "tests/net/resolver_support.hpp"

namespace pollux::test {
namespace {

enum class Story : std::uint8_t { plain, stream, hosts, search, aliases };

void build(NamedSite& site, Story story) {
  switch (story) {
    case Story::plain:
      break;
    case Story::stream:
      site.server.set_datagram_size_max(0);
      break;
    case Story::hosts:
      site.sim.files().add_file("/etc/hosts", std::string(9000, '#') + "\n192.0.2.7 two.test\n2001:db8::7 two.test\n");
      break;
    case Story::search:
      site.sim.files().add_file("/etc/resolv.conf", "nameserver 192.0.2.53\nsearch a.test test\n");
      break;
    case Story::aliases:
      site.server.set_follows_aliases(false);
      break;
  }
}

std::string_view name_of(Story story) {
  return story == Story::search ? "two" : story == Story::aliases ? "alias.test" : "two.test";
}

// How often a story was told before nothing was left to break.
std::uint64_t sweep(Story story, bool and_later) {
  for (std::uint64_t n = 1; n < 10000; ++n) {
    NamedSite site{{}, {.first = n, .and_later = and_later}};
    build(site, story);
    for (int i = 0; i < 2; ++i) {
      Asker asker = site.make_asker();
      site.start(asker, name_of(story));
      EXPECT_LE(site.wait_for(asker), 30s) << "call " << n;
      EXPECT_EQ(asker.done, 1);
      EXPECT_TRUE((asker.lookup.error() == net::NameError::none) == !asker.lookup.addresses().empty());
      EXPECT_EQ(site.queries_used(), 0U) << "call " << n;
      EXPECT_EQ(site.sim.sockets_open(), 0U) << "call " << n;
      EXPECT_EQ(site.sim.files_open(), 0U) << "call " << n;
    }
    const std::uint64_t failures = site.faults.failures();
    // Afterwards everything is as it was.
    site.faults.set_plan({});
    site.resolver->forget();
    EXPECT_EQ(site.look_up(name_of(story)), story == Story::hosts ? "2001:db8::7 192.0.2.7" : "2001:db8::2 192.0.2.2")
        << "call " << n;
    if (failures == 0 || testing::Test::HasFailure()) {
      return n;
    }
  }
  return 0;
}

TEST(ResolverFault, EachCallFailsOnce) {
  for (const Story story : {Story::plain, Story::stream, Story::hosts, Story::search, Story::aliases}) {
    EXPECT_GT(sweep(story, false), 10U) << static_cast<int>(story);
  }
}

TEST(ResolverFault, EachCallFailsAndAllBehindIt) {
  for (const Story story : {Story::plain, Story::stream, Story::hosts, Story::search, Story::aliases}) {
    EXPECT_GT(sweep(story, true), 10U) << static_cast<int>(story);
  }
}

// A crowd that starts, cancels and starts again, over a bad network, with files that change and calls that fail: afterwards every slot is
// free, and a lookup works.
TEST(ResolverFault, ACrowd) {
  static constexpr std::array<std::string_view, 8> names{"one.test",  "two.test",  "six.test",  "alias.test",
                                                         "nope.test", "text.test", "localhost", "192.0.2.1"};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    port::SimRandom random{seed};
    NamedSite site{{.seed = seed, .link = {.latency_max = 40ms, .loss = 0.1, .duplicate = 0.1}},
                   {.probability = 0.02, .seed = seed}};
    site.server.add_rule({.type = SimNameServer::aaaa, .delay = 30ms, .loss = 0.2});
    site.server.set_datagram_size_max(seed % 3 == 0 ? 0 : 1232);
    site.server.set_follows_aliases(seed % 2 == 0);
    std::deque<Asker> askers;
    for (int i = 0; i < 10; ++i) {
      askers.emplace_back(*site.resolver, site.network);
    }
    for (int step = 0; step < 300; ++step) {
      Asker& asker = askers[random.below(askers.size())];
      switch (random.below(4)) {
        case 0:
          asker.lookup.cancel();
          break;
        case 1:
          if (random.below(10) == 0) {
            site.sim.files().add_file("/etc/hosts", "192.0.2." + std::to_string(step % 250) + " host.test\n");
          }
          break;
        default:
          site.start(asker, names[random.below(names.size())]);
          break;
      }
      site.turn(std::chrono::milliseconds{random.below(60)});
      std::size_t running = 0;
      for (const Asker& one : askers) {
        running += one.lookup.is_running() ? 1 : 0;
      }
      EXPECT_LE(site.queries_used(), running);
    }
    site.faults.set_plan({});
    site.server.clear_rules();
    for (Asker& asker : askers) {
      if (asker.lookup.is_running()) {
        site.wait_for(asker);
      }
    }
    EXPECT_EQ(site.queries_used(), 0U) << "seed " << seed;
    EXPECT_EQ(site.sim.sockets_open(), 0U) << "seed " << seed;
    site.network.link().loss = 0;
    site.sim.set_link({});
    site.run_for(120s);  // the server gives up the connections that were lost
    site.resolver->forget();
    EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2") << "seed " << seed;
  }
}

TEST(ResolverFault, NoDescriptors) {
  NamedSite site;
  site.sim.set_descriptors_max(0);
  EXPECT_EQ(site.look_up("one.test"), "no name server is known");  // its file cannot be read
  site.sim.set_descriptors_max(64);
  site.run_for(1s);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
  site.sim.set_descriptors_max(0);
  site.run_for(1s);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");  // known
  EXPECT_EQ(site.look_up("two.test"), "no name server can be reached");
  site.sim.set_descriptors_max(64);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
}

}  // namespace
}  // namespace pollux::test
