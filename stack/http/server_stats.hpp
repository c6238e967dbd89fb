// What a server counts and remembers about itself: every connection's end has a reason, every refusal a counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "port/address.hpp"
#include "port/time.hpp"
#include "stack/base/pool.hpp"
#include "stack/tls/session.hpp"

namespace pollux::http {

// Why a connection ended. One per connection, decided once.
enum class CloseReason : std::uint8_t {
  client_closed,      // the client finished between requests
  close_asked,        // client or handler asked for "Connection: close", or HTTP/1.0 without keep-alive
  peer_reset,         // the connection broke (reset, timed out in the kernel, write error)
  client_truncated,   // the client finished inside a request
  bad_request,        // answered 400, 417, 431, 501 or 505
  body_too_large,     // answered 413, or more of an unread body than ServerConfig::drain_max
  handshake_failed,   // TLS could not be agreed on, or the client spoke http on a TLS port; the log says why
  handshake_timeout,  // ServerTimeouts::handshake
  head_timeout,       // ServerTimeouts::read_head
  body_timeout,       // read_body, stall or rate_min while reading a body
  write_timeout,      // write or stall while writing
  idle_timeout,       // ServerTimeouts::idle
  evicted,            // idle or too slow, closed for a new connection
  refused,            // accepted and answered 503 because every slot was taken
  aborted,            // the handler said Next::abort, or its source failed or never went on
  length_mismatch,    // the handler wrote less or more than the Content-Length it declared
  answer_overflow,    // a handler was done although a write had been cut short
  hijacked,           // taken over by a handler
  shutdown,           // Server::shutdown
  closed,             // Server::close, or keep-alives switched off
};
inline constexpr std::size_t close_reason_count = 20;
[[nodiscard]] std::string_view describe(CloseReason reason) noexcept;  // "idle timeout"

// One line of the flight recorder.
struct CloseRecord {
  port::Time at{};
  port::Duration lived{};
  port::Address remote;
  std::uint32_t requests = 0;  // answered on this connection
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  CloseReason reason = CloseReason::client_closed;
};

struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;     // heads that were parsed without error
  std::uint64_t answers[6] = {};  // by first digit of the status; [0]: requests that ended without a whole final answer
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t closes[close_reason_count] = {};  // by CloseReason
  std::uint64_t accept_errors = 0;                // each made the listener rest
  std::uint64_t listener_parked = 0;              // how often accepting stopped because every slot was taken
  std::uint64_t exchange_waits = 0;               // how often a connection waited for an exchange
  std::uint64_t handshake_waits = 0;              // how often a TLS connection waited for a session or a handshake
  std::uint64_t late_heads = 0;                   // calls on a ResponseWriter that came too late
};

struct PoolUse {
  std::size_t used = 0;
  std::size_t used_max = 0;  // high-water mark
  std::size_t size = 0;
};

// The public states of a connection (net/http: ConnState).
enum class ConnState : std::uint8_t { fresh, active, idle, hijacked, closed };
struct ConnEvent {
  ConnState state = ConnState::fresh;
  base::Handle connection;
  port::Address remote;
  const tls::ConnectionInfo* tls = nullptr;  // active and idle TLS connections: what was agreed on
};

}  // namespace pollux::http
