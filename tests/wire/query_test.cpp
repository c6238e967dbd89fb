#include "stack/wire/query.hpp"

#include "stack/wire/percent.hpp"
#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

// "name=value" for each pair, "name" for one without '=', joined by a blank; then how many were refused.
std::string listed_pairs(std::string_view query) {
  const Copy copy{query};
  QueryPairs pairs{copy.view()};
  std::string text;
  while (const auto pair = pairs.next()) {
    text.append("[").append(pair->name).append(pair->has_value ? "=" : "").append(pair->value).append("]");
  }
  return text + " " + std::to_string(pairs.refused());
}

TEST(Query, Walks) {
  EXPECT_EQ(listed_pairs(""), " 0");
  EXPECT_EQ(listed_pairs("a=1"), "[a=1] 0");
  EXPECT_EQ(listed_pairs("a=1&b=2"), "[a=1][b=2] 0");
  EXPECT_EQ(listed_pairs("&&a=1&&b=2&"), "[a=1][b=2] 0");
  EXPECT_EQ(listed_pairs("a"), "[a] 0");
  EXPECT_EQ(listed_pairs("a="), "[a=] 0");
  EXPECT_EQ(listed_pairs("=v"), "[=v] 0");
  EXPECT_EQ(listed_pairs("a=b=c"), "[a=b=c] 0");
  EXPECT_EQ(listed_pairs("a=%zz&b"), "[a=%zz][b] 0");
  EXPECT_EQ(listed_pairs("a=1;b=2"), " 1");
  EXPECT_EQ(listed_pairs("a=1;b=2&c=3&;&d"), "[c=3][d] 2");
}

TEST(Query, FindsValues) {
  struct Row {
    std::string_view query;
    std::string_view name;
    std::string_view want;
  };
  for (const Row& row : {
           Row{"q=a+b&lang=de", "q", "a b"},
           Row{"q=a+b&lang=de", "lang", "de"},
           Row{"a=1&a=2", "a", "1"},
           Row{"%61=1", "a", "1"},
           Row{"a+b=1", "a b", "1"},
           Row{"a", "a", ""},
           Row{"a=", "a", ""},
           Row{"=v", "", "v"},
           Row{"a=%zz&a=2", "a", "2"},
           Row{"x%zz=1&x=2", "x", "2"},
           Row{"a=1;x&a=2", "a", "2"},
           Row{"a=%2B%26%3D", "a", "+&="},
       }) {
    expect_written(row.want, QueryError::out_too_small,
                   [&](std::span<char> out) { return query_value(row.query, row.name, out); });
  }
}

TEST(Query, SaysWhyThereIsNone) {
  Memory memory{16};
  for (const std::string_view query : {""sv, "b=1"sv, "A=1"sv, "aa=1"sv, "a=1;b"sv, "a%zz=1"sv}) {
    EXPECT_EQ(query_value(query, "a", memory.span()).error(), QueryError::not_found) << query;
  }
  EXPECT_EQ(query_value("a=%2", "a", memory.span()).error(), QueryError::bad_escape);
}

TEST(Query, FindsWhatAFormEncoded) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  Random random{test_seed};
  for (int i = 0; i < test::rounds(1000); ++i) {
    const std::string name = random.bytes(10);
    const std::string value = random.bytes(20);
    char memory[128];
    std::string query = "x=1&";
    query += *percent_encode(name, PercentSet::form_component, memory);
    query += '=';
    query += *percent_encode(value, PercentSet::form_component, memory);
    const auto found = query_value(query, name, memory);
    ASSERT_TRUE(found) << query;
    EXPECT_EQ(*found, name == "x" ? "1" : value) << query;
  }
}

}  // namespace
}  // namespace pollux::wire
