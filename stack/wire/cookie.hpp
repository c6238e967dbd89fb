// Cookies on the wire: the pairs of a Cookie field, and Set-Cookie read and written. Sources: RFC 6265 sections 4.1,
// 4.2 and 5.2; SameSite and Partitioned as browsers have them.
//
// What is kept between requests, and which cookie goes where, is the jar's business, not this file's.
//
//   CookiePairs pairs{"id=42; lang=de"};            // next(): {id, 42}, then {lang, de}
//   cookie_value("id=42; lang=de", "lang") == "de"
//   write_set_cookie({.name = "id", .value = "42", .path = "/"}, out).value() == "id=42; Path=/"
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "port/time.hpp"

namespace pollux::wire {

struct CookiePair {
  std::string_view name;   // a token
  std::string_view value;  // without the quotes around it; bytes 0x20..0x7e but '"', ';' and '\'
};

// Walks the pairs of a Cookie field. Pairs with a bad name or value are passed over.
class CookiePairs {
 public:
  constexpr explicit CookiePairs(std::string_view field) noexcept : rest_{field} {}
  [[nodiscard]] std::optional<CookiePair> next() noexcept;

 private:
  std::string_view rest_;
};

// The value of the first pair with this name (case matters) in a Cookie field.
[[nodiscard]] std::optional<std::string_view> cookie_value(std::string_view field, std::string_view name) noexcept;

enum class SameSite : std::uint8_t {
  unset,         // no such attribute
  default_mode,  // present, but with no value that is known; written as nothing
  lax,
  strict,
  none,
};

enum class CookieError : std::uint8_t {
  bad_name,       // not a token, or no '=' behind it
  bad_value,      // a byte that no cookie value can hold, or one quote only
  out_too_small,  // `out` has no room for the result
};

// A Set-Cookie field. Views point into the text that was parsed, or are the caller's.
struct SetCookie {
  std::string_view name{};
  std::string_view value{};                 // without the quotes around it
  std::string_view path{};                  // empty: no such attribute
  std::string_view domain{};                // empty: no such attribute; as it came, with a leading dot if there was one
  std::optional<port::WallTime> expires{};  // used only where max_age is not given
  std::optional<std::int64_t>
      max_age{};  // seconds; 0 or less deletes the cookie now. The parser gives -1 for all of these
  SameSite same_site = SameSite::unset;
  bool secure = false;
  bool http_only = false;
  bool partitioned = false;
  bool is_quoted = false;                // the value stood in quotes, or shall
  std::uint16_t ignored_attributes = 0;  // how many attributes were unknown or unreadable; not written
};

// Reads a Set-Cookie field. Attribute names are of either case, the last of a kind that can be read counts, what cannot
// be read is counted and ignored. Blanks around names and values are taken off. Errors: bad_name, bad_value; then the
// whole field is to be ignored.
[[nodiscard]] port::Result<SetCookie, CookieError> parse_set_cookie(std::string_view text) noexcept;

// Writes a Set-Cookie field. Bytes that a value or path cannot hold are left out; a value with a blank or a comma is
// put in quotes; a domain that is none, and a date before 1601, are left out. Errors: bad_name, out_too_small.
[[nodiscard]] port::Result<std::string_view, CookieError> write_set_cookie(const SetCookie& cookie,
                                                                           std::span<char> out) noexcept;

// Writes "name=value" for a Cookie field, the value treated as above. Errors: bad_name, out_too_small.
[[nodiscard]] port::Result<std::string_view, CookieError> write_cookie_pair(const CookiePair& pair,
                                                                            std::span<char> out) noexcept;

}  // namespace pollux::wire
