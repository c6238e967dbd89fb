// Limits of TLS, as constants of a board, and the arena they need.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pollux::tls {

// A build without TLS (-DPOLLUX_TLS=OFF says it to all who use the libraries) has no contexts and no sessions; the compiler leaves out what
// would deal with them.
#ifdef POLLUX_WITHOUT_TLS
inline constexpr bool is_built_in = false;
#else
inline constexpr bool is_built_in = true;
#endif

struct ServerTlsLimits {
  std::uint16_t sessions = 16;     // TLS connections at the same time; more wait, TCP-accepted, their deadline running
  std::uint16_t handshakes = 4;    // of those, in the handshake at the same time
  std::uint16_t reserved = 0;      // of both, how many only owner listeners use
  std::uint16_t certificates = 2;  // chains, chosen by name and key type; each is there twice during a reload
  std::size_t chain_size = 8192;   // bytes of DER of one chain with its key
  std::size_t client_ca_size = 8192;  // bytes of DER of the client CAs; 0 for servers that ask for no certificates
};

struct ClientTlsLimits {
  std::uint16_t sessions = 8;           // connections at the same time
  std::uint16_t handshakes = 4;         // of those, in the handshake at the same time
  std::uint16_t cached = 8;             // sessions remembered for resumption, one per host
  std::size_t cached_size = 2048;       // bytes of one; a larger session is not remembered
  std::size_t peer_chain_size = 16384;  // bytes of DER of a peer's chain; mbedTLS takes no longer one than this default
};

// Bytes of arena, measured with mbedTLS 3.6.6 on x86-64 (the largest of our targets), rounded up; tests/tls/arena_test holds them.
// See stack/tls/README.md for the single values.
struct ArenaNeed {
  static constexpr std::size_t library = 1024;  // random generator
  static constexpr std::size_t base =
      24 * 1024;  // of a server, the library included: configuration, table of certificates
  static constexpr std::size_t client_base = 4096;  // of a client, the library included
  static constexpr std::size_t session =
      27 * 1024;  // record buffers, and what an open connection or a waiting one holds
  static constexpr std::size_t server_handshake = 12 * 1024;  // on top, while in the handshake
  static constexpr std::size_t client_handshake = 20 * 1024;  // on top, without the peer's chain
  static constexpr std::size_t certificate = 6 * 1024;        // of a parsed chain and key, on top of its DER
};
[[nodiscard]] constexpr std::size_t arena_size(const ServerTlsLimits& limits) noexcept {
  return limits.sessions * ArenaNeed::session +
         limits.handshakes * (ArenaNeed::server_handshake + limits.client_ca_size) +
         limits.certificates * 2U * (ArenaNeed::certificate + limits.chain_size) + ArenaNeed::base;
}
[[nodiscard]] constexpr std::size_t arena_size(const ClientTlsLimits& limits) noexcept {
  return limits.sessions * ArenaNeed::session +
         limits.handshakes * (ArenaNeed::client_handshake + 3 * limits.peer_chain_size) + ArenaNeed::certificate * 2U +
         ArenaNeed::client_base;
}

}  // namespace pollux::tls
