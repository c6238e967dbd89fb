// The contract of Port as a test suite: the very same cases run over every port, so that what is tested on the
// simulator is true on the board.
//
// A port joins by a World, which makes it and what is around it; each case is compiled once, and meets it as a ContractWorld:
//
//   struct World {
//     Port& port();
//     std::string local_path();                                  // of a unix socket that does not exist yet
//     std::string root();                                        // of a directory, made empty, for open_directory()
//     void add_file(std::string path, std::string content, WallTime modified);  // paths are below root();
//     void add_directory(std::string path);                                     // a file of the same name is replaced
//     void change_file(std::string path, std::string content, WallTime modified);  // in place
//     void add_link(std::string path, std::string target);
//     void add_fifo(std::string path);
//     Address open_datagram_peer();      // a raw peer for datagrams, on an IPv4 loopback address; one at a time
//     void close_datagram_peer();        // its address stays free
//     bool peer_hears(std::string& bytes, Address& from);     // the next datagram, if one has come; never waits
//     void peer_sends(const Address& to, std::string bytes);
//     void stranger_sends(const Address& to, std::string bytes);  // from another port
//     static constexpr bool follows_links;                       // links below the root; else they are `outside`
//   };
//
// and POLLUX_PORT_CONTRACT(Name, World). Whether a port parks is not said: IdleSockets does what a caller does
// either way. Everything is bounded in time by the port's own clock.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "port/port.hpp"

namespace pollux::port {

// Test code may keep things in vectors and strings; nothing here is part of the stack.
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

// `size` bytes of which no two neighbouring stretches are alike: what is lost, doubled or out of order shows.
inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 12345;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

// Idle sockets the way a caller keeps them: parked, or, when the port will not, among the entries of each poll.
class IdleSockets {
 public:
  explicit IdleSockets(Port& port) : port_{port} {}

  void add(Socket socket, std::uint32_t token) {
    if (!port_.park(socket, token)) {
      remove_entry(socket);
      polled_.push_back({socket, token});
    }
  }
  void take_back(Socket socket) {
    port_.unpark(socket);
    remove_entry(socket);
  }
  void close(Socket socket) {
    port_.close(socket);
    remove_entry(socket);
  }

  // One poll, together with `entry` if it is not null. Returns what woke, which is idle no more.
  std::vector<ParkedEvent> poll(PollEntry* entry, Time until, std::size_t events_max = 64) {
    std::vector<PollEntry> entries;
    for (const Polled& polled : polled_) {
      entries.push_back({.socket = polled.socket, .interest = Events::readable | Events::peer_closed});
    }
    if (entry != nullptr) {
      entries.push_back(*entry);
    }
    entries.resize(entries.size() + poll_entries_reserved);
    std::vector<ParkedEvent> events(events_max);
    const PollOutcome outcome = port_.poll(entries, events, until);
    EXPECT_LE(outcome.parked_ready, events_max);
    events.resize(outcome.parked_ready);
    if (entry != nullptr) {
      entry->ready = entries[polled_.size()].ready;
    }
    const std::vector<Polled> before = polled_;
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (entries[i].ready != Events::none && events.size() < events_max) {
        events.push_back({.token = before[i].token, .ready = entries[i].ready});
        remove_entry(before[i].socket);
      }
    }
    return events;
  }

 private:
  struct Polled {
    Socket socket;
    std::uint32_t token;
  };
  void remove_entry(Socket socket) {
    std::erase_if(polled_, [&](const Polled& polled) { return polled.socket == socket; });
  }

  Port& port_;
  std::vector<Polled> polled_;
};

class ContractWorld {
 public:
  virtual ~ContractWorld() = default;
  virtual Port& port() = 0;
  virtual std::string local_path() = 0;
  virtual std::string root() = 0;
  virtual void add_file(const std::string& path, std::string_view content, WallTime modified) = 0;
  virtual void add_directory(const std::string& path) = 0;
  virtual void change_file(const std::string& path, std::string_view content, WallTime modified) = 0;
  virtual void add_link(const std::string& path, const std::string& target) = 0;
  virtual void add_fifo(const std::string& path) = 0;
  virtual Address open_datagram_peer() = 0;
  virtual void close_datagram_peer() = 0;
  virtual bool peer_hears(std::string& bytes, Address& from) = 0;
  virtual void peer_sends(const Address& to, const std::string& bytes) = 0;
  virtual void stranger_sends(const Address& to, const std::string& bytes) = 0;
  [[nodiscard]] virtual bool follows_links() const = 0;
};

