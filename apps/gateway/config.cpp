#include "apps/gateway/config.hpp"

#include <algorithm>

#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::gateway {

namespace {

// The words of one line, from left to right.
class Words {
 public:
  explicit Words(std::string_view line) noexcept : rest_{line} {}
  // Empty at the end of the line or where a comment begins.
  std::string_view next() noexcept {
    while (!rest_.empty() && base::is_blank(rest_.front())) {
      rest_.remove_prefix(1);
    }
    if (rest_.empty() || rest_.front() == '#') {
      return {};
    }
    std::size_t size = 0;
    while (size < rest_.size() && !base::is_blank(rest_[size])) {
      ++size;
    }
    const std::string_view word = wire::slice(rest_, 0, size);
    rest_.remove_prefix(size);
    return word;
  }

 private:
  std::string_view rest_;
};

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Digits and one of `units`; the product, if it is in 1..max.
template <std::size_t count>
std::optional<std::uint64_t> parse_amount(std::string_view word, const Unit (&units)[count],
                                          std::uint64_t max) noexcept {
  std::size_t digits = 0;
  while (digits < word.size() && base::is_digit(word[digits])) {
    ++digits;
  }
  const auto number = base::parse_decimal(wire::slice(word, 0, digits));
  for (const Unit& unit : units) {
    if (number && *number != 0 && wire::drop(word, digits) == unit.name && *number <= max / unit.factor) {
      return *number * unit.factor;
    }
  }
  return std::nullopt;
}

std::optional<port::Duration> parse_duration(std::string_view word) noexcept {
  static constexpr Unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  const auto milliseconds = parse_amount(word, units, 24 * 3'600'000);
  return milliseconds ? std::optional<port::Duration>{std::chrono::milliseconds{*milliseconds}} : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view word) noexcept {
  static constexpr Unit units[] = {{"", 1}, {"k", 1024}, {"M", 1 << 20}, {"G", 1 << 30}};
  return parse_amount(word, units, INT64_MAX);
}

bool is_path(std::string_view word) noexcept {
  return wire::starts_with(word, "/") && word.find_first_of("?#%\"<>\\^`{|}") == std::string_view::npos &&
         std::all_of(word.begin(), word.end(), [](char c) { return wire::is_ascii(c) && !wire::is_control(c); });
}

bool has_dot_segment(std::string_view path) noexcept {
  return !wire::is_clean_path(path) && path.find("/.") != std::string_view::npos;
}

std::optional<Network> parse_network(std::string_view word) noexcept {
  if (word == "unix") {
    return Network{.address = {.family = port::Family::local}, .bits = 0};
  }
  const wire::Cut cut = wire::cut(word, '/');
  const auto address = port::parse_ip(cut.before);
  if (!address || address.value().scope != 0) {
    return std::nullopt;
  }
  const unsigned bits_max = address.value().family == port::Family::ipv4 ? 32 : 128;
  const auto bits = cut.is_found ? base::parse_decimal(cut.after, bits_max) : bits_max;
  if (!bits) {
    return std::nullopt;
  }
  const Network network{.address = address.value(), .bits = static_cast<unsigned>(*bits)};
  // 10.0.0.1/8 is a slip of the pen: who wrote it meant either 10.0.0.1 or 10.0.0.0/8.
  for (unsigned bit = network.bits; bit < bits_max; ++bit) {
    if ((network.address.ip[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return std::nullopt;
    }
  }
  return network;
}

#if POLLUX_TLS
constexpr bool has_tls = true;
#else
constexpr bool has_tls = false;
#endif

class Parser {
 public:
  explicit Parser(Config& config) noexcept : config_{config} {}

  std::optional<ConfigError> parse(std::string_view text) noexcept {
    while (!text.empty() && !error_) {
      const wire::Cut cut = wire::cut(text, '\n');
      text = cut.after;
      ++line_;
      std::string_view line = cut.before;
      if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
      }
      const auto bad = std::find_if(line.begin(), line.end(), [](char c) { return c != '\t' && wire::is_control(c); });
      if (bad != line.end()) {
        fail({}, "a control byte is in the line");
        break;
      }
      statement(Words{line});
    }
    line_ = error_ ? line_ : 0;
    if (!error_ && config_.routes.is_empty()) {
      fail({}, "there is no route");
    }
    if (!error_ && config_.options.upstream_cert.empty() && !config_.options.upstream_key.empty()) {
      fail("upstream-key", "needs upstream-cert: the certificate that the key is of");
    }
    return error_;
  }

 private:
  void fail(std::string_view word, std::string_view reason) noexcept {
    if (!error_) {
      error_ = ConfigError{.line = line_, .word = word, .reason = reason};
    }
  }

  void statement(Words words) noexcept {
    const std::string_view keyword = words.next();
    if (keyword.empty()) {
      return;
    }
    if (keyword == "route") {
      route(words);  // reads to the end of the line
      return;
    }
    const std::string_view first = words.next();
    if (keyword == "listen") {
      listen(first);
    } else if (keyword == "status") {
      status(first);
    } else if (keyword == "option") {
      option(first, words.next());
    } else {
      fail(keyword, "is not a statement: listen, route, option, status");
    }
    if (const std::string_view more = words.next(); !more.empty()) {
      fail(more, "is one word too many");
    }
  }

  void listen(std::string_view word) noexcept {
    if (word.empty()) {
      fail("listen", "needs an address");
    } else if (!port::parse_endpoint(word)) {
      fail(word, "is not ADDR:PORT, [ADDR]:PORT, :PORT or unix:PATH");
    } else if (!config_.listen.add(word)) {
      fail(word, "is one listener too many: there may be 16");
    }
  }

  void status(std::string_view word) noexcept {
    if (word.empty()) {
      fail("status", "needs a path");
    } else if (!is_path(word) || has_dot_segment(word)) {
      fail(word, "is not a path, as in /-/gateway/status");
    } else if (!config_.status_path.empty()) {
      fail(word, "is a second status page");
    } else {
      config_.status_path = word;
    }
  }

  void route(Words words) noexcept {
    RouteConfig route{.text = words.next(), .host = {}, .prefix = {}, .strip = false, .upstreams = {}};
    if (route.text.empty()) {
      fail("route", "needs a prefix");
      return;
    }
    const std::size_t slash = route.text.find('/');
    if (slash == std::string_view::npos) {
      fail(route.text, "is not a prefix: /PATH or HOST/PATH");
      return;
    }
    route.host = wire::slice(route.text, 0, slash);
    route.prefix = wire::drop(route.text, slash);
    if (!route.host.empty()) {
      const auto host = wire::split_host(route.host);
      if (!host || host.value().has_port) {
        fail(route.text, "does not begin with a host without a port");
        return;
      }
    }
    if (!is_path(route.prefix) || has_dot_segment(route.prefix)) {
      fail(route.text, "is not a prefix: letters as the path has them when it is decoded, no . or .. between slashes");
      return;
    }
    const auto is_same = [&route](const RouteConfig& other) {
      return base::equal_ignoring_case(other.host, route.host) && other.prefix == route.prefix;
    };
    const auto routes = config_.routes.all();
    if (std::any_of(routes.begin(), routes.end(), is_same)) {
      fail(route.text, "is routed already");
      return;
    }
    for (std::string_view word = words.next(); !word.empty() && !error_; word = words.next()) {
      if (route.strip) {
        fail(word, "stands behind strip, which comes last");
      } else if (word == "strip") {
        route.strip = true;
      } else {
        upstream(word, route);
      }
    }
    if (!error_ && route.upstreams.is_empty()) {
      fail(route.text, "has no upstream");
    }
    if (!error_ && !config_.routes.add(route)) {
      fail(route.text, "is one route too many: there may be 64");
    }
  }

  void upstream(std::string_view word, RouteConfig& route) noexcept {
    const auto all = config_.upstreams.all();
    const auto known = std::find_if(all.begin(), all.end(), [word](const UpstreamConfig& u) { return u.text == word; });
    const auto index = static_cast<std::uint8_t>(known - all.begin());
    const auto used = route.upstreams.all();
    if (std::find(used.begin(), used.end(), index) != used.end()) {
      fail(word, "stands twice in this route");
      return;
    }
    if (known == all.end()) {
      const auto made = make_upstream(word);
      if (!made) {
        return;
      }
      if (!config_.upstreams.add(*made)) {
        fail(word, "is one upstream too many: there may be 64");
        return;
      }
    }
    if (!route.upstreams.add(index)) {
      fail(word, "is one upstream too many: a route may have 16");
    }
  }

  std::optional<UpstreamConfig> make_upstream(std::string_view word) noexcept {
    if (word.size() > upstream_text_max) {
      fail(word, "is longer than 200 bytes");
      return std::nullopt;
    }
    UpstreamConfig result{.text = word, .host = {}, .base_path = {}, .socket = {}};
    if (wire::starts_with(word, "unix:")) {
      const auto endpoint = port::parse_endpoint(word);
      if (!endpoint) {
        fail(word, "is not unix:PATH with a path of 1 to 107 bytes");
        return std::nullopt;
      }
      result.socket = endpoint.value().path;
      result.host = "localhost";  // what the others (curl, systemd's tools) say over a unix socket
      return result;
    }
    const auto url = wire::parse_url(word);
    if (!url || url->scheme.empty() || !url->opaque.empty() || url->hostname.empty()) {
      fail(word, "is not an upstream: http://HOST[:PORT][/BASE], https://HOST[:PORT][/BASE] or unix:PATH");
      return std::nullopt;
    }
    result.is_https = url->scheme == "https";
    if (url->scheme != "http" && !(result.is_https && has_tls)) {
      fail(word, has_tls ? "is reached neither by http nor by https: no other scheme is built in"
                         : "is not reached by http: no other scheme is built in");
      return std::nullopt;
    }
    if (url->has_user || url->has_query || !url->fragment.empty() || word.find('#') != std::string_view::npos) {
      fail(word, "has more than host, port and path");
      return std::nullopt;
    }
    if (!wire::split_host(url->host) || url->host.back() == ':' || url->port == "0") {
      fail(word, "has no host that can be asked");
      return std::nullopt;
    }
    if (!url->path.empty() && (!is_path(url->path) || has_dot_segment(url->path))) {
      fail(word, "has no path that can stand before others");
      return std::nullopt;
    }
    result.host = url->host;
    result.base_path = url->path;
    while (!result.base_path.empty() && result.base_path.back() == '/') {
      result.base_path.remove_suffix(1);
    }
    return result;
  }

  void option(std::string_view name, std::string_view value) noexcept {
    GatewayOptions& options = config_.options;
    struct Timeout {
      std::string_view name;
      port::Duration GatewayOptions::*member;
    };
    static constexpr Timeout timeouts[] = {
        {"connect-timeout", &GatewayOptions::connect_timeout}, {"response-timeout", &GatewayOptions::response_timeout},
        {"body-timeout", &GatewayOptions::body_timeout},       {"client-timeout", &GatewayOptions::client_timeout},
        {"idle-timeout", &GatewayOptions::idle_timeout},       {"upgrade-timeout", &GatewayOptions::upgrade_timeout},
        {"fail-timeout", &GatewayOptions::fail_timeout},
    };
    static constexpr std::string_view others[] = {"max-fails",   "max-body",      "via",          "pass-host",
                                                  "upstream-ca", "upstream-cert", "upstream-key", "upstream-verify"};
    if (name.empty()) {
      fail("option", "needs a name and a value");
      return;
    }
    std::size_t number = 0;
    const Timeout* timeout = nullptr;
    for (const Timeout& candidate : timeouts) {
      if (candidate.name == name) {
        timeout = &candidate;
        number = static_cast<std::size_t>(&candidate - timeouts);
      }
    }
    const auto* const other = std::find(std::begin(others), std::end(others), name);
    if (other != std::end(others)) {
      number = std::size(timeouts) + static_cast<std::size_t>(other - others);
    }
    const bool is_trusted_proxy = name == "trusted-proxy";
    if (timeout == nullptr && other == std::end(others) && !is_trusted_proxy) {
      fail(name, "is not an option: see the README for their names");
      return;
    }
    if (value.empty()) {
      fail(name, "needs a value");
      return;
    }
    if (is_trusted_proxy) {
      trusted_proxy(value);
      return;
    }
    if ((options_set_ >> number & 1) != 0) {
      fail(name, "is set already");
      return;
    }
    options_set_ |= 1U << number;
    if (timeout != nullptr) {
      const auto duration = parse_duration(value);
      if (!duration) {
        fail(value, "is not a duration, as in 500ms, 2s, 5m, 1h; at most 24h");
        return;
      }
      options.*(timeout->member) = *duration;
    } else if (name == "max-fails") {
      const auto fails = base::parse_decimal(value, 1'000'000);
      if (!fails) {
        fail(value, "is not a number up to 1000000");
        return;
      }
      options.max_fails = static_cast<std::uint32_t>(*fails);
    } else if (name == "max-body") {
      const auto size = parse_size(value);
      if (!size) {
        fail(value, "is not a size, as in 65536, 512k, 10M, 2G");
        return;
      }
      options.max_body = *size;
    } else if (name == "via") {
      if (!wire::is_token(value) || value.size() > 64) {
        fail(value, "is not a name of up to 64 letters, digits, dots and dashes, or off");
        return;
      }
      options.via = value == "off" ? std::string_view{} : value;
    } else if (name == "upstream-ca") {
      options.upstream_ca = value;
    } else if (name == "upstream-cert") {
      options.upstream_cert = value;
    } else if (name == "upstream-key") {
      options.upstream_key = value;
    } else if (value == "on" || value == "off") {
      (name == "pass-host" ? options.pass_host : options.upstream_verify) = value == "on";
    } else {
      fail(value, "is not on or off");
    }
  }

  void trusted_proxy(std::string_view value) noexcept {
    const auto network = parse_network(value);
    if (!network) {
      fail(value, "is not an address, a network as 10.0.0.0/8, or unix");
    } else if (!config_.trusted.add(*network)) {
      fail(value, "is one trusted proxy too many: there may be 16");
    }
  }

  Config& config_;
  std::optional<ConfigError> error_;
  std::size_t line_ = 0;
  std::uint32_t options_set_ = 0;  // one bit for each option
};

}  // namespace

bool Network::contains(const port::Address& other) const noexcept {
  if (other.family != address.family) {
    return false;
  }
  for (unsigned bit = 0; bit < bits; bit += 8) {
    const unsigned count = bits - bit < 8 ? bits - bit : 8;
    if ((other.ip[bit / 8] ^ address.ip[bit / 8]) >> (8 - count) != 0) {
      return false;
    }
  }
  return true;
}

bool Config::trusts(const port::Address& peer) const noexcept {
  const auto networks = trusted.all();
  return std::any_of(networks.begin(), networks.end(), [&peer](const Network& n) { return n.contains(peer); });
}

bool Config::has_https_upstream() const noexcept {
  const auto all = upstreams.all();
  return std::any_of(all.begin(), all.end(), [](const UpstreamConfig& upstream) { return upstream.is_https; });
}

std::optional<ConfigError> parse_config(std::string_view text, Config& config) noexcept {
  return Parser{config}.parse(text);
}

std::string_view format_error(const ConfigError& error, std::string_view file, std::span<char> out) noexcept {
  base::TextWriter text{out};
  text.put(file).put(':');
  if (error.line != 0) {
    text.put_decimal(error.line).put(':');
  }
  text.put(' ');
  if (!error.word.empty()) {
    constexpr std::size_t word_max = 200;  // of a word that is longer the beginning is enough
    text.put('"').put(wire::slice(error.word, 0, std::min(error.word.size(), word_max))).put("\" ");
  }
  text.put(error.reason);
  return text.view();
}

}  // namespace pollux::gateway
