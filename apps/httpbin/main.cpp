// pollux-httpbin: the well-known httpbin endpoints, to test HTTP clients with - and pollux with strangers' clients.
#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <optional>

#include "apps/httpbin/auth.hpp"
#include "apps/httpbin/cookies.hpp"
#include "apps/httpbin/formats.hpp"
#include "apps/httpbin/inspect.hpp"
#include "apps/httpbin/pages.hpp"
#include "apps/httpbin/redirects.hpp"
#include "apps/httpbin/status.hpp"
#include "apps/httpbin/stream.hpp"
#include "apps/support/serve.hpp"
#include "port/linux/linux_port.hpp"
#include "stack/http/file_server.hpp"
#include "stack/http/route_table.hpp"
#include "stack/http/serve_mux.hpp"
#include "stack/http/server.hpp"
#include "stack/http/server_storage.hpp"

using namespace pollux;

namespace {

// Room for as many connections as --connections can ask for. It is zero until a connection uses it, so a server with
// few connections takes few pages of it.
constexpr http::ServerLimits limits{
    .connections = 1024,
    .listeners = 4,
    .in_buffer = 32 * 1024,  // the largest body of /post and its brothers, together with its head
    .out_buffer = 16 * 1024,
    .head_size_max = 16 * 1024,
    .fields_max = 100,
    .state_size = 128,
    .close_records = 32,
};
constinit http::ServerStorage<limits> storage;
constinit net::LoopStorage<http::sockets_max(limits) + apps::https_sockets_max> loop_storage;
// As many TLS sessions as connections, so that https behaves as http does; 28 MB of address space that only --tls-cert touches, and then
// only for as many as --connections asks for.
constinit apps::HttpsStorage<tls::ServerTlsLimits{
    .sessions = limits.connections,
    .handshakes = 16,
    .certificates = 4,
    .chain_size = 16 * 1024,
    .client_ca_size = 16 * 1024,
}>
    https_storage;

// The first `count` connections of the storage.
http::ServerMemory memory_for(std::uint32_t count) noexcept {
  http::ServerMemory memory = storage.memory();
  memory.limits.connections = count;
  memory.connections = memory.connections.first(count);
  memory.exchanges = memory.exchanges.first(count);
  memory.in_buffers = memory.in_buffers.first(count * limits.in_buffer);
  memory.out_buffers = memory.out_buffers.first(count * limits.out_buffer);
  memory.fields = memory.fields.first(count * limits.fields_max);
  memory.states = memory.states.first(count * limits.state_size);
  return memory;
}

// What --static names.
struct Static {
  std::optional<http::FileServer> files;

