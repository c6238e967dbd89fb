// Dialer: which addresses are tried, when, which wins, what is said when none does, and that nothing is left open.

#include "stack/net/dialer.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "port/fault/fault_port.hpp"
#include "port/sim/sim_port.hpp"
#include "tests/net/fake_lookup.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using net::Dialer;
using net::DialError;
using net::NameError;
using port::Address;
using port::SimConnectRule;
using State = Dialer::State;
using Outcome = SimConnectRule::Outcome;

constexpr port::Duration patience = 200s;  // longer than the kernel's 127 s

// 2001:db8::`last` and 203.0.113.`last`, port 80.
Address v6(std::uint8_t last) {
  Address address{.family = port::Family::ipv6, .port = 80, .ip = {0x20, 0x01, 0x0d, 0xb8}};
  address.ip[15] = last;
  return address;
}
Address v4(std::uint8_t last) {
  return Address::ipv4(203, 0, 113, last, 80);
}

class DialDriver final : public net::Driver {
 public:
  DialDriver(port::Port& port, net::Loop& loop, net::Resolver* resolver)
      : dialer{port, resolver, net::callback<&DialDriver::count>(*this)}, loop_{loop} {
    loop_.add(*this);
  }
  ~DialDriver() { loop_.remove(*this); }

  port::Time prepare(net::PollSet& set, port::Time) override {
    const std::size_t before = set.size();
    const port::Time deadline = dialer.prepare(set, 100);
    polled = set.size() - before;
    return fake_lookup().running != nullptr ? port::Time{} : deadline;
  }
  void ready(std::uint32_t token, port::Events events, port::Time now) override {
    dialer.ready(token - 100, events, now);
  }
  void parked_ready(std::uint32_t, port::Events, port::Time) override {}
  void expire(port::Time now) override { dialer.expire(now); }
  // The lookup ends in the turn after its beginning.
  void work(port::Time) override { (void)fake_lookup().tell(names, true, name_error); }

  void count() {
    ++changes;
    EXPECT_EQ(dialer.state(), State::failed);
  }

  Dialer dialer;
  std::vector<Address> names;  // of any host
  NameError name_error = NameError::none;
  std::size_t polled = 0;  // sockets in the last poll
  int changes = 0;

 private:
  net::Loop& loop_;
};

struct DialSite {
  explicit DialSite(const port::SimOptions& options = {}, const port::FaultPlan& plan = {})
      : network{options}, sim{network}, port{sim, plan} {
    fake_lookup() = {};
  }
  ~DialSite() {
    driver.dialer.cancel();
    EXPECT_EQ(sim.sockets_open(), 0U) << "a socket was forgotten";
  }

  // A rule for one address.
  void rule(const Address& to, Outcome outcome, port::Duration delay = 0ms) {
    network.set_connect_rule({.to = to, .outcome = outcome, .delay = delay});
    if (outcome == Outcome::ordinary) {
      (void)network.listen({.address = to});
    }
  }
  // Any name has these addresses.
  void pin(std::initializer_list<Address> addresses) { driver.names.insert(driver.names.end(), addresses); }
  void start(std::string_view host, port::Duration timeout = patience) {
    driver.dialer.start(host, 80, network.now(), network.now() + timeout);
    began = network.now();
  }
  bool is_over() const { return driver.dialer.state() == State::connected || driver.dialer.state() == State::failed; }
  // Turns until `duration` has passed or it is over, and looks at what must hold after each.
  void run_for(port::Duration duration) {
    const port::Time end = network.now() + duration;
    int turns = 0;
    while (network.now() < end && !is_over() && turns++ < 20000) {
      network.set_horizon(end);
      {
        const heap_guard::Forbidden no_heap;
        loop.turn();
      }
      EXPECT_LE(sim.sockets_open(), Dialer::attempts_max);
      EXPECT_LE(driver.polled, Dialer::attempts_max);
      if (driver.dialer.state() == State::connected) {
        EXPECT_EQ(sim.sockets_open(), 1U) << "losers are closed";
      }
      if (driver.dialer.state() == State::failed || driver.dialer.state() == State::resolving) {
        EXPECT_EQ(sim.sockets_open(), 0U);
      }
    }
    EXPECT_LT(turns, 20000) << "the loop spins";
  }
  State run() {
    run_for(patience + 1s);
    return driver.dialer.state();
  }
  [[nodiscard]] port::Duration elapsed() const { return network.now() - began; }

