// The value of Location for a redirect from one path to a target that a program names (net/http: Redirect).
#pragma once

#include <span>
#include <string_view>

#include "port/result.hpp"
#include "stack/wire/host.hpp"

namespace pollux::http {

// Writes where `target` leads from a request for `request_path` (as sent, escapes in place) to `out`.
//
//   a target with a scheme or a host           stays as it is: "https://h/x", "//h/x", "mailto:x"
//   a path, or one relative to the request's   becomes absolute and clean; a '/' at its end stays:
//                                              "../b" from "/a/c/d" is "/a/b"
//   what begins with '?' or '#'                is never looked at
//
// In all of them blanks, control bytes and bytes above 0x7e are escaped with lower-case digits, so that the value
// can stand in a field. Three times both sizes and 1 byte are always enough. `out` must not overlap the other two.
// Errors: out_too_small.
// Sources: RFC 9110 section 10.2.2; the table of net/http's Redirect in tests/http/mux_location_test.cpp.
[[nodiscard]] port::Result<std::string_view, wire::UrlError> redirect_location(std::string_view request_path,
                                                                               std::string_view target,
                                                                               std::span<char> out) noexcept;

}  // namespace pollux::http
