// Percent-encoding: "%41" for "A". Source: RFC 3986 section 2; application/x-www-form-urlencoded (URL Standard, section
// 5) for '+'.
//
// Nothing here knows what a URL is made of: url.hpp splits one into its parts, and each part is decoded by itself (an
// escaped '/' in a path is not a separator).
//
//   std::array<char, 32> out;
//   percent_decode("caf%C3%A9+1", out, Plus::space).value() == "café 1"
//   percent_encode("a b/c", PercentSet::path_segment, out).value() == "a%20b%2Fc"
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"

namespace pollux::wire {

enum class PercentError : std::uint8_t {
  bad_escape,     // a '%' that two hexadecimal digits do not follow
  out_too_small,  // `out` has no room for the result; what it holds then is unspecified
};

// What a '+' means to a decoder: itself (paths), or a blank (queries and forms).
enum class Plus : std::uint8_t { literal, space };

// Where a text will stand, that is, which bytes an encoder leaves as they are. Unreserved bytes (letters, digits,
// "-._~") always are.
enum class PercentSet : std::uint8_t {
  path_segment,     // one segment of a path: pchar of RFC 3986, so '/' and '?' are escaped
  path,             // a whole path: pchar and '/'
  query,            // a whole query: all visible ASCII but  " # < >  (the query set of the URL Standard)
  query_component,  // a name or a value within a query: unreserved bytes only
  form_component,   // as query_component, but a blank becomes '+'
  userinfo,         // a user or a password: unreserved and sub-delims, so ':' and '@' are escaped
  fragment,         // pchar, '/' and '?'
  host,             // unreserved, sub-delims, and  : [ ]  of a literal address and a port
};

// What an encoder does with a '%' in its input.
enum class Escapes : std::uint8_t {
  none,  // the text is raw: '%' becomes "%25", and decoding gives the text back
  keep,  // the text is escaped already where it has to be, as a URL that somebody typed: '%' stays, the rest is mended
};

// True if each '%' is followed by two hexadecimal digits.
[[nodiscard]] bool has_valid_escapes(std::string_view text) noexcept;

// Decodes `text` into `out`, which may begin at text.data(): the result never gets ahead of the input. text.size()
// bytes are always enough. The result is a part of `out`. It may hold any byte, NUL and '/' included: the caller checks
// what it is used for.
[[nodiscard]] port::Result<std::string_view, PercentError> percent_decode(std::string_view text, std::span<char> out,
                                                                          Plus plus = Plus::literal) noexcept;

// Decodes `text` where it stands. On bad_escape the first part of it has been overwritten.
[[nodiscard]] port::Result<std::string_view, PercentError> percent_decode_in_place(std::span<char> text,
                                                                                   Plus plus = Plus::literal) noexcept;

// True if `raw`, decoded, is `text`; false also when `raw` has a bad escape. Needs no memory.
[[nodiscard]] bool percent_decoded_equals(std::string_view raw, std::string_view text,
                                          Plus plus = Plus::literal) noexcept;

// Encodes `text` into `out` (not overlapping), with upper-case digits (RFC 3986 section 2.1). percent_encoded_size()
// bytes are needed, three for each byte of `text` at most. Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, PercentError> percent_encode(std::string_view text, PercentSet set,
                                                                          std::span<char> out,
                                                                          Escapes escapes = Escapes::none) noexcept;
[[nodiscard]] std::size_t percent_encoded_size(std::string_view text, PercentSet set,
                                               Escapes escapes = Escapes::none) noexcept;

}  // namespace pollux::wire
