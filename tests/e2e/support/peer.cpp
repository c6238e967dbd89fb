#include "tests/e2e/support/peer.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "tests/e2e/support/app.hpp"

namespace pollux::e2e {

std::string find_program(std::string_view name) {
  std::string path = run("PATH=/usr/sbin:/usr/bin:$PATH command -v " + std::string{name}).output;
  while (path.ends_with('\n')) {
    path.pop_back();
  }
  return path;
}

Listener::Listener() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(socket_, 128), 0);
  EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
}

Listener::~Listener() {
  if (socket_ >= 0) {
    ::close(socket_);
  }
}

Listener::Listener(Listener&& other) noexcept : socket_{std::exchange(other.socket_, -1)}, port_{other.port_} {}

Peer::Peer(Listener listener, const std::vector<std::string>& command, std::vector<std::string> environment)
    : said_{process::temporary_file()}, port_{listener.port()} {
  pid_ = process::start(
      command, said_, said_,
      {.environment = std::move(environment), .listener = listener.descriptor(), .when_we_die = SIGTERM});
}

Peer::~Peer() {
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) {
    ADD_FAILURE() << "the peer has ended by itself: " << said();
  } else {
    ::kill(pid_, SIGTERM);
    process::wait_for(pid_);
  }
  ::close(said_);
}

std::string Peer::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
}

std::string Peer::said() const {
  return process::content(said_);
}

}  // namespace pollux::e2e
