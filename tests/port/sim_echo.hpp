// EchoServer: the smallest program on Port, for testing ports: sends back what comes, and finishes when the peer does.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "port/port.hpp"

namespace pollux::test {

class EchoServer {
 public:
  static constexpr std::size_t connections_max = 8;

  // Without a listener (see is_listening()) turns do nothing.
  EchoServer(port::Port& port, std::uint16_t number) : port_{port} {
    if (const auto listening = port.listen({.endpoint = {.address = port::Address::ipv4_any(number)}}); listening) {
      listener_ = listening.value();
    }
  }
  ~EchoServer() {
    for (Connection& connection : connections_) {
      close(connection);
    }
    if (is_listening()) {
      port_.close(listener_);
    }
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  void turn(port::Time until = port::never) {
    if (!is_listening()) {
      return;
    }
    std::array<port::PollEntry, connections_max + 1 + port::poll_entries_reserved> entries;
    std::array<port::ParkedEvent, 4> parked;
    entries[0] = {.socket = listener_, .interest = has_room() ? port::Events::readable : port::Events::none};
    for (std::size_t i = 0; i < connections_max; ++i) {
      entries[i + 1] = {.socket = connections_[i].is_parked ? port::Socket{} : connections_[i].socket,
                        .interest = interest_of(connections_[i])};
    }
    entries.back() = {};
    const port::PollOutcome outcome = port_.poll(entries, parked, until);
    for (const port::ParkedEvent& event : std::span{parked}.first(outcome.parked_ready)) {
      connections_[event.token].is_parked = false;
      serve(connections_[event.token]);
    }
    for (std::size_t i = 0; i < connections_max; ++i) {
      if (entries[i + 1].ready != port::Events::none) {
        serve(connections_[i]);
      }
    }
    if (entries[0].ready != port::Events::none) {
      accept();
    }
  }

  [[nodiscard]] bool is_listening() const { return listener_.is_open(); }
  [[nodiscard]] std::size_t connections() const {
    std::size_t count = 0;
    for (const Connection& connection : connections_) {
      count += connection.socket.is_open() ? 1 : 0;
    }
    return count;
  }
  void park_idle(bool is_on) { parks_ = is_on; }

 private:
  struct Connection {
    port::Socket socket;
    std::array<std::byte, 1024> bytes;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool is_parked = false;
  };

  [[nodiscard]] bool has_room() const { return connections() < connections_max; }
  [[nodiscard]] static port::Events interest_of(const Connection& connection) {
    return connection.begin == connection.end ? port::Events::readable : port::Events::writable;
  }

  void accept() {
    const auto accepted = port_.accept(listener_);
    if (!accepted) {
      return;
    }
    for (Connection& connection : connections_) {
      if (!connection.socket.is_open()) {
        connection = Connection{};
        connection.socket = accepted->socket;
        serve(connection);
        return;
      }
    }
  }

  void close(Connection& connection) {
    if (connection.socket.is_open()) {
      port_.close(connection.socket);
      connection.socket = {};
      connection.is_parked = false;
    }
  }

  void serve(Connection& connection) {
    while (connection.socket.is_open()) {
      if (connection.begin == connection.end) {
        const port::IoResult got = port_.recv(connection.socket, connection.bytes);
        connection.begin = 0;
        connection.end = got.size;
        if (got.status == port::IoStatus::would_block) {
          connection.is_parked = parks_ && port_.park(connection.socket, index_of(connection));
          return;
        }
        if (got.status != port::IoStatus::ok) {
          return close(connection);
        }
      }
      const auto rest = std::span{connection.bytes}.subspan(connection.begin, connection.end - connection.begin);
      const port::IoResult sent = port_.send(connection.socket, rest, {}, false);
      if (sent.status == port::IoStatus::would_block) {
        return;
      }
      if (sent.status != port::IoStatus::ok) {
        return close(connection);
      }
      connection.begin += sent.size;
    }
  }

  [[nodiscard]] std::uint32_t index_of(const Connection& connection) const {
    return static_cast<std::uint32_t>(&connection - connections_.data());
  }

  port::Port& port_;
  port::Socket listener_;
  std::array<Connection, connections_max> connections_{};
  bool parks_ = false;
};

}  // namespace pollux::test
