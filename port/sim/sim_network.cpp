#include "port/sim/sim_network.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "port/ensure.hpp"
#include "port/sim/sim_detail.hpp"

namespace pollux::port {
namespace {

constexpr Duration backlog_retry = std::chrono::seconds{1};  // a SYN that found a full backlog is repeated (tcp(7))
constexpr Time clock_start{std::chrono::seconds{1000}};      // not zero, so that an unset deadline shows

Address with_port(Address address, std::uint16_t port) noexcept {
  address.port = port;
  return address;
}

Address loopback_of(Family family, std::uint16_t port) noexcept {
  return family == Family::ipv6 ? Address::ipv6_loopback(port) : Address::ipv4_loopback(port);
}

}  // namespace

using sim::is_any;
using sim::is_loopback;
using sim::number_of;
using sim::same_ip;

SimNetwork::Connection::Connection(const SimOptions& options)
    : pipes{SimPipe{options.send_buffer_max, options.receive_buffer_max},
            SimPipe{options.send_buffer_max, options.receive_buffer_max}} {}

SimNetwork::SimNetwork(const SimOptions& options)
    : now_{clock_start},
      wall_base_{options.wall_clock},
      wall_base_at_{clock_start},
      random_{options.seed},
      seed_{options.seed},
      link_{options.link},
      ports_{options.seed ^ 0x5851F42D4C957F2DU},
      datagram_size_max_{options.datagram_size_max},
      datagram_queue_max_{options.datagram_queue_max},
      datagram_sockets_(options.datagram_sockets_max),
      datagrams_(options.datagrams_max),
      datagram_bytes_{new std::byte[options.datagrams_max * options.datagram_size_max]} {
  listeners_.resize(options.listeners_max);
  for (Listener& listener : listeners_) {
    listener.backlog.resize(options.backlog_max);
  }
  connections_.reserve(options.connections_max);
  for (std::size_t i = 0; i < options.connections_max; ++i) {
    connections_.emplace_back(options);
  }
}

// ---- time

WallTime SimNetwork::wall_clock() const noexcept {
  return {wall_base_.seconds + std::chrono::floor<std::chrono::seconds>(now_ - wall_base_at_).count()};
}

void SimNetwork::set_wall_clock(WallTime time) noexcept {
  wall_base_ = time;
  wall_base_at_ = now_;
}

void SimNetwork::advance(Duration duration) noexcept {
  const Time end = now_ + duration;
  for (Time next = next_event(); next <= end; next = next_event()) {
    move_clock(next);
  }
  move_clock(end);
}

void SimNetwork::move_clock(Time to) noexcept {
  ENSURE(to >= now_);
  now_ = to;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    settle(i);
  }
  deliver_datagrams();
  run_services();
  activity();
}

Time SimNetwork::end_gives_up_at(const Connection& connection, int side) const noexcept {
  const auto i = static_cast<std::size_t>(side);
  if (connection.ends[i].state != End::State::open) {
    return never;
  }
  const Time stalled = connection.pipes[i].gives_up_at(connection.link);
  if (stalled == never && connection.is_lost) {
    return deadline_after(connection.lost_at, connection.link.keep_alive);
  }
  return stalled;
}

Time SimNetwork::next_event_of(const Connection& connection) const noexcept {
  switch (connection.stage) {
    case Connection::Stage::free:
      return never;
    case Connection::Stage::knocking:
    case Connection::Stage::refusing:
      return earliest(connection.is_lost ? never : connection.step_at, connection.gives_up_at);
    case Connection::Stage::queued:
    case Connection::Stage::established:
      break;
  }
  Time next = never;
  for (std::size_t i = 0; i < 2; ++i) {
    next = earliest(next, connection.pipes[i].next_arrival());
    next = earliest(next, end_gives_up_at(connection, static_cast<int>(i)));
  }
  return next;
}

Time SimNetwork::next_event() const noexcept {
  Time next = never;
  for (const Connection& connection : connections_) {
    next = earliest(next, next_event_of(connection));
  }
  next = earliest(next, next_datagram());
  for (const Service& service : services_) {
    next = earliest(next, service.next);
  }
  return next;
}

void SimNetwork::activity() noexcept {
  for (Host& host : hosts_) {
    host.polled_in_vain = false;
  }
}

void SimNetwork::set_trace(TraceSink sink, void* object) noexcept {
  trace_sink_ = sink;
  trace_object_ = object;
}

