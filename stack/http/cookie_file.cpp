// The Netscape cookie file: seven fields with tabs between them, a line for each cookie.
//
//   domain  TRUE if names below it match too  path  TRUE if Secure  expiry in seconds since 1970, 0: session  name  value
//
// "#HttpOnly_" before the domain marks HttpOnly; other lines that begin with '#' are comments. Source: curl's description of the format,
// https://curl.se/docs/http-cookies.html.
#include <array>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/cookie_host.hpp"
#include "stack/http/cookie_jar.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {
namespace {

constexpr std::string_view header_line = "# Netscape HTTP Cookie File";
constexpr std::string_view http_only_mark = "#HttpOnly_";

std::string_view flag_text(bool flag) {
  return flag ? "TRUE" : "FALSE";
}

std::optional<bool> read_flag(std::string_view text) {
  if (base::equal_ignoring_case(text, "TRUE")) {
    return true;
  }
  return base::equal_ignoring_case(text, "FALSE") ? std::optional{false} : std::nullopt;
}

// What wire::parse_set_cookie takes as a value.
bool is_cookie_value(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c == 0x7f || !wire::is_ascii(c) || c == '"' || c == ';' || c == '\\') {
      return false;
    }
  }
  return true;
}

bool is_cookie_path(std::string_view text) {
  for (const char c : text) {
    if (wire::is_control(c)) {
      return false;
    }
  }
  return text.starts_with('/');
}

// The seven fields of a line; an empty value may be missing together with its tab.
struct Line {
  std::array<std::string_view, 7> fields{};
  bool is_whole = false;
};
Line split(std::string_view text) {
  Line line;
  std::size_t count = 0;
  for (bool is_last = false; !is_last && count < line.fields.size(); ++count) {
    const wire::Cut parts = wire::cut(text, '\t');
    line.fields[count] = parts.before;
    text = parts.after;
    is_last = !parts.is_found;
    line.is_whole = is_last && count + 1 >= line.fields.size() - 1;
  }
  return line;
}

}  // namespace

std::optional<std::string_view> CookieJar::save_line(CookieFileCursor& cursor, port::WallTime now,
                                                     std::span<char> out) noexcept {
  ENSURE(out.size() >= line_size());
  now = observe(now);
  base::TextWriter text{out};
  if (cursor.next == 0) {
    cursor.next = 1;
    return text.put(header_line).view();
  }
  const Entry* first = nullptr;
  for (const Entry& entry : memory_.entries) {
    if (entry.made >= cursor.next && !is_expired(entry, now) && (first == nullptr || entry.made < first->made)) {
      first = &entry;
    }
  }
  if (first == nullptr) {
    return std::nullopt;
  }
  cursor.next = first->made + 1;
  const Cookie cookie = view(*first);
  const std::string_view quote = cookie.is_quoted ? "\"" : "";
  text.put(cookie.http_only ? http_only_mark : "").put(cookie.host_only ? "" : ".").put(cookie.domain);
  text.put('\t').put(flag_text(!cookie.host_only)).put('\t').put(cookie.path).put('\t').put(flag_text(cookie.secure));
  text.put('\t').put_signed(cookie.expires ? cookie.expires->seconds : 0).put('\t').put(cookie.name);
  text.put('\t').put(quote).put(cookie.value).put(quote);
  ENSURE(!text.overflowed());
  return text.view();
}

CookieFileProblem CookieJar::load_line(std::string_view line, port::WallTime now) noexcept {
  Loaded loaded = Loaded::nothing;
  return read_line(line, now, loaded);
}

CookieFileResult CookieJar::load(std::string_view text, port::WallTime now) noexcept {
  CookieFileResult result;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const wire::Cut parts = wire::cut(text, '\n');
    text = parts.after;
    Loaded loaded = Loaded::nothing;
    const CookieFileProblem problem = read_line(parts.before, now, loaded);
    result.loaded += loaded == Loaded::cookie ? 1U : 0U;
    result.expired += loaded == Loaded::expired ? 1U : 0U;
    if (problem != CookieFileProblem::none) {
      ++result.refused;
      if (result.line == 0) {
        result.line = number;
        result.problem = problem;
      }
    }
  }
  return result;
}

