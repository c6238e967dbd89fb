// The facts of the board this build is for: board::facts. CMake's POLLUX_BOARD chooses the folder; without CMake it is board/generic, or what
// POLLUX_BOARD_FACTS names, quotes included. A folder of limits without facts has those of board/generic.
#pragma once

#ifndef POLLUX_BOARD_FACTS
#define POLLUX_BOARD_FACTS "board/generic/facts.hpp"
#endif

#include POLLUX_BOARD_FACTS
