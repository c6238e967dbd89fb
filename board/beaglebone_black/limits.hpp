// BeagleBone Black: as board/generic, with fewer handshakes at once for its one processor.
#pragma once

#include "stack/http/limits.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::board {

inline constexpr http::ServerLimits server_limits{
    .connections = 64,
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

// About 1 MiB, which a program that was not told to serve https never touches.
inline constexpr tls::ServerTlsLimits tls_server_limits{
    .sessions = 32,
    .handshakes = 3,
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
