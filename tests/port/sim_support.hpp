// What the tests of the simulated and the failing port share: bytes out of a text, and the machine's own end.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "port/port.hpp"

namespace pollux::port {

[[nodiscard]] inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

inline constexpr Endpoint here{.address = Address::ipv4_loopback(80)};

}  // namespace pollux::port
