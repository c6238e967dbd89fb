// Pattern: which requests a route serves, in the grammar of Go 1.22's ServeMux, and how two patterns relate.
//
//   [METHOD ][HOST]/[PATH]
//
//   "GET /leds/{name}"   {name} is one segment, never empty and never the end of the path
//   "/files/{path...}"   {path...} is the rest, '/' included; may be empty; last only
//   "/files/"            a '/' at the end is a rest without a name
//   "/files/{$}"         {$} is the end of a path that ends in '/'
//   "example.com/"       only for this host; a pattern with a host is tried before one without
//   "GET /x"             GET serves HEAD as well; without a method a pattern serves all
//
// A literal segment is compared decoded, one by one ("/%61" is "/a", "a%2Fb" is one segment); one whose escapes are
// bad ("/%x") stands for itself. Hosts are compared without regard to case (RFC 9110 section 4.2.3; Go does not).
//
// Everything here is constexpr, so that a RouteTable can be checked by the compiler; nothing is decoded into memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "port/result.hpp"
#include "stack/base/text.hpp"
#include "stack/http/limits.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

// How many segments a pattern may have, {$} and the rest included.
inline constexpr std::size_t segments_max = 16;
// How many bytes the text of a pattern, or the path of a request that is to be routed, may have: offsets are 16 bits.
inline constexpr std::size_t route_text_max = UINT16_MAX;

// In the order of preference: where two patterns that match the same request first differ, the smaller kind is the
// more specific one.
enum class SegmentKind : std::uint8_t { literal, end, wildcard, rest };

// The text is a part of the pattern's: what a literal says, or the name of a wildcard or rest ("" for a '/' at the
// end).
struct Segment {
  std::uint16_t at = 0;
  std::uint16_t size = 0;
  SegmentKind kind = SegmentKind::literal;
  bool has_escapes = false;  // a literal with escapes, all of them good: compared decoded
};

enum class PatternProblem : std::uint8_t {
  empty,
  too_long,
  bad_method,
  no_slash,
  wildcard_in_host,
  unclean_path,
  partial_wildcard,
  empty_name,
  bad_name,
  duplicate_name,
  end_not_last,
  rest_not_last,
  too_many_wildcards,
  too_many_segments,
};

// A sentence for people, also the compiler's words about a bad RouteTable (without quotes: GCC would escape them).
[[nodiscard]] constexpr std::string_view describe(PatternProblem problem) noexcept {
  switch (problem) {
    case PatternProblem::empty:
      return "the pattern is empty";
    case PatternProblem::too_long:
      return "the pattern is longer than 65535 bytes";
    case PatternProblem::bad_method:
      return "what stands before the blank is not a method";
    case PatternProblem::no_slash:
      return "a pattern needs a slash where its path begins";
    case PatternProblem::wildcard_in_host:
      return "a host cannot have a wildcard; is the slash at the front missing?";
    case PatternProblem::unclean_path:
      return "this path can never match: empty segments, . and .. are taken out of the path of a request first";
    case PatternProblem::partial_wildcard:
      return "a wildcard has to be a whole segment, from its first brace to its last";
    case PatternProblem::empty_name:
      return "a wildcard needs a name";
    case PatternProblem::bad_name:
      return "the name of a wildcard is made of letters, digits and underscores, and begins with no digit";
    case PatternProblem::duplicate_name:
      return "two wildcards of this pattern have the same name";
    case PatternProblem::end_not_last:
      return "{$} has to be the last segment";
    case PatternProblem::rest_not_last:
      return "{name...} has to be the last segment";
    case PatternProblem::too_many_wildcards:
      return "the pattern has more wildcards than captures_max";
    case PatternProblem::too_many_segments:
      return "the pattern has more segments than segments_max";
  }
  return "";
}

struct PatternError {
  PatternProblem problem = PatternProblem::empty;
  std::uint16_t offset = 0;  // of the segment, host or path complained about, in bytes from the pattern's beginning
};

// A parsed pattern. All views are into `text`, which belongs to whoever wrote the pattern (a literal, usually).
struct Pattern {
  std::string_view text;
  std::uint16_t method_size = 0;  // the method is the text's beginning
  std::uint16_t host_at = 0;      // the host reaches up to path_at
  std::uint16_t path_at = 0;
  std::uint8_t segment_count = 0;  // 1..segments_max
  std::uint8_t capture_count = 0;  // 0..captures_max
  std::array<Segment, segments_max> segments{};

