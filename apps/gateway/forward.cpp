#include "apps/gateway/forward.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "stack/base/text.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::gateway {

namespace {

using wire::FieldId;

// Room for a list of addresses that a chain of proxies has made, or for a URL's beginning.
constexpr std::size_t scratch_size = 2048;

// "192.0.2.7", "2001:db8::1"; "" for a unix socket, whose clients have no address.
std::string_view ip_of(const port::Address& peer, std::span<char> out) noexcept {
  return peer.family == port::Family::local || peer.family == port::Family::none ? std::string_view{}
                                                                                 : port::format_ip(peer, out);
}

bool is_any_of(std::string_view name, std::span<const std::string_view> names) noexcept {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view other) { return base::equal_ignoring_case(name, other); });
}

// Fields that say where a request came from. Those of a client that is not trusted are dropped.
bool is_about_origin(std::string_view name) noexcept {
  static constexpr std::string_view names[] = {"Forwarded",         "X-Forwarded-For",  "X-Forwarded-Host",
                                               "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP"};
  return is_any_of(name, names);
}

// Fields the gateway makes anew from what was there.
bool is_rewritten(std::string_view name) noexcept {
  static constexpr std::string_view names[] = {"Via", "Forwarded", "X-Forwarded-For", "Max-Forwards"};
  return is_any_of(name, names);
}

// All values of that name and `own` as one list.
std::string_view joined(const wire::Fields& fields, std::string_view name, bool keeps, std::string_view own,
                        std::span<char> out) noexcept {
  base::TextWriter text{out};
  const auto put = [&text](std::string_view value) {
    if (!value.empty()) {
      text.put(text.size() == 0 ? "" : ", ").put(value);
    }
  };
  for (std::size_t i = 0; keeps && i < fields.size(); ++i) {
    const wire::NameValue field = fields[i];
    if (base::equal_ignoring_case(field.name, name) && !is_hop_by_hop(fields, i)) {
      put(field.value);
    }
  }
  put(own);
  return text.overflowed() ? own : text.view();  // a list longer than any real one begins anew
}

std::string_view scheme_of(const http::Request& request) noexcept {
  return request.tls() != nullptr ? "https" : "http";
}

// `for=192.0.2.7;host="h:80";proto=http` (RFC 7239 section 4).
std::string_view forwarded_element(const http::Request& request, std::span<char> out) noexcept {
  base::TextWriter text{out};
  std::array<char, port::address_text_max> memory;
  const std::string_view ip = ip_of(request.remote(), memory);
  if (ip.empty()) {
    text.put("for=unknown");
  } else if (request.remote().family == port::Family::ipv6) {
    text.put("for=\"[").put(ip).put("]\"");  // section 6: a colon makes it a quoted string
  } else {
    text.put("for=").put(ip);
  }
  const std::string_view host = request.host();
  std::array<char, 600> quoted;
  if (wire::is_token(host)) {
    text.put(";host=").put(host);
  } else if (const auto text_of_host = wire::write_quoted(host, quoted); !host.empty() && text_of_host) {
    text.put(";host=").put(*text_of_host);
  }
  text.put(";proto=").put(scheme_of(request));
  return text.view();
}

std::string_view version_text(wire::Version version) noexcept {
  return version >= wire::http_1_1 ? "1.1" : "1.0";
}

std::string_view via_element(wire::Version version, std::string_view name, std::span<char> out) noexcept {
  base::TextWriter text{out};
  if (!name.empty()) {
    text.put(version_text(version)).put(' ').put(name);
  }
  return text.view();
}

void add_origin(const Config& config, const http::Request& request, http::ClientRequest& out) noexcept {
  const wire::Fields& fields = request.fields();
  const bool is_trusted = config.trusts(request.remote());
  std::array<char, scratch_size> memory;
  std::array<char, port::address_text_max> ip_memory;
  const std::string_view ip = ip_of(request.remote(), ip_memory);
  if (const auto list = joined(fields, "X-Forwarded-For", is_trusted, ip, memory); !list.empty()) {
    out.add("X-Forwarded-For", list);
  }
  if (!is_trusted || !request.field("X-Forwarded-Proto")) {
    out.add("X-Forwarded-Proto", scheme_of(request));
  }
  if ((!is_trusted || !request.field("X-Forwarded-Host")) && !request.host().empty()) {
    out.add("X-Forwarded-Host", request.host());
  }
  std::array<char, 1024> own;
  out.add("Forwarded", joined(fields, "Forwarded", is_trusted, forwarded_element(request, own), memory));
}

