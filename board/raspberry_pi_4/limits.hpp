// Raspberry Pi 4: the network is the limit, not the memory. 256 connections that share the buffers of 96 requests.
#pragma once

#include "stack/http/limits.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::board {

inline constexpr http::ServerLimits server_limits{
    .connections = 256,
    .exchanges = 96,
    .listeners = 4,
    .in_buffer = 8192,
    .out_buffer = 8192,
    .head_size_max = 7168,
    .fields_max = 64,
    .state_size = 128,
    .close_records = 32,
};

// For programs that call others.
inline constexpr http::TransportLimits transport_limits{
    .connections = 32,
    .hosts = 32,
    .in_buffer = 8192,
    .out_buffer = 4096,
    .head_size_max = 7168,
    .fields_max = 64,
    .decoders = 0,
};

// A TLS session keeps its record buffers while it is idle, so there are fewer of them than connections; one that is idle gives way.
inline constexpr tls::ServerTlsLimits tls_server_limits{
    .sessions = 96,
    .handshakes = 8,
    .reserved = 0,
    .certificates = 2,
    .chain_size = 8192,
    .client_ca_size = 8192,
};
inline constexpr tls::ClientTlsLimits tls_client_limits{
    .sessions = 16,
    .handshakes = 4,
    .cached = 16,
    .cached_size = 2048,
    .peer_chain_size = 16384,
};

}  // namespace pollux::board
