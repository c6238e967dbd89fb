// Patterns: what is refused and where, how two relate, and which cannot be registered together.
#include <random>
#include <vector>

#include "tests/http/mux_support.hpp"
#include "tests/support/emulated.hpp"

namespace pollux::test {
namespace {

using http::Pattern;
using http::PatternProblem;
using http::RegisterError;
using http::Relation;
using http::SegmentKind;

[[nodiscard]] Relation inverse(Relation relation) {
  switch (relation) {
    case Relation::more_general:
      return Relation::more_specific;
    case Relation::more_specific:
      return Relation::more_general;
    case Relation::equivalent:
    case Relation::overlaps:
    case Relation::disjoint:
      return relation;
  }
  return relation;
}

struct RelationRow {
  int number;
  std::string_view first;
  std::string_view second;
  Relation paths;
  bool is_legal;
};
constexpr RelationRow relation_rows[] = {
    {1, "/a", "/a", Relation::equivalent, false},
    {3, "/a", "/b", Relation::disjoint, true},
    {5, "/a", "/{$}", Relation::disjoint, true},
    {6, "/a", "/{x}", Relation::more_specific, true},
    {8, "/{x}", "/{y}", Relation::equivalent, false},
    {10, "/{x}", "/", Relation::more_specific, true},
    {11, "/{x}", "/a/b", Relation::disjoint, true},
    {13, "/", "/{$}", Relation::more_general, true},
    {15, "/b/", "/b/{$}", Relation::more_general, true},
    {16, "/b/{$}", "/b", Relation::disjoint, true},
    {18, "/{x}/{y}", "/{x}/a", Relation::more_general, true},
    {20, "/{x}/{y}", "/{x}/a/{$}", Relation::disjoint, true},
    {21, "/a/{x}", "/{x}/b", Relation::overlaps, false},
    {23, "/a/{z}/b/", "/{x}/c/{y...}", Relation::overlaps, false},
    {25, "/{z}/{$}", "/a/{x...}", Relation::overlaps, false},
    {26, "/a/{z}/{m...}", "/{z}/b/{y...}", Relation::overlaps, false},
    {28, "/b/{x}/a/{$}", "/{x}/c/{y...}", Relation::overlaps, false},
    {30, "/a/{z}/a/{m...}", "/{x}/b", Relation::disjoint, true},
    {31, "/", "GET /", Relation::equivalent, true},
    {33, "GET /", "GET /foo", Relation::more_general, true},
    {35, "GET /", "HEAD /", Relation::equivalent, true},
    {36, "GET /foo", "HEAD /", Relation::more_specific, false},
    {38, "/a", "GET /{x}", Relation::more_specific, false},
    {40, "a.com/", "/", Relation::equivalent, true},
    {41, "a.com/x", "/{y}", Relation::more_specific, true},
    {43, "a.com/{x}", "a.com/{y}", Relation::equivalent, false},
};

TEST(MuxPattern, RelatesAsGoDoes) {
  for (const RelationRow& row : relation_rows) {
    SCOPED_TRACE(row.number);
    const Pattern first = *http::parse_pattern(row.first);
    const Pattern second = *http::parse_pattern(row.second);
    EXPECT_EQ(http::path_relation(first, second), row.paths);
    EXPECT_EQ(http::path_relation(second, first), inverse(row.paths));
    EXPECT_EQ(http::conflicts(first, second), !row.is_legal);
    EXPECT_EQ(http::conflicts(second, first), !row.is_legal);
  }
}

TEST(MuxPattern, RegistersOrRefusesInBothOrders) {
  for (const RelationRow& row : relation_rows) {
    for (const bool is_swapped : {false, true}) {
      SCOPED_TRACE(row.number);
      SmallMux mux;
      const std::string_view one = is_swapped ? row.second : row.first;
      ASSERT_TRUE(mux.add(route_for(one)));
      const auto added = mux.add(route_for(is_swapped ? row.first : row.second));
      EXPECT_EQ(static_cast<bool>(added), row.is_legal);
      EXPECT_EQ(mux.size(), row.is_legal ? 2U : 1U);
      if (!added) {
        const bool is_duplicate =
            http::relation(*http::parse_pattern(row.first), *http::parse_pattern(row.second)) == Relation::equivalent;
        EXPECT_EQ(added.error().kind, is_duplicate ? RegisterError::Kind::duplicate : RegisterError::Kind::overlap);
        EXPECT_EQ(added.error().other, one);
      }
    }
  }
}

TEST(MuxPattern, RelatesMethods) {
  const auto of = [](std::string_view a, std::string_view b) {
    return http::method_relation(*http::parse_pattern(a), *http::parse_pattern(b));
  };
  EXPECT_EQ(of("/", "/"), Relation::equivalent);
  EXPECT_EQ(of("/", "PUT /"), Relation::more_general);
  EXPECT_EQ(of("PUT /", "/"), Relation::more_specific);
  EXPECT_EQ(of("GET /", "HEAD /"), Relation::more_general);
  EXPECT_EQ(of("HEAD /", "GET /"), Relation::more_specific);
  EXPECT_EQ(of("GET /", "get /"), Relation::disjoint);
}

TEST(MuxPattern, CombinesRelations) {
  using enum Relation;
  for (const Relation r : {equivalent, more_specific, more_general, overlaps, disjoint}) {
    EXPECT_EQ(http::combine(equivalent, r), r);
    EXPECT_EQ(http::combine(r, equivalent), r);
    EXPECT_EQ(http::combine(disjoint, r), disjoint);
    EXPECT_EQ(http::combine(r, disjoint), disjoint);
    EXPECT_EQ(http::combine(r, r), r);
  }
  EXPECT_EQ(http::combine(more_specific, more_general), overlaps);
  EXPECT_EQ(http::combine(more_general, more_specific), overlaps);
  EXPECT_EQ(http::combine(overlaps, more_specific), overlaps);
  EXPECT_EQ(http::combine(more_general, overlaps), overlaps);
}

struct RefusedRow {
  std::string_view pattern;
  std::size_t offset;
  PatternProblem problem;
};

TEST(MuxPattern, RefusesWithOffset) {
  using enum PatternProblem;
  const RefusedRow rows[] = {
      {"", 0, empty},
      {"A=B /", 0, bad_method},
      {" ", 1, no_slash},
      {"/{w}x", 1, partial_wildcard},
      {"/x{w}", 1, partial_wildcard},
      {"/{wx", 1, partial_wildcard},
      {"/a/{/}/c", 3, partial_wildcard},
      {"/a/{%61}/c", 3, bad_name},
      {"/{a$}", 1, bad_name},
      {"/{}", 1, empty_name},
      {"POST a.com/x/{}/y", 13, empty_name},
      {"/{...}", 1, empty_name},
      {"/{$...}", 1, bad_name},
      {"/{$}/", 1, end_not_last},
      {"/abc/{$}/x", 5, end_not_last},
      {"/{a...}/", 1, rest_not_last},
      {"/{a...}/x", 1, rest_not_last},
      {"{a}/b", 0, wildcard_in_host},
      {"/a/{x}/b/{x...}", 9, duplicate_name},
      {"GET //", 4, unclean_path},
      {"GET /a/../b", 4, unclean_path},
      {"example.com", 0, no_slash},
      // not in that table
      {"GET h{x}/", 5, wildcard_in_host},
      {"GET  \t h//", 8, unclean_path},
      {"/{1a}", 1, bad_name},
      {"/{a}/{a}", 5, duplicate_name},
      {"/{1}{2}{3}", 1, bad_name},
      {"/{a}{b}", 1, bad_name},
      {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", 33, too_many_wildcards},
      {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", 40, too_many_segments},
      {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/", 40, too_many_segments},
  };
  for (const RefusedRow& row : rows) {
    SCOPED_TRACE(row.pattern);
    const auto pattern = http::parse_pattern(row.pattern);
    ASSERT_FALSE(pattern);
    EXPECT_EQ(pattern.error().offset, row.offset);
    EXPECT_EQ(pattern.error().problem, row.problem) << http::describe(pattern.error().problem);
    EXPECT_FALSE(http::describe(row.problem).empty());
    SmallMux mux;
    const auto added = mux.add(route_for(row.pattern));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().kind, RegisterError::Kind::bad_pattern);
    EXPECT_EQ(added.error().pattern.offset, row.offset);
  }
}

TEST(MuxPattern, TakesAsManyAsTheLimits) {
  EXPECT_TRUE(http::parse_pattern("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}"));
  EXPECT_TRUE(http::parse_pattern("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h...}"));
  EXPECT_TRUE(http::parse_pattern("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"));
  EXPECT_TRUE(http::parse_pattern("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/{$}"));
  EXPECT_TRUE(http::parse_pattern("/" + std::string(http::route_text_max - 1, 'a')));
  const auto longer = http::parse_pattern("/" + std::string(http::route_text_max, 'a'));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().problem, PatternProblem::too_long);
}

TEST(MuxPattern, ReadsItsParts) {
  const Pattern pattern = *http::parse_pattern("GET \t a.com/x/{name}/%61%zz/{rest...}");
  EXPECT_EQ(pattern.method(), "GET");
  EXPECT_EQ(pattern.host(), "a.com");
  EXPECT_EQ(pattern.path(), "/x/{name}/%61%zz/{rest...}");
  ASSERT_EQ(pattern.segment_count, 4);
  EXPECT_EQ(pattern.capture_count, 2);
  EXPECT_EQ(pattern.segment_text(pattern.segments[1]), "name");
  EXPECT_FALSE(pattern.segments[2].has_escapes);  // one bad escape: it stands for itself
  EXPECT_EQ(pattern.segments[3].kind, SegmentKind::rest);
  EXPECT_EQ(pattern.segment_text(pattern.segments[3]), "rest");
}

// Accepted oddities: a path that only CONNECT can have, literals that need decoding.
TEST(MuxPattern, TakesOddities) {
  const Pattern slashes = *http::parse_pattern("//");
  ASSERT_EQ(slashes.segment_count, 2);
  EXPECT_EQ(slashes.segments[0].size, 0);
  EXPECT_EQ(slashes.segments[1].kind, SegmentKind::rest);
  SmallMux mux;
  add_all(mux, {"/foo///./../bar", "/%61%62/%7b/%", "CONNECT /a/../b"});
  EXPECT_EQ(answer_to(mux, "CONNECT", "h/foo///./../bar"), "/foo///./../bar");
  EXPECT_EQ(answer_to(mux, "GET", "h/foo///./../bar"), "307 /bar");
  EXPECT_EQ(answer_to(mux, "GET", "h/ab/{/%25"), "/%61%62/%7b/%");
  EXPECT_EQ(answer_to(mux, "CONNECT", "h/a/../b"), "CONNECT /a/../b");
  EXPECT_FALSE(mux.add(route_for("/ab/%7B/%25")));  // the same, in other words
}

TEST(MuxPattern, RefusesWhatDoesNotFitInAMux) {
  http::DynamicServeMux<2> mux;
  ASSERT_TRUE(mux.add(route_for("/a")));
  const auto nobody = mux.add({.pattern = "/b", .handler = {}});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, RegisterError::Kind::no_handler);
  ASSERT_TRUE(mux.add(route_for("/b")));
  const auto full = mux.add(route_for("/c"));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, RegisterError::Kind::full);
  EXPECT_EQ(mux.size(), 2U);
  EXPECT_EQ(answer_to(mux, "GET", "h/b"), "/b");
}

// The shortcuts of the sorted search, of the check for conflicts and of the search with shared levels, against the plain
// definitions, on small random tables.
class RandomRoutes {
 public:
  explicit RandomRoutes(unsigned seed) : random_{seed} {}

