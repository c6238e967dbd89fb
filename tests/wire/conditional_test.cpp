#include "stack/wire/conditional.hpp"

#include "stack/wire/range.hpp"
#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view last_modified_text = "Sun, 02 Mar 2014 01:00:00 GMT";
constexpr std::string_view older = "Sat, 01 Mar 2014 01:00:00 GMT";
constexpr std::string_view newer = "Mon, 03 Mar 2014 01:00:00 GMT";
constexpr std::string_view second_before = "Sun, 02 Mar 2014 00:59:59 GMT";
constexpr port::WallTime last_modified{.seconds = 1'393'722'000};

constexpr Representation plain{.last_modified = last_modified};
constexpr Representation foo{.etag = "\"foo\"", .last_modified = last_modified};

TEST(EntityTag, IsScanned) {
  struct Row {
    std::string_view text;
    std::string_view tag;
    std::string_view rest;
  };
  for (const Row& row : {
           Row{R"("foo")", R"("foo")", ""},
           Row{R"( "foo", "bar")", R"("foo")", R"(, "bar")"},
           Row{R"(W/"foo"x)", R"(W/"foo")", "x"},
           Row{R"("")", R"("")", ""},
           Row{"\"\x80!~\"", "\"\x80!~\"", ""},
           Row{"", "", ""},
           Row{"foo", "", ""},
           Row{R"("foo)", "", ""},
           Row{R"(w/"foo")", "", ""},
           Row{R"(W/foo)", "", ""},
           Row{"W/", "", ""},
           Row{R"(W/ "foo")", "", ""},
           Row{R"("a b")", "", ""},
           Row{"\"a\x7f\"", "", ""},
           Row{"*", "", ""},
       }) {
    const Copy copy{row.text};
    const ScannedTag scanned = scan_entity_tag(copy.view());
    EXPECT_EQ(scanned.tag, row.tag) << row.text;
    EXPECT_EQ(scanned.rest, row.rest) << row.text;
  }
}

// The table of RFC 9110 section 8.8.3.2.
TEST(EntityTag, IsCompared) {
  EXPECT_FALSE(strong_match(R"(W/"1")", R"(W/"1")"));
  EXPECT_TRUE(weak_match(R"(W/"1")", R"(W/"1")"));
  EXPECT_FALSE(weak_match(R"(W/"1")", R"(W/"2")"));
  EXPECT_FALSE(strong_match(R"(W/"1")", R"("1")"));
  EXPECT_TRUE(weak_match(R"(W/"1")", R"("1")"));
  EXPECT_TRUE(weak_match(R"("1")", R"(W/"1")"));
  EXPECT_TRUE(strong_match(R"("1")", R"("1")"));
  EXPECT_FALSE(strong_match("", ""));
  EXPECT_FALSE(weak_match("", ""));
}

TEST(Conditional, Decides) {
  constexpr auto proceed = Precondition::proceed;
  constexpr auto not_modified = Precondition::not_modified;
  constexpr auto failed = Precondition::precondition_failed;
  constexpr Representation weak{.etag = "W/\"foo\"", .last_modified = last_modified};
  constexpr Representation nothing{.exists = false};
  struct Row {
    std::string_view method;
    ConditionalRequest request;
    Representation representation;
    Precondition want;
  };
  const Row rows[] = {
      {"GET", {}, plain, proceed},
      {"GET", {.if_none_match = R"("foo")"}, foo, not_modified},
      {"HEAD", {.if_none_match = R"("foo")"}, foo, not_modified},
      {"PUT", {.if_none_match = R"("foo")"}, foo, failed},
      {"GET", {.if_none_match = R"("a", "foo")"}, foo, not_modified},
      {"GET", {.if_none_match = R"("a","b" , ,"foo")"}, foo, not_modified},
      {"GET", {.if_none_match = R"(W/"foo")"}, foo, not_modified},
      {"GET", {.if_none_match = R"("foo")"}, weak, not_modified},
      {"GET", {.if_none_match = "*"}, foo, not_modified},
      {"PUT", {.if_none_match = "*"}, foo, failed},
      {"PUT", {.if_none_match = "*"}, nothing, proceed},
      {"GET", {.if_none_match = "foo"}, foo, proceed},
      {"GET", {.if_none_match = R"(foo, "foo")"}, foo, proceed},
      {"GET", {.if_none_match = R"("foo", foo)"}, foo, not_modified},
      {"GET", {.if_none_match = R"("bar")"}, foo, proceed},
      {"GET", {.if_none_match = R"("foo")"}, plain, proceed},
      {"GET", {.if_none_match = R"("bar")", .if_modified_since = newer}, foo, proceed},
      {"GET", {.if_match = R"("foo")"}, foo, proceed},
      {"GET", {.if_match = "*"}, foo, proceed},
      {"GET", {.if_match = "*"}, plain, proceed},
      {"PUT", {.if_match = "*"}, nothing, failed},
      {"PUT", {.if_match = R"("foo")"}, nothing, failed},
      {"GET", {.if_match = R"("bar")"}, foo, failed},
      {"GET", {.if_match = R"("bar", "foo")"}, foo, proceed},
      {"GET", {.if_match = R"(W/"foo")"}, weak, failed},
      {"GET", {.if_match = "foo"}, foo, failed},
      {"GET", {.if_modified_since = last_modified_text}, plain, not_modified},
      {"HEAD", {.if_modified_since = last_modified_text}, plain, not_modified},
      {"GET", {.if_modified_since = newer}, plain, not_modified},
      {"GET", {.if_modified_since = older}, plain, proceed},
      {"GET", {.if_modified_since = second_before}, plain, proceed},
      {"GET", {.if_modified_since = "bogus"}, plain, proceed},
      {"GET", {.if_modified_since = newer}, {}, proceed},
      {"POST", {.if_modified_since = newer}, plain, proceed},
      {"GET", {.if_unmodified_since = last_modified_text}, plain, proceed},
      {"GET", {.if_unmodified_since = newer}, plain, proceed},
      {"GET", {.if_unmodified_since = older}, plain, failed},
      {"PUT", {.if_unmodified_since = second_before}, plain, failed},
      {"GET", {.if_unmodified_since = "bogus"}, plain, proceed},
      {"GET", {.if_unmodified_since = older}, {}, proceed},
      {"GET", {.if_match = R"("foo")", .if_unmodified_since = older}, foo, proceed},
      {"GET", {.if_match = R"("foo")", .if_none_match = R"("foo")"}, foo, not_modified},
      {"GET", {.if_match = R"("bar")", .if_none_match = R"("foo")"}, foo, failed},
      {"GET", {.if_modified_since = newer, .if_unmodified_since = older}, plain, failed},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(static_cast<int>(evaluate(row.request, row.representation, row.method)), static_cast<int>(row.want))
        << row.method << " row " << (&row - rows);
  }
}

TEST(Conditional, IfRange) {
  constexpr Representation weak{.etag = "W/\"foo\"", .last_modified = last_modified};
  EXPECT_TRUE(if_range_holds({}, foo));
  EXPECT_TRUE(if_range_holds({.if_range = R"("foo")"}, foo));
  EXPECT_FALSE(if_range_holds({.if_range = R"("bar")"}, foo));
  EXPECT_FALSE(if_range_holds({.if_range = R"(W/"foo")"}, weak));
  EXPECT_FALSE(if_range_holds({.if_range = R"("foo")"}, weak));
  EXPECT_FALSE(if_range_holds({.if_range = R"("foo")"}, plain));
  EXPECT_TRUE(if_range_holds({.if_range = last_modified_text}, plain));
  EXPECT_FALSE(if_range_holds({.if_range = newer}, plain));
  EXPECT_FALSE(if_range_holds({.if_range = older}, plain));
  EXPECT_FALSE(if_range_holds({.if_range = last_modified_text}, {}));
  EXPECT_FALSE(if_range_holds({.if_range = "bogus"}, plain));
  EXPECT_FALSE(if_range_holds({.if_range = "*"}, foo));
}

}  // namespace
}  // namespace pollux::wire
