// HostEntry: what round trips to one host share - which connections are idle, who waits for one, and how many there are. A host is a key:
// scheme, name, port and proxy (net/http's connectMethodKey). With a proxy for plain http the target is left out: such a
// connection serves every target.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "port/address.hpp"
#include "stack/base/list.hpp"
#include "stack/http/persist_conn.hpp"
#include "stack/http/round_trip.hpp"

namespace pollux::http {

class Proxy;

struct HostEntry {
  static constexpr std::size_t key_size_max = 320;

  std::array<char, key_size_max>
      key{};  // "name:80" or "https://name:443", behind the proxy or the endpoint; lower case
  std::uint16_t key_size = 0;
  std::uint16_t name_at = 0;  // what to connect to, in the key: the target's name, the proxy's, or a socket's path
  std::uint16_t name_size = 0;
  std::uint16_t port = 0;
  const Proxy* proxy = nullptr;
  port::Address address{};      // of RoundTripOptions::endpoint; family none: `name` is looked up
  bool tunnels = false;         // through the proxy by CONNECT or SOCKS
  bool is_https = false;        // TLS, behind the tunnel if there is one
  std::uint16_t target_at = 0;  // tunnels, TLS: the target's name, in the key
  std::uint16_t target_size = 0;
  std::uint16_t target_port = 0;

  base::List<PersistConn, &PersistConn::idle_link> idle;   // used last at the back
  base::List<RoundTrip, &RoundTrip::idle_wait> idle_wait;  // first in first out
  base::List<RoundTrip, &RoundTrip::dial_wait> dial_wait;  // max_conns_per_host is reached; first in first out
  std::uint32_t conns = 0;                                 // dialing, active and idle
  std::uint32_t slot_waiters = 0;                          // may dial and wait for a slot, in the transport's list
  std::uint32_t unswept = 0;                               // closed in this turn
  std::uint32_t round_trips = 0;                           // under way
  base::ListLink<HostEntry> link;

  [[nodiscard]] std::string_view name() const noexcept { return {key.data() + name_at, name_size}; }
  [[nodiscard]] std::string_view target() const noexcept { return {key.data() + target_at, target_size}; }
  [[nodiscard]] std::string_view text() const noexcept { return {key.data(), key_size}; }
};

}  // namespace pollux::http
