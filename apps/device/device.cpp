#include "apps/device/device.hpp"

#include <errno.h>

#include <algorithm>
#include <array>
#include <optional>

#include "apps/device/access.hpp"
#include "apps/support/json_read.hpp"
#include "port/ensure.hpp"
#include "stack/http/server.hpp"

namespace pollux::device {

namespace {

void answer_led_error(http::ResponseWriter& writer, LedError error) noexcept {
  switch (error) {
    case LedError::none:
    case LedError::not_found:
      answer_error(writer, 404, "there is no LED of that name; GET /api/v1/leds has them all");
      return;
    case LedError::unknown_trigger:
      answer_error(writer, 400, "this LED has no such trigger");
      return;
    case LedError::not_permitted:
      answer_error(writer, 403, "this program may not switch the LED: it needs write access to its files in /sys");
      return;
    case LedError::busy:
      answer_error(writer, 409, "the LED is in use by somebody else");
      return;
    case LedError::failed:
      break;
  }
  answer_error(writer, 500, "the LED could not be switched");
}

// What people call a LED; empty if the board does not name it.
std::string_view find_label(std::span<const board::Led> leds, std::string_view name) noexcept {
  const auto found = std::find_if(leds.begin(), leds.end(), [name](const board::Led& led) { return led.name == name; });
  return found == leds.end() ? std::string_view{} : found->label;
}

// Why a line could not be read or switched just now, although it is held.
void answer_line_error(http::ResponseWriter& writer, int number) noexcept {
  if (number == EPERM || number == EACCES) {
    answer_error(writer, 403, "this program may not switch the line");
    return;
  }
  answer_error(writer, 500, "the GPIO chip refused");
}

// True, and it has been answered, if another site's page asks.
bool refuse_cross_site(http::ResponseWriter& writer, const http::Request& request) noexcept {
  if (!is_cross_site(request)) {
    return false;
  }
  answer_error(writer, 403, "a page of another site may not change anything here");
  return true;
}

}  // namespace

int Device::start(const DeviceConfig& config) noexcept {
  ENSURE(config.memory != nullptr);
  config_ = config;
  return config.data.empty() ? 0 : firmware_.open(config.data);
}

Document* Device::take_document(http::ResponseWriter& writer) noexcept {
  Document* document = config_.memory->documents.take();
  if (document == nullptr) {
    writer.set("Retry-After", "1");
    answer_error(writer, 503, "too many answers are on their way; try again");
  }
  return document;
}

void Device::health(http::ResponseWriter& writer, http::Request&) noexcept {
  writer.set("Cache-Control", "no-store");
  writer.text(200, "ok\n");
}

void Device::status(http::ResponseWriter& writer, http::Request& request) noexcept {
  BoardInfo& info = config_.memory->info;
  read_board_info(config_.roots, info);
  // The processor's temperature first: it is the one people look for.
  const auto is_main = [this](const Temperature& one) { return one.name.view() == config_.board->thermal_zone; };
  const auto main = std::find_if(info.temperatures.begin(), info.temperatures.end(), is_main);
  if (main != info.temperatures.end()) {
    std::rotate(info.temperatures.begin(), main, main + 1);
  }
  const port::WallTime now = request.loop().port().wall_clock();
  const BoardFacts known{.board = config_.board, .watchdog = config_.watchdog};
  answer_json(writer, 200, [&info, now, &known](apps::JsonWriter& json) { write_status(json, info, known, now); });
}

ServerFacts Device::facts(const http::Request& request) const noexcept {
  ServerFacts facts{.server = request.server(),
                    .documents = config_.memory->documents.use(),
                    .started = config_.started,
                    .server_memory = config_.server_memory,
                    .loop_memory = config_.loop_memory,
                    .device_memory = sizeof(Device) + sizeof(DeviceMemory),
                    .tls_memory = config_.tls_memory,
                    .gpio = config_.gpio,
                    .watchdog = config_.watchdog};
  if (config_.https != nullptr && config_.https->context() != nullptr) {
    facts.tls = {.context = config_.https->context(), .arena = config_.https->arena_use()};
  }
  return facts;
}

void Device::pollux(http::ResponseWriter& writer, http::Request& request) noexcept {
  const port::WallTime now = request.loop().port().wall_clock();
  const ServerFacts known = facts(request);  // before a document is taken for it
  answer_json(writer, 200, [&known, now](apps::JsonWriter& json) { write_pollux(json, known, now); });
}

void Device::metrics(http::ResponseWriter& writer, http::Request& request) noexcept {
  const ServerFacts known = facts(request);
  Document* document = take_document(writer);
  if (document == nullptr) {
    return;
  }
  BoardInfo& info = config_.memory->info;
  read_board_info(config_.roots, info);
  write_metrics(document->text(), info, known, request.loop().port().wall_clock());
  Documents::send(writer, *document, 200, "text/plain; version=0.0.4; charset=utf-8");
}

// ---- LEDs

void Device::list_leds(http::ResponseWriter& writer, http::Request&) noexcept {
  answer_json(writer, 200, [this](apps::JsonWriter& json) {
    json.begin_object().key("leds").begin_array();
    // Those the board names come first, in its order.
    for (const board::Led& known : config_.board->leds) {
      if (const auto led = leds().find(known.name)) {
        write_led(json, *led);
      }
    }
    if (const auto names = leds().names()) {
      for (const Name& name : *names) {
        const auto led = find_label(config_.board->leds, name.view()).empty() ? leds().find(name.view()) : std::nullopt;
        if (led) {
          write_led(json, *led);
        }
      }
    }
    json.end_array().end_object();
  });
}

void Device::write_led(apps::JsonWriter& json, const Led& led) const noexcept {
  device::write_led(json, led, find_label(config_.board->leds, led.name.view()));
}

void Device::answer_led(http::ResponseWriter& writer, const Led& led) noexcept {
  answer_json(writer, 200, [this, &led](apps::JsonWriter& json) { write_led(json, led); });
}

void Device::get_led(http::ResponseWriter& writer, http::Request& request) noexcept {
  if (const auto led = leds().find(request.path_value("name"))) {
    answer_led(writer, *led);
    return;
  }
  answer_led_error(writer, LedError::not_found);
}

void Device::put_led(http::ResponseWriter& writer, http::Request& request) noexcept {
  if (refuse_cross_site(writer, request)) {
    return;
  }
  const std::string_view name = request.path_value("name");
  const auto before = leds().find(name);
  if (!before) {
    answer_led_error(writer, LedError::not_found);
    return;
  }
  std::uint64_t brightness = 0;
  std::string_view trigger;
  std::array<char, 64> trigger_memory{};
  std::array members{
      apps::JsonMember::integer("brightness", brightness, {.min = 0, .max = before->brightness_max}),
      apps::JsonMember::text("trigger", trigger, trigger_memory),
  };
  if (const auto error = apps::read_json_object(request.body(), members)) {
    answer_json(writer, 400, [&error](apps::JsonWriter& json) { write_error(json, *error); });
    return;
  }
  if (!members[0].is_given() && !members[1].is_given()) {
    answer_error(writer, 400, "give brightness, or trigger, or both");
    return;
  }
  const LedError error = leds().set(name, members[0].is_given() ? std::optional{brightness} : std::nullopt,
                                    members[1].is_given() ? std::optional{trigger} : std::nullopt);
  const auto after = leds().find(name);
  if (error != LedError::none || !after) {
    answer_led_error(writer, error);
    return;
  }
  answer_led(writer, *after);
}

// ---- GPIO

void Device::write_line(apps::JsonWriter& json, const GpioLine& line) const noexcept {
  write_gpio(json, line, line.descriptor >= 0 ? config_.gpio->get(line) : -1);
}

void Device::list_gpio(http::ResponseWriter& writer, http::Request&) noexcept {
  answer_json(writer, 200, [this](apps::JsonWriter& json) {
    json.begin_object().key("lines").begin_array();
    if (config_.gpio != nullptr) {
      for (const GpioLine& line : config_.gpio->lines()) {
        write_line(json, line);
      }
    }
    json.end_array().end_object();
  });
}

const GpioLine* Device::find_line(http::ResponseWriter& writer, const http::Request& request) const noexcept {
  const GpioLine* line = config_.gpio == nullptr ? nullptr : config_.gpio->find(request.path_value("name"));
  if (line == nullptr) {
    answer_error(writer, 404, "there is no line of that name; GET /api/v1/gpio has them all");
  }
  return line;
}

void Device::get_gpio(http::ResponseWriter& writer, http::Request& request) noexcept {
  if (const GpioLine* line = find_line(writer, request)) {
    answer_json(writer, 200, [this, line](apps::JsonWriter& json) { write_line(json, *line); });
  }
}

void Device::put_gpio(http::ResponseWriter& writer, http::Request& request) noexcept {
  if (refuse_cross_site(writer, request)) {
    return;
  }
  const GpioLine* line = find_line(writer, request);
  if (line == nullptr) {
    return;
  }
  if (line->descriptor < 0) {
    answer_error(writer, 409, describe(line->fault));
    return;
  }
  if (line->claim != board::Claim::output) {
    answer_error(writer, 409, "this line is an input");
    return;
  }
  std::uint64_t value = 0;
  std::array members{apps::JsonMember::integer("value", value, {.min = 0, .max = 1}).required()};
  if (const auto error = apps::read_json_object(request.body(), members)) {
    answer_json(writer, 400, [&error](apps::JsonWriter& json) { write_error(json, *error); });
    return;
  }
  if (const int result = config_.gpio->set(*line, value != 0); result < 0) {
    answer_line_error(writer, -result);
    return;
  }
  answer_json(writer, 200, [this, line](apps::JsonWriter& json) { write_line(json, *line); });
}

}  // namespace pollux::device
