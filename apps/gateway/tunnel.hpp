// Tunnels: connections that have stopped speaking HTTP (101 Switching Protocols). Bytes go from each side to the other through a buffer of
// fixed size; a side that does not take them stops the other from being read.
//
//   free -> waiting -> open -> free
//             |   the client's side was given     both sides have finished, one broke, or nothing moved for the idle time
//             '-> free   the client went away before
//
// Half-closes are passed on: an end of one direction becomes a FIN on the other side once everything before it was sent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/time.hpp"
#include "stack/base/buffer.hpp"
#include "stack/base/pool.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/stream.hpp"

namespace pollux::gateway {

class Tunnel {
 public:
  // `to_client` and `to_upstream` are the memory of the two directions.
  Tunnel(std::span<char> to_client, std::span<char> to_upstream) noexcept;

  // Bytes that the client, or the upstream, gets first. False: there is no room for them.
  [[nodiscard]] bool begin_client(std::string_view text) noexcept { return begin(client_, text); }
  [[nodiscard]] bool begin_upstream(std::string_view text) noexcept { return begin(upstream_, text); }

 private:
  friend class Tunnels;
  struct Side {
    explicit Side(std::span<char> memory) noexcept : out{memory} {}
    net::Stream stream{};
    base::Buffer out;          // for this side
    bool input_ended = false;  // it sent its FIN
    bool finished = false;     // it got ours
    bool blocked = false;      // it took no more; wait until it is writable
    bool hung_up = false;      // poll() keeps saying so: not asked again until there is room to read the rest
  };
  static bool begin(Side& side, std::string_view text) noexcept { return side.out.append(text) == text.size(); }
  [[nodiscard]] static port::Events interest(const Side& side, const Side& other) noexcept;
  // Moves bytes from one side to the other. False: the tunnel is broken.
  [[nodiscard]] bool pump(Side& from, Side& to) noexcept;
  [[nodiscard]] bool flush(Side& to) noexcept;
  // There is something to read that no event of a socket tells of.
  [[nodiscard]] static bool has_pending(const Side& side, const Side& other) noexcept;
  [[nodiscard]] bool has_pending() const noexcept {
    return has_pending(client_, upstream_) || has_pending(upstream_, client_);
  }

  Side client_;
  Side upstream_;
  port::Time moved_at_{};
  bool is_open_ = false;  // both sides are here
  bool is_over_ = false;
};

struct TunnelMemory {
  std::span<base::PoolSlot<Tunnel>> tunnels;
  std::span<char> buffers;  // two of `buffer_size` for each
  std::size_t buffer_size = 0;
};

template <std::size_t count, std::size_t buffer_size>
struct TunnelStorage {
  std::array<base::PoolSlot<Tunnel>, count> tunnels{};
  std::array<char, count * 2 * buffer_size> buffers{};
  [[nodiscard]] TunnelMemory memory() noexcept {
    return {.tunnels = tunnels, .buffers = buffers, .buffer_size = buffer_size};
  }
};

class Tunnels final : private net::Driver {
 public:
  Tunnels(net::Loop& loop, const TunnelMemory& memory, port::Duration idle) noexcept;
  ~Tunnels();
  Tunnels(const Tunnels&) = delete;
  Tunnels& operator=(const Tunnels&) = delete;

  // A tunnel that waits for its client; nullptr if all are in use. The stream is the tunnel's from now on.
  [[nodiscard]] Tunnel* take(net::Stream upstream) noexcept;
  // The client's side has come: bytes flow from now on.
  void open(Tunnel& tunnel, net::Stream client) noexcept;
  // The client will not come.
  void give_up(Tunnel& tunnel) noexcept;

  [[nodiscard]] bool is_full() const noexcept { return pool_.is_empty(); }
  [[nodiscard]] std::size_t used() const noexcept { return pool_.used(); }
  [[nodiscard]] std::size_t used_max() const noexcept { return pool_.used_max(); }
  [[nodiscard]] std::size_t size() const noexcept { return pool_.size(); }

 private:
  [[nodiscard]] port::Time prepare(net::PollSet& set, port::Time now) override;
  void ready(std::uint32_t token, port::Events events, port::Time now) override;
  void parked_ready(std::uint32_t, port::Events, port::Time) override {}
  void expire(port::Time now) override;
  void work(port::Time now) override;
  void go_on(Tunnel& tunnel, port::Time now) noexcept;

  net::Loop& loop_;
  TunnelMemory memory_;
  port::Duration idle_;
  base::Pool<Tunnel> pool_;
};

}  // namespace pollux::gateway
