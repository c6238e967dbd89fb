// Buffer: bytes come at the end, go at the front, and move only when asked to.

#include "stack/base/buffer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace pollux::test {
namespace {

using base::Buffer;

TEST(Buffer, TakesWhatFits) {
  std::array<char, 8> memory{};
  Buffer buffer{memory};
  EXPECT_TRUE(buffer.is_empty());
  EXPECT_EQ(buffer.capacity(), 8U);
  EXPECT_EQ(buffer.append("12345"), 5U);
  EXPECT_EQ(buffer.append(""), 0U);
  EXPECT_EQ(buffer.append("6789"), 3U);
  EXPECT_EQ(buffer.append("x"), 0U);
  EXPECT_EQ(buffer.data(), "12345678");
  EXPECT_TRUE(buffer.room().empty());
}

TEST(Buffer, MovesOnlyWhenAsked) {
  std::array<char, 8> memory{};
  Buffer buffer{memory};
  buffer.append("12345678");
  buffer.consume(3);
  EXPECT_EQ(buffer.data(), "45678");
  EXPECT_EQ(buffer.gone(), 3U);
  EXPECT_TRUE(buffer.room().empty());
  const char* before = buffer.data().data();
  buffer.compact();
  EXPECT_EQ(buffer.data(), "45678");
  EXPECT_EQ(before - buffer.data().data(), 3);
  EXPECT_EQ(buffer.room().size(), 3U);
  EXPECT_EQ(buffer.gone(), 0U);
}

TEST(Buffer, AnEmptiedOneStartsAtItsFront) {
  std::array<char, 8> memory{};
  Buffer buffer{memory};
  buffer.append("1234");
  buffer.consume(4);
  EXPECT_EQ(buffer.gone(), 0U);
  EXPECT_EQ(buffer.room().size(), 8U);
  buffer.append("1234");
  buffer.consume(2);
  buffer.clear();
  EXPECT_EQ(buffer.room().size(), 8U);
}

TEST(Buffer, ProducesAndTakesBack) {
  std::array<char, 8> memory{};
  Buffer buffer{memory};
  buffer.room()[0] = 'a';
  buffer.room()[1] = 'b';
  buffer.produced(2);
  buffer.unproduce(1);
  EXPECT_EQ(buffer.data(), "a");
  buffer.mutable_data()[0] = 'c';
  EXPECT_EQ(buffer.data(), "c");
}

TEST(Buffer, FollowsAModel) {
  std::array<char, 13> memory{};
  Buffer buffer{memory};
  std::string model;
  std::uint64_t state = 7;
  for (int i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto size = static_cast<std::size_t>(state >> 40) % 9;
    switch (state >> 61) {
      case 0:
        buffer.compact();
        break;
      case 1:
      case 2:
      case 3: {
        const std::size_t count = std::min(size, model.size());
        buffer.consume(count);
        model.erase(0, count);
        break;
      }
      default: {
        const std::string text(size, static_cast<char>('a' + i % 26));
        model += text.substr(0, buffer.append(text));
        break;
      }
    }
    ASSERT_EQ(buffer.data(), model);
    ASSERT_EQ(buffer.gone() + buffer.size() + buffer.room().size(), buffer.capacity());
  }
}

TEST(BufferDeathTest, MoreThanThereIsStopsTheProgram) {
  std::array<char, 4> memory{};
  Buffer buffer{memory};
  buffer.append("12");
  EXPECT_DEATH(buffer.consume(3), "ENSURE");
  EXPECT_DEATH(buffer.unproduce(3), "ENSURE");
  EXPECT_DEATH(buffer.produced(3), "ENSURE");
}

}  // namespace
}  // namespace pollux::test
