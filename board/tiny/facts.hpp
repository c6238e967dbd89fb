// No machine: the tests' board.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

inline constexpr Facts facts{
    .name = "tiny",
    .title = "the smallest limits",
    .memory_mib = 16,
    .preset = "host",
    .server_budget = std::size_t{256} << 10,
    .service_memory_mib = 14,
};

}  // namespace pollux::board
