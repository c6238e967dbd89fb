// BeagleBone Black and Green: AM3358, Cortex-A8 at 1 GHz, 512 MB.
//
// Sources: Linux arch/arm/boot/dts/ti/omap/am335x-bone-common.dtsi (LEDs: Linux names two of them by what they show, BeagleBoard's own images call
// all four usrN), drivers/gpio/gpio-omap.c (labels by the number of the first line), drivers/watchdog/omap_wdt.c (1 s to a day), the System
// Reference Manual's tables of the headers P8 and P9. Linux enables no thermal zone on the AM335x. The processor's clock has no battery on
// this board. Nothing here was measured on hardware.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

// Names of both kernels; a board shows one set.
inline constexpr Led board_leds[] = {
    {.name = "beaglebone:green:heartbeat", .label = "USR0"}, {.name = "beaglebone:green:mmc0", .label = "USR1"},
    {.name = "beaglebone:green:usr0", .label = "USR0"},      {.name = "beaglebone:green:usr1", .label = "USR1"},
    {.name = "beaglebone:green:usr2", .label = "USR2"},      {.name = "beaglebone:green:usr3", .label = "USR3"},
};

// Pins of the headers that nothing else on the board uses unless it is configured.
inline constexpr Line board_lines[] = {
    {.name = "P8_07", .chip = "gpio-64-95", .offset = 2},   {.name = "P8_08", .chip = "gpio-64-95", .offset = 3},
    {.name = "P8_09", .chip = "gpio-64-95", .offset = 5},   {.name = "P8_10", .chip = "gpio-64-95", .offset = 4},
    {.name = "P8_11", .chip = "gpio-32-63", .offset = 13},  {.name = "P8_12", .chip = "gpio-32-63", .offset = 12},
    {.name = "P8_14", .chip = "gpio-0-31", .offset = 26},   {.name = "P8_15", .chip = "gpio-32-63", .offset = 15},
    {.name = "P8_16", .chip = "gpio-32-63", .offset = 14},  {.name = "P8_17", .chip = "gpio-0-31", .offset = 27},
    {.name = "P8_18", .chip = "gpio-64-95", .offset = 1},   {.name = "P8_26", .chip = "gpio-32-63", .offset = 29},
    {.name = "P9_12", .chip = "gpio-32-63", .offset = 28},  {.name = "P9_15", .chip = "gpio-32-63", .offset = 16},
    {.name = "P9_23", .chip = "gpio-32-63", .offset = 17},  {.name = "P9_27", .chip = "gpio-96-127", .offset = 19},
    {.name = "P9_30", .chip = "gpio-96-127", .offset = 16}, {.name = "P9_41", .chip = "gpio-0-31", .offset = 20},
};

inline constexpr Facts facts{
    .name = "beaglebone_black",
    .title = "BeagleBone Black",
    .memory_mib = 512,
    .preset = "armhf",
    .server_budget = std::size_t{3} << 20,
    .service_memory_mib = 20,
    .clock = Clock::network,
    .watchdog = {.device = "/dev/watchdog0", .driver = "omap_wdt", .seconds = 30, .seconds_max = 24 * 60 * 60},
    .leds = board_leds,
    .lines = board_lines,
};

}  // namespace pollux::board
