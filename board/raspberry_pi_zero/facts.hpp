// Raspberry Pi Zero and Zero W, and the first Raspberry Pi (A, B, A+, B+), which have the same BCM2835: ARM1176JZF-S at 700 MHz to 1 GHz, 512 MB.
//
// Sources: Linux arch/arm/boot/dts/broadcom/bcm2835-rpi-zero.dts (the LED), bcm283x.dtsi (thermal zone), drivers/pinctrl/bcm/pinctrl-bcm2835.c
// (label, 54 lines), drivers/watchdog/bcm2835_wdt.c (20 bits of 1/65536 s: 15 s). Label, thermal zone and watchdog are what QEMU's raspi0
// with Debian's kernel shows too. Nothing here was measured on hardware.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

inline constexpr Led board_leds[] = {{.name = "ACT", .label = "activity (green)"}};

// Pins of the header that are inputs after the start and have no other use unless one is configured.
inline constexpr Line board_lines[] = {
    {.name = "GPIO4", .chip = "pinctrl-bcm2835", .offset = 4},
    {.name = "GPIO5", .chip = "pinctrl-bcm2835", .offset = 5},
    {.name = "GPIO6", .chip = "pinctrl-bcm2835", .offset = 6},
    {.name = "GPIO12", .chip = "pinctrl-bcm2835", .offset = 12},
    {.name = "GPIO13", .chip = "pinctrl-bcm2835", .offset = 13},
    {.name = "GPIO16", .chip = "pinctrl-bcm2835", .offset = 16},
    {.name = "GPIO17", .chip = "pinctrl-bcm2835", .offset = 17},
    {.name = "GPIO18", .chip = "pinctrl-bcm2835", .offset = 18},
    {.name = "GPIO19", .chip = "pinctrl-bcm2835", .offset = 19},
    {.name = "GPIO20", .chip = "pinctrl-bcm2835", .offset = 20},
    {.name = "GPIO21", .chip = "pinctrl-bcm2835", .offset = 21},
    {.name = "GPIO22", .chip = "pinctrl-bcm2835", .offset = 22},
    {.name = "GPIO23", .chip = "pinctrl-bcm2835", .offset = 23},
    {.name = "GPIO24", .chip = "pinctrl-bcm2835", .offset = 24},
    {.name = "GPIO25", .chip = "pinctrl-bcm2835", .offset = 25},
    {.name = "GPIO26", .chip = "pinctrl-bcm2835", .offset = 26},
    {.name = "GPIO27", .chip = "pinctrl-bcm2835", .offset = 27},
};

inline constexpr Facts facts{
    .name = "raspberry_pi_zero",
    .title = "Raspberry Pi Zero",
    .memory_mib = 512,
    .preset = "armv6",
    .server_budget = std::size_t{2} << 20,
    .service_memory_mib = 18,
    .clock = Clock::network,
    .thermal_zone = "cpu-thermal",
    .watchdog = {.device = "/dev/watchdog0", .driver = "bcm2835_wdt", .seconds = 15, .seconds_max = 15},
    .leds = board_leds,
    .lines = board_lines,
};

}  // namespace pollux::board
