// Request: what the options say about one hop, put into a ClientRequest - curl's own fields, the ones of -H in their place, and the body.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/fetch/options.hpp"
#include "apps/fetch/upload.hpp"
#include "port/time.hpp"
#include "stack/http/client_request.hpp"
#include "stack/http/cookie_jar.hpp"

namespace pollux::fetch {

// What changes from hop to hop.
struct Hop {
  std::string_view url{};          // as it stands, with user and fragment
  std::string_view method{};       // "GET": what the options and the redirects so far make of it, before -X
  std::string_view credentials{};  // "user:password"; empty: none
  std::string_view referer{};
  bool has_body = false;
  bool may_expect = true;    // false: this server refused Expect
  bool is_trusted = true;    // false: another host than the first: no credentials of the command line
  bool is_same_name = true;  // the first host's name: its cookies of -b go along
  std::uint64_t resume_from = 0;
};

struct RequestParts {
  const Options& options;
  http::CookieJar* jar = nullptr;
  port::WallTime now{};
  Upload* upload = nullptr;    // where the body comes from; else it is options.data
  std::span<char> url_memory;  // for the URL without user and fragment
  std::span<char> scratch;     // for credentials and cookies
  std::span<char> ranges;      // Content-Range and Range
};

// Begins `request` anew. The request's first error, or none.
[[nodiscard]] http::CallCause build(http::ClientRequest& request, const Hop& hop, const RequestParts& parts);

// Whether -H wants the body in chunks.
[[nodiscard]] bool asks_chunked(const Options& options);
// The default method: -I, -T, -d, in curl's order.
[[nodiscard]] std::string_view default_method(const Options& options, bool uploads);
// What is sent: -X instead of the method.
[[nodiscard]] std::string_view shown_method(const Options& options, std::string_view method);
// Writes a URL without user, password and fragment; nothing if it is none or does not fit.
[[nodiscard]] std::optional<std::string_view> bare_url(std::string_view url, std::span<char> out);
// "user:password" of a URL, decoded; empty if it has none.
[[nodiscard]] std::string_view credentials_of(std::string_view url, std::span<char> out);

}  // namespace pollux::fetch
