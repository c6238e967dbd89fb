// pollux-hello: the smallest server. GET /hello is answered with "Hello, world!".
#include "apps/support/serve.hpp"
#include "board/limits.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"

using namespace pollux;

namespace {

// Everything the server will ever need; its size is fixed here and printed by the target memory-report.
constinit http::ServerStorage<board::server_limits> storage;
constinit net::LoopStorage<http::sockets_max(board::server_limits) + apps::https_sockets_max> loop_storage;
constinit apps::HttpsStorage<board::tls_server_limits> https_storage;

void hello(http::ResponseWriter& writer, http::Request&) {
  writer.text(200, "Hello, world!");
}

// Sorted and checked by the compiler: a bad, duplicate or ambiguous pattern is a compile error.
constexpr http::RouteTable routes{{
    http::handle<&hello>("GET /hello"),
}};

}  // namespace

int main(int argc, char** argv) {
  apps::Options options{"pollux-hello", "Answers GET /hello with Hello, world!"};
  apps::ServeOptions serving;
  apps::add(options, serving);
  if (const auto status = options.parse(argc, argv)) {
    return *status;
  }
  port::LinuxPort port{{.signals = serving.https.signals()}};
  net::Loop loop{port, loop_storage.memory()};
  apps::Https https{port, serving.https, https_storage.memory()};
  const http::ServeMux mux{routes};
  http::Server server{{.loop = loop, .handler = mux, .memory = storage.memory()}};
  return apps::serve(server, port, serving, https);
}
