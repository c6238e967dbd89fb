// SimNetwork: machines, their addresses and listeners.
#include <algorithm>

#include "port/ensure.hpp"
#include "port/sim/sim_detail.hpp"
#include "port/sim/sim_network.hpp"

namespace pollux::port {

using sim::is_any;
using sim::is_loopback;
using sim::local_path_max;
using sim::same_ip;

// ---- hosts

int SimNetwork::add_host(SimPort& port, const Address& ipv4, const Address& ipv6) {
  ENSURE(static_cast<std::size_t>(host_count_) < hosts_max);
  const int number = host_count_++;
  Host& host = hosts_[static_cast<std::size_t>(number)];
  host.port = &port;
  host.ipv4 = ipv4;
  host.ipv6 = ipv6;
  if (ipv4.family == Family::none) {
    host.ipv4 = Address::ipv4(10, 0, 0, static_cast<std::uint8_t>(number), 0);
  }
  if (ipv6.family == Family::none) {
    host.ipv6 = Address{.family = Family::ipv6, .ip = {0xFD}};
    host.ipv6.ip[15] = static_cast<std::uint8_t>(number);
  }
  return number;
}

void SimNetwork::remove_host(int host) noexcept {
  hosts_[static_cast<std::size_t>(host)] = Host{};
  if (host == host_count_ - 1) {
    --host_count_;
  }
}

int SimNetwork::host_of(const Address& address) const noexcept {
  for (int i = 1; i < host_count_; ++i) {
    const Host& host = hosts_[static_cast<std::size_t>(i)];
    if (host.port && (same_ip(host.ipv4, address) || same_ip(host.ipv6, address))) {
      return i;
    }
  }
  return outside;
}

bool SimNetwork::address_exists(const Address& address) const noexcept {
  if (is_loopback(address) || host_of(address) != outside) {
    return true;
  }
  const bool has_service = std::any_of(datagram_services_.begin(), datagram_services_.end(),
                                       [&](const DatagramService& service) { return same_ip(service.at, address); });
  return has_service || std::any_of(listeners_.begin(), listeners_.end(), [&](const Listener& listener) {
           return listener.is_open && listener.host == outside && same_ip(listener.address, address);
         });
}

bool SimNetwork::family_is_off(int host, const Address& to) const noexcept {
  const Host& from = hosts_[static_cast<std::size_t>(host)];
  return !is_loopback(to) && (to.family == Family::ipv6 ? from.ipv6_is_off : from.ipv4_is_off);
}

// ---- listeners

std::uint16_t SimNetwork::next_free_port() noexcept {
  for (;;) {
    const std::uint16_t port = next_port_;
    next_port_ = next_port_ == UINT16_MAX ? std::uint16_t{49152} : static_cast<std::uint16_t>(next_port_ + 1);
    const bool is_used = std::any_of(listeners_.begin(), listeners_.end(), [&](const Listener& listener) {
      return listener.is_open && listener.address.port == port;
    });
    if (!is_used) {
      return port;
    }
  }
}

Result<std::size_t, Error> SimNetwork::open_listener(int host, const ListenOptions& options) noexcept {
  const Address& address = options.endpoint.address;
  const std::string_view path = options.endpoint.path;
  const bool is_local = address.family == Family::local;
  if (address.family == Family::none || (is_local && path.empty())) {
    return Failure{Error::failed};
  }
  if (is_local && path.size() > local_path_max) {
    return Failure{Error::name_too_long};
  }
  std::size_t free = none;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const Listener& other = listeners_[i];
    if (!other.is_open) {
      free = std::min(free, i);
      continue;
    }
    if (other.host != host || (is_local != (other.address.family == Family::local))) {
      continue;
    }
    if (is_local) {
      if (std::string_view{other.path.data(), other.path_size} == path) {
        return Failure{Error::address_in_use};
      }
      continue;
    }
    const bool both_families =
        (address.family == Family::ipv6 && is_any(address) && !options.ipv6_only) ||
        (other.address.family == Family::ipv6 && is_any(other.address) && !other.options.ipv6_only);
    const bool overlaps = address.family == other.address.family
                              ? is_any(address) || is_any(other.address) || same_ip(address, other.address)
                              : both_families;
    if (overlaps && address.port == other.address.port && address.port != 0 &&
        !(options.reuse_port && other.options.reuse_port)) {
      return Failure{Error::address_in_use};
    }
  }
  if (!is_local && host != outside && !is_any(address) && !is_loopback(address) && host_of(address) != host &&
      !options.free_bind) {
    return Failure{Error::address_not_here};
  }
  if (free == none) {
    return Failure{Error::no_memory};
  }
  Listener& listener = listeners_[free];
  listener.is_open = true;
  listener.host = host;
  listener.options = options;
  listener.options.endpoint.path = {};
  listener.path_size = is_local ? path.copy(listener.path.data(), path.size()) : 0;
  listener.address = address;
  if (!is_local && address.port == 0) {
    listener.address.port = next_free_port();
  }
  listener.backlog_limit = std::clamp<std::size_t>(options.backlog, 1, listener.backlog.size());
  listener.backlog_begin = listener.backlog_size = 0;
  activity();
  return free;
}

void SimNetwork::close_listener(std::size_t index) noexcept {
  activity();
  for (std::size_t waiting = take_from_backlog(index); waiting != none; waiting = take_from_backlog(index)) {
    close_end(waiting, 1, true);
  }
  listeners_[index].is_open = false;
}

std::size_t SimNetwork::take_from_backlog(std::size_t index) noexcept {
  Listener& listener = listeners_[index];
  if (listener.backlog_size == 0) {
    return none;
  }
  const std::size_t connection = listener.backlog[listener.backlog_begin];
  listener.backlog_begin = (listener.backlog_begin + 1) % listener.backlog.size();
  --listener.backlog_size;
  ENSURE(connections_[connection].stage == Connection::Stage::queued);
  connections_[connection].stage = Connection::Stage::established;
  activity();
  return connection;
}

bool SimNetwork::listener_hears(const Listener& listener, int from, const Address& to) const noexcept {
  if (!listener.is_open || listener.address.family == Family::local || listener.address.port != to.port) {
    return false;
  }
  const bool takes_both = listener.address.family == Family::ipv6 && !listener.options.ipv6_only;
  if (listener.address.family != to.family && !(takes_both && is_any(listener.address))) {
    return false;
  }
  if (!is_any(listener.address) && !same_ip(listener.address, to)) {
    return false;
  }
  if (listener.host == outside) {
    return true;
  }
  if (is_loopback(to)) {
    return from == outside || from == listener.host;
  }
  return host_of(to) == listener.host || same_ip(listener.address, to);
}

std::size_t SimNetwork::find_listener(int from, const Address& to) noexcept {
  std::size_t count = 0;
  for (const Listener& listener : listeners_) {
    count += listener_hears(listener, from, to) ? 1 : 0;
  }
  if (count == 0) {
    return none;
  }
  std::size_t chosen = random_.between(0, count - 1);  // SO_REUSEPORT spreads connections
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (listener_hears(listeners_[i], from, to) && chosen-- == 0) {
      return i;
    }
  }
  return none;
}

std::size_t SimNetwork::find_path(int from, std::string_view path) const noexcept {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const Listener& listener = listeners_[i];
    const bool is_near = from == outside || listener.host == outside || from == listener.host;
    if (listener.is_open && listener.address.family == Family::local && is_near &&
        std::string_view{listener.path.data(), listener.path_size} == path) {
      return i;
    }
  }
  return none;
}

}  // namespace pollux::port
