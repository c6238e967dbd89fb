// Device: the REST API of the machine this program runs on. README.md has the table of what it answers.
//
//   constinit device::Device board;
//   const http::ServeMux mux{device::device_routes<board>};
//   constinit device::DeviceMemory memory;
//   if (const int number = board.start({.memory = &memory, .roots = {.sysfs = "/sys"}, .data = "/var/lib/pollux"}); number != 0) { ... }
//
// Handlers run one at a time and never wait for the network; what they read are the kernel's own small files, and an upload is written to
// the disk piece by piece as it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "apps/device/answers.hpp"
#include "apps/device/board_info.hpp"
#include "apps/device/dashboard.hpp"
#include "apps/device/device_json.hpp"
#include "apps/device/firmware.hpp"
#include "apps/device/gpio.hpp"
#include "apps/device/leds.hpp"
#include "apps/device/watchdog.hpp"
#include "apps/support/https.hpp"
#include "apps/support/json.hpp"
#include "board/facts.hpp"
#include "port/time.hpp"
#include "stack/http/handler.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/http/route_table.hpp"

namespace pollux::device {

// Nothing is known but what the kernel shows.
inline constexpr board::Facts unknown_board{.name = "unknown", .title = "a Linux machine"};

// What answers are put together in. Of its own, and all zero at the start, so that it is in .bss and not in the program's file.
struct DeviceMemory {
  Documents documents{};
  BoardInfo info{};  // of the last question
};

struct DeviceConfig {
  DeviceMemory* memory = nullptr;  // must be there, and outlive the device
  BoardRoots roots{};
  std::string_view data{};        // directory for firmware, NUL-terminated; empty: uploads are answered 503
  std::size_t server_memory = 0;  // bytes of http::ServerStorage and net::LoopStorage, to be shown
  std::size_t loop_memory = 0;
  std::size_t tls_memory = 0;
  const apps::Https* https = nullptr;  // nullptr: there is none
  const board::Facts* board = &unknown_board;
  const Gpio* gpio = nullptr;                  // nullptr: there are no lines
  const HardwareWatchdog* watchdog = nullptr;  // nullptr: none is fed
  port::Time started{};
};

class Device {
 public:
  constexpr Device() = default;

  // Before the first request. 0, or why `data` cannot be used (an errno). The views must outlive the device.
  [[nodiscard]] int start(const DeviceConfig& config) noexcept;
  [[nodiscard]] const BoardRoots& roots() const noexcept { return config_.roots; }

  // ---- handlers
  void health(http::ResponseWriter& writer, http::Request& request) noexcept;
  void status(http::ResponseWriter& writer, http::Request& request) noexcept;
  void pollux(http::ResponseWriter& writer, http::Request& request) noexcept;
  void metrics(http::ResponseWriter& writer, http::Request& request) noexcept;
  void list_leds(http::ResponseWriter& writer, http::Request& request) noexcept;
  void get_led(http::ResponseWriter& writer, http::Request& request) noexcept;
  void put_led(http::ResponseWriter& writer, http::Request& request) noexcept;
  void list_gpio(http::ResponseWriter& writer, http::Request& request) noexcept;
  void get_gpio(http::ResponseWriter& writer, http::Request& request) noexcept;
  void put_gpio(http::ResponseWriter& writer, http::Request& request) noexcept;
  void get_firmware(http::ResponseWriter& writer, http::Request& request) noexcept;
  http::Next put_firmware(http::ResponseWriter& writer, http::Request& request) noexcept;

 private:
  [[nodiscard]] Leds leds() const noexcept { return Leds{config_.roots.sysfs}; }
  // The answer that `write(apps::JsonWriter&)` makes.
  template <typename Write>
  void answer_json(http::ResponseWriter& writer, int status, Write write) noexcept;
  [[nodiscard]] ServerFacts facts(const http::Request& request) const noexcept;
  [[nodiscard]] Document* take_document(http::ResponseWriter& writer) noexcept;
  void write_led(apps::JsonWriter& json, const Led& led) const noexcept;
  void answer_led(http::ResponseWriter& writer, const Led& led) noexcept;
  void write_line(apps::JsonWriter& json, const GpioLine& line) const noexcept;
  // The line of the path; nullptr if there is none, and that has been answered.
  [[nodiscard]] const GpioLine* find_line(http::ResponseWriter& writer, const http::Request& request) const noexcept;
  [[nodiscard]] http::Next take_firmware(http::ResponseWriter& writer, http::Request& request) noexcept;
  void finish_firmware(http::ResponseWriter& writer) noexcept;
  static void answer_firmware_error(http::ResponseWriter& writer, FirmwareError error) noexcept;

  DeviceConfig config_{};
  FirmwareStore firmware_{};
};

template <typename Write>
void Device::answer_json(http::ResponseWriter& writer, int status, Write write) noexcept {
  Document* document = take_document(writer);
  if (document == nullptr) {
    return;
  }
  apps::JsonWriter json{apps::json_sink(document->text())};
  write(json);
  document->text().put('\n');
  Documents::send(writer, *document, status, "application/json");
}

// Longest body of a request that changes a LED or a GPIO line, in bytes.
inline constexpr std::uint64_t led_body_max = 1024;

// What `device`, an object with static storage, answers.
template <Device& device>
inline constexpr http::RouteTable device_routes{{
    http::handle<&serve_dashboard>("GET /{$}"),
    http::handle<&serve_dashboard>("GET /style.css"),
    http::handle<&serve_dashboard>("GET /app.js"),
    http::handle<&serve_dashboard>("GET /icon.svg"),
    http::handle<&Device::health>("GET /healthz", device),
    http::handle<&Device::metrics>("GET /metrics", device),
    http::handle<&Device::status>("GET /api/v1/status", device),
    http::handle<&Device::pollux>("GET /api/v1/pollux", device),
    http::handle<&Device::list_leds>("GET /api/v1/leds", device),
    http::handle<&Device::get_led>("GET /api/v1/leds/{name}", device),
    http::max_bytes(led_body_max, http::handle<&Device::put_led>("PUT /api/v1/leds/{name}", device)),
    http::handle<&Device::list_gpio>("GET /api/v1/gpio", device),
    http::handle<&Device::get_gpio>("GET /api/v1/gpio/{name}", device),
    http::max_bytes(led_body_max, http::handle<&Device::put_gpio>("PUT /api/v1/gpio/{name}", device)),
    http::handle<&Device::get_firmware>("GET /api/v1/firmware", device),
    http::handle<&Device::put_firmware>("PUT /api/v1/firmware", device, {.body = http::Body::streamed}),
}};

}  // namespace pollux::device