  port::SimNetwork network;
  port::SimPort sim;
  port::FaultPort port;
  net::LoopStorage<24> storage{};
  net::Loop loop{port, storage.memory()};
  DialDriver driver{port, loop, &fake_lookup().resolver()};
  port::Time began{};
};

// ---- one address

TEST(Dialer, ConnectsToALiteralAddress) {
  DialSite site;
  site.rule(v4(1), Outcome::ordinary, 30ms);
  site.network.advance(5ms);
  Dialer& dialer = site.driver.dialer;
  EXPECT_EQ(dialer.state(), State::ready);
  site.start("203.0.113.1");
  EXPECT_EQ(dialer.state(), State::connecting) << "no lookup for a literal address";
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 30ms);
  EXPECT_EQ(dialer.remote(), v4(1));
  EXPECT_EQ(dialer.resolved_at(), site.began);
  EXPECT_EQ(dialer.error(), DialError::none);
  EXPECT_EQ(dialer.addresses_tried(), 1U);
  EXPECT_EQ(site.driver.changes, 0) << "the user looks at state() itself";

  site.run_for(10ms);
  const port::Socket socket = dialer.take();
  EXPECT_TRUE(socket.is_open());
  EXPECT_EQ(dialer.state(), State::ready);
  EXPECT_EQ(dialer.remote(), v4(1)) << "still there to be asked for";
  dialer.cancel();
  EXPECT_EQ(site.sim.sockets_open(), 1U) << "the socket is its user's now";
  site.sim.close(socket);

  // And once more with the same object.
  site.start("203.0.113.1");
  EXPECT_EQ(site.run(), State::connected);
}

TEST(Dialer, ReadsLiteralAddresses) {
  struct Row {
    std::string_view host;
    std::string_view remote;  // empty: not a literal address
  };
  constexpr Row rows[] = {
      {"127.0.0.1", "127.0.0.1:80"},
      {"::1", "[::1]:80"},
      {"[::1]", "[::1]:80"},
      {"[127.0.0.1]", "127.0.0.1:80"},
      {"fe80::1%2", "[fe80::1%2]:80"},
      {"[fe80::1%2]", "[fe80::1%2]:80"},
      {"[fe80::1%252]", "[fe80::1%2]:80"},  // RFC 6874
      {"fe80::1%252", "[fe80::1%252]:80"},  // not in a URL
      {"[fe80::1%25]", "[fe80::1%25]:80"},
      {"[fe80::1%25]x", ""},
      {"fe80::1%eth0", ""},
      {"127.1", ""},
      {"[::1", ""},
      {"[]", ""},
      {"", ""},
  };
  for (const Row& row : rows) {
    DialSite site;
    DialDriver plain{site.port, site.loop, nullptr};
    plain.dialer.start(row.host, 80, site.network.now(), port::never);
    if (row.remote.empty()) {
      EXPECT_EQ(plain.dialer.state(), State::failed) << row.host;
      EXPECT_EQ(plain.dialer.error(), DialError::name) << row.host;
      EXPECT_EQ(plain.dialer.name_error(), row.host.empty() ? NameError::bad_name : NameError::no_resolver) << row.host;
      EXPECT_EQ(plain.dialer.resolved_at(), port::never);
      continue;
    }
    // Nobody is there; whom it asked is what counts.
    plain.dialer.cancel();
    const auto endpoint = port::parse_endpoint(row.remote);
    ASSERT_TRUE(endpoint);
    site.rule(endpoint->address, Outcome::ordinary, 1ms);
    plain.dialer.start(row.host, 80, site.network.now(), port::never);
    for (int i = 0; i < 10 && plain.dialer.state() == State::connecting; ++i) {
      site.loop.turn();
    }
    EXPECT_EQ(plain.dialer.state(), State::connected) << row.host;
    EXPECT_EQ(plain.dialer.remote(), endpoint->address) << row.host;
  }
}

