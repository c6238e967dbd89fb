// memory-report: what the limits of this board cost a server, and a client, pool by pool, with a sum each. All numbers are the compiler's; nothing is measured here.
// tests/tidy/memory_report.sh compares the server's sum with the .bss of pollux-hello.
#include <cstdio>
#include <span>

#include "apps/support/https.hpp"
#include "apps/support/https_client.hpp"
#include "board/limits.hpp"
#include "stack/http/server_storage.hpp"
#include "stack/http/transport_storage.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/resolver_storage.hpp"

using namespace pollux;

namespace {

constexpr http::ServerLimits limits = board::server_limits;
using Server = http::ServerStorage<limits>;
using Loop = net::LoopStorage<http::sockets_max(limits) + apps::https_sockets_max>;

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

#if POLLUX_TLS
// What the arena is for, as stack/tls/limits.hpp adds it up: measured, and held by tests/tls.
using tls::ArenaNeed;
constexpr tls::ServerTlsLimits tls_limits = board::tls_server_limits;
using Https = apps::HttpsStorage<tls_limits>;
constexpr Row tls_rows[] = {
    {"arena: sessions", ArenaNeed::session, tls_limits.sessions},
    {"arena: handshakes", ArenaNeed::server_handshake + tls_limits.client_ca_size, tls_limits.handshakes},
    {"arena: certificates", ArenaNeed::certificate + tls_limits.chain_size, tls_limits.certificates * 2U},
    {"arena: the rest",
     tls::arena_size(tls_limits) - tls_limits.sessions* ArenaNeed::session -
         tls_limits.handshakes*(ArenaNeed::server_handshake + tls_limits.client_ca_size) -
         tls_limits.certificates * 2U * (ArenaNeed::certificate + tls_limits.chain_size),
     1},
    {"session objects", sizeof(tls::Session), tls_limits.sessions},
    {"certificate files", Https::file_max, tls_limits.certificates * 2U},
    {"client CAs", sizeof(Https::client_ca), 2},
    {"http redirects", sizeof(Https::redirect), 1},
};
constexpr std::size_t https_size = sizeof(Https);

constexpr tls::ClientTlsLimits tls_client_limits = board::tls_client_limits;
using HttpsClient = apps::HttpsClientStorage<tls_client_limits>;
using ClientArena = tls::Arena<tls::arena_size(tls_client_limits)>;
constexpr Row tls_client_rows[] = {
    {"arena: sessions", ArenaNeed::session, tls_client_limits.sessions},
    {"arena: handshakes", ArenaNeed::client_handshake + 3 * tls_client_limits.peer_chain_size,
     tls_client_limits.handshakes},
    {"arena: the rest",
     tls::arena_size(tls_client_limits) - tls_client_limits.sessions* ArenaNeed::session -
         tls_client_limits.handshakes*(ArenaNeed::client_handshake + 3 * tls_client_limits.peer_chain_size),
     1},
    {"session objects", sizeof(tls::Session), tls_client_limits.sessions},
    {"sessions to resume", sizeof(tls::CachedSession) + tls_client_limits.cached_size, tls_client_limits.cached},
    {"trusted certificates", sizeof(HttpsClient::trust), 1},
    {"certificate files", sizeof(HttpsClient::files), 1},
};
constexpr std::size_t https_client_size = sizeof(HttpsClient) + sizeof(ClientArena);
#else
constexpr std::span<const Row> tls_rows;
constexpr std::span<const Row> tls_client_rows;
constexpr std::size_t https_size = 0;
constexpr std::size_t https_client_size = 0;
#endif

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
  if (sum == 0) {
    return;  // a build without TLS
  }
  std::size_t listed = 0;
  std::printf("%-20s %10s %8s %12s\n", name, "bytes each", "count", "bytes");
  for (const Row& line : table) {
    const std::size_t total = line.element_size * line.count;
    std::printf("%-20s %10zu %8zu %12zu\n", line.pool, line.element_size, line.count, total);
    listed += total;
  }
  std::printf("%-20s %10s %8s %12zu\n", "alignment", "", "", sum - listed);
}

}  // namespace

int main() {
  constexpr std::size_t server_size = sizeof(Server) + sizeof(Loop);
  print(rows, "server", server_size);
  print(tls_rows, "server's TLS", https_size);
  std::printf("%-20s %10s %8s %12zu\n\n", "sum", "", "", server_size + https_size);
  constexpr std::size_t client_size = sizeof(Transport) + sizeof(Resolver) + sizeof(ClientLoop);
  print(client_rows, "client", client_size);
  print(tls_client_rows, "client's TLS", https_client_size);
  std::printf("%-20s %10s %8s %12zu\n", "client sum", "", "", client_size + https_client_size);
}
