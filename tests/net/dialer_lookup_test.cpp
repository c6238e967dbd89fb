// Dialer over a lookup that grows, reorders and ends when the test says so (fake_lookup.hpp).

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "port/sim/sim_port.hpp"
#include "stack/net/dialer.hpp"
#include "tests/net/fake_lookup.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {
namespace {

using namespace std::chrono_literals;
using net::Dialer;
using net::DialError;
using net::NameError;
using port::Address;
using State = Dialer::State;
using Outcome = port::SimConnectRule::Outcome;

Address host(std::uint8_t last) {
  return Address::ipv4(203, 0, 113, last, 80);
}

class LookupSite final : public net::Driver {
 public:
  LookupSite() {
    fake_lookup() = {};
    loop.add(*this);
  }
  ~LookupSite() {
    dialer.cancel();
    EXPECT_EQ(fake_lookup().running, nullptr) << "the lookup goes on";
    EXPECT_EQ(port.sockets_open(), 0U);
    loop.remove(*this);
  }

  void rule(std::uint8_t last, Outcome outcome, port::Duration delay = 0ms, bool at_once = false) {
    network.set_connect_rule({.to = host(last), .outcome = outcome, .delay = delay, .at_once = at_once});
    if (outcome == Outcome::ordinary) {
      (void)network.listen({.address = host(last)});
    }
  }
  void start(port::Duration timeout = 100s) {
    began = network.now();
    dialer.start("host", 80, began, began + timeout);
  }
  // The lookup tells its user.
  void tell(std::initializer_list<std::uint8_t> last_numbers, bool last = false, NameError error = NameError::none) {
    std::vector<Address> addresses;
    for (const std::uint8_t number : last_numbers) {
      addresses.push_back(host(number));
    }
    const heap_guard::Forbidden no_heap;
    EXPECT_TRUE(fake_lookup().tell(addresses, last, error)) << "nobody asks any more";
  }
  // Until then after start(), or until it is over.
  void run_to(port::Duration at) {
    for (int turns = 0; network.now() < began + at && !is_over(); ++turns) {
      ASSERT_LT(turns, 10000) << "the loop spins";
      network.set_horizon(began + at);
      const heap_guard::Forbidden no_heap;
      loop.turn();
    }
    if (!is_over()) {
      loop.turn();  // what is due at this moment
    }
  }
  [[nodiscard]] bool is_over() const { return dialer.state() == State::connected || dialer.state() == State::failed; }
  [[nodiscard]] port::Duration elapsed() const { return network.now() - began; }

  port::Time prepare(net::PollSet& set, port::Time) override { return dialer.prepare(set, 0); }
  void ready(std::uint32_t token, port::Events events, port::Time now) override { dialer.ready(token, events, now); }
  void parked_ready(std::uint32_t, port::Events, port::Time) override {}
  void expire(port::Time now) override { dialer.expire(now); }
  void work(port::Time) override {}
  void count() { ++changes; }

