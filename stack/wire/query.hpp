// A query or a form body: "a=1&b=2". Source: application/x-www-form-urlencoded, URL Standard section 5; RFC 3986
// section 3.4.
//
// A ';' separates nothing: a pair that holds one is refused and counted (servers and proxies that disagree about it can
// be played off against each other). Nothing is stored: a query of any length is walked in place.
//
//   QueryPairs pairs{"q=a+b&lang=de"};
//   while (const auto pair = pairs.next()) { use(pair->name, pair->value); }      // raw: "q" and "a+b"
//   query_value("q=a+b&lang=de", "q", scratch).value() == "a b"
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/result.hpp"

namespace pollux::wire {

struct QueryPair {
  std::string_view name;   // raw; decode with Plus::space
  std::string_view value;  // raw; empty if there was no '='
  bool has_value = false;  // there was a '='
};

class QueryPairs {
 public:
  // `query` without its '?'; the pairs point into it.
  constexpr explicit QueryPairs(std::string_view query) noexcept : rest_{query} {}

  // The next pair, or nothing at the end. Empty ones ("a&&b") are passed over; refused ones too, and counted.
  [[nodiscard]] std::optional<QueryPair> next() noexcept;
  // How many pairs with a ';' have been passed over so far.
  [[nodiscard]] constexpr std::size_t refused() const noexcept { return refused_; }

 private:
  std::string_view rest_;
  std::size_t refused_ = 0;
};

enum class QueryError : std::uint8_t {
  not_found,      // no pair has this name
  bad_escape,     // there is one, but its value has a bad escape
  out_too_small,  // the decoded value does not fit into the scratch memory
};

// The decoded value of the first usable pair named `name` (which is given decoded), written into `scratch`; a pair
// whose value has a bad escape is not usable. The result is a part of `scratch`.
[[nodiscard]] port::Result<std::string_view, QueryError> query_value(std::string_view query, std::string_view name,
                                                                     std::span<char> scratch) noexcept;

}  // namespace pollux::wire