TEST(Dialer, KnowsLocalhostWithoutAResolver) {
  for (const std::string_view name : {"localhost", "LocalHost.", "a.localhost"}) {
    DialSite site;
    (void)site.network.listen({.address = Address::ipv4_loopback(80)});
    DialDriver plain{site.port, site.loop, nullptr};
    plain.dialer.start(name, 80, site.network.now(), port::never);
    for (int i = 0; i < 10 && plain.dialer.state() == State::connecting; ++i) {
      site.loop.turn();
    }
    EXPECT_EQ(plain.dialer.state(), State::connected) << name;
    EXPECT_EQ(plain.dialer.remote(), Address::ipv4_loopback(80)) << "nobody listens on ::1";
    EXPECT_EQ(plain.dialer.addresses_tried(), 2U);
  }
  for (const std::string_view name : {"notlocalhost", "localhost.example", ".localhost"}) {
    DialSite site;
    DialDriver plain{site.port, site.loop, nullptr};
    plain.dialer.start(name, 80, site.network.now(), port::never);
    EXPECT_EQ(plain.dialer.name_error(), NameError::no_resolver) << name;
  }
}

TEST(Dialer, ShowsAFailureAtOnce) {
  DialSite site;
  site.network.set_connect_rule({.to = v4(1), .outcome = Outcome::refused, .at_once = true});
  site.start("203.0.113.1");
  EXPECT_EQ(site.driver.dialer.state(), State::failed);
  EXPECT_EQ(site.driver.dialer.error(), DialError::refused);
  EXPECT_NE(site.driver.dialer.system_error(), 0);
  EXPECT_EQ(site.driver.changes, 0) << "no callback inside start()";
  net::PollSet set{{}, {}};
  EXPECT_EQ(site.driver.dialer.prepare(set, 0), port::never);
  site.driver.dialer.expire(site.network.now() + 1h);
  EXPECT_EQ(site.driver.dialer.error(), DialError::refused) << "the end is the end";
}

TEST(Dialer, ConnectsToAnEndpoint) {
  DialSite site;
  site.rule(v6(1), Outcome::ordinary);
  site.driver.dialer.start(port::Endpoint{.address = v6(1)}, site.network.now(), port::never);
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.driver.dialer.remote(), v6(1));
}

TEST(Dialer, HasADeadline) {
  DialSite site;
  site.rule(v4(1), Outcome::silent);
  site.start("203.0.113.1", 700ms);
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.elapsed(), 700ms);
  EXPECT_EQ(site.driver.dialer.error(), DialError::timed_out);
  EXPECT_EQ(site.driver.dialer.system_error(), 0) << "ours, not the kernel's";

  site.driver.dialer.cancel();
  site.start("203.0.113.1", 0ms);
  EXPECT_EQ(site.driver.dialer.state(), State::failed) << "no time at all";
  EXPECT_EQ(site.driver.dialer.error(), DialError::timed_out);
  EXPECT_EQ(site.driver.dialer.addresses_tried(), 0U);

  site.driver.dialer.cancel();
  site.start("host", 0ms);
  EXPECT_EQ(site.driver.dialer.error(), DialError::timed_out) << "nor for a name";

  // An answer that came in time counts, though the deadline has passed when it is looked at.
  site.rule(v4(2), Outcome::ordinary, 10ms);
  site.driver.dialer.cancel();
  site.start("203.0.113.2", 20ms);
  site.network.advance(1s);
  EXPECT_EQ(site.run(), State::connected);
}

TEST(Dialer, LeavesTheKernelsOwnTimeOutAsItIs) {
  DialSite site;
  site.rule(v4(1), Outcome::silent);
  site.start("203.0.113.1");
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.elapsed(), port::sim_connect_timeout);
  EXPECT_EQ(site.driver.dialer.error(), DialError::timed_out);
  EXPECT_NE(site.driver.dialer.system_error(), 0);
}

// ---- several addresses

TEST(Dialer, ASilentFamilyCostsAQuarterOfASecond) {
  DialSite site;
  site.rule(v6(1), Outcome::silent);
  site.rule(v4(1), Outcome::ordinary, 20ms);
  site.pin({v6(1), v4(1)});
  site.start("host");
  EXPECT_EQ(site.driver.dialer.state(), State::resolving);
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 270ms);
  EXPECT_EQ(site.driver.dialer.remote(), v4(1));
  EXPECT_EQ(site.driver.changes, 0);
}

