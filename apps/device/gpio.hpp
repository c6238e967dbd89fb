// Gpio: lines of the machine's GPIO chips, by names: those that the board's facts have, and those of --gpio.
//
//   constinit device::Gpio gpio;
//   gpio.add_board(board::facts.lines);
//   if (const char* wrong = gpio.add("pump=pinctrl-bcm2711:17:out", board::facts.lines)) { ... }
//   gpio.open(device::kernel_device_files());
//   gpio.set(*gpio.find("pump"), 1);
//
// A line is requested from the kernel by open() and held until the program ends, so nobody else changes it, and nothing is allocated later.
// Its value is what the line says, not its voltage, if it was taken as active-low. What an output does after the program's end is the
// chip's affair: most keep it.
//
// Sources: the kernel's include/uapi/linux/gpio.h, version 2 of the interface (Linux 5.10); /sys/bus/gpio/devices for a chip's device.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "apps/device/device_files.hpp"
#include "board/facts.hpp"

namespace pollux::device {

enum class GpioFault : std::uint8_t {
  none,
  not_claimed,    // only its name is known; --gpio takes it
  no_chip,        // the machine has no GPIO chip of that name
  no_line,        // the chip has fewer lines
  busy,           // another program or a driver has it
  not_permitted,  // this program may not open the chip
  failed,         // the chip refused
};
// "another program or a driver has this line"
[[nodiscard]] std::string_view describe(GpioFault fault) noexcept;

struct GpioLine {
  std::string_view name;  // "pump"
  // Label, name or path of the chip, or its device: "pinctrl-bcm2711", "gpiochip0", "/dev/gpiochip0", "4804c000.gpio".
  std::string_view chip;
  std::uint32_t offset = 0;
  board::Claim claim = board::Claim::none;
  bool is_high_first = false;  // what an output is set to when it is taken
  bool is_active_low = false;
  bool is_pulled_up = false;
  bool is_pulled_down = false;
  bool is_asked_for = false;  // on the command line: not to have it is an error
  GpioFault fault = GpioFault::not_claimed;
  int descriptor = -1;  // while it is held
};

class Gpio {
 public:
  static constexpr std::size_t lines_max = 40;
  constexpr Gpio() = default;

  // Names, and takes what the board says is to be taken. More than lines_max are left out.
  void add_board(std::span<const board::Line> lines) noexcept;
  // NAME=CHIP:LINE[:SETTING,...], or NAME[=BOARDLINE][:SETTING,...] for a line that the board names. Settings: in (if nothing is said), out, high,
  // active-low, pull-up, pull-down. nullptr, or what is wrong with `text`. It takes the place of the board's own entry for that line. `text`
  // must outlive this object.
  [[nodiscard]] const char* add(std::string_view text, std::span<const board::Line> lines) noexcept;
  // Whether add() would understand it.
  [[nodiscard]] static const char* check(std::string_view text, std::span<const board::Line> lines) noexcept;

  // Requests all lines that are to be taken. The first one that was asked for and cannot be had, or nullptr.
  [[nodiscard]] const GpioLine* open(DeviceFiles& files) noexcept;
  void close() noexcept;

  [[nodiscard]] std::span<const GpioLine> lines() const noexcept { return {lines_.data(), size_}; }
  // nullptr if there is no such line.
  [[nodiscard]] const GpioLine* find(std::string_view name) const noexcept;
  // 0 or 1; a negative errno. Only for a line that is held.
  [[nodiscard]] int get(const GpioLine& line) const noexcept;
  // 0, or a negative errno. Only for an output that is held.
  [[nodiscard]] int set(const GpioLine& line, bool is_on) const noexcept;

 private:
  [[nodiscard]] GpioLine* same_line(const GpioLine& line) noexcept;
  [[nodiscard]] GpioFault request(GpioLine& line) const noexcept;

  std::array<GpioLine, lines_max> lines_{};
  std::size_t size_ = 0;
  DeviceFiles* files_ = nullptr;
};

}  // namespace pollux::device
