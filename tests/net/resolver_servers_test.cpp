// Name servers that are late, lost, silent, wrong or lying, long answers, aliases, and the search list.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/net/resolver_support.hpp"

namespace pollux::test {
namespace {

// Three servers; only the last knows something else.
struct ThreeServers : NamedSite {
  ThreeServers() {
    for (SimNameServer* one : {&second, &third}) {
      one->add("one.test", ip("192.0.2.1"), 0);
    }
    server.replace("one.test", ip("192.0.2.1"), 0);
    set_conf("nameserver 192.0.2.53\nnameserver 192.0.2.54\nnameserver 192.0.2.55\n");
  }
  [[nodiscard]] std::string seen() const {
    return std::to_string(server.queries_seen()) + " " + std::to_string(second.queries_seen()) + " " +
           std::to_string(third.queries_seen());
  }
  // How long a lookup took, and what came of it.
  std::string timed(std::string_view name) {
    Asker asker = make_asker();
    start(asker, name);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(wait_for(asker));
    return std::to_string(took.count()) + " ms: " + asker.text();
  }
  SimNameServer second{network, ip("192.0.2.54")};
  SimNameServer third{network, ip("192.0.2.55")};
};

TEST(ResolverServers, TheFirstThatAnswers) {
  ThreeServers site;
  EXPECT_EQ(site.timed("one.test"), "0 ms: 192.0.2.1");
  EXPECT_EQ(site.seen(), "2 0 0");
}

// Whatever says that a server has no answer leads to the next one at once.
TEST(ResolverServers, TheNextOneAtOnce) {
  for (const SimNameAnswer answer : {SimNameAnswer::server_failure, SimNameAnswer::refused,
                                     SimNameAnswer::not_implemented, SimNameAnswer::format_error}) {
    ThreeServers site;
    site.server.add_rule({.answer = answer});
    EXPECT_EQ(site.timed("one.test"), "0 ms: 192.0.2.1");
    EXPECT_EQ(site.second.queries_seen(), 2U);
  }
}

TEST(ResolverServers, NobodyListensThere) {
  ThreeServers site;
  site.server.set_running(false);
  site.network.set_connect_rule({.to = site.server.address(), .outcome = port::SimConnectRule::Outcome::refused});
  EXPECT_EQ(site.timed("one.test"), "0 ms: 192.0.2.1");
  EXPECT_EQ(site.seen(), "0 2 0");
}

TEST(ResolverServers, NoWayToAServer) {
  ThreeServers site;
  for (const bool at_once : {true, false}) {
    site.network.set_connect_rule(
        {.to = site.server.address(), .outcome = port::SimConnectRule::Outcome::unreachable, .at_once = at_once});
    EXPECT_EQ(site.timed("one.test"), "0 ms: 192.0.2.1");
  }
  for (const SimNameServer* one : {&site.server, &site.second, &site.third}) {
    site.network.set_connect_rule(
        {.to = one->address(), .outcome = port::SimConnectRule::Outcome::unreachable, .at_once = true});
  }
  EXPECT_EQ(site.timed("one.test"), "0 ms: no name server can be reached");
}

TEST(ResolverServers, SilentOnesCostTheirTimeout) {
  ThreeServers site;
  site.server.add_rule({.answer = SimNameAnswer::silent});
  EXPECT_EQ(site.timed("one.test"), "2000 ms: 192.0.2.1");
  site.second.add_rule({.answer = SimNameAnswer::silent});
  EXPECT_EQ(site.timed("one.test"), "4000 ms: 192.0.2.1");
  site.third.add_rule({.answer = SimNameAnswer::silent});
  EXPECT_EQ(site.timed("one.test"), "18000 ms: no name server answered in time");  // 3 times 2 s, 3 times 4 s
  EXPECT_EQ(site.timed("one.test"), "18000 ms: no name server answered in time");  // and not kept
}

TEST(ResolverServers, TimeoutAndAttemptsOfResolvConf) {
  ThreeServers site;
  site.server.add_rule({.answer = SimNameAnswer::silent});
  site.set_conf("nameserver 192.0.2.53\noptions timeout:1 attempts:3\n");
  EXPECT_EQ(site.timed("one.test"), "7000 ms: no name server answered in time");
  EXPECT_EQ(site.seen(), "6 0 0");
}

TEST(ResolverServers, OneAnswersWithAFailureAndOneNotAtAll) {
  ThreeServers site;
  site.server.add_rule({.answer = SimNameAnswer::server_failure});
  site.second.add_rule({.answer = SimNameAnswer::silent});
  site.set_conf("nameserver 192.0.2.53\nnameserver 192.0.2.54\n");
  EXPECT_EQ(site.timed("one.test"), "6000 ms: the name server failed");
}

TEST(ResolverServers, Rotate) {
  ThreeServers site;
  site.set_conf("nameserver 192.0.2.53\nnameserver 192.0.2.54\nnameserver 192.0.2.55\noptions rotate\n");
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(site.timed("one.test"), "0 ms: 192.0.2.1");
  }
  EXPECT_EQ(site.seen(), "4 4 4");
}

// Lost on the way: asked again, from another port and with another id.
TEST(ResolverServers, LossAndRetry) {
  NamedSite site;
  site.server.add_rule({.queries_max = 2, .loss = 1});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 2s);
  EXPECT_EQ(asker.text(), "2001:db8::2 192.0.2.2");
  ASSERT_EQ(site.server.queries().size(), 4U);
  EXPECT_NE(site.server.queries()[0].question.id, site.server.queries()[2].question.id);
  EXPECT_NE(site.server.queries()[0].from.port, site.server.queries()[2].from.port);
}

