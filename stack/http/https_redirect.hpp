// HttpsRedirect: sends whoever comes over http to the same place over https. A server on port 80 in one line:
//
//   const http::HttpsRedirect redirect{443};
//   http::Server plain{{.loop = loop, .handler = redirect, .memory = plain_storage.memory()}};
//
// GET and HEAD are answered 301 (Moved Permanently), everything else 308 (Permanent Redirect), which keeps method and body. The location is
// the host that the client named, without its port, and the target as it was sent. 400: there is no such host in the request, or no path
// in its target (CONNECT, OPTIONS *). 414: the location would have more than location_size_max bytes, or more than the output buffer holds.
//
// The host is the client's word: a cache between client and server could be made to hold a redirect to somewhere else. Give `host` where
// the device has one name.
//
// Sources: RFC 9110 sections 15.4.2, 15.4.9 and 4.2.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"
#include "stack/http/router.hpp"

namespace pollux::http {

class HttpsRedirect final : public Router {
 public:
  static constexpr std::size_t location_size_max = 2048;

  // `port`: of the https server, named in the location unless it is 443. `host`: a name or an address (IPv6 in brackets) to lead to
  // whatever the client asked for; must outlive this object.
  constexpr explicit HttpsRedirect(std::uint16_t port = 443, std::string_view host = {}) noexcept
      : port_{port}, host_{host} {}
  HttpsRedirect(const HttpsRedirect&) = delete;
  HttpsRedirect& operator=(const HttpsRedirect&) = delete;

  void find(const RouteQuery& query, RouteMatch& match) const override;

 private:
  void serve(ResponseWriter& writer, Request& request) const noexcept;

  std::uint16_t port_;
  std::string_view host_;
  // A body is not waited for, however long: the answer does not depend on it.
  Route route_{"", handler<&HttpsRedirect::serve>(*this), {.body = Body::streamed, .body_max = UINT64_MAX}};
};

}  // namespace pollux::http
