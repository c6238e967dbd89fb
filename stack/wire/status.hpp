// Status codes: their phrases, and whether a body follows. Sources: RFC 9110 section 15; the IANA registry of HTTP
// status codes.
//
//   reason_phrase(404) == "Not Found"     reason_phrase(799) == ""      status_allows_body(304) == false
#pragma once

#include <string_view>

namespace pollux::wire {

// The phrase of a registered code; empty for any other number. The result lives as long as the program.
[[nodiscard]] std::string_view reason_phrase(int code) noexcept;

// Whether a response with this status may have a body at all: not 1xx, 204 and 304 (RFC 9112 section 6.3). A HEAD
// request takes the body away from any status; that is the caller's to know.
[[nodiscard]] constexpr bool status_allows_body(int code) noexcept {
  return code >= 200 && code != 204 && code != 304;
}

}  // namespace pollux::wire
