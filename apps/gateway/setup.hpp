// Setup: how the options of a configuration become the deadlines of the server and the transport.
#pragma once

#include "apps/gateway/config.hpp"
#include "stack/http/server.hpp"
#include "stack/http/transport.hpp"

namespace pollux::gateway {

// `memory` and `options` must outlive what is made with it.
[[nodiscard]] inline http::TransportConfig transport_config(net::Loop& loop, const http::TransportMemory& memory,
                                                            net::Resolver* resolver, tls::ClientContext* tls,
                                                            const GatewayOptions& options) noexcept {
  return {.loop = loop,
          .memory = memory,
          .resolver = resolver,
          .tls = tls,
          .user_agent = {},  // the client's, or none
          .timeouts = {.connect = options.connect_timeout,
                       .response_header = options.response_timeout,
                       .expect_continue = port::Duration::zero(),
                       .write_stall = options.body_timeout,
                       .body_idle = options.body_timeout,
                       // A client that is too slow is ended by the server, whose deadline is the shorter one.
                       .body_unread = options.client_timeout + 10s,
                       .idle_conn = options.idle_timeout},
          .max_idle_conns = 0,
          .max_idle_conns_per_host = 64,
          .disable_compression = true};
}

// A request and its answer may take as long as they like, as long as something moves.
[[nodiscard]] inline http::ServerConfig server_config(net::Loop& loop, const http::Router& handler,
                                                      const http::ServerMemory& memory,
                                                      const GatewayOptions& options) noexcept {
  return {.loop = loop,
          .handler = handler,
          .memory = memory,
          .timeouts = {.read_body = port::Duration::zero(),
                       .write = port::Duration::zero(),
                       .stall = options.client_timeout,
                       .wait = port::Duration::zero(),
                       .rate_min = 0},
          .body_max = options.max_body,
          .answer_options_star = true};
}

}  // namespace pollux::gateway
