// pollux-device: the REST API and the dashboard of the machine this runs on. README.md has the table of what it answers.
#include <stdio.h>
#include <string.h>

#include "apps/device/access.hpp"
#include "apps/device/device.hpp"
#include "apps/device/own_certificate.hpp"
#include "apps/support/https.hpp"
#include "apps/support/line.hpp"
#include "apps/support/serve.hpp"
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

struct DeviceOptions {
  device::BoardRoots roots;
  std::string_view data;
  std::uint64_t firmware_max = std::uint64_t{256} << 20;
  apps::TextList allowed_hosts;
  std::string_view self_signed;
};

void add(apps::Options& options, DeviceOptions& device) noexcept {
  options.text("--sysfs", "DIR", "where the kernel's devices are, instead of /sys", device.roots.sysfs)
      .text("--procfs", "DIR", "where the kernel's processes are, instead of /proc", device.roots.procfs)
      .text("--data", "DIR", "where uploaded firmware is kept; without it none is taken", device.data)
      .number("--firmware-max", "BYTES", "largest firmware image", device.firmware_max, {.min = 1, .max = INT64_MAX})
      .list("--allow-host", "NAME", "one more host name to answer to, besides addresses, localhost and *.local",
            device.allowed_hosts);
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
  // With a certificate of its own there is nothing to read again, but the terminal's end must not be the server's either way.
  const bool is_https = serving.https.is_on() || !device_options.self_signed.empty();
  port::LinuxPort port{{.signals = {.hangup = is_https}}};
  net::Loop loop{port, loop_storage.memory()};
  apps::Https https{port, serving.https, https_storage.memory()};
#if POLLUX_TLS
  device::OwnCertificate own;
  if (const int status = prepare_own_certificate(device_options, https, own, serving); status != 0) {
    return status;
  }
#endif
  const int number = board_device.start({.roots = device_options.roots,
                                         .data = device_options.data,
                                         .server_memory = sizeof storage,
                                         .loop_memory = sizeof loop_storage,
                                         .tls_memory = POLLUX_TLS != 0 ? sizeof https_storage : 0,
                                         .https = &https,
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
  return apps::serve(server, port, serving, https);
}
