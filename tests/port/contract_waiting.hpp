// Contract of Port: time, chance, readiness, parking. Included by contract.hpp.
#pragma once

#include "tests/port/contract.hpp"

namespace pollux::port {

template <typename World>
class PortWaitingContract : public PortContract<World> {};
TYPED_TEST_SUITE_P(PortWaitingContract);

// ---- time and chance

TYPED_TEST_P(PortWaitingContract, TimeDoesNotGoBack) {
  Time before = this->port().now();
  for (int i = 0; i < 1000; ++i) {
    const Time now = this->port().now();
    ASSERT_LE(before, now);
    before = now;
  }
  EXPECT_GT(this->port().wall_clock().seconds, 0);
}

TYPED_TEST_P(PortWaitingContract, RandomFillsAllOfItAndDiffers) {
  this->port().random({});
  std::array<std::byte, 1000> first{};  // more than one getrandom(2) promises at once
  std::array<std::byte, 1000> second{};
  this->port().random(first);
  this->port().random(second);
  EXPECT_NE(first, second);
  for (std::size_t at = 0; at < first.size(); at += 100) {
    const auto part = std::span{first}.subspan(at, 100);
    EXPECT_TRUE(std::any_of(part.begin(), part.end(), [](std::byte b) { return b != std::byte{0}; })) << at;
  }
}

// ---- poll

TYPED_TEST_P(PortWaitingContract, PollDoesNotWaitForATimeThatHasCome) {
  const Socket listener = this->listen();
  for (const Time until : {this->port().now(), this->port().now() - std::chrono::hours{1}, Time{}, Time::min()}) {
    const Time before = this->port().now();
    EXPECT_EQ(this->poll_once(listener, Events::readable, until), Events::none);
    EXPECT_LT(this->port().now() - before, std::chrono::seconds{10});
  }
  this->port().close(listener);
}

TYPED_TEST_P(PortWaitingContract, PollWaitsUntilTheTimeAndNotInSmallSteps) {
  const Socket listener = this->listen();
  const Time until = this->port().now() + std::chrono::milliseconds{5};
  int polls = 0;
  while (this->port().now() < until) {
    EXPECT_EQ(this->poll_once(listener, Events::readable, until), Events::none);
    ASSERT_LT(++polls, 100);
  }
  EXPECT_GE(polls, 1);
  this->port().close(listener);
}

TYPED_TEST_P(PortWaitingContract, PollWithoutSocketsWaitsToo) {
  std::array<PollEntry, poll_entries_reserved> entries;
  const Time until = this->port().now() + std::chrono::milliseconds{3};
  while (this->port().now() < until) {
    const PollOutcome outcome = this->port().poll(entries, {}, until);
    EXPECT_EQ(outcome.ready, 0U);
    EXPECT_EQ(outcome.parked_ready, 0U);
  }
}

TYPED_TEST_P(PortWaitingContract, PollWithoutLimitWakesForAnEvent) {
  const auto pair = this->make_pair();
  this->send_all(pair.client, "x");
  Events ready = Events::none;
  while (ready == Events::none) {
    ready = this->poll_once(pair.server, Events::readable, never);
  }
  EXPECT_EQ(ready, Events::readable);
  this->close(pair);
}

TYPED_TEST_P(PortWaitingContract, ReadinessOfEachKind) {
  const Socket listener = this->listen();
  EXPECT_EQ(this->events_now(listener, Events::readable), Events::none);
  const auto client = this->port().connect({.address = this->port().local_address(listener).value()});
  ASSERT_TRUE(client);
  EXPECT_EQ(this->wait_for(listener, Events::readable, Events::readable), Events::readable);
  EXPECT_EQ(this->events_now(listener, Events::none), Events::none) << "nobody asked";
  const Socket server = this->accept(listener).socket;
  EXPECT_EQ(this->events_now(listener, Events::readable), Events::none);
  ASSERT_TRUE(this->finish_connect(*client));

  constexpr Events all = Events::readable | Events::writable | Events::peer_closed;
  EXPECT_EQ(this->events_now(server, all), Events::writable);
  EXPECT_EQ(this->events_now(server, Events::readable | Events::peer_closed), Events::none);
  EXPECT_EQ(this->events_now(server, Events::none), Events::none);

  this->send_all(*client, "x");
  EXPECT_EQ(this->wait_for(server, Events::readable, Events::readable), Events::readable);
  EXPECT_EQ(this->events_now(server, all), Events::readable | Events::writable);
  EXPECT_EQ(this->events_now(server, Events::writable), Events::writable) << "only what was asked for";
  EXPECT_EQ(this->events_now(server, Events::readable), Events::readable) << "again, until it is read";
  EXPECT_EQ(this->receive(server, 1), "x");
  EXPECT_EQ(this->events_now(server, Events::readable), Events::none);

  this->send_all(*client, "y");
  this->port().shutdown_send(*client);
  EXPECT_TRUE(has(this->wait_for(server, Events::peer_closed, Events::peer_closed), Events::peer_closed));
  EXPECT_EQ(this->events_now(server, all), all) << "there are bytes before the end";
  EXPECT_EQ(this->receive(server, 1), "y");
  EXPECT_EQ(this->events_now(server, all), all) << "the end itself is readable";
  EXPECT_EQ(this->events_now(server, Events::none), Events::none) << "half a connection is no hangup";

  this->port().shutdown_send(server);
  EXPECT_TRUE(has(this->wait_for(*client, Events::none, Events::hangup), Events::hangup))
      << "both directions are finished";
  EXPECT_TRUE(has(this->wait_for(server, Events::none, Events::hangup), Events::hangup));
  this->port().close(*client);
  this->port().close(server);
  this->port().close(listener);
}

TYPED_TEST_P(PortWaitingContract, ErrorIsReportedEvenIfNobodyAsked) {
  const auto pair = this->make_pair();
  this->send_all(pair.client, "unread");
  static_cast<void>(this->wait_for(pair.server, Events::readable, Events::readable));
  this->port().close(pair.server);
  EXPECT_TRUE(has(this->wait_for(pair.client, Events::none, Events::error), Events::error));
  this->port().close(pair.client);
}

TYPED_TEST_P(PortWaitingContract, PollSetsEveryEntry) {
  const auto a = this->make_pair();
  const auto b = this->make_pair();
  const auto c = this->make_pair();
  this->send_all(b.client, "x");
  static_cast<void>(this->wait_for(b.server, Events::readable, Events::readable));
  std::array<PollEntry, 4 + poll_entries_reserved> entries;
  entries[0] = {.socket = a.server, .interest = Events::readable, .ready = Events::readable};  // of an earlier poll
  entries[1] = {.socket = b.server, .interest = Events::readable};
  entries[2] = {.socket = {}, .interest = Events::readable, .ready = Events::readable};  // not open: passed over
  entries[3] = {.socket = c.server, .interest = Events::writable};
  const PollOutcome outcome = this->port().poll(entries, {}, never);
  EXPECT_EQ(outcome.ready, 2U);
  EXPECT_EQ(entries[0].ready, Events::none);
  EXPECT_EQ(entries[1].ready, Events::readable);
  EXPECT_EQ(entries[2].ready, Events::none);
  EXPECT_EQ(entries[3].ready, Events::writable);
  for (const auto& pair : {a, b, c}) {
    this->close(pair);
  }
}

TYPED_TEST_P(PortWaitingContract, NoSignalCame) {
  Signal signal{};
  EXPECT_FALSE(this->port().take_signal(signal));
}

// ---- parking

TYPED_TEST_P(PortWaitingContract, ParkedSocketWakesOnceWithItsToken) {
  const auto pair = this->make_pair();
  IdleSockets idle{this->port()};
  idle.add(pair.server, 0xfffffffe);
  this->expect_asleep(idle);
  this->send_all(pair.client, "x");
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{0xfffffffe}));
  this->send_all(pair.client, "y");
  this->expect_asleep(idle);  // it is parked no more
  EXPECT_EQ(this->receive(pair.server, 2), "xy");
  idle.add(pair.server, 7);
  this->expect_asleep(idle);
  this->send_all(pair.client, "z");
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{7}));
  this->close(pair);
}

