// Small things that the parts of the simulator share. Not for its users.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "port/ensure.hpp"
#include "port/port.hpp"

namespace pollux::port::sim {

inline constexpr std::size_t local_path_max = 107;  // bytes of a unix socket's name, unix(7)

[[nodiscard]] inline bool same_ip(const Address& a, const Address& b) noexcept {
  return a.family == b.family && a.ip == b.ip;
}

[[nodiscard]] inline bool is_any(const Address& address) noexcept {
  return std::all_of(address.ip.begin(), address.ip.end(), [](std::uint8_t byte) { return byte == 0; });
}

[[nodiscard]] inline bool is_loopback(const Address& address) noexcept {
  if (address.family == Family::ipv4) {
    return address.ip[0] == 127;
  }
  return address.family == Family::ipv6 && address.ip == Address::ipv6_loopback(0).ip;
}

// What Linux calls it: errno(3).
[[nodiscard]] inline int number_of(Error error) noexcept {
  switch (error) {
    case Error::would_block:
      return EAGAIN;
    case Error::aborted:
      return ECONNABORTED;
    case Error::no_descriptors:
      return EMFILE;
    case Error::no_memory:
      return ENOMEM;
    case Error::address_in_use:
      return EADDRINUSE;
    case Error::address_not_here:
      return EADDRNOTAVAIL;
    case Error::permission_denied:
      return EACCES;
    case Error::not_found:
      return ENOENT;
    case Error::not_regular:
      return ENXIO;
    case Error::outside:
      return EXDEV;
    case Error::name_too_long:
      return ENAMETOOLONG;
    case Error::refused:
      return ECONNREFUSED;
    case Error::unreachable:
      return EHOSTUNREACH;
    case Error::timed_out:
      return ETIMEDOUT;
    case Error::failed:
      return EIO;
  }
  return EIO;
}

// A Socket or File is: 15 bits generation, 4 bits machine, 12 bits index. So it is recognised when it is used too late or elsewhere.
inline constexpr int index_bits = 12;
inline constexpr int host_bits = 4;
inline constexpr std::size_t slots_limit = std::size_t{1} << index_bits;
inline constexpr std::uint32_t generation_max = 0x7FFF;

[[nodiscard]] constexpr int make_id(std::uint32_t generation, int host, std::size_t index) noexcept {
  return static_cast<int>(generation << (index_bits + host_bits)) | (host << index_bits) | static_cast<int>(index);
}

[[nodiscard]] constexpr std::uint32_t next_generation(std::uint32_t generation) noexcept {
  return generation == generation_max ? 1 : generation + 1;
}

// A bug of the program under test: the message names the call.
[[noreturn]] inline void stop(const char* message) noexcept {
  ensure_failed("port/sim", 0, message);
}

}  // namespace pollux::port::sim
