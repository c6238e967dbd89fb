// A board that nobody has described, with many clients.
#pragma once

#include "board/facts.hpp"

namespace pollux::board {

inline constexpr Facts facts{
    .name = "many",
    .title = "a Linux board with many clients",
    .memory_mib = 256,
    .preset = "host",
    .server_budget = std::size_t{8} << 20,
    .service_memory_mib = 96,
};

}  // namespace pollux::board