TYPED_TEST_P(PortWaitingContract, ParkingWhatIsReadableWakesAtOnce) {
  const auto pair = this->make_pair();
  this->send_all(pair.client, "x");
  static_cast<void>(this->wait_for(pair.server, Events::readable, Events::readable));
  IdleSockets idle{this->port()};
  idle.add(pair.server, 1);
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{1}));
  idle.add(pair.server, 2);  // still unread
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{2}));
  this->close(pair);
}

TYPED_TEST_P(PortWaitingContract, ParkingAgainChangesTheToken) {
  const auto pair = this->make_pair();
  IdleSockets idle{this->port()};
  idle.add(pair.server, 1);
  idle.add(pair.server, 2);
  this->send_all(pair.client, "x");
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{2}));
  this->close(pair);
}

TYPED_TEST_P(PortWaitingContract, ParkedSocketWakesForAnEndAndForAReset) {
  const auto ended = this->make_pair();
  const auto reset = this->make_pair();
  this->send_all(reset.server, "unread");
  static_cast<void>(this->wait_for(reset.client, Events::readable, Events::readable));
  IdleSockets idle{this->port()};
  idle.add(ended.server, 1);
  idle.add(reset.server, 2);
  this->expect_asleep(idle);
  this->port().close(ended.client);
  this->port().close(reset.client);
  EXPECT_EQ(this->woken(idle, 2), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(this->receive_status(ended.server), IoStatus::end);
  EXPECT_EQ(this->receive_status(reset.server), IoStatus::failed);
  this->port().close(ended.server);
  this->port().close(reset.server);
}

TYPED_TEST_P(PortWaitingContract, UnparkedSocketIsSilent) {
  const auto pair = this->make_pair();
  IdleSockets idle{this->port()};
  this->port().unpark(pair.server);  // was never parked
  idle.add(pair.server, 1);
  idle.take_back(pair.server);
  idle.take_back(pair.server);
  this->send_all(pair.client, "x");
  this->expect_asleep(idle);
  EXPECT_TRUE(has(this->events_now(pair.server, Events::readable), Events::readable));

  idle.add(pair.server, 2);  // the event is there, but not told yet
  idle.take_back(pair.server);
  this->expect_asleep(idle);

  this->port().shutdown_send(pair.server);  // an error and a hangup, which nobody has to ask for
  this->send_all(pair.server.is_open() ? pair.client : pair.server, "y");
  this->port().close(pair.client);
  this->expect_asleep(idle);
  this->port().close(pair.server);
}

TYPED_TEST_P(PortWaitingContract, UnparkedSocketIsSilentAboutAReset) {
  const auto pair = this->make_pair();
  this->send_all(pair.server, "unread");
  static_cast<void>(this->wait_for(pair.client, Events::readable, Events::readable));
  IdleSockets idle{this->port()};
  idle.add(pair.server, 1);
  idle.take_back(pair.server);
  this->port().close(pair.client);
  static_cast<void>(this->wait_for(pair.server, Events::none, Events::error));
  this->expect_asleep(idle);
  this->port().close(pair.server);
}

// A token must never speak of a socket that has the same number later.
TYPED_TEST_P(PortWaitingContract, ClosedSocketNeverWakes) {
  const Socket listener = this->listen();
  IdleSockets idle{this->port()};
  const auto old = this->connect_pair(listener);
  idle.add(old.server, 1);
  this->send_all(old.client, "x");
  static_cast<void>(this->poll_once(listener, Events::readable,
                                    this->port().now() + std::chrono::milliseconds{2}));  // it has arrived
  idle.close(old.server);
  this->expect_asleep(idle);

  const auto next = this->connect_pair(listener);  // most ports give the number again
  idle.add(next.server, 2);
  this->expect_asleep(idle);
  this->send_all(next.client, "y");
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{2}));

  idle.add(next.server, 3);  // unread, so it would wake
  idle.close(next.server);
  const auto third = this->connect_pair(listener);
  this->send_all(third.client, "z");
  this->expect_asleep(idle);  // never parked under its number
  this->close(third);
  this->port().close(old.client);
  this->port().close(next.client);
  this->port().close(listener);
}

