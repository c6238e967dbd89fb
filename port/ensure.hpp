// ENSURE: stops the program when an assumption of ours is broken. Always on.
//
// It is for our own bugs only. Bytes from a peer, a full pool or a refusing kernel are never a reason to stop: those are a
// Result. One condition per ENSURE, so that the printed text names what was wrong.
#pragma once

namespace pollux::port {

// Prints "file:line: ENSURE failed: text" to standard error with one write(2) and calls abort(3). Never allocates.
[[noreturn]] void ensure_failed(const char* file, int line, const char* text) noexcept;

}  // namespace pollux::port

#define ENSURE(condition)                                            \
  do {                                                               \
    if (!(condition)) [[unlikely]] {                                 \
      ::pollux::port::ensure_failed(__FILE__, __LINE__, #condition); \
    }                                                                \
  } while (false)
