// Library: mbedTLS, set up once in a program: its memory, its randomness, its clock.
//
//   constinit tls::Arena<tls::arena_size(server_limits)> arena;
//   tls::Library library{port, arena.memory()};
//   if (auto ready = library.start(); !ready) { ... }
//
// mbedTLS keeps this in global variables, so there is at most one Library at a time (ENSURE); it must outlive every context and session.
// With our own build of mbedTLS every byte comes from the arena. The installed library takes the heap: then has_arena is false, the span is
// unused, and counts alone limit what is used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"
#include "port/result.hpp"
#include "stack/tls/error.hpp"

namespace pollux::tls {

template <std::size_t size>
struct Arena {
  alignas(16) std::array<std::byte, size> bytes{};
  [[nodiscard]] std::span<std::byte> memory() noexcept { return bytes; }
};

struct ArenaUse {
  std::size_t used = 0;  // bytes, the allocator's own headers included
  std::size_t used_max = 0;
  std::size_t size = 0;
  std::size_t blocks = 0;
};

class Library {
 public:
  Library(port::Port& port, std::span<std::byte> arena) noexcept;
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // Clears the arena, so that every page of it is touched: give no more than is needed.
  // Errors: no_memory, no_random. Calling it again does nothing.
  [[nodiscard]] port::Result<void, Error> start() noexcept;
  [[nodiscard]] bool is_started() const noexcept { return started_; }

  [[nodiscard]] static bool has_arena() noexcept;
  [[nodiscard]] static bool has_tls13() noexcept;
  [[nodiscard]] static std::string_view version() noexcept;  // "Mbed TLS 3.6.6"
  [[nodiscard]] ArenaUse arena_use() const noexcept;         // all zero without an arena
  void reset_arena_used_max() noexcept;
  // Sets `size` bytes of what is free aside for what a context will take later; false: they are not there. Always true without an arena.
  // A context asks once, at its start, for all its sessions and handshakes: none of them can find the arena full afterwards.
  [[nodiscard]] bool promise(std::size_t size) noexcept;
  void take_back_promise(std::size_t size) noexcept { promised_ -= size; }

  [[nodiscard]] port::Port& port() const noexcept { return port_; }
  // The day this program was built (CMake's configure time, or SOURCE_DATE_EPOCH): no true clock stands before it.
  [[nodiscard]] static port::WallTime build_time() noexcept;
  // A floor for tests and for apps that know better (a file's date, say); the default is build_time().
  void set_clock_floor(port::WallTime floor) noexcept { clock_floor_ = floor; }
  [[nodiscard]] bool is_clock_set() const noexcept;
  // Unpredictable bytes, from mbedTLS's generator, which the port seeds.
  void random(std::span<std::byte> out) noexcept;
  // For mbedTLS's f_rng parameters: tls::random_for_mbedtls and library.random_context().
  [[nodiscard]] void* random_context() noexcept { return random_; }

 private:
  [[nodiscard]] Error set_up() noexcept;
  void stop() noexcept;

  port::Port& port_;
  std::span<std::byte> arena_;
  port::WallTime clock_floor_;
  void* random_ = nullptr;  // mbedtls_ctr_drbg_context, in the arena
  std::size_t promised_ = 0;
  bool started_ = false;
};

// mbedTLS's f_rng; `context` is Library::random_context(). 0, or mbedTLS's error. (Declared with plain types: no mbedTLS here.)
int random_for_mbedtls(void* context, unsigned char* out, std::size_t size) noexcept;
// Whether there is a Library that was started.
[[nodiscard]] bool is_library_started() noexcept;

}  // namespace pollux::tls
