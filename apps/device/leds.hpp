// Leds: the LEDs of the machine, as the kernel shows them in /sys/class/leds.
// Source: the kernel's Documentation/ABI/testing/sysfs-class-led.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "apps/device/system_files.hpp"

namespace pollux::device {

struct Led {
  Name name;                         // "ACT", "input3::capslock"
  std::uint64_t brightness = 0;      // 0 is off
  std::uint64_t brightness_max = 0;  // 1 for a LED that is only on or off, often 255
  std::optional<FixedText<32>>
      trigger;  // what switches it by itself; "none" if nobody does; nothing if it has no triggers
};

enum class LedError : std::uint8_t {
  none,
  not_found,        // no LED of that name
  unknown_trigger,  // the LED does not have this trigger
  not_permitted,    // EACCES, EPERM, EROFS: this process may not switch it
  busy,             // EBUSY: somebody else drives it now
  failed,           // the device did not take it
};
[[nodiscard]] LedError led_error_from(int number) noexcept;  // of an errno

class Leds {
 public:
  // `sysfs` is where sysfs is mounted; it must outlive this object.
  constexpr explicit Leds(std::string_view sysfs) noexcept : sysfs_{sysfs} {}

  // Names of all LEDs, sorted, at most names_max; nothing if the kernel has no LED class.
  [[nodiscard]] std::optional<Names> names() const noexcept;
  // Nothing if there is no such LED. Any text is safe as a name: what is no plain entry of the folder is not found.
  [[nodiscard]] std::optional<Led> find(std::string_view name) const noexcept;
  // The trigger goes first: a LED that something drives would not keep the brightness. Without a value that part stays as it is.
  [[nodiscard]] LedError set(std::string_view name, std::optional<std::uint64_t> brightness,
                             std::optional<std::string_view> trigger) const noexcept;

 private:
  std::string_view sysfs_;
};

}  // namespace pollux::device
