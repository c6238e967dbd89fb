// The smallest limits that compile (see check_limits() in stack/http/server_storage.hpp). For tests: whatever is written for one
// connection and a 128-byte head works with more. A browser's head does not fit into it. Only state_size is larger than it must be,
// because the handlers of apps/ keep something between their calls.
#pragma once

#include "stack/http/limits.hpp"
#include "stack/tls/limits.hpp"

namespace pollux::board {

inline constexpr http::ServerLimits server_limits{
    .connections = 1,
    .listeners = 1,
    .in_buffer = 129,
    .out_buffer = 512,
    .head_size_max = 128,
    .fields_max = 4,
    .state_size = 128,
    .close_records = 1,
};

// One connection to one host; the input buffer is as small as a proxy's exchange lets it be.
inline constexpr http::TransportLimits transport_limits{
    .connections = 1,
    .hosts = 1,
    .in_buffer = 4096,
    .out_buffer = 512,
    .head_size_max = 128,
    .fields_max = 4,
    .decoders = 0,
};

// One session, whose record buffers are what they are anywhere: peers may send 16 KiB at once.
inline constexpr tls::ServerTlsLimits tls_server_limits{
    .sessions = 1,
    .handshakes = 1,
    .reserved = 0,
    .certificates = 1,
    .chain_size = 2048,
    .client_ca_size = 2048,
};
inline constexpr tls::ClientTlsLimits tls_client_limits{
    .sessions = 1,
    .handshakes = 1,
    .cached = 1,
    .cached_size = 2048,
    .peer_chain_size = 4096,
};

}  // namespace pollux::board
