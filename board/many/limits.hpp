// Many mostly idle clients: 1,000 connections that share the buffers of 64 exchanges. An idle connection holds none of them.
#pragma once

#include "stack/http/limits.hpp"

namespace pollux::board {

inline constexpr http::ServerLimits server_limits{
    .connections = 1000,
    .exchanges = 64,
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
    .connections = 64,
    .hosts = 64,
    .in_buffer = 8192,
    .out_buffer = 8192,
    .head_size_max = 7168,
    .fields_max = 64,
    .decoders = 4,
};

}  // namespace pollux::board
