// RogueServer: a web server on loopback that misbehaves on purpose, for tests of clients. What it does is said by the path; the table is in
// rogue_server.cpp, and every path of it in RogueServer::paths().
//
//   test::RogueServer rogue;
//   run("pollux-fetch " + rogue.url("/short"));      // Content-Length: 50, five bytes, the end
//   run("curl " + rogue.url("/drip"));
//
// Plain sockets, one thread for each connection; nothing of pollux is used. A path that keeps the connection serves the next request on it, so
// that a client's reuse shows; "/ok" is the one that does nothing wrong. Waits are polls of the socket, which end with the client or the
// server.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pollux::test {

class RogueServer {
 public:
  // Listens on 127.0.0.1, a free port. Without a socket it stops the program.
  RogueServer();
  // Ends every connection.
  ~RogueServer();
  RogueServer(const RogueServer&) = delete;
  RogueServer& operator=(const RogueServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path) const;
  [[nodiscard]] std::uint64_t connections() const { return connections_; }  // accepted so far
  [[nodiscard]] std::uint64_t requests() const { return requests_; }        // heads read so far
  [[nodiscard]] static std::vector<std::string> paths();

 private:
  void accept();
  void serve(int socket);

  int listener_;
  int ends_[2];  // a pipe; readable when the server ends
  std::uint16_t port_ = 0;
  std::atomic<std::uint32_t> connections_{0};  // 32 bits: 64 are not atomic on every machine
  std::atomic<std::uint32_t> requests_{0};
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace pollux::test
