// The guard itself: what it forbids, what it lets pass, and that its message names the call.
#include "tests/support/heap_guard.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <thread>

#include "port/linux/linux_port.hpp"
#include "stack/net/loop.hpp"

extern "C" {
[[gnu::weak]] void pollux_heap_guard_start() noexcept;
[[gnu::weak]] void pollux_heap_guard_stop() noexcept;
}

namespace pollux {
namespace {

// Keeps the compiler from removing an allocation nobody looks at.
void* volatile sink = nullptr;

void allocate_and_free() {
  sink = std::malloc(24);
  std::free(sink);
}

struct HeapUse {
  const char* name;
  void (*use)();
};
const HeapUse heap_uses[] = {
    {"malloc", [] { sink = std::malloc(24); }},
    {"calloc", [] { sink = std::calloc(2, 12); }},
    {"realloc", [] { sink = std::realloc(nullptr, 24); }},
    {"aligned_alloc", [] { sink = ::aligned_alloc(64, 128); }},
    {"posix_memalign",
     [] {
       void* pointer = nullptr;
       sink = ::posix_memalign(&pointer, 64, 128) == 0 ? pointer : nullptr;
     }},
    {"operator new", [] { sink = ::operator new(24); }},
    {"operator new, aligned", [] { sink = ::operator new (64, std::align_val_t{64}); }},
    {"string", [] { sink = std::make_unique<std::string>(100, 'x')->data(); }},
};

TEST(HeapGuardDeathTest, StopsEveryUseInAForbiddenScope) {
  for (const HeapUse& heap_use : heap_uses) {
    SCOPED_TRACE(heap_use.name);
    EXPECT_DEATH(
        {
          heap_guard::Forbidden no_heap;
          heap_use.use();
        },
        "heap guard: [a-z_]+\\([0-9]+\\) where the heap is forbidden");
  }
}

TEST(HeapGuardDeathTest, StopsFree) {
  sink = std::malloc(24);
  EXPECT_DEATH(
      {
        heap_guard::Forbidden no_heap;
        std::free(sink);
      },
      "heap guard: free");
  std::free(sink);
}

TEST(HeapGuardDeathTest, StartForbidsTheHeapToTheWholeProgram) {
  EXPECT_DEATH(
      {
        heap_guard::start();
        allocate_and_free();
      },
      "heap guard: malloc\\(24\\)");
}

TEST(HeapGuardDeathTest, AppsReachItThroughTheWeakSymbols) {
  ASSERT_NE(pollux_heap_guard_start, nullptr);
  ASSERT_NE(pollux_heap_guard_stop, nullptr);
  EXPECT_DEATH(
      {
        pollux_heap_guard_start();
        allocate_and_free();
      },
      "heap guard: malloc\\(24\\)");
}

TEST(HeapGuard, StopAllowsTheHeapAgain) {
  heap_guard::start();
  heap_guard::stop();
  allocate_and_free();
}

TEST(HeapGuard, LetsFreeOfNothingPass) {
  heap_guard::Forbidden no_heap;
  std::free(nullptr);
}

TEST(HeapGuard, TheInnermostScopeDecides) {
  heap_guard::Forbidden no_heap;
  {
    heap_guard::Allowed heap;
    allocate_and_free();
    {
      heap_guard::Forbidden no_heap_again;
      heap_guard::Allowed heap_again;
      allocate_and_free();
    }
    allocate_and_free();
  }
}

TEST(HeapGuardDeathTest, TheEndOfAnAllowedScopeForbidsAgain) {
  EXPECT_DEATH(
      {
        heap_guard::Forbidden no_heap;
        { heap_guard::Allowed heap; }
        allocate_and_free();
      },
      "heap guard: malloc\\(24\\)");
}

TEST(HeapGuard, AForbiddenScopeIsForItsThreadOnly) {
  std::thread other{[] {}};
  other.join();
  std::thread worker;
  {
    worker = std::thread{[] { allocate_and_free(); }};
    heap_guard::Forbidden no_heap;
    worker.join();
  }
}

TEST(HeapGuard, CountsTheCallsOfThisThread) {
  const std::uint64_t before = heap_guard::calls();
  allocate_and_free();
  EXPECT_EQ(heap_guard::calls(), before + 2);
}

TEST(HeapGuard, ALoopTurnsWithoutTheHeap) {
  static constinit net::LoopStorage<1> storage{};
  port::LinuxPort port;
  net::Loop loop{port, storage.memory()};
  heap_guard::Forbidden no_heap;
  loop.turn(port.now());
}

}  // namespace
}  // namespace pollux
