// An outside program that speaks TLS at both ends: a server with a certificate of its own on a free port of the loopback interface, and a
// client that trusts nobody else, in one loop. Prints the answer and mbedTLS's version and ends with 0 if it is the right one. Needs no C++ run-time library, so it
// may be linked as C.
#include <unistd.h>

#include <array>
#include <chrono>
#include <string_view>

#include "port/linux/linux_port.hpp"
#include "stack/http/blocking.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/tls/certificate.hpp"

using namespace pollux;

namespace {

constexpr http::ServerLimits server_limits{.connections = 4};
constexpr http::TransportLimits client_limits{.connections = 2};
constexpr tls::ServerTlsLimits server_tls_limits{.sessions = 2, .handshakes = 1};
constexpr tls::ClientTlsLimits client_tls_limits{.sessions = 2, .handshakes = 1, .cached = 1};

constinit http::ServerStorage<server_limits> server_storage{};
constinit http::TransportStorage<client_limits> client_storage{};
constinit http::CallStorage<> call_memory{};
constinit net::LoopStorage<http::sockets_max(server_limits) + http::sockets_max(client_limits)> loop_storage{};
constinit tls::Arena<tls::arena_size(server_tls_limits) + tls::arena_size(client_tls_limits)> arena{};
constinit tls::ServerMemory<server_tls_limits> server_tls{};
constinit tls::ClientMemory<client_tls_limits> client_tls{};
constinit tls::TrustMemory<2048, 1> trust_memory{};
constinit std::array<char, 512> key_memory{};
constinit std::array<char, 2048> certificate_memory{};

void hello(http::ResponseWriter& writer, http::Request& request) {
  writer.text(200, request.tls() != nullptr ? "Hello over TLS" : "Hello in clear text");
}

constexpr http::RouteTable routes{{
    http::handle<&hello>("GET /hello"),
}};

void print(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
}

int failed(std::string_view what, tls::Error error) {
  print(what);
  print(tls::describe(error));
  return 1;
}

// The URL of /hello at `port`.
std::string_view url_of(std::uint16_t port, std::array<char, 64>& out) {
  constexpr std::string_view before = "https://127.0.0.1:";
  constexpr std::string_view after = "/hello";
  std::size_t size = 0;
  for (const char letter : before) {
    out[size++] = letter;
  }
  for (unsigned divisor = 10'000; divisor > 0; divisor /= 10) {
    if (port >= divisor) {
      out[size++] = static_cast<char>('0' + port / divisor % 10);
    }
  }
  for (const char letter : after) {
    out[size++] = letter;
  }
  return {out.data(), size};
}

}  // namespace

int main() {
  port::LinuxPort port;
  tls::Library library{port, arena.memory()};
  if (const auto ready = library.start(); !ready) {
    return failed("library: ", ready.error());
  }
  const std::string_view names[]{"127.0.0.1"};
  const port::WallTime now = port.wall_clock();
  const auto own = tls::make_self_signed(library,
                                         {.common_name = "outside",
                                          .names = names,
                                          .not_before = {now.seconds - 3600},
                                          .not_after = {now.seconds + 86'400}},
                                         key_memory, certificate_memory);
  if (!own) {
    return failed("certificate: ", own.error());
  }
  const tls::CertificateSource source{.certificate = own.value().certificate, .key = own.value().key};
  tls::ServerContext server_context{{.library = library, .memory = server_tls.memory()}};
  if (const auto started = server_context.start({&source, 1}); !started) {
    return failed("server: ", started.error());
  }
  tls::TrustStore trust{trust_memory.memory()};
  if (const auto added = trust.add(source.certificate); !added) {
    return failed("trust: ", added.error());
  }
  tls::ClientContext client_context{{.library = library, .memory = client_tls.memory(), .trust = &trust}};
  if (const auto started = client_context.start(); !started) {
    return failed("client: ", started.error());
  }

  net::Loop loop{port, loop_storage.memory()};
  const http::ServeMux mux{routes};
  http::Server server{{.loop = loop, .handler = mux, .memory = server_storage.memory()}};
  const auto listening = server.listen({.endpoint = {port::Address::ipv4_loopback(0)}, .tls = &server_context});
  if (!listening) {
    return 1;
  }
  http::Transport transport{{.loop = loop, .memory = client_storage.memory(), .tls = &client_context}};
  http::Client client{{.transport = transport, .timeout = std::chrono::seconds{20}}};
  http::BlockingCall call{client, call_memory.memory()};
  std::array<char, 64> url{};
  std::array<char, 64> body{};
  const http::BlockingResult result = call.get(url_of(listening.value().port, url), body);
  if (!result) {
    print(http::describe(result.error.cause));
    return failed(", ", result.error.tls.error);
  }
  print(result.body);
  print(" with ");
  print(tls::Library::version());
  return result.body == "Hello over TLS" ? 0 : 1;
}
