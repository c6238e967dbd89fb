// Limits: every size of a server and of a transport, in structs that a board brings as constants. The compiler checks that they fit together
// and prints how much memory they cost (memory-report).
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux::http {

struct ServerLimits {
  // Connections served at the same time. One more is handled as ServerConfig::overload says.
  std::uint32_t connections = 64;
  // Of those, how many only a listener marked `owner` may use, so that a full device stays reachable.
  std::uint32_t reserved_connections = 0;
  // Requests in progress at the same time: each has an input and an output buffer. 0: as many as connections. With fewer, an idle
  // connection holds none, and one that wakes while none is free stays unread, its deadline running, until one comes back.
  std::uint32_t exchanges = 0;
  std::uint32_t listeners = 4;

  std::size_t in_buffer = 8192;   // bytes; holds the head and what is collected or not yet read of the body
  std::size_t out_buffer = 8192;  // bytes; an answer that fits leaves with Content-Length, a longer one is streamed
  // Bytes of a request head, request line included; longer: 431. What it leaves of in_buffer is where a path with escapes is decoded, if a
  // client pipelines as much as fits; a longer one is then answered 414.
  std::size_t head_size_max = 7168;
  std::size_t fields_max = 64;     // field lines of a head and its trailer section together; more: 431
  std::size_t state_size = 128;    // bytes a handler may keep between its calls (Request::state)
  std::size_t close_records = 32;  // entries of the ring that remembers why connections ended

  [[nodiscard]] constexpr std::uint32_t exchange_count() const noexcept {
    return exchanges == 0 ? connections : exchanges;
  }
};

struct TransportLimits {
  // Sockets of all hosts: dialing, active, idle and draining.
  std::uint32_t connections = 16;
  // Hosts (scheme, name, port, proxy) that have a connection or a round trip at the same time.
  std::uint32_t hosts = 16;

  std::size_t in_buffer = 8192;  // bytes, per connection; holds the head of a response, and its body streams through it
  std::size_t out_buffer = 4096;  // bytes, per connection; holds the head of a request, and its body streams through it
  std::size_t head_size_max = 7168;  // bytes of a response head, status line included
  std::size_t fields_max = 64;       // field lines of a head and its trailer section together
  // Responses whose gzip coding is taken off at the same time; about 50 KiB each.
  std::uint32_t decoders = 0;
};

// How many wildcards a pattern may have.
inline constexpr std::size_t captures_max = 8;

}  // namespace pollux::http