// An answer to the question before the last has another port: it does no harm, and does not count.
TEST(ResolverServers, AnAnswerThatComesTooLate) {
  NamedSite site;
  site.server.add_rule({.queries_max = 2, .delay = 2500ms});
  Asker asker = site.make_asker();
  site.start(asker, "one.test");
  EXPECT_EQ(site.wait_for(asker), 2s);
  EXPECT_EQ(asker.text(), "192.0.2.1");
  site.run_for(5s);
}

// A bad network: every lookup ends in time, with the truth or with an error.
TEST(ResolverServers, ALossyNetwork) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    NamedSite site{{.seed = seed, .link = {.latency_min = 1ms, .latency_max = 90ms, .loss = 0.3, .duplicate = 0.2}}};
    site.sim.set_spurious_polls(0.2);
    site.sim.set_late_readiness(0.3);
    for (int i = 0; i < 5; ++i) {
      Asker asker = site.make_asker();
      site.start(asker, "two.test");
      EXPECT_LE(site.wait_for(asker), 6s + 200ms);
      EXPECT_TRUE(asker.text() == "2001:db8::2 192.0.2.2" || asker.text() == "192.0.2.2" ||
                  asker.text() == "2001:db8::2" || asker.text() == "no name server answered in time")
          << asker.text() << ", seed " << seed;
      site.resolver->forget();
    }
  }
}

// ---- EDNS0

TEST(ResolverServers, AServerThatDoesNotKnowEdns) {
  NamedSite site;
  site.server.set_edns(port::SimNameEdns::format_error);
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.server.queries_seen(), 4U);  // each with, then without
  site.server.set_edns(port::SimNameEdns::ignored);
  EXPECT_EQ(site.look_up("one.test"), "192.0.2.1");
}

// Where something on the way drops what it does not know: the second round is as in 1987.
TEST(ResolverServers, EdnsThatIsDropped) {
  NamedSite site;
  site.server.set_edns(port::SimNameEdns::silent);
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 2s);
  EXPECT_EQ(asker.text(), "2001:db8::2 192.0.2.2");
}

// ---- forged and broken answers

// None of these is an answer to the question: they are forgotten, and the true one counts.
TEST(ResolverServers, ForgedAnswersAreIgnored) {
  for (const SimNameLie lie :
       {SimNameLie::wrong_id, SimNameLie::wrong_question, SimNameLie::wrong_type, SimNameLie::wrong_address,
        SimNameLie::wrong_port, SimNameLie::no_question, SimNameLie::question_back, SimNameLie::empty}) {
    NamedSite site;
    site.server.add_rule({.lie = lie, .delay = 5ms});
    Asker asker = site.make_asker();
    site.start(asker, "two.test");
    EXPECT_EQ(site.wait_for(asker), 5ms) << static_cast<int>(lie);
    EXPECT_EQ(asker.text(), "2001:db8::2 192.0.2.2") << static_cast<int>(lie);
    EXPECT_EQ(site.resolver->questions_sent(), 2U);
  }
}