void SimNetwork::trace(const char* format, ...) noexcept {
  if (!trace_sink_) {
    return;
  }
  char line[160];
  int size = std::snprintf(line, sizeof line, "%lld ", static_cast<long long>(now_.time_since_epoch().count()));
  std::va_list arguments;
  va_start(arguments, format);
  size += std::vsnprintf(line + size, sizeof line - static_cast<std::size_t>(size), format, arguments);
  va_end(arguments);
  trace_sink_(trace_object_, {line, std::min(static_cast<std::size_t>(size), sizeof line - 1)});
}

// ---- connections: beginning

void SimNetwork::set_connect_rule(const SimConnectRule& rule) {
  for (SimConnectRule& existing : rules_) {
    if (existing.to == rule.to) {
      existing = rule;
      return;
    }
  }
  rules_.push_back(rule);
}

const SimConnectRule* SimNetwork::rule_for(const Address& to) const noexcept {
  const SimConnectRule* found = nullptr;
  for (const SimConnectRule& rule : rules_) {
    if (same_ip(rule.to, to) && (rule.to.port == to.port || (rule.to.port == 0 && !found))) {
      found = &rule;
    }
  }
  return found;
}

const SimLink& SimNetwork::link_for(int from, const Address& to) const noexcept {
  const Host& near = hosts_[static_cast<std::size_t>(from)];
  const Host& far = hosts_[static_cast<std::size_t>(host_of(to))];
  if (far.has_link) {
    return far.link;
  }
  if (near.has_link) {
    return near.link;
  }
  for (const Host& host : hosts_) {  // a raw peer that connects to a loopback address means the only machine there is
    if (from == outside && host_count_ == 2 && host.has_link) {
      return host.link;
    }
  }
  return link_;
}

Result<std::size_t, Error> SimNetwork::open_connection(int from, const Address& source, const Endpoint& to) noexcept {
  const auto free = std::find_if(connections_.begin(), connections_.end(),
                                 [](const Connection& c) { return c.stage == Connection::Stage::free; });
  if (free == connections_.end()) {
    return Failure{Error::no_memory};
  }
  Address target = to.address;
  const bool is_local = target.family == Family::local;
  const SimConnectRule* rule = nullptr;
  std::size_t path_listener = none;
  if (target.family == Family::none) {
    return Failure{Error::failed};
  }
  if (is_local) {
    if (to.path.size() > sim::local_path_max) {
      return Failure{Error::name_too_long};
    }
    path_listener = find_path(from, to.path);
    if (path_listener == none) {
      return Failure{to.path.starts_with('@') ? Error::refused : Error::not_found};  // an abstract name is no file
    }
    if (listeners_[path_listener].backlog_size == listeners_[path_listener].backlog_limit) {
      return Failure{Error::would_block};
    }
  } else {
    target = is_any(target) ? loopback_of(target.family, target.port) : target;
    if (family_is_off(from, target)) {
      return Failure{Error::unreachable};
    }
    rule = rule_for(target);
    const bool is_refused_at_once = rule && rule->at_once && rule->outcome != SimConnectRule::Outcome::ordinary;
    if (is_refused_at_once) {
      return Failure{rule->outcome == SimConnectRule::Outcome::refused ? Error::refused : Error::unreachable};
    }
    if (!rule && !address_exists(target) && find_listener(from, target) == none) {
      return Failure{Error::unreachable};
    }
  }

  Connection& connection = *free;
  connection.stage = Connection::Stage::knocking;
  ++connection.generation;
  connection.is_lost = false;
  connection.link = link_for(from, target);
  connection.listener_path = path_listener;
  connection.ends = {};
  connection.ends[0].is_attached = true;
  connection.ends[0].host = from;
  connection.ends[0].address = source;
  connection.ends[1].address = target;
  connection.pipes[0].clear(now_);
  connection.pipes[1].clear(now_);
  connection.gives_up_at = now_ + sim_connect_timeout;

  const SimLink& link = connection.link;
  const auto low = static_cast<std::uint64_t>(link.latency_min.count());
  const auto high = static_cast<std::uint64_t>(link.latency_max.count());
  const Duration there_and_back{static_cast<Duration::rep>(random_.between(low, high) + random_.between(low, high))};
  connection.step_at = is_local ? now_ : now_ + there_and_back + (rule ? rule->delay : Duration{0});
  switch (rule ? rule->outcome : SimConnectRule::Outcome::ordinary) {
    case SimConnectRule::Outcome::ordinary:
      break;
    case SimConnectRule::Outcome::refused:
      connection.stage = Connection::Stage::refusing;
      connection.refusal = Error::refused;
      break;
    case SimConnectRule::Outcome::unreachable:
      connection.stage = Connection::Stage::refusing;
      connection.refusal = Error::unreachable;
      break;
    case SimConnectRule::Outcome::timed_out:
      connection.stage = Connection::Stage::refusing;
      connection.refusal = Error::timed_out;
      break;
    case SimConnectRule::Outcome::silent:
      connection.step_at = never;
      break;
  }
  const auto index = static_cast<std::size_t>(free - connections_.begin());
  activity();
  settle(index);
  return index;
}

