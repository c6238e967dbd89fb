// Helpers for the tests of stack/wire's value parsers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "port/result.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::wire {

// Memory of an exact size, on the heap so that AddressSanitizer sees the first byte beyond it.
class Memory {
 public:
  explicit Memory(std::size_t size) : bytes_(size) {}
  [[nodiscard]] std::span<char> span() { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

// A copy of `text` on the heap, exactly as long as it is.
class Copy {
 public:
  explicit Copy(std::string_view text) : bytes_(text.begin(), text.end()) {}
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }
  [[nodiscard]] std::span<char> span() { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

// Holds write(std::span<char>) to the promise of all writers: the text `want` with exactly enough and with more memory,
// `too_small` with one byte less.
template <typename E, typename Write>
void expect_written(std::string_view want, E too_small, Write&& write) {
  for (const std::size_t room : {want.size(), want.size() + 1, want.size() + 100}) {
    Memory memory{room};
    const auto written = write(memory.span());
    ASSERT_TRUE(written) << want << ", room for " << room << ", error " << static_cast<int>(written.error());
    EXPECT_EQ(*written, want);
    if (!want.empty()) {
      EXPECT_GE(written->data(), memory.span().data());
      EXPECT_LE(written->data() + written->size(), memory.span().data() + room);
    }
  }
  if (!want.empty()) {
    Memory memory{want.size() - 1};
    const auto written = write(memory.span());
    ASSERT_FALSE(written) << want;
    EXPECT_EQ(static_cast<int>(written.error()), static_cast<int>(too_small)) << want;
  }
}

// Random texts; the seed is printed with each failure through SCOPED_TRACE by those who use it.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_{seed} {}
  [[nodiscard]] std::size_t below(std::size_t bound) { return engine_() % bound; }
  [[nodiscard]] std::string bytes(std::size_t size_max) {
    std::string text(below(size_max + 1), '\0');
    std::generate(text.begin(), text.end(), [this] { return static_cast<char>(engine_() & 0xff); });
    return text;
  }
  [[nodiscard]] std::string text_of(std::string_view alphabet, std::size_t size_max) {
    std::string text(below(size_max + 1), '\0');
    std::generate(text.begin(), text.end(), [&] { return alphabet[below(alphabet.size())]; });
    return text;
  }

 private:
  std::mt19937 engine_;
};

inline constexpr std::uint32_t test_seed = 20240607;

}  // namespace pollux::wire