  [[nodiscard]] constexpr std::string_view method() const noexcept { return {text.data(), method_size}; }
  [[nodiscard]] constexpr std::string_view host() const noexcept {
    return {text.data() + host_at, static_cast<std::size_t>(path_at - host_at)};
  }
  [[nodiscard]] constexpr std::string_view path() const noexcept {
    return {text.data() + path_at, text.size() - path_at};
  }
  [[nodiscard]] constexpr std::string_view segment_text(const Segment& segment) const noexcept {
    return {text.data() + segment.at, segment.size};
  }
  [[nodiscard]] constexpr SegmentKind last_kind() const noexcept { return segments[segment_count - 1U].kind; }
};

// A path cut at its slashes. "/a/b" has two segments, "/a/b/" the same two and ends in a slash, "/" has none.
struct PathParts {
  struct Part {
    std::uint16_t at = 0;
    std::uint16_t size = 0;
  };
  std::array<Part, segments_max> parts{};  // the first `count` of them, as far as they fit; no pattern looks behind
  std::size_t count = 0;
  bool ends_in_slash = false;
  bool is_clean = true;  // no segment is empty, "." or ".."
  bool has_escapes = false;
};

// `path` begins with '/' and has at most route_text_max bytes.
[[nodiscard]] constexpr PathParts split_path(std::string_view path) noexcept {
  PathParts result;
  const char* const text = path.data();
  const std::size_t size = path.size();
  std::size_t at = 1;
  while (at < size) {
    const std::size_t begin = at;
    while (at < size && text[at] != '/') {
      ++at;
    }
    const std::size_t length = at - begin;
    if (length == 0 || (length <= 2 && text[begin] == '.' && text[at - 1] == '.')) {
      result.is_clean = false;
    }
    if (result.count < segments_max) {
      result.parts[result.count] = {static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(length)};
    }
    ++result.count;
    ++at;  // the slash
  }
  result.ends_in_slash = text[size - 1] == '/';
  result.has_escapes = path.find('%') != std::string_view::npos;
  return result;
}

namespace detail {

// One byte of `text` from `at` on, decoded if `has_escapes` (then every '%' is a good escape). Moves `at` behind it.
[[nodiscard]] constexpr unsigned char take_byte(std::string_view text, bool has_escapes, std::size_t& at) noexcept {
  if (has_escapes && text[at] == '%') {
    const int value = base::hex_value(text[at + 1]) * 16 + base::hex_value(text[at + 2]);
    at += 3;
    return static_cast<unsigned char>(value);
  }
  return static_cast<unsigned char>(text[at++]);
}

// The order of two segments by their decoded bytes: below, at or above 0.
[[nodiscard]] constexpr int compare_decoded(std::string_view a, bool a_escaped, std::string_view b,
                                            bool b_escaped) noexcept {
  std::size_t i = 0;
  std::size_t j = 0;
  if (!a_escaped && !b_escaped) {
    // The usual case, with little to do for a compiler that counts steps.
    const char* const x = a.data();
    const char* const y = b.data();
    const std::size_t common = std::min(a.size(), b.size());
    while (i < common && x[i] == y[i]) {
      ++i;
    }
    j = i;
  }
  while (i < a.size() && j < b.size()) {
    const unsigned char x = take_byte(a, a_escaped, i);
    const unsigned char y = take_byte(b, b_escaped, j);
    if (x != y) {
      return x < y ? -1 : 1;
    }
  }
  return static_cast<int>(i < a.size()) - static_cast<int>(j < b.size());
}

// There is an escape, and no bad one: what has_escapes means.
[[nodiscard]] constexpr bool can_be_decoded(std::string_view segment) noexcept {
  bool is_found = false;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '%') {
      is_found = true;
      if (segment.size() - i < 3 || base::hex_value(segment[i + 1]) < 0 || base::hex_value(segment[i + 2]) < 0) {
        return false;
      }
    }
  }
  return is_found;
}

// Go's identifiers. A byte of 0x80 and above is taken for a part of a letter.
[[nodiscard]] constexpr bool is_wildcard_name(std::string_view name) noexcept {
  for (const char c : name) {
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '_' && wire::is_ascii(c)) {
      return false;
    }
  }
  return !name.empty() && !base::is_digit(name.front());
}

class PatternParser {
 public:
  constexpr explicit PatternParser(std::string_view text) noexcept { pattern_.text = text; }

  [[nodiscard]] constexpr port::Result<Pattern, PatternError> parse() noexcept {
    const bool is_good = parse_method_and_host() && parse_path();
    if (!is_good) {
      return port::Failure{error_};
    }
    return pattern_;
  }

