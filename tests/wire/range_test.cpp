#include "stack/wire/range.hpp"

#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

// "whole", "416", "malformed", or the ranges as "first+size".
std::string described(std::string_view field, std::uint64_t size) {
  const Copy copy{field};
  const Ranges ranges = parse_range(copy.view(), size);
  switch (ranges.status) {
    case RangeStatus::whole:
      return "whole";
    case RangeStatus::not_satisfiable:
      return "416";
    case RangeStatus::malformed:
      return "malformed";
    case RangeStatus::ranges:
      break;
  }
  std::string text;
  for (std::size_t i = 0; i < ranges.count; ++i) {
    text += (i == 0 ? "" : " ") + std::to_string(ranges.items[i].first) + "+" + std::to_string(ranges.items[i].size);
  }
  return text;
}

TEST(Range, AgainstTenBytes) {
  struct Row {
    std::string_view field;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"", "whole"},
           Row{"bytes=0-4", "0+5"},
           Row{"bytes=5-", "5+5"},
           Row{"bytes=-30", "0+10"},
           Row{"bytes=-10", "0+10"},
           Row{"bytes=-9", "1+9"},
           Row{"bytes=-1", "9+1"},
           Row{"bytes=-0", "416"},
           Row{"bytes=9-9", "9+1"},
           Row{"bytes=9-100", "9+1"},
           Row{"bytes=0-9", "0+10"},
           Row{"bytes=0-10", "0+10"},
           Row{"bytes=10-20", "416"},
           Row{"bytes=10-", "416"},
           Row{"bytes=a-b", "malformed"},
           Row{"bytes=--6", "malformed"},
           Row{"bytes=0", "malformed"},
           Row{"bytes=-", "malformed"},
           Row{"bytes=4-3", "malformed"},
           Row{"bytes=0-4-5", "malformed"},
           Row{"bytes=+1-4", "malformed"},
           Row{"bytes=0x1-4", "malformed"},
           Row{"bytes", "malformed"},
           Row{"0-4", "malformed"},
           Row{"=0-4", "malformed"},
           Row{"by tes=0-4", "malformed"},
           Row{" bytes=0-4", "malformed"},
           Row{"Bytes=0-4", "0+5"},    // units have no case (RFC 9110 section 14.1)
           Row{"items=0-4", "whole"},  // an unknown unit MUST be ignored (RFC 9110 section 14.2)
           Row{"items=whatever", "whole"},
           Row{"bytes= 0 - 4 ", "0+5"},
           Row{"bytes=0-1,20-30", "0+2"},
           Row{"bytes=20-30,0-1", "0+2"},
           Row{"bytes=20-30,40-", "416"},
           Row{"bytes=0-1,x", "malformed"},
           Row{"bytes=20-30,x", "malformed"},
           Row{"bytes=0-1, ,3-4,", "0+2 3+2"},
           Row{"bytes=", "whole"},
           Row{"bytes=,", "whole"},
           Row{"bytes=0-4, -2", "0+5 8+2"},
           Row{"bytes=0-5,2-9", "whole"},    // 14 bytes of 10
           Row{"bytes=0-4,5-9", "0+5 5+5"},  // exactly 10
           Row{"bytes=0-4,4-9", "whole"},    // 11
           Row{"bytes=0-9,0-9,x", "malformed"},
           Row{"bytes=0-0,0-0,0-0", "0+1 0+1 0+1"},  // two overlap an earlier one
           Row{"bytes=0-0,0-0,0-0,0-0", "whole"},    // three do
           Row{"bytes=0-1,2-3,4-5,6-7", "0+2 2+2 4+2 6+2"},
           Row{"bytes=0-18446744073709551615", "0+10"},
           Row{"bytes=0-99999999999999999999", "0+10"},
           Row{"bytes=99999999999999999999-", "416"},
           Row{"bytes=-99999999999999999999", "0+10"},
       }) {
    EXPECT_EQ(described(row.field, 10), row.want) << row.field;
  }
}

TEST(Range, OfAnEmptyFileIsTheWholeFile) {
  EXPECT_EQ(described("bytes=0-4", 0), "whole");
  EXPECT_EQ(described("bytes=0-", 0), "whole");
  EXPECT_EQ(described("bytes=-5", 0), "whole");
  EXPECT_EQ(described("bytes=a-b", 0), "malformed");
}

