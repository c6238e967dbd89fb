// Finding the route of a request in a table of 40 routes, as a device's REST API has them: stack/http's mux by itself.
//
//   build/host/bin/mux_bench
//   valgrind --tool=callgrind --toggle-collect="pollux::http::MuxBase::choose*" build/host/bin/mux_bench
//     --benchmark_filter=Literal --benchmark_min_time=0     (one iteration: "Collected" is what one find() takes)
#include <benchmark/benchmark.h>

#include <string_view>

#include "stack/http/serve_mux.hpp"

namespace pollux::http {
namespace {

void serve(ResponseWriter& /*writer*/, Request& /*request*/) {}

constexpr RouteTable routes{{
    handle<&serve>("GET /{$}"),
    handle<&serve>("GET /hello"),
    handle<&serve>("GET /static/{path...}"),
    handle<&serve>("GET /metrics"),
    handle<&serve>("GET /api/v1/status"),
    handle<&serve>("GET /api/v1/version"),
    handle<&serve>("GET /api/v1/config"),
    handle<&serve>("PUT /api/v1/config"),
    handle<&serve>("GET /api/v1/leds"),
    handle<&serve>("GET /api/v1/leds/{name}"),
    handle<&serve>("PUT /api/v1/leds/{name}"),
    handle<&serve>("DELETE /api/v1/leds/{name}"),
    handle<&serve>("GET /api/v1/gpio"),
    handle<&serve>("GET /api/v1/gpio/{pin}"),
    handle<&serve>("PUT /api/v1/gpio/{pin}"),
    handle<&serve>("GET /api/v1/gpio/{pin}/events"),
    handle<&serve>("GET /api/v1/sensors"),
    handle<&serve>("GET /api/v1/sensors/{id}"),
    handle<&serve>("GET /api/v1/sensors/{id}/value"),
    handle<&serve>("GET /api/v1/sensors/{id}/history"),
    handle<&serve>("PUT /api/v1/sensors/{id}/limits"),
    handle<&serve>("GET /api/v1/network"),
    handle<&serve>("PUT /api/v1/network"),
    handle<&serve>("GET /api/v1/network/{interface}"),
    handle<&serve>("PUT /api/v1/network/{interface}"),
    handle<&serve>("POST /api/v1/network/{interface}/restart"),
    handle<&serve>("GET /api/v1/users"),
    handle<&serve>("POST /api/v1/users"),
    handle<&serve>("GET /api/v1/users/{id}"),
    handle<&serve>("PUT /api/v1/users/{id}"),
    handle<&serve>("DELETE /api/v1/users/{id}"),
    handle<&serve>("POST /api/v1/login"),
    handle<&serve>("POST /api/v1/logout"),
    handle<&serve>("GET /api/v1/log"),
    handle<&serve>("GET /api/v1/log/{name}"),
    handle<&serve>("PUT /api/v1/firmware"),
    handle<&serve>("GET /api/v1/firmware"),
    handle<&serve>("POST /api/v1/reboot"),
    handle<&serve>("GET /api/v1/events"),
    handle<&serve>("GET /api/v1/thermal/{zone}"),
}};
static_assert(routes.size() == 40);
constexpr ServeMux mux{routes};

void find(benchmark::State& state, std::string_view method, std::string_view path) {
  const RouteQuery query{
      .method_id = wire::Method::get, .method = method, .host = "192.168.1.50:8080", .raw_path = path, .query = {}};
  RouteMatch match;
  for (auto _ : state) {
    mux.find(query, match);
    benchmark::DoNotOptimize(match);
  }
}

BENCHMARK_CAPTURE(find, Literal, "GET", "/api/v1/status");
BENCHMARK_CAPTURE(find, FirstLevel, "GET", "/hello");
BENCHMARK_CAPTURE(find, Wildcard, "PUT", "/api/v1/leds/green");
BENCHMARK_CAPTURE(find, LastInTheTable, "GET", "/api/v1/version");
BENCHMARK_CAPTURE(find, Rest, "GET", "/static/css/site/main.css");
BENCHMARK_CAPTURE(find, Escaped, "GET", "/api/v1/leds/a%20b");
BENCHMARK_CAPTURE(find, NotFound, "GET", "/api/v1/nothing");
BENCHMARK_CAPTURE(find, NotAllowed, "DELETE", "/api/v1/firmware");
BENCHMARK_CAPTURE(find, Unclean, "GET", "/api/v1//status");

}  // namespace
}  // namespace pollux::http

BENCHMARK_MAIN();
