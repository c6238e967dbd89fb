// How much memory pollux-fetch brings: all of it static, so that nothing is allocated while it transfers.
#pragma once

#include <cstddef>

#include "stack/http/limits.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::fetch {

// One transfer runs at a time; the other connections are idle ones, of the hosts of a redirect or of the next URL. Buffers are as large
// as they can be: a head of 64 kB is a strange server's and still an answer.
inline constexpr http::TransportLimits transport_limits{.connections = 6,
                                                        .hosts = 8,
                                                        .in_buffer = 65520,
                                                        .out_buffer = 65520,
                                                        .head_size_max = 65504,
                                                        .fields_max = 2048,
                                                        .decoders = 2};
inline constexpr net::ResolverLimits resolver_limits{.queries = 4, .cache_entries = 16};
// Cookies, and bytes of each (RFC 6265 section 6.1 asks for 4,096).
inline constexpr std::size_t cookies_max = 256;
inline constexpr std::size_t cookie_size = 5120;

}  // namespace pollux::fetch
