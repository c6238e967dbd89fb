// The text of /etc/resolv.conf: which name servers to ask, and how. Source: resolv.conf(5).
//
// Read: nameserver (literal addresses; the first three), search and domain (the last of them counts), options ndots, timeout, attempts, rotate,
// no-aaaa. Passed over: comments, everything else, and lines that cannot be read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/address.hpp"

namespace pollux::net {

inline constexpr std::size_t name_servers_max = 3;    // MAXNS of resolv.h
inline constexpr std::size_t search_domains_max = 6;  // MAXDNSRCH of resolv.h
inline constexpr std::size_t search_text_max = 256;   // bytes of all of them together, as resolv.conf(5) says
inline constexpr std::size_t resolv_conf_max = 4096;  // bytes of the file; what is behind is not read

struct ResolvConf {
  std::array<port::Address, name_servers_max> servers{};  // port 53
  std::uint8_t server_count = 0;
  std::uint8_t search_count = 0;
  std::uint8_t dots_min = 1;              // ndots: with fewer dots the search list comes first; at most 15
  std::optional<std::uint8_t> timeout_s;  // 1..30
  std::optional<std::uint8_t> attempts;   // 1..5
  bool rotates = false;
  bool asks_ipv6 = true;  // false: no-aaaa
  std::array<char, search_text_max> search_text{};
  std::array<std::uint16_t, search_domains_max + 1> search_begin{};  // domain i is search_text[begin[i]..begin[i + 1])

  // Without the last dot; the root is "".
  [[nodiscard]] std::string_view search(std::size_t index) const noexcept {
    return {search_text.data() + search_begin[index],
            static_cast<std::size_t>(search_begin[index + 1] - search_begin[index])};
  }
  [[nodiscard]] std::span<const port::Address> server_list() const noexcept { return {servers.data(), server_count}; }
};

[[nodiscard]] ResolvConf parse_resolv_conf(std::string_view text) noexcept;

}  // namespace pollux::net