template <typename World>
class ContractWorldOf final : public ContractWorld {
 public:
  Port& port() override { return world_.port(); }
  std::string local_path() override { return world_.local_path(); }
  std::string root() override { return world_.root(); }
  void add_file(const std::string& path, std::string_view content, WallTime modified) override {
    world_.add_file(path, content, modified);
  }
  void add_directory(const std::string& path) override { world_.add_directory(path); }
  void change_file(const std::string& path, std::string_view content, WallTime modified) override {
    world_.change_file(path, content, modified);
  }
  void add_link(const std::string& path, const std::string& target) override { world_.add_link(path, target); }
  void add_fifo(const std::string& path) override { world_.add_fifo(path); }
  Address open_datagram_peer() override { return world_.open_datagram_peer(); }
  void close_datagram_peer() override { world_.close_datagram_peer(); }
  bool peer_hears(std::string& bytes, Address& from) override { return world_.peer_hears(bytes, from); }
  void peer_sends(const Address& to, const std::string& bytes) override { world_.peer_sends(to, bytes); }
  void stranger_sends(const Address& to, const std::string& bytes) override { world_.stranger_sends(to, bytes); }
  [[nodiscard]] bool follows_links() const override { return World::follows_links; }

 private:
  World world_;
};

using MakeContractWorld = std::unique_ptr<ContractWorld> (*)();

template <typename World>
std::unique_ptr<ContractWorld> make_contract_world() {
  return std::make_unique<ContractWorldOf<World>>();
}

class PortContract : public ::testing::TestWithParam<MakeContractWorld> {
 protected:
  using milliseconds = std::chrono::milliseconds;

  // Longer than anything here takes; a port that needs it is broken.
  static constexpr Duration patience = std::chrono::seconds{5};

  struct Pair {
    Socket client;
    Socket server;
  };

  Port& port() { return world_.port(); }

  // One poll of one socket.
  Events poll_once(Socket socket, Events interest, Time until) {
    std::array<PollEntry, 1 + poll_entries_reserved> entries{PollEntry{.socket = socket, .interest = interest}};
    const PollOutcome outcome = port().poll(entries, {}, until);
    EXPECT_EQ(outcome.ready, entries[0].ready == Events::none ? 0U : 1U);
    EXPECT_EQ(outcome.parked_ready, 0U);
    return entries[0].ready;
  }

  // What a socket is ready for now, after everything that is under way has arrived.
  Events events_now(Socket socket, Events interest) {
    const Events ready = poll_once(socket, interest, port().now());
    return ready != Events::none ? ready : poll_once(socket, interest, port().now() + milliseconds{2});
  }

  // Polls until `wanted` is among what is reported; reports what there was.
  Events wait_for(Socket socket, Events interest, Events wanted) {
    const Time limit = port().now() + patience;
    Events ready = Events::none;
    while (!has(ready, wanted) && port().now() < limit) {
      ready = poll_once(socket, interest, limit);
    }
    EXPECT_TRUE(has(ready, wanted)) << "interest " << static_cast<int>(interest) << " ready "
                                    << static_cast<int>(ready);
    return ready;
  }

  Socket listen(const Endpoint& endpoint = {.address = Address::ipv4_loopback(0)}) {
    const auto socket = port().listen({.endpoint = endpoint});
    EXPECT_TRUE(socket) << describe(socket.error());
    return socket.value();
  }

  // The end of a connect that was begun.
  Result<void, Error> finish_connect(Socket socket) {
    const Time limit = port().now() + patience;
    auto result = port().connect_result(socket);
    while (!result && result.error() == Error::would_block && port().now() < limit) {
      static_cast<void>(poll_once(socket, Events::writable, limit));
      result = port().connect_result(socket);
    }
    return result;
  }

  Accepted accept(Socket listener) {
    static_cast<void>(wait_for(listener, Events::readable, Events::readable));
    const auto accepted = port().accept(listener);
    EXPECT_TRUE(accepted) << describe(accepted.error());
    return accepted.value();
  }

  Pair connect_pair(Socket listener, const Endpoint& to) {
    const auto client = port().connect(to);
    EXPECT_TRUE(client) << describe(client.error());
    const Pair pair{.client = client.value(), .server = accept(listener).socket};
    EXPECT_TRUE(finish_connect(pair.client));
    return pair;
  }

  Pair connect_pair(Socket listener) {
    return connect_pair(listener, {.address = port().local_address(listener).value()});
  }

  Pair make_pair() {
    const Socket listener = listen();
    const Pair pair = connect_pair(listener);
    port().close(listener);
    return pair;
  }

  void close(const Pair& pair) {
    port().close(pair.client);
    port().close(pair.server);
  }

  void send_all(Socket socket, std::string_view text) {
    while (!text.empty()) {
      const IoResult result = port().send(socket, bytes_of(text), {}, false);
      if (result.status == IoStatus::would_block) {
        static_cast<void>(wait_for(socket, Events::writable, Events::writable));
        continue;
      }
      ASSERT_EQ(result.status, IoStatus::ok);
      ASSERT_GE(result.size, 1U);
      ASSERT_LE(result.size, text.size());
      text.remove_prefix(result.size);
    }
  }

