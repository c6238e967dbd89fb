// Stream: one connection's byte stream, plain today; a TLS session slots in here without its users noticing.
//
// Users ask for bytes to be moved and are told what to wait for. They never assume that receiving needs only readability: with TLS
// the opposite direction can be needed (`want_write` from recv).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/port.hpp"

namespace pollux::net {

enum class StreamStatus : std::uint8_t {
  ok,          // 1..n bytes moved, counted in StreamResult::size
  want_read,   // nothing moved; again when the socket is readable
  want_write,  // nothing moved; again when the socket is writable
  end,         // recv: the peer finished; nothing more will come. send_file: the file is shorter than asked
  failed,      // the connection is lost; only close() is left
};

struct StreamResult {
  StreamStatus status = StreamStatus::failed;
  std::size_t size = 0;
};

class Stream {
 public:
  constexpr Stream() = default;
  constexpr Stream(port::Port& port, port::Socket socket) noexcept : port_{&port}, socket_{socket} {}

  [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }
  [[nodiscard]] port::Socket socket() const noexcept { return socket_; }
  [[nodiscard]] port::Port& port() const noexcept { return *port_; }

  // Moves what has arrived into `out` (not empty); never waits. A size below out.size() means nothing more was there.
  [[nodiscard]] StreamResult recv(std::span<char> out) noexcept;
  // Sends from `first`, then `second` (not both empty), any part of them; `more`: another send follows at once.
  [[nodiscard]] StreamResult send(std::string_view first, std::string_view second = {}, bool more = false) noexcept;
  // Sends up to `size` bytes of `file` from `offset`.
  [[nodiscard]] StreamResult send_file(port::File file, std::uint64_t offset, std::size_t size) noexcept;
  // Finishes our direction; receiving goes on.
  void shutdown_send() noexcept;
  // Gives the socket back; the stream is not open afterwards. Harmless on a stream that is not open.
  void close() noexcept;

 private:
  port::Port* port_ = nullptr;
  port::Socket socket_{};
};

}  // namespace pollux::net
