#include "apps/httpbin/auth.hpp"

#include <array>
#include <optional>
#include <string_view>

#include "apps/httpbin/inspect.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

namespace {

// What stands behind the scheme in Authorization (RFC 9110 section 11.4); nothing if it names another.
std::optional<std::string_view> credentials(const http::Request& request, std::string_view scheme) noexcept {
  const auto field = request.field(wire::FieldId::authorization);
  if (!field) {
    return std::nullopt;
  }
  const wire::Cut parts = wire::cut(*field, ' ');
  if (!parts.is_found || !base::equal_ignoring_case(parts.before, scheme)) {
    return std::nullopt;
  }
  return base::trim(parts.after);
}

bool has_basic_credentials(const http::Request& request) noexcept {
  const auto text = credentials(request, "Basic");
  std::array<char, 1024> memory;
  if (!text || text->size() > memory.size()) {
    return false;
  }
  const auto decoded = wire::base64_decode(*text, wire::Base64::standard, memory);
  if (!decoded) {
    return false;
  }
  const wire::Cut parts = wire::cut(*decoded, ':');
  return parts.is_found && parts.before == request.path_value("user") && parts.after == request.path_value("passwd");
}

void send_user(http::ResponseWriter& writer, const http::Request& request) noexcept {
  writer.set("Content-Type", "application/json");
  apps::JsonWriter json{apps::json_sink(writer), apps::JsonStyle::indented};
  json.begin_object().member("authenticated", true).member("user", request.path_value("user")).end_object();
  writer.write("\n");
}

}  // namespace

void basic_auth(http::ResponseWriter& writer, http::Request& request) {
  if (has_basic_credentials(request)) {
    send_user(writer, request);
    return;
  }
  writer.status(401);
  writer.set("WWW-Authenticate", "Basic realm=\"Fake Realm\"");
}

void hidden_basic_auth(http::ResponseWriter& writer, http::Request& request) {
  if (has_basic_credentials(request)) {
    send_user(writer, request);
    return;
  }
  writer.status(404);
}

http::Next bearer(http::ResponseWriter& writer, http::Request& request) {
  const auto token = credentials(request, "Bearer");
  if (!token || token->empty()) {
    writer.status(401);
    writer.set("WWW-Authenticate", "Bearer");
    return http::Next::done;
  }
  return send_object(
      writer, request, request.state<DocumentState>(), Inspection::Body::ignored,
      [&](apps::JsonWriter& json, const Inspection&) { json.member("authenticated", true).member("token", *token); });
}

}  // namespace pollux::httpbin
