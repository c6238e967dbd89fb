#include "apps/device/leds.hpp"

#include <errno.h>

#include <algorithm>
#include <array>

#include "stack/base/text.hpp"

namespace pollux::device {

namespace {

constexpr std::string_view folder = "/class/leds/";

// Longer than the list of triggers of any kernel seen: about 1,500 bytes with every CPU, keyboard and disk.
using Triggers = std::array<char, 8192>;

// A name that is one entry of the folder, whatever it contains.
bool is_entry_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 63 && !name.starts_with('.') &&
         name.find_first_of(std::string_view{"/\0", 2}) == std::string_view::npos;
}

// The next word of a list of triggers, "none [heartbeat] timer", brackets included; empty at the end.
std::string_view take_word(std::string_view& list) noexcept {
  list = base::trim(list);
  const std::size_t end = std::min(list.find_first_of(" \t\n"), list.size());
  const std::string_view word = list.substr(0, end);
  list.remove_prefix(end);
  return word;
}

std::string_view without_brackets(std::string_view word) noexcept {
  return word.starts_with('[') && word.ends_with(']') ? word.substr(1, word.size() - 2) : word;
}

// The word in brackets; a list of one word needs none.
std::string_view find_active(std::string_view list) noexcept {
  const std::string_view first = take_word(list);
  if (first.starts_with('[') || base::trim(list).empty()) {
    return without_brackets(first);
  }
  for (std::string_view word = take_word(list); !word.empty(); word = take_word(list)) {
    if (word.starts_with('[')) {
      return without_brackets(word);
    }
  }
  return {};
}

bool has_trigger(std::string_view list, std::string_view trigger) noexcept {
  for (std::string_view word = take_word(list); !word.empty(); word = take_word(list)) {
    if (without_brackets(word) == trigger) {
      return true;
    }
  }
  return false;
}

}  // namespace

LedError led_error_from(int number) noexcept {
  switch (number) {
    case 0:
      return LedError::none;
    case ENOENT:
    case ENODEV:
      return LedError::not_found;  // unplugged a moment ago
    case EACCES:
    case EPERM:
    case EROFS:
      return LedError::not_permitted;
    case EBUSY:
      return LedError::busy;
    default:
      return LedError::failed;
  }
}

std::optional<Names> Leds::names() const noexcept {
  return list_names(Path{sysfs_, folder});
}

std::optional<Led> Leds::find(std::string_view name) const noexcept {
  if (!is_entry_name(name) || !is_directory(Path{sysfs_, folder, name})) {
    return std::nullopt;
  }
  Led led;
  led.name = name;
  Triggers memory;
  if (auto text = read_text(Path{sysfs_, folder, name, "/brightness"}, memory)) {
    led.brightness = static_cast<std::uint64_t>(std::max<std::int64_t>(take_number(*text).value_or(0), 0));
  }
  if (auto text = read_text(Path{sysfs_, folder, name, "/max_brightness"}, memory)) {
    led.brightness_max = static_cast<std::uint64_t>(std::max<std::int64_t>(take_number(*text).value_or(0), 0));
  }
  if (const auto text = read_text(Path{sysfs_, folder, name, "/trigger"}, memory)) {
    led.trigger.emplace() = find_active(*text);
  }
  return led;
}

LedError Leds::set(std::string_view name, std::optional<std::uint64_t> brightness,
                   std::optional<std::string_view> trigger) const noexcept {
  if (!find(name)) {
    return LedError::not_found;
  }
  if (trigger) {
    Triggers memory;
    const Path path{sysfs_, folder, name, "/trigger"};
    const auto list = read_text(path, memory);
    if (!list || !has_trigger(*list, *trigger)) {
      return LedError::unknown_trigger;
    }
    if (const int number = write_text(path, *trigger); number != 0) {
      return led_error_from(number);
    }
  }
  if (brightness) {
    return led_error_from(write_text(Path{sysfs_, folder, name, "/brightness"}, base::Decimal{*brightness}.view()));
  }
  return LedError::none;
}

}  // namespace pollux::device
