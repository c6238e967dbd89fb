#include "stack/http/client_request.hpp"

#include <algorithm>
#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

bool is_valid_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char c) { return c == '\t' || !wire::is_control(c); });
}

std::string_view without_fragment(std::string_view url) noexcept {
  const std::size_t at = url.find('#');
  return at == std::string_view::npos ? url : wire::slice(url, 0, at);
}

CallCause check_url(const wire::Url& url) noexcept {
  if (url.scheme != "http" && url.scheme != "https") {
    return CallCause::bad_scheme;
  }
  if (url.hostname.empty() || !url.opaque.empty()) {
    return CallCause::bad_host;
  }
  return wire::split_host(url.host) ? CallCause::none : CallCause::bad_host;
}

CallCause cause_of(wire::UrlError error) noexcept {
  return error == wire::UrlError::bad_host ? CallCause::bad_host : CallCause::bad_url;
}

// Fields that say how the message is framed or routed: the transport writes them from what it knows.
bool is_ours(wire::FieldId id) noexcept {
  return id == wire::FieldId::host || id == wire::FieldId::content_length || id == wire::FieldId::transfer_encoding ||
         id == wire::FieldId::trailer || id == wire::FieldId::expect;
}

std::string_view line_of(std::string_view lines) noexcept {
  return wire::slice(lines, 0, lines.find('\n') + 1);
}

bool has_name(std::string_view line, std::string_view name) noexcept {
  return line.size() > name.size() && line[name.size()] == ':' && wire::starts_with_ignoring_case(line, name);
}

}  // namespace

ClientRequest::ClientRequest(std::span<char> url_memory, std::span<char> field_memory) noexcept
    : url_memory_{url_memory}, fields_{field_memory} {}

CallCause ClientRequest::fail(CallCause cause) noexcept {
  if (error_ == CallCause::none) {
    error_ = cause;
  }
  return cause;
}

CallCause ClientRequest::start(std::string_view method, std::string_view url) noexcept {
  fields_.clear();
  trailer_size_ = 0;
  trailer_names_ = {};
  host_ = {};
  body_ = {};
  close_ = expect_continue_ = idempotent_ = upgrade_ = has_user_agent_ = false;
  error_ = CallCause::none;
  if (const CallCause cause = set_method(method); cause != CallCause::none) {
    return cause;
  }
  return set_url(url);
}

CallCause ClientRequest::set_method(std::string_view method) noexcept {
  if (method.empty()) {
    method = "GET";
  }
  if (method.size() > method_.size() || !wire::is_token(method) || method == "CONNECT") {
    return fail(CallCause::bad_method);
  }
  std::memmove(method_.data(), method.data(), method.size());
  method_size_ = static_cast<std::uint8_t>(method.size());
  method_id_ = wire::method_from(this->method());
  return CallCause::none;
}

CallCause ClientRequest::set_url(std::string_view url) noexcept {
  url = without_fragment(url);
  const auto parsed = wire::parse_url(url);
  if (!parsed) {
    return fail(cause_of(parsed.error()));
  }
  if (const CallCause cause = check_url(*parsed); cause != CallCause::none) {
    return fail(cause);
  }
  if (url.size() > url_memory_.size()) {
    return fail(CallCause::url_too_long);
  }
  if (!url_text_.empty() && url == url_text_) {
    return CallCause::none;
  }
  std::memmove(url_memory_.data(), url.data(), url.size());
  url_text_ = {url_memory_.data(), url.size()};
  url_ = wire::parse_url(url_text_).value();
  ++url_generation_;
  return CallCause::none;
}

CallCause ClientRequest::add(std::string_view name, std::string_view value) noexcept {
  value = base::trim(value);
  if (!wire::is_token(name) || name.size() > UINT8_MAX || !is_valid_value(value)) {
    return fail(CallCause::bad_field);
  }
  const wire::FieldId id = wire::field_id_from(name);
  if (is_ours(id) || (id == wire::FieldId::connection && wire::has_list_token(value, "close"))) {
    return fail(CallCause::bad_field);
  }
  if (fields_.room().size() < name.size() + value.size() + 4 || trailer_size_ != 0) {
    return fail(CallCause::fields_too_long);
  }
  has_user_agent_ = has_user_agent_ || id == wire::FieldId::user_agent;
  upgrade_ = upgrade_ || id == wire::FieldId::upgrade;
  if (id == wire::FieldId::user_agent && value.empty()) {
    return CallCause::none;  // none at all (net/http's rule)
  }
  fields_.append(name);
  fields_.append(": ");
  fields_.append(value);
  fields_.append("\r\n");
  return CallCause::none;
}

