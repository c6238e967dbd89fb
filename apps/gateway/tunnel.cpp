#include "apps/gateway/tunnel.hpp"

#include "port/ensure.hpp"

namespace pollux::gateway {

namespace {

// How often bytes are moved before others have their turn.
constexpr int steps_per_event = 8;

}  // namespace

Tunnel::Tunnel(std::span<char> to_client, std::span<char> to_upstream) noexcept
    : client_{to_client}, upstream_{to_upstream} {}

port::Events Tunnel::interest(const Side& side, const Side& other) noexcept {
  port::Events wanted = port::Events::none;
  if (!side.input_ended && (!other.out.room().empty() || other.out.gone() != 0)) {
    wanted = wanted | port::Events::readable;
  }
  return side.blocked ? wanted | port::Events::writable : wanted;
}

bool Tunnel::flush(Side& to) noexcept {
  while (!to.out.is_empty() && !to.blocked) {
    const net::StreamResult result = to.stream.send(to.out.data());
    if (result.status == net::StreamStatus::want_write || result.status == net::StreamStatus::want_read) {
      to.blocked = true;
      return true;
    }
    if (result.status != net::StreamStatus::ok) {
      return false;
    }
    // A socket that took less is full; TLS takes a record at a time, and says so when the socket is.
    to.blocked = result.size < to.out.size() && !to.stream.is_tls();
    to.out.consume(result.size);
  }
  return true;
}

bool Tunnel::pump(Side& from, Side& to) noexcept {
  for (int step = 0; step < steps_per_event; ++step) {
    if (!flush(to)) {
      return false;
    }
    if (from.input_ended) {
      break;
    }
    if (to.out.room().empty()) {
      to.out.compact();
    }
    const std::span<char> room = to.out.room();
    if (room.empty()) {
      return true;
    }
    const net::StreamResult result = from.stream.recv(room);
    if (result.status == net::StreamStatus::want_read || result.status == net::StreamStatus::want_write) {
      return true;
    }
    if (result.status == net::StreamStatus::failed) {
      return false;
    }
    if (result.status == net::StreamStatus::end) {
      from.input_ended = true;
      continue;
    }
    to.out.produced(result.size);
    if (result.size < room.size()) {
      return flush(to);  // nothing more was there
    }
  }
  // What the last step brought: nothing may be left here that no event tells of.
  if (!flush(to)) {
    return false;
  }
  if (from.input_ended && to.out.is_empty() && !to.finished && !to.blocked) {
    const net::StreamStatus status = to.stream.shutdown_send();
    to.blocked = status == net::StreamStatus::want_write;  // TLS's last word does not fit yet
    to.finished = status == net::StreamStatus::ok;
    return status != net::StreamStatus::failed;
  }
  return true;
}

bool Tunnel::has_pending(const Side& side, const Side& other) noexcept {
  return side.stream.has_pending() && port::has(interest(side, other), port::Events::readable);
}

Tunnels::Tunnels(net::Loop& loop, const TunnelMemory& memory, port::Duration idle) noexcept
    : loop_{loop}, memory_{memory}, idle_{idle}, pool_{memory.tunnels} {
  loop_.add(*this);
}

Tunnels::~Tunnels() {
  for (std::uint32_t i = 0; i < pool_.size(); ++i) {
    if (Tunnel* tunnel = pool_.at(i)) {
      give_up(*tunnel);
    }
  }
  loop_.remove(*this);
}

Tunnel* Tunnels::take(net::Stream upstream) noexcept {
  if (pool_.is_empty()) {
    return nullptr;
  }
  // The pool hands out slots in an order of its own; a slot's memory is found by its index.
  Tunnel* tunnel = pool_.take(std::span<char>{}, std::span<char>{});
  const std::size_t index = pool_.index_of(*tunnel);
  const std::span<char> both = memory_.buffers.subspan(index * 2 * memory_.buffer_size, 2 * memory_.buffer_size);
  tunnel->client_.out = base::Buffer{both.first(memory_.buffer_size)};
  tunnel->upstream_.out = base::Buffer{both.last(memory_.buffer_size)};
  tunnel->upstream_.stream = upstream;
  tunnel->moved_at_ = loop_.now();
  return tunnel;
}

void Tunnels::open(Tunnel& tunnel, net::Stream client) noexcept {
  ENSURE(!tunnel.is_open_);
  tunnel.client_.stream = client;
  tunnel.is_open_ = true;
  tunnel.moved_at_ = loop_.now();
  tunnel.is_over_ = !tunnel.flush(tunnel.client_) || !tunnel.flush(tunnel.upstream_);
}

void Tunnels::give_up(Tunnel& tunnel) noexcept {
  // A side that did not get everything must not take it for a whole (close_notify).
  for (Tunnel::Side* side : {&tunnel.client_, &tunnel.upstream_}) {
    side->finished ? side->stream.close() : side->stream.abort();
  }
  pool_.give_back(tunnel);
}

port::Time Tunnels::prepare(net::PollSet& set, port::Time now) {
  port::Time deadline = port::never;
  for (std::uint32_t i = 0, found = 0; found < pool_.used(); ++i) {
    Tunnel* tunnel = pool_.at(i);
    if (tunnel == nullptr) {
      continue;
    }
    ++found;
    if (tunnel->is_over_) {
      deadline = now;
      continue;
    }
    // While it waits for its client the upstream's side is not looked at; Relay's deadlines hold then.
    if (!tunnel->is_open_) {
      continue;
    }
    const auto add = [&set](Tunnel::Side& side, const Tunnel::Side& other, std::uint32_t token) {
      const port::Events wanted = Tunnel::interest(side, other);
      if (side.hung_up && wanted == port::Events::none) {
        return;
      }
      side.hung_up = false;
      const bool added = set.add(side.stream.socket(), side.stream.to_poll(wanted), token);
      ENSURE(added);  // the loop has room for two sockets for each tunnel
    };
    add(tunnel->client_, tunnel->upstream_, i * 2);
    add(tunnel->upstream_, tunnel->client_, i * 2 + 1);
    deadline = port::earliest(deadline, tunnel->has_pending() ? now : port::deadline_after(tunnel->moved_at_, idle_));
  }
  return deadline;
}

void Tunnels::ready(std::uint32_t token, port::Events events, port::Time now) {
  Tunnel* tunnel = pool_.at(token / 2);
  if (tunnel == nullptr || tunnel->is_over_) {
    return;
  }
  const bool is_client = token % 2 == 0;
  Tunnel::Side& side = is_client ? tunnel->client_ : tunnel->upstream_;
  Tunnel::Side& other = is_client ? tunnel->upstream_ : tunnel->client_;
  events = side.stream.from_poll(events, Tunnel::interest(side, other));
  if (port::has(events, port::Events::writable)) {
    side.blocked = false;
  }
  if (port::has(events, port::Events::error | port::Events::hangup) &&
      Tunnel::interest(side, other) == port::Events::none) {
    side.hung_up = true;
    return;
  }
  go_on(*tunnel, now);
}

void Tunnels::go_on(Tunnel& tunnel, port::Time now) noexcept {
  tunnel.moved_at_ = now;
  if (!tunnel.pump(tunnel.client_, tunnel.upstream_) || !tunnel.pump(tunnel.upstream_, tunnel.client_) ||
      (tunnel.client_.finished && tunnel.upstream_.finished)) {
    tunnel.is_over_ = true;
  }
}

void Tunnels::expire(port::Time now) {
  for (std::uint32_t i = 0; i < pool_.size(); ++i) {
    Tunnel* tunnel = pool_.at(i);
    if (tunnel != nullptr && tunnel->is_open_ && port::deadline_after(tunnel->moved_at_, idle_) <= now) {
      tunnel->is_over_ = true;
    }
  }
}

void Tunnels::work(port::Time now) {
  for (std::uint32_t i = 0; i < pool_.size(); ++i) {
    Tunnel* tunnel = pool_.at(i);
    if (tunnel != nullptr && tunnel->is_open_ && !tunnel->is_over_ && tunnel->has_pending()) {
      go_on(*tunnel, now);  // decrypted already: no event tells of it
    }
    if (tunnel != nullptr && tunnel->is_over_) {
      give_up(*tunnel);
    }
  }
}

}  // namespace pollux::gateway
