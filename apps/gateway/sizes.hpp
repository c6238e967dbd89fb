// What the gateway is made for: every size of the program in one place. All of it is zero until it is used, so a gateway with little to do
// takes few pages of it.
#pragma once

#include "apps/gateway/gateway.hpp"
#include "apps/gateway/tunnel.hpp"
#include "stack/http/limits.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::gateway {

inline constexpr http::ServerLimits server_limits{
    .connections = 256,
    .listeners = 16,
    .in_buffer = 16 * 1024,
    .out_buffer = 32 * 1024,
    .head_size_max = 12 * 1024,
    .fields_max = 100,
    .state_size = 64,
    .close_records = 32,
};

// More connections than there can be calls, so that a call never waits for one and some stay idle when all are busy.
inline constexpr http::TransportLimits transport_limits{
    .connections = server_limits.connections + 64,
    .hosts = upstreams_max,
    .in_buffer = 32 * 1024,
    .out_buffer = 16 * 1024,
    .head_size_max = 12 * 1024,
    .fields_max = 100,
};

// Fewer TLS sessions than connections, because each keeps its record buffers: about 4 MiB for each side, which only a gateway that speaks TLS
// there touches. When all are in use an idle one gives way, or a connection waits.
inline constexpr tls::ServerTlsLimits tls_server_limits{
    .sessions = 128,
    .handshakes = 8,
    .certificates = 8,
    .chain_size = 8192,
    .client_ca_size = 16 * 1024,
};
inline constexpr tls::ClientTlsLimits tls_client_limits{
    .sessions = 128,
    .handshakes = 4,
    .cached = upstreams_max,
    .cached_size = 2048,
    .peer_chain_size = 16 * 1024,
};

inline constexpr RelaySizes relay_sizes{.head = transport_limits.head_size_max,
                                        .field_count = transport_limits.fields_max};
inline constexpr std::size_t relay_count = server_limits.exchange_count();
inline constexpr std::size_t tunnel_count = 64;
inline constexpr std::size_t tunnel_buffer = 16 * 1024;

static_assert(server_limits.out_buffer / 2 >= transport_limits.head_size_max + 1024,
              "an answer's head, and what the gateway adds, must fit into half of the output buffer, which is what is "
              "free when it begins");
static_assert(transport_limits.out_buffer >= server_limits.head_size_max + 2048,
              "a request's head, and what the gateway adds, must fit into the output buffer");
static_assert(tunnel_buffer >= server_limits.in_buffer, "what a client sent behind its upgrade must fit into a tunnel");
static_assert(tunnel_buffer >= transport_limits.head_size_max + 1024, "the head of a 101 must fit into a tunnel");

}  // namespace pollux::gateway
