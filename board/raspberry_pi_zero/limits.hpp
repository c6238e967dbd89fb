// Raspberry Pi Zero: 512 MB are plenty, one slow processor is not. A handshake takes it tens of milliseconds, so two at once, and fewer sessions.
#pragma once

#include "stack/http/limits.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::board {

inline constexpr http::ServerLimits server_limits{
    .connections = 48,
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
    .connections = 16,
    .hosts = 16,
    .in_buffer = 8192,
    .out_buffer = 4096,
    .head_size_max = 7168,
    .fields_max = 64,
    .decoders = 0,
};

// A browser opens up to six connections: four of them fill this.
inline constexpr tls::ServerTlsLimits tls_server_limits{
    .sessions = 24,
    .handshakes = 2,
    .reserved = 0,
    .certificates = 2,
    .chain_size = 8192,
    .client_ca_size = 8192,
};
inline constexpr tls::ClientTlsLimits tls_client_limits{
    .sessions = 8,
    .handshakes = 2,
    .cached = 8,
    .cached_size = 2048,
    .peer_chain_size = 16384,
};

}  // namespace pollux::board