// The request target: base, path without the route's prefix if that is stripped, query. A '#', which means nothing in a request
// line and would end a URL, is escaped.
void put_target(const RouteConfig& route, const UpstreamConfig& upstream, const http::Request& request,
                base::TextWriter& url) noexcept {
  std::string_view path = request.raw_path();
  if (route.strip) {
    path = wire::drop(path, raw_prefix_size(path, route.prefix));
  }
  url.put(upstream.base_path);
  if (!wire::starts_with(path, "/")) {
    url.put('/');
  }
  const auto put = [&url](std::string_view text) {
    for (wire::Cut cut = wire::cut(text, '#');; cut = wire::cut(cut.after, '#')) {
      url.put(cut.before);
      if (!cut.is_found) {
        return;
      }
      url.put("%23");
    }
  };
  put(path);
  if (request.has_query()) {
    url.put('?');
    put(request.query());
  }
}

// One field for everything this connection has to say (a sender of TE has to name it, RFC 9110 section 10.1.4).
void add_connection(const http::Request& request, http::ClientRequest& out) noexcept {
  const bool upgrades = asks_for_upgrade(request);
  bool takes_trailers = false;
  const wire::Fields& fields = request.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (base::equal_ignoring_case(fields[i].name, "TE") && wire::has_list_token(fields[i].value, "trailers")) {
      takes_trailers = true;
    }
    if (upgrades && fields.id(i) == FieldId::upgrade) {
      out.add("Upgrade", fields[i].value);
    }
  }
  if (takes_trailers) {
    out.add("TE", "trailers");
  }
  if (upgrades || takes_trailers) {
    out.add("Connection", upgrades && takes_trailers ? "Upgrade, TE" : upgrades ? "Upgrade" : "TE");
  }
}

}  // namespace

bool is_hop_by_hop(const wire::Fields& fields, std::size_t index) noexcept {
  switch (fields.id(index)) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::trailer:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      break;
  }
  const std::string_view name = fields[index].name;
  static constexpr std::string_view names[] = {"Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE"};
  return is_any_of(name, names) || fields.has_token(FieldId::connection, name);
}

bool may_be_trailer(std::string_view name) noexcept {
  const FieldId id = wire::field_id_from(name);
  static constexpr std::string_view names[] = {"Forwarded",
                                               "X-Forwarded-For",
                                               "X-Forwarded-Host",
                                               "X-Forwarded-Proto",
                                               "Proxy-Authenticate",
                                               "Proxy-Authorization",
                                               "TE",
                                               "Via",
                                               "Max-Forwards"};
  return wire::is_token(name) && (id == FieldId::other || id == FieldId::etag) && !is_any_of(name, names);
}

bool are_trailer_names(std::string_view names) noexcept {
  wire::ListItems items{names};
  bool any = false;
  while (const auto name = items.next()) {
    if (!may_be_trailer(*name)) {
      return false;
    }
    any = true;
  }
  return any;
}

bool asks_for_upgrade(const http::Request& request) noexcept {
  return request.version() >= wire::http_1_1 && request.field(FieldId::upgrade) &&
         request.fields().has_token(FieldId::connection, "upgrade") && request.content_length() == 0U;
}

std::size_t raw_prefix_size(std::string_view raw_path, std::string_view prefix) noexcept {
  std::size_t at = 0;
  for (std::size_t decoded = 0; decoded < prefix.size() && at < raw_path.size(); ++decoded) {
    at += raw_path[at] == '%' ? 3 : 1;
  }
  return std::min(at, raw_path.size());
}