TEST(Range, TakesAsManyAsFit) {
  std::string field = "bytes=0-0";
  for (std::size_t i = 1; i < ranges_max; ++i) {
    field += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  }
  EXPECT_EQ(parse_range(field, 1000).count, ranges_max);
  EXPECT_EQ(described(field + ",500-500", 1000), "whole");
  EXPECT_EQ(described(field + ",5000-", 1000), described(field, 1000)) << "one behind the end takes no place";
}

TEST(Range, TakesTheLargestSizes) {
  EXPECT_EQ(described("bytes=-1", UINT64_MAX), std::to_string(UINT64_MAX - 1) + "+1");
  EXPECT_EQ(described("bytes=0-18446744073709551614", UINT64_MAX), "0+18446744073709551615");
  EXPECT_EQ(described("bytes=1-,0-", UINT64_MAX), "whole") << "the sum would not fit 64 bits";
}

TEST(Range, AppliesToGetOnly) {
  EXPECT_TRUE(range_applies_to("GET"));
  for (const std::string_view method : {"HEAD"sv, "POST"sv, "get"sv, ""sv}) {
    EXPECT_FALSE(range_applies_to(method)) << method;
  }
}

TEST(Range, StaysWithinTheContentOnRandomFields) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(20'000); ++i) {
    const std::string field = "bytes=" + random.text_of("0123-,,- ", 24);
    const std::uint64_t size = random.below(40);
    const Ranges ranges = parse_range(field, size);
    EXPECT_EQ(ranges.status == RangeStatus::ranges, ranges.count != 0) << field;
    std::uint64_t sum = 0;
    for (std::size_t j = 0; j < ranges.count; ++j) {
      EXPECT_GE(ranges.items[j].size, 1U) << field;
      EXPECT_LE(ranges.items[j].first + ranges.items[j].size, size) << field;
      sum += ranges.items[j].size;
    }
    EXPECT_LE(sum, size) << field;
  }
}

TEST(ContentRange, IsWritten) {
  expect_written("bytes 0-4/10", ContentRangeError::out_too_small,
                 [](std::span<char> out) { return write_content_range({.first = 0, .size = 5}, 10, out); });
  expect_written("bytes 9-9/10", ContentRangeError::out_too_small,
                 [](std::span<char> out) { return write_content_range({.first = 9, .size = 1}, 10, out); });
  expect_written("bytes */10", ContentRangeError::out_too_small,
                 [](std::span<char> out) { return write_unsatisfied_range(10, out); });
  constexpr std::uint64_t large = 10'000'000'000'000'000'000U;
  expect_written(
      "bytes 10000000000000000000-10000000000000000009/18446744073709551615", ContentRangeError::out_too_small,
      [](std::span<char> out) { return write_content_range({.first = large, .size = 10}, UINT64_MAX, out); });
  EXPECT_EQ("bytes 10000000000000000000-10000000000000000009/18446744073709551615"sv.size(), content_range_size_max);
}

TEST(ContentRange, IsRead) {
  const auto part = parse_content_range("bytes 2-4/10");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->range, (ByteRange{.first = 2, .size = 3}));
  EXPECT_EQ(part->size, 10U);
  EXPECT_EQ(parse_content_range("Bytes 2-4/*")->size, std::nullopt);
  EXPECT_EQ(parse_content_range("bytes 2-9/10")->range->size, 8U);
  EXPECT_EQ(parse_content_range("bytes */10")->range, std::nullopt);
  EXPECT_EQ(parse_content_range("bytes */10")->size, 10U);
  for (const std::string_view text :
       {""sv, "bytes"sv, "bytes 2-4"sv, "bytes=2-4/10"sv, "items 2-4/10"sv, "bytes 4-2/10"sv, "bytes 2-10/10"sv,
        "bytes */*"sv, "bytes 2-/10"sv, "bytes -4/10"sv, "bytes 2-4/"sv, "bytes 2-4/x"sv, "bytes  2-4/10"sv,
        "bytes 2 -4/10"sv, "bytes 0-18446744073709551615/*"sv, "bytes 0-0/18446744073709551616"sv}) {
    EXPECT_FALSE(parse_content_range(text)) << text;
  }
}

}  // namespace
}  // namespace pollux::wire
