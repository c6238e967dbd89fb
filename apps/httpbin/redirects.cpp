#include "apps/httpbin/redirects.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/httpbin/inspection.hpp"
#include "stack/base/text.hpp"

namespace pollux::httpbin {

namespace {

constexpr std::size_t location_max = 2048;
constexpr std::uint64_t redirects_max = 1'000'000;

std::optional<std::uint64_t> redirects_left(http::ResponseWriter& writer, const http::Request& request) noexcept {
  const auto count = base::parse_decimal(request.path_value("n"), redirects_max);
  if (count && *count > 0) {
    return count;
  }
  http::error(writer, 400, "400 the number of redirects must be from 1 to 1000000");
  return std::nullopt;
}

void send(http::ResponseWriter& writer, const base::TextWriter& location, int code) noexcept {
  if (location.overflowed()) {
    http::error(writer, 400, "400 the target is too long");
    return;
  }
  if (writer.set("Location", location.view()) == http::HeadChange::invalid) {
    http::error(writer, 400, "400 the target holds a control byte");
    return;
  }
  writer.status(code);
}

void send_step(http::ResponseWriter& writer, const http::Request& request, std::string_view kind,
               bool is_absolute) noexcept {
  const auto count = redirects_left(writer, request);
  if (!count) {
    return;
  }
  std::array<char, location_max> memory;
  base::TextWriter location{memory};
  if (is_absolute) {
    write_base_url(request, apps::json_sink(location));
  }
  if (*count == 1) {
    location.put("/get");
  } else {
    location.put(kind).put_decimal(*count - 1);
  }
  send(writer, location, 302);
}

}  // namespace

void redirect(http::ResponseWriter& writer, http::Request& request) {
  std::array<char, 16> memory;
  const auto absolute = request.query_value("absolute", memory);
  const bool is_absolute = absolute && base::equal_ignoring_case(*absolute, "true");
  send_step(writer, request, is_absolute ? "/absolute-redirect/" : "/relative-redirect/", is_absolute);
}

void relative_redirect(http::ResponseWriter& writer, http::Request& request) {
  send_step(writer, request, "/relative-redirect/", false);
}

void absolute_redirect(http::ResponseWriter& writer, http::Request& request) {
  send_step(writer, request, "/absolute-redirect/", true);
}

void redirect_to(http::ResponseWriter& writer, http::Request& request) {
  std::array<char, location_max> memory;
  const auto url = request.query_value("url", memory);
  if (!url) {
    http::error(writer, 400, "400 ?url= is missing or too long");
    return;
  }
  std::array<char, 16> code_memory;
  const auto code = base::parse_decimal(request.query_value("status_code", code_memory).value_or(""), 399);
  std::array<char, location_max> location_memory;
  base::TextWriter location{location_memory};
  location.put(*url);
  send(writer, location, code && *code >= 300 && *code != 304 ? static_cast<int>(*code) : 302);
}

}  // namespace pollux::httpbin
