// Raspberry Pi 4 B, 400 and Compute Module 4: BCM2711, four Cortex-A72 at 1.5 to 1.8 GHz, 1 to 8 GB, with a 64-bit system.
//
// Sources: Linux arch/arm/boot/dts/broadcom/bcm2711-rpi-4-b.dts (LEDs), bcm2711.dtsi (thermal zone), drivers/pinctrl/bcm/pinctrl-bcm2835.c (the
// label; 58 lines), drivers/watchdog/bcm2835_wdt.c (20 bits of 1/65536 s: 15 s; newer kernels take more and feed it themselves in between).
// A Raspberry Pi 3 or Zero 2 runs the same program; its chip is "pinctrl-bcm2835". Nothing here was measured on hardware.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

inline constexpr Led board_leds[] = {{.name = "ACT", .label = "activity (green)"},
                                     {.name = "PWR", .label = "power (red)"}};

// Pins of the header that are inputs after the start and have no other use unless one is configured.
inline constexpr Line board_lines[] = {
    {.name = "GPIO4", .chip = "pinctrl-bcm2711", .offset = 4},
    {.name = "GPIO5", .chip = "pinctrl-bcm2711", .offset = 5},
    {.name = "GPIO6", .chip = "pinctrl-bcm2711", .offset = 6},
    {.name = "GPIO12", .chip = "pinctrl-bcm2711", .offset = 12},
    {.name = "GPIO13", .chip = "pinctrl-bcm2711", .offset = 13},
    {.name = "GPIO16", .chip = "pinctrl-bcm2711", .offset = 16},
    {.name = "GPIO17", .chip = "pinctrl-bcm2711", .offset = 17},
    {.name = "GPIO18", .chip = "pinctrl-bcm2711", .offset = 18},
    {.name = "GPIO19", .chip = "pinctrl-bcm2711", .offset = 19},
    {.name = "GPIO20", .chip = "pinctrl-bcm2711", .offset = 20},
    {.name = "GPIO21", .chip = "pinctrl-bcm2711", .offset = 21},
    {.name = "GPIO22", .chip = "pinctrl-bcm2711", .offset = 22},
    {.name = "GPIO23", .chip = "pinctrl-bcm2711", .offset = 23},
    {.name = "GPIO24", .chip = "pinctrl-bcm2711", .offset = 24},
    {.name = "GPIO25", .chip = "pinctrl-bcm2711", .offset = 25},
    {.name = "GPIO26", .chip = "pinctrl-bcm2711", .offset = 26},
    {.name = "GPIO27", .chip = "pinctrl-bcm2711", .offset = 27},
};

inline constexpr Facts facts{
    .name = "raspberry_pi_4",
    .title = "Raspberry Pi 4",
    .memory_mib = 1024,
    .preset = "aarch64",
    .server_budget = std::size_t{5} << 20,
    .service_memory_mib = 36,
    .clock = Clock::network,
    .thermal_zone = "cpu-thermal",
    .watchdog = {.device = "/dev/watchdog0", .driver = "bcm2835_wdt", .seconds = 15, .seconds_max = 15},
    .leds = board_leds,
    .lines = board_lines,
};

}  // namespace pollux::board
