#include "stack/wire/url.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

bool has_control(std::string_view text) {
  for (const char c : text) {
    if (is_control(c)) {
      return true;
    }
  }
  return false;
}

constexpr bool is_scheme_byte(char c) {
  return base::is_alpha(c) || base::is_digit(c) || c == '+' || c == '-' || c == '.';
}

// Moves the scheme from the front of `rest` to url.scheme. Without one, a colon in the first path segment would be read
// as a scheme by the next reader, so it is refused (path-noscheme, RFC 3986 section 4.2).
port::Result<void, UrlError> take_scheme(std::string_view& rest, Url& url) {
  std::size_t end = 0;
  while (end < rest.size() && is_scheme_byte(rest[end])) {
    ++end;
  }
  if (end > 0 && end < rest.size() && rest[end] == ':' && base::is_alpha(rest[0])) {
    url.scheme = slice(rest, 0, end);
    rest.remove_prefix(end + 1);
    for (const std::string_view known : {std::string_view{"http"}, std::string_view{"https"}}) {
      if (base::equal_ignoring_case(url.scheme, known)) {
        url.scheme = known;
      }
    }
    return {};
  }
  const std::string_view first_segment = cut(cut(rest, '?').before, '/').before;
  if (first_segment.find(':') != std::string_view::npos) {
    return port::Failure{UrlError::bad_scheme};
  }
  return {};
}

bool is_userinfo(std::string_view text) {
  for (const char c : text) {
    const bool is_name = base::is_alpha(c) || base::is_digit(c);
    if (!is_name && std::string_view{"-._~!$&'()*+,;=:%@"}.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return has_valid_escapes(text);
}

// `text` stood between "//" and the next '/' or '?'.
port::Result<void, UrlError> parse_authority(std::string_view text, Url& url, NonAscii non_ascii) {
  url.has_authority = true;
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view userinfo = slice(text, 0, at);
    if (!is_userinfo(userinfo)) {
      return port::Failure{UrlError::bad_userinfo};
    }
    const Cut parts = cut(userinfo, ':');
    url.has_user = true;
    url.user = parts.before;
    url.has_password = parts.is_found;
    url.password = parts.after;
    text.remove_prefix(at + 1);
  }
  const auto split = split_host(text, non_ascii);
  if (!split) {
    return port::Failure{split.error()};
  }
  const bool is_http = url.scheme == "http" || url.scheme == "https";
  if (is_http && split->hostname.empty()) {
    return port::Failure{UrlError::bad_host};
  }
  url.host = text;
  url.hostname = split->hostname;
  url.port = split->port;
  return {};
}

// Everything but the fragment.
port::Result<Url, UrlError> parse_hierarchy(std::string_view rest, NonAscii non_ascii) {
  Url url;
  if (const auto scheme = take_scheme(rest, url); !scheme) {
    return port::Failure{scheme.error()};
  }
  const Cut parts = cut(rest, '?');
  url.has_query = parts.is_found;
  url.query = parts.after;
  rest = parts.before;
  if (starts_with(rest, "//")) {
    rest.remove_prefix(2);
    const std::size_t slash = rest.find('/');
    const std::size_t end = slash == std::string_view::npos ? rest.size() : slash;
    if (const auto authority = parse_authority(slice(rest, 0, end), url, non_ascii); !authority) {
      return port::Failure{authority.error()};
    }
    rest.remove_prefix(end);
  }
  if (!has_valid_escapes(rest)) {
    return port::Failure{UrlError::bad_escape};
  }
  const bool is_opaque = !url.scheme.empty() && !url.has_authority && !rest.starts_with('/');
  (is_opaque ? url.opaque : url.path) = rest;
  return url;
}

}  // namespace

port::Result<Url, UrlError> parse_url(std::string_view text) noexcept {
  if (has_control(text)) {
    return port::Failure{UrlError::control_byte};
  }
  const Cut parts = cut(text, '#');
  if (!has_valid_escapes(parts.after)) {
    return port::Failure{UrlError::bad_escape};
  }
  const auto parsed = parse_hierarchy(parts.before, NonAscii::allowed);
  if (!parsed) {
    return parsed;
  }
  Url url = *parsed;
  url.fragment = parts.after;
  return url;
}

port::Result<RequestTarget, UrlError> parse_request_target(std::string_view target) noexcept {
  if (target.empty()) {
    return port::Failure{UrlError::bad_target};
  }
  for (const char c : target) {
    if (is_control(c) || c == ' ') {
      return port::Failure{UrlError::control_byte};
    }
  }
  RequestTarget result;
  if (target.front() == '/') {
    const Cut parts = cut(target, '?');
    if (!has_valid_escapes(parts.before)) {
      return port::Failure{UrlError::bad_escape};
    }
    result.url.path = parts.before;
    result.url.has_query = parts.is_found;
    result.url.query = parts.after;
    return result;
  }
  if (target == "*") {
    result.form = TargetForm::asterisk;
    result.url.path = target;
    return result;
  }
  const auto parsed = parse_hierarchy(target, NonAscii::refused);
  if (!parsed) {
    return port::Failure{parsed.error() == UrlError::bad_scheme ? UrlError::bad_target : parsed.error()};
  }
  if (parsed->scheme.empty() || !parsed->has_authority) {
    return port::Failure{UrlError::bad_target};
  }
  if (parsed->hostname.empty()) {
    return port::Failure{UrlError::bad_host};
  }
  if (parsed->has_user) {
    return port::Failure{UrlError::bad_userinfo};
  }
  result.form = TargetForm::absolute;
  result.url = *parsed;
  return result;
}

port::Result<RequestTarget, UrlError> parse_connect_target(std::string_view target) noexcept {
  if (target.empty()) {
    return port::Failure{UrlError::bad_target};
  }
  const auto split = split_host(target);
  if (!split) {
    return port::Failure{split.error()};
  }
  if (base::parse_decimal(split->port, 65535).value_or(0) == 0) {
    return port::Failure{UrlError::bad_port};
  }
  RequestTarget result{.form = TargetForm::authority, .url = {}};
  result.url.has_authority = true;
  result.url.host = target;
  result.url.hostname = split->hostname;
  result.url.port = split->port;
  return result;
}

std::uint16_t effective_port(const Url& url) noexcept {
  if (!url.port.empty()) {
    return static_cast<std::uint16_t>(base::parse_decimal(url.port, 65535).value_or(0));
  }
  if (base::equal_ignoring_case(url.scheme, "http")) {
    return 80;
  }
  return base::equal_ignoring_case(url.scheme, "https") ? 443 : 0;
}

}  // namespace pollux::wire
