// A board that nobody has described: nothing is known but what its kernel shows.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

inline constexpr Facts facts{
    .name = "generic",
    .title = "a Linux board",
    .memory_mib = 64,
    .preset = "host",
    .server_budget = std::size_t{3} << 20,
    .service_memory_mib = 20,
};

}  // namespace pollux::board
