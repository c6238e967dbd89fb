// A loop on a simulated machine, and a driver that writes down what it is asked.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "port/sim/sim_port.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/stream.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {

using namespace std::chrono_literals;

struct LoopSite {
  port::SimNetwork network{};
  port::SimPort port{network};
  net::LoopStorage<4> storage{};
  net::Loop loop{port, storage.memory()};

  // One turn; the clock does not move further than `duration`.
  void turn(port::Duration duration = 0ms) {
    network.set_horizon(network.now() + duration);
    const heap_guard::Forbidden no_heap;
    loop.turn();
  }
  // Turns until `duration` has passed.
  void run_for(port::Duration duration) {
    const port::Time end = network.now() + duration;
    for (int i = 0; i < 10000 && network.now() < end; ++i) {
      turn(end - network.now());
    }
    EXPECT_GE(network.now(), end) << "the loop spins";
  }
};

// Letters in the order in which things happened.
struct Diary {
  std::array<char, 128> letters{};
  std::size_t count = 0;
  void note(char letter) {
    if (count < letters.size()) {
      letters[count++] = letter;
    }
  }
  [[nodiscard]] std::string_view text() const { return {letters.data(), count}; }
  void clear() { count = 0; }
};

}  // namespace pollux::test
