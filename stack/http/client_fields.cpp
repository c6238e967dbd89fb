// Call: what a hop says of its own - credentials of the URL, cookies of the jar - and the memory for it. The scratch memory has two parts: what
// lives as long as the chain, at its front, and behind it what one hop puts together before it is copied into the request.
// Sources: RFC 7617 section 2 (Basic), RFC 6265 section 5.4 (one Cookie field); net-http.md C15, C19..C21.
#include <algorithm>
#include <cstring>

#include "stack/base/text.hpp"
#include "stack/http/client.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/cookie.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

constexpr std::string_view cookie_line = "Cookie:";

}  // namespace

// Notes the first host and what the request brings itself. Causes: fields_too_long, when the scratch memory has no room for it.
CallCause Call::keep_first_fields() noexcept {
  const wire::Url& url = request().url();
  first_host_size_ = url.hostname.size();
  first_port_ = wire::effective_port(url);
  first_is_https_ = request().is_https();
  own_authorization_ = !request().find("Authorization").value_or(std::string_view{}).empty();
  own_referer_ = request().find("Referer").has_value();
  secrets_dropped_ = false;
  first_host_ = {};
  own_cookies_ = {};
  scratch_kept_ = 0;
  base::TextWriter kept{memory_.scratch};
  if (options_.endpoint) {
    kept.put(url.hostname);
    first_host_ = kept.view();
  }
  if (client_.config().jar != nullptr) {
    const std::size_t begin = kept.size();
    for (std::string_view rest = request().field_lines(); !rest.empty();) {
      const wire::Cut line = wire::cut(rest, '\n');
      if (wire::starts_with_ignoring_case(line.before, cookie_line)) {
        kept.put(kept.size() == begin ? "" : "; ");
        kept.put(base::trim(wire::slice(line.before, cookie_line.size(), line.before.size() - 1)));
      }
      rest = line.after;
    }
    own_cookies_ = wire::drop(kept.view(), begin);
  }
  scratch_kept_ = kept.size();
  return kept.overflowed() ? CallCause::fields_too_long : CallCause::none;
}

bool Call::is_first_host(const wire::Url& url) const noexcept {
  return base::equal_ignoring_case(url.hostname, first_host_) && wire::effective_port(url) == first_port_ &&
         (url.scheme == "https") == first_is_https_;
}

CallCause Call::set_hop_fields(const wire::Url& url) noexcept {
  has_hop_fields_ = true;
  const CallCause cause = set_credentials(url);
  return cause == CallCause::none ? set_cookies(url) : cause;
}

// User and password of the URL, unless the request has credentials of its own.
CallCause Call::set_credentials(const wire::Url& url) noexcept {
  if (!url.has_user || own_authorization_) {
    return CallCause::none;
  }
  // [ "Basic " base64(user:password) | user:password ], the plain text at the end.
  constexpr std::string_view scheme = "Basic ";
  const std::size_t plain_max = url.user.size() + 1 + url.password.size();
  const std::span<char> scratch = hop_scratch();
  if (scratch.size() < scheme.size() + wire::base64_size(plain_max) + plain_max) {
    return CallCause::fields_too_long;
  }
  const std::span<char> plain = scratch.last(plain_max);
  const auto user = wire::percent_decode(url.user, plain);
  if (!user) {
    return CallCause::bad_url;
  }
  plain[user->size()] = ':';
  const auto password = wire::percent_decode(url.password, plain.subspan(user->size() + 1));
  if (!password) {
    return CallCause::bad_url;
  }
  base::TextWriter value{scratch};
  value.put(scheme);
  const auto encoded = wire::base64_encode({plain.data(), user->size() + 1 + password->size()}, wire::Base64::standard,
                                           scratch.subspan(scheme.size()));
  const CallCause cause = encoded ? request().set("Authorization", {scratch.data(), scheme.size() + encoded->size()})
                                  : CallCause::fields_too_long;
  std::memset(scratch.data(), 0, scratch.size());  // no password lies about
  return cause;
}

