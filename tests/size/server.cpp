// The smallest program with a server: what the library's part weighs. tests/size/CMakeLists.txt builds it without TLS and with it (WITH_TLS).
#include "stack/http/server.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server_storage.hpp"
#if WITH_TLS
#include "stack/tls/library.hpp"
#include "stack/tls/server_context.hpp"
#endif

using namespace pollux;

namespace {

constexpr http::ServerLimits limits{.connections = 16};
constinit http::ServerStorage<limits> storage;
constinit net::LoopStorage<http::sockets_max(limits)> loop_storage;

void hello(http::ResponseWriter& writer, http::Request&) {
  writer.text(200, "Hello, world!");
}
constexpr http::RouteTable routes{{http::handle<&hello>("GET /hello")}};

#if WITH_TLS
constexpr tls::ServerTlsLimits tls_limits{.sessions = 4};
constinit tls::Arena<tls::arena_size(tls_limits)> arena;
constinit tls::ServerMemory<tls_limits> tls_memory;
#endif

}  // namespace

int main([[maybe_unused]] int argc, [[maybe_unused]] char** argv) {
  port::LinuxPort port;
  net::Loop loop{port, loop_storage.memory()};
  tls::ServerContext* context = nullptr;
#if WITH_TLS
  tls::Library library{port, arena.memory()};
  tls::ServerContext https{{.library = library, .memory = tls_memory.memory()}};
  // The certificate and its key as arguments, so that nothing is known about them here.
  if (argc != 3) {
    return 2;
  }
  const tls::CertificateSource own[]{{.certificate = argv[1], .key = argv[2]}};
  if (!library.start() || !https.start(own)) {
    return 1;
  }
  context = &https;
#endif
  const http::ServeMux mux{routes};
  http::Server server{{.loop = loop, .handler = mux, .memory = storage.memory()}};
  if (!server.listen({.endpoint = {port::Address::ipv4_any(8080)}, .tls = context})) {
    return 1;
  }
  return loop.run();
}
