// What the folders of board/ say, against each other and against what a server takes.
//
// A board's constants are always in pollux::board, because a program is built for one board. To have all of them in one program each
// pair of headers is included into a namespace of its own, where the names they use mean the real ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "apps/device/device.hpp"
#include "apps/device/gpio.hpp"
#include "apps/support/https.hpp"
#include "board/facts.hpp"
#include "stack/http/limits.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/net/loop.hpp"
#include "stack/tls/limits.hpp"

#define BOARD_NAMES                \
  namespace pollux {               \
  namespace http = ::pollux::http; \
  namespace tls = ::pollux::tls;   \
  namespace board {                \
  using ::pollux::board::Claim;    \
  using ::pollux::board::Clock;    \
  using ::pollux::board::Facts;    \
  using ::pollux::board::Led;      \
  using ::pollux::board::Line;     \
  using ::pollux::board::Watchdog; \
  }                                \
  }

namespace in_beaglebone_black {
BOARD_NAMES
#include "board/beaglebone_black/facts.hpp"
#include "board/beaglebone_black/limits.hpp"
}  // namespace in_beaglebone_black
namespace in_generic {
BOARD_NAMES
#include "board/generic/facts.hpp"
#include "board/generic/limits.hpp"
}  // namespace in_generic
namespace in_many {
BOARD_NAMES
#include "board/many/facts.hpp"
#include "board/many/limits.hpp"
}  // namespace in_many
namespace in_qemu_virt {
BOARD_NAMES
#include "board/qemu_virt/facts.hpp"
#include "board/qemu_virt/limits.hpp"
}  // namespace in_qemu_virt
namespace in_raspberry_pi_4 {
BOARD_NAMES
#include "board/raspberry_pi_4/facts.hpp"
#include "board/raspberry_pi_4/limits.hpp"
}  // namespace in_raspberry_pi_4
namespace in_raspberry_pi_zero {
BOARD_NAMES
#include "board/raspberry_pi_zero/facts.hpp"
#include "board/raspberry_pi_zero/limits.hpp"
}  // namespace in_raspberry_pi_zero
namespace in_tiny {
BOARD_NAMES
#include "board/tiny/facts.hpp"
#include "board/tiny/limits.hpp"
}  // namespace in_tiny
namespace in_visionfive_2 {
BOARD_NAMES
#include "board/visionfive_2/facts.hpp"
#include "board/visionfive_2/limits.hpp"
}  // namespace in_visionfive_2