// The answer to a connect comes: into a backlog, or no.
void SimNetwork::knock(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  End& client = connection.ends[0];
  End& server = connection.ends[1];
  const bool is_local = connection.listener_path != none;
  std::size_t found = is_local ? connection.listener_path : find_listener(client.host, server.address);
  if (found != none && !listeners_[found].is_open) {
    found = none;
  }
  if (connection.stage == Connection::Stage::refusing || found == none) {
    const Error refusal = connection.stage == Connection::Stage::refusing ? connection.refusal : Error::refused;
    connection.stage = Connection::Stage::established;
    fail_end(connection, 0, refusal, number_of(refusal), false);
    return;
  }
  Listener& listener = listeners_[found];
  if (listener.backlog_size == listener.backlog_limit) {
    connection.step_at = now_ + backlog_retry;
    return;
  }
  listener.backlog[(listener.backlog_begin + listener.backlog_size) % listener.backlog.size()] = index;
  ++listener.backlog_size;
  connection.stage = Connection::Stage::queued;
  client.state = End::State::open;
  server.state = End::State::open;
  server.is_attached = true;
  server.host = listener.host;
  news_for(client.host);
  news_for(server.host);
  trace("connection %zu from host %d to host %d", index, client.host, server.host);
}

// ---- connections: what happens on the line

void SimNetwork::fail_end(Connection& connection, int side, Error error, int number, bool tell_other) noexcept {
  const auto i = static_cast<std::size_t>(side);
  End& end = connection.ends[i];
  end.state = End::State::failed;
  end.failure = error;
  end.failure_number = number;
  connection.pipes[1 - i].cut();
  if (tell_other) {
    connection.pipes[i].abort();
  } else {
    connection.pipes[i].cut();
  }
  news_for(end.host);
}

void SimNetwork::break_connection(Connection& connection) noexcept {
  for (int side = 0; side < 2; ++side) {
    if (connection.ends[static_cast<std::size_t>(side)].state == End::State::open) {
      fail_end(connection, side, Error::failed, ECONNRESET, false);
    }
  }
}

void SimNetwork::lose_line(Connection& connection) noexcept {
  connection.is_lost = true;
  connection.lost_at = now_;
  connection.pipes[0].lose();
  connection.pipes[1].lose();
}

void SimNetwork::arrived(Connection& connection, int from, SimPipe::Arrival arrival) noexcept {
  const auto writer = static_cast<std::size_t>(from);
  const End& reader = connection.ends[1 - writer];
  trace("connection %d: %s for host %d", static_cast<int>(&connection - connections_.data()),
        arrival == SimPipe::Arrival::data     ? "bytes"
        : arrival == SimPipe::Arrival::finish ? "FIN"
                                              : "reset",
        reader.host);
  news_for(reader.host);
  news_for(connection.ends[writer].host);  // its send buffer has room again
  switch (arrival) {
    case SimPipe::Arrival::none:
    case SimPipe::Arrival::finish:
      return;
    case SimPipe::Arrival::reset:
      fail_end(connection, 1 - from, Error::failed, ECONNRESET, false);
      return;
    case SimPipe::Arrival::data:
      break;
  }
  if (!reader.is_attached) {
    connection.pipes[1 - writer]
        .abort();  // bytes for a closed socket are answered with a reset (RFC 9293 section 3.10.7.1)
  } else if (random_.chance(connection.link.reset)) {
    break_connection(connection);
  } else if (random_.chance(connection.link.loss)) {
    lose_line(connection);
  }
}

