// Gateway: a reverse proxy - the router and handler of a Server, and the user of a Transport on the same loop.
//
//   constinit gateway::GatewayStorage<64, sizes> memory;
//   gateway::Gateway gateway{{.config = config, .transport = transport, .tunnels = tunnels, .memory = memory.memory()}};
//   http::Server server{{.loop = loop, .handler = gateway, ...}};
//
// A request holds a Relay from its head to the end of its answer; with as many as the server has exchanges none is ever missing. When something
// runs out:
//   relays        503 with Retry-After
//   tunnels       503 with Retry-After, and the upgraded connection is closed
//   upstreams     all of a route are out: the one that failed longest ago is tried; if that fails too: 503 with Retry-After
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string_view>

#include "apps/gateway/config.hpp"
#include "apps/gateway/relay.hpp"
#include "apps/gateway/tunnel.hpp"
#include "apps/gateway/upstreams.hpp"
#include "apps/support/https.hpp"
#include "stack/base/list.hpp"
#include "stack/http/router.hpp"
#include "stack/http/transport.hpp"

namespace pollux::gateway {

// Bytes for each relay.
struct RelaySizes {
  std::size_t url = 13 * 1024;      // an upstream's name and the longest target
  std::size_t fields = 16 * 1024;   // the longest head, and what the gateway adds
  std::size_t head = 12 * 1024;     // of an answer: the transport's head_size_max
  std::size_t interim = 2 * 1024;   // a longer 1xx head is not passed on
  std::size_t trailers = 2 * 1024;  // of an answer; longer ones are not passed on
  std::size_t field_count = 100;    // of an answer: the transport's fields_max
};

struct GatewayMemory {
  std::span<std::byte> relays;  // sizeof(Relay) for each
  std::span<char> texts;        // all sizes of RelaySizes but the last, for each
  std::span<wire::Field> fields;
  RelaySizes sizes;
  std::size_t count = 0;
};

template <std::size_t count, RelaySizes sizes = RelaySizes{}>
struct GatewayStorage {
  static constexpr std::size_t text_size = sizes.url + sizes.fields + sizes.head + sizes.interim + sizes.trailers;
  alignas(Relay) std::array<std::byte, count * sizeof(Relay)> relays{};
  std::array<char, count * text_size> texts{};
  std::array<wire::Field, count * sizes.field_count> fields{};
  [[nodiscard]] GatewayMemory memory() noexcept {
    return {.relays = relays, .texts = texts, .fields = fields, .sizes = sizes, .count = count};
  }
};

struct GatewayCounters {
  std::uint64_t requests = 0;  // that had a route
  std::uint64_t passed = 0;    // answers of upstreams
  std::uint64_t retried = 0;   // sent to another upstream after one could not be reached
  std::uint64_t failed = 0;    // 502, 503, 504 of our own
  std::uint64_t cut = 0;       // answers that broke off in the middle because the upstream did
  std::uint64_t upgraded = 0;
  std::uint64_t no_relay = 0;  // 503 because every relay was busy
  std::uint64_t no_tunnel = 0;
};

struct GatewaySettings {
  const Config& config;
  http::Transport& transport;
  Tunnels& tunnels;
  GatewayMemory memory;
  std::size_t transport_connections = 0;  // how many the transport has, for the status page
  net::Callback<std::string_view> log{};  // one line: an upstream is out, or is back
  const apps::Https* https = nullptr;     // of the server, for the status page
};

class Gateway final : public http::Router {
 public:
  explicit Gateway(const GatewaySettings& settings) noexcept;
  // After its server.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void find(const http::RouteQuery& query, http::RouteMatch& match) const override;

  [[nodiscard]] const Config& config() const noexcept { return settings_.config; }
  // nullptr: clients are not spoken to by TLS.
  [[nodiscard]] const tls::ServerContext* server_tls() const noexcept {
    return settings_.https != nullptr ? settings_.https->context() : nullptr;
  }
  [[nodiscard]] const Upstreams& upstreams() const noexcept { return upstreams_; }
  [[nodiscard]] const GatewayCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] http::Transport& transport() const noexcept { return settings_.transport; }
  [[nodiscard]] const Tunnels& tunnels() const noexcept { return settings_.tunnels; }
  [[nodiscard]] std::size_t relays_used() const noexcept { return relays_used_; }
  [[nodiscard]] std::size_t relays_used_max() const noexcept { return relays_used_max_; }
  [[nodiscard]] std::size_t relays_size() const noexcept { return settings_.memory.count; }
  [[nodiscard]] std::size_t transport_connections() const noexcept { return settings_.transport_connections; }
  // The route of a request: a route that names its host before one that does not, then the longest prefix.
  [[nodiscard]] std::optional<std::size_t> find_route(std::string_view host, std::string_view path) const noexcept;

 private:
  friend class Relay;
  struct Kept {
    Relay* relay;
  };
  [[nodiscard]] http::Next serve(http::ResponseWriter& writer, http::Request& request);
  [[nodiscard]] http::Next start(http::ResponseWriter& writer, http::Request& request) noexcept;
  [[nodiscard]] Relay& relay(std::size_t index) const noexcept;
  void give_back(Relay& relay) noexcept;
  void log_upstream(std::size_t upstream, std::string_view what, std::string_view reason) noexcept;

  GatewaySettings settings_;
  Upstreams upstreams_;
  GatewayCounters counters_{};
  http::Route route_;
  base::List<Relay, &Relay::link> free_;
  std::size_t relays_used_ = 0;
  std::size_t relays_used_max_ = 0;
};

}  // namespace pollux::gateway
