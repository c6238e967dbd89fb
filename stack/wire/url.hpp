// Url: a URL as views into its text; the target of a request line; references resolved against a base; paths made
// clean. Sources: RFC 3986 (generic syntax, sections 3 and 5), RFC 9110 section 4.2, RFC 9112 section 3.2 (request
// targets).
//
// Nothing is decoded: an escaped '/' in a path is data, and only the part's user knows what to do with it (percent.hpp,
// query.hpp). It is more tolerant than the RFC where people are (blanks and non-ASCII bytes in a path, which are
// escaped when the URL is written) and as strict where tolerance is an attack (control bytes, two spellings of one
// host, ports, brackets).
//
//   const auto url = parse_url("http://u:p@[::1]:8080/a/b?x=1#top");
//   url->host == "[::1]:8080"   url->hostname == "[::1]"   url->port == "8080"
//   url->path == "/a/b"         url->query == "x=1"          url->fragment == "top"
//   resolve_reference(*url, *parse_url("../c"), out).value() == "http://u:p@[::1]:8080/c"
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "stack/wire/host.hpp"

namespace pollux::wire {

// All views point into the text that was parsed, except a scheme that is "http" or "https": these two are given in
// lower case.
struct Url {
  std::string_view scheme;    // without the colon; empty: a relative reference
  std::string_view user;      // raw
  std::string_view password;  // raw
  std::string_view host;      // with the port, as a Host field wants it: "h", "h:80", "[::1]:80", "h:"
  std::string_view hostname;  // without the port; brackets kept
  std::string_view port;      // digits; empty if there are none
  std::string_view path;      // raw; may be empty
  std::string_view query;     // raw, without the '?'
  std::string_view fragment;  // raw, without the '#'; an empty one is not told from none
  std::string_view
      opaque;  // "a@b" of "mailto:a@b": what follows a scheme and does not begin with '/'; then host and path are empty
  bool has_authority = false;
  bool has_user = false;      // there was an '@'
  bool has_password = false;  // there was a ':' before it
  bool has_query = false;     // there was a '?', even if nothing follows it
};

// Parses an absolute URL or a relative reference. Escapes are checked in the path, the fragment and the opaque part;
// those of a query are not, since a query need not be made of escapes (query.hpp refuses bad ones pair by pair).
// Errors: control_byte, bad_scheme, bad_userinfo, bad_host (also an http or https URL with an empty host, RFC 9110
// section 4.2.1), bad_port, bad_escape.
[[nodiscard]] port::Result<Url, UrlError> parse_url(std::string_view text) noexcept;

enum class TargetForm : std::uint8_t {
  origin,     // "/path?query"
  absolute,   // "http://host/path?query", sent to a proxy; every server must take it (RFC 9112 section 3.2.2)
  authority,  // "host:port", CONNECT only
  asterisk,   // "*"; the path is "*"
};

struct RequestTarget {
  TargetForm form = TargetForm::origin;
  Url url;  // origin and asterisk: path and query; absolute: all but a fragment; authority: host, hostname and port
};

// The target of a request line whose method is not CONNECT. A '#' has no meaning here and stays part of the path or
// query. "//h/p" is a path, not an authority. Errors: bad_target, control_byte, bad_escape, bad_host, bad_port,
// bad_userinfo.
[[nodiscard]] port::Result<RequestTarget, UrlError> parse_request_target(std::string_view target) noexcept;

// The target of a CONNECT request: a host and a port of 1..65535, both required (RFC 9110 section 9.3.6). Errors:
// bad_target, bad_host, bad_port, bad_escape.
[[nodiscard]] port::Result<RequestTarget, UrlError> parse_connect_target(std::string_view target) noexcept;

// The port to connect to: the one given, else 80 for http and 443 for https, else 0.
[[nodiscard]] std::uint16_t effective_port(const Url& url) noexcept;

// Writes the URL as text: scheme in lower case, bytes that no URL may hold escaped, an empty fragment left out. At most
// three times the size of the parsed text and 2 bytes. Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, UrlError> format_url(const Url& url, std::span<char> out) noexcept;

// Writes what a request line says for this URL: the opaque part, or path and query, "/" for an empty path; escaped like
// format_url(). Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, UrlError> format_request_target(const Url& url,
                                                                             std::span<char> out) noexcept;

// Writes the absolute URL that `reference` means in a document at `base` (RFC 3986 section 5.2, strict; section 5.3 for
// the text). `out` must not overlap the texts behind the two. It has to hold the path before ".." takes parts of it
// away; the sizes of both texts, times three if they may hold bytes that have to be escaped, and 2 bytes are always
// enough. Errors: bad_base, bad_host (an http URL that would name no host, as "///p" does), out_too_small.
[[nodiscard]] port::Result<std::string_view, UrlError> resolve_reference(const Url& base, const Url& reference,
                                                                         std::span<char> out) noexcept;

// Writes `path` as an absolute path without empty, "." and ".." segments; a '/' at the end stays. Escapes are not
// looked at: give it a decoded path if "%2e%2e" has to count. "" gives "/", "a" gives "/a", "/.." gives "/". `out` may
// begin at path.data() if the path begins with '/'. path.size() + 1 bytes are always enough. Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, UrlError> clean_path(std::string_view path, std::span<char> out) noexcept;

// True if clean_path() would not change anything. Needs no memory.
[[nodiscard]] bool is_clean_path(std::string_view path) noexcept;

}  // namespace pollux::wire
