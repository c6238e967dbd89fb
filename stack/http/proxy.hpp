// Proxy, ProxySettings: which proxy a request goes through, if any. Read once at start into fixed memory, asked for each request.
//
// From the environment as net/http reads it (http_proxy, https_proxy, all_proxy, no_proxy and their capital forms), or set by hand
// (curl's -x and --noproxy). Nothing is looked up here, and nothing connects: proxy_tunnel.hpp talks to the proxy.
//
//   constinit http::ProxySettings proxies;
//   if (const http::ProxyProblem problem = proxies.read_environment(&get_variable)) { ... say it and stop ... }
//   if (const http::Proxy* proxy = proxies.select("https", "example.net", 443)) { ... }
//
// Sources: net/http ProxyFromEnvironment and golang.org/x/net/http/httpproxy (behaviour); RFC 7617 (credentials); RFC 1929 (their sizes).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "port/result.hpp"

namespace pollux::http {

enum class ProxyKind : std::uint8_t {
  none,
  http,     // absolute-form requests for http, CONNECT for https
  socks5,   // a name is sent to the proxy too, see proxy_tunnel.hpp
  socks5h,  // names are the proxy's to resolve
};
// "http", "socks5", "socks5h", "none".
[[nodiscard]] std::string_view proxy_kind_name(ProxyKind kind) noexcept;

enum class ProxyError : std::uint8_t {
  none,
  empty,            // no text at all
  tls_unsupported,  // "https://": TLS to the proxy itself is not supported
  bad_scheme,       // neither http nor socks5 nor socks5h
  bad_userinfo,     // a bad escape, a control byte, or a colon in the user of an HTTP proxy (RFC 7617 section 2)
  bad_host,         // empty, or a byte that no host has
  bad_port,         // not 1 to 65535
  too_long,         // host above 253 bytes, user or password above 255
  too_many,         // no_proxy has more than no_proxy_entries_max entries
};
// "proxies reached by TLS (https://) are not supported": static text for messages.
[[nodiscard]] std::string_view describe(ProxyError error) noexcept;

// One proxy. Plain data, copied freely.
class Proxy {
 public:
  static constexpr std::size_t host_size_max = 253;         // RFC 1035 section 2.3.4
  static constexpr std::size_t credentials_size_max = 255;  // user and password each (RFC 1929 section 2)

  constexpr Proxy() = default;

  [[nodiscard]] constexpr ProxyKind kind() const noexcept { return kind_; }
  // Name or literal address, without brackets, in lower case.
  [[nodiscard]] constexpr std::string_view host() const noexcept { return {host_.data(), host_size_}; }
  [[nodiscard]] constexpr std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] constexpr bool has_user() const noexcept { return has_user_; }
  // Decoded; any byte.
  [[nodiscard]] constexpr std::string_view user() const noexcept { return {user_.data(), user_size_}; }
  [[nodiscard]] constexpr std::string_view password() const noexcept { return {password_.data(), password_size_}; }

  // Reads "host", "host:port", "http://user:password@host:port", "socks5://host", "socks5h://host"; a path behind it is passed over. Without a
  // scheme it is http. Ports: 80 for http, 1080 for SOCKS. The error of a bad text leaves `*this` as it was.
  [[nodiscard]] ProxyError parse(std::string_view text) noexcept;

  friend constexpr bool operator==(const Proxy&, const Proxy&) = default;

 private:
  std::array<char, host_size_max> host_{};
  std::array<char, credentials_size_max> user_{};
  std::array<char, credentials_size_max> password_{};
  std::uint8_t host_size_ = 0;
  std::uint8_t user_size_ = 0;
  std::uint8_t password_size_ = 0;
  std::uint16_t port_ = 0;
  ProxyKind kind_ = ProxyKind::none;
  bool has_user_ = false;
};

// The value of Proxy-Authorization for these credentials: "Basic dXNlcjpwYXNz" (RFC 7617), written into `out`; basic_size_max bytes are
// always enough. Empty if `out` is too small or a part is longer than Proxy::credentials_size_max.
inline constexpr std::size_t basic_size_max = 6 + (2 * Proxy::credentials_size_max + 1 + 2) / 3 * 4;
[[nodiscard]] std::string_view write_basic_credentials(std::string_view user, std::string_view password,
                                                       std::span<char> out) noexcept;

