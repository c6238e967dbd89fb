// In which order the addresses of a name are tried: first what this machine reaches best (RFC 6724 section 6), then the families in turn, so that a
// dead one costs one attempt and not all of them (RFC 8305 section 4). Pure functions; who asks them finds out the source addresses.
//
// Of RFC 6724's rules those are left out that need to know more than addresses: 3 (deprecated), 4 (mobile IP), 7 (tunnels). Rule 9 (longest
// matching prefix) is for IPv6 only: with IPv4 it would always send everybody to the same of several servers that are given in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "port/address.hpp"

namespace pollux::net {

struct Destination {
  port::Address address{};
  port::Address source{};  // which address this machine would send from; Family::none: there is no way to it
  [[nodiscard]] bool is_reachable() const noexcept { return source.family != port::Family::none; }
};

// RFC 6724 section 2.1, the default table. IPv4 addresses count as ::ffff:a.b.c.d.
struct AddressPolicy {
  std::uint8_t precedence = 0;
  std::uint8_t label = 0;
};
[[nodiscard]] AddressPolicy policy_of(const port::Address& address) noexcept;

// RFC 4291 section 2.7 and RFC 6724 sections 3.1, 3.2, 3.4: 2 for link-local and loopback, 5 for site-local, 14 for global, a multicast address's own.
[[nodiscard]] unsigned scope_of(const port::Address& address) noexcept;

// Best first; equals keep their order.
void order_destinations(std::span<Destination> destinations) noexcept;
// The first stays first, then the families take turns as long as both have some; those that cannot be reached stay at the end. At most addresses_max.
void alternate_families(std::span<Destination> destinations) noexcept;

}  // namespace pollux::net
