// limit_epoll: the bare epoll loop, whose cost does not grow with the connections that are idle. See limit.hpp for what it leaves out.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "tests/bench/limit.hpp"

namespace {

void accept_all(int epoll, int listener, limit::Connections& connections) {
  for (int descriptor = 0; (descriptor = limit::accept_next(listener)) >= 0;) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (connections.open(descriptor) == nullptr || ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
      ::close(descriptor);
    }
  }
}

}  // namespace

int main() {
  static limit::Connections connections;
  static std::array<epoll_event, 512> events;
  const int listener = limit::listen_on_loopback();
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  if (epoll < 0 || ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
    std::perror("epoll");
    return 1;
  }
  for (;;) {
    const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    if (ready < 0) {
      std::perror("epoll_wait");
      return 1;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(ready); ++i) {
      const int descriptor = events[i].data.fd;
      if (descriptor == listener) {
        accept_all(epoll, listener, connections);
      } else if (!limit::serve(descriptor, connections.at(descriptor))) {
        ::close(descriptor);  // takes it out of the epoll set
      }
    }
  }
}
