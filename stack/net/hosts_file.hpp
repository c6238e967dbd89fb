// The addresses that /etc/hosts has for one name. The file comes in pieces of any size, lines of any length, and is not kept. Source: hosts(5).
//
//   HostsScan scan{"printer"};
//   while (...) { scan.feed(piece); }
//   scan.finish();
//   use(scan.addresses());
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::net {

class HostsScan {
 public:
  // `name` is used until the end of the scan; case does not matter, a last dot is not part of it.
  explicit HostsScan(std::string_view name) noexcept : name_{name} {}

  void feed(std::string_view piece) noexcept;
  // The file ends here.
  void finish() noexcept { end_word(); }

  // Of all lines that have the name, in the file's order, port 0; the first addresses_max of them.
  [[nodiscard]] std::span<const port::Address> addresses() const noexcept { return {addresses_.data(), count_}; }

 private:
  enum class State : std::uint8_t { before_address, address, before_name, name, rest_of_line };

  void take(char c) noexcept;
  void end_word() noexcept;
  void add_address() noexcept;

  std::string_view name_;
  State state_ = State::before_address;
  bool is_same_ = true;  // the word so far is the beginning of the name
  std::size_t word_size_ = 0;
  std::array<char, port::address_text_max> word_{};  // of an address
  port::Address address_{};                          // of this line
  std::array<port::Address, addresses_max> addresses_{};
  std::uint8_t count_ = 0;
};

}  // namespace pollux::net
