// The order of a route table: the first pattern that matches a request is the most specific one.
//
// A pattern is read as a row of levels - host, each segment, the end of the row, method - and rows are sorted like
// words: by the first level in which they differ. On each level what matches less comes first: a host before none, a
// literal before {$} before {name} before the rest, HEAD before GET, any method before none.
//
// Why that is enough. Take two patterns of one table that both match some request. If their hosts differ, one has none,
// and it comes last, as it should. Otherwise one of them is more specific, since neither being so is a conflict and
// refused. Being more specific means that on every level it is equal or matches less. So it does on the first level in
// which they differ, and that is the level they are sorted by. For patterns that never match the same request any order
// will do.
//
// The order has a second use: patterns with the same beginning stand together. A RouteStep says how many levels a pattern has
// in common with the one before it, and with it a search walks the sorted list as if it were a tree of levels
// (serve_mux.cpp), and the check for conflicts skips most of the work (find_conflict).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/http/pattern.hpp"

namespace pollux::http {

// What a search looks at first: 12 bytes for each pattern of a sorted list.
struct RouteStep {
  // Of the literal on the first level that this pattern does not have in common with the one before it: literal_key(). 0 if
  // that level is something else, or is a literal that has to be decoded.
  std::uint32_t key = 0;
  // The first pattern behind this one that has no more in common with it than this one with its own.
  std::uint16_t next = 0;
  std::uint16_t next_fixed = 0;  // see FixedPaths
  std::uint8_t shared = 0;       // levels that this pattern has in common with the one before it; 0 for the first
};

// The patterns without a host whose path is a plain text, no wildcard, no '/' at its end, no escapes, found by the path's length: nearly every
// request of a device's API is answered by one of them, and one comparison finds it. They are the most specific ones for their path, so
// nothing else has to be looked at. Numbers are indexes + 1; RouteStep::next_fixed leads on, in the order of the table; 0 ends a row.
// With host patterns in the table there is none of this: a host comes before the path.
struct FixedPaths {
  static constexpr std::size_t rows = 64;
  std::array<std::uint16_t, rows> first{};
  [[nodiscard]] static constexpr std::size_t row_of(std::size_t path_size) noexcept { return path_size % rows; }
};

// The most routes a table can have.
inline constexpr std::size_t routes_limit = UINT16_MAX;

}  // namespace pollux::http

namespace pollux::http::detail {

// Texts with different keys are different; those with the same key have size, first and last byte in common, if the size is
// below 32768. Never 0.
[[nodiscard]] constexpr std::uint32_t literal_key(std::string_view text) noexcept {
  if (text.empty()) {
    return 0x8000'0000U;
  }
  const auto size = static_cast<std::uint32_t>(text.size());
  const auto first = static_cast<unsigned char>(text.data()[0]);
  const auto last = static_cast<unsigned char>(text.data()[size - 1]);
  return 0x8000'0000U | size << 16U | static_cast<std::uint32_t>(first << 8U) | last;
}

// Levels of a pattern: 0 the host, 1.. its segments, then the end of the row, then the method.
[[nodiscard]] constexpr std::size_t end_level(const Pattern& pattern) noexcept {
  return pattern.segment_count + 1U;
}
[[nodiscard]] constexpr std::size_t method_level(const Pattern& pattern) noexcept {
  return pattern.segment_count + 2U;
}

struct PatternOrder {
  int sign = 0;             // below 0: the first one comes first; 0: they are equivalent
  std::uint8_t shared = 0;  // levels before the first in which they differ
};

// Alphabetical, ignoring case, but "" comes last.
[[nodiscard]] constexpr int compare_hosts(std::string_view a, std::string_view b) noexcept {
  if (a.empty() || b.empty()) {
    return static_cast<int>(a.empty()) - static_cast<int>(b.empty());
  }
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    const char x = base::to_lower(a[i]);
    const char y = base::to_lower(b[i]);
    if (x != y) {
      return x < y ? -1 : 1;
    }
  }
  return static_cast<int>(a.size() > b.size()) - static_cast<int>(a.size() < b.size());
}

[[nodiscard]] constexpr int compare_methods(std::string_view a, std::string_view b) noexcept {
  if (a == b) {
    return 0;
  }
  if (a.empty() || b.empty()) {
    return a.empty() ? 1 : -1;
  }
  if (a == "HEAD" || b == "HEAD") {
    return a == "HEAD" ? -1 : 1;
  }
  return a.compare(b);
}

[[nodiscard]] constexpr int compare_segments(const Pattern& a, const Segment& x, const Pattern& b,
                                             const Segment& y) noexcept {
  if (x.kind != y.kind) {
    return x.kind < y.kind ? -1 : 1;
  }
  return x.kind == SegmentKind::literal ? compare_literals(a, x, b, y) : 0;
}

