#include "stack/http/cookie_jar.hpp"

#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/cookie_host.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {
namespace {

// A clock before this was never set.
constexpr std::int64_t clock_floor = wire::to_wall_time({.year = 2020}).seconds;
constexpr std::int64_t seconds_max = wire::date_max.seconds;

bool is_set(port::WallTime now) {
  return now.seconds >= clock_floor;
}

struct CookieDomain {
  std::string_view domain;
  bool host_only = true;
};

// RFC 6265 section 5.3, steps 4 to 6. Nothing: the attribute is refused.
std::optional<CookieDomain> domain_for(std::string_view host, std::string_view attribute) {
  const CookieDomain own{.domain = host, .host_only = true};
  if (attribute.empty()) {
    return own;
  }
  if (is_address(host)) {
    return base::equal_ignoring_case(wire::strip_brackets(attribute), host) ? std::optional{own} : std::nullopt;
  }
  if (attribute.starts_with('.')) {
    attribute = wire::drop(attribute, 1);
  }
  if (attribute.ends_with('.') || !is_cookie_host(attribute)) {
    return std::nullopt;
  }
  if (is_registry_domain(attribute)) {
    return base::equal_ignoring_case(attribute, host) ? std::optional{own} : std::nullopt;
  }
  if (!is_domain_match(host, attribute)) {
    return std::nullopt;
  }
  return CookieDomain{.domain = attribute, .host_only = false};
}

std::string_view without_query(std::string_view path) {
  return wire::cut(path, '?').before;
}

// RFC 6265 section 5.1.4.
std::string_view default_path(std::string_view path) {
  path = without_query(path);
  if (!path.starts_with('/')) {
    return "/";
  }
  for (const char c : path) {
    if (wire::is_control(c)) {
      return "/";  // no URL, and nothing that a line of a file could hold
    }
  }
  const std::size_t last = path.rfind('/');
  return last == 0 ? std::string_view{"/"} : wire::slice(path, 0, last);
}

// RFC 6265 section 5.1.4.
bool is_path_match(std::string_view request_path, std::string_view path) {
  return wire::starts_with(request_path, path) &&
         (request_path.size() == path.size() || path.ends_with('/') || request_path[path.size()] == '/');
}

}  // namespace

CookieJar::CookieJar(const CookieJarMemory& memory) noexcept : memory_{memory} {
  ENSURE(memory_.entries.size() < 0xFFFF);
  ENSURE(memory_.texts.size() >= memory_.entries.size() * memory_.text_size);
  clear();
}

void CookieJar::clear() noexcept {
  for (Entry& entry : memory_.entries) {
    entry = {};
  }
  used_ = 0;
  relative_ = 0;
}

void CookieJar::clear_session() noexcept {
  for (Entry& entry : memory_.entries) {
    if (entry.made != 0 && entry.expiry == Entry::Expiry::session) {
      remove(entry);
    }
  }
}

std::optional<Cookie> CookieJar::at(std::size_t index) const noexcept {
  ENSURE(index < memory_.entries.size());
  const Entry& entry = memory_.entries[index];
  return entry.made == 0 ? std::nullopt : std::optional{view(entry)};
}

// ---- storing

CookieOutcome CookieJar::store(const CookieOrigin& origin, std::string_view set_cookie, port::WallTime now) noexcept {
  now = observe(now);
  const std::string_view host = cookie_host(origin.host);
  if (!is_cookie_host(host)) {
    return refuse(CookieOutcome::bad_host);
  }
  const auto parsed = wire::parse_set_cookie(set_cookie);
  if (!parsed) {
    return refuse(CookieOutcome::malformed);
  }
  const auto domain = domain_for(host, parsed->domain);
  if (!domain) {
    return refuse(CookieOutcome::foreign_domain);
  }
  const Cookie cookie{.name = parsed->name,
                      .value = parsed->value,
                      .domain = domain->domain,
                      .path = parsed->path.starts_with('/') ? parsed->path : default_path(origin.path),
                      .host_only = domain->host_only,
                      .secure = parsed->secure,
                      .http_only = parsed->http_only,
                      .is_quoted = parsed->is_quoted,
                      .same_site = parsed->same_site};
  // __Host- asks for no Domain at all, not even for the host's own.
  if (!keeps_prefix_promise(cookie.name, cookie.secure, parsed->domain.empty(), parsed->path == "/")) {
    return refuse(CookieOutcome::bad_prefix);
  }
  if (!origin.is_secure && (cookie.secure || would_hide_a_secure_one(cookie, now))) {
    return refuse(CookieOutcome::not_secure);
  }
  return put(cookie, ending_of(*parsed, now), now);
}

