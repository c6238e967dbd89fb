// What GCC's headers ask of the C++ run-time library, for programs that are linked without it (POLLUX_WITHOUT_CXX_RUNTIME). In an archive, so that a
// program gets only what it asks for.
#include <cstddef>
#include <cstdlib>

#include "port/ensure.hpp"

// std::string_view::substr() with a place behind the end: nothing here does that, but the compiler does not always see it.
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char*, ...) {
  pollux::port::ensure_failed(__FILE__, __LINE__, "the place is inside the text");
}
}  // namespace std

// RapidJSON makes its small allocator with new, once, when it is not given one.
void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  ENSURE(memory != nullptr);
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
