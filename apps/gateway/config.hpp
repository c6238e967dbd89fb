// Config: what the gateway's configuration file says. The file is text, a line is a statement, `#` begins a comment, words are separated by
// blanks. apps/gateway/README.md is the reference for those who write one.
//
//   listen 127.0.0.1:8080
//   route /api/ http://10.0.0.7:8081 http://10.0.0.8:8081 strip
//   route example.com/ unix:/run/app.sock
//   option response-timeout 30s
//   status /-/gateway/status
//
// Everything is views into the text, which must outlive the Config; nothing is allocated. More of something than its list holds is an
// error that says so.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/address.hpp"
#include "port/time.hpp"

namespace pollux::gateway {

using namespace std::chrono_literals;

// A list of fixed size.
template <typename T, std::size_t size_max_>
class FixedList {
 public:
  static constexpr std::size_t size_max = size_max_;
  [[nodiscard]] bool add(const T& value) noexcept {
    if (size_ == size_max) {
      return false;
    }
    items_[size_++] = value;
    return true;
  }
  [[nodiscard]] std::span<const T> all() const noexcept { return {items_.data(), size_}; }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return items_[index]; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool is_empty() const noexcept { return size_ == 0; }

 private:
  std::array<T, size_max> items_{};
  std::size_t size_ = 0;
};

// The longest name of an upstream, "http://host:port/base", "https://host:port/base" or "unix:PATH".
inline constexpr std::size_t upstream_text_max = 200;
inline constexpr std::size_t upstreams_max = 64;
inline constexpr std::size_t routes_max = 64;
inline constexpr std::size_t upstreams_of_route_max = 16;

// A server behind the gateway.
struct UpstreamConfig {
  std::string_view text;       // as written
  std::string_view host;       // "10.0.0.7:8081": what the URL and, without pass-host, the Host field say
  std::string_view base_path;  // stands before the path of every request; without a slash at its end
  std::string_view socket;     // of "unix:PATH"; empty for http and https
  bool is_https = false;
};

struct RouteConfig {
  std::string_view text;    // as written: "example.com/api/"
  std::string_view host;    // without a port; empty: any
  std::string_view prefix;  // "/api/" stands for everything below, "/api" for itself and everything below "/api/"
  bool strip = false;       // the upstream does not see the prefix
  FixedList<std::uint8_t, upstreams_of_route_max> upstreams;  // indices
};

// Addresses whose first `bits` are those of `address`; family local: every client of a unix socket.
struct Network {
  port::Address address;
  unsigned bits = 0;
  [[nodiscard]] bool contains(const port::Address& other) const noexcept;
};

struct GatewayOptions {
  port::Duration connect_timeout = 5s;
  port::Duration response_timeout = 60s;  // from the request's last byte to the answer's head
  port::Duration body_timeout =
      60s;  // between two pieces of the answer's body, or of the request's that an upstream takes
  port::Duration client_timeout = 5min;    // a client takes, or sends, nothing although it could
  port::Duration idle_timeout = 60s;       // an unused connection to an upstream
  port::Duration upgrade_timeout = 10min;  // nothing moves in either direction of an upgraded connection
  port::Duration fail_timeout = 10s;
  std::uint32_t max_fails = 3;         // one after the other; 0: an upstream is never taken out
  std::uint64_t max_body = INT64_MAX;  // of a request, in bytes
  std::string_view via = "pollux";     // name in the Via fields; empty: none
  bool pass_host = true;               // the upstream sees the client's Host
  // Of upstreams reached by https: who may sign their certificates ("system": whom the system trusts; a file or a directory), our own
  // certificate and its key, and whether theirs are looked at.
  std::string_view upstream_ca = "system";
  std::string_view upstream_cert{};
  std::string_view upstream_key{};
  bool upstream_verify = true;
};

struct Config {
  FixedList<std::string_view, 16> listen;  // checked addresses
  FixedList<RouteConfig, routes_max> routes;
  FixedList<UpstreamConfig, upstreams_max> upstreams;
  FixedList<Network, 16> trusted;  // proxies whose Forwarded and X-Forwarded-* fields are believed
  GatewayOptions options;
  std::string_view status_path;  // empty: no status page

  [[nodiscard]] bool has_https_upstream() const noexcept;
  [[nodiscard]] bool trusts(const port::Address& peer) const noexcept;
};

// What is wrong with a configuration, and where.
struct ConfigError {
  std::size_t line = 0;     // 1 is the first; 0: the file as a whole
  std::string_view word;    // a part of the text; may be empty
  std::string_view reason;  // static: "is not a duration"
};

// Reads `text` into `config`, which is empty. Nothing: it is complete and can be used.
[[nodiscard]] std::optional<ConfigError> parse_config(std::string_view text, Config& config) noexcept;

// "gateway.conf:3: "2" is not a duration, as in 500ms, 2s, 5m, 1h". Cut to out.size().
[[nodiscard]] std::string_view format_error(const ConfigError& error, std::string_view file,
                                            std::span<char> out) noexcept;

}  // namespace pollux::gateway
