// What the resolver's sources share and nobody else needs.
#pragma once

#include <cstdint>
#include <string_view>

#include "stack/base/pool.hpp"
#include "stack/base/text.hpp"

namespace pollux::net {

// `name` is `domain` or below it.
[[nodiscard]] constexpr bool is_below(std::string_view name, std::string_view domain) noexcept {
  if (name.size() < domain.size()) {
    return false;
  }
  const std::size_t rest = name.size() - domain.size();
  return base::equal_ignoring_case({name.data() + rest, domain.size()}, domain) && (rest == 0 || name[rest - 1] == '.');
}

// Names that must not reach a name server: RFC 6761 section 6.3 and 6.4, RFC 6762, RFC 7686.
[[nodiscard]] constexpr bool is_special(std::string_view name) noexcept {
  return is_below(name, "localhost") || is_below(name, "local") || is_below(name, "invalid") || is_below(name, "onion");
}

// A poll token names a query slot, its use (so that an event for an earlier use is recognised), and one of the two questions.
[[nodiscard]] constexpr std::uint32_t token_of(base::Handle query, std::uint32_t question) noexcept {
  return query.generation << 16 | query.index << 1 | question;
}
[[nodiscard]] constexpr std::uint32_t token_index(std::uint32_t token) noexcept {
  return token & 0xffffU;
}

}  // namespace pollux::net
