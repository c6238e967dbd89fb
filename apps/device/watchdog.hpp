// HardwareWatchdog: a timer outside of the processor's reach that resets the machine unless it is fed. It is fed by a timer of the loop, so that
// a loop that hangs, a program that crashed and a kernel that stopped all end in a reset.
//
//   device::HardwareWatchdog watchdog{loop, device::kernel_device_files()};
//   if (const auto error = watchdog.open({.device = "/dev/watchdog0", .seconds = 15})) { ... }
//   ... loop.run() ...
//   watchdog.stop();       // the destructor does it too: an orderly end does not reset the machine
//
// A program that is killed, or stopped with SIGSTOP, feeds nothing any more: the machine is reset when the time is over. Writing "V" and closing
// switches the watchdog off, unless its driver was told otherwise (nowayout): then the next program has to feed it in time. systemd
// may feed the same device itself (RuntimeWatchdogSec); it has one user at a time.
//
// Source: the kernel's Documentation/watchdog/watchdog-api.rst.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "apps/device/device_files.hpp"
#include "apps/device/system_files.hpp"
#include "board/facts.hpp"
#include "stack/net/loop.hpp"

namespace pollux::device {

struct WatchdogRequest {
  std::string_view device;    // "/dev/watchdog0"; must outlive the watchdog
  std::uint32_t seconds = 0;  // 0: what the driver has
};
// DEVICE[:SECONDS], or "board" for what the board's facts say. Nothing if it is neither.
[[nodiscard]] std::optional<WatchdogRequest> parse_watchdog(std::string_view text,
                                                            const board::Watchdog& board) noexcept;

struct WatchdogError {
  std::string_view reason{};  // "is no watchdog"; empty: `number` says it
  int number = 0;             // errno
};

class HardwareWatchdog {
 public:
  HardwareWatchdog(net::Loop& loop, DeviceFiles& files) noexcept;
  ~HardwareWatchdog() { stop(); }
  HardwareWatchdog(const HardwareWatchdog&) = delete;
  HardwareWatchdog& operator=(const HardwareWatchdog&) = delete;

  // Starts the watchdog, and feeding it at a third of its time. Nothing is left running after an error.
  [[nodiscard]] std::optional<WatchdogError> open(const WatchdogRequest& request) noexcept;
  // Switches it off. For the end; does nothing if it is not running.
  void stop() noexcept;

  [[nodiscard]] bool is_running() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] std::string_view device() const noexcept { return device_; }
  // What the driver calls it: "Broadcom BCM2835 Watchdog timer".
  [[nodiscard]] std::string_view identity() const noexcept { return identity_.view(); }
  [[nodiscard]] std::uint32_t seconds() const noexcept { return seconds_; }
  // The machine was started by this watchdog the last time. Nothing if the driver does not know.
  [[nodiscard]] std::optional<bool> has_reset() const noexcept { return has_reset_; }
  // How often it could not be fed.
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  [[nodiscard]] std::optional<WatchdogError> set_time(std::uint32_t seconds) noexcept;
  void feed() noexcept;

  DeviceFiles& files_;
  net::Timer timer_;
  std::string_view device_;
  FixedText<32> identity_;
  int descriptor_ = -1;
  std::uint32_t seconds_ = 0;
  std::optional<bool> has_reset_;
  std::uint64_t failures_ = 0;
};

}  // namespace pollux::device
