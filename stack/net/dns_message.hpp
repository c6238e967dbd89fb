// DNS messages: a question to bytes, and bytes to what a resolver does next. Pure functions on given memory.
//
// What comes in is not trusted: lengths, counts and compression pointers are checked, a pointer leads backwards only (so no name can run in a
// circle), and an answer that does not repeat the question is nobody's. Only what an address lookup needs is read: A, AAAA, CNAME and the SOA
// that says how long a "no" may be kept. Names keep their wire form, because an alias may have bytes that no host name has.
//
//   DnsName name;
//   make_dns_name("example.net", name);
//   const std::size_t size = write_dns_question(out, {.id = id, .name = name, .type = DnsType::a});
//   ...
//   const DnsAnswer answer = read_dns_answer(message, {.id = id, .name = name, .type = DnsType::a}, DnsCarrier::datagram);
//
// Sources: RFC 1035 section 4 (format), RFC 2181 section 8 (TTL), RFC 2308 (negative answers), RFC 3596 (AAAA), RFC 5452 section 9 (what an answer
// must match), RFC 6891 (EDNS0).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::net {

// A name as it stands in a message, not compressed: labels with their length before them, and the empty one at the end.
struct DnsName {
  std::array<std::uint8_t, 255> bytes{};
  std::uint8_t size = 0;
};

enum class DnsType : std::uint16_t { a = 1, name_server = 2, alias = 5, authority = 6, aaaa = 28, options = 41 };

// How many aliases are followed for one name, over all answers and questions; the same as in common servers.
inline constexpr std::uint8_t dns_aliases_max = 16;
// What we say we can receive as one datagram: fits into IPv6's smallest MTU (RFC 9715 section 3, DNS Flag Day 2020).
inline constexpr std::size_t dns_datagram_max = 1232;
// Header, longest name, type, class and the OPT record.
inline constexpr std::size_t dns_question_size_max = 12 + 255 + 4 + 11;
inline constexpr std::uint16_t dns_port = 53;

// Letters, digits, '-' and '_' in labels of 1 to 63 bytes, at most name_size_max bytes, without the last dot (RFC 1123 section 2.1, and '_' because
// there are such names).
[[nodiscard]] bool is_host_name(std::string_view name) noexcept;
// False, and `out` undefined, if it is not a host name.
[[nodiscard]] bool make_dns_name(std::string_view host_name, DnsName& out) noexcept;
// Equal but for the case of ASCII letters (RFC 4343).
[[nodiscard]] bool equal(const DnsName& a, const DnsName& b) noexcept;
// `name` is `domain` or below it.
[[nodiscard]] bool is_within(const DnsName& name, const DnsName& domain) noexcept;

// Reads the name at `at` and moves `at` behind it. False if it leaves the message, is longer than a name may be, or has a pointer that does not lead
// backwards.
[[nodiscard]] bool read_dns_name(std::span<const std::byte> message, std::size_t& at, DnsName& out) noexcept;

struct DnsQuestion {
  std::uint16_t id = 0;
  const DnsName& name;
  DnsType type = DnsType::a;
  bool has_options = true;  // EDNS0: an OPT record with dns_datagram_max
};

// Returns the size of the message. `out` has at least dns_question_size_max bytes.
[[nodiscard]] std::size_t write_dns_question(std::span<std::byte> out, const DnsQuestion& question) noexcept;

// How the message came, and so what it means that it is not whole.
enum class DnsCarrier : std::uint8_t {
  datagram,    // TC: ask again over TCP
  stream,      // TC: there is no more, what is there counts
  cut_stream,  // our buffer had no room for the end: what is there counts
};

enum class DnsOutcome : std::uint8_t {
  not_ours,    // no answer to this question: forget it and go on waiting
  truncated,   // ask again over TCP
  bad_format,  // FORMERR or NOTIMP: the server may not know EDNS0
  failed,  // SERVFAIL, REFUSED or any other code, unreadable, a server that sends us elsewhere, or aliases in a circle
  not_found,   // NXDOMAIN
  no_address,  // the name is there, and has none of this type
  alias,       // the name is an alias of `target`, of which the answer says no more: ask for that
  addresses,
};

struct DnsAnswer {
  DnsOutcome outcome = DnsOutcome::not_ours;
  std::uint8_t address_count = 0;
  std::uint8_t alias_count = 0;  // steps from the question's name to `target`
  std::uint32_t lifetime =
      0;  // seconds: the shortest of all records on the way, or what the SOA says for a "no" (0 without one)
  std::array<port::Address, addresses_max> addresses{};  // port 0
  DnsName target{};  // the end of the chain of aliases; the question's name if there is none
};

[[nodiscard]] DnsAnswer read_dns_answer(std::span<const std::byte> message, const DnsQuestion& question,
                                        DnsCarrier carrier) noexcept;

}  // namespace pollux::net
