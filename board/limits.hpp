// The limits of the board this build is for: board::server_limits. CMake's POLLUX_BOARD chooses the profile; without CMake it is
// board/generic, or what POLLUX_BOARD_LIMITS names, quotes included.
#pragma once

#ifndef POLLUX_BOARD_LIMITS
#define POLLUX_BOARD_LIMITS "board/generic/limits.hpp"
#endif

#include POLLUX_BOARD_LIMITS