bool has_prefix(std::string_view path, std::string_view prefix) noexcept {
  if (!wire::starts_with(path, prefix)) {
    return false;
  }
  return prefix.back() == '/' || path.size() == prefix.size() || path[prefix.size()] == '/';
}

bool leads_up(std::string_view path) noexcept {
  while (!path.empty()) {
    const wire::Cut cut = wire::cut(path, '/');
    if (cut.before == "..") {
      return true;
    }
    path = cut.after;
  }
  return false;
}

bool forward_request(const Config& config, const RouteConfig& route, const UpstreamConfig& upstream,
                     const http::Request& request, http::ClientRequest& out) noexcept {
  // The target is put together in the request's own memory, which is made for the longest.
  std::array<char, 16 * 1024> memory;
  base::TextWriter url{memory};
  url.put(upstream.is_https ? "https://" : "http://").put(upstream.host);
  put_target(route, upstream, request, url);
  if (url.overflowed()) {
    return false;
  }
  out.start(request.method(), url.view());
  if (config.options.pass_host && !request.host().empty()) {
    out.set_host(request.host());
  }
  const wire::Fields& fields = request.fields();
  const bool is_trusted = config.trusts(request.remote());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldId id = fields.id(i);
    if (id == FieldId::host || id == FieldId::content_length || id == FieldId::expect || is_hop_by_hop(fields, i)) {
      continue;
    }
    const wire::NameValue field = fields[i];
    if (id != FieldId::other || (!is_rewritten(field.name) && (is_trusted || !is_about_origin(field.name)))) {
      out.add(field.name, field.value);
    }
  }
  add_connection(request, out);
  add_origin(config, request, out);
  if (const auto left = request.field("Max-Forwards")) {
    if (const auto count = base::parse_decimal(*left); count && *count > 0) {
      out.add("Max-Forwards", base::Decimal{*count - 1}.view());
    }
  }
  std::array<char, scratch_size> via_memory;
  std::array<char, 80> own;
  const std::string_view via =
      joined(fields, "Via", true, via_element(request.version(), config.options.via, own), via_memory);
  if (!via.empty()) {
    out.add("Via", via);
  }
  if (const auto names = request.field(FieldId::trailer);
      names && !request.content_length() && are_trailer_names(*names)) {
    out.set_trailer_names(*names);
  }
  return true;
}

bool forward_fields(const GatewayOptions& options, const wire::ResponseHead& head, http::ResponseWriter& out) noexcept {
  const wire::Fields& fields = head.fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const wire::NameValue field = fields[i];
    if (fields.id(i) == FieldId::content_length || is_hop_by_hop(fields, i) ||
        base::equal_ignoring_case(field.name, "Via")) {
      continue;
    }
    if (out.add(field.name, field.value) == http::HeadChange::no_room) {
      return false;
    }
  }
  std::array<char, scratch_size> memory;
  std::array<char, 80> own;
  const std::string_view via = joined(fields, "Via", true, via_element(head.version, options.via, own), memory);
  return via.empty() || out.add("Via", via) == http::HeadChange::ok;
}

std::string_view forward_switch(const GatewayOptions& options, const wire::ResponseHead& head,
                                std::span<char> out) noexcept {
  base::TextWriter text{out};
  text.put("HTTP/1.1 101 Switching Protocols\r\n");
  const wire::Fields& fields = head.fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const wire::NameValue field = fields[i];
    const FieldId id = fields.id(i);
    if (id != FieldId::upgrade &&
        (id == FieldId::content_length || is_hop_by_hop(fields, i) || base::equal_ignoring_case(field.name, "Via"))) {
      continue;
    }
    text.put(field.name).put(": ").put(field.value).put("\r\n");
  }
  std::array<char, scratch_size> memory;
  std::array<char, 80> own;
  const std::string_view via = joined(fields, "Via", true, via_element(head.version, options.via, own), memory);
  if (!via.empty()) {
    text.put("Via: ").put(via).put("\r\n");
  }
  text.put("Connection: Upgrade\r\n\r\n");
  return text.overflowed() ? std::string_view{} : text.view();
}

}  // namespace pollux::gateway