TEST(ResolverServers, ForgedAnswersAlone) {
  NamedSite site;
  site.server.add_rule({.lie = SimNameLie::wrong_id, .truth_follows = false});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  EXPECT_EQ(site.wait_for(asker), 6s);
  EXPECT_EQ(asker.text(), "no name server answered in time");
}

// What is beside the answer is not believed, and not kept.
TEST(ResolverServers, AnswersThatNobodyAskedFor) {
  NamedSite site;
  site.server.add_rule({.name = "two.test", .lie = SimNameLie::extra_answers});
  EXPECT_EQ(site.look_up("two.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.look_up(SimNameServer::forged_name), "no such name");
  site.server.add_rule({.name = "one.test", .lie = SimNameLie::forged_alias});
  EXPECT_EQ(site.look_up("one.test").find("203.0.113.66"), std::string::npos);
}

// Answers to the right question that cannot be read: the server has failed, and the next one is asked.
TEST(ResolverServers, BrokenAnswers) {
  for (const SimNameLie lie :
       {SimNameLie::pointer_loop, SimNameLie::pointer_forward, SimNameLie::long_name, SimNameLie::bad_label,
        SimNameLie::bad_data_size, SimNameLie::long_data, SimNameLie::many_records, SimNameLie::other_class,
        SimNameLie::cut, SimNameLie::garbage}) {
    for (const auto over : {port::SimNameTransport::datagram, port::SimNameTransport::stream}) {
      NamedSite site;
      SimNameServer second{site.network, ip("192.0.2.54")};
      second.add("two.test", ip("192.0.2.2"));
      second.add("two.test", ip("2001:db8::2"));
      site.set_conf("nameserver 192.0.2.53\nnameserver 192.0.2.54\noptions timeout:1\n");
      if (over == port::SimNameTransport::stream) {
        site.server.add_rule({.over = port::SimNameTransport::datagram});
        site.server.set_datagram_size_max(0);
      }
      site.server.add_rule({.over = over, .lie = lie, .truth_follows = false});
      Asker asker = site.make_asker();
      site.start(asker, "two.test");
      EXPECT_LE(site.wait_for(asker), 2s) << static_cast<int>(lie);
      const std::string text = asker.text();
      // An address of another class is no address, which is an answer.
      EXPECT_EQ(text, lie == SimNameLie::other_class ? "the name has no address" : "2001:db8::2 192.0.2.2")
          << static_cast<int>(lie) << (over == port::SimNameTransport::stream ? " over TCP" : "");
    }
  }
}

// Somebody floods us: the true answer is found among the rest, and nothing else stops.
TEST(ResolverServers, AFloodOfForgedAnswers) {
  NamedSite site{{.datagrams_max = 512, .datagram_queue_max = 256}};
  site.make({}, true, false);
  site.server.add_rule({.delay = 50ms});
  Asker asker = site.make_asker();
  site.start(asker, "two.test");
  site.run_for(1ms);
  ASSERT_EQ(site.server.queries().size(), 1U);
  const std::string forged(40, '\x81');
  for (int i = 0; i < 200; ++i) {
    site.network.send_datagram(site.server.address(), site.server.queries()[0].from,
                               std::as_bytes(std::span{forged.data(), forged.size()}));
  }
  site.wait_for(asker);
  EXPECT_EQ(asker.text(), "192.0.2.2");
}

// ---- long answers

struct LongAnswers : NamedSite {
  explicit LongAnswers(const port::SimOptions& options = {}) : NamedSite{options} {
    for (int i = 1; i <= 200; ++i) {
      server.add("many.test", ip("192.0.2." + std::to_string(i)), 60);
      server.add("many.test", ip("2001:db8::" + std::to_string(i)), 60);
      if (i <= 4) {
        make_reachable(ip("192.0.2." + std::to_string(i)));
        make_reachable(ip("2001:db8::" + std::to_string(i)));
      }
    }
  }
};

TEST(ResolverServers, TooLongForADatagram) {
  LongAnswers site;
  // 200 AAAA records take more than the packet buffer has: what is in front counts.
  EXPECT_EQ(site.look_up("many.test"),
            "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3 192.0.2.3 2001:db8::4 192.0.2.4");
  EXPECT_EQ(site.server.connections(), 2U);
  EXPECT_EQ(site.server.truncated(), 2U);
  EXPECT_EQ(site.server.malformed(), 0U);
}

// Byte by byte, with partial sends: the two questions share one buffer and take turns.
TEST(ResolverServers, OverASlowStream) {
  LongAnswers site{{.link = {.latency_min = 1ms,
                             .latency_max = 3ms,
                             .send_buffer = 64,
                             .recv_size_min = 1,
                             .recv_size_max = 90,
                             .partial_send = 0.5}}};
  EXPECT_EQ(site.look_up("many.test"),
            "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3 192.0.2.3 2001:db8::4 192.0.2.4");
}

TEST(ResolverServers, TcpThatIsRefused) {
  LongAnswers site;
  site.server.set_stream(false);
  EXPECT_EQ(site.look_up("many.test"), "no name server can be reached");
  SimNameServer second{site.network, ip("192.0.2.54")};
  second.add("many.test", ip("192.0.2.9"));
  site.set_conf("nameserver 192.0.2.53\nnameserver 192.0.2.54\n");
  EXPECT_EQ(site.look_up("many.test"), "192.0.2.9");
}

TEST(ResolverServers, TcpThatIsSilent) {
  LongAnswers site;
  site.server.add_rule({.over = port::SimNameTransport::stream, .answer = SimNameAnswer::silent});
  Asker asker = site.make_asker();
  site.start(asker, "many.test");
  // One question waits for the other's buffer, so at worst both follow each other: 2 s and 4 s each.
  EXPECT_LE(site.wait_for(asker), 12s);
  EXPECT_EQ(asker.text(), "no name server answered in time");
}

// ---- aliases

TEST(ResolverServers, AnAliasWithinTheAnswer) {
  NamedSite site;
  EXPECT_EQ(site.look_up("alias.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.resolver->questions_sent(), 2U);
  site.run_for(20s);  // the alias's own lifetime
  EXPECT_EQ(site.look_up("alias.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.resolver->questions_sent(), 4U);
}

TEST(ResolverServers, AnAliasThatStopsShort) {
  NamedSite site;
  site.server.set_follows_aliases(false);
  site.server.add_alias("far.test", "alias.test", 50);
  EXPECT_EQ(site.look_up("far.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.server.queries_seen("two.test", a), 1U);
  EXPECT_EQ(site.resolver->questions_sent(), 6U);
  site.run_for(19s);
  EXPECT_EQ(site.look_up("far.test"), "2001:db8::2 192.0.2.2");
  EXPECT_EQ(site.resolver->questions_sent(), 6U);
  site.run_for(1s);  // the shortest on the way
  site.look_up("far.test");
  EXPECT_GT(site.resolver->questions_sent(), 6U);
}

TEST(ResolverServers, AliasesInACircleEnd) {
  for (const bool follows : {true, false}) {
    NamedSite site;
    site.server.set_follows_aliases(follows);
    site.server.add_alias("a.test", "b.test");
    site.server.add_alias("b.test", "a.test");
    EXPECT_EQ(site.look_up("a.test"), "the name server failed");
    EXPECT_LE(site.resolver->questions_sent(), 36U);
  }
}

TEST(ResolverServers, AnAliasOfNothing) {
  NamedSite site;
  site.server.add_alias("dangling.test", "nope.test");
  site.server.add_alias("empty.test", "text.test");
  EXPECT_EQ(site.look_up("dangling.test"), "no such name");
  EXPECT_EQ(site.look_up("empty.test"), "the name has no address");
}

// ---- the search list

struct Searching : NamedSite {
  Searching() {
    server.add("web.b.test", ip("192.0.2.10"));
    server.add("x.y.b.test", ip("192.0.2.11"));
    server.add("x.y", ip("192.0.2.12"));
    server.add("web", ip("192.0.2.13"));
    set_conf("nameserver 192.0.2.53\nsearch a.test b.test\n");
  }
  // The names that were asked for, in order.
  [[nodiscard]] std::string asked() const {
    std::string text;
    for (const SimNameServer::Query& query : server.queries()) {
      if (query.question.type == a) {
        text += (text.empty() ? "" : " ") + std::string{query.question.name()};
      }
    }
    return text;
  }
};

TEST(ResolverSearch, AShortNameIsLookedForInTheList) {
  Searching site;
  EXPECT_EQ(site.look_up("web"), "192.0.2.10");
  EXPECT_EQ(site.asked(), "web.a.test web.b.test");
  EXPECT_EQ(site.look_up("web"), "192.0.2.10");
  EXPECT_EQ(site.asked(), "web.a.test web.b.test");
}

TEST(ResolverSearch, AnAbsoluteNameIsNot) {
  Searching site;
  EXPECT_EQ(site.look_up("web."), "192.0.2.13");
  EXPECT_EQ(site.asked(), "web");
  EXPECT_EQ(site.look_up("nope."), "no such name");
  EXPECT_EQ(site.asked(), "web nope");
}

TEST(ResolverSearch, ANameWithDotsIsAskedForAsItIsFirst) {
  Searching site;
  EXPECT_EQ(site.look_up("x.y"), "192.0.2.12");
  EXPECT_EQ(site.asked(), "x.y");
  EXPECT_EQ(site.look_up("p.q"), "no such name");
  EXPECT_EQ(site.asked(), "x.y p.q p.q.a.test p.q.b.test");
}

TEST(ResolverSearch, Ndots) {
  Searching site;
  site.set_conf("nameserver 192.0.2.53\nsearch a.test b.test\noptions ndots:2\n");
  EXPECT_EQ(site.look_up("x.y"), "192.0.2.11");
  EXPECT_EQ(site.asked(), "x.y.a.test x.y.b.test");
}

TEST(ResolverSearch, TheNameAsItIsComesLast) {
  Searching site;
  EXPECT_EQ(site.look_up("nope"), "no such name");
  EXPECT_EQ(site.asked(), "nope.a.test nope.b.test nope");
}

// A name that is there without an address does not end the search, but says more than one that is not there.
TEST(ResolverSearch, WhatIsSaidInTheEnd) {
  Searching site;
  site.server.add_empty("e.a.test");
  EXPECT_EQ(site.look_up("e"), "the name has no address");
  EXPECT_EQ(site.asked(), "e.a.test e.b.test e");
  site.server.add_rule({.name = "f.a.test", .answer = SimNameAnswer::server_failure});
  EXPECT_EQ(site.look_up("f"), "the name server failed");
  site.server.add_rule({.name = "web.a.test", .answer = SimNameAnswer::server_failure});
  EXPECT_EQ(site.look_up("web"), "192.0.2.10");
}

// When no server answers, the rest of the list would only take longer.
TEST(ResolverSearch, EndsWhenNoServerAnswers) {
  Searching site;
  site.server.add_rule({.answer = SimNameAnswer::silent});
  Asker asker = site.make_asker();
  site.start(asker, "web");
  EXPECT_EQ(site.wait_for(asker), 6s);
  EXPECT_EQ(asker.text(), "no name server answered in time");
  EXPECT_EQ(site.asked(), "web.a.test web.a.test");
}

TEST(ResolverSearch, SpecialAndImpossibleDomainsAreLeftOut) {
  Searching site;
  const std::string label(63, 'a');
  site.set_conf("nameserver 192.0.2.53\nsearch local . a.test\n");
  EXPECT_EQ(site.look_up("n"), "no such name");
  EXPECT_EQ(site.asked(), "n.a.test n");
  const std::string long_name = label + "." + label + "." + label + "." + std::string(58, 'b');  // 250 bytes
  EXPECT_EQ(site.look_up(long_name), "no such name");
  EXPECT_EQ(site.asked(), "n.a.test n " + long_name);
}

}  // namespace
}  // namespace pollux::test