 private:
  constexpr bool refuse(PatternProblem problem, std::size_t offset) noexcept {
    error_ = {problem, static_cast<std::uint16_t>(offset)};
    return false;
  }

  constexpr bool parse_method_and_host() noexcept {
    const std::string_view text = pattern_.text;
    if (text.empty()) {
      return refuse(PatternProblem::empty, 0);
    }
    if (text.size() > route_text_max) {
      return refuse(PatternProblem::too_long, 0);
    }
    std::size_t at = 0;
    while (at < text.size() && !base::is_blank(text[at])) {
      ++at;
    }
    if (at == text.size()) {
      at = 0;  // no blank: no method
    } else {
      pattern_.method_size = static_cast<std::uint16_t>(at);
      if (at > 0 && !wire::is_token(pattern_.method())) {
        return refuse(PatternProblem::bad_method, 0);
      }
      while (at < text.size() && base::is_blank(text[at])) {
        ++at;
      }
    }
    pattern_.host_at = static_cast<std::uint16_t>(at);
    std::size_t path_at = at;
    while (path_at < text.size() && text[path_at] != '/') {
      ++path_at;
    }
    if (path_at == text.size()) {
      return refuse(PatternProblem::no_slash, at);
    }
    pattern_.path_at = static_cast<std::uint16_t>(path_at);
    for (std::size_t i = at; i < path_at; ++i) {
      if (text[i] == '{') {
        return refuse(PatternProblem::wildcard_in_host, i);
      }
    }
    // CONNECT is the one method whose path is not cleaned. Without a method the pattern may be meant for it.
    const bool is_cleaned = pattern_.method_size > 0 && pattern_.method() != "CONNECT";
    if (is_cleaned && !split_path(pattern_.path()).is_clean) {
      return refuse(PatternProblem::unclean_path, path_at);
    }
    return true;
  }

  constexpr bool parse_path() noexcept {
    const std::string_view text = pattern_.text;
    std::size_t at = pattern_.path_at;
    while (at < text.size()) {  // text[at] == '/'
      const std::size_t begin = at + 1;
      std::size_t end = begin;
      while (end < text.size() && text[end] != '/') {
        ++end;
      }
      if (begin == text.size()) {
        return add(SegmentKind::rest, begin, begin);
      }
      if (!parse_segment(begin, end)) {
        return false;
      }
      at = end;
    }
    return true;
  }

  constexpr bool parse_segment(std::size_t begin, std::size_t end) noexcept {
    const std::string_view segment = wire::slice(pattern_.text, begin, end);
    const bool is_last = end == pattern_.text.size();
    const std::size_t brace = segment.find('{');
    if (brace == std::string_view::npos) {
      return add(SegmentKind::literal, begin, end);
    }
    if (brace != 0 || segment.back() != '}') {
      return refuse(PatternProblem::partial_wildcard, begin);
    }
    if (segment == "{$}") {
      return is_last ? add(SegmentKind::end, begin, begin) : refuse(PatternProblem::end_not_last, begin);
    }
    const std::size_t name_at = begin + 1;
    std::size_t name_end = end - 1;
    const bool is_rest = wire::slice(pattern_.text, name_at, name_end).ends_with("...");
    if (is_rest) {
      name_end -= 3;
    }
    if (is_rest && !is_last) {
      return refuse(PatternProblem::rest_not_last, begin);
    }
    const std::string_view name = wire::slice(pattern_.text, name_at, name_end);
    if (name.empty()) {
      return refuse(PatternProblem::empty_name, begin);
    }
    if (!is_wildcard_name(name)) {
      return refuse(PatternProblem::bad_name, begin);
    }
    for (std::size_t i = 0; i < pattern_.segment_count; ++i) {
      const Segment& earlier = pattern_.segments[i];
      if (earlier.kind == SegmentKind::wildcard && pattern_.segment_text(earlier) == name) {
        return refuse(PatternProblem::duplicate_name, begin);
      }
    }
    if (pattern_.capture_count == captures_max) {
      return refuse(PatternProblem::too_many_wildcards, begin);
    }
    ++pattern_.capture_count;
    return add(is_rest ? SegmentKind::rest : SegmentKind::wildcard, name_at, name_end);
  }

  constexpr bool add(SegmentKind kind, std::size_t begin, std::size_t end) noexcept {
    if (pattern_.segment_count == segments_max) {
      return refuse(PatternProblem::too_many_segments, begin);
    }
    const bool has_escapes = kind == SegmentKind::literal && can_be_decoded(wire::slice(pattern_.text, begin, end));
    pattern_.segments[pattern_.segment_count] = {.at = static_cast<std::uint16_t>(begin),
                                                 .size = static_cast<std::uint16_t>(end - begin),
                                                 .kind = kind,
                                                 .has_escapes = has_escapes};
    ++pattern_.segment_count;
    return true;
  }