TYPED_TEST_P(PortWaitingContract, ManyParkedSocketsAndOneActive) {
  constexpr std::uint32_t count = 300;
  const Socket listener = this->listen();
  IdleSockets idle{this->port()};
  std::vector<typename TestFixture::Pair> pairs;
  for (std::uint32_t i = 0; i < count; ++i) {
    pairs.push_back(this->connect_pair(listener));
    idle.add(pairs.back().server, i);
  }
  const auto active = this->connect_pair(listener);
  for (int round = 0; round < 10; ++round) {
    this->send_all(active.client, "x");
    PollEntry entry{.socket = active.server, .interest = Events::readable};
    const Time limit = this->port().now() + TestFixture::patience;
    while (entry.ready == Events::none && this->port().now() < limit) {
      EXPECT_TRUE(idle.poll(&entry, limit).empty());
    }
    EXPECT_EQ(entry.ready, Events::readable);
    EXPECT_EQ(this->receive(active.server, 1), "x");
  }

  std::vector<std::uint32_t> expected;
  for (std::uint32_t i = 0; i < count; i += 3) {  // 100 of them, and room for 7 events at a time
    this->send_all(pairs[i].client, "y");
    expected.push_back(i);
  }
  EXPECT_EQ(this->woken(idle, expected.size(), 7), expected);

  expected.clear();
  for (std::uint32_t i = 1; i < count; i += 3) {  // and 64, which leaves 36 for another poll
    this->send_all(pairs[i].client, "z");
    expected.push_back(i);
  }
  EXPECT_EQ(this->woken(idle, expected.size()), expected);
  for (const auto& pair : pairs) {
    this->close(pair);
  }
  this->close(active);
  this->port().close(listener);
}