// The request's own cookies, then those the jar has for this URL, in one field (RFC 6265 section 5.4). What does not fit into the scratch or
// the field memory the jar leaves out and counts (CookieJarStats::left_out).
CallCause Call::set_cookies(const wire::Url& url) noexcept {
  CookieJar* jar = client_.config().jar;
  if (jar == nullptr) {
    return CallCause::none;
  }
  constexpr std::string_view name = "Cookie";
  request().remove(name);
  const std::size_t used = request().field_lines().size() + name.size() + 4;
  const std::size_t room = memory_.request.fields.size() - std::min(used, memory_.request.fields.size());
  const std::span<char> scratch = hop_scratch();
  base::TextWriter value{scratch.first(std::min(room, scratch.size()))};
  value.put(own_cookies_).put(own_cookies_.empty() ? "" : "; ");
  std::string_view cookies = own_cookies_;
  if (!value.overflowed()) {
    const port::WallTime now = client_.transport().loop().port().wall_clock();
    const std::string_view from_jar = jar->write(cookie_origin(url), now, value.space());
    if (!from_jar.empty()) {
      value.produced(from_jar.size());
      cookies = value.view();
    }
  }
  return cookies.empty() ? CallCause::none : request().add(name, cookies);
}

// What a cookie sees of a URL: its host is the one the request says (net/http: Request.Host).
CookieOrigin Call::cookie_origin(const wire::Url& url) const noexcept {
  const std::string_view said = trip_.request().host();
  return {.host = said.empty() ? url.hostname : said, .path = url.path, .is_secure = url.scheme == "https"};
}

void Call::store_cookies(const Response& response) noexcept {
  CookieJar* jar = client_.config().jar;
  if (jar == nullptr) {
    return;
  }
  const CookieOrigin origin = cookie_origin(request().url());
  const port::WallTime now = client_.transport().loop().port().wall_clock();
  const wire::Fields fields = response.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields.id(i) != wire::FieldId::set_cookie) {
      continue;
    }
    const std::string_view text = fields[i].value;
    jar->store(origin, text, now);
    if (const auto cookie = wire::parse_set_cookie(text)) {
      forget_own_cookie(cookie->name);
    }
  }
}

// The server has set a cookie that the request brought itself: from now on the jar's counts (net-http.md C20).
void Call::forget_own_cookie(std::string_view name) noexcept {
  std::size_t kept = 0;
  const std::span<char> memory = memory_.scratch.subspan(scratch_kept_ - own_cookies_.size());
  for (std::string_view rest = own_cookies_; !rest.empty();) {
    const wire::Cut pair = wire::cut(rest, ';');
    rest = pair.after;
    const std::string_view text = kept == 0 ? base::trim(pair.before) : pair.before;
    if (base::trim(wire::cut(text, '=').before) == name) {
      continue;
    }
    if (kept != 0) {
      memory[kept++] = ';';
    }
    std::memmove(memory.data() + kept, text.data(), text.size());
    kept += text.size();
  }
  scratch_kept_ -= own_cookies_.size() - kept;
  own_cookies_ = wire::slice(own_cookies_, 0, kept);
}

// Puts the URL into the request, without its user and password: they went into a field, and are nothing for a Referer or a message.
CallCause Call::take_userinfo_off(std::string_view text, const wire::Url& url) noexcept {
  if (!url.has_user) {
    return request().set_url(text);
  }
  const std::span<char> out = memory_.url_next;
  const auto begin = static_cast<std::size_t>(url.user.data() - text.data());
  const auto end = static_cast<std::size_t>(url.host.data() - text.data());
  const std::size_t size = begin + text.size() - end;
  if (size > out.size()) {
    return CallCause::url_too_long;
  }
  std::memmove(out.data(), text.data(), begin);
  std::memmove(out.data() + begin, text.data() + end, text.size() - end);
  return request().set_url({out.data(), size});
}

// As the request was before its last hop, but for the credentials, which its URL does not have any more: so that it can be made again.
void Call::restore_fields() noexcept {
  if (!own_referer_) {
    request().remove("Referer");
  }
  if (client_.config().jar != nullptr) {
    request().remove("Cookie");
    if (!own_cookies_.empty()) {
      request().add("Cookie", own_cookies_);
    }
  }
}

}  // namespace pollux::http
