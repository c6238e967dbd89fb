// limit_poll: the bare poll() loop that pollux-hello is measured against. See limit.hpp for what it leaves out.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "tests/bench/limit.hpp"

int main() {
  static limit::Connections connections;
  static std::array<pollfd, limit::connections_max + 1> entries;  // [0] is the listener
  entries[0] = {.fd = limit::listen_on_loopback(), .events = POLLIN, .revents = 0};
  std::size_t count = 1;
  for (;;) {
    int ready = ::poll(entries.data(), count, -1);
    if (ready < 0) {
      std::perror("poll");
      return 1;
    }
    const bool may_accept = entries[0].revents != 0;
    ready -= may_accept ? 1 : 0;
    for (std::size_t i = 1; ready > 0 && i < count;) {
      if (entries[i].revents == 0) {
        ++i;
        continue;
      }
      --ready;
      if (limit::serve(entries[i].fd, connections.at(entries[i].fd))) {
        ++i;
      } else {
        ::close(entries[i].fd);
        entries[i] = entries[--count];  // looked at next, in this place
      }
    }
    while (may_accept && count < entries.size()) {
      const int descriptor = limit::accept_next(entries[0].fd);
      if (descriptor < 0) {
        break;
      }
      if (connections.open(descriptor) == nullptr) {
        ::close(descriptor);
        continue;
      }
      entries[count++] = {.fd = descriptor, .events = POLLIN, .revents = 0};
    }
  }
}
