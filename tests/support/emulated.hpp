// A program under an emulator (every test of a cross build runs under one: CMAKE_CROSSCOMPILING_EMULATOR) takes ten to thirty times as long, and what
// the system says of its memory is true of the emulator.
#pragma once

#include <cstdint>

namespace pollux::test {

#ifdef POLLUX_TESTS_EMULATED
inline constexpr bool is_emulated = true;
#else
inline constexpr bool is_emulated = false;
#endif

// How many rounds of a random test: `count`, and a tenth of them under an emulator. What they look for does not depend on the machine: there they show
// that the same code runs on it, and the native presets go through the rest.
[[nodiscard]] constexpr std::uint64_t rounds(std::uint64_t count) noexcept {
  return is_emulated ? (count + 9) / 10 : count;
}

}  // namespace pollux::test