TEST(Dialer, TriesTheNextAtOnceWhenOneFails) {
  DialSite site;
  site.rule(v6(1), Outcome::refused, 10ms);
  site.rule(v6(2), Outcome::unreachable, 10ms);
  site.network.set_connect_rule({.to = v6(3), .outcome = Outcome::refused, .at_once = true});
  site.rule(v4(1), Outcome::ordinary, 10ms);
  site.pin({v6(1), v6(2), v6(3), v4(1)});
  site.start("host");
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 30ms);
  EXPECT_EQ(site.driver.dialer.addresses_tried(), 4U);
  EXPECT_EQ(site.driver.dialer.error(), DialError::none);
  EXPECT_EQ(site.driver.dialer.system_error(), 0);
}

TEST(Dialer, TheFirstAnswerWins) {
  DialSite site;
  site.rule(v6(1), Outcome::ordinary, 300ms);
  site.rule(v4(1), Outcome::ordinary, 100ms);
  site.pin({v6(1), v4(1)});
  site.start("host");
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 300ms);
  EXPECT_EQ(site.driver.dialer.remote(), v6(1)) << "it had begun earlier, and is earlier still";
}

TEST(Dialer, TwoAnswersInOneTurn) {
  DialSite site;
  site.rule(v6(1), Outcome::ordinary, 300ms);
  site.rule(v4(1), Outcome::ordinary, 50ms);
  site.pin({v6(1), v4(1)});
  site.start("host");
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 300ms);
  for (std::uint32_t i = 0; i < Dialer::attempts_max; ++i) {
    site.driver.dialer.ready(i, port::Events::writable, site.network.now());
    EXPECT_EQ(site.driver.dialer.state(), State::connected);
  }
  const port::Socket socket = site.driver.dialer.take();
  // An event of the other one, which is closed, changes nothing: neither when ready nor when something else is under way.
  site.driver.dialer.ready(1, port::Events::writable, site.network.now());
  EXPECT_EQ(site.driver.dialer.state(), State::ready);
  site.start("host");
  for (std::uint32_t i = 0; i < Dialer::attempts_max; ++i) {
    site.driver.dialer.ready(i, port::Events::writable, site.network.now());
    EXPECT_NE(site.driver.dialer.state(), State::connected);
  }
  site.sim.close(socket);
}

TEST(Dialer, KeepsToItsDelay) {
  // Three are under way after half a second; not more, however many addresses there are, until one fails or the oldest is given up.
  DialSite site;
  for (std::uint8_t i = 1; i <= 8; ++i) {
    site.rule(v4(i), i == 8 ? Outcome::ordinary : Outcome::silent);
  }
  site.pin({v4(1), v4(2), v4(3), v4(4), v4(5), v4(6), v4(7), v4(8)});
  site.start("host");
  struct Row {
    port::Duration at;
    std::size_t tried;
    std::size_t open;
  };
  constexpr Row rows[] = {
      {1ms, 1, 1},    {249ms, 1, 1},  {250ms, 2, 2},  {499ms, 2, 2},  {500ms, 3, 3},  {1999ms, 3, 3}, {2000ms, 4, 3},
      {2249ms, 4, 3}, {2250ms, 5, 3}, {2500ms, 6, 3}, {3999ms, 6, 3}, {4000ms, 7, 3}, {4249ms, 7, 3},
  };
  for (const Row& row : rows) {
    site.run_for(row.at - site.elapsed());
    site.loop.turn();  // what is due at this moment
    EXPECT_EQ(site.driver.dialer.addresses_tried(), row.tried) << row.at.count();
    EXPECT_EQ(site.sim.sockets_open(), row.open) << row.at.count();
  }
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 4250ms);
  EXPECT_EQ(site.driver.dialer.remote(), v4(8));
}

TEST(Dialer, TheLastOnesAreWaitedFor) {
  DialSite site;
  site.rule(v4(1), Outcome::silent);
  site.rule(v4(2), Outcome::ordinary, 20s);
  site.rule(v4(3), Outcome::silent);
  site.pin({v4(1), v4(2), v4(3)});
  site.start("host");
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 20s + 250ms);
}

