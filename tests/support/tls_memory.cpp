#include "tests/support/tls_memory.hpp"

#include <cstdlib>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/support/heap_guard.hpp"

extern "C" {
void* __real_mbedtls_calloc(std::size_t count, std::size_t size);
void __real_mbedtls_free(void* block);
void* __wrap_mbedtls_calloc(std::size_t count, std::size_t size);
void __wrap_mbedtls_free(void* block);
}

namespace pollux::test::tls_memory {
namespace {

int outside_depth = 0;
std::uint64_t first_failure = 0;
bool later_fail_too = false;
std::uint64_t counted = 0;
std::uint64_t failed = 0;
std::uint64_t taken_inside = 0;

// Never destroyed: mbedTLS's objects may outlive everything else.
std::unordered_set<void*>& blocks() {
  static auto& set = *new std::unordered_set<void*>;
  return set;
}

// Of the arena, and as the how manieth each was taken.
std::unordered_map<void*, std::uint64_t>& inside() {
  static auto& map = *new std::unordered_map<void*, std::uint64_t>;
  return map;
}

void* take_inside(std::size_t count, std::size_t size) {
  void* const block = __real_mbedtls_calloc(count, size);
  if (block != nullptr) {
    const heap_guard::Allowed for_the_books;
    inside().emplace(block, ++taken_inside);
  }
  return block;
}

void free_inside(void* block) {
  {
    const heap_guard::Allowed for_the_books;
    inside().erase(block);
  }
  __real_mbedtls_free(block);
}

bool fails() noexcept {
  ++counted;
  if (first_failure == 0 || counted < first_failure || (counted > first_failure && !later_fail_too)) {
    return false;
  }
  ++failed;
  return true;
}

}  // namespace

Outside::Outside() noexcept {
  ++outside_depth;
}
Outside::~Outside() {
  --outside_depth;
}

void fail(std::uint64_t first, bool and_later) noexcept {
  first_failure = first;
  later_fail_too = and_later;
  counted = failed = 0;
}
std::uint64_t allocations() noexcept {
  return counted;
}
std::uint64_t failures() noexcept {
  return failed;
}
std::uint64_t blocks_inside() noexcept {
  return inside().size();
}
std::uint64_t taken() noexcept {
  return taken_inside;
}
std::uint64_t free_lost(std::uint64_t taken) noexcept {
  std::vector<void*> lost;
  for (const auto& [block, number] : inside()) {
    if (number > taken) {
      lost.push_back(block);
    }
  }
  for (void* const block : lost) {
    free_inside(block);
  }
  return lost.size();
}
void* take(std::size_t size) noexcept {
  return take_inside(1, size);
}
void give(void* block) noexcept {
  free_inside(block);
}
std::uint64_t blocks_outside() noexcept {
  return blocks().size();
}

}  // namespace pollux::test::tls_memory

using namespace pollux::test::tls_memory;

void* __wrap_mbedtls_calloc(std::size_t count, std::size_t size) {
  if (outside_depth == 0) {
    return fails() ? nullptr : take_inside(count, size);
  }
  const pollux::heap_guard::Allowed for_the_raw_end;
  void* const block = std::calloc(count, size);
  if (block != nullptr) {
    blocks().insert(block);
  }
  return block;
}

void __wrap_mbedtls_free(void* block) {
  if (block == nullptr) {
    return;
  }
  if (blocks().contains(block)) {
    const pollux::heap_guard::Allowed for_the_raw_end;
    blocks().erase(block);
    std::free(block);
    return;
  }
  free_inside(block);
}
