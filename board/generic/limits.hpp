// The default profile: a Linux board with 64 MB of memory or more. About 1.3 MiB, printed exactly by the target memory-report.
#pragma once

#include "stack/http/limits.hpp"

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

// For programs that call others; about 0.3 MiB.
inline constexpr http::TransportLimits transport_limits{
    .connections = 16,
    .hosts = 16,
    .in_buffer = 8192,
    .out_buffer = 4096,
    .head_size_max = 7168,
    .fields_max = 64,
    .decoders = 0,
};

}  // namespace pollux::board
