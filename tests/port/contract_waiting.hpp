// Contract of Port: time, chance, readiness, parking. Included by contract.hpp.
#pragma once

#include "tests/port/contract.hpp"

namespace pollux::port {

class PortWaitingContract : public PortContract {};

// ---- time and chance

TEST_P(PortWaitingContract, TimeDoesNotGoBack) {
  Time before = port().now();
  for (int i = 0; i < 1000; ++i) {
    const Time now = port().now();
    ASSERT_LE(before, now);
    before = now;
  }
  EXPECT_GT(port().wall_clock().seconds, 0);
}

TEST_P(PortWaitingContract, RandomFillsAllOfItAndDiffers) {
  port().random({});
  std::array<std::byte, 1000> first{};  // more than one getrandom(2) promises at once
  std::array<std::byte, 1000> second{};
  port().random(first);
  port().random(second);
  EXPECT_NE(first, second);
  for (std::size_t at = 0; at < first.size(); at += 100) {
    const auto part = std::span{first}.subspan(at, 100);
    EXPECT_TRUE(std::any_of(part.begin(), part.end(), [](std::byte b) { return b != std::byte{0}; })) << at;
  }
}

// ---- poll

TEST_P(PortWaitingContract, PollDoesNotWaitForATimeThatHasCome) {
  const Socket listener = listen();
  for (const Time until : {port().now(), port().now() - std::chrono::hours{1}, Time{}, Time::min()}) {
    const Time before = port().now();
    EXPECT_EQ(poll_once(listener, Events::readable, until), Events::none);
    EXPECT_LT(port().now() - before, std::chrono::seconds{10});
  }
  port().close(listener);
}

TEST_P(PortWaitingContract, PollWaitsUntilTheTimeAndNotInSmallSteps) {
  const Socket listener = listen();
  const Time until = port().now() + std::chrono::milliseconds{5};
  int polls = 0;
  while (port().now() < until) {
    EXPECT_EQ(poll_once(listener, Events::readable, until), Events::none);
    ASSERT_LT(++polls, 100);
  }
  EXPECT_GE(polls, 1);
  port().close(listener);
}

TEST_P(PortWaitingContract, PollWithoutSocketsWaitsToo) {
  std::array<PollEntry, poll_entries_reserved> entries;
  const Time until = port().now() + std::chrono::milliseconds{3};
  while (port().now() < until) {
    const PollOutcome outcome = port().poll(entries, {}, until);
    EXPECT_EQ(outcome.ready, 0U);
    EXPECT_EQ(outcome.parked_ready, 0U);
  }
}

TEST_P(PortWaitingContract, PollWithoutLimitWakesForAnEvent) {
  const auto pair = make_pair();
  send_all(pair.client, "x");
  Events ready = Events::none;
  while (ready == Events::none) {
    ready = poll_once(pair.server, Events::readable, never);
  }
  EXPECT_EQ(ready, Events::readable);
  close(pair);
}

TEST_P(PortWaitingContract, ReadinessOfEachKind) {
  const Socket listener = listen();
  EXPECT_EQ(events_now(listener, Events::readable), Events::none);
  const auto client = port().connect({.address = port().local_address(listener).value()});
  ASSERT_TRUE(client);
  EXPECT_EQ(wait_for(listener, Events::readable, Events::readable), Events::readable);
  EXPECT_EQ(events_now(listener, Events::none), Events::none) << "nobody asked";
  const Socket server = accept(listener).socket;
  EXPECT_EQ(events_now(listener, Events::readable), Events::none);
  ASSERT_TRUE(finish_connect(*client));

  constexpr Events all = Events::readable | Events::writable | Events::peer_closed;
  EXPECT_EQ(events_now(server, all), Events::writable);
  EXPECT_EQ(events_now(server, Events::readable | Events::peer_closed), Events::none);
  EXPECT_EQ(events_now(server, Events::none), Events::none);

  send_all(*client, "x");
  EXPECT_EQ(wait_for(server, Events::readable, Events::readable), Events::readable);
  EXPECT_EQ(events_now(server, all), Events::readable | Events::writable);
  EXPECT_EQ(events_now(server, Events::writable), Events::writable) << "only what was asked for";
  EXPECT_EQ(events_now(server, Events::readable), Events::readable) << "again, until it is read";
  EXPECT_EQ(receive(server, 1), "x");
  EXPECT_EQ(events_now(server, Events::readable), Events::none);

  send_all(*client, "y");
  port().shutdown_send(*client);
  EXPECT_TRUE(has(wait_for(server, Events::peer_closed, Events::peer_closed), Events::peer_closed));
  EXPECT_EQ(events_now(server, all), all) << "there are bytes before the end";
  EXPECT_EQ(receive(server, 1), "y");
  EXPECT_EQ(events_now(server, all), all) << "the end itself is readable";
  EXPECT_EQ(events_now(server, Events::none), Events::none) << "half a connection is no hangup";

  port().shutdown_send(server);
  EXPECT_TRUE(has(wait_for(*client, Events::none, Events::hangup), Events::hangup)) << "both directions are finished";
  EXPECT_TRUE(has(wait_for(server, Events::none, Events::hangup), Events::hangup));
  port().close(*client);
  port().close(server);
  port().close(listener);
}

TEST_P(PortWaitingContract, ErrorIsReportedEvenIfNobodyAsked) {
  const auto pair = make_pair();
  send_all(pair.client, "unread");
  static_cast<void>(wait_for(pair.server, Events::readable, Events::readable));
  port().close(pair.server);
  EXPECT_TRUE(has(wait_for(pair.client, Events::none, Events::error), Events::error));
  port().close(pair.client);
}

TEST_P(PortWaitingContract, PollSetsEveryEntry) {
  const auto a = make_pair();
  const auto b = make_pair();
  const auto c = make_pair();
  send_all(b.client, "x");
  static_cast<void>(wait_for(b.server, Events::readable, Events::readable));
  std::array<PollEntry, 4 + poll_entries_reserved> entries;
  entries[0] = {.socket = a.server, .interest = Events::readable, .ready = Events::readable};  // of an earlier poll
  entries[1] = {.socket = b.server, .interest = Events::readable};
  entries[2] = {.socket = {}, .interest = Events::readable, .ready = Events::readable};  // not open: passed over
  entries[3] = {.socket = c.server, .interest = Events::writable};
  const PollOutcome outcome = port().poll(entries, {}, never);
  EXPECT_EQ(outcome.ready, 2U);
  EXPECT_EQ(entries[0].ready, Events::none);
  EXPECT_EQ(entries[1].ready, Events::readable);
  EXPECT_EQ(entries[2].ready, Events::none);
  EXPECT_EQ(entries[3].ready, Events::writable);
  for (const auto& pair : {a, b, c}) {
    close(pair);
  }
}

TEST_P(PortWaitingContract, NoSignalCame) {
  Signal signal{};
  EXPECT_FALSE(port().take_signal(signal));
}

// ---- parking

TEST_P(PortWaitingContract, ParkedSocketWakesOnceWithItsToken) {
  const auto pair = make_pair();
  IdleSockets idle{port()};
  idle.add(pair.server, 0xfffffffe);
  expect_asleep(idle);
  send_all(pair.client, "x");
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{0xfffffffe}));
  send_all(pair.client, "y");
  expect_asleep(idle);  // it is parked no more
  EXPECT_EQ(receive(pair.server, 2), "xy");
  idle.add(pair.server, 7);
  expect_asleep(idle);
  send_all(pair.client, "z");
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{7}));
  close(pair);
}

