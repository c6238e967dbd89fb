#include "stack/wire/scan.hpp"

#include <gtest/gtest.h>

#include <cctype>

#include <memory>
#include <string>

#include "tests/support/emulated.hpp"

namespace pollux::wire::scan {
namespace {

struct Scanner {
  const char* name;
  std::size_t (*wide)(std::string_view, std::size_t);
  std::size_t (*by_word)(std::string_view, std::size_t);
  std::size_t (*plain)(std::string_view, std::size_t);
  std::string_view fillers;  // bytes that do not stop it
};

const Scanner scanners[] = {
    {"line_feed", line_feed, word::line_feed, portable::line_feed, "a\r"},
    {"token_end", token_end, word::token_end, portable::token_end, "aZ-_9~"},
    {"target_end", target_end, word::target_end, portable::target_end, "a/~!"},
    {"value_end", value_end, word::value_end, portable::value_end, "a \t\xff"},
};

// A text of its exact size on the heap, so that AddressSanitizer sees a read behind it, at a chosen alignment.
class PlacedText {
 public:
  PlacedText(std::size_t offset, std::size_t size, char filler)
      : memory_{new char[offset + size]}, text_{memory_.get() + offset}, size_{size} {
    std::memset(memory_.get(), '\n', offset);  // would stop every scan if it were looked at
    std::memset(text_, filler, size);
  }
  char& operator[](std::size_t at) { return text_[at]; }
  [[nodiscard]] std::string_view view() const { return {text_, size_}; }

 private:
  std::unique_ptr<char[]> memory_;
  char* text_;
  std::size_t size_;
};

TEST(Scan, ThePlainDefinitionStopsAtExactlyTheBytesOfTheRfcs) {
  for (unsigned c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const std::string_view text{&byte, 1};
    const bool is_alphanumeric = c < 0x80 && std::isalnum(static_cast<int>(c)) != 0;
    const bool is_token =
        is_alphanumeric || (c != 0 && std::string_view{"!#$%&'*+-.^_`|~"}.find(byte) != std::string_view::npos);
    EXPECT_EQ(portable::line_feed(text, 0), c == '\n' ? 0U : 1U) << c;
    EXPECT_EQ(portable::token_end(text, 0), is_token ? 1U : 0U) << c;
    EXPECT_EQ(portable::target_end(text, 0), c >= 0x21 && c <= 0x7e ? 1U : 0U) << c;
    EXPECT_EQ(portable::value_end(text, 0), c == '\t' || (c >= 0x20 && c != 0x7f) ? 1U : 0U) << c;
  }
}

TEST(Scan, EveryByteAtEveryPositionOfEveryLengthStopsAllThreeAtTheSamePlace) {
  for (const Scanner& scanner : scanners) {
    for (std::size_t size = 0; size <= 80; size += pollux::test::is_emulated && size > 40 ? 7 : 1) {
      PlacedText text{0, size, scanner.fillers[0]};
      ASSERT_EQ(scanner.wide(text.view(), 0), size) << scanner.name;
      ASSERT_EQ(scanner.by_word(text.view(), 0), size) << scanner.name;
      for (std::size_t at = 0; at < size; ++at) {
        // All bytes at the lengths around whole vectors, every eleventh at the others: all of them take 12 s
        // unoptimised.
        const unsigned step = size % 16 < 3 ? 1 : 11;
        for (unsigned c = size % step; c < 256; c += step) {
          text[at] = static_cast<char>(c);
          const std::size_t expected = scanner.plain(text.view(), 0);
          ASSERT_EQ(scanner.wide(text.view(), 0), expected)
              << scanner.name << " size " << size << " at " << at << " byte " << c;
          ASSERT_EQ(scanner.by_word(text.view(), 0), expected)
              << scanner.name << " size " << size << " at " << at << " byte " << c;
        }
        text[at] = scanner.fillers[0];
      }
    }
  }
}

TEST(Scan, EveryAlignmentLengthFillerAndStartAgree) {
  for (const Scanner& scanner : scanners) {
    for (const char filler : scanner.fillers) {
      for (std::size_t offset = 0; offset < 16; ++offset) {
        for (std::size_t size = 0; size <= 80; size += pollux::test::stride) {
          PlacedText text{offset, size, filler};
          for (std::size_t start = 0; start <= size; start += 1 + start / 16) {
            ASSERT_EQ(scanner.wide(text.view(), start), size) << scanner.name << " " << offset << " " << start;
            ASSERT_EQ(scanner.by_word(text.view(), start), size) << scanner.name << " " << offset << " " << start;
          }
          if (size != 0) {
            text[size / 2] = '\n';
            for (std::size_t start = 0; start <= size; start += 1 + start / 16) {
              const std::size_t expected = start <= size / 2 ? size / 2 : size;
              ASSERT_EQ(scanner.wide(text.view(), start), expected) << scanner.name << " " << offset << " " << start;
              ASSERT_EQ(scanner.by_word(text.view(), start), expected) << scanner.name << " " << offset << " " << start;
              ASSERT_EQ(scanner.plain(text.view(), start), expected) << scanner.name << " " << offset << " " << start;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace pollux::wire::scan
