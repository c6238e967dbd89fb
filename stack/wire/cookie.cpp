#include "stack/wire/cookie.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

constexpr port::WallTime expires_min = to_wall_time({.year = 1601});  // RFC 6265 section 5.1.1, step 5

// More than RFC 6265 section 4.1.1 grants a server (blanks and commas too): what is out there in the field.
constexpr bool is_value_byte(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != ';' && c != '\\';
}
constexpr bool is_path_byte(char c) {
  return c >= 0x20 && c < 0x7f && c != ';';
}

bool is_value(std::string_view text) {
  for (const char c : text) {
    if (!is_value_byte(c)) {
      return false;
    }
  }
  return true;
}

// Takes one pair of quotes off, if there is one. True if there was.
bool remove_quotes(std::string_view& value) {
  if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) {
    return false;
  }
  value = slice(value, 1, value.size() - 1);
  return true;
}

bool is_domain_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
    return false;
  }
  for (const char c : label) {
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '-') {
      return false;
    }
  }
  return true;
}

// A host name (without a leading dot, one at the end may be) with a letter in it, or an IPv4 address. RFC 1034 section
// 3.5, RFC 1123 section 2.1.
bool is_domain(std::string_view text) {
  if (is_ipv4_text(text)) {
    return true;
  }
  if (text.size() > 255) {
    return false;
  }
  if (text.ends_with('.')) {
    text.remove_suffix(1);
  }
  bool has_letter = false;
  for (const char c : text) {
    has_letter = has_letter || base::is_alpha(c);
  }
  for (bool is_last = false; !is_last;) {
    const Cut parts = cut(text, '.');
    if (!is_domain_label(parts.before)) {
      return false;
    }
    is_last = !parts.is_found;
    text = parts.after;
  }
  return has_letter;
}

// "-5", "0" and "00" delete; "05" and "x" are unreadable.
std::optional<std::int64_t> read_max_age(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  const std::string_view digits = is_negative ? drop(text, 1) : text;
  const auto seconds = base::parse_decimal(digits, INT64_MAX);
  if (!seconds || (*seconds != 0 && digits.front() == '0')) {
    return std::nullopt;
  }
  return is_negative || *seconds == 0 ? -1 : static_cast<std::int64_t>(*seconds);
}

SameSite read_same_site(std::string_view text) {
  if (base::equal_ignoring_case(text, "lax")) {
    return SameSite::lax;
  }
  if (base::equal_ignoring_case(text, "strict")) {
    return SameSite::strict;
  }
  return base::equal_ignoring_case(text, "none") ? SameSite::none : SameSite::default_mode;
}

// Stores one attribute; false if it is unknown or cannot be read.
bool read_attribute(std::string_view name, std::string_view value, SetCookie& cookie) {
  const auto is = [name](std::string_view known) { return base::equal_ignoring_case(name, known); };
  if (!is_value(value)) {
    return false;
  }
  if (is("path")) {
    cookie.path = value;
  } else if (is("domain")) {
    cookie.domain = value;
  } else if (is("secure")) {
    cookie.secure = true;
  } else if (is("httponly")) {
    cookie.http_only = true;
  } else if (is("partitioned")) {
    cookie.partitioned = true;
  } else if (is("samesite")) {
    cookie.same_site = read_same_site(value);
  } else if (is("max-age")) {
    const auto seconds = read_max_age(value);
    cookie.max_age = seconds ? seconds : cookie.max_age;
    return seconds.has_value();
  } else if (is("expires")) {
    const auto date = parse_cookie_date(value);
    cookie.expires = date ? std::optional{*date} : cookie.expires;
    return static_cast<bool>(date);
  } else {
    return false;
  }
  return true;
}

void put_filtered(base::TextWriter& writer, std::string_view text, bool (*is_allowed)(char)) {
  for (const char c : text) {
    if (is_allowed(c)) {
      writer.put(c);
    }
  }
}

void put_pair(base::TextWriter& writer, std::string_view name, std::string_view value, bool is_quoted) {
  for (const char c : value) {
    is_quoted = is_quoted || c == ' ' || c == ',';
  }
  writer.put(name).put('=');
  writer.put(is_quoted ? "\"" : "");
  put_filtered(writer, value, is_value_byte);
  writer.put(is_quoted ? "\"" : "");
}