  void serve(http::ResponseWriter& writer, http::Request& request) {
    if (files) {
      files->serve(writer, request);
    } else {
      http::not_found(writer);
    }
  }
};
constinit Static static_files;

constexpr http::RouteOptions bodiless{.body = http::Body::streamed};  // the body is read away, whatever its size

constexpr http::RouteTable routes{{
    http::handle<&httpbin::index>("GET /{$}"),
    http::handle<&httpbin::get>("GET /get"),
    http::handle<&httpbin::post>("POST /post"),
    http::handle<&httpbin::post>("PUT /put"),
    http::handle<&httpbin::post>("PATCH /patch"),
    http::handle<&httpbin::post>("DELETE /delete"),
    http::handle<&httpbin::anything>("/anything"),
    http::handle<&httpbin::anything>("/anything/{rest...}"),
    http::handle<&httpbin::headers>("GET /headers"),
    http::handle<&httpbin::ip>("GET /ip"),
    http::handle<&httpbin::user_agent>("GET /user-agent"),

    http::handle<&httpbin::status>("/status/{codes}", bodiless),
    http::handle<&httpbin::redirect>("GET /redirect/{n}"),
    http::handle<&httpbin::relative_redirect>("GET /relative-redirect/{n}"),
    http::handle<&httpbin::absolute_redirect>("GET /absolute-redirect/{n}"),
    http::handle<&httpbin::redirect_to>("/redirect-to", bodiless),

    http::handle<&httpbin::cookies>("GET /cookies"),
    http::handle<&httpbin::set_cookies>("GET /cookies/set"),
    http::handle<&httpbin::set_cookie>("GET /cookies/set/{name}/{value}"),
    http::handle<&httpbin::delete_cookies>("GET /cookies/delete"),

    http::handle<&httpbin::basic_auth>("GET /basic-auth/{user}/{passwd}"),
    http::handle<&httpbin::hidden_basic_auth>("GET /hidden-basic-auth/{user}/{passwd}"),
    http::handle<&httpbin::bearer>("GET /bearer"),

    http::handle<&httpbin::bytes>("GET /bytes/{n}"),
    http::handle<&httpbin::stream>("GET /stream/{n}"),
    http::handle<&httpbin::stream_bytes>("GET /stream-bytes/{n}"),
    http::handle<&httpbin::range>("GET /range/{n}"),
    http::handle<&httpbin::delay>("/delay/{seconds}"),
    http::handle<&httpbin::drip>("GET /drip"),
    http::handle<&httpbin::echo>("POST /echo", bodiless),
    http::handle<&httpbin::echo>("PUT /echo", bodiless),

    http::handle<&httpbin::gzip>("GET /gzip"),
    http::handle<&httpbin::deflate>("GET /deflate"),
    http::handle<&httpbin::cache>("GET /cache"),
    http::handle<&httpbin::cache_for>("GET /cache/{seconds}"),
    http::handle<&httpbin::etag>("GET /etag/{etag}"),
    http::handle<&httpbin::response_headers>("GET /response-headers"),
    http::handle<&httpbin::response_headers>("POST /response-headers"),
    http::handle<&httpbin::base64>("GET /base64/{value}"),
    http::handle<&httpbin::uuid>("GET /uuid"),

    http::handle<&httpbin::html>("GET /html"),
    http::handle<&httpbin::json>("GET /json"),
    http::handle<&httpbin::xml>("GET /xml"),
    http::handle<&httpbin::robots>("GET /robots.txt"),
    http::handle<&httpbin::deny>("GET /deny"),
    http::handle<&httpbin::image_png>("GET /image/png"),
    http::handle<&httpbin::image_svg>("GET /image/svg"),

    http::handle<&Static::serve>("/static/", static_files, {.body = http::Body::streamed, .strip_prefix = "/static"}),
}};

// Each connection may have a file open as well; the usual soft limit of 1024 descriptors is too low for all of them.
void raise_descriptor_limit(std::uint32_t connections) noexcept {
  const rlim_t wanted = rlim_t{connections} * 2 + 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
    return;
  }
  limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // with fewer, accepting rests until descriptors come back
}

}  // namespace

int main(int argc, char** argv) {
  apps::Options options{"pollux-httpbin", "Answers requests as httpbin does, to test HTTP clients with."};
  apps::ServeOptions serving;
  apps::add(options, serving);
  std::string_view directory;
  std::uint32_t connections = 64;
  std::uint64_t body_max = std::uint64_t{1} << 40;
  options.text("--static", "DIR", "serve the files of DIR below /static/", directory)
      .number("--connections", "N", "connections served at the same time", connections,
              {.min = 1, .max = limits.connections})
      .number("--body-max", "BYTES", "longest request body", body_max, {.min = 0, .max = INT64_MAX});
  if (const auto status = options.parse(argc, argv)) {
    return *status;
  }
  raise_descriptor_limit(connections);
  port::LinuxPort port{{.signals = serving.https.signals()}};
  if (!directory.empty()) {
    const auto root = port.open_directory(directory);
    if (!root) {
      std::fprintf(stderr, "--static %.*s: %s\n", static_cast<int>(directory.size()), directory.data(),
                   port::describe(root.error()).data());
      return 1;
    }
    static_files.files.emplace(port, *root);
  }
  net::Loop loop{port, loop_storage.memory()};
  apps::Https https{port, serving.https, https_storage.memory(connections)};
  const http::ServeMux mux{routes};
  http::Server server{
      {.loop = loop, .handler = mux, .memory = memory_for(connections), .body_max = body_max, .server_name = "pollux"}};
  return apps::serve(server, port, serving, https);
}
