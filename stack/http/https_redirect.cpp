#include "stack/http/https_redirect.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"

namespace pollux::http {

namespace {

constexpr std::uint16_t https_port = 443;  // RFC 9110 section 4.2.2

}  // namespace

void HttpsRedirect::find(const RouteQuery&, RouteMatch& match) const {
  match.route = &route_;
}

void HttpsRedirect::serve(ResponseWriter& writer, Request& request) const noexcept {
  std::string_view host = host_;
  if (host.empty()) {
    const auto named = wire::split_host(request.host());
    if (!named || named->hostname.empty()) {
      error(writer, 400, "400 the request names no host");
      return;
    }
    host = named->hostname;
  }
  if (!request.raw_path().starts_with('/')) {
    error(writer, 400, "400 the request names no path");
    return;
  }
  std::array<char, location_size_max> memory;
  base::TextWriter target{memory};
  target.put("https://").put(host);
  if (port_ != https_port) {
    target.put(':').put_decimal(port_);
  }
  target.put(request.raw_path());
  if (request.has_query()) {
    target.put('?').put(request.query());
  }
  // A request's target has no bytes that a field's value cannot have: they are refused with its head.
  const bool is_safe = request.method_id() == wire::Method::get || request.method_id() == wire::Method::head;
  if (target.overflowed() || writer.set("Location", target.view()) != HeadChange::ok ||
      writer.status(is_safe ? 301 : 308) != HeadChange::ok) {
    writer.remove("Location");
    error(writer, 414, "414 the target is too long");
  }
}

}  // namespace pollux::http
