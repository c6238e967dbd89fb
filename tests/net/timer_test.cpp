// Timers: when they expire, and what their callbacks may do to them.

#include <optional>

#include "tests/net/net_support.hpp"

namespace pollux::test {
namespace {

struct Counter {
  int count = 0;
  void tick() { ++count; }
};

TEST(Timer, ExpiresOnceAtItsTime) {
  LoopSite site;
  Counter counter;
  net::Timer timer{site.loop, net::callback<&Counter::tick>(counter)};
  EXPECT_FALSE(timer.is_running());
  timer.start(5s);
  EXPECT_TRUE(timer.is_running());
  site.run_for(5s - 1ns);
  EXPECT_EQ(counter.count, 0);
  site.run_for(1ns);
  EXPECT_EQ(counter.count, 1);
  EXPECT_FALSE(timer.is_running());
  site.run_for(1h);
  EXPECT_EQ(counter.count, 1);
}

TEST(Timer, StartingAgainMovesIt) {
  LoopSite site;
  Counter counter;
  net::Timer timer{site.loop, net::callback<&Counter::tick>(counter)};
  timer.start(5s);
  site.run_for(4s);
  timer.start(5s);
  site.run_for(5s - 1ns);
  EXPECT_EQ(counter.count, 0);
  site.run_for(1ns);
  EXPECT_EQ(counter.count, 1);
  timer.start(1s);
  timer.stop();
  timer.stop();
  site.run_for(1h);
  EXPECT_EQ(counter.count, 1);
}

TEST(Timer, RepeatsWithoutDrifting) {
  LoopSite site;
  Counter counter;
  net::Timer timer{site.loop, net::callback<&Counter::tick>(counter)};
  timer.start_every(100ms);
  site.run_for(1s);
  EXPECT_EQ(counter.count, 10);
  // The machine was asleep: what was missed is skipped, and the beat stays.
  site.network.advance(950ms);
  site.turn();
  EXPECT_EQ(counter.count, 11);
  site.run_for(50ms);
  EXPECT_EQ(counter.count, 12);
  timer.start(1s);  // once, from now on
  site.run_for(1h);
  EXPECT_EQ(counter.count, 13);
}

TEST(Timer, OneThatIsDestroyedDoesNotExpire) {
  LoopSite site;
  Counter counter;
  {
    net::Timer timer{site.loop, net::callback<&Counter::tick>(counter)};
    timer.start(1s);
  }
  site.run_for(2s);
  EXPECT_EQ(counter.count, 0);
}

// Starts itself again from its own callback, `after` from then.
struct Again {
  net::Timer timer;
  port::Duration after;
  int count = 0;
  Again(net::Loop& loop, port::Duration wait) : timer{loop, net::callback<&Again::tick>(*this)}, after{wait} {}
  void tick() {
    ++count;
    timer.start(after);
  }
};

TEST(Timer, MayStartItselfAgain) {
  LoopSite site;
  Again again{site.loop, 1s};
  again.timer.start(1s);
  site.run_for(10s);
  EXPECT_EQ(again.count, 10);
}

// "As soon as possible" is the next turn; within one turn it would never end.
TEST(Timer, WithoutAWaitExpiresInTheNextTurn) {
  for (const port::Duration wait : {port::Duration{0}, port::Duration{-5s}}) {
    LoopSite site;
    Again again{site.loop, wait};
    again.timer.start(wait);
    site.turn(1s);
    EXPECT_EQ(again.count, 1);
    site.turn(1s);
    EXPECT_EQ(again.count, 2);
    EXPECT_LT(site.network.now() - port::SimNetwork{}.now(), 1ms) << "and does not wait for it";
  }
}

// Every timer of the group stops and starts others, and one destroys another.
struct Group {
  explicit Group(net::Loop& loop)
      : first{loop, net::callback<&Group::on_first>(*this)},
        second{loop, net::callback<&Group::on_second>(*this)},
        third{std::in_place, loop, static_cast<net::Callback<>>(net::callback<&Group::on_third>(*this))} {}
  void on_first() {
    diary.note('1');
    second.stop();
    third.reset();
    first.start(1s);
  }
  void on_second() { diary.note('2'); }
  void on_third() { diary.note('3'); }
  net::Timer first;
  net::Timer second;
  std::optional<net::Timer> third;
  Diary diary;
};

TEST(Timer, MayStopAndDestroyOthersThatAreDue) {
  LoopSite site;
  Group group{site.loop};
  group.first.start(1s);
  group.second.start(1s);
  group.third->start(1s);
  site.run_for(1s);
  EXPECT_EQ(group.diary.text(), "1");
  site.run_for(1s);
  EXPECT_EQ(group.diary.text(), "11");
}

TEST(Timer, ManyExpireInOneTurn) {
  LoopSite site;
  Counter counter;
  std::array<std::optional<net::Timer>, 20> timers;
  for (std::size_t i = 0; i < timers.size(); ++i) {
    timers[i].emplace(site.loop, static_cast<net::Callback<>>(net::callback<&Counter::tick>(counter)));
    timers[i]->start(1ms * static_cast<int>(i));
  }
  site.network.advance(1s);
  site.turn();
  EXPECT_EQ(counter.count, 20);
}

}  // namespace
}  // namespace pollux::test
