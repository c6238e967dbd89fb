// A made machine with GPIO chips and a watchdog, for the tests of pollux-device: DeviceFiles without a kernel.
#pragma once

#include <errno.h>
#include <linux/gpio.h>
#include <linux/watchdog.h>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "apps/device/device_files.hpp"

namespace pollux::device {

class MadeMachine final : public DeviceFiles {
 public:
  struct Line {
    bool is_busy = false;  // a driver has it
    int descriptor = -1;   // of who holds it
    std::uint64_t flags = 0;
    bool level = false;
  };
  struct Chip {
    std::string_view path;
    std::string_view name;
    std::string_view label;
    std::array<Line, 4> lines{};
    int open_error = 0;
    std::string_view device_path{};  // where the kernel says that it is; empty: nowhere
  };

  std::array<Chip, 2> chips{
      {{"/dev/gpiochip0", "gpiochip0", "made-exp", {}, 0, "../../../devices/platform/made/1000.gpio/gpiochip0"},
       {"/dev/gpiochip7", "gpiochip7", "made-gpio", {}, 0, "../../../devices/platform/made/2000.gpio/gpiochip7"}}};
  int gpio_error = 0;  // what reading and writing a line fails with

  std::uint32_t watchdog_options = WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_CARDRESET;
  int watchdog_open_error = 0;
  int watchdog_seconds = 60;
  int watchdog_seconds_max = 100;
  int watchdog_set_error = 0;
  bool has_watchdog_reset = false;
  bool watchdog_runs = false;
  int feed_error = 0;
  int feeds = 0;
  char last_written = 0;

  [[nodiscard]] int open_count() const { return open_count_; }

  int open(const char* path, int) noexcept override {
    if (std::string_view{path} == "/dev/made-watchdog") {
      if (watchdog_open_error != 0) {
        return -watchdog_open_error;
      }
      watchdog_runs = true;
      last_written = 0;
      ++open_count_;
      return watchdog_descriptor;
    }
    if (std::string_view{path} == "/dev/made-file") {
      ++open_count_;
      return file_descriptor;
    }
    for (std::size_t i = 0; i < chips.size(); ++i) {
      if (chips[i].path == path) {
        open_count_ += chips[i].open_error == 0 ? 1 : 0;
        return chips[i].open_error != 0 ? -chips[i].open_error : chip_descriptor + static_cast<int>(i);
      }
    }
    return -ENOENT;
  }

  int control(int descriptor, unsigned long request, void* argument) noexcept override {
    if (descriptor == watchdog_descriptor) {
      return control_watchdog(request, argument);
    }
    if (descriptor >= chip_descriptor && descriptor < chip_descriptor + 2) {
      return control_chip(chips[static_cast<std::size_t>(descriptor - chip_descriptor)], request, argument);
    }
    for (Chip& chip : chips) {
      for (Line& line : chip.lines) {
        if (line.descriptor == descriptor) {
          return control_line(line, request, *static_cast<gpio_v2_line_values*>(argument));
        }
      }
    }
    return -ENOTTY;
  }

  int write(int descriptor, std::string_view bytes) noexcept override {
    if (descriptor != watchdog_descriptor || bytes.size() != 1) {
      return -EINVAL;
    }
    last_written = bytes.front();
    return 0;
  }

  int read_link(const char* path, std::span<char> memory) noexcept override {
    for (const Chip& chip : chips) {
      if (!chip.device_path.empty() && std::string{"/sys/bus/gpio/devices/"}.append(chip.name) == path) {
        return static_cast<int>(chip.device_path.copy(memory.data(), memory.size()));
      }
    }
    return -ENOENT;
  }

  void close(int descriptor) noexcept override {
    --open_count_;
    if (descriptor == watchdog_descriptor && last_written == 'V') {
      watchdog_runs = false;
    }
    for (Chip& chip : chips) {
      for (Line& line : chip.lines) {
        line.descriptor = line.descriptor == descriptor ? -1 : line.descriptor;
      }
    }
  }

 private:
  static constexpr int watchdog_descriptor = 900;
  static constexpr int file_descriptor = 901;
  static constexpr int chip_descriptor = 910;

  int control_chip(Chip& chip, unsigned long request, void* argument) noexcept {
    if (request == GPIO_GET_CHIPINFO_IOCTL) {
      auto& info = *static_cast<gpiochip_info*>(argument);
      chip.name.copy(info.name, sizeof info.name);
      chip.label.copy(info.label, sizeof info.label);
      info.lines = static_cast<std::uint32_t>(chip.lines.size());
      return 0;
    }
    if (request != GPIO_V2_GET_LINE_IOCTL) {
      return -ENOTTY;
    }
    auto& wish = *static_cast<gpio_v2_line_request*>(argument);
    if (wish.num_lines != 1 || wish.offsets[0] >= chip.lines.size()) {
      return -EINVAL;
    }
    Line& line = chip.lines[wish.offsets[0]];
    if (line.is_busy || line.descriptor >= 0) {
      return -EBUSY;
    }
    line.flags = wish.config.flags;
    if ((line.flags & GPIO_V2_LINE_FLAG_OUTPUT) != 0) {
      const bool is_on = wish.config.num_attrs == 1 && (wish.config.attrs[0].attr.values & 1) != 0;
      line.level = is_on != is_active_low(line);
    }
    line.descriptor = wish.fd = next_line_descriptor_++;
    ++open_count_;
    return 0;
  }

  static bool is_active_low(const Line& line) noexcept { return (line.flags & GPIO_V2_LINE_FLAG_ACTIVE_LOW) != 0; }

  int control_line(Line& line, unsigned long request, gpio_v2_line_values& values) const noexcept {
    if (gpio_error != 0) {
      return -gpio_error;
    }
    if (request == GPIO_V2_LINE_GET_VALUES_IOCTL) {
      values.bits = line.level != is_active_low(line) ? 1 : 0;
      return 0;
    }
    if (request != GPIO_V2_LINE_SET_VALUES_IOCTL || (line.flags & GPIO_V2_LINE_FLAG_OUTPUT) == 0) {
      return -EPERM;
    }
    line.level = ((values.bits & 1) != 0) != is_active_low(line);
    return 0;
  }

  int control_watchdog(unsigned long request, void* argument) noexcept {
    switch (request) {
      case WDIOC_GETSUPPORT: {
        auto& info = *static_cast<watchdog_info*>(argument);
        info.options = watchdog_options;
        std::memcpy(info.identity, "Made Watchdog", sizeof "Made Watchdog");
        return 0;
      }
      case WDIOC_GETTIMEOUT:
        *static_cast<int*>(argument) = watchdog_seconds;
        return 0;
      case WDIOC_SETTIMEOUT: {
        int& seconds = *static_cast<int*>(argument);
        if (watchdog_set_error != 0 || seconds > watchdog_seconds_max) {
          return watchdog_set_error != 0 ? -watchdog_set_error : -EINVAL;
        }
        seconds = watchdog_seconds = (seconds + 1) / 2 * 2;  // hardware that counts in steps of two seconds
        return 0;
      }
      case WDIOC_GETBOOTSTATUS:
        *static_cast<int*>(argument) = has_watchdog_reset ? WDIOF_CARDRESET : 0;
        return 0;
      case WDIOC_KEEPALIVE:
        feeds += feed_error == 0 ? 1 : 0;
        return -feed_error;
      default:
        return -ENOTTY;
    }
  }

  int open_count_ = 0;
  int next_line_descriptor_ = 1000;
};

}  // namespace pollux::device
