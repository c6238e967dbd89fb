// Host and port as they stand in a Host field, in a URL's authority and in a CONNECT target: checks on the text, never
// a lookup. Sources: RFC 3986 section 3.2, RFC 6874 (zones), RFC 9110 section 7.2, RFC 9112 section 3.2.
//
//   split_host("[::1]:8080").value().hostname == "[::1]"     is_valid_host("a/b") == false
#pragma once

#include <cstdint>
#include <string_view>

#include "port/result.hpp"

namespace pollux::wire {

// Why a URL, a request target or a host was refused. All but out_too_small mean that the text is wrong, whatever the
// caller does.
enum class UrlError : std::uint8_t {
  control_byte,  // a byte below 0x20, DEL, or (in a request target) a blank
  bad_scheme,    // a colon in the first path segment and no scheme before it ("1http://x", ":foo")
  bad_userinfo,  // a byte that a user or password cannot hold; or userinfo in a request target (RFC 9110 section 4.2.4)
  bad_host,  // empty where one is needed, a byte no host has, or brackets around something that is not an IPv6 address
  bad_port,  // not decimal, above 65535; or missing in a CONNECT target
  bad_escape,     // '%' without two hexadecimal digits; or, in a host, an escaped ASCII byte
  bad_target,     // a request target that is none of the four forms
  bad_base,       // a relative reference cannot be resolved against an opaque URL ("mailto:a@b")
  out_too_small,  // the given memory does not hold the result
};

// A host cut at its port. The views point into the text that was given.
struct HostPort {
  std::string_view hostname;  // without the port; brackets are kept: "[::1]"
  std::string_view port;      // decimal digits, or empty
  bool has_port = false;      // there was a colon, so "h:" is not "h"
};

// Whether bytes of 0x80 and above (a name before IDNA) pass. A URL that a person typed may have them, a Host field may
// not.
enum class NonAscii : std::uint8_t { refused, allowed };

// Cuts and checks "name", "name:port", "1.2.3.4:port", "[ipv6]" and "[ipv6%25zone]:port". The name may be empty only if
// the whole text is. Errors: bad_host, bad_port, bad_escape.
[[nodiscard]] port::Result<HostPort, UrlError> split_host(std::string_view text,
                                                          NonAscii non_ascii = NonAscii::refused) noexcept;

// True if `value` may stand in a Host field. An empty value may (RFC 9112 section 3.2: a target without an authority).
[[nodiscard]] bool is_valid_host(std::string_view value) noexcept;

// `host` without ":port", brackets kept; `host` itself when there is none or the text is no valid host.
[[nodiscard]] std::string_view strip_port(std::string_view host) noexcept;

// "[::1]" -> "::1", for those who want the address; anything else as it is.
[[nodiscard]] std::string_view strip_brackets(std::string_view hostname) noexcept;

// Four decimal numbers of 0..255 without leading zeros (RFC 3986 section 3.2.2).
[[nodiscard]] bool is_ipv4_text(std::string_view text) noexcept;

// Any form of RFC 4291 section 2.2, without brackets and zone.
[[nodiscard]] bool is_ipv6_text(std::string_view text) noexcept;

}  // namespace pollux::wire
