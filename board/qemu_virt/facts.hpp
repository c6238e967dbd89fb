// QEMU's machine "virt", 64 or 32 bit, with 64 MB, as board/qemu_virt/boot starts it: PL061 GPIO, a LED on its line 0, i6300esb watchdog, PL031
// clock.
//
// Sources: QEMU hw/arm/virt.c (the PL061 at 0x09030000), Linux drivers/gpio/gpio-pl061.c (the label is the device's name; 8 lines),
// drivers/watchdog/i6300esb.c (1 s to 2046 s), seen in QEMU 7.2 with Debian's kernel 6.1.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

inline constexpr Led board_leds[] = {{.name = "pollux:green:status", .label = "status (line 0)"}};

// Line 0 is the LED. QEMU's "system_powerdown" presses the button.
inline constexpr Line board_lines[] = {
    {.name = "relay", .chip = "9030000.pl061", .offset = 1},  {.name = "line2", .chip = "9030000.pl061", .offset = 2},
    {.name = "button", .chip = "9030000.pl061", .offset = 3}, {.name = "line4", .chip = "9030000.pl061", .offset = 4},
    {.name = "line5", .chip = "9030000.pl061", .offset = 5},  {.name = "line6", .chip = "9030000.pl061", .offset = 6},
    {.name = "line7", .chip = "9030000.pl061", .offset = 7},
};

inline constexpr Facts facts{
    .name = "qemu_virt",
    .title = "QEMU virt",
    .memory_mib = 64,
    .preset = "aarch64",
    .server_budget = std::size_t{1} << 20,
    .service_memory_mib = 16,
    .clock = Clock::battery,
    .watchdog = {.device = "/dev/watchdog0", .driver = "i6300esb", .seconds = 10, .seconds_max = 2046},
    .leds = board_leds,
    .lines = board_lines,
};

}  // namespace pollux::board
