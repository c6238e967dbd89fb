// GPIO lines and the hardware watchdog, on a made machine.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/device/gpio.hpp"
#include "apps/device/watchdog.hpp"
#include "port/sim/sim_port.hpp"
#include "stack/net/loop.hpp"
#include "tests/apps/device_machine.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::device {
namespace {

using namespace std::chrono_literals;

constexpr std::array board_lines{
    board::Line{.name = "OUT", .chip = "made-gpio", .offset = 0, .claim = board::Claim::output},
    board::Line{.name = "IN", .chip = "made-gpio", .offset = 1, .claim = board::Claim::input},
    board::Line{.name = "FREE", .chip = "made-gpio", .offset = 2},
};

// ---- GPIO

TEST(Gpio, UnderstandsWhatIsAskedFor) {
  struct Case {
    std::string_view text;
    std::string_view chip;
    std::uint32_t offset;
    board::Claim claim;
  };
  using enum board::Claim;
  const Case cases[] = {
      {"pump=made-exp:3", "made-exp", 3, input},
      {"pump=made-exp:3:in", "made-exp", 3, input},
      {"pump=made-exp:3:out", "made-exp", 3, output},
      {"pump=made-exp:3:out,high,active-low", "made-exp", 3, output},
      {"pump=/dev/gpiochip0:0", "/dev/gpiochip0", 0, input},
      {"pump=FREE", "made-gpio", 2, input},
      {"pump=FREE:out", "made-gpio", 2, output},
      {"FREE", "made-gpio", 2, input},
      {"FREE:out", "made-gpio", 2, output},
      {"FREE:in,pull-up", "made-gpio", 2, input},
  };
  for (const Case& c : cases) {
    Gpio gpio;
    ASSERT_EQ(gpio.add(c.text, board_lines), nullptr) << c.text;
    ASSERT_EQ(gpio.lines().size(), 1U);
    const GpioLine& line = gpio.lines()[0];
    EXPECT_EQ(line.name, c.text.substr(0, c.text.find_first_of("=:")));
    EXPECT_EQ(line.chip, c.chip) << c.text;
    EXPECT_EQ(line.offset, c.offset) << c.text;
    EXPECT_EQ(line.claim, c.claim) << c.text;
    EXPECT_TRUE(line.is_asked_for);
  }
}

TEST(Gpio, SaysWhatIsWrong) {
  const std::string_view wrong[] = {"",
                                    "=",
                                    "pump",
                                    "pump=",
                                    "pump=made-exp",
                                    "pump=made-exp:",
                                    "pump=made-exp:x",
                                    "pump=made-exp:-1",
                                    "pump=made-exp:4294967296",
                                    "pump=:3",
                                    "pu/mp=made-exp:3",
                                    "pu mp=made-exp:3",
                                    "pump=made-exp:3:up",
                                    "pump=made-exp:3:out:high",
                                    "pump=made-exp:3:out,",
                                    "pump=made-exp:3:in,high",
                                    "pump=made-exp:3:pull-up,pull-down",
                                    "free"};
  for (const std::string_view text : wrong) {
    const char* reason = Gpio::check(text, board_lines);
    if (text == "pump=made-exp:3:out,") {
      EXPECT_EQ(reason, nullptr);  // nothing behind the last comma is nothing
      continue;
    }
    ASSERT_NE(reason, nullptr) << text;
    EXPECT_FALSE(std::string_view{reason}.empty()) << text;
  }
  EXPECT_NE(Gpio::check(std::string(64, 'x') + "=made-exp:3", board_lines), nullptr);
  EXPECT_EQ(Gpio::check("pump=made-exp:4294967295", board_lines), nullptr);
}

TEST(Gpio, TakesTheLinesOfTheBoard) {
  MadeMachine machine;
  Gpio gpio;
  gpio.add_board(board_lines);
  EXPECT_EQ(gpio.open(machine), nullptr);
  EXPECT_EQ(machine.open_count(), 2);  // the lines; no chip stays open
  const heap_guard::Forbidden no_heap;
  const GpioLine* out = gpio.find("OUT");
  const GpioLine* in = gpio.find("IN");
  const GpioLine* free = gpio.find("FREE");
  ASSERT_TRUE(out != nullptr && in != nullptr && free != nullptr);
  EXPECT_EQ(gpio.find("out"), nullptr);
  EXPECT_EQ(free->fault, GpioFault::not_claimed);
  EXPECT_LT(free->descriptor, 0);
  EXPECT_EQ(gpio.get(*out), 0);
  EXPECT_EQ(gpio.set(*out, true), 0);
  EXPECT_TRUE(machine.chips[1].lines[0].level);
  EXPECT_EQ(gpio.get(*out), 1);
  EXPECT_EQ(gpio.get(*in), 0);
  machine.chips[1].lines[1].level = true;
  EXPECT_EQ(gpio.get(*in), 1);
  machine.gpio_error = EIO;
  EXPECT_EQ(gpio.get(*in), -EIO);
  EXPECT_EQ(gpio.set(*out, false), -EIO);
  machine.gpio_error = 0;
  gpio.close();
  EXPECT_EQ(machine.open_count(), 0);
}

TEST(Gpio, FindsAChipByItsDevice) {
  // Labels are given in the order in which the chips came up, and this time the second one was first.
  constexpr std::array lines{board::Line{.name = "P2_1", .chip = "2000.gpio", .offset = 1}};
  MadeMachine machine;
  machine.chips[0].label = "gpio-4-7";
  machine.chips[1].label = "gpio-0-3";
  {
    Gpio gpio;
    EXPECT_EQ(gpio.add("P2_1:out,high", lines), nullptr);
    EXPECT_EQ(gpio.open(machine), nullptr);
    EXPECT_TRUE(machine.chips[1].lines[1].level);
    EXPECT_FALSE(machine.chips[0].lines[1].level);
    gpio.close();
  }
  // Part of a path is not the device, nor is one that does not fit.
  const std::string long_path = std::string(600, 'x') + "/2000.gpio/gpiochip7";
  for (const std::string_view path :
       {std::string_view{}, std::string_view{"gpiochip7"}, std::string_view{"2000.gpio/made/gpiochip7"},
        std::string_view{"12000.gpio/gpiochip7"}, std::string_view{long_path}}) {
    machine.chips[1].device_path = path;
    Gpio gpio;
    EXPECT_EQ(gpio.add("P2_1:out,high", lines), nullptr);
    const GpioLine* failed = gpio.open(machine);
    ASSERT_NE(failed, nullptr) << path;
    EXPECT_EQ(failed->fault, GpioFault::no_chip) << path;
  }
  EXPECT_EQ(machine.open_count(), 0);
}

TEST(Gpio, TurnsAnActiveLowLineAround) {
  MadeMachine machine;
  Gpio gpio;
  EXPECT_EQ(gpio.add("relay=gpiochip7:3:out,high,active-low", {}), nullptr);
  EXPECT_EQ(gpio.add("button=made-gpio:2:in,active-low,pull-up", {}), nullptr);
  EXPECT_EQ(gpio.open(machine), nullptr);
  EXPECT_FALSE(machine.chips[1].lines[3].level);
  EXPECT_EQ(gpio.get(*gpio.find("relay")), 1);
  EXPECT_EQ(gpio.get(*gpio.find("button")), 1);
  EXPECT_NE(machine.chips[1].lines[2].flags & GPIO_V2_LINE_FLAG_BIAS_PULL_UP, 0U);
  EXPECT_EQ(gpio.set(*gpio.find("relay"), false), 0);
  EXPECT_TRUE(machine.chips[1].lines[3].level);
}

TEST(Gpio, WhatIsAskedForTakesTheBoardsPlace) {
  MadeMachine machine;
  Gpio gpio;
  gpio.add_board(board_lines);
  EXPECT_EQ(gpio.add("pump=OUT:in", board_lines), nullptr);    // the same line by another name
  EXPECT_EQ(gpio.add("IN=made-exp:0", board_lines), nullptr);  // the same name for another line
  EXPECT_EQ(gpio.lines().size(), 3U);
  EXPECT_EQ(gpio.find("OUT"), nullptr);
  EXPECT_EQ(gpio.open(machine), nullptr);
  EXPECT_EQ(machine.chips[1].lines[0].flags, GPIO_V2_LINE_FLAG_INPUT);
  EXPECT_GE(machine.chips[0].lines[0].descriptor, 0);
  EXPECT_LT(machine.chips[1].lines[1].descriptor, 0);
  EXPECT_NE(gpio.add("again=OUT", board_lines), nullptr);
  EXPECT_NE(gpio.add("pump=made-exp:1", board_lines), nullptr);
}

TEST(Gpio, SaysWhyALineCannotBeHad) {
  MadeMachine machine;
  machine.chips[1].lines[0].is_busy = true;
  struct Case {
    std::string_view text;
    GpioFault fault;
  };
  for (const Case& c : {Case{"a=made-gpio:0", GpioFault::busy}, Case{"a=made-gpio:4", GpioFault::no_line},
                        Case{"a=other:0", GpioFault::no_chip}}) {
    Gpio gpio;
    ASSERT_EQ(gpio.add(c.text, {}), nullptr);
    const GpioLine* failed = gpio.open(machine);
    ASSERT_NE(failed, nullptr) << c.text;
    EXPECT_EQ(failed->fault, c.fault) << c.text;
    EXPECT_FALSE(describe(failed->fault).empty());
    EXPECT_EQ(machine.open_count(), 0);
  }
  machine.chips[1].open_error = EACCES;
  Gpio gpio;
  gpio.add_board(board_lines);
  EXPECT_EQ(gpio.open(machine), nullptr);  // nobody asked for them: the program starts without
  EXPECT_EQ(gpio.find("OUT")->fault, GpioFault::not_permitted);
  EXPECT_EQ(gpio.find("FREE")->fault, GpioFault::not_claimed);
}

TEST(Gpio, HoldsItsLimit) {
  std::array<board::Line, Gpio::lines_max> many{};
  std::array<std::string, Gpio::lines_max> names;
  for (std::size_t i = 0; i < many.size(); ++i) {
    names[i] = "line" + std::to_string(i);
    many[i] = {.name = names[i], .chip = "made-gpio", .offset = static_cast<std::uint32_t>(i)};
  }
  Gpio gpio;
  gpio.add_board(std::span{many}.first(Gpio::lines_max - 1));
  EXPECT_EQ(gpio.add("last=made-exp:0", {}), nullptr);
  const char* wrong = gpio.add("more=made-exp:1", {});
  ASSERT_NE(wrong, nullptr);
  EXPECT_STREQ(wrong, "is one line too many");
  EXPECT_EQ(gpio.add("line0=made-exp:1", {}), nullptr);  // in the place of another
  gpio.add_board(many);
  EXPECT_EQ(gpio.lines().size(), Gpio::lines_max);
}

// ---- the watchdog

TEST(Watchdog, UnderstandsWhatIsAskedFor) {
  constexpr board::Watchdog known{.device = "/dev/watchdog0", .driver = "made", .seconds = 15, .seconds_max = 15};
  const auto board = parse_watchdog("board", known);
  ASSERT_TRUE(board);
  EXPECT_EQ(board->device, "/dev/watchdog0");
  EXPECT_EQ(board->seconds, 15U);
  EXPECT_FALSE(parse_watchdog("board", {}));
  EXPECT_EQ(parse_watchdog("/dev/x", known)->seconds, 0U);
  EXPECT_EQ(parse_watchdog("/dev/x:8", known)->device, "/dev/x");
  EXPECT_EQ(parse_watchdog("/dev/x:86400", known)->seconds, 86400U);
  for (const char* wrong : {"", "watchdog0", "/dev/x:", "/dev/x:0", "/dev/x:86401", "/dev/x:8s", "/dev/x:-1"}) {
    EXPECT_FALSE(parse_watchdog(wrong, known)) << wrong;
  }
}

class WatchdogTest : public ::testing::Test {
 protected:
  void pass(port::Duration time) {
    const heap_guard::Forbidden no_heap;
    const port::Time end = network.now() + time;
    network.set_horizon(end);
    while (network.now() < end) {
      loop.turn();
    }
  }
  port::SimNetwork network;
  port::SimPort port{network};
  std::unique_ptr<net::LoopStorage<4>> storage = std::make_unique<net::LoopStorage<4>>();
  net::Loop loop{port, storage->memory()};
  MadeMachine machine;
};

TEST_F(WatchdogTest, IsFedByTheLoop) {
  machine.has_watchdog_reset = true;
  std::optional<HardwareWatchdog> watchdog;
  watchdog.emplace(loop, machine);
  ASSERT_FALSE(watchdog->open({.device = "/dev/made-watchdog", .seconds = 9}));
  EXPECT_EQ(watchdog->seconds(), 10U);  // what the hardware made of it
  EXPECT_EQ(watchdog->identity(), "Made Watchdog");
  EXPECT_EQ(watchdog->has_reset(), true);
  EXPECT_EQ(machine.feeds, 1);
  pass(10s);
  EXPECT_EQ(machine.feeds, 1 + 3);  // at a third of its time
  pass(20s);
  EXPECT_EQ(machine.feeds, 1 + 9);
  EXPECT_TRUE(machine.watchdog_runs);
  watchdog.reset();
  EXPECT_FALSE(machine.watchdog_runs);  // an orderly end
  EXPECT_EQ(machine.open_count(), 0);
  pass(20s);
  EXPECT_EQ(machine.feeds, 1 + 9);
}

TEST_F(WatchdogTest, IsNotFedByALoopThatHangs) {
  HardwareWatchdog watchdog{loop, machine};
  ASSERT_FALSE(watchdog.open({.device = "/dev/made-watchdog", .seconds = 10}));
  network.advance(1h);
  EXPECT_EQ(machine.feeds, 1);
  loop.turn();
  EXPECT_EQ(machine.feeds, 2);  // what was missed is not made up
}

TEST_F(WatchdogTest, KeepsTheTimeOfTheDriver) {
  HardwareWatchdog watchdog{loop, machine};
  ASSERT_FALSE(watchdog.open({.device = "/dev/made-watchdog"}));
  EXPECT_EQ(watchdog.seconds(), 60U);
  EXPECT_EQ(watchdog.has_reset(), false);
  machine.watchdog_options = 0;
  watchdog.stop();
  ASSERT_FALSE(watchdog.open({.device = "/dev/made-watchdog"}));
}

TEST_F(WatchdogTest, SaysWhyItCannotBeFed) {
  HardwareWatchdog watchdog{loop, machine};
  EXPECT_EQ(watchdog.open({.device = "/dev/none"})->number, ENOENT);
  EXPECT_EQ(watchdog.open({.device = "/dev/made-file"})->reason, "is no watchdog");
  EXPECT_EQ(watchdog.open({.device = "/dev/made-watchdog", .seconds = 101})->reason, "does not take so many seconds");
  EXPECT_FALSE(machine.watchdog_runs);  // opening it had started it
  machine.watchdog_set_error = EOPNOTSUPP;
  EXPECT_NE(watchdog.open({.device = "/dev/made-watchdog", .seconds = 10})->reason.find("leave :SECONDS out"),
            std::string_view::npos);
  machine.watchdog_set_error = EIO;
  EXPECT_EQ(watchdog.open({.device = "/dev/made-watchdog", .seconds = 10})->number, EIO);
  machine.watchdog_open_error = EBUSY;
  EXPECT_NE(watchdog.open({.device = "/dev/made-watchdog"})->reason.find("RuntimeWatchdogSec"), std::string_view::npos);
  EXPECT_EQ(watchdog.open({.device = std::string_view{std::string(600, '/')}.substr(0)})->number, ENAMETOOLONG);
  EXPECT_FALSE(watchdog.is_running());
  EXPECT_EQ(machine.open_count(), 0);
  EXPECT_EQ(machine.feeds, 0);
}

TEST_F(WatchdogTest, SaysOnceThatItIsNotFed) {
  HardwareWatchdog watchdog{loop, machine};
  ASSERT_FALSE(watchdog.open({.device = "/dev/made-watchdog", .seconds = 10}));
  machine.feed_error = EIO;
  ::testing::internal::CaptureStderr();
  pass(10s);
  // The words for the error are the C library's.
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            std::string{"--watchdog /dev/made-watchdog: cannot be fed: "} + std::strerror(EIO) + "\n");
  EXPECT_EQ(watchdog.failures(), 3U);
}

}  // namespace
}  // namespace pollux::device