CookieFileProblem CookieJar::read_line(std::string_view line, port::WallTime now, Loaded& loaded) noexcept {
  now = observe(now);
  while (line.ends_with('\r') || line.ends_with('\n')) {
    line.remove_suffix(1);
  }
  Cookie cookie;
  if (wire::starts_with(line, http_only_mark)) {
    line = wire::drop(line, http_only_mark.size());
    cookie.http_only = true;
  } else if (line.starts_with('#') || base::trim(line).empty()) {
    return CookieFileProblem::none;
  }
  const auto [fields, is_whole] = split(line);
  if (!is_whole) {
    return CookieFileProblem::fields;
  }
  const auto [domain, below, path, secure, expiry, name, value] = fields;
  cookie.domain = domain.starts_with('.') ? wire::drop(domain, 1) : domain;
  if (!is_cookie_host(cookie.domain)) {
    return CookieFileProblem::bad_domain;
  }
  const auto below_flag = read_flag(below);
  const auto secure_flag = read_flag(secure);
  if (!below_flag || !secure_flag) {
    return CookieFileProblem::bad_flag;
  }
  // As store() does: what cannot be for a whole domain is for the host alone.
  cookie.host_only = !*below_flag || is_address(cookie.domain) || is_registry_domain(cookie.domain);
  cookie.secure = *secure_flag;
  cookie.path = path;
  if (!is_cookie_path(path)) {
    return CookieFileProblem::bad_path;
  }
  const auto seconds = base::parse_decimal(expiry);
  if (!seconds) {
    return CookieFileProblem::bad_expiry;
  }
  cookie.name = name;
  if (!wire::is_token(name)) {
    return CookieFileProblem::bad_name;
  }
  cookie.is_quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
  cookie.value = cookie.is_quoted ? wire::slice(value, 1, value.size() - 1) : value;
  if (!is_cookie_value(cookie.value)) {
    return CookieFileProblem::bad_value;
  }
  if (!keeps_prefix_promise(name, cookie.secure, cookie.host_only, path == "/")) {
    return CookieFileProblem::bad_prefix;
  }
  const auto end_max = static_cast<std::uint64_t>(wire::date_max.seconds);
  const Ending ending =
      *seconds == 0 ? Ending{} : ending_at(static_cast<std::int64_t>(*seconds < end_max ? *seconds : end_max), now);
  if (ending.is_over) {
    loaded = Loaded::expired;
    return CookieFileProblem::none;
  }
  if (put(cookie, ending, now) == CookieOutcome::too_long) {
    return CookieFileProblem::too_long;
  }
  loaded = Loaded::cookie;
  return CookieFileProblem::none;
}

std::string_view describe(CookieFileProblem problem) noexcept {
  switch (problem) {
    case CookieFileProblem::none:
      return "no problem";
    case CookieFileProblem::fields:
      return "a line has seven fields with tabs between them";
    case CookieFileProblem::bad_domain:
      return "the domain is no host";
    case CookieFileProblem::bad_flag:
      return "a flag is neither TRUE nor FALSE";
    case CookieFileProblem::bad_path:
      return "the path does not begin with a slash";
    case CookieFileProblem::bad_expiry:
      return "the expiry is no number of seconds";
    case CookieFileProblem::bad_name:
      return "the name is no token";
    case CookieFileProblem::bad_value:
      return "the value has a byte that no cookie has";
    case CookieFileProblem::bad_prefix:
      return "the cookie does not keep what its name promises";
    case CookieFileProblem::too_long:
      return "the cookie is too long";
  }
  return "unknown problem";
}

}  // namespace pollux::http
