// memory-report: what the limits of this board cost a server, and a client, pool by pool, with a sum each. All numbers are the compiler's; nothing is measured here.
// tests/tidy/memory_report.sh compares the server's sum with the .bss of pollux-hello.
#include <cstdio>
#include <span>

#include "board/limits.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/http/transport_storage.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/resolver_storage.hpp"

using namespace pollux;

namespace {

constexpr http::ServerLimits limits = board::server_limits;
using Server = http::ServerStorage<limits>;
using Loop = net::LoopStorage<http::sockets_max(limits)>;

struct Row {
  const char* pool;
  std::size_t element_size;
  std::size_t count;
};

template <typename Array>
consteval Row row(const char* pool) {
  return {pool, sizeof(typename Array::value_type), sizeof(Array) / sizeof(typename Array::value_type)};
}

constexpr std::size_t exchanges = limits.exchange_count();
constexpr Row rows[] = {
    row<decltype(Server::connections)>("connections"),
    row<decltype(Server::exchanges)>("exchanges"),
    {"input buffers", limits.in_buffer, exchanges},
    {"output buffers", limits.out_buffer, exchanges},
    {"field tables", sizeof(Server::fields) / exchanges, exchanges},
    {"handler states", limits.state_size, exchanges},
    row<decltype(Server::closes)>("close records"),
    row<decltype(Server::listeners)>("listeners"),
    {"poll entries", sizeof(port::PollEntry), Loop::entry_count},
    row<decltype(Loop::tokens)>("poll tokens"),
    row<decltype(Loop::parked)>("parked events"),
};

constexpr http::TransportLimits client_limits = board::transport_limits;
constexpr net::ResolverLimits resolver_limits{};
using Transport = http::TransportStorage<client_limits>;
using Resolver = net::ResolverStorage<resolver_limits>;
using ClientLoop = net::LoopStorage<http::sockets_max(client_limits) + net::sockets_max(resolver_limits)>;

constexpr Row client_rows[] = {
    row<decltype(Transport::connections)>("connections"),
    row<decltype(Transport::hosts)>("hosts"),
    {"input buffers", client_limits.in_buffer, client_limits.connections},
    {"output buffers", client_limits.out_buffer, client_limits.connections},
    {"field tables", sizeof(Transport::fields) / client_limits.connections, client_limits.connections},
    {"decoders", sizeof(base::PoolSlot<http::BodyDecoder>), client_limits.decoders},
    {"resolver", sizeof(Resolver), 1},
    {"poll entries", sizeof(port::PollEntry), ClientLoop::entry_count},
    row<decltype(ClientLoop::tokens)>("poll tokens"),
    row<decltype(ClientLoop::parked)>("parked events"),
};

void print(std::span<const Row> table, const char* name, std::size_t sum) {
  std::size_t listed = 0;
  std::printf("%-16s %10s %8s %12s\n", name, "bytes each", "count", "bytes");
  for (const Row& line : table) {
    const std::size_t total = line.element_size * line.count;
    std::printf("%-16s %10zu %8zu %12zu\n", line.pool, line.element_size, line.count, total);
    listed += total;
  }
  std::printf("%-16s %10s %8s %12zu\n", "alignment", "", "", sum - listed);
}

}  // namespace

int main() {
  constexpr std::size_t server_sum = sizeof(Server) + sizeof(Loop);
  print(rows, "server", server_sum);
  std::printf("%-16s %10s %8s %12zu\n\n", "sum", "", "", server_sum);
  constexpr std::size_t client_sum = sizeof(Transport) + sizeof(Resolver) + sizeof(ClientLoop);
  print(client_rows, "client", client_sum);
  std::printf("%-16s %10s %8s %12zu\n", "client sum", "", "", client_sum);
}
