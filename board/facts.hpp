// Facts: what a machine is and what its kernel calls the things on it, as constants that a board brings beside its limits.
//
// Nothing here is needed for a program to run: where a fact is missing, a list is empty or a number is 0, and what the kernel shows is
// used as it is. The facts of the board a program is built for are board::facts in "board/board.hpp".
//
//   inline constexpr Led leds[] = {{.name = "ACT", .label = "activity (green)"}};
//   inline constexpr Facts facts{.name = "raspberry_pi_zero", .title = "Raspberry Pi Zero", .memory_mib = 512, .leds = leds, ...};
//
// Each board says in its facts.hpp where its names are from. Sources for all: the kernel's Documentation/leds/leds-class.rst,
// Documentation/watchdog/watchdog-api.rst, include/uapi/linux/gpio.h, Documentation/driver-api/thermal/sysfs-api.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pollux::board {

// A LED as the kernel names it in /sys/class/leds. Boards are named in the order people look at them.
struct Led {
  std::string_view name;   // "ACT"
  std::string_view label;  // "activity (green)": what people call it
};

// How a program that knows the board takes a line of a GPIO chip when nobody said it on the command line.
enum class Claim : std::uint8_t {
  none,    // not at all: the name is known, and the line is left to whoever asks for it. A line has one user at a time
  input,   // taken and read
  output,  // taken and driven, low at first
};

// A line of a GPIO chip that people can reach: a pin of the header, say.
struct Line {
  std::string_view name;  // "GPIO17", as it stands in the board's documentation
  // The chip's label: "pinctrl-bcm2711" (gpiodetect(1) shows it). Where drivers number labels in the order in which chips come up, the
  // device, which has the address in its name: "4804c000.gpio" (ls -l /sys/bus/gpio/devices).
  std::string_view chip;
  std::uint32_t offset = 0;
  Claim claim = Claim::none;
};

struct Watchdog {
  std::string_view device;        // "/dev/watchdog0"; empty: the board has none
  std::string_view driver;        // "bcm2835_wdt"
  std::uint32_t seconds = 0;      // the time to feed it in that suits the board
  std::uint32_t seconds_max = 0;  // the longest the hardware can
};

// Where the time comes from after the power was off.
enum class Clock : std::uint8_t {
  unknown,
  battery,  // a clock that keeps running: the time is right from the start
  // None, or one without a battery: the time is wrong until the network brings it. A client of TLS waits for it (tls::ClockPolicy::wait),
  // and a certificate that the program makes for itself is valid from the day the program was built.
  network,
};

struct Facts {
  std::string_view name{};       // of the folder
  std::string_view title{};      // for people
  std::uint32_t memory_mib = 0;  // of the smallest model that is sold
  std::string_view preset{};     // of toolchains/presets.json that it is built with
  // What the pools of a server may take, TLS included; tests/board holds it.
  std::size_t server_budget = 0;  // bytes
  // What the service manager lets pollux-device have (MemoryMax). service_memory() is the rule; apps/device holds it.
  std::uint32_t service_memory_mib = 0;
  Clock clock = Clock::unknown;
  std::string_view thermal_zone{};  // "cpu-thermal": the type of the zone that is the processor's
  Watchdog watchdog{};
  std::span<const Led> leds{};
  std::span<const Line> lines{};
};

// What a service manager has to let a server have: its own memory; in the kernel what its sockets hold and what of an upload waits for the
// disk; code, stacks and C library. The kernel counts all of it (Documentation/admin-guide/cgroup-v2.rst, memory), gives socket buffers
// less than they ask for when it gets tight, and lets a writer wait for the disk: too little is slow before it is fatal. 64 KiB for a
// connection is more than the answers of pollux-device leave unsent.
[[nodiscard]] constexpr std::size_t service_memory(std::size_t server_size, std::size_t connections) noexcept {
  constexpr std::size_t kib = 1024;
  return server_size + connections * 64 * kib + 12 * kib * kib;
}

}  // namespace pollux::board