CookieOutcome CookieJar::refuse(CookieOutcome outcome) noexcept {
  if (outcome == CookieOutcome::too_long) {
    ++stats_.too_long;
  } else {
    ++stats_.refused;
  }
  return outcome;
}

// RFC 6265bis section 5.7, step 16: from http, a name that a Secure cookie has for the same hosts and for these paths is taken.
bool CookieJar::would_hide_a_secure_one(const Cookie& cookie, port::WallTime now) const noexcept {
  for (const Entry& entry : memory_.entries) {
    if (entry.made == 0 || !entry.secure || is_expired(entry, now)) {
      continue;
    }
    const Cookie other = view(entry);
    if (other.name == cookie.name && is_path_match(cookie.path, other.path) &&
        (is_domain_match(cookie.domain, other.domain) || is_domain_match(other.domain, cookie.domain))) {
      return true;
    }
  }
  return false;
}

bool CookieJar::fits(const Cookie& cookie) const noexcept {
  return cookie.name.size() + cookie.value.size() + cookie.domain.size() + cookie.path.size() <= memory_.text_size;
}

// RFC 6265 section 5.3, steps 11 and 12.
CookieOutcome CookieJar::put(const Cookie& cookie, const Ending& ending, port::WallTime now) noexcept {
  Entry* old = find(cookie.name, cookie.domain, cookie.path);
  if (ending.is_over) {
    if (old != nullptr) {
      remove(*old);
    }
    ++stats_.deleted;
    return CookieOutcome::deleted;
  }
  if (!fits(cookie)) {
    return refuse(CookieOutcome::too_long);
  }
  if (old != nullptr) {
    const std::uint64_t made = old->made;
    remove(*old);
    fill(*old, cookie, ending);
    old->made = made;
    ++stats_.replaced;
    return CookieOutcome::replaced;
  }
  fill(make_room(cookie.domain, now), cookie, ending);
  ++stats_.stored;
  return CookieOutcome::stored;
}

CookieJar::Entry* CookieJar::find(std::string_view name, std::string_view domain,
                                  std::string_view path) const noexcept {
  for (Entry& entry : memory_.entries) {
    if (entry.made == 0 || entry.name_size != name.size() || entry.path_size != path.size()) {
      continue;
    }
    const Cookie cookie = view(entry);
    if (cookie.name == name && cookie.path == path && base::equal_ignoring_case(cookie.domain, domain)) {
      return &entry;
    }
  }
  return nullptr;
}

CookieJar::Entry& CookieJar::make_room(std::string_view domain, port::WallTime now) noexcept {
  if (used_ == memory_.entries.size() && remove_expired(now) == 0) {
    Entry* of_domain = nullptr;
    Entry* of_all = nullptr;
    for (Entry& entry : memory_.entries) {
      if (of_all == nullptr || entry.used < of_all->used) {
        of_all = &entry;
      }
      if (base::equal_ignoring_case(view(entry).domain, domain) &&
          (of_domain == nullptr || entry.used < of_domain->used)) {
        of_domain = &entry;
      }
    }
    Entry* victim = of_domain != nullptr ? of_domain : of_all;
    ENSURE(victim != nullptr);
    remove(*victim);
    ++stats_.evicted;
  }
  for (Entry& entry : memory_.entries) {
    if (entry.made == 0) {
      return entry;
    }
  }
  ENSURE(used_ < memory_.entries.size());  // or there would have been one
  return memory_.entries.front();
}

std::size_t CookieJar::remove_expired(port::WallTime now) noexcept {
  std::size_t count = 0;
  for (Entry& entry : memory_.entries) {
    if (entry.made != 0 && is_expired(entry, now)) {
      remove(entry);
      ++count;
    }
  }
  stats_.expired += count;
  return count;
}

