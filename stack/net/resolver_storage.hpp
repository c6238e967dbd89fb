// The memory of a resolver, as one constant-initialised object whose size the compiler knows.
//
//   constinit net::ResolverStorage<net::ResolverLimits{}> memory;
//   net::Resolver resolver{{.loop = loop, .memory = memory.memory()}};
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "stack/net/resolver.hpp"

namespace pollux::net {

// A name whose address the app fixed (Resolver::pin).
struct PinnedName {
  std::array<char, name_size_max> name{};  // in lower case
  std::uint8_t name_size = 0;
  std::uint16_t port = 0;  // 0: every port
  port::Address address{};
};

inline constexpr std::size_t pins_max = 16;

struct ResolverTables {
  std::array<PinnedName, pins_max> pins{};
  std::size_t pin_count = 0;
};

struct ResolverMemory {
  ResolverTables& tables;
};

// Limits that contradict each other do not compile.
template <ResolverLimits limits>
consteval void check_limits() {
  static_assert(limits.queries >= 1, "a resolver needs at least one query");
  static_assert(limits.queries <= 1024, "a resolver has at most 1024 queries");
}

template <ResolverLimits limits_>
struct ResolverStorage {
  static constexpr ResolverLimits limits = limits_;
  ResolverTables tables{};
  [[nodiscard]] ResolverMemory memory() noexcept {
    check_limits<limits_>();
    return {.tables = tables};
  }
};

}  // namespace pollux::net