  Pattern pattern_{};
  PatternError error_{};
};

}  // namespace detail

// The pattern that `text` says; `text` has to live as long as it.
[[nodiscard]] constexpr port::Result<Pattern, PatternError> parse_pattern(std::string_view text) noexcept {
  return detail::PatternParser{text}.parse();
}

// ---- how two patterns relate

// Of the sets of requests that two patterns match, first to second.
enum class Relation : std::uint8_t { equivalent, more_specific, more_general, overlaps, disjoint };

// What a pair of parts amounts to: specific in one and general in the other is an overlap, disjoint in one is disjoint.
[[nodiscard]] constexpr Relation combine(Relation a, Relation b) noexcept {
  if (a == Relation::disjoint || b == Relation::disjoint) {
    return Relation::disjoint;
  }
  if (a == Relation::equivalent || a == b) {
    return b;
  }
  return b == Relation::equivalent ? a : Relation::overlaps;
}

[[nodiscard]] constexpr Relation method_relation(const Pattern& a, const Pattern& b) noexcept {
  const std::string_view x = a.method();
  const std::string_view y = b.method();
  if (x == y) {
    return Relation::equivalent;
  }
  if (x.empty() || (x == "GET" && y == "HEAD")) {
    return Relation::more_general;
  }
  if (y.empty() || (x == "HEAD" && y == "GET")) {
    return Relation::more_specific;
  }
  return Relation::disjoint;
}

namespace detail {

[[nodiscard]] constexpr int compare_literals(const Pattern& a, const Segment& x, const Pattern& b,
                                             const Segment& y) noexcept {
  return compare_decoded(a.segment_text(x), x.has_escapes, b.segment_text(y), y.has_escapes);
}

[[nodiscard]] constexpr Relation segment_relation(const Pattern& a, const Segment& x, const Pattern& b,
                                                  const Segment& y) noexcept {
  if (x.kind == y.kind) {
    const bool is_same = x.kind != SegmentKind::literal || compare_literals(a, x, b, y) == 0;
    return is_same ? Relation::equivalent : Relation::disjoint;
  }
  if (x.kind == SegmentKind::rest) {
    return Relation::more_general;
  }
  if (y.kind == SegmentKind::rest) {
    return Relation::more_specific;
  }
  if (x.kind == SegmentKind::end || y.kind == SegmentKind::end) {
    return Relation::disjoint;  // a wildcard does not match the end of a path
  }
  return x.kind == SegmentKind::wildcard ? Relation::more_general : Relation::more_specific;
}

// As path_relation(), of two patterns whose first `first` segments are known to be the same.
[[nodiscard]] constexpr Relation path_relation_from(const Pattern& a, const Pattern& b, std::size_t first) noexcept {
  const std::size_t common = std::min(a.segment_count, b.segment_count);
  Relation result = Relation::equivalent;
  for (std::size_t i = first; i < common; ++i) {
    result = combine(result, segment_relation(a, a.segments[i], b, b.segments[i]));
    if (result == Relation::disjoint) {
      return result;
    }
  }
  if (a.segment_count == b.segment_count) {
    return result;
  }
  // The shorter one can only match the same paths if its last segment stands for all that the longer one has left.
  if (a.segment_count < b.segment_count) {
    return combine(result, a.last_kind() == SegmentKind::rest ? Relation::more_general : Relation::disjoint);
  }
  return combine(result, b.last_kind() == SegmentKind::rest ? Relation::more_specific : Relation::disjoint);
}

}  // namespace detail

[[nodiscard]] constexpr Relation path_relation(const Pattern& a, const Pattern& b) noexcept {
  return detail::path_relation_from(a, b, 0);
}

// Of method and path together. The host is not looked at: if the hosts differ there is never a doubt which one is
// meant.
[[nodiscard]] constexpr Relation relation(const Pattern& a, const Pattern& b) noexcept {
  return combine(method_relation(a, b), path_relation(a, b));
}

[[nodiscard]] constexpr bool is_conflict(Relation relation) noexcept {
  return relation == Relation::equivalent || relation == Relation::overlaps;
}
// Some request would be served by both and neither is the more specific one: they cannot be in one table.
[[nodiscard]] constexpr bool conflicts(const Pattern& a, const Pattern& b) noexcept {
  return base::equal_ignoring_case(a.host(), b.host()) && is_conflict(relation(a, b));
}

}  // namespace pollux::http
