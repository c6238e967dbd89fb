// ServeMux: the Router that finds the route of a request by its pattern (net/http: ServeMux, with the rules of Go
// 1.22).
//
//   const http::ServeMux mux{routes};                 over a RouteTable, which it does not copy
//
//   constinit http::DynamicServeMux<16> mux;          routes added at run time, into memory of its own
//   if (const auto added = mux.add(http::handle<&App::page>("GET /page", app)); !added) { report(added.error()); }
//
// A request gets, in this order:
//   1. 400 and the end of the connection, if its target is "*" or is no path.
//   2. A redirect (307) to the clean path, if the path has "//", "." or ".." segments, and to the path with a '/' at its
//      end, if that is matched exactly and the path as it is is not. The query is kept.
//   3. The most specific route of its host, else of no host. A port in the Host field does not count. GET serves HEAD.
//   4. 405 with Allow, if routes with other methods match the path, or the path with a '/' at its end.
//   5. 404.
//
// CONNECT: the path is not cleaned (the target of a real one has none), and the host is compared with its port. A
// request without a path is matched as "/", but only by patterns that name CONNECT: a page for everybody must not
// answer 200 to somebody who asks for a tunnel.
//
// Nothing is stored between find() and the answer: an answer of the mux's own is computed again from the request.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "stack/http/handler.hpp"
#include "stack/http/pattern.hpp"
#include "stack/http/route_table.hpp"
#include "stack/http/router.hpp"

namespace pollux::http {

// Longest target of a redirect, query included, in bytes; where a longer one would be needed the answer is 414 (RFC
// 9110 section 15.5.15). It is built on the stack.
inline constexpr std::size_t redirect_size_max = 2048;

class MuxBase : public Router {
 public:
  MuxBase(const MuxBase&) = delete;  // its own routes point to it
  MuxBase& operator=(const MuxBase&) = delete;

  // Inline on purpose: a class whose virtual functions are all inline can be derived from in programs with RTTI, although
  // this library is built without.
  void find(const RouteQuery& query, RouteMatch& match) const noexcept final { choose(query, match); }

  // What find() chose. `route` is the one of a RouteMatch this mux has filled.
  enum class Answer : std::uint8_t { registered, not_found, method_not_allowed, redirect, bad_request, too_long };
  [[nodiscard]] Answer answer_of(const Route* route) const noexcept;

  // The value of Allow: each method that a route of this path serves, sorted, once. Written to `out`; methods that do
  // not fit are left out. 256 bytes hold every method there is a name for.
  [[nodiscard]] std::string_view allowed_methods(const RouteQuery& query, std::span<char> out) const noexcept;
  // The clean path of a redirect with the query, bytes no URL may have escaped; nothing if `out` is too small.
  [[nodiscard]] std::optional<std::string_view> redirect_target(const RouteQuery& query,
                                                                std::span<char> out) const noexcept;

 protected:
  constexpr explicit MuxBase(const RouteSet& set) noexcept
      : set_{set},
        method_not_allowed_{"", Handler{serve_method_not_allowed, this}, {.body = Body::streamed}},
        redirect_{"", Handler{serve_redirect, this}, {.body = Body::streamed}} {}
  ~MuxBase() = default;

  RouteSet set_;

 private:
  struct Target;
  class Candidates;

  static Next serve_method_not_allowed(void* mux, ResponseWriter& writer, Request& request);
  static Next serve_redirect(void* mux, ResponseWriter& writer, Request& request);

  void choose(const RouteQuery& query, RouteMatch& match) const noexcept;
  [[nodiscard]] const Route* look_up_fixed(const RouteQuery& query) const noexcept;
  [[nodiscard]] std::size_t look_up(const Target& target) const noexcept;
  [[nodiscard]] std::size_t look_up_with_slash(const Target& target, std::size_t found) const noexcept;
  [[nodiscard]] std::string_view first_method_after(const Target& target, std::string_view last) const noexcept;
  void find_unclean(const RouteQuery& query, RouteMatch& match) const noexcept;
  void fill(const Target& target, std::size_t found, RouteMatch& match) const noexcept;

  // The mux's own routes read the body piece by piece, so that a refusal does not wait for a body.
  Route method_not_allowed_;
  Route redirect_;
};

// A mux over a table, which has to outlive it.
class ServeMux final : public MuxBase {
 public:
  template <std::size_t N>
  constexpr explicit ServeMux(const RouteTable<N>& table) noexcept : MuxBase{table.set()} {}
  template <std::size_t N>
  explicit ServeMux(const RouteTable<N>&& table) = delete;
};

// Why a route was not added. Nothing has changed then.
struct RegisterError {
  enum class Kind : std::uint8_t {
    bad_pattern,  // see `pattern`
    no_handler,
    duplicate,  // `other` matches the same requests
    overlap,    // `other` matches some of the same requests, and neither is the more specific one
    full,       // there are routes_max routes already
  };
  Kind kind = Kind::bad_pattern;
  PatternError pattern{};
  std::string_view other{};
};

namespace detail {
// The three rows of a RouteSet to write to; each has room for one more than `size`.
struct RouteRows {
  std::span<Route> routes;
  std::span<Pattern> patterns;
  std::span<RouteStep> steps;
};
[[nodiscard]] port::Result<void, RegisterError> add_route(const RouteRows& rows, std::size_t size,
                                                          const Route& route) noexcept;
}  // namespace detail

// A mux with room for `routes_max` routes (about 220 bytes each on a 64-bit machine). The text of a pattern has to
// outlive it. Routes may be added while a server runs, but none can be taken away.
template <std::size_t routes_max>
class DynamicServeMux final : public MuxBase {
  static_assert(routes_max <= routes_limit, "a mux has at most 65535 routes");

 public:
  constexpr DynamicServeMux() noexcept : MuxBase{RouteSet{}} {}

  port::Result<void, RegisterError> add(const Route& route) noexcept {
    const auto added = detail::add_route({routes_, patterns_, steps_}, size_, route);
    if (added) {
      ++size_;
      set_ = {.routes = std::span{routes_}.first(size_),
              .patterns = std::span{patterns_}.first(size_),
              .steps = std::span{steps_}.first(size_),
              .fixed = &fixed_};
      detail::make_fixed_paths(set_.patterns, steps_, fixed_);
    }
    return added;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::array<Route, routes_max> routes_{};
  std::array<Pattern, routes_max> patterns_{};
  std::array<RouteStep, routes_max> steps_{};
  FixedPaths fixed_{};
  std::size_t size_ = 0;
};

}  // namespace pollux::http
