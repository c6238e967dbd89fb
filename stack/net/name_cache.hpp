// The names a resolver knows already: a fixed number of answers, good and bad, each until its time has come. When all are in use the one that
// ends first makes room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "port/time.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::net {

struct CachedName {
  port::Time expires{};
  std::array<port::Address, addresses_max> addresses{};  // port 0
  std::array<char, name_size_max> name{};
  std::uint8_t name_size = 0;  // 0: unused
  std::uint8_t address_count = 0;
  bool is_absolute = false;           // asked with the last dot: another question, because the search list is left out
  NameError error = NameError::none;  // none if there are addresses

  [[nodiscard]] std::span<const port::Address> address_list() const noexcept {
    return {addresses.data(), address_count};
  }
};

// A name as somebody asked for it, without its last dot.
struct AskedName {
  std::string_view text;
  bool is_absolute = false;
};

class NameCache {
 public:
  NameCache() = default;
  explicit NameCache(std::span<CachedName> entries) noexcept : entries_{entries} {}

  // nullptr if it is not known, or not any more.
  [[nodiscard]] const CachedName* find(const AskedName& name, port::Time now) const noexcept;
  // Replaces what was known of the name. At most addresses_max addresses.
  void store(const AskedName& name, std::span<const port::Address> addresses, NameError error, port::Time now,
             port::Duration lifetime) noexcept;
  void clear() noexcept;

 private:
  [[nodiscard]] CachedName* slot_for(const AskedName& name, port::Time now) noexcept;

  std::span<CachedName> entries_{};
};

}  // namespace pollux::net
