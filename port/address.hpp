// Address: who is at the other end. 24 bytes, no names, no lookups.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"

namespace pollux::port {

enum class Family : std::uint8_t {
  none,   // unset
  ipv4,   // ip[0..3]
  ipv6,   // ip[0..15] and scope
  local,  // a unix socket; the path is not kept here (see Endpoint)
};

struct Address {
  Family family = Family::none;
  std::uint16_t port = 0;   // host byte order
  std::uint32_t scope = 0;  // IPv6 zone index (RFC 4007), 0 for none
  std::array<std::uint8_t, 16> ip{};

  friend constexpr bool operator==(const Address&, const Address&) = default;

  [[nodiscard]] static constexpr Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                                              std::uint16_t port) noexcept {
    return Address{.family = Family::ipv4, .port = port, .ip = {a, b, c, d}};
  }
  [[nodiscard]] static constexpr Address ipv4_any(std::uint16_t port) noexcept { return ipv4(0, 0, 0, 0, port); }
  [[nodiscard]] static constexpr Address ipv4_loopback(std::uint16_t port) noexcept { return ipv4(127, 0, 0, 1, port); }
  [[nodiscard]] static constexpr Address ipv6_any(std::uint16_t port) noexcept {
    return Address{.family = Family::ipv6, .port = port};
  }
  [[nodiscard]] static constexpr Address ipv6_loopback(std::uint16_t port) noexcept {
    Address address{.family = Family::ipv6, .port = port};
    address.ip[15] = 1;
    return address;
  }
};

// Where to listen or connect. For Family::local `path` names the socket file (at most 107 bytes; a first byte '@' means
// Linux's abstract name space, unix(7)); it is used during the call only. For other families it is ignored.
struct Endpoint {
  Address address;
  std::string_view path{};
};

enum class AddressError : std::uint8_t { empty, bad_port, bad_address, path_too_long };

// The longest text format_address() writes: "[" 45 bytes of IPv6 "%" 10 digits "]:" 5 digits.
inline constexpr std::size_t address_text_max = 64;

// "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%2]:80", "unix" or "none" into `out`; returns the part that was written,
// cut to out.size(). IPv6 in the shortest form (RFC 5952).
[[nodiscard]] std::string_view format_address(const Address& address, std::span<char> out) noexcept;

// As above without the port and the brackets: "192.0.2.1", "2001:db8::1".
[[nodiscard]] std::string_view format_ip(const Address& address, std::span<char> out) noexcept;

// Reads a literal "ADDR:PORT", "[V6]:PORT", ":PORT" (any IPv4 address), "PORT", "localhost:PORT" (IPv4 loopback) or
// "unix:PATH". Endpoint::path points into `text`. No name is ever looked up.
[[nodiscard]] Result<Endpoint, AddressError> parse_endpoint(std::string_view text) noexcept;

// Reads a literal IPv4 (RFC 6943 strict: four decimal parts) or IPv6 (RFC 4291, optional "%zone" number) address, no
// port.
[[nodiscard]] Result<Address, AddressError> parse_ip(std::string_view text) noexcept;

}  // namespace pollux::port