TEST(Dialer, TellsTheMostTellingError) {
  struct Row {
    std::initializer_list<Outcome> outcomes;
    DialError error;
  };
  const Row rows[] = {
      {{Outcome::refused}, DialError::refused},
      {{Outcome::unreachable}, DialError::unreachable},
      {{Outcome::timed_out}, DialError::timed_out},
      {{Outcome::refused, Outcome::refused, Outcome::refused}, DialError::refused},
      {{Outcome::unreachable, Outcome::refused}, DialError::refused},
      {{Outcome::refused, Outcome::unreachable}, DialError::refused},
      {{Outcome::timed_out, Outcome::unreachable}, DialError::unreachable},
      {{Outcome::unreachable, Outcome::timed_out, Outcome::timed_out}, DialError::unreachable},
      {{Outcome::timed_out, Outcome::refused, Outcome::unreachable, Outcome::timed_out}, DialError::refused},
  };
  for (const Row& row : rows) {
    for (const bool at_once : {false, true}) {
      DialSite site;
      std::uint8_t number = 0;
      int refused_number = 0;
      for (const Outcome outcome : row.outcomes) {
        ++number;
        const bool is_at_once = at_once && outcome != Outcome::timed_out;
        site.network.set_connect_rule(
            {.to = v4(number), .outcome = outcome, .delay = is_at_once ? 0ms : 5ms, .at_once = is_at_once});
        site.pin({v4(number)});
      }
      site.start("host");
      EXPECT_EQ(site.run(), State::failed);
      EXPECT_EQ(site.driver.dialer.error(), row.error);
      EXPECT_NE(site.driver.dialer.system_error(), 0);
      EXPECT_EQ(site.driver.dialer.addresses_tried(), row.outcomes.size());
      EXPECT_EQ(site.driver.dialer.name_error(), NameError::none);
      // The number belongs to that error: the same as when it is the only one.
      DialSite alone;
      alone.network.set_connect_rule({.to = v4(1),
                                      .outcome = row.error == DialError::refused       ? Outcome::refused
                                                 : row.error == DialError::unreachable ? Outcome::unreachable
                                                                                       : Outcome::timed_out});
      alone.start("203.0.113.1");
      EXPECT_EQ(alone.run(), State::failed);
      refused_number = alone.driver.dialer.system_error();
      EXPECT_EQ(site.driver.dialer.system_error(), refused_number);
    }
  }
}

TEST(Dialer, TheDeadlineWinsOverEarlierErrors) {
  DialSite site;
  site.rule(v4(1), Outcome::refused, 1ms);
  site.rule(v4(2), Outcome::silent);
  site.pin({v4(1), v4(2)});
  site.start("host", 1s);
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.elapsed(), 1s);
  EXPECT_EQ(site.driver.dialer.error(), DialError::timed_out);
}

// ---- names

TEST(Dialer, TellsWhyANameIsNone) {
  DialSite site;
  site.driver.name_error = NameError::bad_name;
  site.start("bad name");
  EXPECT_EQ(site.driver.dialer.state(), State::resolving) << "never inside start()";
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.driver.dialer.error(), DialError::name);
  EXPECT_EQ(site.driver.dialer.name_error(), NameError::bad_name);
  EXPECT_EQ(site.driver.dialer.system_error(), 0);
  EXPECT_EQ(site.driver.dialer.resolved_at(), port::never);
  EXPECT_EQ(site.driver.changes, 1);
}

TEST(Dialer, TellsByCallbackWhenEveryConnectFailsInsideTheLookup) {
  DialSite site;
  site.network.set_connect_rule({.to = v4(1), .outcome = Outcome::refused, .at_once = true});
  site.network.set_connect_rule({.to = v4(2), .outcome = Outcome::unreachable, .at_once = true});
  site.pin({v4(2), v4(1)});
  site.start("host");
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.driver.dialer.error(), DialError::refused);
  EXPECT_EQ(site.driver.changes, 1);
}

TEST(Dialer, AsksTheResolverForLocalhost) {
  DialSite site;
  site.rule(v4(1), Outcome::ordinary);
  site.pin({v4(1)});
  site.start("localhost");
  EXPECT_EQ(fake_lookup().name, "localhost");
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.driver.dialer.remote(), v4(1)) << "the app's word counts";
}

// ---- what runs out

