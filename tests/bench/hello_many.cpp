// hello_many: pollux-hello with room for 1,000 clients, for the measurements that pollux-hello's 64 connections are too few for. The
// profile is board/many - the buffers of 64 exchanges for all of them - with 24 connections more, so that there can be 16 active clients
// beside 1,000 idle ones. Idle clients may stay for as long as a measurement takes.
#include "apps/support/serve.hpp"
#include "board/many/limits.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"

using namespace pollux;

namespace {

constexpr http::ServerLimits limits = [] {
  http::ServerLimits many = board::server_limits;
  many.connections = 1024;
  return many;
}();

constinit http::ServerStorage<limits> storage;
constinit net::LoopStorage<http::sockets_max(limits) + apps::https_sockets_max> loop_storage;
constinit apps::HttpsStorage<board::tls_server_limits> https_storage;

void hello(http::ResponseWriter& writer, http::Request&) {
  writer.text(200, "Hello, world!");
}

constexpr http::RouteTable routes{{
    http::handle<&hello>("GET /hello"),
}};

}  // namespace

int main(int argc, char** argv) {
  apps::Options options{"hello_many", "pollux-hello for 1,000 clients."};
  apps::ServeOptions serving;
  apps::add(options, serving);
  if (const auto status = options.parse(argc, argv)) {
    return *status;
  }
  port::LinuxPort port{{.signals = serving.https.signals()}};
  net::Loop loop{port, loop_storage.memory()};
  apps::Https https{port, serving.https, https_storage.memory()};
  const http::ServeMux mux{routes};
  http::Server server{
      {.loop = loop, .handler = mux, .memory = storage.memory(), .timeouts = {.idle = std::chrono::minutes{30}}}};
  return apps::serve(server, port, serving, https);
}
