// Servers of others on loopback: nginx, lighttpd, Python's, Go's. Each is a child of the test, in the foreground, with its own
// configuration and a socket the test has bound for it, so that no port is guessed and nobody has to wait until it listens: who connects
// earlier waits in the socket's queue.
//
//   Listener listener;
//   const std::string configuration = ... listener.port() ...;
//   Peer peer{std::move(listener), {find_program("lighttpd"), "-D", "-f", file}};   // finds the socket as descriptor 3, LISTEN_FDS=1
//   run("curl -s http://127.0.0.1:" + std::to_string(peer.port()) + "/");
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pollux::e2e {

// The path of a program of the system, looked for in /usr/sbin and /usr/bin before $PATH; empty if it is not installed.
[[nodiscard]] std::string find_program(std::string_view name);

// A listening socket on a free port of 127.0.0.1.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] int descriptor() const { return socket_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int socket_ = -1;
  std::uint16_t port_ = 0;
};

class Peer {
 public:
  // `environment` is "NAME=value", added to ours. The socket is the program's alone from here on.
  Peer(Listener listener, const std::vector<std::string>& command, std::vector<std::string> environment = {});
  // Ends the program. One that ended by itself fails the test, with what it said.
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path) const;
  // Standard output and error so far.
  [[nodiscard]] std::string said() const;

 private:
  pid_t pid_ = -1;
  int said_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace pollux::e2e