TEST(Dialer, NothingMoreIsTriedWithoutDescriptors) {
  DialSite site;
  site.sim.set_descriptors_max(0);
  site.pin({v4(1), v4(2)});
  site.rule(v4(1), Outcome::ordinary);
  site.start("host");
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.elapsed(), 0ms);
  EXPECT_EQ(site.driver.dialer.error(), DialError::no_descriptors);
  EXPECT_NE(site.driver.dialer.system_error(), 0);
  EXPECT_EQ(site.driver.dialer.addresses_tried(), 1U);
}

TEST(Dialer, WhatIsUnderWayMayStillWin) {
  for (const Outcome first : {Outcome::ordinary, Outcome::refused}) {
    DialSite site;
    site.rule(v4(1), first, 400ms);
    site.rule(v4(2), Outcome::ordinary);
    site.rule(v4(3), Outcome::ordinary);
    site.pin({v4(1), v4(2), v4(3)});
    site.sim.set_descriptors_max(1);
    site.start("host");
    const State end = site.run();
    EXPECT_EQ(site.elapsed(), 400ms);
    EXPECT_EQ(end, first == Outcome::ordinary ? State::connected : State::failed);
    EXPECT_EQ(site.driver.dialer.error(), first == Outcome::ordinary ? DialError::none : DialError::no_descriptors);
    EXPECT_EQ(site.driver.dialer.addresses_tried(), 2U) << "nothing more is tried";
  }
}

TEST(Dialer, NothingMoreIsTriedWithoutMemory) {
  DialSite site{port::SimOptions{.connections_max = 1}};
  const port::SimPeer other = site.network.connect({.address = v4(9)});
  (void)other;
  site.pin({v4(1), v4(2)});
  site.rule(v4(9), Outcome::silent);
  const port::SimPeer hog = site.network.connect({.address = v4(9)});
  (void)hog;
  site.start("host");
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.driver.dialer.error(), DialError::no_memory);
  EXPECT_EQ(site.driver.dialer.addresses_tried(), 1U);
}

// ---- unix sockets

TEST(Dialer, ConnectsToAUnixSocket) {
  DialSite site;
  const auto listener =
      site.sim.listen({.endpoint = {.address = {.family = port::Family::local}, .path = "/run/app.sock"}});
  ASSERT_TRUE(listener);
  std::string path = "/run/app.sock";
  site.driver.dialer.start({.address = {.family = port::Family::local}, .path = path}, site.network.now(), port::never);
  path.assign(path.size(), 'x');
  for (int i = 0; i < 10 && !site.is_over(); ++i) {
    site.loop.turn();
  }
  EXPECT_EQ(site.driver.dialer.state(), State::connected);
  EXPECT_EQ(site.driver.dialer.remote().family, port::Family::local);
  site.sim.close(*listener);
}

TEST(Dialer, SaysWhyAUnixSocketIsNotThere) {
  struct Row {
    std::string path;
    DialError error;
  };
  const Row rows[] = {
      {"/run/none.sock", DialError::not_permitted},      {"@none", DialError::refused},
      {std::string(107, 'x'), DialError::not_permitted}, {std::string(108, 'x'), DialError::failed},
      {std::string(5000, 'x'), DialError::failed},
  };
  for (const Row& row : rows) {
    DialSite site;
    site.driver.dialer.start({.address = {.family = port::Family::local}, .path = row.path}, site.network.now(),
                             port::never);
    EXPECT_EQ(site.driver.dialer.state(), State::failed);
    EXPECT_EQ(site.driver.dialer.error(), row.error) << row.path;
    EXPECT_NE(site.driver.dialer.system_error(), 0);
  }
}

