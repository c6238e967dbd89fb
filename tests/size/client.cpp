// The smallest program with a client: what the library's part weighs. tests/size/CMakeLists.txt builds it without TLS and with it (WITH_TLS), with
// the resolver if that is built (WITH_RESOLVER).
#include <array>
#include <chrono>
#include <string_view>

#include "port/linux/linux_port.hpp"
#include "stack/http/blocking.hpp"
#if WITH_RESOLVER
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"
#endif
#if WITH_TLS
#include "stack/tls/client_context.hpp"
#include "stack/tls/library.hpp"
#include "stack/tls/trust_store.hpp"
#endif

using namespace pollux;

namespace {

constexpr http::TransportLimits limits{.connections = 4};
constinit http::TransportStorage<limits> storage;
constinit http::CallStorage<> call_memory;
#if WITH_RESOLVER
constexpr net::ResolverLimits resolver_limits{};
constinit net::ResolverStorage<resolver_limits> resolver_storage;
constinit net::LoopStorage<http::sockets_max(limits) + net::sockets_max(resolver_limits)> loop_storage;
#else
constinit net::LoopStorage<http::sockets_max(limits)> loop_storage;
#endif

#if WITH_TLS
constexpr tls::ClientTlsLimits tls_limits{.sessions = 4, .cached = 4};
constinit tls::Arena<tls::arena_size(tls_limits)> arena;
constinit tls::ClientMemory<tls_limits> tls_memory;
constinit tls::TrustMemory<std::size_t{256} * 1024, 200> trust_memory;
#endif

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  port::LinuxPort port;
  net::Loop loop{port, loop_storage.memory()};
  net::Resolver* names = nullptr;
#if WITH_RESOLVER
  net::Resolver resolver{{.loop = loop, .memory = resolver_storage.memory()}};
  names = &resolver;
#endif
  tls::ClientContext* context = nullptr;
#if WITH_TLS
  tls::Library library{port, arena.memory()};
  tls::TrustStore trust{trust_memory.memory()};
  tls::ClientContext https{{.library = library, .memory = tls_memory.memory(), .trust = &trust}};
  if (!trust.add_system(port) || !library.start() || !https.start()) {
    return 1;
  }
  context = &https;
#endif
  http::Transport transport{{.loop = loop, .memory = storage.memory(), .resolver = names, .tls = context}};
  http::Client client{{.transport = transport, .timeout = std::chrono::seconds{10}}};
  static std::array<char, 4096> body;
  return http::BlockingCall{client, call_memory.memory()}.get(argv[1], body) ? 0 : 1;
}
