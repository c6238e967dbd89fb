// What the cookie jar and the cookie file know of hosts. Inside of stack/http.
#pragma once

#include <string_view>

#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

// An IP address: it has no parts that could match (RFC 6265 section 5.1.3).
[[nodiscard]] inline bool is_address(std::string_view host) noexcept {
  return host.find(':') != std::string_view::npos || wire::is_ipv4_text(host);
}

// Something that can stand as a host in an entry and in a line of a file.
[[nodiscard]] inline bool is_cookie_host(std::string_view host) noexcept {
  if (host.empty() || host.size() > 253 || host.front() == '.') {
    return false;
  }
  for (const char c : host) {
    if (wire::is_control(c) || !wire::is_ascii(c) || c == ' ' || c == '/' || c == '"' || c == ';' || c == '#') {
      return false;
    }
  }
  return true;
}

// The host by which cookies go: without port, brackets and the dot at the end; as it is written otherwise.
[[nodiscard]] inline std::string_view cookie_host(std::string_view host) noexcept {
  // More than one colon without brackets is a bare IPv6 address, not a port.
  const std::size_t colon = host.find(':');
  const bool is_bare_address =
      !host.starts_with('[') && colon != std::string_view::npos && host.find(':', colon + 1) != std::string_view::npos;
  if (!is_bare_address) {
    host = wire::strip_brackets(wire::strip_port(host));
  }
  if (host.size() > 1 && host.ends_with('.')) {
    host.remove_suffix(1);
  }
  return host;
}

// `host` is `domain` or below it. Neither has dots at its ends.
[[nodiscard]] inline bool is_domain_match(std::string_view host, std::string_view domain) noexcept {
  if (host.size() <= domain.size()) {
    return base::equal_ignoring_case(host, domain);
  }
  const std::size_t rest = host.size() - domain.size();
  return host[rest - 1] == '.' && base::equal_ignoring_case(wire::drop(host, rest), domain) && !is_address(host);
}

// The names that promise something (RFC 6265bis section 4.1.3), of either case. `has_root_path`: a Path attribute said "/".
[[nodiscard]] inline bool keeps_prefix_promise(std::string_view name, bool secure, bool host_only,
                                               bool has_root_path) noexcept {
  if (wire::starts_with_ignoring_case(name, "__Secure-")) {
    return secure;
  }
  if (wire::starts_with_ignoring_case(name, "__Host-")) {
    return secure && host_only && has_root_path;
  }
  return true;
}

}  // namespace pollux::http
