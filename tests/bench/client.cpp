// bench_client: what tests/bench/run needs beside wrk - a known number of requests, idle connections, many that wake at once.
//
//   bench_client port                            prints a free TCP port of 127.0.0.1
//   bench_client get PORT small|browser COUNT    COUNT requests on one connection, one after the other; prints the size of an answer
//   bench_client idle PORT COUNT                 COUNT connections, one request each; prints "ready" and holds them until SIGTERM.
//                                                Exit status 1 if the server has closed one by then
//   bench_client wake PORT COUNT ROUNDS          COUNT idle connections that all send at once, ROUNDS times; prints the longest time
//                                                from the first request to the last answer of a round, in milliseconds
//
// Every answer must have status 200 and be as long as the first one. Nothing waits longer than ten seconds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

namespace {

// What wrk sends.
constexpr std::string_view small_head =
    "GET /hello HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "\r\n";

// 642 bytes, 14 fields: what a browser sends when a page is loaded again.
constexpr std::string_view browser_head =
    "GET /hello HTTP/1.1\r\n"
    "Host: 192.168.1.50:8080\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-GPC: 1\r\n"
    "Accept-Language: en-US,en;q=0.9,de-DE;q=0.8,de;q=0.7,fr;q=0.6\r\n"
    "Referer: http://192.168.1.50:8080/dashboard\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "If-None-Match: \"65a1-1f3\"\r\n"
    "If-Modified-Since: Tue, 10 Nov 2009 23:00:00 GMT\r\n"
    "Cookie: session=0123456789abcdef0123456789\r\n"
    "DNT: 1\r\n"
    "\r\n";

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_client: %s\n", what);
  std::exit(1);
}

unsigned long number(const char* text, unsigned long max) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (end == text || *end != '\0' || value == 0 || value > max) {
    fail("a number was expected; see the head of tests/bench/client.cpp");
  }
  return value;
}

sockaddr_in loopback(unsigned long port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

class Client {
 public:
  explicit Client(unsigned long port) : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const sockaddr_in address = loopback(port);
    const timeval timeout{.tv_sec = 10, .tv_usec = 0};
    const int on = 1;
    if (socket_ < 0 || ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail("cannot connect");
    }
  }
  Client(Client&& other) noexcept : socket_{std::exchange(other.socket_, -1)}, answer_size_{other.answer_size_} {}
  ~Client() {
    if (socket_ >= 0) {
      ::close(socket_);
    }
  }

  void send(std::string_view head) const {
    if (::send(socket_, head.data(), head.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(head.size())) {
      fail("cannot send");
    }
  }

  void receive() {
    std::array<char, 4096> in{};
    std::size_t used = 0;
    std::size_t size = answer_size_;
    do {
      const ssize_t received = ::recv(socket_, in.data() + used, in.size() - used, 0);
      if (received <= 0) {
        fail("no answer, or not all of it");
      }
      used += static_cast<std::size_t>(received);
      if (size == 0) {
        size = size_of_answer({in.data(), used});
      }
    } while (size == 0 || used < size);
    if (used != size || !std::string_view{in.data(), used}.starts_with("HTTP/1.1 200 ")) {
      fail("an answer was not 200, or longer than it said");
    }
    answer_size_ = size;
  }

  void get(std::string_view head) {
    send(head);
    receive();
  }

  // Connected, and nothing to read: neither the end nor anything else.
  [[nodiscard]] bool is_idle() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
  }
  [[nodiscard]] std::size_t answer_size() const { return answer_size_; }

 private:
  // 0: the head is not complete yet. Field names as the servers that are measured write them.
  static std::size_t size_of_answer(std::string_view text) {
    constexpr std::string_view name = "Content-Length: ";
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      return 0;
    }
    const std::size_t field = text.substr(0, end).find(name);
    if (field == std::string_view::npos) {
      fail("an answer without Content-Length");
    }
    return end + 4 + std::strtoul(text.data() + field + name.size(), nullptr, 10);
  }

  int socket_;
  std::size_t answer_size_ = 0;  // of the first answer; the others must be as long
};

std::vector<Client> connect_many(unsigned long port, unsigned long count) {
  std::vector<Client> clients;
  clients.reserve(count);
  for (unsigned long i = 0; i < count; ++i) {
    clients.emplace_back(port);
    clients.back().get(small_head);
  }
  return clients;
}

int print_free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (socket < 0 || ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    fail("no free port");
  }
  std::printf("%u\n", static_cast<unsigned>(ntohs(address.sin_port)));
  return 0;
}

int get(unsigned long port, std::string_view head, unsigned long count) {
  Client client{port};
  for (unsigned long i = 0; i < count; ++i) {
    client.get(head);
  }
  std::printf("%zu\n", client.answer_size());
  return 0;
}

int hold(unsigned long port, unsigned long count) {
  sigset_t ends{};
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  const std::vector<Client> clients = connect_many(port, count);
  std::puts("ready");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  return std::all_of(clients.begin(), clients.end(), [](const Client& client) { return client.is_idle(); }) ? 0 : 1;
}

int wake(unsigned long port, unsigned long count, unsigned long rounds) {
  std::vector<Client> clients = connect_many(port, count);
  std::chrono::duration<double, std::milli> longest{};
  for (unsigned long round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (const Client& client : clients) {
      client.send(small_head);
    }
    for (Client& client : clients) {
      client.receive();
    }
    longest = std::max<std::chrono::duration<double, std::milli>>(longest, std::chrono::steady_clock::now() - begin);
  }
  std::printf("%.1f\n", longest.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  constexpr unsigned long many = 1'000'000;
  if (command == "port" && argc == 2) {
    return print_free_port();
  }
  if (command == "get" && argc == 5) {
    const std::string_view kind = argv[3];
    if (kind != "small" && kind != "browser") {
      fail("get: small or browser?");
    }
    return get(number(argv[2], 65535), kind == "small" ? small_head : browser_head, number(argv[4], many));
  }
  if (command == "idle" && argc == 4) {
    return hold(number(argv[2], 65535), number(argv[3], many));
  }
  if (command == "wake" && argc == 5) {
    return wake(number(argv[2], 65535), number(argv[3], many), number(argv[4], many));
  }
  fail("see the head of tests/bench/client.cpp");
}
