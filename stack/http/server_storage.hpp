// The memory of a server: spans that a Server works on, and the struct template that brings them as one constant-initialised object
// whose size the compiler knows.
//
//   constinit http::ServerStorage<board::server_limits> storage;
//   static_assert(sizeof storage <= 2 << 20, "the board has 2 MiB for the server");
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "stack/http/limits.hpp"
#include "stack/http/server_conn.hpp"
#include "stack/http/server_stats.hpp"
#include "stack/tls/server_context.hpp"
#include "stack/wire/head.hpp"

namespace pollux::http {

// One listening socket.
struct Listener {
  port::Socket socket{};
  port::Address address{};
  port::Time rests_until{};  // after an accept error
  port::Duration rest{};     // the next rest: 5 ms doubling to 1 s
  bool owner = false;
  tls::ServerContext* tls = nullptr;  // its connections speak TLS
};

struct ServerMemory {
  ServerLimits limits;
  std::span<base::PoolSlot<ServerConn>> connections;
  std::span<base::PoolSlot<Exchange>> exchanges;
  std::span<char> in_buffers;     // limits.in_buffer bytes per exchange
  std::span<char> out_buffers;    // limits.out_buffer bytes per exchange
  std::span<wire::Field> fields;  // limits.fields_max per exchange
  std::span<std::byte> states;    // limits.state_size per exchange
  std::span<CloseRecord> closes;
  std::span<base::PoolSlot<Listener>> listeners;
};

// Limits that contradict each other do not compile.
template <ServerLimits limits>
consteval void check_limits() {
  static_assert(limits.connections >= 1, "a server needs at least one connection");
  static_assert(limits.connections <= 0xFFFF, "a server has at most 65535 connections");
  static_assert(limits.reserved_connections < limits.connections,
                "reserved_connections must leave at least one connection for everybody else");
  static_assert(limits.exchange_count() <= limits.connections,
                "more exchanges than connections would never be used: lower exchanges");
  static_assert(limits.listeners >= 1 && limits.listeners <= 255, "a server has 1 to 255 listeners");
  static_assert(limits.in_buffer <= 65535 && limits.out_buffer <= 65535,
                "buffers are at most 65535 bytes: a head's fields are kept as 16-bit offsets");
  static_assert(limits.head_size_max < limits.in_buffer,
                "head_size_max must be below in_buffer: a head has to fit into the input buffer");
  static_assert(limits.head_size_max >= 128, "head_size_max below 128 bytes refuses nearly every request");
  static_assert(limits.out_buffer >= 512, "out_buffer below 512 bytes cannot hold an answer's head");
  static_assert(limits.fields_max >= 4, "fields_max below 4 refuses nearly every request");
  static_assert(limits.state_size % alignof(std::max_align_t) == 0, "state_size must be a multiple of 16 bytes");
  static_assert(limits.close_records >= 1, "at least one close record is needed");
}

template <ServerLimits limits_>
struct ServerStorage {
  static constexpr ServerLimits limits = limits_;
  static constexpr std::size_t exchange_count = limits.exchange_count();

  std::array<base::PoolSlot<ServerConn>, limits.connections> connections{};
  std::array<base::PoolSlot<Exchange>, exchange_count> exchanges{};
  alignas(64) std::array<char, exchange_count * limits.in_buffer> in_buffers{};
  std::array<char, exchange_count * limits.out_buffer> out_buffers{};
  std::array<wire::Field, exchange_count * limits.fields_max> fields{};
  alignas(std::max_align_t) std::array<std::byte, exchange_count * limits.state_size> states{};
  std::array<CloseRecord, limits.close_records> closes{};
  std::array<base::PoolSlot<Listener>, limits.listeners> listeners{};

  [[nodiscard]] ServerMemory memory() noexcept {
    check_limits<limits_>();
    return {.limits = limits,
            .connections = connections,
            .exchanges = exchanges,
            .in_buffers = in_buffers,
            .out_buffers = out_buffers,
            .fields = fields,
            .states = states,
            .closes = closes,
            .listeners = listeners};
  }
};

// How many sockets a server may have in the poll set: for net::LoopStorage.
[[nodiscard]] consteval std::size_t sockets_max(const ServerLimits& limits) {
  return limits.connections + limits.listeners;
}

}  // namespace pollux::http
