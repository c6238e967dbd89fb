// The turn: who is asked what, and in which order.

#include "tests/net/net_support.hpp"

namespace pollux::test {
namespace {

// Listens, takes every connection, and reads one byte per event. Notes: p prepare, r ready, k parked_ready, e expire, w work.
class Echo final : public net::Driver {
 public:
  Echo(LoopSite& site, Diary& diary, std::uint16_t port_number) : site_{site}, diary_{diary} {
    const auto socket = site.port.listen({.endpoint = {port::Address::ipv4_any(port_number)}});
    EXPECT_TRUE(socket);
    listener_ = *socket;
    site.loop.add(*this);
  }
  ~Echo() { site_.loop.remove(*this); }

  port::Time prepare(net::PollSet& set, port::Time) override {
    diary_.note('p');
    EXPECT_TRUE(set.add(listener_, port::Events::readable, 7));
    if (stream_.is_open() && !is_parked) {
      EXPECT_TRUE(set.add(stream_.socket(), port::Events::readable, 8));
    }
    return deadline;
  }
  void ready(std::uint32_t token, port::Events events, port::Time now) override {
    diary_.note('r');
    EXPECT_TRUE(port::has(events, port::Events::readable));
    EXPECT_EQ(now, site_.loop.now());
    if (token == 7) {
      const auto accepted = site_.port.accept(listener_);
      EXPECT_TRUE(accepted);
      stream_ = net::Stream{site_.port, accepted->socket};
    } else {
      EXPECT_EQ(token, 8U);
      read();
    }
  }
  void parked_ready(std::uint32_t token, port::Events events, port::Time) override {
    diary_.note('k');
    EXPECT_EQ(token, parked_token);
    EXPECT_TRUE(port::has(events, port::Events::readable));
    is_parked = false;
    read();
  }
  void expire(port::Time) override { diary_.note('e'); }
  void work(port::Time) override { diary_.note('w'); }

  void park(std::uint32_t token) {
    parked_token = token;
    is_parked = site_.loop.park(*this, stream_.socket(), token);
  }
  [[nodiscard]] const net::Stream& stream() const { return stream_; }

  port::Time deadline = port::never;
  bool is_parked = false;
  std::uint32_t parked_token = 0;
  int bytes = 0;

