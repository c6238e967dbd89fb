// Fifty routes and one that overlaps with some of them: the message has to name two of the texts, however long the table is.
#include "stack/http/serve_mux.hpp"

namespace http = pollux::http;

void serve(http::ResponseWriter& /*writer*/, http::Request& /*request*/) {}

constexpr http::RouteTable routes{{
    http::handle<&serve>("GET /api/v1/{kind}/17/value"),      http::handle<&serve>("GET /api/v1/devices/{id}/value"),
    http::handle<&serve>("PUT /api/v1/devices/{id}/value"),   http::handle<&serve>("GET /api/v1/devices/{id}/name"),
    http::handle<&serve>("PUT /api/v1/devices/{id}/name"),    http::handle<&serve>("GET /api/v1/devices/{id}/unit"),
    http::handle<&serve>("PUT /api/v1/devices/{id}/unit"),    http::handle<&serve>("GET /api/v1/devices/{id}/limits"),
    http::handle<&serve>("PUT /api/v1/devices/{id}/limits"),  http::handle<&serve>("GET /api/v1/devices/{id}/history"),
    http::handle<&serve>("PUT /api/v1/devices/{id}/history"), http::handle<&serve>("GET /api/v1/sensors/{id}/value"),
    http::handle<&serve>("PUT /api/v1/sensors/{id}/value"),   http::handle<&serve>("GET /api/v1/sensors/{id}/name"),
    http::handle<&serve>("PUT /api/v1/sensors/{id}/name"),    http::handle<&serve>("GET /api/v1/sensors/{id}/unit"),
    http::handle<&serve>("PUT /api/v1/sensors/{id}/unit"),    http::handle<&serve>("GET /api/v1/sensors/{id}/limits"),
    http::handle<&serve>("PUT /api/v1/sensors/{id}/limits"),  http::handle<&serve>("GET /api/v1/sensors/{id}/history"),
    http::handle<&serve>("PUT /api/v1/sensors/{id}/history"), http::handle<&serve>("GET /api/v1/leds/{id}/value"),
    http::handle<&serve>("PUT /api/v1/leds/{id}/value"),      http::handle<&serve>("GET /api/v1/leds/{id}/name"),
    http::handle<&serve>("PUT /api/v1/leds/{id}/name"),       http::handle<&serve>("GET /api/v1/leds/{id}/unit"),
    http::handle<&serve>("PUT /api/v1/leds/{id}/unit"),       http::handle<&serve>("GET /api/v1/leds/{id}/limits"),
    http::handle<&serve>("PUT /api/v1/leds/{id}/limits"),     http::handle<&serve>("GET /api/v1/leds/{id}/history"),
    http::handle<&serve>("PUT /api/v1/leds/{id}/history"),    http::handle<&serve>("GET /api/v1/users/{id}/value"),
    http::handle<&serve>("PUT /api/v1/users/{id}/value"),     http::handle<&serve>("GET /api/v1/users/{id}/name"),
    http::handle<&serve>("PUT /api/v1/users/{id}/name"),      http::handle<&serve>("GET /api/v1/users/{id}/unit"),
    http::handle<&serve>("PUT /api/v1/users/{id}/unit"),      http::handle<&serve>("GET /api/v1/users/{id}/limits"),
    http::handle<&serve>("PUT /api/v1/users/{id}/limits"),    http::handle<&serve>("GET /api/v1/users/{id}/history"),
    http::handle<&serve>("PUT /api/v1/users/{id}/history"),   http::handle<&serve>("GET /api/v1/logs/{id}/value"),
    http::handle<&serve>("PUT /api/v1/logs/{id}/value"),      http::handle<&serve>("GET /api/v1/logs/{id}/name"),
    http::handle<&serve>("PUT /api/v1/logs/{id}/name"),       http::handle<&serve>("GET /api/v1/logs/{id}/unit"),
    http::handle<&serve>("PUT /api/v1/logs/{id}/unit"),       http::handle<&serve>("GET /api/v1/logs/{id}/limits"),
    http::handle<&serve>("PUT /api/v1/logs/{id}/limits"),     http::handle<&serve>("GET /api/v1/logs/{id}/history"),
    http::handle<&serve>("PUT /api/v1/logs/{id}/history"),
}};
