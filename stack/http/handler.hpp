// Handler: what answers a request - one function pointer and one object pointer - and Route: a pattern with its handler.
//
//   void hello(http::ResponseWriter& writer, http::Request& request) { writer.text(200, "Hello, world!"); }
//
//   constexpr http::RouteTable routes{{
//       http::handle<&hello>("GET /hello"),
//       http::handle<&Device::led>("PUT /api/v1/leds/{name}", device),
//       http::handle<&Device::upload>("PUT /api/v1/firmware", device, {.body = http::Body::streamed}),
//   }};
//
// A handler never waits. It does what can be done now and returns what it wants next; `void` handlers mean Next::done.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "port/time.hpp"

namespace pollux::http {

class Request;
class ResponseWriter;

// What a handler wants next.
enum class Next : std::uint8_t {
  done,        // the answer is complete; nothing written means 200 with an empty body
  read_body,   // call again when more of the body has come, or it has ended (Body::streamed)
  write_body,  // call again when there is room to write more
  wait,        // call again when the request's Handle is resumed; ServerTimeouts::wait is running
  abort,       // end the connection at once, without finishing the answer
};

struct Handler {
  Next (*serve)(void* object, ResponseWriter& writer, Request& request) = nullptr;
  void* object = nullptr;
  constexpr explicit operator bool() const noexcept { return serve != nullptr; }
};

// How the body of a request reaches its handler.
enum class Body : std::uint8_t {
  collected,  // the handler runs when the whole body is there; longer than the buffer or the limit: 413 without running it
  streamed,  // the handler runs after the head and takes the body piece by piece
};

struct RouteOptions {
  Body body = Body::collected;
  // Longest body in bytes; a longer one is answered 413 (streamed: as soon as it shows). 0: ServerConfig::body_max.
  std::uint64_t body_max = 0;
  // Longest Next::wait; then the handler is called with Event::expired. 0: ServerTimeouts::wait.
  port::Duration wait_max{};
  // Cut off the front of Request::path() for the handler; a path that does not begin with it is answered 404.
  std::string_view strip_prefix{};
};

// A pattern in the grammar of Go 1.22's ServeMux - "[METHOD ][HOST]/path" with {name}, {name...}, {$} - and who serves it. The text lives
// as long as the route (a literal, usually).
struct Route {
  std::string_view pattern;
  Handler handler;
  RouteOptions options{};
};

namespace detail {

template <typename Function, typename... Args>
Next call(Function&& function, Args&... args) {
  if constexpr (std::is_void_v<decltype(function(args...))>) {
    function(args...);
    return Next::done;
  } else {
    return function(args...);
  }
}

}  // namespace detail

// The Handler of a free function `void f(ResponseWriter&, Request&)` or `Next f(ResponseWriter&, Request&)`.
template <auto Function>
[[nodiscard]] constexpr Handler handler() noexcept {
  return {
      [](void*, ResponseWriter& writer, Request& request) -> Next { return detail::call(Function, writer, request); },
      nullptr};
}
// The Handler of a member function with the same arguments. `object` must live as long as the server.
template <auto Member, typename Object>
[[nodiscard]] constexpr Handler handler(Object& object) noexcept {
  return {[](void* target, ResponseWriter& writer, Request& request) -> Next {
            const auto call = [target](ResponseWriter& w, Request& r) {
              return (static_cast<Object*>(target)->*Member)(w, r);
            };
            return detail::call(call, writer, request);
          },
          const_cast<std::remove_const_t<Object>*>(&object)};
}

template <auto Function>
[[nodiscard]] constexpr Route handle(std::string_view pattern, RouteOptions options = {}) noexcept {
  return {pattern, handler<Function>(), options};
}
template <auto Member, typename Object>
[[nodiscard]] constexpr Route handle(std::string_view pattern, Object& object, RouteOptions options = {}) noexcept {
  return {pattern, handler<Member>(object), options};
}

// The same route with a longest body (net/http: MaxBytesHandler).
[[nodiscard]] constexpr Route max_bytes(std::uint64_t body_max, Route route) noexcept {
  route.options.body_max = body_max;
  return route;
}
// The same route answering 503 when its handler has waited `wait_max` (net/http: TimeoutHandler).
[[nodiscard]] constexpr Route timeout_handler(port::Duration wait_max, Route route) noexcept {
  route.options.wait_max = wait_max;
  return route;
}
// The same route whose handler sees its path without `prefix` (net/http: StripPrefix).
[[nodiscard]] constexpr Route strip_prefix(std::string_view prefix, Route route) noexcept {
  route.options.strip_prefix = prefix;
  return route;
}

}  // namespace pollux::http