TEST(Dialer, AFullUnixListenerIsAskedAgain) {
  DialSite site;
  const port::Endpoint at{.address = {.family = port::Family::local}, .path = "/run/app.sock"};
  const port::SimPeerListener listener = site.network.listen(at, 1);
  (void)site.network.connect(at);
  site.network.advance(1ms);
  ASSERT_EQ(listener.waiting(), 1U);
  site.driver.dialer.start(at, site.network.now(), site.network.now() + 1s);
  site.began = site.network.now();
  EXPECT_EQ(site.driver.dialer.state(), State::connecting);
  const std::uint64_t before = site.loop.turns();
  site.run_for(95ms);
  EXPECT_EQ(site.driver.dialer.state(), State::connecting);
  EXPECT_EQ(site.port.calls(port::FaultCall::connect), 10U) << "once, and every 10 ms";
  EXPECT_LT(site.loop.turns() - before, 25U);
  const port::SimPeer accepted = listener.accept();
  EXPECT_TRUE(accepted.is_open());
  EXPECT_EQ(site.run(), State::connected);
  EXPECT_EQ(site.elapsed(), 100ms);
  site.driver.dialer.cancel();

  (void)listener.accept();  // the one that was cancelled
  (void)site.network.connect(at);
  site.network.advance(1ms);
  ASSERT_EQ(listener.waiting(), 1U);
  site.driver.dialer.start(at, site.network.now(), site.network.now() + 1s);
  site.began = site.network.now();
  EXPECT_EQ(site.run(), State::failed);
  EXPECT_EQ(site.elapsed(), 1s);
  EXPECT_EQ(site.driver.dialer.error(), DialError::timed_out);
  listener.close();
}

// ---- ends

TEST(Dialer, CanBeCancelledAtAnyMoment) {
  for (port::Duration at = 0ms; at <= 3000ms; at += 50ms) {
    DialSite site;
    for (std::uint8_t i = 1; i <= 5; ++i) {
      site.rule(v4(i), i == 2 ? Outcome::refused : Outcome::silent, 20ms);
    }
    site.pin({v4(1), v4(2), v4(3), v4(4), v4(5)});
    site.start("host");
    site.run_for(at);
    site.driver.dialer.cancel();
    EXPECT_EQ(site.driver.dialer.state(), State::ready);
    EXPECT_EQ(site.sim.sockets_open(), 0U);
    EXPECT_EQ(site.driver.dialer.addresses_tried(), 0U);
    site.network.set_horizon(site.network.now() + 1s);
    site.loop.turn();
    EXPECT_EQ(site.driver.changes, 0);
    EXPECT_EQ(site.driver.dialer.state(), State::ready);
    // It is as good as new.
    site.rule(v4(9), Outcome::ordinary);
    site.start("203.0.113.9");
    EXPECT_EQ(site.run(), State::connected);
  }
}

TEST(Dialer, SurvivesEveryFailure) {
  for (const bool and_later : {false, true}) {
    bool connected_once = false;
    for (std::uint64_t n = 1;; ++n) {
      ASSERT_LT(n, 1000U);
      DialSite site{port::SimOptions{}, port::FaultPlan{.first = n, .and_later = and_later}};
      site.rule(v6(1), Outcome::silent);
      site.rule(v4(1), Outcome::refused, 5ms);
      site.rule(v4(2), Outcome::ordinary, 40ms);
      site.rule(v6(2), Outcome::ordinary, 300ms);
      site.pin({v6(1), v4(1), v6(2), v4(2)});
      site.start("host", 10s);
      const State end = site.run();
      EXPECT_TRUE(end == State::connected || end == State::failed);
      EXPECT_LE(site.elapsed(), 10s);
      if (end == State::connected) {
        connected_once = true;
        site.sim.close(site.driver.dialer.take());
      } else {
        EXPECT_NE(site.driver.dialer.error(), DialError::none);
        EXPECT_FALSE(net::describe(site.driver.dialer.error()).empty());
      }
      EXPECT_EQ(site.sim.sockets_open(), 0U);
      if (site.port.failures() == 0) {
        EXPECT_EQ(end, State::connected);
        break;
      }
    }
    EXPECT_TRUE(connected_once);
  }
}

TEST(Dialer, LivesWithEarlyPolls) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DialSite site{port::SimOptions{.seed = seed}};
    site.sim.set_spurious_polls(0.5);
    site.sim.set_late_readiness(0.5);
    site.rule(v6(1), Outcome::silent);
    site.rule(v4(1), Outcome::refused, 5ms);
    site.rule(v4(2), Outcome::ordinary, 40ms);
    site.pin({v6(1), v4(1), v4(2)});
    site.start("host");
    EXPECT_EQ(site.run(), State::connected);
    EXPECT_EQ(site.driver.dialer.remote(), v4(2));
    EXPECT_EQ(site.elapsed(), 250ms + 5ms + 40ms);
  }
}

}  // namespace
}  // namespace pollux::test
