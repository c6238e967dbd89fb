#include "apps/gateway/status.hpp"

#include <chrono>

#include "apps/gateway/gateway.hpp"
#include "apps/support/json.hpp"
#include "stack/http/server.hpp"

namespace pollux::gateway {

namespace {

std::string_view describe(Health health) noexcept {
  switch (health) {
    case Health::up:
      return "up";
    case Health::out:
      return "out";
    case Health::on_trial:
      return "on trial";
  }
  return "";
}

void put_upstreams(apps::JsonWriter& json, const Gateway& gateway, port::Time now) noexcept {
  json.key("upstreams").begin_array();
  const auto configs = gateway.config().upstreams.all();
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const Upstream& upstream = gateway.upstreams()[i];
    json.begin_object().member("url", configs[i].text).member("health", describe(upstream.health));
    json.member("active", upstream.active).member("fails", upstream.fails).member("requests", upstream.requests);
    json.member("answered", upstream.answered).member("failures", upstream.failures);
    json.member("times_out", upstream.times_out);
    if (upstream.health == Health::out) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(upstream.back_at - now).count();
      json.member("back_in_ms", left > 0 ? left : 0);
    }
    json.end_object();
  }
  json.end_array();
}

void put_pool(apps::JsonWriter& json, std::string_view name, std::size_t used, std::size_t used_max,
              std::size_t size) noexcept {
  json.key(name).begin_object().member("used", used).member("used_max", used_max).member("size", size).end_object();
}

}  // namespace

void show_status(const Gateway& gateway, http::ResponseWriter& writer, const http::Request& request) noexcept {
  if (request.method_id() != wire::Method::get && request.method_id() != wire::Method::head) {
    writer.set("Allow", "GET, HEAD");
    http::error(writer, 405, "405 method not allowed");
    return;
  }
  writer.set("Content-Type", "application/json");
  writer.set("Cache-Control", "no-store");
  apps::JsonWriter json{apps::json_sink(writer)};
  json.begin_object();
  put_upstreams(json, gateway, request.now());

  const GatewayCounters& counters = gateway.counters();
  json.key("gateway").begin_object();
  json.member("requests", counters.requests).member("passed", counters.passed).member("retried", counters.retried);
  json.member("failed", counters.failed).member("cut", counters.cut).member("upgraded", counters.upgraded);
  json.member("no_relay", counters.no_relay).member("no_tunnel", counters.no_tunnel).end_object();

  const http::ServerCounters& server = request.server().counters();
  json.key("server").begin_object();
  json.member("accepted", server.accepted).member("requests", server.requests);
  json.member("bytes_in", server.bytes_in).member("bytes_out", server.bytes_out).end_object();

  const http::TransportCounters& transport = gateway.transport().counters();
  json.key("transport").begin_object();
  json.member("round_trips", transport.round_trips).member("failed", transport.failed);
  json.member("dials", transport.dials).member("dials_failed", transport.dials_failed);
  json.member("reused", transport.reused).member("retried", transport.retried);
  json.member("bytes_sent", transport.bytes_sent).member("bytes_received", transport.bytes_received).end_object();

  if (const tls::ServerContext* tls = gateway.server_tls()) {
    const tls::ServerTlsCounters& handshakes = tls->counters();
    json.key("tls").begin_object();
    json.member("handshakes", handshakes.handshakes).member("resumed", handshakes.resumed);
    json.member("failed", handshakes.failed).member("waited", handshakes.waited);
    json.member("plain_http", handshakes.plain_http).member("reloads", handshakes.reloads).end_object();
  }
  if (const tls::ClientContext* tls = gateway.transport().config().tls) {
    const tls::ClientTlsCounters& handshakes = tls->counters();
    json.key("upstream_tls").begin_object();
    json.member("handshakes", handshakes.handshakes).member("resumed", handshakes.resumed);
    json.member("failed", handshakes.failed).member("waited", handshakes.waited).end_object();
  }

  json.key("pools").begin_object();
  const http::PoolUse connections = request.server().connections();
  put_pool(json, "connections", connections.used, connections.used_max, connections.size);
  const http::PoolUse exchanges = request.server().exchanges();
  put_pool(json, "exchanges", exchanges.used, exchanges.used_max, exchanges.size);
  put_pool(json, "relays", gateway.relays_used(), gateway.relays_used_max(), gateway.relays_size());
  if (const tls::ServerContext* tls = gateway.server_tls()) {
    put_pool(json, "tls_sessions", tls->sessions_used(), tls->sessions_used_max(), tls->sessions_size());
  }
  const http::Transport& calls = gateway.transport();
  put_pool(json, "upstream_connections", calls.connections_used(), calls.connections_used_max(),
           gateway.transport_connections());
  put_pool(json, "tunnels", gateway.tunnels().used(), gateway.tunnels().used_max(), gateway.tunnels().size());
  json.end_object();
  json.member("upstream_connections_idle", calls.connections_idle());
  json.end_object();
  writer.write("\n");
}

}  // namespace pollux::gateway