[[nodiscard]] constexpr PatternOrder compare_patterns(const Pattern& a, const Pattern& b) noexcept {
  if (const int sign = compare_hosts(a.host(), b.host()); sign != 0) {
    return {sign, 0};
  }
  const std::size_t common = std::min(a.segment_count, b.segment_count);
  for (std::size_t i = 0; i < common; ++i) {
    if (const int sign = compare_segments(a, a.segments[i], b, b.segments[i]); sign != 0) {
      return {sign, static_cast<std::uint8_t>(i + 1)};
    }
  }
  if (a.segment_count != b.segment_count) {
    return {a.segment_count < b.segment_count ? -1 : 1, static_cast<std::uint8_t>(common + 1)};
  }
  return {compare_methods(a.method(), b.method()), static_cast<std::uint8_t>(method_level(a))};
}

// Fills `steps` for sorted patterns, as many as there are patterns.
constexpr void make_steps(std::span<const Pattern> patterns, std::span<RouteStep> steps) noexcept {
  for (std::size_t i = patterns.size(); i-- > 0;) {
    const Pattern& pattern = patterns[i];
    RouteStep& step = steps[i];
    step = {};
    step.shared = i == 0 ? std::uint8_t{0} : compare_patterns(patterns[i - 1], pattern).shared;
    if (step.shared >= 1 && step.shared <= pattern.segment_count) {
      const Segment& segment = pattern.segments[step.shared - 1U];
      if (segment.kind == SegmentKind::literal && !segment.has_escapes) {
        step.key = literal_key(pattern.segment_text(segment));
      }
    }
    std::size_t next = i + 1;
    while (next < patterns.size() && steps[next].shared > step.shared) {
      next = steps[next].next;
    }
    step.next = static_cast<std::uint16_t>(next);
  }
}

[[nodiscard]] constexpr bool is_fixed(const Pattern& pattern) noexcept {
  std::size_t size = 0;  // of a path made of these segments and nothing else: a pattern that is not clean has more
  for (std::size_t i = 0; i < pattern.segment_count; ++i) {
    if (pattern.segments[i].kind != SegmentKind::literal || pattern.segments[i].has_escapes) {
      return false;
    }
    const std::string_view text = pattern.segment_text(pattern.segments[i]);
    if (text.empty() || text == "." || text == "..") {
      return false;
    }
    size += text.size() + 1;
  }
  return size == pattern.path().size();
}

// Fills `fixed` and the steps' next_fixed for sorted patterns.
constexpr void make_fixed_paths(std::span<const Pattern> patterns, std::span<RouteStep> steps,
                                FixedPaths& fixed) noexcept {
  fixed = {};
  if (patterns.empty() || !patterns.front().host().empty()) {
    return;
  }
  for (std::size_t i = patterns.size(); i-- > 0;) {
    if (is_fixed(patterns[i])) {
      std::uint16_t& first = fixed.first[FixedPaths::row_of(patterns[i].path().size())];
      steps[i].next_fixed = first;
      first = static_cast<std::uint16_t>(i + 1);
    }
  }
}

// Two patterns that conflict, as indexes; or none.
struct Conflict {
  bool is_found = false;
  std::size_t first = 0;
  std::size_t second = 0;
  Relation relation = Relation::disjoint;
};

// Two patterns, the same up to segment `first` and not in it, that can be told apart there: two literals, or a literal
// and the end of the path.
[[nodiscard]] constexpr bool differ_for_sure(const Pattern& a, const Pattern& b, std::size_t first) noexcept {
  if (first >= a.segment_count || first >= b.segment_count) {
    return false;
  }
  const SegmentKind x = a.segments[first].kind;
  const SegmentKind y = b.segments[first].kind;
  return (x == SegmentKind::literal || x == SegmentKind::end) && (y == SegmentKind::literal || y == SegmentKind::end);
}

// Looks at every pair of sorted patterns. A pair has the smallest `shared` between its two in common, so only what is
// behind that is compared, and for most pairs that is not needed either. Compilers limit what a constant may cost:
// clang to 1,048,576 steps by default, of which a table of 100 routes like "GET /api/v1/devices/{id}/field0" takes two
// thirds.
[[nodiscard]] constexpr Conflict find_conflict(std::span<const Pattern> patterns,
                                               std::span<const RouteStep> steps) noexcept {
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const Pattern& a = patterns[i];
    std::size_t common = UINT8_MAX;
    for (std::size_t j = i + 1; j < patterns.size(); ++j) {
      if (steps[j].shared < common) {
        common = steps[j].shared;
      }
      if (common == 0) {
        break;  // another host, and all behind it too
      }
      const Pattern& b = patterns[j];
      const std::size_t first = common - 1;  // level 0 is the host
      if (differ_for_sure(a, b, first)) {
        continue;
      }
      const Relation both = combine(method_relation(a, b), path_relation_from(a, b, first));
      if (is_conflict(both)) {
        return {true, i, j, both};
      }
    }
  }
  return {};
}

}  // namespace pollux::http::detail