// What was wrong, and where it stood.
struct ProxyProblem {
  ProxyError error = ProxyError::none;
  std::string_view variable{};  // "HTTPS_PROXY"; static text
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return error != ProxyError::none; }
};

class ProxySettings {
 public:
  static constexpr std::size_t no_proxy_entries_max = 16;
  static constexpr std::size_t no_proxy_size_max = 1024;  // bytes of all names together

  // The value of an environment variable, or nullptr. Apps give `[](const char* name) -> const char* { return std::getenv(name); }`.
  using GetVariable = const char* (*)(const char* name);

  // No proxy for anybody.
  constexpr ProxySettings() = default;

  // Replaces everything by what the environment says; an empty variable counts as none. The first name that is set wins:
  //   http    HTTP_PROXY, http_proxy; http_proxy alone when REQUEST_METHOD is set: a CGI program gets a request's "Proxy" field as HTTP_PROXY
  //           (CVE-2016-5386)
  //   https   HTTPS_PROXY, https_proxy
  //   either  ALL_PROXY, all_proxy, where the scheme has none of its own
  //   NO_PROXY, no_proxy
  // localhost, names below it and loopback addresses are never proxied then. Returns the first problem; what is wrong is left out, so a
  // program that goes on in spite of it may talk to a server directly that should have been reached through a proxy.
  [[nodiscard]] ProxyProblem read_environment(GetVariable get) noexcept;
  // The same as a new object; problem() tells what is wrong.
  [[nodiscard]] static ProxySettings from_environment(GetVariable get) noexcept;
  [[nodiscard]] const ProxyProblem& problem() const noexcept { return problem_; }

  // One proxy for every scheme (curl -x), instead of what the environment said; loopback goes through it too. Kind none: no proxy at all.
  void set(const Proxy& proxy) noexcept;
  // The same with one for each scheme; kind none: that scheme has none.
  void set(const Proxy& for_http, const Proxy& for_https) noexcept;
  // The list of those that are reached directly, instead of the one there was (curl --noproxy): up to 16 entries separated by commas or
  // blanks. Each is
  //   *                everybody
  //   example.net      that name and all below it
  //   .example.net, *.example.net   those below it only
  //   192.0.2.1, 2001:db8::1        that address
  //   192.0.2.0/24, 2001:db8::/32   these addresses
  // and may end in ":port", an IPv6 address in brackets then. Case does not matter, addresses match literal hosts only, and an entry that is
  // none of these matches nobody. Errors: too_many, too_long; the list is empty then.
  [[nodiscard]] ProxyError set_no_proxy(std::string_view list) noexcept;

  // The proxy for a request, or nullptr for none; valid as long as the settings are not changed. `host` may be in brackets; `scheme` is
  // "http" or "https".
  [[nodiscard]] const Proxy* select(std::string_view scheme, std::string_view host, std::uint16_t port) const noexcept;

 private:
  struct Entry {
    enum class Kind : std::uint8_t { everybody, domain, network };
    Kind kind = Kind::everybody;
    bool with_itself = false;   // domain: not only what is below it
    std::uint8_t prefix = 0;    // network: bits that count
    std::uint16_t name_at = 0;  // domain: in names_, without a dot in front
    std::uint16_t name_size = 0;
    std::uint16_t port = 0;   // 0: every port
    port::Address address{};  // network
  };

  [[nodiscard]] ProxyError add_entry(std::string_view text) noexcept;
  [[nodiscard]] bool is_direct(std::string_view host, std::uint16_t port) const noexcept;
  [[nodiscard]] bool matches(const Entry& entry, std::string_view host, const port::Address* address) const noexcept;

  Proxy http_{};
  Proxy https_{};
  Proxy all_{};
  std::array<Entry, no_proxy_entries_max> entries_{};
  std::array<char, no_proxy_size_max> names_{};
  std::uint16_t names_size_ = 0;
  std::uint8_t entry_count_ = 0;
  bool spares_loopback_ = false;
  ProxyProblem problem_{};
};

}  // namespace pollux::http
