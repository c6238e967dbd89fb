// A table of routes that compiles, and, with one of the names below defined, one that must not.
#include "stack/http/serve_mux.hpp"

namespace http = pollux::http;

void serve(http::ResponseWriter& /*writer*/, http::Request& /*request*/) {}

struct Device {
  void led(http::ResponseWriter& /*writer*/, http::Request& /*request*/) {}
};
Device static_device;

#ifdef SIGNATURE
void wrong_handler(http::Request& /*request*/) {}
#endif

#ifdef RUN_TIME
void start() {
  Device device;
  const http::RouteTable routes{{http::handle<&Device::led>("/led", device)}};
}
#endif

constexpr http::RouteTable routes{{
    http::handle<&serve>("GET /a/{x}"),
    http::handle<&serve>("GET /a/b"),
    http::handle<&serve>("/{$}"),
    http::handle<&Device::led>("PUT /led", static_device),
#ifdef TWICE
    http::handle<&serve>("GET /a/{x}"),
#endif
#ifdef DUPLICATE
    http::handle<&serve>("GET /a/{name}"),
#endif
#ifdef OVERLAP
    http::handle<&serve>("GET /{y}/b"),
#endif
#ifdef METHODS
    http::handle<&serve>("/a/c"),
#endif
#ifdef BAD
    http::handle<&serve>(BAD),
#endif
#ifdef NO_HANDLER
    http::Route{.pattern = "/nobody", .handler = {}},
#endif
#ifdef SIGNATURE
    http::handle<&wrong_handler>("/wrong"),
#endif
}};

#ifdef TEMPORARY
const http::ServeMux mux{http::RouteTable{{http::handle<&serve>("/")}}};
#else
const http::ServeMux mux{routes};
#endif
