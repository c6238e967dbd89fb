// pollux-device: the REST API and the dashboard of the machine this runs on. README.md has the table of what it answers.
#include <stdio.h>
#include <string.h>

#include "apps/device/access.hpp"
#include "apps/device/device.hpp"
#include "apps/support/serve.hpp"
#include "board/limits.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"

using namespace pollux;

namespace {

constinit http::ServerStorage<board::server_limits> storage;
constinit net::LoopStorage<http::sockets_max(board::server_limits)> loop_storage;
constinit device::Device board_device;

struct DeviceOptions {
  device::BoardRoots roots;
  std::string_view data;
  std::uint64_t firmware_max = std::uint64_t{256} << 20;
  apps::TextList allowed_hosts;
};

void add(apps::Options& options, DeviceOptions& device) noexcept {
  options.text("--sysfs", "DIR", "where the kernel's devices are, instead of /sys", device.roots.sysfs)
      .text("--procfs", "DIR", "where the kernel's processes are, instead of /proc", device.roots.procfs)
      .text("--data", "DIR", "where uploaded firmware is kept; without it none is taken", device.data)
      .number("--firmware-max", "BYTES", "largest firmware image", device.firmware_max, {.min = 1, .max = INT64_MAX})
      .list("--allow-host", "NAME", "one more host name to answer to, besides addresses, localhost and *.local",
            device.allowed_hosts);
}

}  // namespace

int main(int argc, char** argv) {
  apps::Options options{"pollux-device", "Shows and switches the machine it runs on: a REST API and a page."};
  apps::ServeOptions serving;
  apps::add(options, serving);
  DeviceOptions device_options;
  add(options, device_options);
  if (const auto status = options.parse(argc, argv)) {
    return *status;
  }
  port::LinuxPort port;
  net::Loop loop{port, loop_storage.memory()};
  const int number = board_device.start({.roots = device_options.roots,
                                         .data = device_options.data,
                                         .server_memory = sizeof storage,
                                         .loop_memory = sizeof loop_storage,
                                         .started = port.now()});
  if (number != 0) {
    fprintf(stderr, "pollux-device: --data: %s: %s\n", device_options.data.data(), strerror(number));
    return 2;
  }
  const http::ServeMux mux{device::device_routes<board_device>};
  const device::HostGuard guard{mux, board_device.roots(), device_options.allowed_hosts.values()};
  http::Server server{
      {.loop = loop, .handler = guard, .memory = storage.memory(), .body_max = device_options.firmware_max}};
  return apps::serve(server, port, serving);
}
