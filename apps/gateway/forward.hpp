// Forwarding: what of a message goes on to the other side, and what the gateway adds. Sources: RFC 9110 sections 5.1 and 7.6 (hop-by-hop fields, Via,
// Max-Forwards), RFC 9112 section 7.1.2 (trailers), RFC 7239 (Forwarded); X-Forwarded-* as everybody understands them.
#pragma once

#include <cstdint>
#include <string_view>

#include "apps/gateway/config.hpp"
#include "stack/http/client_request.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/wire/head.hpp"

namespace pollux::gateway {

// Field `index` belongs to this connection and not to the message: one of the names that always do (net/http's ReverseProxy has the
// same list), or named by a Connection field.
[[nodiscard]] bool is_hop_by_hop(const wire::Fields& fields, std::size_t index) noexcept;

// A field that may stand in a trailer section: it does not frame, route or describe the message.
[[nodiscard]] bool may_be_trailer(std::string_view name) noexcept;
// All the names of a Trailer field may.
[[nodiscard]] bool are_trailer_names(std::string_view names) noexcept;

// The client asks for another protocol on this connection: Upgrade, named by Connection, from HTTP/1.1 on, and no body.
[[nodiscard]] bool asks_for_upgrade(const http::Request& request) noexcept;

// Which of the path's bytes, as they were sent, are `prefix` once they are decoded; path.size() if it ends before.
[[nodiscard]] std::size_t raw_prefix_size(std::string_view raw_path, std::string_view prefix) noexcept;

// The route prefix stands at the front of `path`, and ends there where a segment ends.
[[nodiscard]] bool has_prefix(std::string_view path, std::string_view prefix) noexcept;
// A ".." between slashes or at the end, decoded: it would lead out of the route at the upstream.
[[nodiscard]] bool leads_up(std::string_view path) noexcept;

// Writes the request for `upstream` into `out`, all but its body. `request` outlives it. out.error() tells what
// did not fit; false: the target is far too long.
[[nodiscard]] bool forward_request(const Config& config, const RouteConfig& route, const UpstreamConfig& upstream,
                                   const http::Request& request, http::ClientRequest& out) noexcept;

// Adds the fields of an upstream's head to an answer; Content-Length is the caller's. False: there was no room.
[[nodiscard]] bool forward_fields(const GatewayOptions& options, const wire::ResponseHead& head,
                                  http::ResponseWriter& out) noexcept;

// The head of a 101 (Switching Protocols) for the client. Empty: `out` is too small.
[[nodiscard]] std::string_view forward_switch(const GatewayOptions& options, const wire::ResponseHead& head,
                                              std::span<char> out) noexcept;

}  // namespace pollux::gateway