void put_expires(base::TextWriter& writer, port::WallTime expires) {
  std::array<char, http_date_size> date;
  if (expires < expires_min) {
    return;
  }
  if (const auto text = write_http_date(expires, date)) {
    writer.put("; Expires=").put(*text);
  }
}

std::string_view same_site_text(SameSite same_site) {
  switch (same_site) {
    case SameSite::unset:
    case SameSite::default_mode:
      return "";
    case SameSite::lax:
      return "; SameSite=Lax";
    case SameSite::strict:
      return "; SameSite=Strict";
    case SameSite::none:
      return "; SameSite=None";
  }
  return "";
}

port::Result<std::string_view, CookieError> result_of(const base::TextWriter& writer) {
  if (writer.overflowed()) {
    return port::Failure{CookieError::out_too_small};
  }
  return writer.view();
}

}  // namespace

std::optional<CookiePair> CookiePairs::next() noexcept {
  while (!rest_.empty()) {
    const Cut piece = cut(rest_, ';');
    rest_ = piece.after;
    const Cut parts = cut(base::trim(piece.before), '=');
    CookiePair pair{.name = base::trim(parts.before), .value = parts.after};
    remove_quotes(pair.value);
    if (is_token(pair.name) && is_value(pair.value)) {
      return pair;
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> cookie_value(std::string_view field, std::string_view name) noexcept {
  CookiePairs pairs{field};
  while (const auto pair = pairs.next()) {
    if (pair->name == name) {
      return pair->value;
    }
  }
  return std::nullopt;
}

port::Result<SetCookie, CookieError> parse_set_cookie(std::string_view text) noexcept {
  Cut piece = cut(text, ';');
  const Cut pair = cut(piece.before, '=');
  SetCookie cookie;
  cookie.name = base::trim(pair.before);
  cookie.value = base::trim(pair.after);
  cookie.is_quoted = remove_quotes(cookie.value);
  if (!pair.is_found || !is_token(cookie.name)) {
    return port::Failure{CookieError::bad_name};
  }
  if (!is_value(cookie.value)) {
    return port::Failure{CookieError::bad_value};
  }
  while (!piece.after.empty()) {
    piece = cut(piece.after, ';');
    const std::string_view attribute = base::trim(piece.before);
    const Cut parts = cut(attribute, '=');
    if (attribute.empty() || read_attribute(base::trim(parts.before), base::trim(parts.after), cookie)) {
      continue;
    }
    if (cookie.ignored_attributes < UINT16_MAX) {
      ++cookie.ignored_attributes;
    }
  }
  return cookie;
}

port::Result<std::string_view, CookieError> write_set_cookie(const SetCookie& cookie, std::span<char> out) noexcept {
  if (!is_token(cookie.name)) {
    return port::Failure{CookieError::bad_name};
  }
  base::TextWriter writer{out};
  put_pair(writer, cookie.name, cookie.value, cookie.is_quoted);
  if (!cookie.path.empty()) {
    writer.put("; Path=");
    put_filtered(writer, cookie.path, is_path_byte);
  }
  const std::string_view domain = cookie.domain.starts_with('.') ? drop(cookie.domain, 1) : cookie.domain;
  if (is_domain(domain)) {
    writer.put("; Domain=").put(domain);
  }
  if (cookie.expires) {
    put_expires(writer, *cookie.expires);
  }
  if (cookie.max_age) {
    writer.put("; Max-Age=").put_decimal(*cookie.max_age > 0 ? static_cast<std::uint64_t>(*cookie.max_age) : 0);
  }
  writer.put(cookie.http_only ? "; HttpOnly" : "");
  writer.put(cookie.secure ? "; Secure" : "");
  writer.put(same_site_text(cookie.same_site));
  writer.put(cookie.partitioned ? "; Partitioned" : "");
  return result_of(writer);
}

port::Result<std::string_view, CookieError> write_cookie_pair(const CookiePair& pair, std::span<char> out) noexcept {
  if (!is_token(pair.name)) {
    return port::Failure{CookieError::bad_name};
  }
  base::TextWriter writer{out};
  put_pair(writer, pair.name, pair.value, false);
  return result_of(writer);
}

}  // namespace pollux::wire