 private:
  void read() {
    std::array<char, 1> byte;
    bytes += static_cast<int>(stream_.recv(byte).size);
  }
  LoopSite& site_;
  Diary& diary_;
  port::Socket listener_{};
  net::Stream stream_{};
};

TEST(Loop, ATurnHasItsOrder) {
  LoopSite site;
  Diary diary;
  Echo echo{site, diary, 80};
  site.turn();
  EXPECT_EQ(diary.text(), "pew");
  diary.clear();
  const port::SimPeer peer = site.network.connect({.address = port::Address::ipv4_loopback(80)});
  site.turn();
  EXPECT_EQ(diary.text(), "prew");
  diary.clear();
  peer.send("x");
  site.turn();
  EXPECT_EQ(diary.text(), "prew");
  EXPECT_EQ(echo.bytes, 1);
  EXPECT_EQ(site.loop.turns(), 3U);
}

TEST(Loop, DriversComeInTheOrderTheyWereAdded) {
  LoopSite site;
  Diary first_diary;
  Diary second_diary;
  Echo first{site, first_diary, 80};
  {
    Echo second{site, second_diary, 81};
    static_cast<void>(site.network.connect({.address = port::Address::ipv4_loopback(81)}));
    site.turn();
    EXPECT_EQ(first_diary.text(), "pew");
    EXPECT_EQ(second_diary.text(), "prew");
  }
  second_diary.clear();
  site.turn();
  EXPECT_EQ(second_diary.text(), "") << "a driver that was removed is asked nothing";
}

TEST(Loop, SleepsUntilTheEarliestDeadline) {
  LoopSite site;
  Diary diary;
  Echo first{site, diary, 80};
  Echo second{site, diary, 81};
  const port::Time start = site.network.now();
  first.deadline = start + 5s;
  second.deadline = start + 3s;
  site.turn(1h);
  EXPECT_EQ(site.loop.now(), start + 3s);
  second.deadline = port::never;
  site.turn(1h);
  EXPECT_EQ(site.loop.now(), start + 5s);
  // A deadline that has passed does not wait, and a turn is not longer than it was asked to be.
  site.turn(1h);
  EXPECT_EQ(site.loop.now(), start + 5s);
  first.deadline = port::never;
  site.network.set_horizon(port::never);
  site.loop.turn(start + 6s);
  EXPECT_EQ(site.loop.now(), start + 6s);
}

TEST(Loop, AParkedSocketCostsNothingUntilItWakes) {
  LoopSite site;
  Diary diary;
  Echo other{site, diary, 81};
  Echo echo{site, diary, 80};
  const port::SimPeer peer = site.network.connect({.address = port::Address::ipv4_loopback(80)});
  site.turn();
  for (const std::uint32_t token : {0U, 12345U, 0xFFFFFFU}) {
    echo.park(token);
    EXPECT_TRUE(echo.is_parked);
    EXPECT_EQ(site.port.sockets_parked(), 1U);
    diary.clear();
    site.turn();
    EXPECT_EQ(diary.text(), "ppeeww");
    peer.send("x");
    diary.clear();
    site.turn();
    EXPECT_EQ(diary.text(), "ppkeeww") << "before the events of the poll set";
    EXPECT_FALSE(echo.is_parked);
  }
  EXPECT_EQ(echo.bytes, 3);
  echo.park(1);
  site.loop.unpark(echo.stream().socket());
  echo.is_parked = false;
  peer.send("x");
  diary.clear();
  site.turn();
  EXPECT_EQ(diary.text(), "ppreeww");
  site.port.set_parking(false);
  echo.park(1);
  EXPECT_FALSE(echo.is_parked);
}

TEST(Loop, RunsUntilItIsStopped) {
  LoopSite site;
  net::Timer timer{site.loop, {[](void* object) { static_cast<net::Loop*>(object)->stop(3); }, &site.loop}};
  timer.start(5s);
  EXPECT_EQ(site.loop.run(), 3);
  EXPECT_TRUE(site.loop.is_stopping());
  timer.start(1s);  // and it may run again
  EXPECT_EQ(site.loop.run(), 3);
}

TEST(Loop, TerminateAndInterruptStopIt) {
  for (const port::Signal signal : {port::Signal::terminate, port::Signal::interrupt}) {
    LoopSite site;
    site.port.raise(signal);
    EXPECT_EQ(site.loop.run(), 0);
  }
  LoopSite site;
  site.port.raise(port::Signal::hangup);
  site.turn(1s);
  EXPECT_FALSE(site.loop.is_stopping());
}

TEST(Loop, SignalsGoToWhoAskedForThem) {
  LoopSite site;
  Diary diary;
  site.loop.on_signal({[](void* object, port::Signal signal) {
                         static_cast<Diary*>(object)->note(static_cast<char>('0' + static_cast<int>(signal)));
                       },
                       &diary});
  site.port.raise(port::Signal::terminate);
  site.port.raise(port::Signal::user1);
  site.turn(1s);
  EXPECT_EQ(diary.text(), "03");
  EXPECT_FALSE(site.loop.is_stopping());
}

TEST(Loop, TellsTheEndOfEachTurn) {
  LoopSite site;
  Diary diary;
  Echo echo{site, diary, 80};
  site.loop.on_turn({[](void* object) { static_cast<Diary*>(object)->note('.'); }, &diary});
  site.turn();
  site.turn();
  EXPECT_EQ(diary.text(), "pew.pew.");
}

TEST(PollSet, SaysWhenItIsFull) {
  std::array<port::PollEntry, 3> entries{};
  std::array<std::uint32_t, 2> tokens{};
  net::PollSet set{entries, tokens};
  EXPECT_TRUE(set.add(port::Socket{1}, port::Events::readable, 10));
  EXPECT_EQ(set.room(), 1U);
  EXPECT_TRUE(set.add(port::Socket{2}, port::Events::writable, 20));
  EXPECT_FALSE(set.add(port::Socket{3}, port::Events::readable, 30));
  EXPECT_EQ(set.size(), 2U);
  EXPECT_EQ(entries[1].interest, port::Events::writable);
  EXPECT_EQ(tokens[1], 20U);
}

}  // namespace
}  // namespace pollux::test
