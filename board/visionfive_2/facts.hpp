// StarFive VisionFive 2: JH7110, four SiFive U74 at 1.5 GHz, 2 to 8 GB.
//
// Sources: Linux arch/riscv/boot/dts/starfive/jh7110.dtsi (thermal zone, watchdog), drivers/pinctrl/starfive/pinctrl-starfive-jh7110.c (the label is
// the device's name; 64 lines, and 4 of the always-on part), drivers/watchdog/starfive-wdt.c (starfive_wdt_max_timeout(): the JH7110's
// 32-bit counter runs down twice, at the oscillator's 24 MHz: 357 s; before Linux took it the driver said 178 s), the
// 40-Pin GPIO Header User Guide. StarFive's own kernel calls the chips 13040000.gpio and 17020000.gpio. Linux describes no LED of the board
// and no battery for its clock. Nothing here was measured on hardware.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

// Pins of the 40-pin header without another use by default.
inline constexpr Line board_lines[] = {
    {.name = "GPIO36", .chip = "13040000.pinctrl", .offset = 36},
    {.name = "GPIO37", .chip = "13040000.pinctrl", .offset = 37},
    {.name = "GPIO38", .chip = "13040000.pinctrl", .offset = 38},
    {.name = "GPIO39", .chip = "13040000.pinctrl", .offset = 39},
    {.name = "GPIO42", .chip = "13040000.pinctrl", .offset = 42},
    {.name = "GPIO43", .chip = "13040000.pinctrl", .offset = 43},
    {.name = "GPIO44", .chip = "13040000.pinctrl", .offset = 44},
    {.name = "GPIO46", .chip = "13040000.pinctrl", .offset = 46},
    {.name = "GPIO47", .chip = "13040000.pinctrl", .offset = 47},
    {.name = "GPIO50", .chip = "13040000.pinctrl", .offset = 50},
    {.name = "GPIO51", .chip = "13040000.pinctrl", .offset = 51},
    {.name = "GPIO54", .chip = "13040000.pinctrl", .offset = 54},
    {.name = "GPIO55", .chip = "13040000.pinctrl", .offset = 55},
    {.name = "GPIO59", .chip = "13040000.pinctrl", .offset = 59},
    {.name = "GPIO60", .chip = "13040000.pinctrl", .offset = 60},
    {.name = "GPIO61", .chip = "13040000.pinctrl", .offset = 61},
    {.name = "GPIO63", .chip = "13040000.pinctrl", .offset = 63},
};

inline constexpr Facts facts{
    .name = "visionfive_2",
    .title = "VisionFive 2",
    .memory_mib = 2048,
    .preset = "riscv64",
    .server_budget = std::size_t{5} << 20,
    .service_memory_mib = 36,
    .clock = Clock::network,
    .thermal_zone = "cpu-thermal",
    .watchdog = {.device = "/dev/watchdog0", .driver = "starfive-wdt", .seconds = 30, .seconds_max = 357},
    .lines = board_lines,
};

}  // namespace pollux::board
