// The ways to a server that the options choose: proxies from -x or the environment, name servers, fixed names.
#pragma once

#include <string_view>

#include "apps/fetch/failure.hpp"
#include "apps/fetch/options.hpp"
#include "stack/http/proxy.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::fetch {

struct ProxyChoice {
  bool is_on = false;
  Failure failure{};
};

// Reads -x, --proxy-user, --noproxy, or http_proxy, https_proxy, HTTPS_PROXY, all_proxy and no_proxy, into `settings`. curl's
// rules, not net/http's: HTTP_PROXY in capitals has no meaning, and loopback is proxied like anything else.
[[nodiscard]] ProxyChoice choose_proxy(const Options& options, http::ProxySettings& settings);

// --resolve.
[[nodiscard]] Failure pin_names(const Options& options, net::Resolver& resolver);

}  // namespace pollux::fetch