  port::SimNetwork network{};
  port::SimPort port{network};
  net::LoopStorage<8> storage{};
  net::Loop loop{port, storage.memory()};
  port::Time began{};
  int changes = 0;
  Dialer dialer{port, &fake_lookup().resolver(), net::callback<&LookupSite::count>(*this)};
};

TEST(DialerLookup, BeginsWithWhatIsThere) {
  LookupSite site;
  site.rule(1, Outcome::ordinary, 10ms);
  site.start();
  EXPECT_EQ(site.dialer.state(), State::resolving);
  site.run_to(40ms);
  EXPECT_EQ(site.dialer.state(), State::resolving);
  site.tell({1});
  EXPECT_EQ(site.dialer.state(), State::connecting);
  EXPECT_EQ(site.dialer.resolved_at(), site.began + 40ms);
  site.run_to(1s);
  EXPECT_EQ(site.dialer.state(), State::connected);
  EXPECT_EQ(site.elapsed(), 50ms);
  EXPECT_EQ(fake_lookup().cancelled, 1) << "the rest is not of interest any more";
  EXPECT_EQ(site.changes, 0);
}

TEST(DialerLookup, WhatComesLaterIsTriedToo) {
  LookupSite site;
  site.rule(1, Outcome::silent);
  site.rule(2, Outcome::ordinary, 10ms);
  site.start();
  site.tell({1});
  site.run_to(100ms);
  site.tell({1, 2}, true);
  EXPECT_EQ(site.dialer.addresses_tried(), 1U) << "the first has its quarter of a second";
  site.run_to(10s);
  EXPECT_EQ(site.dialer.state(), State::connected);
  EXPECT_EQ(site.elapsed(), 260ms);
}

TEST(DialerLookup, WhatComesLateIsTriedAtOnce) {
  LookupSite site;
  site.rule(1, Outcome::silent);
  site.rule(2, Outcome::ordinary, 10ms);
  site.start();
  site.tell({1});
  site.run_to(700ms);
  EXPECT_EQ(site.loop.turns(), 2U) << "nothing to wait for but the deadline";
  site.tell({1, 2});
  EXPECT_EQ(site.dialer.addresses_tried(), 2U);
  site.run_to(10s);
  EXPECT_EQ(site.elapsed(), 710ms);
}

TEST(DialerLookup, NoAddressIsTriedTwice) {
  LookupSite site;
  for (const std::uint8_t last : {1, 2, 3, 4}) {
    site.rule(last, Outcome::refused, 10ms);
  }
  site.start();
  site.tell({1, 2});
  site.run_to(15ms);
  EXPECT_EQ(site.dialer.addresses_tried(), 2U);
  site.tell({3, 2, 1});  // another order, and one in front
  site.run_to(25ms);
  EXPECT_EQ(site.dialer.addresses_tried(), 3U);
  site.run_to(35ms);
  EXPECT_EQ(site.dialer.state(), State::connecting) << "all refused; the lookup may know more";
  site.run_to(100ms);
  site.tell({1, 2, 3, 4}, true);
  EXPECT_EQ(site.dialer.addresses_tried(), 4U);
  site.run_to(10s);
  EXPECT_EQ(site.dialer.state(), State::failed);
  EXPECT_EQ(site.dialer.error(), DialError::refused);
  EXPECT_EQ(site.elapsed(), 110ms);
  EXPECT_EQ(site.changes, 0) << "seen in ready()";
}

TEST(DialerLookup, TheNextIsTheFirstThatWasNotTried) {
  LookupSite site;
  site.rule(1, Outcome::silent);
  site.rule(2, Outcome::silent);
  site.rule(3, Outcome::ordinary, 10ms);
  site.start();
  site.tell({1, 2});
  site.run_to(100ms);
  site.tell({1, 3, 2}, true);
  site.run_to(10s);
  EXPECT_EQ(site.dialer.remote(), host(3));
  EXPECT_EQ(site.elapsed(), 260ms);
}

TEST(DialerLookup, ALookupThatEndsWithNothingNewEndsTheDial) {
  LookupSite site;
  site.rule(1, Outcome::refused, 0ms, true);
  site.start();
  site.tell({1});
  EXPECT_EQ(site.dialer.state(), State::connecting);
  site.run_to(100ms);
  site.tell({1}, true);
  EXPECT_EQ(site.dialer.state(), State::failed);
  EXPECT_EQ(site.dialer.error(), DialError::refused);
  EXPECT_EQ(site.changes, 1);
}

TEST(DialerLookup, NamesFailForTheirOwnReasons) {
  for (const NameError error : {NameError::not_found, NameError::timed_out, NameError::none}) {
    LookupSite site;
    site.start();
    site.run_to(30ms);
    site.tell({}, true, error);
    EXPECT_EQ(site.dialer.state(), State::failed);
    EXPECT_EQ(site.dialer.error(), DialError::name);
    EXPECT_EQ(site.dialer.name_error(), error == NameError::none ? NameError::no_address : error);
    EXPECT_EQ(site.changes, 1);
  }
}

TEST(DialerLookup, TheDeadlineEndsTheLookup) {
  LookupSite site;
  site.start(2s);
  site.run_to(10s);
  EXPECT_EQ(site.dialer.state(), State::failed);
  EXPECT_EQ(site.dialer.error(), DialError::timed_out);
  EXPECT_EQ(site.elapsed(), 2s);
  EXPECT_EQ(fake_lookup().cancelled, 1);
}

TEST(DialerLookup, WithoutDescriptorsTheLookupIsNotWaitedFor) {
  LookupSite site;
  site.port.set_descriptors_max(0);
  site.start();
  site.tell({1, 2});
  EXPECT_EQ(site.dialer.state(), State::failed);
  EXPECT_EQ(site.dialer.error(), DialError::no_descriptors);
  EXPECT_EQ(site.dialer.addresses_tried(), 1U);
  EXPECT_EQ(fake_lookup().cancelled, 1);
  EXPECT_EQ(site.changes, 1);
}

TEST(DialerLookup, CancelEndsTheLookup) {
  for (const bool has_begun : {false, true}) {
    LookupSite site;
    site.rule(1, Outcome::silent);
    site.start();
    if (has_begun) {
      site.tell({1});
    }
    site.dialer.cancel();
    EXPECT_EQ(fake_lookup().cancelled, 1);
    EXPECT_EQ(fake_lookup().running, nullptr);
    EXPECT_EQ(site.dialer.state(), State::ready);
    EXPECT_EQ(site.port.sockets_open(), 0U);
    EXPECT_EQ(site.changes, 0);
  }
}

// The list is larger than the memory of what was tried if a lookup replaces addresses instead of adding to them.
TEST(DialerLookup, AnEndlesslyChangingLookupEndsToo) {
  LookupSite site;
  site.start();
  for (std::uint8_t last = 1; last < 40 && site.dialer.state() != State::failed; ++last) {
    site.rule(last, Outcome::refused, 0ms, true);
    site.tell({last}, last == 20);
  }
  EXPECT_EQ(site.dialer.state(), State::failed);
  EXPECT_EQ(site.dialer.addresses_tried(), net::addresses_max);
}

}  // namespace
}  // namespace pollux::test
