#include "tests/support/heap_guard.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "stack/base/text.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define POLLUX_GUARD_HOOKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POLLUX_GUARD_HOOKS 1
#endif
#endif
#ifdef POLLUX_GUARD_HOOKS
// Of <sanitizer/allocator_interface.h>, which GCC 12 on Debian does not bring.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*, std::size_t),
                                                         void (*free_hook)(const volatile void*));
#endif

namespace pollux::heap_guard {

namespace {

std::atomic<bool> started{false};

struct ThreadState {
  std::uint64_t calls = 0;
  Rule rule = Rule::as_program;
};
// Constant-initialised and without a destructor, so that it is there for the first malloc of the process and for the last.
constinit thread_local ThreadState thread{};

bool is_forbidden() noexcept {
  switch (thread.rule) {
    case Rule::as_program:
      return started.load(std::memory_order_relaxed);
    case Rule::forbidden:
      return true;
    case Rule::allowed:
      return false;
  }
  return false;
}

// Every use of the heap comes by here before anything is done. `size` is 0 for a free.
void check(const char* function, std::size_t size) noexcept {
  ++thread.calls;
  if (!is_forbidden()) {
    return;
  }
  thread.rule = Rule::allowed;  // what abort() sets off may use the heap
  std::array<char, 128> buffer{};
  base::TextWriter line{buffer};
  line.put("heap guard: ").put(function).put('(').put_decimal(size).put(") where the heap is forbidden\n");
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.view().data(), line.size());
  std::abort();
}

#ifdef POLLUX_GUARD_HOOKS

void after_allocation(const volatile void*, std::size_t size) {
  check("malloc", size);
}
void before_free(const volatile void* pointer) {
  if (pointer != nullptr) {
    check("free", 0);
  }
}

// Before main() and before the constructors of other files' objects.
[[gnu::constructor(101)]] void install_hooks() {
  if (__sanitizer_install_malloc_and_free_hooks(after_allocation, before_free) == 0) {
    std::abort();
  }
}

#endif

}  // namespace

void start() noexcept {
  started.store(true, std::memory_order_relaxed);
}
void stop() noexcept {
  started.store(false, std::memory_order_relaxed);
}
std::uint64_t calls() noexcept {
  return thread.calls;
}

template <Rule rule>
Scope<rule>::Scope() noexcept : before_{thread.rule} {
  thread.rule = rule;
}
template <Rule rule>
Scope<rule>::~Scope() {
  thread.rule = before_;
}
template class Scope<Rule::forbidden>;
template class Scope<Rule::allowed>;

}  // namespace pollux::heap_guard

extern "C" {

void pollux_heap_guard_start() noexcept {
  pollux::heap_guard::start();
}
void pollux_heap_guard_stop() noexcept {
  pollux::heap_guard::stop();
}

#ifndef POLLUX_GUARD_HOOKS

// glibc's own, behind the names that are replaced here (malloc(3), "replacing malloc" in the glibc manual).
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* pointer, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;
void __libc_free(void* pointer) noexcept;

void* malloc(std::size_t size) noexcept {
  pollux::heap_guard::check("malloc", size);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  pollux::heap_guard::check("calloc", count * size);
  return __libc_calloc(count, size);
}
void* realloc(void* pointer, std::size_t size) noexcept {
  pollux::heap_guard::check("realloc", size);
  return __libc_realloc(pointer, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  pollux::heap_guard::check("memalign", size);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  pollux::heap_guard::check("aligned_alloc", size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  pollux::heap_guard::check("posix_memalign", size);
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) {
    return EINVAL;
  }
  void* pointer = __libc_memalign(alignment, size);
  if (pointer == nullptr) {
    return ENOMEM;
  }
  *out = pointer;
  return 0;
}
void free(void* pointer) noexcept {
  if (pointer != nullptr) {
    pollux::heap_guard::check("free", 0);
    __libc_free(pointer);
  }
}

#endif

}  // extern "C"
