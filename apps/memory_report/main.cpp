// memory-report: what the limits of this board cost, pool by pool, and one sum. All numbers are the compiler's; nothing is measured here.
// tests/tidy/memory_report.sh compares the sum with the .bss of pollux-hello.
#include <cstdio>

#include "board/limits.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/net/loop.hpp"

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

}  // namespace

int main() {
  constexpr std::size_t sum = sizeof(Server) + sizeof(Loop);
  std::size_t listed = 0;
  std::printf("%-16s %10s %8s %12s\n", "pool", "bytes each", "count", "bytes");
  for (const Row& row : rows) {
    const std::size_t total = row.element_size * row.count;
    std::printf("%-16s %10zu %8zu %12zu\n", row.pool, row.element_size, row.count, total);
    listed += total;
  }
  std::printf("%-16s %10s %8s %12zu\n", "alignment", "", "", sum - listed);
  std::printf("%-16s %10s %8s %12zu\n", "sum", "", "", sum);
}
