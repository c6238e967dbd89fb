// pollux-gateway: a reverse proxy. Its configuration file is described in README.md.
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>

#include "apps/gateway/config.hpp"
#include "apps/gateway/gateway.hpp"
#include "apps/gateway/setup.hpp"
#include "apps/gateway/sizes.hpp"
#include "apps/gateway/tunnel.hpp"
#include "apps/support/https.hpp"
#include "apps/support/https_client.hpp"
#include "apps/support/line.hpp"
#include "apps/support/serve.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/http/transport.hpp"
#include "stack/http/transport_storage.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"

using namespace pollux;

namespace {

constexpr net::ResolverLimits resolver_limits{};

constexpr std::size_t sockets_max = http::sockets_max(gateway::server_limits) +
                                    http::sockets_max(gateway::transport_limits) + net::sockets_max(resolver_limits) +
                                    2 * gateway::tunnel_count + apps::https_sockets_max;

constinit http::ServerStorage<gateway::server_limits> server_storage;
constinit http::TransportStorage<gateway::transport_limits> transport_storage;
constinit gateway::GatewayStorage<gateway::relay_count, gateway::relay_sizes> gateway_storage;
constinit gateway::TunnelStorage<gateway::tunnel_count, gateway::tunnel_buffer> tunnel_storage;
constinit net::ResolverStorage<resolver_limits> resolver_storage;
constinit net::LoopStorage<sockets_max> loop_storage;
// One arena for both sides.
constinit apps::HttpsStorage<gateway::tls_server_limits, tls::arena_size(gateway::tls_client_limits)> https_storage;
[[maybe_unused]] constinit apps::HttpsClientStorage<gateway::tls_client_limits>
    upstream_tls_storage;  // not without TLS

constinit gateway::Config config;
constinit std::array<char, 64 * 1024> config_text{};

void print_error(std::string_view text) noexcept {
  std::fprintf(stderr, "pollux-gateway: %.*s\n", static_cast<int>(text.size()), text.data());
}

// A whole line in one write(2); nothing is allocated for it.
void log_line(void*, std::string_view text) {
  std::array<char, 512> memory;
  base::TextWriter line{memory};
  line.put("pollux-gateway: ").put(text).put('\n');
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.view().data(), line.size());
}

// Reads the file into config_text; nothing, and it has been said, if that cannot be done.
std::optional<std::string_view> read_config(port::Port& port, std::string_view path) noexcept {
  const auto info = port.open_path(path);
  if (!info) {
    std::fprintf(stderr, "pollux-gateway: %.*s: %s\n", static_cast<int>(path.size()), path.data(),
                 port::describe(info.error()).data());
    return std::nullopt;
  }
  std::size_t size = 0;
  port::IoResult result{.status = port::IoStatus::ok, .size = 0};
  while (size < config_text.size()) {
    result = port.read_file(info->file, size, base::as_writable_bytes(std::span{config_text}.subspan(size)));
    if (result.status != port::IoStatus::ok) {
      break;
    }
    size += result.size;
  }
  port.close_file(info->file);
  if (result.status == port::IoStatus::failed || size == config_text.size()) {
    std::fprintf(stderr, "pollux-gateway: %.*s: %s\n", static_cast<int>(path.size()), path.data(),
                 size == config_text.size() ? "is longer than 65535 bytes" : "cannot be read");
    return std::nullopt;
  }
  return std::string_view{config_text.data(), size};
}

// False, and it has been said, if the program cannot run with what the file says.
bool load_config(port::Port& port, std::string_view path) noexcept {
  const auto text = read_config(port, path);
  if (!text) {
    return false;
  }
  if (const auto error = gateway::parse_config(*text, config)) {
    std::array<char, 1024> memory;
    print_error(gateway::format_error(*error, path, memory));
    return false;
  }
  return true;
}

