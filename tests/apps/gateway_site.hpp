// GatewaySite: a gateway on a simulated machine, between raw clients and raw upstreams. Every turn runs with the heap forbidden, and after every
// one server and transport are asked whether their books are right.
//
//   GatewaySite site{"route / http://127.0.0.1:8081\n"};
//   RawServer& origin = site.talk.listen(8081);
//   Peer& client = site.connect();
//   client.say(get("/"));
//   Peer& upstream = origin.accept();
//   upstream.want_head_of("GET / HTTP/1.1");
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "apps/gateway/config.hpp"
#include "apps/gateway/gateway.hpp"
#include "apps/gateway/setup.hpp"
#include "apps/gateway/tunnel.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/http/transport_storage.hpp"
#include "tests/support/conversation.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {

using namespace std::chrono_literals;

// Small enough to fill within a test.
inline constexpr http::ServerLimits gateway_server_limits{.connections = 6,
                                                          .listeners = 1,
                                                          .in_buffer = 4096,
                                                          .out_buffer = 4096,
                                                          .head_size_max = 1024,
                                                          .fields_max = 24,
                                                          .state_size = 64,
                                                          .close_records = 4};
inline constexpr http::TransportLimits gateway_transport_limits{
    .connections = 8, .hosts = 4, .in_buffer = 4096, .out_buffer = 4096, .head_size_max = 1024, .fields_max = 24};
inline constexpr gateway::RelaySizes gateway_relay_sizes{
    .url = 1300, .fields = 2048, .head = 1024, .interim = 256, .trailers = 128, .field_count = 24};
inline constexpr std::size_t gateway_tunnel_count = 2;
inline constexpr std::size_t gateway_sockets =
    http::sockets_max(gateway_server_limits) + http::sockets_max(gateway_transport_limits) + 2 * gateway_tunnel_count;

struct GatewaySiteOptions {
  Conversation::Options conversation{};
  std::size_t relays = gateway_server_limits.connections;
};

class GatewaySite {
 public:
  explicit GatewaySite(std::string_view configuration, const GatewaySiteOptions& options = {})
      : talk{options.conversation},
        storage{std::make_unique<Storage>()},
        config{parsed(configuration)},
        loop{talk.port(), storage->loop.memory()},
        transport_memory{storage->transport.memory()},
        transport{gateway::transport_config(loop, transport_memory, nullptr, nullptr, config.options)},
        tunnels{loop, storage->tunnels.memory(), config.options.upgrade_timeout},
        gateway{{.config = config,
                 .transport = transport,
                 .tunnels = tunnels,
                 .memory = gateway_memory(options.relays),
                 .transport_connections = gateway_transport_limits.connections,
                 .log = {&GatewaySite::keep_log, this}}},
        server{gateway::server_config(loop, gateway, storage->server.memory(), config.options)} {
    EXPECT_TRUE(server.listen({.endpoint = {.address = port::Address::ipv4_any(80)}}));
    talk.template set_turn<heap_guard::Forbidden>(turn_);
    loop.on_turn(net::callback<&GatewaySite::check>(*this));
  }

  Peer& connect() { return talk.connect(80); }

  // Nothing is held for any request; idle connections on both sides may be there.
  void expect_quiet() {
    talk.advance(1s);
    EXPECT_EQ(server.exchanges().used, 0U);
    EXPECT_EQ(gateway.relays_used(), 0U);
    EXPECT_EQ(transport.round_trips_under_way(), 0U);
    EXPECT_EQ(transport.connections_used(), transport.connections_idle());
    EXPECT_EQ(tunnels.used(), 0U);
    for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
      EXPECT_EQ(gateway.upstreams()[i].active, 0U);
    }
  }

  struct Storage {
    http::ServerStorage<gateway_server_limits> server{};
    http::TransportStorage<gateway_transport_limits> transport{};
    gateway::GatewayStorage<gateway_server_limits.connections, gateway_relay_sizes> gateway{};
    gateway::TunnelStorage<gateway_tunnel_count, 4096> tunnels{};
    net::LoopStorage<gateway_sockets> loop{};
  };

  Conversation talk;
  std::unique_ptr<Storage> storage;
  std::string text;  // what the configuration's views point into
  gateway::Config config;
  net::Loop loop;
  http::TransportMemory transport_memory;
  http::Transport transport;
  gateway::Tunnels tunnels;
  gateway::Gateway gateway;
  http::Server server;
  std::string log;

 private:
  gateway::Config parsed(std::string_view configuration) {
    text = configuration;
    gateway::Config result;
    const auto error = gateway::parse_config(text, result);
    EXPECT_FALSE(error) << (error ? error->reason : "");
    return result;
  }
  gateway::GatewayMemory gateway_memory(std::size_t relays) {
    gateway::GatewayMemory memory = storage->gateway.memory();
    memory.count = relays;
    return memory;
  }
  static void keep_log(void* object, std::string_view line) {
    const heap_guard::Allowed for_the_log;
    static_cast<GatewaySite*>(object)->log += std::string{line} + "\n";
  }
  void check() {
    for (const std::string_view broken : {server.check(), transport.check()}) {
      if (!broken.empty()) {
        const heap_guard::Allowed for_the_message;
        ADD_FAILURE() << "after turn " << loop.turns() << ": " << broken;
      }
    }
  }
  struct Turn {
    net::Loop& loop;
    void operator()() { loop.turn(); }
  };
  Turn turn_{loop};
};

inline std::string get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: h\r\n" + std::string{fields} + "\r\n";
}

// What an upstream gets for get(): with what the gateway adds.
inline std::string forwarded(std::string_view start, std::string_view fields = {}) {
  return std::string{start} + " HTTP/1.1\r\nHost: h\r\n" + std::string{fields} +
         "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
         "Forwarded: for=127.0.0.1;host=h;proto=http\r\nVia: 1.1 pollux\r\n";
}

inline constexpr std::string_view upstream_ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view client_ok =
    "HTTP/1.1 200 OK\r\nDate: *\r\nVia: 1.1 pollux\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view one_route = "route / http://127.0.0.1:8081\n";

}  // namespace pollux::test
