#include "stack/http/proxy.hpp"

#include <algorithm>

#include "stack/base/text.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

using wire::drop;
using wire::slice;

// Copies into an array and its size, which it fits.
template <std::size_t size_max>
void copy_text(std::string_view text, std::array<char, size_max>& out, std::uint8_t& size) noexcept {
  static_assert(size_max <= UINT8_MAX, "the size is kept in one byte");
  ENSURE(text.size() <= size_max);
  std::copy(text.begin(), text.end(), out.begin());
  size = static_cast<std::uint8_t>(text.size());
}

// A user or a password of a URL, decoded into `out`.
template <std::size_t size_max>
ProxyError decode_credential(std::string_view raw, std::array<char, size_max>& out, std::uint8_t& size) noexcept {
  if (std::any_of(raw.begin(), raw.end(), wire::is_control) || !wire::has_valid_escapes(raw)) {
    return ProxyError::bad_userinfo;
  }
  const auto decoded = wire::percent_decode(raw, out);
  if (!decoded) {
    return ProxyError::too_long;
  }
  size = static_cast<std::uint8_t>(decoded->size());
  return ProxyError::none;
}

// What stands before "://"; "http" if nothing does. Takes it off the front of `text`.
std::string_view take_scheme(std::string_view& text) noexcept {
  const std::size_t at = text.find("://");
  if (at == std::string_view::npos) {
    return "http";
  }
  const std::string_view scheme = slice(text, 0, at);
  text = drop(text, at + 3);
  return scheme;
}

ProxyKind kind_from(std::string_view scheme) noexcept {
  for (const ProxyKind kind : {ProxyKind::http, ProxyKind::socks5, ProxyKind::socks5h}) {
    if (base::equal_ignoring_case(scheme, proxy_kind_name(kind))) {
      return kind;
    }
  }
  return ProxyKind::none;
}

// A port of 1 to 65535; 0 if it is none.
std::uint16_t parse_port(std::string_view text) noexcept {
  return static_cast<std::uint16_t>(base::parse_decimal(text, UINT16_MAX).value_or(0));
}

// Without the brackets of an IPv6 address, its zone (which counts on this machine only), and the last dot of a name.
std::string_view plain_host(std::string_view host) noexcept {
  host = wire::strip_brackets(host);
  if (host.find(':') != std::string_view::npos) {
    return wire::cut(host, '%').before;
  }
  return host.size() > 1 && host.back() == '.' ? slice(host, 0, host.size() - 1) : host;
}

// `name` is `domain` or stands below it.
bool is_below(std::string_view name, std::string_view domain) noexcept {
  return name.size() > domain.size() && name[name.size() - domain.size() - 1] == '.' &&
         base::equal_ignoring_case(drop(name, name.size() - domain.size()), domain);
}

// ::ffff:192.0.2.1 is 192.0.2.1: a server that is reached by the one is reached by the other.
port::Address unmapped(const port::Address& address) noexcept {
  constexpr std::array<std::uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.family != port::Family::ipv6 || !std::equal(prefix.begin(), prefix.end(), address.ip.begin())) {
    return address;
  }
  return port::Address::ipv4(address.ip[12], address.ip[13], address.ip[14], address.ip[15], address.port);
}

bool is_loopback(const port::Address& address) noexcept {
  return address.family == port::Family::ipv4 ? address.ip[0] == 127 : address.ip == port::Address::ipv6_loopback(0).ip;
}

bool same_prefix(const port::Address& a, const port::Address& b, unsigned bits) noexcept {
  if (a.family != b.family) {
    return false;
  }
  for (std::size_t i = 0; bits > 0; ++i) {
    const unsigned count = std::min(bits, 8U);
    if (((a.ip[i] ^ b.ip[i]) & (0xff00U >> count & 0xffU)) != 0) {
      return false;
    }
    bits -= count;
  }
  return true;
}

// The value of the first of two variables that is set and not empty.
struct Variable {
  std::string_view name;
  std::string_view value;
};
Variable find_variable(ProxySettings::GetVariable get, const char* first, const char* second) noexcept {
  for (const char* name : {first, second}) {
    const char* value = name ? get(name) : nullptr;
    if (value && *value != '\0') {
      return {name, value};
    }
  }
  return {};
}

}  // namespace

std::string_view proxy_kind_name(ProxyKind kind) noexcept {
  switch (kind) {
    case ProxyKind::none:
      return "none";
    case ProxyKind::http:
      return "http";
    case ProxyKind::socks5:
      return "socks5";
    case ProxyKind::socks5h:
      return "socks5h";
  }
  return "none";
}

std::string_view describe(ProxyError error) noexcept {
  switch (error) {
    case ProxyError::none:
      return "no error";
    case ProxyError::empty:
      return "the proxy is empty";
    case ProxyError::tls_unsupported:
      return "proxies reached by TLS (https://) are not supported";
    case ProxyError::bad_scheme:
      return "the proxy's scheme is neither http nor socks5 nor socks5h";
    case ProxyError::bad_userinfo:
      return "the proxy's user or password is malformed";
    case ProxyError::bad_host:
      return "the proxy's host is malformed";
    case ProxyError::bad_port:
      return "the proxy's port is not a number from 1 to 65535";
    case ProxyError::too_long:
      return "a name, user or password is too long";
    case ProxyError::too_many:
      return "more than 16 entries";
  }
  return "unknown error";
}

