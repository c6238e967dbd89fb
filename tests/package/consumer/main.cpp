// An outside program that uses pollux as it is installed: a server on a free port of the loopback interface, asked once over a socket of
// its own. Prints the answer's last line and ends with 0 if it is the right one. Needs no C++ run-time library, so it may be linked as C.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "port/linux/linux_port.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"

using namespace pollux;

namespace {

constexpr http::ServerLimits limits{.connections = 4, .in_buffer = 1024, .out_buffer = 1024, .head_size_max = 1000};
constinit http::ServerStorage<limits> storage{};
constinit net::LoopStorage<http::sockets_max(limits)> loop_storage{};

void hello(http::ResponseWriter& writer, http::Request&) {
  writer.text(200, "Hello from outside");
}

constexpr http::RouteTable routes{{
    http::handle<&hello>("GET /hello"),
}};

// Sends a request to `port` of the loopback interface; the socket, not blocking.
int ask(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  constexpr std::string_view request = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::send(client, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) {
    return -1;
  }
  return client;
}

}  // namespace

int main() {
  port::LinuxPort port;
  net::Loop loop{port, loop_storage.memory()};
  const http::ServeMux mux{routes};
  http::Server server{{.loop = loop, .handler = mux, .memory = storage.memory()}};
  const auto listening = server.listen({.endpoint = {port::Address::ipv4_loopback(0)}});
  if (!listening) {
    return 1;
  }
  const int client = ask(listening.value().port);
  std::array<char, 1024> buffer{};
  std::size_t size = 0;
  const port::Time end = port.now() + std::chrono::seconds{10};
  for (;;) {
    const ssize_t got = ::recv(client, buffer.data() + size, buffer.size() - size, MSG_DONTWAIT);
    if (got == 0) {
      break;
    }
    if (got > 0) {
      size += static_cast<std::size_t>(got);
      continue;
    }
    if (port.now() > end) {
      return 1;
    }
    loop.turn(port.now() + std::chrono::milliseconds{10});
  }
  const std::string_view answer{buffer.data(), size};
  const std::size_t body_at = answer.rfind('\n') + 1;
  const std::string_view body{answer.data() + body_at, answer.size() - body_at};
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, body.data(), body.size());
  return body == "Hello from outside" ? 0 : 1;
}
