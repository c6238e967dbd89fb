// The memory of a resolver, as one constant-initialised object whose size the compiler knows, and what lies in it.
//
//   constinit net::ResolverStorage<net::ResolverLimits{}> memory;
//   net::Resolver resolver{{.loop = loop, .memory = memory.memory()}};
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "stack/base/list.hpp"
#include "stack/base/pool.hpp"
#include "stack/net/dns_message.hpp"
#include "stack/net/name_cache.hpp"
#include "stack/net/resolv_conf.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::net {

// A name whose address the app fixed (Resolver::pin).
struct PinnedName {
  std::array<char, name_size_max> name{};
  std::uint8_t name_size = 0;
  std::uint16_t port = 0;  // 0: every port
  port::Address address{};
};

inline constexpr std::size_t pins_max = 16;

// The longest message over TCP that is read to its end, with its length before it; of a longer one what is in front counts.
inline constexpr std::size_t dns_packet_max = 4096;

// One of the two questions of a query, A or AAAA.
struct Question {
  enum class State : std::uint8_t {
    unused,
    asking,      // a datagram is out
    waiting,     // it is to be asked over TCP, and the packet buffer is the other question's
    connecting,  // over TCP from here
    sending,
    receiving,
    done,
  };
  State state = State::unused;
  DnsType type = DnsType::a;
  bool has_options = true;       // EDNS0; a server that does not know it is asked again without
  std::uint8_t alias_count = 0;  // aliases followed so far
  std::uint16_t attempt = 0;     // which server, in which round
  std::uint16_t id = 0;          // of the message that is out
  port::Socket socket{};         // open while asking, connecting, sending, receiving
  port::Time deadline = port::never;
  DnsName name{};                       // asked now: the candidate, or what it is an alias of
  NameError failure = NameError::none;  // of the attempts so far

  // When done:
  NameError error = NameError::none;
  std::uint8_t address_count = 0;
  std::uint32_t lifetime = INT32_MAX;  // seconds: the shortest of the records that led here
  std::array<port::Address, addresses_max> addresses{};

  [[nodiscard]] bool is_over() const noexcept { return state == State::unused || state == State::done; }
};

// One name being asked for, by one lookup or several.
struct Query {
  base::List<Lookup, &Lookup::link> lookups;
  std::array<char, name_size_max> name{};  // as asked, without the last dot
  std::uint8_t name_size = 0;
  bool is_absolute = false;
  bool is_outdated = false;    // the files or the network changed since: the answer is not kept and nobody joins
  bool has_early = false;      // one family is there and the other lets wait too long
  std::uint8_t candidate = 0;  // how many names of the search list were begun
  NameError error = NameError::not_found;       // of the candidates so far
  std::uint32_t negative_lifetime = INT32_MAX;  // seconds, of their "no"
  port::Time early_at = port::never;
  std::size_t first_server = 0;
  ResolvConf conf{};  // as it was at the beginning
  std::array<Question, 2> questions{};

  // Over TCP: first what is sent, then what is received, both with their length before them.
  Question* packet_owner = nullptr;
  std::size_t packet_size = 0;  // sending: of the message
  std::size_t packet_done = 0;  // bytes sent or received
  std::array<std::byte, dns_packet_max> packet;

  Query() noexcept {}  // leaves `packet` as it is
  [[nodiscard]] AskedName asked() const noexcept {
    return {.text = {name.data(), name_size}, .is_absolute = is_absolute};
  }
};

// Which version of a file was seen last.
struct FileVersion {
  bool exists = false;
  std::uint64_t change_id = 0;
  friend constexpr bool operator==(const FileVersion&, const FileVersion&) = default;
};

struct ResolverTables {
  std::span<base::PoolSlot<Query>> query_slots{};
  std::span<CachedName> cache_entries{};

  std::optional<base::Pool<Query>> queries{};  // as long as there is a resolver
  NameCache cache{};
  std::optional<ResolvConf> conf{};  // likewise; optional, so that the whole of the storage is zero, in .bss
  FileVersion conf_version{};
  FileVersion hosts_version{};
  bool has_seen_files = false;
  port::Time files_seen_at{};
  std::size_t rotation = 0;
  std::array<PinnedName, pins_max> pins{};
  std::size_t pin_count = 0;
  std::array<std::byte, dns_packet_max> scratch{};  // datagrams and files, during one call
};

struct ResolverMemory {
  ResolverTables& tables;
};

// Limits that contradict each other do not compile.
template <ResolverLimits limits>
consteval void check_limits() {
  static_assert(limits.queries >= 1, "a resolver needs at least one query");
  static_assert(limits.queries <= 1024, "a resolver has at most 1024 queries");
  static_assert(limits.cache_entries <= 4096, "a resolver keeps at most 4096 names: they are searched one by one");
}

template <ResolverLimits limits_>
struct ResolverStorage {
  static constexpr ResolverLimits limits = limits_;

  std::array<base::PoolSlot<Query>, limits.queries> queries{};
  std::array<CachedName, limits.cache_entries> cache{};
  ResolverTables tables{};

  // For one resolver at a time.
  [[nodiscard]] ResolverMemory memory() noexcept {
    check_limits<limits_>();
    tables.query_slots = queries;
    tables.cache_entries = cache;
    return {.tables = tables};
  }
};

}  // namespace pollux::net
