#include "apps/device/access.hpp"

#include "apps/device/answers.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"

namespace pollux::device {

namespace {

bool ends_with_ignoring_case(std::string_view text, std::string_view end) noexcept {
  return text.size() > end.size() && base::equal_ignoring_case(text.substr(text.size() - end.size()), end);
}

void refuse_host(http::ResponseWriter& writer, http::Request&) {
  answer_error(writer, 403,
               "this device does not answer to that host name: use its address, or start it with --allow-host NAME");
}
constexpr http::Route host_refusal = http::handle<&refuse_host>("", {.body = http::Body::streamed});

}  // namespace

bool is_own_host(std::string_view host, std::string_view hostname, std::span<const std::string_view> allowed) noexcept {
  std::string_view name = wire::strip_brackets(wire::strip_port(host));
  if (name.ends_with('.')) {
    name.remove_suffix(1);
  }
  if (host.empty() || wire::is_ipv4_text(name) || wire::is_ipv6_text(name.substr(0, name.find('%')))) {
    return true;
  }
  if (base::equal_ignoring_case(name, "localhost") || ends_with_ignoring_case(name, ".localhost") ||
      ends_with_ignoring_case(name, ".local")) {
    return true;
  }
  if (!name.empty() && base::equal_ignoring_case(name, hostname)) {
    return true;
  }
  for (const std::string_view own : allowed) {
    if (base::equal_ignoring_case(name, own)) {
      return true;
    }
  }
  return false;
}

bool is_cross_site(const http::Request& request) noexcept {
  if (const auto site = request.field("Sec-Fetch-Site")) {
    return *site != "same-origin" && *site != "none";  // "none": typed by the person
  }
  const auto origin = request.field(wire::FieldId::origin);
  if (!origin) {
    return false;
  }
  const std::size_t scheme = origin->find("://");
  return scheme == std::string_view::npos ||
         !base::equal_ignoring_case(origin->substr(scheme + 3), request.host());  // also "null"
}

void HostGuard::find(const http::RouteQuery& query, http::RouteMatch& match) const {
  if (is_own_host(query.host, read_hostname(roots_).view(), allowed_)) {
    next_.find(query, match);
    return;
  }
  match = http::RouteMatch{};
  match.route = &host_refusal;
}

}  // namespace pollux::device