// ---- Proxy

ProxyError Proxy::parse(std::string_view text) noexcept {
  text = base::trim(text);
  if (text.empty()) {
    return ProxyError::empty;
  }
  Proxy proxy;
  const std::string_view scheme = take_scheme(text);
  if (base::equal_ignoring_case(scheme, "https")) {
    return ProxyError::tls_unsupported;
  }
  proxy.kind_ = kind_from(scheme);
  if (proxy.kind_ == ProxyKind::none) {
    return ProxyError::bad_scheme;
  }

  // The last '@' counts, so that a password may hold one, as people write it.
  std::string_view authority = slice(text, 0, std::min(text.find_first_of("/?#"), text.size()));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const wire::Cut userinfo = wire::cut(slice(authority, 0, at), ':');
    authority = drop(authority, at + 1);
    proxy.has_user_ = true;
    if (const ProxyError error = decode_credential(userinfo.before, proxy.user_, proxy.user_size_);
        error != ProxyError::none) {
      return error;
    }
    if (const ProxyError error = decode_credential(userinfo.after, proxy.password_, proxy.password_size_);
        error != ProxyError::none) {
      return error;
    }
    if (proxy.kind_ == ProxyKind::http && proxy.user().find(':') != std::string_view::npos) {
      return ProxyError::bad_userinfo;
    }
  }

  const auto host = wire::split_host(authority);
  if (!host) {
    return host.error() == wire::UrlError::bad_port ? ProxyError::bad_port : ProxyError::bad_host;
  }
  const std::string_view name = wire::strip_brackets(host->hostname);
  if (name.empty()) {
    return ProxyError::bad_host;
  }
  if (name.size() > host_size_max) {
    return ProxyError::too_long;
  }
  copy_text(name, proxy.host_, proxy.host_size_);
  std::transform(proxy.host_.begin(), proxy.host_.end(), proxy.host_.begin(), base::to_lower);

  proxy.port_ = proxy.kind_ == ProxyKind::http ? 80 : 1080;
  if (!host->port.empty()) {
    proxy.port_ = parse_port(host->port);
    if (proxy.port_ == 0) {
      return ProxyError::bad_port;
    }
  }
  *this = proxy;
  return ProxyError::none;
}

std::string_view write_basic_credentials(std::string_view user, std::string_view password,
                                         std::span<char> out) noexcept {
  constexpr std::string_view scheme = "Basic ";
  std::array<char, 2 * Proxy::credentials_size_max + 1> pair{};
  base::TextWriter plain{pair};
  plain.put(user).put(':').put(password);
  if (user.size() > Proxy::credentials_size_max || password.size() > Proxy::credentials_size_max ||
      out.size() < scheme.size()) {
    return {};
  }
  const auto encoded = wire::base64_encode(plain.view(), wire::Base64::standard, out.subspan(scheme.size()));
  if (!encoded) {
    return {};
  }
  std::copy(scheme.begin(), scheme.end(), out.begin());
  return {out.data(), scheme.size() + encoded->size()};
}

// ---- ProxySettings

ProxyProblem ProxySettings::read_environment(GetVariable get) noexcept {
  *this = ProxySettings{};
  spares_loopback_ = true;
  const auto note = [this](ProxyError error, std::string_view variable) {
    if (error != ProxyError::none && !problem_) {
      problem_ = {.error = error, .variable = variable};
    }
  };
  const bool is_cgi = find_variable(get, "REQUEST_METHOD", nullptr).value.data() != nullptr;
  const struct {
    Proxy& proxy;
    Variable variable;
  } rows[] = {
      {http_, find_variable(get, is_cgi ? nullptr : "HTTP_PROXY", "http_proxy")},
      {https_, find_variable(get, "HTTPS_PROXY", "https_proxy")},
      {all_, find_variable(get, "ALL_PROXY", "all_proxy")},
  };
  for (const auto& row : rows) {
    if (!row.variable.value.empty()) {
      note(row.proxy.parse(row.variable.value), row.variable.name);
    }
  }
  const Variable no_proxy = find_variable(get, "NO_PROXY", "no_proxy");
  note(set_no_proxy(no_proxy.value), no_proxy.name);
  return problem_;
}

ProxySettings ProxySettings::from_environment(GetVariable get) noexcept {
  ProxySettings settings;
  (void)settings.read_environment(get);  // problem() tells
  return settings;
}

void ProxySettings::set(const Proxy& proxy) noexcept {
  http_ = {};
  https_ = {};
  all_ = proxy;
  spares_loopback_ = false;
  problem_ = {};
}

void ProxySettings::set(const Proxy& for_http, const Proxy& for_https) noexcept {
  http_ = for_http;
  https_ = for_https;
  all_ = {};
  spares_loopback_ = false;
  problem_ = {};
}

