// RouteTable: the routes of a program, parsed, checked and sorted by the compiler. It lives in read-only memory and
// costs nothing at start.
//
//   constexpr http::RouteTable routes{{
//       http::handle<&hello>("GET /hello"),
//       http::handle<&Device::led>("PUT /api/v1/leds/{name}", device),
//   }};
//   const http::ServeMux mux{routes};
//
// What is wrong with a table is a compile error whose text names the patterns and says why:
//
//   a pattern that is refused (PatternProblem)       a route without a handler
//   two patterns that match the same requests        two that overlap, none of them the more specific one
//
// A table needs handlers the compiler knows: functions, and members of objects with static storage. For others, and for
// routes that are only known at run time, there is DynamicServeMux (serve_mux.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "stack/http/handler.hpp"
#include "stack/http/pattern.hpp"
#include "stack/http/route_order.hpp"

namespace pollux::http {

// Routes ready to be searched: three rows of the same length, sorted (route_order.hpp).
struct RouteSet {
  std::span<const Route> routes;
  std::span<const Pattern> patterns;
  std::span<const RouteStep> steps;
  const FixedPaths* fixed = nullptr;  // nullptr: of an empty set
};

namespace detail {

// Not constexpr and never defined: a constant that would need it is an error.
void this_route_table_is_refused();

// Refusals. clang prints the arguments of a call as the texts that they are, GCC does not; but it prints what it could
// not compare, and no compiler can say which of two literals lies in front of the other in memory. So these comparisons
// are the way in which the texts get into the compiler's message.
constexpr void refuse_route(const char* why, const char* pattern) noexcept {
  if (why < pattern || pattern != nullptr) {
    this_route_table_is_refused();
  }
}
constexpr void two_patterns_overlap_and_neither_is_more_specific(const char* pattern, const char* other) noexcept {
  if (pattern < other || pattern != nullptr) {
    this_route_table_is_refused();
  }
}
constexpr void two_patterns_match_the_same_requests(const char* pattern, const char* other) noexcept {
  if (pattern < other || pattern != nullptr) {
    this_route_table_is_refused();
  }
}

consteval void refuse_conflict(const Pattern& pattern, const Pattern& other, Relation relation) noexcept {
  if (pattern.text == other.text) {  // maybe one literal, which can be compared with itself
    refuse_route("this pattern is registered twice", pattern.text.data());
  }
  if (relation == Relation::equivalent) {
    two_patterns_match_the_same_requests(pattern.text.data(), other.text.data());
  }
  two_patterns_overlap_and_neither_is_more_specific(pattern.text.data(), other.text.data());
}

}  // namespace detail

template <std::size_t N>
class RouteTable {
  static_assert(N <= routes_limit, "a table has at most 65535 routes");

 public:
  consteval RouteTable(Route (&&unsorted)[N]) noexcept {  // NOLINT(*-explicit-*, *-c-arrays)
    std::array<Pattern, N> parsed{};
    std::array<std::size_t, N> order{};
    for (std::size_t i = 0; i < N; ++i) {
      parsed[i] = parse(unsorted[i]);
      insert(parsed, order, i);
    }
    for (std::size_t i = 0; i < N; ++i) {
      patterns_[i] = parsed[order[i]];
      routes_[i] = unsorted[order[i]];
    }
    detail::make_steps(patterns_, steps_);
    detail::make_fixed_paths(patterns_, steps_, fixed_);
    if (const detail::Conflict conflict = detail::find_conflict(patterns_, steps_); conflict.is_found) {
      detail::refuse_conflict(patterns_[conflict.first], patterns_[conflict.second], conflict.relation);
    }
  }

  [[nodiscard]] constexpr RouteSet set() const noexcept { return {routes_, patterns_, steps_, &fixed_}; }
  [[nodiscard]] static constexpr std::size_t size() noexcept { return N; }

 private:
  static consteval Pattern parse(const Route& route) noexcept {
    const auto pattern = parse_pattern(route.pattern);
    if (!pattern) {
      detail::refuse_route(describe(pattern.error().problem).data(), route.pattern.data());
    }
    if (is_missing(route.handler)) {
      detail::refuse_route("this route has no handler", route.pattern.data());
    }
    return *pattern;
  }

  // With -fsanitize=undefined GCC does not take it for a constant that the address of a function is not null. Then it is not.
  static consteval bool is_missing(const Handler& handler) noexcept {
    return __builtin_constant_p(handler.serve == nullptr) != 0 && handler.serve == nullptr;
  }

  // Puts `index` where it belongs among the first `index` entries of `order`, which are sorted.
  static consteval void insert(const std::array<Pattern, N>& parsed, std::array<std::size_t, N>& order,
                               std::size_t index) noexcept {
    std::size_t low = 0;
    std::size_t high = index;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (detail::compare_patterns(parsed[index], parsed[order[middle]]).sign < 0) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    for (std::size_t i = index; i > low; --i) {
      order[i] = order[i - 1];
    }
    order[low] = index;
  }

  std::array<Route, N> routes_{};
  std::array<Pattern, N> patterns_{};
  std::array<RouteStep, N> steps_{};
  FixedPaths fixed_{};
};

template <std::size_t N>
RouteTable(Route (&&)[N]) -> RouteTable<N>;

}  // namespace pollux::http
