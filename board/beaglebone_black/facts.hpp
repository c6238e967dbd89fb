// BeagleBone Black and Green: AM3358, Cortex-A8 at 1 GHz, 512 MB.
//
// Sources: Linux arch/arm/boot/dts/ti/omap/am335x-bone-common.dtsi (LEDs: Linux names two of them by what they show, BeagleBoard's own images call
// all four usrN), am33xx-l4.dtsi (the addresses of GPIO0 to 3), drivers/gpio/gpio-omap.c (labels count lines in the order in which the chips come up,
// so that gpio-32-63 need not be GPIO1: the devices are named here), drivers/watchdog/omap_wdt.c (1 s to a day), the System
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
    {.name = "P8_07", .chip = "481ac000.gpio", .offset = 2},  {.name = "P8_08", .chip = "481ac000.gpio", .offset = 3},
    {.name = "P8_09", .chip = "481ac000.gpio", .offset = 5},  {.name = "P8_10", .chip = "481ac000.gpio", .offset = 4},
    {.name = "P8_11", .chip = "4804c000.gpio", .offset = 13}, {.name = "P8_12", .chip = "4804c000.gpio", .offset = 12},
    {.name = "P8_14", .chip = "44e07000.gpio", .offset = 26}, {.name = "P8_15", .chip = "4804c000.gpio", .offset = 15},
    {.name = "P8_16", .chip = "4804c000.gpio", .offset = 14}, {.name = "P8_17", .chip = "44e07000.gpio", .offset = 27},
    {.name = "P8_18", .chip = "481ac000.gpio", .offset = 1},  {.name = "P8_26", .chip = "4804c000.gpio", .offset = 29},
    {.name = "P9_12", .chip = "4804c000.gpio", .offset = 28}, {.name = "P9_15", .chip = "4804c000.gpio", .offset = 16},
    {.name = "P9_23", .chip = "4804c000.gpio", .offset = 17}, {.name = "P9_27", .chip = "481ae000.gpio", .offset = 19},
    {.name = "P9_30", .chip = "481ae000.gpio", .offset = 16}, {.name = "P9_41", .chip = "44e07000.gpio", .offset = 20},
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
