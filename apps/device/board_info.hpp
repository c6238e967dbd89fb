// BoardInfo: what the machine this runs on says about itself, read anew for each question. Linux only.
//
// Nothing is taken from the heap and nothing waits. Every source may be missing: in a container, on a board without sensors, on an old
// kernel. What is missing is an empty optional, an empty text or an empty list; the rest is there all the same.
//
// Sources: proc(5), sysfs(5), netdevice(7), statvfs(3), adjtimex(2), uname(2). Lists are cut at their size here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "apps/device/fixed_text.hpp"
#include "apps/device/system_files.hpp"
#include "port/address.hpp"

namespace pollux::device {

// Where the kernel's files are; tests have trees of their own.
struct BoardRoots {
  std::string_view sysfs = "/sys";
  std::string_view procfs = "/proc";
};

struct Space {
  std::uint64_t total = 0;      // bytes
  std::uint64_t available = 0;  // bytes that a program without privileges may still use
};

struct Temperature {
  Name name;                      // "cpu-thermal"; the zone's folder if it has no type
  std::int32_t millidegrees = 0;  // Celsius
};

struct InterfaceAddress {
  port::Address address;
  std::uint8_t prefix = 0;  // bits
};

struct Interface {
  static constexpr std::size_t addresses_max = 8;
  Name name;
  FixedText<20> mac;  // "b8:27:eb:00:00:01"; empty if it has none
  bool is_up = false;
  FixedList<InterfaceAddress, addresses_max> addresses;
};

struct BoardInfo {
  static constexpr std::size_t temperatures_max = 16;
  static constexpr std::size_t interfaces_max = 16;

  FixedText<128> model;  // "Raspberry Pi 4 Model B Rev 1.4"; "unknown" if nobody says
  FixedText<64> hostname;
  FixedText<64> kernel;               // "Linux"
  FixedText<64> kernel_release;       // "6.1.0-rpi7-rpi-v8"
  FixedText<64> machine;              // "aarch64"
  std::optional<std::uint32_t> cpus;  // that are online
  std::optional<double> uptime_s;
  std::optional<std::array<double, 3>> load;  // averages over 1, 5 and 15 minutes
  std::optional<Space> memory;
  std::optional<std::uint64_t> resident;   // bytes of this process in memory
  std::optional<Space> disk;               // the file system of /
  std::optional<bool> clock_synchronised;  // the kernel's clock is kept right by somebody (NTP)
  FixedList<Temperature, temperatures_max> temperatures;
  std::optional<FixedList<Interface, interfaces_max>> interfaces;
};

void read_board_info(const BoardRoots& roots, BoardInfo& info) noexcept;

// The name of the machine, as /proc has it.
[[nodiscard]] FixedText<64> read_hostname(const BoardRoots& roots) noexcept;

// True if `seconds` since 1970 is later than when this was written: a board without a clock of its own starts long before.
[[nodiscard]] constexpr bool is_clock_set(std::int64_t seconds) noexcept {
  return seconds >= 1'760'000'000;  // October 2025
}

}  // namespace pollux::device
