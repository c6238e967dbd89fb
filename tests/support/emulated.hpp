// A program under an emulator (every test of a cross build runs under one: CMAKE_CROSSCOMPILING_EMULATOR) takes ten to thirty times as long, and what
// the system says of its memory is true of the emulator.
//
// Tests that go through very many cases go through fewer of them there. What they look for hardly depends on the machine; there they show that the
// same code runs on it, and the native presets go through the rest.
#pragma once

namespace pollux::test {

#ifdef POLLUX_TESTS_EMULATED
inline constexpr bool is_emulated = true;
#else
inline constexpr bool is_emulated = false;
#endif

// How many rounds of a random test: `count`, or a tenth of them.
template <typename Count>
[[nodiscard]] constexpr Count rounds(Count count) noexcept {
  return is_emulated ? static_cast<Count>((count + 9) / 10) : count;
}

// The way from one place where something is to go wrong to the next one: each, or every seventh.
inline constexpr unsigned stride = is_emulated ? 7 : 1;

// qemu-user 7.2 hands on the error of a socket (SO_ERROR) by the number it has on this machine. MIPS numbers its errors differently, so that "refused" is
// some other error there.
#if defined(POLLUX_TESTS_EMULATED) && defined(__mips__)
inline constexpr bool knows_socket_errors = false;
#else
inline constexpr bool knows_socket_errors = true;
#endif

}  // namespace pollux::test
