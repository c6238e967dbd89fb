// client_limit: the least a client can do - a bare poll() loop that sends a constant and counts bytes until an answer is whole. It looks at
// the first answer only; the others are taken to be as long, and their status is looked at where they begin. What a real client is
// measured against. Command line: client_run.hpp.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/bench/client_run.hpp"

namespace {

// As long as what client_pollux sends.
constexpr std::string_view request =
    "GET /hello HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "User-Agent: pollux\r\n"
    "\r\n";
constexpr std::string_view good = "HTTP/1.1 200 ";

int connect_to(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int on = 1;
  const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (one < 0 || ::setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      ::connect(one, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    bench::fail("cannot connect");
  }
  return one;
}

void send_request(int socket) {
  if (::send(socket, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
      static_cast<ssize_t>(request.size())) {
    bench::fail("cannot send");
  }
}

std::size_t answer_size(int socket) {
  std::array<char, 4096> in{};
  std::size_t used = 0;
  for (;;) {
    const ssize_t got = ::recv(socket, in.data() + used, in.size() - used, 0);
    if (got <= 0) {
      bench::fail("no answer");
    }
    used += static_cast<std::size_t>(got);
    const std::string_view text{in.data(), used};
    constexpr std::string_view name = "Content-Length: ";
    const std::size_t end = text.find("\r\n\r\n");
    const std::size_t field = text.find(name);
    if (end == std::string_view::npos || field > end) {
      continue;
    }
    const std::size_t size = end + 4 + std::strtoul(in.data() + field + name.size(), nullptr, 10);
    if (used >= size) {
      return size;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Task task = bench::read_task(argc, argv);
  std::vector<pollfd> entries(task.connections);
  std::vector<std::size_t> received(task.connections);
  for (pollfd& entry : entries) {
    entry = {.fd = connect_to(task.port), .events = POLLIN, .revents = 0};
  }
  send_request(entries[0].fd);
  const std::size_t size = answer_size(entries[0].fd);

  const bench::Stopwatch watch{task};
  std::uint64_t begun = 0;
  std::uint64_t answers = 0;
  for (const pollfd& entry : entries) {
    if (watch.may_begin(begun)) {
      ++begun;
      send_request(entry.fd);
    }
  }
  std::array<char, 4096> in{};
  while (!watch.is_over(answers)) {
    int ready = ::poll(entries.data(), entries.size(), 10'000);
    if (ready <= 0) {
      bench::fail("no answer for ten seconds");
    }
    for (std::size_t i = 0; ready > 0; ++i) {
      if (entries[i].revents == 0) {
        continue;
      }
      --ready;
      const ssize_t got = ::recv(entries[i].fd, in.data(), in.size(), MSG_DONTWAIT);
      if (got <= 0) {
        bench::fail("a connection was lost");
      }
      if (received[i] == 0 && std::memcmp(in.data(), good.data(), good.size()) != 0) {
        bench::fail("an answer was not 200");
      }
      received[i] += static_cast<std::size_t>(got);
      if (received[i] < size) {
        continue;
      }
      received[i] = 0;
      ++answers;
      if (watch.may_begin(begun)) {
        ++begun;
        send_request(entries[i].fd);
      }
    }
  }
  watch.print(answers);
}
