#include "apps/fetch/ways.hpp"

#include <cstdlib>
#include <string>

#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"

namespace pollux::fetch {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

// The first of these variables that says something.
std::string first_of(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (std::string value = variable(name); !value.empty()) {
      return value;
    }
  }
  return {};
}

std::string percent_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (base::is_alpha(c) || base::is_digit(c)) {
      escaped += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      escaped += '%';
      escaped += "0123456789ABCDEF"[byte >> 4];
      escaped += "0123456789ABCDEF"[byte & 15];
    }
  }
  return escaped;
}

// "http://user:password@host:port": --proxy-user goes over what the URL says.
std::string with_user(const std::string& proxy, const std::string& user) {
  if (user.empty()) {
    return proxy;
  }
  const std::size_t scheme = proxy.find("://");
  const std::size_t authority = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t at = proxy.rfind('@');
  const std::size_t host = at == std::string::npos || at < authority ? authority : at + 1;
  const std::size_t colon = user.find(':');
  return proxy.substr(0, authority) + percent_escaped(user.substr(0, colon)) + ":" +
         (colon == std::string::npos ? "" : percent_escaped(user.substr(colon + 1))) + "@" + proxy.substr(host);
}

// curl's port for a proxy without one is 1080, whatever its kind.
std::string with_port(const std::string& proxy) {
  const std::size_t scheme = proxy.find("://");
  std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  std::size_t end = std::min(proxy.find('/', begin), proxy.size());
  if (const std::size_t at = proxy.rfind('@', end); at != std::string::npos && at >= begin) {
    begin = at + 1;
  }
  const auto split = wire::split_host(std::string_view{proxy}.substr(begin, end - begin));
  if (!split || split->has_port) {
    return proxy;
  }
  std::string text = proxy;
  return text.insert(end, ":1080");
}

Failure refused(http::ProxyError error, std::string_view proxy) {
  switch (error) {
    case http::ProxyError::none:
      return {};
    case http::ProxyError::tls_unsupported:
      return {ExitCode::not_built_in, {"Unsupported proxy '", proxy, "': this build has no TLS"}};
    case http::ProxyError::bad_scheme:
      return {ExitCode::couldnt_connect, {"Unsupported proxy scheme for '", proxy, "'"}};
    case http::ProxyError::empty:
    case http::ProxyError::bad_userinfo:
    case http::ProxyError::bad_host:
    case http::ProxyError::bad_port:
    case http::ProxyError::too_long:
    case http::ProxyError::too_many:
      break;
  }
  return {ExitCode::couldnt_resolve_proxy, {"Unsupported proxy syntax in '", proxy, "': ", http::describe(error)}};
}

}  // namespace

ProxyChoice choose_proxy(const Options& options, http::ProxySettings& settings) {
  http::Proxy for_http;
  http::Proxy for_https;
  const auto read = [&options](const std::string& text, http::Proxy& proxy) {
    return text.empty() ? Failure{} : refused(proxy.parse(with_port(with_user(text, options.proxy_user))), text);
  };
  Failure failure;
  switch (options.proxy_kind) {
    case ProxyKind::none:
      return {};
    case ProxyKind::given:
      failure = read(options.proxy, for_http);
      for_https = for_http;
      break;
    case ProxyKind::from_environment:
      failure = read(first_of({"http_proxy", "all_proxy", "ALL_PROXY"}), for_http);
      if (!failure) {
        failure = read(first_of({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}), for_https);
      }
      break;
  }
  if (failure) {
    return {.failure = failure};
  }
  if (for_http.kind() == http::ProxyKind::none && for_https.kind() == http::ProxyKind::none) {
    return {};
  }
  settings.set(for_http, for_https);
  const std::string direct = options.no_proxy.value_or(first_of({"no_proxy", "NO_PROXY"}));
  if (settings.set_no_proxy(direct) != http::ProxyError::none) {
    return {.failure = {ExitCode::bad_function_argument, "The list of --noproxy is too long"}};
  }
  return {.is_on = true, .failure = {}};
}

Failure pin_names(const Options& options, net::Resolver& resolver) {
  for (const ResolveOption& option : options.resolves) {
    for (const port::Address& address : option.addresses) {
      if (option.host != "*" && !resolver.pin(option.host, option.port, address)) {
        return {ExitCode::setopt_option_syntax, {"--resolve: too many names, or '", option.host, "' is none"}};
      }
    }
  }
  return {};
}

}  // namespace pollux::fetch