#if POLLUX_TLS
// What is wrong with what the file says of https upstreams: "gateway.conf: upstream-ca /etc/ca.pem: no such file or directory".
void print_problem(std::string_view path, const apps::HttpsClientProblem& problem) noexcept {
  using Where = apps::HttpsClientProblem::Where;
  std::string_view option = "TLS";
  switch (problem.where) {
    case Where::library:
      break;
    case Where::ca_file:
    case Where::ca_directory:
      option = "upstream-ca";
      break;
    case Where::certificate:
      option = "upstream-cert";
      break;
    case Where::key:
      option = "upstream-key";
      break;
  }
  apps::print_line(STDERR_FILENO, "pollux-gateway: ", path, ": ", option, problem.path.empty() ? "" : " ", problem.path,
                   ": ", problem.what);
}

// The context for https upstreams. False, and it has been said, if it cannot be had.
bool start_upstream_tls(apps::HttpsClient& https, std::string_view config_path) noexcept {
  const gateway::GatewayOptions& options = config.options;
  const bool is_system = options.upstream_ca == "system";
  const auto problem =
      https.start({.ca_file = is_system ? std::string_view{} : options.upstream_ca,
                   .certificate = options.upstream_cert,
                   .key = options.upstream_key,
                   .verify = options.upstream_verify ? tls::Verify::peer : tls::Verify::insecure_none});
  if (problem) {
    print_problem(config_path, *problem);
    return false;
  }
  if (!options.upstream_verify) {
    apps::print_line(STDERR_FILENO,
                     "pollux-gateway: upstream-verify is off: anybody can pretend to be an https upstream, read and "
                     "change what is sent");
  } else if (https.trusted() == 0) {
    apps::print_line(STDERR_FILENO,
                     "pollux-gateway: this system has no CA certificates, so no https upstream will be believed; "
                     "install them, or name a file with upstream-ca");
  }
  return true;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  apps::Options options{"pollux-gateway", "Passes HTTP requests on to servers behind it."};
  apps::ServeOptions serving;
  apps::add(options, serving);
  std::string_view config_path;
  bool check_only = false;
  options.text("--config", "FILE", "what to pass on to whom; see README.md", config_path)
      .flag("--check", "only say whether FILE is right", check_only);
  if (const auto status = options.parse(argc, argv)) {
    return *status;
  }
  if (config_path.empty()) {
    print_error("--config is missing: a gateway without routes has nothing to do");
    return 2;
  }
  // A client that does not read keeps its window closed, which TCP_USER_TIMEOUT takes for a lost connection; client-timeout decides here.
  port::LinuxPort port{{.signals = serving.https.signals(), .user_timeout = std::chrono::milliseconds::zero()}};
  if (!load_config(port, config_path)) {
    return 2;
  }
  if (check_only) {
    return 0;
  }
  for (const std::string_view address : config.listen.all()) {
    if (!serving.listen.add(address)) {
      print_error("more than 16 listeners in --listen and the file together");
      return 2;
    }
  }

  const gateway::GatewayOptions& knobs = config.options;
  net::Loop loop{port, loop_storage.memory()};
  const net::ResolverMemory resolver_memory = resolver_storage.memory();
  net::Resolver resolver{{.loop = loop, .memory = resolver_memory}};
  apps::Https https{port, serving.https, https_storage.memory()};
  tls::ClientContext* upstream_tls = nullptr;
#if POLLUX_TLS
  apps::HttpsClient https_client{https.library(), upstream_tls_storage.memory()};
  if (config.has_https_upstream()) {
    if (!start_upstream_tls(https_client, config_path)) {
      return 1;
    }
    upstream_tls = https_client.context();
  }
#endif
  // Before the server, so that what came from an upstream reaches its client in the same turn.
  const http::TransportMemory transport_memory = transport_storage.memory();
  http::Transport transport{gateway::transport_config(loop, transport_memory, &resolver, upstream_tls, knobs)};
  gateway::Tunnels tunnels{loop, tunnel_storage.memory(), knobs.upgrade_timeout};
  gateway::Gateway gateway{{.config = config,
                            .transport = transport,
                            .tunnels = tunnels,
                            .memory = gateway_storage.memory(),
                            .transport_connections = gateway::transport_limits.connections,
                            .log = {&log_line, nullptr},
                            .https = &https}};
  http::Server server{gateway::server_config(loop, gateway, server_storage.memory(), knobs)};
  return apps::serve(server, port, serving, https);
}