  [[nodiscard]] std::string pattern() {
    std::string text{one_of({"", "", "GET ", "HEAD ", "PUT "})};
    text += one_of({"", "", "", "h"});
    const unsigned count = random_() % 3;
    for (unsigned i = 0; i < count; ++i) {
      text += one_of({"/a", "/b", "/{x" + std::to_string(i) + "}"});
    }
    text += one_of({"/", "/{$}", "/{r...}", "/a", "/b", "/{y}"});
    return text;
  }
  [[nodiscard]] std::string target() {
    std::string text{one_of({"h", "i"})};
    const unsigned count = random_() % 4;
    for (unsigned i = 0; i < count; ++i) {
      text += one_of({"/a", "/b", "/c", "/%61"});
    }
    return text + std::string{one_of({"/", "/a", "/b", "/c"})};
  }
  [[nodiscard]] std::string one_of(std::initializer_list<std::string> texts) {
    return *(texts.begin() + random_() % texts.size());
  }

 private:
  std::mt19937 random_;
};

// Matches a path by the definition alone.
[[nodiscard]] bool matches(const Pattern& pattern, const http::RouteQuery& query) {
  const http::PathParts path = http::split_path(query.raw_path);
  if (!pattern.host().empty() && pattern.host() != query.host) {
    return false;
  }
  if (!pattern.method().empty() && pattern.method() != query.method &&
      !(pattern.method() == "GET" && query.method == "HEAD")) {
    return false;
  }
  for (std::size_t i = 0; i < pattern.segment_count; ++i) {
    const http::Segment& segment = pattern.segments[i];
    const bool is_there = i < path.count;
    const bool is_end = i == path.count && path.ends_in_slash;
    if (segment.kind == SegmentKind::rest || segment.kind == SegmentKind::end) {
      return is_end || (segment.kind == SegmentKind::rest && is_there);
    }
    if (!is_there) {
      return false;
    }
    std::string_view text = query.raw_path.substr(path.parts[i].at, path.parts[i].size);
    text = text == "%61" ? "a" : text;
    if (segment.kind == SegmentKind::literal && pattern.segment_text(segment) != text) {
      return false;
    }
  }
  return path.count == pattern.segment_count && !path.ends_in_slash;
}

TEST(MuxPattern, AgreesWithTheDefinitionOnRandomTables) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomRoutes random{seed};
    std::vector<std::string> texts;
    for (int i = 0; i < 24; ++i) {
      texts.push_back(random.pattern());
    }
    http::DynamicServeMux<24> mux;
    std::vector<Pattern> accepted;
    for (const std::string& text : texts) {
      const Pattern pattern = *http::parse_pattern(text);
      bool is_legal = true;
      for (const Pattern& other : accepted) {
        is_legal = is_legal && !http::conflicts(pattern, other);
      }
      ASSERT_EQ(static_cast<bool>(mux.add(route_for(text))), is_legal) << text;
      if (is_legal) {
        accepted.push_back(pattern);
      }
    }
    for (int i = 0; i < 40; ++i) {
      const std::string target = random.target();
      const http::RouteQuery query =
          query_for(random.one_of({"GET", "HEAD", "PUT", "POST"}) == "GET" ? "GET" : "HEAD", target);
      const Pattern* best = nullptr;
      for (const Pattern& pattern : accepted) {
        if (matches(pattern, query) &&
            (best == nullptr || (best->host().empty() && !pattern.host().empty()) ||
             (best->host() == pattern.host() && http::relation(pattern, *best) == Relation::more_specific))) {
          best = &pattern;
        }
      }
      http::RouteMatch match;
      mux.find(query, match);
      if (mux.answer_of(match.route) == http::MuxBase::Answer::redirect) {
        ASSERT_TRUE(best == nullptr || best->last_kind() == SegmentKind::rest) << target;
        continue;
      }
      ASSERT_EQ(match.pattern, best == nullptr ? "" : best->text) << target;
    }
  }
}