TEST_P(PortWaitingContract, ParkingWhatIsReadableWakesAtOnce) {
  const auto pair = make_pair();
  send_all(pair.client, "x");
  static_cast<void>(wait_for(pair.server, Events::readable, Events::readable));
  IdleSockets idle{port()};
  idle.add(pair.server, 1);
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{1}));
  idle.add(pair.server, 2);  // still unread
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{2}));
  close(pair);
}

TEST_P(PortWaitingContract, ParkingAgainChangesTheToken) {
  const auto pair = make_pair();
  IdleSockets idle{port()};
  idle.add(pair.server, 1);
  idle.add(pair.server, 2);
  send_all(pair.client, "x");
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{2}));
  close(pair);
}

TEST_P(PortWaitingContract, ParkedSocketWakesForAnEndAndForAReset) {
  const auto ended = make_pair();
  const auto reset = make_pair();
  send_all(reset.server, "unread");
  static_cast<void>(wait_for(reset.client, Events::readable, Events::readable));
  IdleSockets idle{port()};
  idle.add(ended.server, 1);
  idle.add(reset.server, 2);
  expect_asleep(idle);
  port().close(ended.client);
  port().close(reset.client);
  EXPECT_EQ(woken(idle, 2), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(receive_status(ended.server), IoStatus::end);
  EXPECT_EQ(receive_status(reset.server), IoStatus::failed);
  port().close(ended.server);
  port().close(reset.server);
}

TEST_P(PortWaitingContract, UnparkedSocketIsSilent) {
  const auto pair = make_pair();
  IdleSockets idle{port()};
  port().unpark(pair.server);  // was never parked
  idle.add(pair.server, 1);
  idle.take_back(pair.server);
  idle.take_back(pair.server);
  send_all(pair.client, "x");
  expect_asleep(idle);
  EXPECT_TRUE(has(events_now(pair.server, Events::readable), Events::readable));

  idle.add(pair.server, 2);  // the event is there, but not told yet
  idle.take_back(pair.server);
  expect_asleep(idle);

  port().shutdown_send(pair.server);  // an error and a hangup, which nobody has to ask for
  send_all(pair.server.is_open() ? pair.client : pair.server, "y");
  port().close(pair.client);
  expect_asleep(idle);
  port().close(pair.server);
}

TEST_P(PortWaitingContract, UnparkedSocketIsSilentAboutAReset) {
  const auto pair = make_pair();
  send_all(pair.server, "unread");
  static_cast<void>(wait_for(pair.client, Events::readable, Events::readable));
  IdleSockets idle{port()};
  idle.add(pair.server, 1);
  idle.take_back(pair.server);
  port().close(pair.client);
  static_cast<void>(wait_for(pair.server, Events::none, Events::error));
  expect_asleep(idle);
  port().close(pair.server);
}

// A token must never speak of a socket that has the same number later.
TEST_P(PortWaitingContract, ClosedSocketNeverWakes) {
  const Socket listener = listen();
  IdleSockets idle{port()};
  const auto old = connect_pair(listener);
  idle.add(old.server, 1);
  send_all(old.client, "x");
  static_cast<void>(
      poll_once(listener, Events::readable, port().now() + std::chrono::milliseconds{2}));  // it has arrived
  idle.close(old.server);
  expect_asleep(idle);

  const auto next = connect_pair(listener);  // most ports give the number again
  idle.add(next.server, 2);
  expect_asleep(idle);
  send_all(next.client, "y");
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{2}));

  idle.add(next.server, 3);  // unread, so it would wake
  idle.close(next.server);
  const auto third = connect_pair(listener);
  send_all(third.client, "z");
  expect_asleep(idle);  // never parked under its number
  close(third);
  port().close(old.client);
  port().close(next.client);
  port().close(listener);
}

