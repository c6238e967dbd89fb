// Heap guard: stops the program when the heap is used where it must not be.
//
// Linked into a program (CMake target pollux_heap_guard; pollux_test() does it, and POLLUX_HEAP_GUARD for the apps) it sees every
// malloc, calloc, realloc, free, aligned_alloc and so on, and with them operator new and delete. In a forbidden place it prints one line,
// "heap guard: malloc(24) where the heap is forbidden", and calls abort(3); the debugger or the core file has the rest.
//
//   heap_guard::Forbidden no_heap;   // in a test: for this thread, until the end of the scope
//   loop.turn();
//
// In plain builds it takes the place of glibc's functions and passes on to __libc_malloc and its brothers; under AddressSanitizer it uses
// that one's hooks. Without glibc nothing is watched (heap_guard_off.cpp).
#pragma once

#include <cstdint>

namespace pollux::heap_guard {

// Forbids the heap to the whole program, all threads, until stop(). apps/support calls it once an app is listening, through the
// weak symbols pollux_heap_guard_start and pollux_heap_guard_stop.
void start() noexcept;
void stop() noexcept;

// How often this thread has used the heap so far, allowed or not. free(nullptr) does not count.
[[nodiscard]] std::uint64_t calls() noexcept;

// What holds for one thread: its innermost scope decides, and without one the program.
enum class Rule : std::uint8_t { as_program, forbidden, allowed };

template <Rule rule>
class Scope {
 public:
  Scope() noexcept;
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Rule before_;
};

// Forbids the heap to this thread while it exists.
using Forbidden = Scope<Rule::forbidden>;
// Allows it again, whatever is around: for a test's own bookkeeping inside a forbidden place.
using Allowed = Scope<Rule::allowed>;

extern template class Scope<Rule::forbidden>;
extern template class Scope<Rule::allowed>;

}  // namespace pollux::heap_guard
