#include "tests/bench/limit.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace limit {

namespace {

// Answers that leave with one send; more heads than that in one receive take another one.
constexpr std::size_t batch_max = 64;
constexpr std::size_t batch_size = batch_max * answer.size();

const std::array<char, batch_size> answers = [] {
  std::array<char, batch_size> text{};
  for (std::size_t i = 0; i < batch_max; ++i) {
    std::memcpy(text.data() + i * answer.size(), answer.data(), answer.size());
  }
  return text;
}();

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

bool send_answers(int descriptor, std::size_t count) {
  while (count > 0) {
    const std::size_t batch = count < batch_max ? count : batch_max;
    const std::size_t size = batch * answer.size();
    if (::send(descriptor, answers.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) {
      return false;
    }
    count -= batch;
  }
  return true;
}

}  // namespace

Connection* Connections::open(int descriptor) {
  const auto index = static_cast<std::size_t>(descriptor);
  if (index >= slots_.size()) {
    return nullptr;
  }
  if (!slots_[index]) {
    slots_[index].reset(new Connection);  // not cleared: a connection that stays silent touches one page
  }
  slots_[index]->used = 0;
  return slots_[index].get();
}

int listen_on_loopback(const char* scheme) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 511) != 0 || ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    fail("listen");
  }
  std::printf("listening on %s://127.0.0.1:%u\n", scheme, static_cast<unsigned>(ntohs(address.sin_port)));
  std::fflush(stdout);
  return listener;
}

int accept_next(int listener) {
  const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor >= 0) {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return descriptor;
}

bool serve(int descriptor, Connection& connection) {
  char* const in = connection.in.data();
  const ssize_t received = ::recv(descriptor, in + connection.used, head_size_max - connection.used, 0);
  if (received <= 0) {
    return false;
  }
  // Up to three bytes of the end may have come earlier; looking again at all that was kept is simpler and hardly ever happens.
  const char* const end = in + connection.used + static_cast<std::size_t>(received);
  const char* head = in;
  std::size_t count = 0;
  while (const void* found = ::memmem(head, static_cast<std::size_t>(end - head), "\r\n\r\n", 4)) {
    head = static_cast<const char*>(found) + 4;
    ++count;
  }
  connection.used = static_cast<std::size_t>(end - head);
  if (connection.used == head_size_max) {
    return false;
  }
  if (connection.used > 0 && count > 0) {
    std::memmove(in, head, connection.used);
  }
  return send_answers(descriptor, count);
}

}  // namespace limit