void CookieJar::remove(Entry& entry) noexcept {
  ENSURE(entry.made != 0);
  ENSURE(used_ > 0);
  --used_;
  if (entry.expiry == Entry::Expiry::relative) {
    ENSURE(relative_ > 0);
    --relative_;
  }
  entry = {};
}

void CookieJar::fill(Entry& entry, const Cookie& cookie, const Ending& ending) noexcept {
  ENSURE(entry.made == 0);
  ENSURE(fits(cookie));
  char* text = text_of(entry);
  const auto keep = [&text](std::string_view part) {
    if (!part.empty()) {
      std::memcpy(text, part.data(), part.size());
    }
    text += part.size();
    return static_cast<std::uint16_t>(part.size());  // an entry's text has at most 65535 bytes
  };
  ++serial_;
  entry = {.expires = ending.seconds,
           .made = serial_,
           .used = serial_,
           .name_size = keep(cookie.name),
           .value_size = keep(cookie.value),
           .domain_size = keep(cookie.domain),
           .path_size = keep(cookie.path),
           .expiry = ending.expiry,
           .same_site = cookie.same_site,
           .host_only = cookie.host_only,
           .secure = cookie.secure,
           .http_only = cookie.http_only,
           .is_quoted = cookie.is_quoted};
  char* domain = text_of(entry) + entry.name_size + entry.value_size;
  for (std::size_t i = 0; i < entry.domain_size; ++i) {
    domain[i] = base::to_lower(domain[i]);
  }
  ++used_;
  stats_.used_max = used_ > stats_.used_max ? used_ : stats_.used_max;
  if (entry.expiry == Entry::Expiry::relative) {
    ++relative_;
  }
}

char* CookieJar::text_of(const Entry& entry) const noexcept {
  const auto index = static_cast<std::size_t>(&entry - memory_.entries.data());
  return memory_.texts.data() + index * memory_.text_size;
}

Cookie CookieJar::view(const Entry& entry) const noexcept {
  const char* text = text_of(entry);
  Cookie cookie{.host_only = entry.host_only,
                .secure = entry.secure,
                .http_only = entry.http_only,
                .is_quoted = entry.is_quoted,
                .same_site = entry.same_site};
  cookie.name = {text, entry.name_size};
  text += entry.name_size;
  cookie.value = {text, entry.value_size};
  text += entry.value_size;
  cookie.domain = {text, entry.domain_size};
  text += entry.domain_size;
  cookie.path = {text, entry.path_size};
  if (entry.expiry == Entry::Expiry::wall) {
    cookie.expires = port::WallTime{.seconds = entry.expires};
  }
  return cookie;
}

// ---- time

port::WallTime CookieJar::observe(port::WallTime now) noexcept {
  // A clock may say anything; what follows adds to it.
  now.seconds = now.seconds < 0 ? 0 : now.seconds > seconds_max ? seconds_max : now.seconds;
  if (!is_set(now)) {
    unset_clock_ = now;
    return now;
  }
  for (Entry& entry : memory_.entries) {
    if (relative_ == 0) {
      break;
    }
    if (entry.made != 0 && entry.expiry == Entry::Expiry::relative) {
      // What was left of it when the old clock was last seen. What passed since then is not known, and given to it.
      const std::int64_t left = entry.expires - unset_clock_.seconds;
      entry.expires = left < seconds_max - now.seconds ? now.seconds + left : seconds_max;
      entry.expiry = Entry::Expiry::wall;
      --relative_;
    }
  }
  return now;
}

bool CookieJar::is_expired(const Entry& entry, port::WallTime now) noexcept {
  switch (entry.expiry) {
    case Entry::Expiry::session:
      return false;
    case Entry::Expiry::wall:
      return is_set(now) && entry.expires <= now.seconds;
    case Entry::Expiry::relative:
      return entry.expires <= now.seconds;
  }
  return false;
}

