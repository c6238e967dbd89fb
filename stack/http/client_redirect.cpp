// Call: whether a response leads on, and what the next request is made of. Sources: RFC 9110 sections 10.1.3 (Referer), 15.4 (Redirection);
// net-http.md C6..C17; vectors.md 5.6.
#include <cstring>

#include "stack/base/text.hpp"
#include "stack/http/client.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

// Say who is asking: not for the eyes of another host.
constexpr std::string_view secrets[] = {"Authorization", "Www-Authenticate",    "Cookie",
                                        "Cookie2",       "Proxy-Authorization", "Proxy-Authenticate"};
// Say something about a body, and nothing without it (RFC 9110 section 15.4, 1.1).
constexpr std::string_view about_body[] = {
    "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location", "Content-MD5",
    "Content-Range",  "Content-Type",        "Digest",           "Last-Modified",    "Repr-Digest"};

constexpr bool leads_on(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_address(std::string_view hostname) noexcept {
  return hostname.starts_with('[') || wire::is_ipv4_text(hostname);
}

}  // namespace

// Method and body stay. What becomes of a body that stays and cannot be sent again is decide()'s.
bool Call::keeps_method(int status) const noexcept {
  switch (status) {
    case 301:
      return options_.keep_method_301;
    case 302:
      return options_.keep_method_302;
    case 303:
      return options_.keep_method_303;
    default:
      return true;
  }
}

Call::Decision Call::decide(const Response& response) noexcept {
  const ClientConfig& config = client_.config();
  const int status = response.status();
  const std::string_view location = response.fields().get(wire::FieldId::location).value_or(std::string_view{});
  if (!leads_on(status) || location.empty() || !options_.follow.value_or(config.follow)) {
    return {};
  }
  next_keeps_body_ = keeps_method(status);
  if (next_keeps_body_ && !request().body().is_replayable()) {
    return {};
  }
  if (const CallCause cause = resolve(location); cause != CallCause::none) {
    return {.cause = cause};
  }
  const std::uint32_t requests_made = redirects_ + 1;
  if (requests_made >= options_.redirects_max.value_or(config.redirects_max)) {
    return {.cause = CallCause::too_many_redirects};
  }
  const RedirectCheck& check = options_.check.check != nullptr ? options_.check : config.check;
  if (check.check == nullptr) {
    return {.follows = true};
  }
  const bool is_head = request().method_id() == wire::Method::head;
  const Redirect redirect{.status = status,
                          .from = request().url_text(),
                          .to = next_text_,
                          .method = next_keeps_body_ ? request().method() : std::string_view{is_head ? "HEAD" : "GET"},
                          .count = redirects_};
  switch (check.check(check.object, redirect)) {
    case Follow::yes:
      return {.follows = true};
    case Follow::stop:
      return {};
    case Follow::error:
      return {.cause = CallCause::redirect_refused};
  }
  return {};
}

// Location, seen from the present URL, into memory_.url_next. Now: the response's memory is gone when the next request is made.
CallCause Call::resolve(std::string_view location) noexcept {
  const auto reference = wire::parse_url(location);
  if (!reference) {
    return CallCause::bad_location;
  }
  const auto resolved = wire::resolve_reference(request().url(), *reference, memory_.url_next);
  if (!resolved) {
    return resolved.error() == wire::UrlError::out_too_small ? CallCause::url_too_long : CallCause::bad_location;
  }
  const auto next = wire::parse_url(*resolved);
  if (!next) {
    return CallCause::bad_location;
  }
  if (next->scheme != "http" && next->scheme != "https") {
    return CallCause::bad_scheme;
  }
  if (next->hostname.empty() || !wire::split_host(next->host)) {
    return CallCause::bad_location;
  }
  next_text_ = *resolved;
  next_is_relative_ = reference->scheme.empty() && !reference->has_authority;
  return CallCause::none;
}

// Makes the request that decide() decided on out of the one that was answered.
CallCause Call::change_request() noexcept {
  const wire::Url next = wire::parse_url(next_text_).value();
  if (!options_.trusts_redirects && !secrets_dropped_ && leaves_first_host(next)) {
    drop_secrets();
  }
  if (!next_is_relative_) {
    request().use_url_host();
    if (!own_authorization_) {
      request().remove("Authorization");  // from the last URL's user and password
    }
  }
  if (!next_keeps_body_) {
    drop_body();
  }
  request().clear_trailers();
  if (!own_referer_) {
    request().remove("Referer");
  }
  if (const CallCause cause = set_hop_fields(next); cause != CallCause::none) {
    return cause;
  }
  set_referer(next);
  if (const CallCause cause = take_userinfo_off(next_text_, next); cause != CallCause::none) {
    return cause;
  }
  // Last, because a source that was rewound has to be closed again, and only a round trip does that.
  const RequestBody& body = request().body();
  const bool is_back = body.kind != RequestBody::Kind::source || body.source.rewind(body.source.object);
  return is_back ? CallCause::none : CallCause::cannot_rewind;
}

void Call::drop_body() noexcept {
  if (request().method_id() != wire::Method::head) {
    request().set_method("GET");
  }
  request().set_body(RequestBody{});
  for (const std::string_view name : about_body) {
    request().remove(name);
  }
}

// The chain goes to a host that is neither the first nor below it (ports do not count, as in net/http), or from https to http.
bool Call::leaves_first_host(const wire::Url& next) const noexcept {
  if (trip_.request().is_https() && next.scheme == "http") {
    return true;
  }
  // The present host is the first or below it, or else nothing is left to be dropped.
  const std::string_view current = trip_.request().url().hostname;
  const std::string_view first = wire::drop(current, current.size() - first_host_size_);
  if (base::equal_ignoring_case(next.hostname, first)) {
    return false;
  }
  if (is_address(first) || next.hostname.size() <= first.size()) {
    return true;
  }
  const std::size_t begin = next.hostname.size() - first.size();
  return next.hostname[begin - 1] != '.' || !base::equal_ignoring_case(wire::drop(next.hostname, begin), first);
}

void Call::drop_secrets() noexcept {
  secrets_dropped_ = true;
  own_authorization_ = false;
  own_cookies_ = {};
  for (const std::string_view name : secrets) {
    request().remove(name);
  }
}

// The URL before, which has no user, password and fragment any more; not from https to http. It is left out where the field memory has no
// room for it: no server may rely on it.
void Call::set_referer(const wire::Url& next) noexcept {
  constexpr std::string_view name = "Referer";
  const std::string_view before = request().url_text();
  if (own_referer_ || (request().is_https() && next.scheme == "http")) {
    return;
  }
  if (request().field_lines().size() + name.size() + before.size() + 4 <= memory_.request.fields.size()) {
    request().set(name, before);
  }
}

}  // namespace pollux::http