TEST_P(PortWaitingContract, ManyParkedSocketsAndOneActive) {
  constexpr std::uint32_t count = 300;
  const Socket listener = listen();
  IdleSockets idle{port()};
  std::vector<Pair> pairs;
  for (std::uint32_t i = 0; i < count; ++i) {
    pairs.push_back(connect_pair(listener));
    idle.add(pairs.back().server, i);
  }
  const auto active = connect_pair(listener);
  for (int round = 0; round < 10; ++round) {
    send_all(active.client, "x");
    PollEntry entry{.socket = active.server, .interest = Events::readable};
    const Time limit = port().now() + patience;
    while (entry.ready == Events::none && port().now() < limit) {
      EXPECT_TRUE(idle.poll(&entry, limit).empty());
    }
    EXPECT_EQ(entry.ready, Events::readable);
    EXPECT_EQ(receive(active.server, 1), "x");
  }

  std::vector<std::uint32_t> expected;
  for (std::uint32_t i = 0; i < count; i += 3) {  // 100 of them, and room for 7 events at a time
    send_all(pairs[i].client, "y");
    expected.push_back(i);
  }
  EXPECT_EQ(woken(idle, expected.size(), 7), expected);

  expected.clear();
  for (std::uint32_t i = 1; i < count; i += 3) {  // and 64, which leaves 36 for another poll
    send_all(pairs[i].client, "z");
    expected.push_back(i);
  }
  EXPECT_EQ(woken(idle, expected.size()), expected);
  for (const auto& pair : pairs) {
    close(pair);
  }
  close(active);
  port().close(listener);
}

TEST_P(PortWaitingContract, ParkedSocketsAreLeftOutWhereThereIsNoRoomForThem) {
  const auto pair = make_pair();
  IdleSockets idle{port()};
  idle.add(pair.server, 1);
  send_all(pair.client, "x");
  const Time until = port().now() + std::chrono::milliseconds{3};
  int polls = 0;
  while (port().now() < until) {  // poll_once has no room for parked events: it waits, and does not spin
    EXPECT_EQ(poll_once(pair.client, Events::readable, until), Events::none);
    ASSERT_LT(++polls, 100);
  }
  EXPECT_EQ(woken(idle, 1), (std::vector<std::uint32_t>{1}));
  close(pair);
}

}  // namespace pollux::port
