// What a resolver knows by itself, what it asks, in which order, and what it keeps.
#include "stack/net/resolver.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <set>
#include <string>

#include "tests/net/resolver_support.hpp"

namespace pollux::test {
namespace {

// ---- without asking anybody

TEST(Resolver, LiteralAddresses) {
  NamedSite site;
  EXPECT_EQ(site.look_up("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(site.look_up("2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(site.look_up("fe80::1%3"), "fe80::1%3");
  Asker asker = site.make_asker();
  site.start(asker, "192.0.2.7", 8080);
  site.turn();
  ASSERT_EQ(asker.lookup.addresses().size(), 1U);
  EXPECT_EQ(asker.lookup.addresses()[0].port, 8080);
  EXPECT_EQ(site.server.queries_seen(), 0U);
}

TEST(Resolver, BadNames) {
  NamedSite site;
  for (const std::string& name :
       {std::string{}, std::string{"."}, std::string{"a..b"}, std::string{"[::1]"}, std::string{"a b"},
        std::string{"a/b"}, std::string(254, 'a'), std::string(3000, 'a'), std::string(64, 'a') + ".test"}) {
    EXPECT_EQ(site.look_up(name), "not a host name") << name;
  }
  EXPECT_EQ(site.server.queries_seen(), 0U);
}

TEST(Resolver, SpecialNames) {
  NamedSite site;
  for (const std::string_view name : {"localhost", "LocalHost.", "a.b.localhost", "x.localhost."}) {
    EXPECT_EQ(site.look_up(name), "::1 127.0.0.1") << name;
  }
  for (const std::string_view name : {"printer.local", "local", "a.invalid", "abc.onion", "x.LOCAL."}) {
    EXPECT_EQ(site.look_up(name), "no such name") << name;
  }
  EXPECT_EQ(site.server.queries_seen(), 0U);
  // The hosts file may know a name that is not to be asked for.
  site.set_hosts("192.0.2.9 printer.local\n");
  EXPECT_EQ(site.look_up("printer.local"), "192.0.2.9");
  // And these are ordinary names.
  EXPECT_EQ(site.look_up("mylocalhost"), "no such name");
  EXPECT_GT(site.server.queries_seen(), 0U);
}

TEST(Resolver, PinnedNames) {
  NamedSite site;
  EXPECT_TRUE(site.resolver->pin("One.Test", 0, ip("198.51.100.1")));
  EXPECT_TRUE(site.resolver->pin("one.test.", 0, ip("198.51.100.2")));
  EXPECT_TRUE(site.resolver->pin("two.test", 443, ip("198.51.100.3")));
  EXPECT_TRUE(site.resolver->pin("localhost", 0, ip("198.51.100.4")));
  EXPECT_EQ(site.look_up("one.test"), "198.51.100.1 198.51.100.2");
  EXPECT_EQ(site.look_up("localhost"), "198.51.100.4");
  EXPECT_EQ(site.server.queries_seen(), 0U);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");  // port 80
  EXPECT_FALSE(site.resolver->pin("a b", 0, ip("198.51.100.1")));
  for (int i = 4; i < 16; ++i) {
    EXPECT_TRUE(site.resolver->pin("x", 0, ip("198.51.100.1")));
  }
  EXPECT_FALSE(site.resolver->pin("x", 0, ip("198.51.100.1")));
}

TEST(Resolver, HostsFile) {
  NamedSite site;
  site.set_hosts("192.0.2.99 one.test alias\n2001:db8::99 one.test\n");
  EXPECT_EQ(site.look_up("ONE.test."), "2001:db8::99 192.0.2.99");
  EXPECT_EQ(site.look_up("alias"), "192.0.2.99");
  EXPECT_EQ(site.server.queries_seen(), 0U);
  EXPECT_EQ(site.look_up("one.test"), "2001:db8::99 192.0.2.99");
}

TEST(Resolver, AHostsFileThatChanges) {
  NamedSite site;
  site.set_hosts("192.0.2.99 one.test\n");
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.99");
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
  site.set_hosts("192.0.2.98 two.test\n");
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
  EXPECT_EQ(site.look_up("two.test"), "192.0.2.98");
  site.sim.files().remove("/etc/hosts");
  site.run_for(1s);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
}

// Who looks up many names does not open two files for each.
TEST(Resolver, FilesAreLookedAtOnceASecond) {
  NamedSite site;
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
  site.sim.files().add_file("/etc/hosts", "192.0.2.99 one.test\n");
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
  site.run_for(1s);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.99");
}

TEST(Resolver, AResolvConfThatIsReplaced) {
  NamedSite site;
  SimNameServer other{site.network, ip("192.0.2.54")};
  other.add("one.test", ip("198.51.100.1"));
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
  site.set_conf("nameserver 192.0.2.54\n");
  EXPECT_EQ(site.look_up("one.test"), "198.51.100.1");
  site.sim.files().remove("/etc/resolv.conf");
  site.run_for(1s);
  EXPECT_EQ(site.look_up("one.test"), "no name server is known");
  site.set_conf("nameserver 192.0.2.53\n");
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
}

TEST(Resolver, ServersOfTheConfigurationWin) {
  NamedSite site;
  SimNameServer other{site.network, port::Address::ipv4(192, 0, 2, 54, 5353)};
  other.add("one.test", ip("198.51.100.1"));
  const std::array servers{port::Address::ipv4(192, 0, 2, 54, 5353)};
  site.make(servers);
  EXPECT_EQ(site.look_up("one.test"), "198.51.100.1");
  const std::array without_port{ip("192.0.2.53")};
  site.make(without_port);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
}

// ---- one server

TEST(Resolver, AsksForBothFamilies) {
  NamedSite site;
  Asker asker = site.make_asker();
  site.start(asker, "Two.Test", 443);
  site.wait_for(asker);
  EXPECT_EQ(asker.text(), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(asker.lookup.addresses()[0].port, 443);
  EXPECT_EQ(asker.early, 0);
  EXPECT_EQ(site.server.queries_seen("two.test", a), 1U);
  EXPECT_EQ(site.server.queries_seen("two.test", aaaa), 1U);
  EXPECT_EQ(site.resolver->questions_sent(), 2U);
  EXPECT_EQ(site.server.malformed(), 0U);
}

TEST(Resolver, OneFamilyOnly) {
  NamedSite site;
  site.make({}, true, false);
  EXPECT_EQ(site.look_up("two.test"), "192.0.2.2");
  EXPECT_EQ(site.look_up("six.test"), "the name has no address");
  EXPECT_EQ(site.look_up("localhost"), "127.0.0.1");
  EXPECT_EQ(site.server.queries_seen("two.test", aaaa), 0U);
  site.make({}, false, true);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2");
  EXPECT_EQ(site.look_up("localhost"), "::1");
  site.set_conf("nameserver 192.0.2.53\noptions no-aaaa\n");
  EXPECT_EQ(site.look_up("two.test"), "the name has no address");
}

TEST(Resolver, NoSuchNameAndNoAddress) {
  NamedSite site;
  EXPECT_EQ(site.look_up("nope.test"), "no such name");
  EXPECT_EQ(site.look_up("text.test"), "the name has no address");
  EXPECT_EQ(site.look_up("six.test"), "2001:db8::6");
}

// Each question has an id and a port of its own (RFC 5452 section 9.2).
TEST(Resolver, IdsAndPortsDiffer) {
  NamedSite site;
  for (int i = 0; i < 40; ++i) {
    site.look_up("n" + std::to_string(i) + ".test");
  }
  std::set<std::uint16_t> ids;
  std::set<std::uint16_t> ports;
  for (const SimNameServer::Query& query : site.server.queries()) {
    ids.insert(query.question.id);
    ports.insert(query.from.port);
    EXPECT_TRUE(query.question.has_edns);
    EXPECT_EQ(query.question.edns_size, 1232);
    EXPECT_TRUE(query.question.recursion_desired);
  }
  EXPECT_EQ(site.server.queries().size(), 80U);
  EXPECT_GT(ids.size(), 75U);
  EXPECT_GT(ports.size(), 70U);
}

// RFC 6724 rule 1: what this machine has no way to comes last, and whatever is best first.
TEST(Resolver, OrdersAddressesByWhatCanBeReached) {
  NamedSite site;
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
  site.sim.set_family(port::Family::ipv6, false);
  EXPECT_EQ(site.look_up("two.test"), "192.0.2.2 2001:db8::2");  // the cached answer too
  EXPECT_EQ(site.resolver->cache_hits(), 1U);
  site.sim.set_family(port::Family::ipv6, true);
  site.sim.set_family(port::Family::ipv4, false);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
}

// ---- one family lets wait (RFC 8305 section 3)

TEST(Resolver, AThenAaaaInTime) {
  NamedSite site;
  site.server.add_rule({.type = aaaa, .delay = 40ms});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 40ms);
  EXPECT_EQ(asker.early, 0);
  EXPECT_EQ(asker.text(), "2001:db8::2 192.0.2.2");
}

TEST(Resolver, AThenAaaaLate) {
  NamedSite site;
  site.server.add_rule({.type = a, .delay = 10ms});
  site.server.add_rule({.type = aaaa, .delay = 400ms});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 400ms);
  EXPECT_EQ(asker.early, 1);
  EXPECT_EQ(asker.done, 1);
  EXPECT_EQ(asker.early_at - port::Time{} - (asker.done_at - port::Time{}), -340ms);
  EXPECT_EQ(asker.early_text(), "192.0.2.2");
  EXPECT_EQ(asker.text(), "2001:db8::2 192.0.2.2");
}

TEST(Resolver, AaaaThenALate) {
  NamedSite site;
  site.server.add_rule({.type = a, .delay = 300ms});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 300ms);
  EXPECT_EQ(asker.early, 1);
  EXPECT_EQ(asker.done_at - asker.early_at, 300ms);
  EXPECT_EQ(asker.early_text(), "2001:db8::2");
}

TEST(Resolver, AaaaThatIsNeverAnswered) {
  NamedSite site;
  site.server.add_rule({.type = aaaa, .answer = SimNameAnswer::silent});
  Asker asker = site.make_asker();
  const port::Time begin = site.network.now();
  site.start(asker, "two.test");
  site.run_for(1s);
  EXPECT_EQ(asker.early, 1);
  EXPECT_EQ(asker.early_at - begin, 50ms);
  EXPECT_EQ(asker.early_text(), "192.0.2.2");
  // Who comes while the other family is still waited for hears of this one at once.
  Asker second = site.make_asker();
  site.start(second, "two.test");
  site.turn();
  EXPECT_EQ(second.early, 1);
  EXPECT_EQ(second.early_text(), "192.0.2.2");
  // Who begins to connect with it lets go of the lookup, and the next one finds what there was.
  asker.lookup.cancel();
  second.lookup.cancel();
  EXPECT_EQ(site.queries_used(), 0U);
  const std::uint64_t sent = site.resolver->questions_sent();
  EXPECT_EQ(site.look_up("two.test"), "192.0.2.2");
  EXPECT_EQ(site.resolver->questions_sent(), sent);
  EXPECT_EQ(asker.early + asker.done + second.early + second.done, 2);
}

TEST(Resolver, AaaaThatFailsInTheEnd) {
  NamedSite site;
  site.server.add_rule({.type = aaaa, .answer = SimNameAnswer::silent});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 6s);  // 2 s, then 4 s
  EXPECT_EQ(asker.text(), "192.0.2.2");
  // Half an answer is not kept for long, whatever its records say.
  site.run_for(29s);
  EXPECT_EQ(site.look_up("two.test"), "192.0.2.2");
  EXPECT_EQ(site.server.queries_seen("two.test", a), 1U);
  site.server.clear_rules();
  site.run_for(2s);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
}

// ---- what is kept

TEST(Resolver, AnswersAreKeptAsLongAsTheirRecordsSay) {
  NamedSite site;
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
  site.server.replace("two.test", ip("192.0.2.22"));
  site.run_for(29s);
  EXPECT_EQ(site.look_up("TWO.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.resolver->cache_hits(), 1U);
  site.run_for(1s);  // the AAAA record's 30 s are over
  EXPECT_EQ(site.look_up("two.test"), "192.0.2.22");
  EXPECT_EQ(site.resolver->cache_hits(), 1U);
}

TEST(Resolver, AnswersThatMayNotBeKept) {
  NamedSite site;
  site.server.add("now.test", ip("192.0.2.3"), 0);
  EXPECT_EQ(site.look_up("now.test"), "192.0.2.3");
  EXPECT_EQ(site.look_up("now.test"), "192.0.2.3");
  EXPECT_EQ(site.server.queries_seen("now.test", a), 2U);
}

TEST(Resolver, TheCeilingOfALifetime) {
  NamedSite site;
  site.server.add("long.test", ip("192.0.2.3"), 1'000'000);
  site.server.add("long.test", ip("2001:db8::3"), 1'000'000);
  site.look_up("long.test");
  site.run_for(3599s);
  site.look_up("long.test");
  EXPECT_EQ(site.server.queries_seen("long.test", a), 1U);
  site.run_for(1s);
  site.look_up("long.test");
  EXPECT_EQ(site.server.queries_seen("long.test", a), 2U);
}

TEST(Resolver, NegativeAnswersAreKeptAsTheirZoneSays) {
  NamedSite site;
  site.server.set_negative_ttl(600, 20);
  for (const std::string_view name : {"nope.test", "text.test"}) {
    const std::string first = site.look_up(name);
    site.run_for(19s);
    EXPECT_EQ(site.look_up(name), first);
    EXPECT_EQ(site.server.queries_seen(name, a), 1U);
    site.run_for(1s);
    EXPECT_EQ(site.look_up(name), first);
    EXPECT_EQ(site.server.queries_seen(name, a), 2U);
  }
  // Five minutes at most.
  site.server.set_negative_ttl(86400, 86400);
  site.look_up("never.test");
  site.run_for(301s);
  site.look_up("never.test");
  EXPECT_EQ(site.server.queries_seen("never.test", a), 2U);
}

TEST(Resolver, NegativeAnswersWithoutAZoneAreNotKept) {
  NamedSite site;
  site.server.set_authority(false);
  site.look_up("nope.test");
  site.look_up("nope.test");
  EXPECT_EQ(site.server.queries_seen("nope.test", a), 2U);
}

TEST(Resolver, FailuresAreNotKept) {
  NamedSite site;
  site.server.add_rule({.name = "one.test", .queries_max = 4, .answer = SimNameAnswer::server_failure});
  EXPECT_EQ(site.look_up("one.test"), "the name server failed");
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
}

TEST(Resolver, AFullCacheForgetsWhatEndsFirst) {
  NamedSite site;  // three entries
  site.server.add("a.test", ip("192.0.2.10"), 300);
  site.server.add("b.test", ip("192.0.2.11"), 300);
  site.server.set_negative_ttl(300, 300);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");  // 60 s
  EXPECT_EQ(site.look_up("a.test"), "192.0.2.10");
  EXPECT_EQ(site.look_up("b.test"), "192.0.2.11");
  EXPECT_EQ(site.look_up("nope.test"), "no such name");  // one.test makes room
  const std::uint64_t sent = site.resolver->questions_sent();
  EXPECT_EQ(site.look_up("a.test"), "192.0.2.10");
  EXPECT_EQ(site.look_up("b.test"), "192.0.2.11");
  EXPECT_EQ(site.look_up("nope.test"), "no such name");
  EXPECT_EQ(site.resolver->questions_sent(), sent);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
  EXPECT_EQ(site.resolver->questions_sent(), sent + 2);
}

TEST(Resolver, ForgetsWhenTheNetworkChanged) {
  NamedSite site;
  site.look_up("one.test");
  site.server.replace("one.test", ip("192.0.2.11"));
  site.resolver->forget();
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.11");
  // What is under way belongs to the old network: it is answered, but not kept, and nobody joins it.
  site.resolver->forget();
  site.server.add_rule({.delay = 10ms});
  Asker first = site.make_asker();
  Asker second = site.make_asker();
  site.start(first, "one.test");
  site.resolver->forget();
  site.start(second, "one.test");
  EXPECT_EQ(site.queries_used(), 2U);
  site.wait_for(first);
  site.wait_for(second);
  EXPECT_EQ(first.text(), "192.0.2.11");
  EXPECT_EQ(second.text(), "192.0.2.11");
}

TEST(Resolver, AnAnswerFromBeforeTheChangeIsNotKept) {
  NamedSite site;
  site.server.add_rule({.queries_max = 2, .delay = 10ms});
  Asker asker = site.make_asker();
  site.start(asker, "one.test");
  site.resolver->forget();
  site.wait_for(asker);
  EXPECT_EQ(asker.text(), "192.0.2.1");
  site.server.replace("one.test", ip("192.0.2.11"));
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.11");
}

// ---- several lookups

TEST(Resolver, LookupsOfOneNameShareAQuery) {
  NamedSite site;
  site.server.add_rule({.delay = 10ms});
  Asker first = site.make_asker();
  Asker second = site.make_asker();
  Asker third = site.make_asker();
  site.start(first, "two.test", 80);
  site.start(second, "TWO.TEST", 443);
  site.start(third, "two.test.", 80);  // absolute: another question
  EXPECT_EQ(site.queries_used(), 2U);
  first.lookup.cancel();
  EXPECT_EQ(site.queries_used(), 2U);
  site.wait_for(second);
  site.wait_for(third);
  EXPECT_EQ(first.done, 0);
  EXPECT_EQ(second.lookup.addresses()[0].port, 443);
  EXPECT_EQ(site.server.queries_seen("two.test", a), 2U);
}

TEST(Resolver, WithoutASlotALookupWaitsItsTurn) {
  NamedSite site;  // two queries
  site.server.add_rule({.delay = 10ms});
  std::array<std::string, 6> names{"n0.test", "n1.test", "one.test", "two.test", "one.test", "n5.test"};
  std::deque<Asker> askers;
  for (const std::string& name : names) {
    Asker& asker = askers.emplace_back(*site.resolver, site.network);
    site.start(asker, name);
  }
  EXPECT_EQ(site.queries_used(), 2U);
  askers[5].lookup.cancel();  // out of the line
  for (Asker& asker : askers) {
    if (&asker != &askers[5]) {
      site.wait_for(asker);
    }
  }
  EXPECT_EQ(askers[0].done_at, askers[1].done_at);
  EXPECT_EQ(askers[2].done_at - askers[0].done_at, 10ms);
  EXPECT_EQ(askers[3].done_at, askers[2].done_at);
  EXPECT_EQ(askers[4].text(), "192.0.2.1");
  EXPECT_EQ(site.server.queries_seen("one.test", a), 1U);
  EXPECT_EQ(site.server.queries_seen("n5.test", a), 0U);
  EXPECT_EQ(site.queries_used(), 0U);
}

TEST(Resolver, ACancelledLookupMakesRoomForTheNext) {
  NamedSite site;
  site.server.add_rule({.name = "n0.test", .answer = SimNameAnswer::silent});
  site.server.add_rule({.name = "n1.test", .answer = SimNameAnswer::silent});
  Asker first = site.make_asker();
  Asker second = site.make_asker();
  Asker third = site.make_asker();
  site.start(first, "n0.test");
  site.start(second, "n1.test");
  site.start(third, "one.test");
  site.run_for(100ms);
  EXPECT_FALSE(third.lookup.is_done());
  first.lookup.cancel();
  EXPECT_EQ(site.wait_for(third), 0ms);
  second.lookup.cancel();
  EXPECT_EQ(site.queries_used(), 0U);
  EXPECT_EQ(site.sim.sockets_open(), 0U);
}

// Also when it is started within a turn, before the resolver's own work in it.
TEST(Resolver, IsNeverToldInTheTurnOfItsStart) {
  NamedSite site;
  static std::uint64_t started_turn;
  static std::uint64_t told_turn;
  static net::Loop* loop;
  loop = &site.loop;
  for (const bool is_known : {true, false}) {
    if (!is_known) {
      site.resolver->forget();
    }
    Asker asker = site.make_asker();
    asker.then = [](Asker&) { told_turn = loop->turns(); };
    struct Starter {
      Asker& asker;
      bool is_known;
      void start() {
        started_turn = loop->turns();
        asker.lookup.start(is_known ? "localhost" : "one.test", 80);
      }
    };
    Starter starter{asker, is_known};
    net::Timer timer{site.loop, net::callback<&Starter::start>(starter)};
    timer.start(1ms);
    site.run_for(10ms);
    EXPECT_EQ(asker.done, 1);
    EXPECT_GT(told_turn, started_turn);
  }
}

// ---- callbacks may do as they like

TEST(Resolver, ALookupMayBeStartedAgainInItsCallback) {
  NamedSite site;
  Asker asker = site.make_asker();
  asker.then = [](Asker& self) {
    if (self.done < 3) {
      self.lookup.start(self.done == 1 ? "127.0.0.1" : "one.test", 80);
    }
  };
  site.start(asker, "two.test");
  for (int i = 0; i < 20 && asker.done < 3; ++i) {
    site.turn(1s);
  }
  EXPECT_EQ(asker.done, 3);
  EXPECT_EQ(asker.text(), "192.0.2.1");
}

TEST(Resolver, ACallbackMayEndAnotherLookup) {
  NamedSite site;
  site.server.add_rule({.type = aaaa, .answer = SimNameAnswer::silent});
  static Asker* other;
  for (const bool is_early : {true, false}) {
    Asker first = site.make_asker();
    Asker second = site.make_asker();
    other = &second;
    first.then = [](Asker& self) {
      self.lookup.cancel();
      other->lookup.cancel();
    };
    site.start(first, is_early ? "two.test" : "localhost");
    site.start(second, is_early ? "two.test" : "localhost");
    site.run_for(1s);
    EXPECT_EQ(first.early + first.done, 1);
    EXPECT_EQ(second.early + second.done, 0);
    EXPECT_EQ(site.queries_used(), 0U);
  }
}

// In every phase: the slot and the sockets are free at once, and nobody hears of it.
TEST(Resolver, CancelInEveryPhase) {
  for (int turns = 0; turns < 30; ++turns) {
    NamedSite site{{.link = {.latency_min = 1ms, .latency_max = 1ms}}};
    site.server.set_datagram_size_max(0);  // over TCP too
    site.server.add_rule({.type = aaaa, .delay = 3ms});
    Asker asker = site.make_asker();
    site.start(asker, "alias.test");
    for (int i = 0; i < turns && asker.done == 0; ++i) {
      site.turn(1s);
    }
    const int told = asker.early + asker.done;
    asker.lookup.cancel();
    EXPECT_EQ(site.queries_used(), 0U);
    EXPECT_EQ(site.sim.sockets_open(), 0U);
    site.run_for(1s);
    EXPECT_EQ(asker.early + asker.done, told);
  }
}

TEST(Resolver, EndsBeforeItsLookups) {
  NamedSite site;
  site.server.add_rule({.answer = SimNameAnswer::silent});
  Asker first = site.make_asker();
  Asker second = site.make_asker();
  Asker third = site.make_asker();
  Asker fourth = site.make_asker();
  site.start(first, "a.test");
  site.start(second, "b.test");
  site.start(third, "c.test");  // in the line
  site.start(fourth, "localhost");
  site.resolver.reset();
  EXPECT_EQ(site.sim.sockets_open(), 0U);
  EXPECT_FALSE(first.lookup.is_running());
  EXPECT_FALSE(third.lookup.is_running());
  EXPECT_FALSE(fourth.lookup.is_running());
}

}  // namespace
}  // namespace pollux::test