// A cookie that ends at a moment of the calendar.
CookieJar::Ending CookieJar::ending_at(std::int64_t seconds, port::WallTime now) noexcept {
  // Whatever the time is: it is not before the floor.
  const std::int64_t earliest = is_set(now) ? now.seconds : clock_floor - 1;
  return {.expiry = Entry::Expiry::wall, .seconds = seconds, .is_over = seconds <= earliest};
}

// RFC 6265 section 5.3, step 3.
CookieJar::Ending CookieJar::ending_of(const wire::SetCookie& cookie, port::WallTime now) noexcept {
  if (cookie.max_age) {
    if (*cookie.max_age <= 0) {
      return {.is_over = true};
    }
    const std::int64_t left = *cookie.max_age < seconds_max ? *cookie.max_age : seconds_max;
    if (!is_set(now)) {
      return {.expiry = Entry::Expiry::relative, .seconds = now.seconds + left};
    }
    return {.expiry = Entry::Expiry::wall,
            .seconds = left < seconds_max - now.seconds ? now.seconds + left : seconds_max};
  }
  return cookie.expires ? ending_at(cookie.expires->seconds, now) : Ending{};
}

// ---- writing

std::uint16_t CookieJar::link_matches(std::string_view host, const CookieOrigin& origin) noexcept {
  std::string_view path = without_query(origin.path);
  path = path.starts_with('/') ? path : std::string_view{"/"};
  std::uint16_t first = 0;
  for (std::size_t i = 0; i < memory_.entries.size(); ++i) {
    Entry& entry = memory_.entries[i];
    if (entry.made == 0 || (entry.secure && !origin.is_secure)) {
      continue;
    }
    const Cookie cookie = view(entry);
    const bool is_host =
        entry.host_only ? base::equal_ignoring_case(host, cookie.domain) : is_domain_match(host, cookie.domain);
    if (!is_host || !is_path_match(path, cookie.path)) {
      continue;
    }
    // RFC 6265 section 5.4, step 2: longer paths first, then those made earlier.
    std::uint16_t* link = &first;
    while (*link != 0) {
      Entry& other = memory_.entries[*link - 1U];
      if (other.path_size < entry.path_size || (other.path_size == entry.path_size && other.made > entry.made)) {
        break;
      }
      link = &other.next;
    }
    entry.next = *link;
    *link = static_cast<std::uint16_t>(i + 1);
  }
  return first;
}

std::string_view CookieJar::write(const CookieOrigin& origin, port::WallTime now, std::span<char> out) noexcept {
  now = observe(now);
  base::TextWriter text{out};
  const std::string_view host = cookie_host(origin.host);
  if (used_ == 0 || !is_cookie_host(host)) {
    return text.view();
  }
  static_cast<void>(remove_expired(now));
  ++serial_;
  for (std::uint16_t at = link_matches(host, origin); at != 0;) {
    Entry& entry = memory_.entries[at - 1U];
    at = entry.next;
    const Cookie cookie = view(entry);
    const std::string_view separator = text.size() == 0 ? "" : "; ";
    const std::string_view quote = cookie.is_quoted ? "\"" : "";
    if (text.room() < separator.size() + cookie.name.size() + 1 + cookie.value.size() + 2 * quote.size()) {
      ++stats_.left_out;
      continue;
    }
    text.put(separator).put(cookie.name).put('=').put(quote).put(cookie.value).put(quote);
    entry.used = serial_;
  }
  ENSURE(!text.overflowed());
  return text.view();
}

std::string_view describe(CookieOutcome outcome) noexcept {
  switch (outcome) {
    case CookieOutcome::stored:
      return "stored";
    case CookieOutcome::replaced:
      return "replaced";
    case CookieOutcome::deleted:
      return "deleted";
    case CookieOutcome::malformed:
      return "the cookie is malformed";
    case CookieOutcome::bad_host:
      return "cookies are not kept for this host";
    case CookieOutcome::foreign_domain:
      return "the domain of the cookie is not its server's";
    case CookieOutcome::not_secure:
      return "the cookie came over an insecure connection";
    case CookieOutcome::bad_prefix:
      return "the cookie does not keep what its name promises";
    case CookieOutcome::too_long:
      return "the cookie is too long";
  }
  return "unknown outcome";
}

}  // namespace pollux::http
