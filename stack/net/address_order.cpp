#include "stack/net/address_order.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "port/ensure.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::net {

namespace {

using Bytes = std::array<std::uint8_t, 16>;

constexpr unsigned scope_link_local = 2;
constexpr unsigned scope_site_local = 5;
constexpr unsigned scope_global = 14;

// The prefix of a source address that counts in rule 9: the network's part of it.
constexpr unsigned prefix_bits_max = 64;

struct PolicyRow {
  Bytes prefix;
  std::uint8_t bits;
  AddressPolicy policy;
};

constexpr Bytes loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr Bytes mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Longest prefix first, so the first match is the one.
constexpr std::array<PolicyRow, 9> policy_table{{
    {loopback, 128, {50, 0}},
    {mapped, 96, {35, 4}},
    {Bytes{}, 96, {1, 3}},             // ::/96, IPv4-compatible
    {Bytes{0x20, 0x01}, 32, {5, 5}},   // 2001::/32, Teredo
    {Bytes{0x20, 0x02}, 16, {30, 2}},  // 2002::/16, 6to4
    {Bytes{0x3f, 0xfe}, 16, {1, 12}},  // 3ffe::/16, 6bone
    {Bytes{0xfe, 0xc0}, 10, {1, 11}},  // fec0::/10, site-local
    {Bytes{0xfc}, 7, {3, 13}},         // fc00::/7, unique local
    {Bytes{}, 0, {40, 1}},
}};

[[nodiscard]] unsigned common_bits(const Bytes& a, const Bytes& b) noexcept {
  unsigned bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto differing = static_cast<std::uint8_t>(a[i] ^ b[i]);
    if (differing != 0) {
      return bits + static_cast<unsigned>(std::countl_zero(differing));
    }
    bits += 8;
  }
  return bits;
}

[[nodiscard]] Bytes as_ipv6(const port::Address& address) noexcept {
  if (address.family == port::Family::ipv6) {
    return address.ip;
  }
  Bytes bytes = mapped;
  std::copy_n(address.ip.begin(), 4, bytes.begin() + 12);
  return bytes;
}

// Whether `a` is to be tried before `b`: the first rule that sees a difference decides. Neither before the other: they keep their order (rule 10).
[[nodiscard]] bool is_better(const Destination& a, const Destination& b) noexcept {
  // Rule 1: avoid unusable destinations.
  if (a.is_reachable() != b.is_reachable()) {
    return a.is_reachable();
  }
  const AddressPolicy a_policy = policy_of(a.address);
  const AddressPolicy b_policy = policy_of(b.address);
  const unsigned a_scope = scope_of(a.address);
  const unsigned b_scope = scope_of(b.address);
  if (a.is_reachable()) {
    // Rule 2: prefer matching scope.
    const bool a_fits = a_scope == scope_of(a.source);
    const bool b_fits = b_scope == scope_of(b.source);
    if (a_fits != b_fits) {
      return a_fits;
    }
    // Rule 5: prefer matching label.
    const bool a_is_labelled = a_policy.label == policy_of(a.source).label;
    const bool b_is_labelled = b_policy.label == policy_of(b.source).label;
    if (a_is_labelled != b_is_labelled) {
      return a_is_labelled;
    }
  }
  // Rule 6: prefer higher precedence.
  if (a_policy.precedence != b_policy.precedence) {
    return a_policy.precedence > b_policy.precedence;
  }
  // Rule 8: prefer smaller scope.
  if (a_scope != b_scope) {
    return a_scope < b_scope;
  }
  // Rule 9: use the longest matching prefix.
  if (a.is_reachable() && a.address.family == port::Family::ipv6 && b.address.family == port::Family::ipv6) {
    return std::min(common_bits(a.address.ip, a.source.ip), prefix_bits_max) >
           std::min(common_bits(b.address.ip, b.source.ip), prefix_bits_max);
  }
  return false;
}

}  // namespace

AddressPolicy policy_of(const port::Address& address) noexcept {
  const Bytes bytes = as_ipv6(address);
  for (const PolicyRow& row : policy_table) {
    if (common_bits(bytes, row.prefix) >= row.bits) {
      return row.policy;
    }
  }
  return policy_table.back().policy;
}

unsigned scope_of(const port::Address& address) noexcept {
  const auto& ip = address.ip;
  if (address.family == port::Family::ipv4) {
    return ip[0] == 127 || (ip[0] == 169 && ip[1] == 254) ? scope_link_local : scope_global;
  }
  if (ip[0] == 0xff) {
    return ip[1] & 0x0fU;
  }
  if (ip == loopback || (ip[0] == 0xfe && (ip[1] & 0xc0U) == 0x80U)) {
    return scope_link_local;
  }
  return ip[0] == 0xfe && (ip[1] & 0xc0U) == 0xc0U ? scope_site_local : scope_global;
}

// Sorted by insertion: there are a few of them, and equals keep their order.
void order_destinations(std::span<Destination> destinations) noexcept {
  for (std::size_t i = 1; i < destinations.size(); ++i) {
    const Destination moved = destinations[i];
    std::size_t at = i;
    for (; at > 0 && is_better(moved, destinations[at - 1]); --at) {
      destinations[at] = destinations[at - 1];
    }
    destinations[at] = moved;
  }
}

void alternate_families(std::span<Destination> destinations) noexcept {
  ENSURE(destinations.size() <= addresses_max);
  std::array<Destination, addresses_max> ordered;
  std::copy(destinations.begin(), destinations.end(), ordered.begin());
  std::size_t reachable = 0;
  while (reachable < destinations.size() && ordered[reachable].is_reachable()) {
    ++reachable;
  }
  // `next` of the family in turn; when it has no more, of the other one.
  std::array<bool, addresses_max> is_taken{};
  port::Family turn = destinations.empty() ? port::Family::none : ordered[0].address.family;
  for (std::size_t out = 0; out < reachable; ++out) {
    std::size_t chosen = addresses_max;
    for (std::size_t i = 0; i < reachable; ++i) {
      if (!is_taken[i] && (chosen == addresses_max || ordered[i].address.family == turn)) {
        chosen = i;
        if (ordered[i].address.family == turn) {
          break;
        }
      }
    }
    is_taken[chosen] = true;
    destinations[out] = ordered[chosen];
    turn = turn == port::Family::ipv4 ? port::Family::ipv6 : port::Family::ipv4;
  }
}

}  // namespace pollux::net
