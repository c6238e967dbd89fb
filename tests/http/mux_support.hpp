// Short words for the tests of routing: a mux over a list of patterns, and what it answers to a request, as one line of text.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "stack/http/serve_mux.hpp"
#include "stack/wire/percent.hpp"

namespace pollux::test {

inline void no_answer(http::ResponseWriter&, http::Request&) {}

[[nodiscard]] inline http::Route route_for(std::string_view pattern) {
  return http::handle<&no_answer>(pattern);
}

using SmallMux = http::DynamicServeMux<16>;

inline void add_all(SmallMux& mux, std::initializer_list<std::string_view> patterns) {
  for (const std::string_view pattern : patterns) {
    ASSERT_TRUE(mux.add(route_for(pattern))) << pattern;
  }
}

// "h/a?b=c" becomes host "h", path "/a", query "b=c".
[[nodiscard]] inline http::RouteQuery query_for(std::string_view method, std::string_view target) {
  const std::size_t slash = std::min(target.find('/'), target.size());
  const std::size_t mark = std::min(target.find('?'), target.size());
  http::RouteQuery query{.method_id = method == "CONNECT" ? wire::Method::connect : wire::Method::get,
                         .method = method,
                         .host = target.substr(0, slash),
                         .raw_path = target.substr(slash, mark - slash),
                         .query = {}};
  if (mark < target.size()) {
    query.has_query = true;
    query.query = target.substr(mark + 1);
  }
  return query;
}

// The captures decoded:
// "GET /a/{x} x=c", "307 /a/b" (and "307 /a/b -> PATTERN" with `with_pattern`), "405 GET, HEAD", "404", "400", "414".
[[nodiscard]] inline std::string answer_to(const http::MuxBase& mux, const http::RouteQuery& query,
                                           bool with_pattern = false) {
  http::RouteMatch match;
  mux.find(query, match);
  EXPECT_NE(match.route, nullptr);
  std::array<char, http::redirect_size_max> memory;
  std::string text;
  switch (mux.answer_of(match.route)) {
    case http::MuxBase::Answer::registered:
      EXPECT_EQ(match.route->pattern, match.pattern);
      text = match.pattern;
      for (std::size_t i = 0; i < match.capture_count; ++i) {
        const http::Capture& capture = match.captures[i];
        std::string value{query.raw_path.substr(capture.at, capture.size)};
        text += ' ' + std::string{capture.name} + '=' + std::string{*wire::percent_decode_in_place(value)};
      }
      return text;
    case http::MuxBase::Answer::redirect:
      text = "307 " + std::string{mux.redirect_target(query, memory).value_or("too long")};
      return with_pattern ? text + " -> " + std::string{match.pattern} : text;
    case http::MuxBase::Answer::method_not_allowed:
      EXPECT_EQ(match.pattern, "");
      return "405 " + std::string{mux.allowed_methods(query, memory)};
    case http::MuxBase::Answer::not_found:
      EXPECT_EQ(match.pattern, "");
      return "404";
    case http::MuxBase::Answer::bad_request:
      return "400";
    case http::MuxBase::Answer::too_long:
      return "414";
  }
  return "?";
}
[[nodiscard]] inline std::string answer_to(const http::MuxBase& mux, std::string_view method, std::string_view target) {
  return answer_to(mux, query_for(method, target));
}

}  // namespace pollux::test