namespace pollux::test {
namespace {

struct Board {
  std::string_view folder;
  const board::Facts& facts;
  std::uint32_t connections;
  std::size_t server_size;
  std::size_t device_size;  // of all that pollux-device sets aside
};

template <http::ServerLimits limits, tls::ServerTlsLimits tls_limits>
constexpr std::size_t server_size() {
  return sizeof(http::ServerStorage<limits>) +
         sizeof(net::LoopStorage<http::sockets_max(limits) + apps::https_sockets_max>) +
         (POLLUX_TLS != 0 ? sizeof(apps::HttpsStorage<tls_limits>) : 0);
}

#define BOARD(name)                                                                                            \
  Board {                                                                                                      \
#name, in_##name::pollux::board::facts, in_##name::pollux::board::server_limits.connections,               \
        server_size < in_##name::pollux::board::server_limits, in_##name::pollux::board::tls_server_limits>(), \
        server_size < in_##name::pollux::board::server_limits,                                                 \
        in_##name::pollux::board::tls_server_limits>() + sizeof(device::Device) + sizeof(device::DeviceMemory) \
  }

const Board boards[] = {
    BOARD(beaglebone_black), BOARD(generic),           BOARD(many), BOARD(qemu_virt),
    BOARD(raspberry_pi_4),   BOARD(raspberry_pi_zero), BOARD(tiny), BOARD(visionfive_2),
};

std::string read(const std::string& path) {
  std::ifstream file{POLLUX_ROOT "/" + path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// A machine, not a profile of limits.
bool is_machine(const Board& board) {
  return board.facts.preset != "host";
}

TEST(Board, AreAllHere) {
  std::set<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator{POLLUX_ROOT "/board"}) {
    if (std::filesystem::exists(entry.path() / "limits.hpp")) {
      folders.insert(entry.path().filename());
    }
  }
  std::set<std::string> known;
  for (const Board& board : boards) {
    known.emplace(board.folder);
    EXPECT_EQ(board.facts.name, board.folder);
    EXPECT_FALSE(board.facts.title.empty()) << board.folder;
  }
  EXPECT_EQ(folders, known);
}

TEST(Board, KeepItsBudget) {
  for (const Board& board : boards) {
    EXPECT_LE(board.server_size, board.facts.server_budget) << board.folder;
    EXPECT_GE(board.facts.memory_mib, 16U) << board.folder;
    // A server is a guest on its machine.
    EXPECT_LE(board.facts.server_budget, (std::size_t{board.facts.memory_mib} << 20) / 16) << board.folder;
  }
}

TEST(Board, LetTheServiceHaveWhatItNeeds) {
  for (const Board& board : boards) {
    const std::size_t needs = board::service_memory(board.device_size, board.connections);
    const std::size_t gets = std::size_t{board.facts.service_memory_mib} << 20;
    EXPECT_GE(gets, needs) << board.folder;
    EXPECT_LE(gets, needs + needs / 4) << board.folder;
    EXPECT_LE(board.facts.service_memory_mib, board.facts.memory_mib) << board.folder;
  }
}

TEST(Board, NameThingsOnce) {
  for (const Board& board : boards) {
    std::set<std::string_view> names;
    for (const board::Led& led : board.facts.leds) {
      EXPECT_TRUE(names.insert(led.name).second) << board.folder << ": " << led.name;
      EXPECT_FALSE(led.label.empty()) << led.name;
    }
    names.clear();
    std::set<std::pair<std::string_view, std::uint32_t>> places;
    EXPECT_LE(board.facts.lines.size() + 16, device::Gpio::lines_max) << "16 of --gpio fit besides";
    for (const board::Line& line : board.facts.lines) {
      EXPECT_TRUE(names.insert(line.name).second) << board.folder << ": " << line.name;
      EXPECT_TRUE(places.insert({line.chip, line.offset}).second) << board.folder << ": " << line.name;
      EXPECT_EQ(device::Gpio::check(line.name, board.facts.lines), nullptr) << line.name;
    }
  }
}

TEST(Board, AskTheirWatchdogForWhatItCan) {
  for (const Board& board : boards) {
    const board::Watchdog& watchdog = board.facts.watchdog;
    EXPECT_EQ(watchdog.device.empty(), !is_machine(board)) << board.folder;
    EXPECT_EQ(watchdog.device.empty(), watchdog.driver.empty()) << board.folder;
    EXPECT_LE(watchdog.seconds, watchdog.seconds_max) << board.folder;
    EXPECT_EQ(watchdog.seconds == 0, watchdog.device.empty()) << board.folder;
  }
}

TEST(Board, CanBeBuilt) {
  const std::string presets = read("board/presets.json");
  const std::string toolchains = read("toolchains/presets.json");
  for (const Board& board : boards) {
    const std::string folder{board.folder};
    EXPECT_GT(read("board/" + folder + "/README.md").size(), 50U) << folder;
    if (!is_machine(board)) {
      continue;
    }
    EXPECT_EQ(read("board/" + folder + "/toolchain"), std::string{board.facts.preset} + "\n") << folder;
    EXPECT_NE(presets.find("\"POLLUX_BOARD\": \"" + folder + "\""), std::string::npos) << folder;
    EXPECT_NE(presets.find("\"inherits\": [\"board\", \"" + std::string{board.facts.preset} + "\"]"), std::string::npos)
        << folder;
    EXPECT_NE(toolchains.find("\"name\": \"" + std::string{board.facts.preset} + "\""), std::string::npos) << folder;
  }
}

}  // namespace
}  // namespace pollux::test
