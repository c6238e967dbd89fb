// What the device says about itself, as JSON and as metrics. README.md shows what the answers look like.
#pragma once

#include <cstddef>
#include <string_view>

#include "apps/device/board_info.hpp"
#include "apps/device/firmware.hpp"
#include "apps/device/gpio.hpp"
#include "apps/device/leds.hpp"
#include "apps/device/watchdog.hpp"
#include "apps/support/json.hpp"
#include "apps/support/json_read.hpp"
#include "board/facts.hpp"
#include "port/time.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_stats.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/server_context.hpp"

namespace pollux::device {

// nullptr: this server speaks no TLS.
struct TlsFacts {
  const tls::ServerContext* context = nullptr;
  tls::ArenaUse arena{};
};

// What a question about the program itself is answered from.
struct ServerFacts {
  const http::Server& server;
  http::PoolUse documents;
  port::Time started;
  std::size_t server_memory = 0;  // bytes
  std::size_t loop_memory = 0;
  std::size_t device_memory = 0;
  std::size_t tls_memory = 0;
  TlsFacts tls{};
  const Gpio* gpio = nullptr;                  // nullptr: there are no lines
  const HardwareWatchdog* watchdog = nullptr;  // nullptr: none is fed
};

[[nodiscard]] inline http::PoolUse tls_sessions(const tls::ServerContext& context) noexcept {
  return {.used = context.sessions_used(), .used_max = context.sessions_used_max(), .size = context.sessions_size()};
}

// How many of the last closes are shown, newest last.
inline constexpr std::size_t closes_shown_max = 32;

// What a program knows of the machine without asking the kernel.
struct BoardFacts {
  const board::Facts* board = nullptr;
  const HardwareWatchdog* watchdog = nullptr;  // nullptr: none is fed
};

void write_status(apps::JsonWriter& json, const BoardInfo& info, const BoardFacts& facts, port::WallTime now) noexcept;
void write_pollux(apps::JsonWriter& json, const ServerFacts& facts, port::WallTime time) noexcept;
// `label` is what people call it; without one there is no such member.
void write_led(apps::JsonWriter& json, const Led& led, std::string_view label = {}) noexcept;
// `value` is 0 or 1; negative: it is not known.
void write_gpio(apps::JsonWriter& json, const GpioLine& line, int value) noexcept;
void write_firmware(apps::JsonWriter& json, const FirmwareInfo& info) noexcept;
// {"error":{"status":400,"message":"...","offset":14,"line":1,"column":15}}
void write_error(apps::JsonWriter& json, const apps::JsonError& error) noexcept;

// The text format of Prometheus, version 0.0.4.
void write_metrics(base::TextWriter& text, const BoardInfo& info, const ServerFacts& facts,
                   port::WallTime time) noexcept;

}  // namespace pollux::device