TYPED_TEST_P(PortWaitingContract, ParkedSocketsAreLeftOutWhereThereIsNoRoomForThem) {
  const auto pair = this->make_pair();
  IdleSockets idle{this->port()};
  idle.add(pair.server, 1);
  this->send_all(pair.client, "x");
  const Time until = this->port().now() + std::chrono::milliseconds{3};
  int polls = 0;
  while (this->port().now() < until) {  // poll_once has no room for parked events: it waits, and does not spin
    EXPECT_EQ(this->poll_once(pair.client, Events::readable, until), Events::none);
    ASSERT_LT(++polls, 100);
  }
  EXPECT_EQ(this->woken(idle, 1), (std::vector<std::uint32_t>{1}));
  this->close(pair);
}

REGISTER_TYPED_TEST_SUITE_P(PortWaitingContract, TimeDoesNotGoBack, RandomFillsAllOfItAndDiffers,
                            PollDoesNotWaitForATimeThatHasCome, PollWaitsUntilTheTimeAndNotInSmallSteps,
                            PollWithoutSocketsWaitsToo, PollWithoutLimitWakesForAnEvent, ReadinessOfEachKind,
                            ErrorIsReportedEvenIfNobodyAsked, PollSetsEveryEntry, NoSignalCame,
                            ParkedSocketWakesOnceWithItsToken, ParkingWhatIsReadableWakesAtOnce,
                            ParkingAgainChangesTheToken, ParkedSocketWakesForAnEndAndForAReset, UnparkedSocketIsSilent,
                            UnparkedSocketIsSilentAboutAReset, ClosedSocketNeverWakes, ManyParkedSocketsAndOneActive,
                            ParkedSocketsAreLeftOutWhereThereIsNoRoomForThem);

}  // namespace pollux::port
