// Breaks the first call of the port, then the second, and so on, in whole lookups: each ends, and nothing is left behind.
#include <gtest/gtest.h>

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
