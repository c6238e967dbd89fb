// Access: keeps other people's web pages away from the device. It has no passwords; whoever is on its network may use it - but not a
// page on the Internet by way of the browser of somebody who is.
//
//   HostGuard         DNS rebinding: a page makes its own name point at the device, and to the browser the device is that page's own
//                     server. The name is still in the Host field, and the device does not answer to it.
//   is_cross_site     a page sends a request to the device's real name or address. The browser says so in Sec-Fetch-Site, or in Origin
//                     where the connection is not secure. Requests that change something are refused.
#pragma once

#include <span>
#include <string_view>

#include "apps/device/board_info.hpp"
#include "stack/http/handler.hpp"
#include "stack/http/request.hpp"
#include "stack/http/router.hpp"

namespace pollux::device {

// True for what no stranger can make point here: an IP address, localhost, a name below .local (RFC 6762) or .localhost, `hostname`, and the
// names in `allowed`. Case, a port and a dot at the end do not matter. The empty host of a client from before HTTP/1.1 is none of
// a browser, and fine.
[[nodiscard]] bool is_own_host(std::string_view host, std::string_view hostname,
                               std::span<const std::string_view> allowed) noexcept;

// True if a browser says that another site's page sent this request (as Go's net/http.CrossOriginProtection decides it). Sec-Fetch-Site
// counts where it is sent; else the host of Origin has to be that of the request. With neither it is no browser.
[[nodiscard]] bool is_cross_site(const http::Request& request) noexcept;

// A router in front of another: requests for strange hosts are answered 403, all others go on.
class HostGuard final : public http::Router {
 public:
  // All must outlive the guard.
  HostGuard(const http::Router& next, const BoardRoots& roots, std::span<const std::string_view> allowed) noexcept
      : next_{next}, roots_{roots}, allowed_{allowed} {}
  void find(const http::RouteQuery& query, http::RouteMatch& match) const override;

 private:
  const http::Router& next_;
  const BoardRoots& roots_;
  std::span<const std::string_view> allowed_;
};

}  // namespace pollux::device
