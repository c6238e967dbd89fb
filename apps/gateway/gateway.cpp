#include "apps/gateway/gateway.hpp"

#include <memory>

#include "apps/gateway/forward.hpp"
#include "apps/gateway/status.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::gateway {

namespace {

// "EXAMPLE.com:8080" and "example.com" are the same host for a route.
bool is_host(std::string_view host, std::string_view wanted) noexcept {
  return base::equal_ignoring_case(wire::strip_port(host), wanted);
}

bool is_better(const RouteConfig& route, const RouteConfig& than) noexcept {
  if (route.host.empty() != than.host.empty()) {
    return than.host.empty();
  }
  return route.prefix.size() > than.prefix.size();
}

}  // namespace

Gateway::Gateway(const GatewaySettings& settings) noexcept
    : settings_{settings},
      upstreams_{settings.config},
      route_{.pattern = "/",
             .handler = http::handler<&Gateway::serve>(*this),
             .options = {.body = http::Body::streamed, .body_max = settings.config.options.max_body}} {
  const GatewayMemory& memory = settings_.memory;
  const RelaySizes& sizes = memory.sizes;
  const std::size_t text_size = sizes.url + sizes.fields + sizes.head + sizes.interim + sizes.trailers;
  for (std::size_t i = 0; i < memory.count; ++i) {
    std::span<char> text = memory.texts.subspan(i * text_size, text_size);
    const auto take = [&text](std::size_t size) {
      const std::span<char> taken = text.first(size);
      text = text.subspan(size);
      return taken;
    };
    const std::span<char> url = take(sizes.url);
    const std::span<char> fields = take(sizes.fields);
    const std::span<char> head = take(sizes.head);
    const std::span<char> interim = take(sizes.interim);
    auto* relay = ::new (static_cast<void*>(memory.relays.data() + i * sizeof(Relay)))
        Relay{*this, settings_.transport,
              RelayMemory{.trip = {.url = url, .fields = fields},
                          .head = head,
                          .interim = interim,
                          .trailers = take(sizes.trailers),
                          .fields = memory.fields.subspan(i * sizes.field_count, sizes.field_count)}};
    free_.push_back(*relay);
  }
}

Gateway::~Gateway() {
  for (std::size_t i = 0; i < settings_.memory.count; ++i) {
    std::destroy_at(&relay(i));
  }
}

Relay& Gateway::relay(std::size_t index) const noexcept {
  return *std::launder(static_cast<Relay*>(static_cast<void*>(settings_.memory.relays.data() + index * sizeof(Relay))));
}

void Gateway::give_back(Relay& relay) noexcept {
  ENSURE(relays_used_ > 0);
  --relays_used_;
  free_.push_front(relay);
}

void Gateway::find(const http::RouteQuery& /*query*/, http::RouteMatch& match) const {
  match.route = &route_;
}

std::optional<std::size_t> Gateway::find_route(std::string_view host, std::string_view path) const noexcept {
  const auto routes = settings_.config.routes.all();
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const RouteConfig& route = routes[i];
    if (!has_prefix(path, route.prefix) || (!route.host.empty() && !is_host(host, route.host))) {
      continue;
    }
    if (!best || is_better(route, routes[*best])) {
      best = i;
    }
  }
  return best;
}

http::Next Gateway::serve(http::ResponseWriter& writer, http::Request& request) {
  if (request.event() == http::Event::start) {
    return start(writer, request);
  }
  return request.state<Kept>().relay->go_on(writer, request);
}

http::Next Gateway::start(http::ResponseWriter& writer, http::Request& request) noexcept {
  const Config& config = settings_.config;
  const wire::Method method = request.method_id();
  if (!config.status_path.empty() && request.path() == config.status_path) {
    show_status(*this, writer, request);
    return http::Next::done;
  }
  if (method == wire::Method::connect || method == wire::Method::trace) {
    http::error(writer, 405, "this method is not forwarded");
    return http::Next::done;
  }
  if (leads_up(request.path())) {
    http::error(writer, 400, "a path with .. is not forwarded");
    return http::Next::done;
  }
  if (method == wire::Method::options && request.field("Max-Forwards") == "0") {
    writer.status(200);  // the gateway itself was meant (RFC 9110 section 7.6.2)
    return http::Next::done;
  }
  const auto route = find_route(request.host(), request.path());
  if (!route) {
    http::not_found(writer);
    return http::Next::done;
  }
  ++counters_.requests;
  Relay* relay = free_.pop_front();
  if (relay == nullptr) {
    ++counters_.no_relay;
    writer.set("Retry-After", "1");
    http::error(writer, 503, "the gateway has too much to do");
    return http::Next::done;
  }
  ++relays_used_;
  relays_used_max_ = relays_used_ > relays_used_max_ ? relays_used_ : relays_used_max_;
  request.state<Kept>().relay = relay;
  return relay->begin(writer, request, *route);
}

void Gateway::log_upstream(std::size_t upstream, std::string_view what, std::string_view reason) noexcept {
  if (!settings_.log) {
    return;
  }
  std::array<char, 400> memory;
  base::TextWriter text{memory};
  text.put(settings_.config.upstreams[upstream].text).put(' ').put(what);
  if (!reason.empty()) {
    text.put(": ").put(reason);
  }
  settings_.log(text.view());
}

}  // namespace pollux::gateway
