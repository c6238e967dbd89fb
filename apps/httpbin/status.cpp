#include "apps/httpbin/status.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "apps/httpbin/numbers.hpp"
#include "port/port.hpp"
#include "stack/base/text.hpp"
#include "stack/net/loop.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

namespace {

constexpr std::string_view teapot =
    "\n    -=[ teapot ]=-\n\n"
    "       _...._\n"
    "     .'  _ _ `.\n"
    "    | .\"` ^ `\". _,\n"
    "    \\_;`\"---\"`|//\n"
    "      |       ;/\n"
    "      \\_     _/\n"
    "        `\"\"\"`\n";

struct Choice {
  int code = 0;
  std::uint64_t weight = 0;  // in thousandths
};

// One element, "404" or "404:0.5".
std::optional<Choice> parse_choice(std::string_view text) noexcept {
  const wire::Cut parts = wire::cut(base::trim(text), ':');
  const auto code = base::parse_decimal(parts.before, 599);
  if (!code || *code < 100 || *code == 101) {
    return std::nullopt;
  }
  Choice choice{static_cast<int>(*code), 1000};
  if (parts.is_found) {
    const auto weight = parse_thousandths(parts.after, 1'000'000'000);
    if (!weight) {
      return std::nullopt;
    }
    choice.weight = *weight;
  }
  return choice;
}

// Draws one of the list; nothing if an element is wrong. `chance` is any number.
std::optional<int> choose(std::string_view list, std::uint64_t chance) noexcept {
  std::uint64_t sum = 0;
  for (wire::Cut element{.before = {}, .after = list, .is_found = true}; element.is_found;) {
    element = wire::cut(element.after, ',');
    const auto choice = parse_choice(element.before);
    if (!choice) {
      return std::nullopt;
    }
    sum += choice->weight;
  }
  std::uint64_t at = sum == 0 ? 0 : chance % sum;
  for (wire::Cut element{.before = {}, .after = list, .is_found = true}; element.is_found;) {
    element = wire::cut(element.after, ',');
    const auto choice = parse_choice(element.before);
    if (at < choice->weight || sum == 0) {
      return choice->code;
    }
    at -= choice->weight;
  }
  return std::nullopt;
}

}  // namespace

void status(http::ResponseWriter& writer, http::Request& request) {
  std::array<std::byte, 8> random;
  request.loop().port().random(random);
  std::uint64_t chance = 0;
  for (const std::byte byte : random) {
    chance = chance << 8 | std::to_integer<std::uint64_t>(byte);
  }
  const auto code = choose(request.path_value("codes"), chance);
  if (!code) {
    http::error(writer, 400, "Invalid status code");
    return;
  }
  writer.status(*code);
  switch (*code) {
    case 301:
    case 302:
    case 303:
    case 305:
    case 307:
    case 308:
      writer.set("Location", "/redirect/1");
      break;
    case 401:
      writer.set("WWW-Authenticate", "Basic realm=\"Fake Realm\"");
      break;
    case 402:
      writer.set("Content-Type", "text/plain; charset=utf-8");
      writer.write("Pay first, please.\n");
      break;
    case 406:
      writer.set("Content-Type", "application/json");
      writer.write(
          "{\"message\": \"Client did not request a supported media type.\", \"accept\": [\"image/webp\", "
          "\"image/svg+xml\", \"image/jpeg\", \"image/png\", \"image/*\"]}");
      break;
    case 407:
      writer.set("Proxy-Authenticate", "Basic realm=\"Fake Realm\"");
      break;
    case 418:
      writer.set("Content-Type", "text/plain; charset=utf-8");
      writer.set("X-More-Info", "http://tools.ietf.org/html/rfc2324");
      writer.write(teapot);
      break;
    default:
      break;
  }
}

}  // namespace pollux::httpbin
