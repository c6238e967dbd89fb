// The memory of a transport: spans that a Transport works on, and the struct template that brings them as one constant-initialised object
// whose size the compiler knows.
//
//   constinit http::TransportStorage<http::TransportLimits{.connections = 4}> storage;
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "stack/base/pool.hpp"
#include "stack/http/body_decoder.hpp"
#include "stack/http/host_entry.hpp"
#include "stack/http/limits.hpp"
#include "stack/http/persist_conn.hpp"
#include "stack/net/dialer.hpp"
#include "stack/wire/head.hpp"

namespace pollux::http {

struct TransportMemory {
  TransportLimits limits;
  std::span<base::PoolSlot<PersistConn>> connections;
  std::span<base::PoolSlot<HostEntry>> hosts;
  std::span<char> in_buffers;     // limits.in_buffer bytes per connection
  std::span<char> out_buffers;    // limits.out_buffer bytes per connection
  std::span<wire::Field> fields;  // limits.fields_max per connection
  DecoderMemory decoders;
};

// Limits that contradict each other do not compile.
template <TransportLimits limits>
consteval void check_limits() {
  static_assert(limits.connections >= 1, "a transport needs at least one connection");
  static_assert(limits.connections <= 0xFFFF, "a transport has at most 65535 connections");
  static_assert(limits.hosts >= 1, "a transport needs room for at least one host");
  static_assert(limits.in_buffer <= 65535 && limits.out_buffer <= 65535,
                "buffers are at most 65535 bytes: a head's fields are kept as 16-bit offsets");
  static_assert(limits.head_size_max < limits.in_buffer,
                "head_size_max must be below in_buffer: a head has to fit into the input buffer");
  static_assert(limits.head_size_max >= 128, "head_size_max below 128 bytes refuses nearly every response");
  static_assert(limits.out_buffer >= 512, "out_buffer below 512 bytes cannot hold a request's head");
  static_assert(limits.in_buffer >= limits.out_buffer,
                "in_buffer must not be below out_buffer: a request head is put together in it");
  static_assert(limits.in_buffer >= PersistConn::tunnel_size,
                "in_buffer must hold a proxy's exchange: raise it to 4096");
  static_assert(limits.in_buffer % 16 == 0, "in_buffer must be a multiple of 16 bytes");
  static_assert(limits.fields_max >= 4, "fields_max below 4 refuses nearly every response");
}

template <TransportLimits limits_>
struct TransportStorage {
  static constexpr TransportLimits limits = limits_;

  std::array<base::PoolSlot<PersistConn>, limits.connections> connections{};
  std::array<base::PoolSlot<HostEntry>, limits.hosts> hosts{};
  alignas(64) std::array<char, limits.connections * limits.in_buffer> in_buffers{};
  std::array<char, limits.connections * limits.out_buffer> out_buffers{};
  std::array<wire::Field, limits.connections * limits.fields_max> fields{};
  DecoderStorage<limits.decoders> decoders{};

  [[nodiscard]] TransportMemory memory() noexcept {
    check_limits<limits_>();
    return {.limits = limits,
            .connections = connections,
            .hosts = hosts,
            .in_buffers = in_buffers,
            .out_buffers = out_buffers,
            .fields = fields,
            .decoders = decoders.memory()};
  }
};

// How many sockets a transport may have in the poll set: for net::LoopStorage. A connection that is being made may try several addresses.
[[nodiscard]] consteval std::size_t sockets_max(const TransportLimits& limits) {
  return limits.connections * net::Dialer::attempts_max;
}

}  // namespace pollux::http
