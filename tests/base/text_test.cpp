// The few functions on text, at their edges; all of them for the compiler too.

#include "stack/base/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace pollux::test {
namespace {

using base::Decimal;
using base::TextWriter;

static_assert(base::equal_ignoring_case("Content-Length", "cONTENT-lENGTH"));
static_assert(base::parse_decimal("18446744073709551615") == UINT64_MAX);
static_assert(Decimal{0}.view() == "0");

TEST(Text, KindsOfBytes) {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool is_digit = i >= '0' && i <= '9';
    const bool is_upper = i >= 'A' && i <= 'Z';
    const bool is_lower = i >= 'a' && i <= 'z';
    EXPECT_EQ(base::is_digit(c), is_digit) << i;
    EXPECT_EQ(base::is_alpha(c), is_upper || is_lower) << i;
    EXPECT_EQ(base::to_lower(c), is_upper ? static_cast<char>(i + 32) : c) << i;
    EXPECT_EQ(base::is_blank(c), i == ' ' || i == '\t') << i;
    const int hex = is_digit ? i - '0' : i >= 'a' && i <= 'f' ? i - 'a' + 10 : i >= 'A' && i <= 'F' ? i - 'A' + 10 : -1;
    EXPECT_EQ(base::hex_value(c), hex) << i;
  }
}

TEST(Text, EqualIgnoringTheCaseOfLettersOnly) {
  EXPECT_TRUE(base::equal_ignoring_case("", ""));
  EXPECT_TRUE(base::equal_ignoring_case("Keep-Alive", "keep-alive"));
  EXPECT_FALSE(base::equal_ignoring_case("a", "ab"));
  EXPECT_FALSE(base::equal_ignoring_case("[", "{")) << "these differ by the bit that letters differ by";
  EXPECT_FALSE(base::equal_ignoring_case("\xC4", "\xE4"));
}

TEST(Text, Trim) {
  for (const auto& [text, trimmed] : {std::pair<std::string_view, std::string_view>{"", ""},
                                      {" ", ""},
                                      {"\t \t", ""},
                                      {"a", "a"},
                                      {" a", "a"},
                                      {"a\t", "a"},
                                      {" a b ", "a b"},
                                      {"\na\n", "\na\n"}}) {
    EXPECT_EQ(base::trim(text), trimmed) << text;
  }
}

TEST(Text, ParseDecimal) {
  struct Row {
    std::string_view text;
    std::uint64_t max;
    std::optional<std::uint64_t> value;
  };
  for (const Row& row : {Row{"0", UINT64_MAX, 0},
                         Row{"007", UINT64_MAX, 7},
                         Row{"18446744073709551615", UINT64_MAX, UINT64_MAX},
                         Row{"18446744073709551616", UINT64_MAX, std::nullopt},
                         Row{"99999999999999999999", UINT64_MAX, std::nullopt},
                         Row{"9223372036854775807", INT64_MAX, INT64_MAX},
                         Row{"9223372036854775808", INT64_MAX, std::nullopt},
                         Row{"", 9, std::nullopt},
                         Row{"-1", 9, std::nullopt},
                         Row{"+1", 9, std::nullopt},
                         Row{" 1", 9, std::nullopt},
                         Row{"1 ", 9, std::nullopt},
                         Row{"0x1", 99, std::nullopt},
                         Row{"1a", 99, std::nullopt},
                         Row{"12", 12, 12},
                         Row{"13", 12, std::nullopt},
                         Row{"3", 3, 3},
                         Row{"4", 3, std::nullopt},
                         Row{"9", 0, std::nullopt},
                         Row{"0", 0, 0},
                         Row{"00", 0, 0}}) {
    EXPECT_EQ(base::parse_decimal(row.text, row.max), row.value) << row.text << " up to " << row.max;
  }
}

TEST(Text, DecimalIsReadBack) {
  for (std::uint64_t value = 1; value < UINT64_MAX / 7; value *= 7) {
    for (const std::uint64_t near : {value - 1, value, value + 1}) {
      EXPECT_EQ(Decimal{near}.view(), std::to_string(near));
      EXPECT_EQ(base::parse_decimal(Decimal{near}.view()), near);
    }
  }
  EXPECT_EQ(Decimal{UINT64_MAX}.view(), "18446744073709551615");
}

TEST(TextWriter, WritesNumbers) {
  std::array<char, 100> memory;
  TextWriter text{memory};
  text.put_decimal(42)
      .put(' ')
      .put_signed(-7)
      .put(' ')
      .put_signed(INT64_MIN)
      .put(' ')
      .put_hex(0)
      .put(' ')
      .put_hex(0xAB, 4)
      .put(' ');
  text.put_hex(UINT64_MAX);
  EXPECT_EQ(text.view(), "42 -7 -9223372036854775808 0 00ab ffffffffffffffff");
  EXPECT_FALSE(text.overflowed());
  EXPECT_EQ(text.size() + text.room(), memory.size());
}

TEST(TextWriter, DropsWholePiecesAndRemembers) {
  std::array<char, 5> memory;
  TextWriter text{memory};
  text.put("123").put("");
  EXPECT_FALSE(text.overflowed());
  text.put("456");
  EXPECT_TRUE(text.overflowed());
  EXPECT_EQ(text.view(), "123");
  text.put("45");
  EXPECT_EQ(text.view(), "12345");
  EXPECT_TRUE(text.overflowed()) << "once is for good";
  TextWriter none{std::span<char>{}};
  none.put("");
  EXPECT_FALSE(none.overflowed());
  none.put('x');
  EXPECT_TRUE(none.overflowed());
}

}  // namespace
}  // namespace pollux::test