  // Exactly `size` bytes, or what came before something else than bytes.
  std::string receive(Socket socket, std::size_t size) {
    std::string text;
    std::array<char, 8192> part;
    while (text.size() < size) {
      const std::span<char> out = std::span{part}.first(std::min(part.size(), size - text.size()));
      const IoResult result = port().recv(socket, std::as_writable_bytes(out));
      if (result.status == IoStatus::would_block) {
        if (wait_for(socket, Events::readable, Events::readable) == Events::none) {
          break;
        }
        continue;
      }
      EXPECT_EQ(result.status, IoStatus::ok);
      EXPECT_LE(result.size, out.size());
      if (result.status != IoStatus::ok || result.size == 0) {
        break;
      }
      text.append(part.data(), result.size);
    }
    return text;
  }

  // What recv says when it says something else than would_block.
  IoStatus receive_status(Socket socket) {
    std::array<std::byte, 64> out;
    IoStatus status = port().recv(socket, out).status;
    while (status == IoStatus::would_block && wait_for(socket, Events::readable, Events::readable) != Events::none) {
      status = port().recv(socket, out).status;
    }
    return status;
  }

  // Sends `text` over and over until the connection takes no more; returns how many bytes it took. A kernel may find
  // room for some more later: it moves bytes between its buffers, and lets them grow, when it likes.
  std::size_t fill(Socket socket, std::string_view text) {
    constexpr std::size_t far_too_much = std::size_t{256} << 20;
    std::size_t sent = 0;
    while (sent < far_too_much) {
      const IoResult result = port().send(socket, bytes_of(text.substr(sent % text.size())), {}, false);
      if (result.status == IoStatus::ok) {
        sent += result.size;
        continue;
      }
      EXPECT_EQ(result.status, IoStatus::would_block);
      if (events_now(socket, Events::writable) == Events::none) {
        return sent;  // and nothing is under way that would make room
      }
    }
    ADD_FAILURE() << "the connection takes " << sent << " bytes that nobody reads";
    return sent;
  }

  // Reads `size` bytes and compares them with `text` over and over.
  void expect_repeated(Socket socket, std::size_t size, std::string_view text) {
    for (std::size_t at = 0; at < size;) {
      const std::string_view expected = text.substr(0, std::min(text.size(), size - at));
      const std::string received = receive(socket, expected.size());
      ASSERT_TRUE(received == expected) << "between " << at << " and " << at + expected.size();
      at += expected.size();
    }
  }

  // Polls until `count` idle sockets woke or nothing more comes; their tokens, sorted.
  std::vector<std::uint32_t> woken(IdleSockets& idle, std::size_t count, std::size_t events_max = 64) {
    std::vector<std::uint32_t> tokens;
    const Time limit = port().now() + patience;
    while (tokens.size() < count && port().now() < limit) {
      for (const ParkedEvent& event : idle.poll(nullptr, limit, events_max)) {
        EXPECT_NE(event.ready, Events::none);
        tokens.push_back(event.token);
      }
    }
    for (const ParkedEvent& event : idle.poll(nullptr, port().now() + milliseconds{2}, events_max)) {
      tokens.push_back(event.token);  // one too many, and the comparison shows which
    }
    std::sort(tokens.begin(), tokens.end());
    return tokens;
  }
  // Shows that no idle socket wakes.
  void expect_asleep(IdleSockets& idle) { EXPECT_EQ(woken(idle, 0), std::vector<std::uint32_t>{}); }

  File open_root() {
    const auto root = port().open_directory(world_.root());
    EXPECT_TRUE(root) << describe(root.error());
    return root.value();
  }

  // The error of opening `path`, or would_block if there is none.
  Error open_error(File root, std::string_view path) {
    const auto info = port().open_file(root, path);
    if (!info) {
      return info.error();
    }
    port().close_file(info->file);
    return Error::would_block;
  }

  const std::unique_ptr<ContractWorld> owned_world_ = GetParam()();
  ContractWorld& world_ = *owned_world_;
};

}  // namespace pollux::port

#include "tests/port/contract_datagrams.hpp"
#include "tests/port/contract_files.hpp"
#include "tests/port/contract_sockets.hpp"
#include "tests/port/contract_waiting.hpp"

#define POLLUX_PORT_CONTRACT(name, world)                                                               \
  INSTANTIATE_TEST_SUITE_P(name, PortSocketContract, ::testing::Values(&make_contract_world<world>));   \
  INSTANTIATE_TEST_SUITE_P(name, PortDatagramContract, ::testing::Values(&make_contract_world<world>)); \
  INSTANTIATE_TEST_SUITE_P(name, PortWaitingContract, ::testing::Values(&make_contract_world<world>));  \
  INSTANTIATE_TEST_SUITE_P(name, PortFileContract, ::testing::Values(&make_contract_world<world>))