// The pruned check of a whole table against every pair.
TEST(MuxPattern, FindsAConflictIfAndOnlyIfSomePairHasOne) {
  int conflicts_seen = 0;
  for (unsigned seed = 1; seed <= rounds(2000U); ++seed) {
    RandomRoutes random{seed};
    std::vector<std::string> texts;
    std::vector<Pattern> patterns;
    for (int i = 0; i < 5; ++i) {
      texts.push_back(random.pattern());
    }
    for (const std::string& text : texts) {
      patterns.push_back(*http::parse_pattern(text));
    }
    std::sort(patterns.begin(), patterns.end(),
              [](const Pattern& a, const Pattern& b) { return http::detail::compare_patterns(a, b).sign < 0; });
    std::vector<http::RouteStep> steps(patterns.size());
    http::detail::make_steps(patterns, steps);
    bool is_expected = false;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        is_expected = is_expected || http::conflicts(patterns[j], patterns[i]);
      }
    }
    ASSERT_EQ(http::detail::find_conflict(patterns, steps).is_found, is_expected) << "seed " << seed;
    conflicts_seen += is_expected ? 1 : 0;
  }
  EXPECT_GT(conflicts_seen, rounds(200));
  EXPECT_LT(conflicts_seen, 1900);
}

}  // namespace
}  // namespace pollux::test
