// Whose memory mbedTLS takes: a program's arena, or, for the raw ends of a test, the heap; and what happens when the arena has none.
//
// mbedTLS has one allocator for all. The raw ends (tls_peer.hpp) live in the same program as the sessions under test and would blur what is
// measured there, so their memory is kept apart: programs that link pollux_tls_peer have mbedtls_calloc and mbedtls_free wrapped by the linker.
//
//   {
//     const tls_memory::Outside outside;   // what mbedTLS takes in this scope comes from the heap
//     mbedtls_ssl_init(...);
//   }
//   tls_memory::fail(3);                   // the third allocation from the arena, counted from now on, fails
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux::test::tls_memory {

class Outside {
 public:
  Outside() noexcept;
  ~Outside();
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
};

// Of the allocations from the arena from now on, counted from 1, the n-th fails; `and_later`: all after it too. 0: none.
void fail(std::uint64_t first, bool and_later = false) noexcept;
// Since fail() was called last: allocations from the arena, and how many of them were made to fail.
[[nodiscard]] std::uint64_t allocations() noexcept;
[[nodiscard]] std::uint64_t failures() noexcept;
// Frees every block of the arena that was taken after the first `taken` ones and is still held: what mbedTLS has lost. Returns how many.
std::uint64_t free_lost(std::uint64_t taken) noexcept;
[[nodiscard]] std::uint64_t taken() noexcept;  // blocks ever taken from the arena
// A block of the arena in the hands of a test; nullptr: it has none.
[[nodiscard]] void* take(std::size_t size) noexcept;
void give(void* block) noexcept;
// Blocks that the program holds in its arena, and that raw ends hold.
[[nodiscard]] std::uint64_t blocks_inside() noexcept;
[[nodiscard]] std::uint64_t blocks_outside() noexcept;

}  // namespace pollux::test::tls_memory
