#include "apps/httpbin/cookies.hpp"

#include <array>
#include <string_view>

#include "apps/httpbin/inspect.hpp"
#include "stack/wire/cookie.hpp"

namespace pollux::httpbin {

namespace {

constexpr std::size_t cookie_max = 4096;

// Pairs without decoded text need no memory of their own.
constinit Arena no_memory{{}};
constinit Pairs cookie_table{no_memory};

// False, and it has been answered, if there can be no such cookie.
bool add_cookie(http::ResponseWriter& writer, const wire::SetCookie& cookie) noexcept {
  std::array<char, cookie_max> memory;
  const auto text = wire::write_set_cookie(cookie, memory);
  if (text && writer.add("Set-Cookie", *text) == http::HeadChange::ok) {
    return true;
  }
  writer.remove("Set-Cookie");
  http::error(writer, 400, "400 no such cookie can be set");
  return false;
}

void redirect_to_cookies(http::ResponseWriter& writer) noexcept {
  writer.status(302);
  writer.set("Location", "/cookies");
}

void for_each_cookie_of_query(http::ResponseWriter& writer, http::Request& request, bool deletes) {
  const Inspection inspection{request};
  if (inspection.overflowed()) {
    refuse_overflow(writer);
    return;
  }
  for (const Pair& pair : inspection.args().items()) {
    wire::SetCookie cookie{.name = pair.name, .value = deletes ? std::string_view{} : pair.value, .path = "/"};
    if (deletes) {
      cookie.expires = port::WallTime{};
      cookie.max_age = 0;
    }
    if (!add_cookie(writer, cookie)) {
      return;
    }
  }
  redirect_to_cookies(writer);
}

}  // namespace

http::Next cookies(http::ResponseWriter& writer, http::Request& request) {
  cookie_table.clear();
  const wire::Fields& fields = request.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields.id(i) != wire::FieldId::cookie) {
      continue;
    }
    wire::CookiePairs pairs{fields[i].value};
    while (const auto pair = pairs.next()) {
      cookie_table.add(pair->name, pair->value);
    }
  }
  cookie_table.sort();
  return send_object(writer, request, request.state<DocumentState>(), Inspection::Body::ignored,
                     [](apps::JsonWriter& json, const Inspection&) {
                       json.key("cookies");
                       cookie_table.write(json);
                     });
}

void set_cookie(http::ResponseWriter& writer, http::Request& request) {
  if (add_cookie(writer, {.name = request.path_value("name"), .value = request.path_value("value"), .path = "/"})) {
    redirect_to_cookies(writer);
  }
}

void set_cookies(http::ResponseWriter& writer, http::Request& request) {
  for_each_cookie_of_query(writer, request, false);
}

void delete_cookies(http::ResponseWriter& writer, http::Request& request) {
  for_each_cookie_of_query(writer, request, true);
}

}  // namespace pollux::httpbin
