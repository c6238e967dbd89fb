// SimRandom: the simulator's only source of chance, so that a seed repeats a whole run, on every processor and library.
//
// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): one word of state, every seed
// is good. std::random distributions differ between libraries and are not used. Not for secrets.
#pragma once

#include <cstdint>

#include "port/ensure.hpp"

namespace pollux::port {

class SimRandom {
 public:
  explicit constexpr SimRandom(std::uint64_t seed) noexcept : state_{seed} {}

  constexpr std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
  }
  // 0 .. limit - 1. The bias of the remainder is below limit / 2^64.
  constexpr std::uint64_t below(std::uint64_t limit) noexcept {
    ENSURE(limit != 0);
    return next() % limit;
  }
  // low .. high, both included; a fixed value draws nothing, so that switching one feature on does not move the others.
  constexpr std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return high <= low ? low : low + next() % (high - low + 1);
  }
  // True with the given probability (0 .. 1); 0 and 1 draw nothing.
  constexpr bool chance(double probability) noexcept {
    if (probability <= 0.0) {
      return false;
    }
    return probability >= 1.0 || static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
  }

 private:
  std::uint64_t state_;
};

}  // namespace pollux::port
