// pollux-device: the REST API and the dashboard of the machine this runs on. README.md has the table of what it answers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/device/access.hpp"
#include "apps/device/device.hpp"
#include "apps/device/gpio.hpp"
#include "apps/device/own_certificate.hpp"
#include "apps/device/watchdog.hpp"
#include "apps/support/https.hpp"
#include "apps/support/line.hpp"
#include "apps/support/serve.hpp"
#include "board/board.hpp"
#include "board/limits.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"

using namespace pollux;

namespace {

constinit http::ServerStorage<board::server_limits> storage;
constinit net::LoopStorage<http::sockets_max(board::server_limits) + apps::https_sockets_max> loop_storage;
constinit apps::HttpsStorage<board::tls_server_limits> https_storage;
constinit device::Device board_device;
constinit device::DeviceMemory device_memory;
constinit device::Gpio gpio;

// What the units in board/systemd let this program have must be enough for what it sets aside.
constexpr std::size_t own_memory = sizeof storage + sizeof loop_storage + (POLLUX_TLS != 0 ? sizeof https_storage : 0) +
                                   sizeof board_device + sizeof device_memory;
static_assert(
    board::service_memory(own_memory, board::server_limits.connections) <= std::size_t{board::facts.service_memory_mib}
                                                                               << 20,
    "service_memory_mib of this board is less than its limits need: see service_memory() in board/facts.hpp, and "
    "give the board a facts.hpp beside its limits.hpp");

struct DeviceOptions {
  device::BoardRoots roots;
  std::string_view data;
  std::uint64_t firmware_max = std::uint64_t{256} << 20;
  apps::TextList allowed_hosts;
  std::string_view self_signed;
  apps::TextList gpio;
  std::string_view watchdog;
};

const char* check_gpio(std::string_view value) {
  return device::Gpio::check(value, board::facts.lines);
}

const char* check_watchdog(std::string_view value) {
  if (device::parse_watchdog(value, board::facts.watchdog)) {
    return nullptr;
  }
  return value == "board" ? "is not known: this program is built for a board without a watchdog"
                          : "is not DEVICE[:SECONDS] with a path, or board";
}

void add(apps::Options& options, DeviceOptions& device) noexcept {
  options.text("--sysfs", "DIR", "where the kernel's devices are, instead of /sys", device.roots.sysfs)
      .text("--procfs", "DIR", "where the kernel's processes are, instead of /proc", device.roots.procfs)
      .text("--data", "DIR", "where uploaded firmware is kept; without it none is taken", device.data)
      .number("--firmware-max", "BYTES", "largest firmware image", device.firmware_max, {.min = 1, .max = INT64_MAX})
      .list("--allow-host", "NAME", "one more host name to answer to, besides addresses, localhost and *.local",
            device.allowed_hosts)
      .list("--gpio", "NAME=CHIP:LINE[:in|out]",
            "a line of a GPIO chip to read or switch; NAME alone for one of this board's", device.gpio, check_gpio)
      .text("--watchdog", "DEVICE[:SECONDS]",
            "feed this hardware watchdog, /dev/watchdog0 say, or board for this board's", device.watchdog,
            check_watchdog);
#if POLLUX_TLS
  options.text("--tls-self-signed", "DIR", "serve https with a certificate of its own; made there on the first start",
               device.self_signed);
#endif
}

#if POLLUX_TLS
// What a person compares with what the browser shows before trusting it.
void print_certificate(const device::OwnCertificate& own, const tls::CertificateInfo& info) noexcept {
  std::array<char, tls::fingerprint_text_size> memory{};
  apps::print_line(STDOUT_FILENO, own.is_new() ? "made certificate " : "certificate ", own.certificate(),
                   ", valid until ", apps::DateText{info.not_after}.view());
  apps::print_line(STDOUT_FILENO, "SHA-256 fingerprint ", tls::write_fingerprint(info.fingerprint, memory));
}

// --tls-self-signed: the certificate is there, and `serving` names it. 0, or the program's exit status.
int prepare_own_certificate(const DeviceOptions& options, apps::Https& https, device::OwnCertificate& own,
                            apps::ServeOptions& serving) noexcept {
  if (options.self_signed.empty()) {
    return 0;
  }
  if (serving.https.is_on()) {
    apps::print_line(STDERR_FILENO, "--tls-self-signed: --tls-cert is given too; one of the two");
    return 2;
  }
  tls::Library* library = https.start_library();
  if (library == nullptr) {
    return 1;
  }
  const auto hostname = device::read_hostname(options.roots);
  const int status =
      own.prepare(*library, options.self_signed, {.hostname = hostname.view(), .listen = serving.listen.values()});
  if (status != 0) {
    return status;
  }
  // One of each at most, so that they fit.
  static_cast<void>(serving.https.certificates.add(own.certificate()));
  static_cast<void>(serving.https.keys.add(own.key()));
  return 0;
}
#endif

// The board's lines and those of --gpio. False: one that was asked for cannot be had, and that has been said.
bool take_lines(std::span<const std::string_view> asked) noexcept {
  gpio.add_board(board::facts.lines);
  for (const std::string_view text : asked) {
    if (const char* wrong = gpio.add(text, board::facts.lines)) {
      apps::print_line(STDERR_FILENO, "--gpio: \"", text, "\" ", wrong);
      return false;
    }
  }
  const device::GpioLine* failed = gpio.open(device::kernel_device_files());
  if (failed != nullptr) {
    apps::print_line(STDERR_FILENO, "--gpio ", failed->name, ": ", failed->chip, " line ",
                     base::Decimal{failed->offset}.view(), ": ", device::describe(failed->fault));
  }
  return failed == nullptr;
}

// --watchdog. False: it cannot be fed, and that has been said.
bool start_watchdog(device::HardwareWatchdog& watchdog, std::string_view text) noexcept {
  if (text.empty()) {
    return true;
  }
  const auto request = device::parse_watchdog(text, board::facts.watchdog);
  const auto error = watchdog.open(*request);  // --watchdog was checked when it was read
  if (error) {
    const std::string_view reason = error->reason.empty() ? ::strerror(error->number) : error->reason;
    apps::print_line(STDERR_FILENO, "--watchdog ", request->device, ": ", reason);
    return false;
  }
  apps::print_line(STDOUT_FILENO, "feeding watchdog ", request->device, " (", watchdog.identity(), ", ",
                   base::Decimal{watchdog.seconds()}.view(), " s)");
  return true;
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
  // With a certificate of its own there is nothing to read again, but the terminal's end must not be the server's either way. A service manager
  // sends the signal to everything it reloads.
  const bool is_https = serving.https.is_on() || !device_options.self_signed.empty();
  const bool is_service = ::getenv("NOTIFY_SOCKET") != nullptr;
  port::LinuxPort port{{.signals = {.hangup = is_https || is_service}}};
  net::Loop loop{port, loop_storage.memory()};
  apps::Https https{port, serving.https, https_storage.memory()};
#if POLLUX_TLS
  device::OwnCertificate own;
  if (const int status = prepare_own_certificate(device_options, https, own, serving); status != 0) {
    return status;
  }
#endif
  device::HardwareWatchdog watchdog{loop, device::kernel_device_files()};
  const int number = board_device.start({.memory = &device_memory,
                                         .roots = device_options.roots,
                                         .data = device_options.data,
                                         .server_memory = sizeof storage,
                                         .loop_memory = sizeof loop_storage,
                                         .tls_memory = POLLUX_TLS != 0 ? sizeof https_storage : 0,
                                         .https = &https,
                                         .board = &board::facts,
                                         .gpio = &gpio,
                                         .watchdog = &watchdog,
                                         .started = port.now()});
  if (number != 0) {
    fprintf(stderr, "pollux-device: --data: %s: %s\n", device_options.data.data(), strerror(number));
    return 2;
  }
  const http::ServeMux mux{device::device_routes<board_device>};
  const device::HostGuard guard{mux, board_device.roots(), device_options.allowed_hosts.values()};
  http::Server server{
      {.loop = loop, .handler = guard, .memory = storage.memory(), .body_max = device_options.firmware_max}};
  if (const int status = https.start(); status != 0) {
    return status;
  }
#if POLLUX_TLS
  if (own.is_used()) {
    print_certificate(own, https.context()->certificates().front());
  }
#endif
  // Last, because outputs are driven and the watchdog runs from now on: what fails before leaves both alone.
  if (!take_lines(device_options.gpio.values())) {
    return 1;
  }
  if (!start_watchdog(watchdog, device_options.watchdog)) {
    return 1;
  }
  return apps::serve(server, port, serving, https);
}