CallCause ClientRequest::set(std::string_view name, std::string_view value) noexcept {
  remove(name);
  return add(name, value);
}

void ClientRequest::remove(std::string_view name) noexcept {
  const std::span<char> lines = fields_.mutable_data();
  std::size_t kept = 0;
  for (std::size_t at = 0; at < lines.size();) {
    const std::string_view line = line_of({lines.data() + at, lines.size() - at});
    if (!has_name(line, name)) {
      std::memmove(lines.data() + kept, line.data(), line.size());
      kept += line.size();
    }
    at += line.size();
  }
  fields_.unproduce(lines.size() - kept);
  const wire::FieldId id = wire::field_id_from(name);
  has_user_agent_ = has_user_agent_ && id != wire::FieldId::user_agent;
  upgrade_ = upgrade_ && id != wire::FieldId::upgrade;
}

std::optional<std::string_view> ClientRequest::find(std::string_view name) const noexcept {
  for (std::string_view rest = field_lines(); !rest.empty();) {
    const std::string_view line = line_of(rest);
    if (has_name(line, name)) {
      return base::trim(wire::slice(line, name.size() + 1, line.size() - 2));
    }
    rest = wire::drop(rest, line.size());
  }
  return std::nullopt;
}

CallCause ClientRequest::set_host(std::string_view host) noexcept {
  if (host.empty() || !wire::is_valid_host(host)) {
    return fail(CallCause::bad_host);
  }
  host_ = host;
  return CallCause::none;
}

CallCause ClientRequest::set_trailer_names(std::string_view names) noexcept {
  for (std::string_view rest = names; !rest.empty();) {
    const wire::Cut cut = wire::cut(rest, ',');
    const std::string_view name = base::trim(cut.before);
    const wire::FieldId id = wire::field_id_from(name);
    // Fields that frame or route a message never come behind it (RFC 9110 section 6.5.1).
    if (!wire::is_token(name) || (id != wire::FieldId::other && id != wire::FieldId::etag)) {
      return fail(CallCause::bad_field);
    }
    rest = cut.after;
  }
  trailer_names_ = names;
  return CallCause::none;
}

CallCause ClientRequest::add_trailer(std::string_view name, std::string_view value) noexcept {
  value = base::trim(value);
  if (!wire::is_token(name) || !is_valid_value(value) || trailer_names_.empty()) {
    return fail(CallCause::bad_field);
  }
  const std::size_t size = name.size() + value.size() + 4;
  const std::span<char> room = fields_.room();
  if (room.size() < trailer_size_ + size) {
    return fail(CallCause::fields_too_long);
  }
  base::TextWriter line{room.subspan(trailer_size_, size)};
  line.put(name).put(": ").put(value).put("\r\n");
  trailer_size_ = static_cast<std::uint16_t>(trailer_size_ + size);
  return CallCause::none;
}

std::string_view ClientRequest::trailer_lines() const noexcept {
  return {fields_.room().data(), trailer_size_};
}

bool ClientRequest::is_idempotent() const noexcept {
  switch (method_id_) {
    case wire::Method::get:
    case wire::Method::head:
    case wire::Method::options:
    case wire::Method::trace:
      return true;
    case wire::Method::other:
    case wire::Method::post:
    case wire::Method::put:
    case wire::Method::del:
    case wire::Method::patch:
    case wire::Method::connect:
      break;
  }
  return idempotent_ || find("Idempotency-Key") || find("X-Idempotency-Key");
}

std::optional<std::uint64_t> ClientRequest::body_size() const noexcept {
  switch (body_.kind) {
    case RequestBody::Kind::none:
      return 0;
    case RequestBody::Kind::bytes:
      return body_.bytes.size();
    case RequestBody::Kind::file:
    case RequestBody::Kind::source:
      return body_.size;
  }
  return 0;
}

}  // namespace pollux::http
