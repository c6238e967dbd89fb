// Router: who decides which route serves a request. ServeMux is the usual one; a server may be given any other.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/http/handler.hpp"
#include "stack/http/limits.hpp"
#include "stack/wire/head.hpp"

namespace pollux::http {

// What routing looks at. All views are into the request's head.
struct RouteQuery {
  wire::Method method_id = wire::Method::get;
  std::string_view method;    // the token as sent
  std::string_view host;      // from the target or the Host field, port included, any case
  std::string_view raw_path;  // as sent, percent-escapes in place: "/b/k%2Fk"; "*" for OPTIONS *; "" for CONNECT
  std::string_view query;     // behind the '?', without it
  bool has_query = false;
};

// The part of raw_path a wildcard matched (still escaped).
struct Capture {
  std::string_view name{};  // into the pattern
  std::uint16_t at = 0;     // offset in raw_path
  std::uint16_t size = 0;
};

// The answer: the route to run, never null. For a path nobody registered it is a route of the router's own that answers 404, 405 or
// the redirect; `pattern` is "" then, except for a redirect, which names the pattern it leads to.
struct RouteMatch {
  const Route* route = nullptr;
  std::string_view pattern;
  std::array<Capture, captures_max> captures{};
  std::uint8_t capture_count = 0;
};

class Router {
 public:
  // Fills `match`. Called once per request, when its head is whole.
  virtual void find(const RouteQuery& query, RouteMatch& match) const = 0;

 protected:
  constexpr Router() = default;
  ~Router() = default;
};

}  // namespace pollux::http