bool SimNetwork::step(std::size_t index) noexcept {
  Connection& connection = connections_[index];
  switch (connection.stage) {
    case Connection::Stage::free:
      return false;
    case Connection::Stage::knocking:
    case Connection::Stage::refusing:
      if (connection.gives_up_at <= now_) {
        connection.stage = Connection::Stage::established;
        fail_end(connection, 0, Error::timed_out, ETIMEDOUT, false);
        return true;
      }
      if (connection.is_lost || connection.step_at > now_) {
        return false;
      }
      knock(index);
      return true;
    case Connection::Stage::queued:
    case Connection::Stage::established:
      break;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const bool is_deaf = !connection.ends[1 - i].is_attached;
    if (!connection.is_lost) {
      connection.pipes[i].depart(connection.link, random_, now_, is_deaf);
    }
    const SimPipe::Arrival arrival = connection.pipes[i].arrive(now_, is_deaf);
    if (arrival != SimPipe::Arrival::none) {
      arrived(connection, static_cast<int>(i), arrival);
      return true;
    }
  }
  for (int side = 0; side < 2; ++side) {
    if (end_gives_up_at(connection, side) <= now_) {
      fail_end(connection, side, Error::timed_out, ETIMEDOUT, true);
      return true;
    }
  }
  return false;
}

void SimNetwork::settle(std::size_t index) noexcept {
  while (step(index)) {
    activity();
  }
  Connection& connection = connections_[index];
  if (connection.stage != Connection::Stage::free && !connection.ends[0].is_attached &&
      !connection.ends[1].is_attached) {
    connection.stage = Connection::Stage::free;  // nobody is left who could see what is still under way
  }
}

void SimNetwork::close_end(std::size_t index, int side, bool reset) noexcept {
  Connection& connection = connections_[index];
  const auto i = static_cast<std::size_t>(side);
  End& end = connection.ends[i];
  if (!end.is_attached) {
    return;
  }
  end.is_attached = false;
  SimPipe& incoming = connection.pipes[1 - i];
  const bool has_unread = incoming.unread() != 0;
  incoming.drop_unread();
  if (end.state == End::State::open) {
    if (reset || has_unread) {
      connection.pipes[i].abort();  // RFC 2525 section 2.17: the peer must learn that its bytes were not read
    } else {
      connection.pipes[i].finish(now_);
    }
  }
  end.is_finished = true;
  activity();
  settle(index);
}

// ---- raw peers

SimPeer SimNetwork::connect(const Endpoint& to) noexcept {
  Address from{.family = Family::local};
  if (to.address.family != Family::local) {
    from = is_loopback(to.address) || is_any(to.address) ? loopback_of(to.address.family, 0)
           : to.address.family == Family::ipv4           ? Address::ipv4(192, 0, 2, 1, 0)
                                               : Address{.family = Family::ipv6, .ip = {0x20, 0x01, 0x0D, 0xB8}};
    if (from.family == Family::ipv6) {
      from.ip[15] = 1;
    }
    from = with_port(from, next_free_port());
  }
  return connect(to, from);
}

SimPeer SimNetwork::connect(const Endpoint& to, const Address& from) noexcept {
  const Result<std::size_t, Error> opened = open_connection(outside, from, to);
  return opened ? SimPeer{*this, opened.value(), 0, connections_[opened.value()].generation} : SimPeer{};
}

SimPeerListener SimNetwork::listen(const Endpoint& at, std::uint16_t backlog) noexcept {
  const Result<std::size_t, Error> opened = open_listener(outside, {.endpoint = at, .backlog = backlog});
  ENSURE(opened);
  return SimPeerListener{*this, opened.value()};
}

// ---- what there is

std::size_t SimNetwork::connections() const noexcept {
  return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [](const Connection& c) {
    return c.stage != Connection::Stage::free;
  }));
}

std::size_t SimNetwork::bytes_in_flight() const noexcept {
  std::size_t bytes = 0;
  for (const Connection& connection : connections_) {
    if (connection.stage != Connection::Stage::free) {
      bytes += connection.pipes[0].outstanding() + connection.pipes[1].outstanding();
    }
  }
  return bytes;
}

bool SimNetwork::is_quiet() const noexcept {
  return bytes_in_flight() == 0 && datagrams_in_flight() == 0 &&
         std::all_of(connections_.begin(), connections_.end(), [](const Connection& c) {
           const bool is_connecting = c.stage == Connection::Stage::knocking || c.stage == Connection::Stage::refusing;
           return c.stage == Connection::Stage::free ||
                  (!is_connecting && c.pipes[0].next_arrival() == never && c.pipes[1].next_arrival() == never);
         });
}

}  // namespace pollux::port
