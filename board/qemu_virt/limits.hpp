// A machine of 64 MB, where the kernel has taken a third: 32 connections that share the buffers of 16 requests. A browser's head fits into 4 KiB.
#pragma once

#include "stack/http/limits.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::board {

inline constexpr http::ServerLimits server_limits{
    .connections = 32,
    .exchanges = 16,
    .listeners = 4,
    .in_buffer = 5120,
    .out_buffer = 4096,
    .head_size_max = 4096,
    .fields_max = 64,
    .state_size = 128,
    .close_records = 32,
};

// For programs that call others.
inline constexpr http::TransportLimits transport_limits{
    .connections = 4,
    .hosts = 4,
    .in_buffer = 8192,
    .out_buffer = 4096,
    .head_size_max = 7168,
    .fields_max = 64,
    .decoders = 0,
};

// Two browsers.
inline constexpr tls::ServerTlsLimits tls_server_limits{
    .sessions = 10,
    .handshakes = 2,
    .reserved = 0,
    .certificates = 2,
    .chain_size = 8192,
    .client_ca_size = 8192,
};
inline constexpr tls::ClientTlsLimits tls_client_limits{
    .sessions = 2,
    .handshakes = 1,
    .cached = 4,
    .cached_size = 2048,
    .peer_chain_size = 16384,
};

}  // namespace pollux::board