ProxyError ProxySettings::set_no_proxy(std::string_view list) noexcept {
  entry_count_ = 0;
  names_size_ = 0;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", \t"), list.size());
    const ProxyError error = end == 0 ? ProxyError::none : add_entry(slice(list, 0, end));
    if (error != ProxyError::none) {
      entry_count_ = 0;
      return error;
    }
    list = drop(list, std::min(end + 1, list.size()));
  }
  return ProxyError::none;
}

// An entry that cannot match anybody takes no room.
ProxyError ProxySettings::add_entry(std::string_view text) noexcept {
  Entry entry;
  std::string_view host = text;
  // Two colons outside brackets are an IPv6 address, and a port cannot be told from its last group. In a network the port is behind the '/'.
  const std::size_t slash = text.find('/');
  const std::size_t colon = text.rfind(':');
  const bool is_bare_ipv6 = slash == std::string_view::npos && text.front() != '[' && text.find(':') != colon;
  const bool has_port = colon != std::string_view::npos && !is_bare_ipv6 &&
                        (slash == std::string_view::npos || colon > slash) &&
                        (text.front() != '[' || colon > text.rfind(']'));
  if (has_port) {
    entry.port = parse_port(drop(text, colon + 1));
    host = slice(text, 0, colon);
    if (entry.port == 0) {
      return ProxyError::none;
    }
  }
  const wire::Cut network = wire::cut(host, '/');
  if (const auto address = port::parse_ip(plain_host(network.before))) {
    const unsigned bits = address->family == port::Family::ipv4 ? 32 : 128;
    const auto prefix = network.is_found ? base::parse_decimal(network.after, bits) : bits;
    if (!prefix) {
      return ProxyError::none;
    }
    entry.kind = Entry::Kind::network;
    entry.address = unmapped(*address);
    const bool was_mapped = entry.address.family != address->family;
    if (was_mapped && *prefix < 96) {
      return ProxyError::none;  // the mapped addresses are not spoken of in groups larger than all of IPv4
    }
    entry.prefix = static_cast<std::uint8_t>(was_mapped ? *prefix - 96 : *prefix);
  } else if (host == "*") {
    entry.kind = Entry::Kind::everybody;
  } else {
    entry.kind = Entry::Kind::domain;
    entry.with_itself = true;
    if (wire::starts_with(host, "*.") || wire::starts_with(host, ".")) {
      entry.with_itself = false;
      host = drop(host, host.front() == '*' ? 2 : 1);
    }
    host = plain_host(host);
    if (host.empty() || !wire::is_valid_host(host)) {
      return ProxyError::none;
    }
    if (host.size() > names_.size() - names_size_) {
      return ProxyError::too_long;
    }
    entry.name_at = names_size_;
    entry.name_size = static_cast<std::uint16_t>(host.size());
  }
  if (entry_count_ == entries_.size()) {
    return ProxyError::too_many;
  }
  if (entry.kind == Entry::Kind::domain) {
    std::copy(host.begin(), host.end(), names_.begin() + names_size_);
    names_size_ = static_cast<std::uint16_t>(names_size_ + host.size());
  }
  entries_[entry_count_++] = entry;
  return ProxyError::none;
}

bool ProxySettings::matches(const Entry& entry, std::string_view host, const port::Address* address) const noexcept {
  switch (entry.kind) {
    case Entry::Kind::everybody:
      return true;
    case Entry::Kind::network:
      return address && same_prefix(*address, entry.address, entry.prefix);
    case Entry::Kind::domain: {
      const std::string_view domain{names_.data() + entry.name_at, entry.name_size};
      return !address && (is_below(host, domain) || (entry.with_itself && base::equal_ignoring_case(host, domain)));
    }
  }
  return false;
}

bool ProxySettings::is_direct(std::string_view host, std::uint16_t port) const noexcept {
  host = plain_host(host);
  const auto literal = port::parse_ip(host);
  const port::Address plain = literal ? unmapped(*literal) : port::Address{};
  const port::Address* address = literal ? &plain : nullptr;
  if (spares_loopback_) {
    constexpr std::string_view localhost = "localhost";  // and what is below it: RFC 6761 section 6.3
    if (address ? is_loopback(*address) : base::equal_ignoring_case(host, localhost) || is_below(host, localhost)) {
      return true;
    }
  }
  return std::any_of(entries_.begin(), entries_.begin() + entry_count_, [&](const Entry& entry) {
    return (entry.port == 0 || entry.port == port) && matches(entry, host, address);
  });
}

const Proxy* ProxySettings::select(std::string_view scheme, std::string_view host, std::uint16_t port) const noexcept {
  const Proxy* proxy = &all_;
  if (base::equal_ignoring_case(scheme, "http") && http_.kind() != ProxyKind::none) {
    proxy = &http_;
  } else if (base::equal_ignoring_case(scheme, "https") && https_.kind() != ProxyKind::none) {
    proxy = &https_;
  }
  if (proxy->kind() == ProxyKind::none || is_direct(host, port)) {
    return nullptr;
  }
  return proxy;
}

}  // namespace pollux::http
