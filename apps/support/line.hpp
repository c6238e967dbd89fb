// Lines for people: whole ones, in one write(2) each, without the heap; and dates as they stand in them.
#pragma once

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/base/text.hpp"
#include "stack/wire/date.hpp"

namespace pollux::apps {

// Longer ones are cut. More than a path of 4096 bytes needs, most of the time.
inline constexpr std::size_t line_max = 1024;

// One write for all of it, so that lines of several programs do not mix and nothing is left in a buffer. A closed or full output is no reason
// to stop.
template <typename... Pieces>
void print_line(int descriptor, const Pieces&... pieces) noexcept {
  std::array<char, line_max> buffer{};
  base::TextWriter line{std::span{buffer}.first(line_max - 1)};
  (line.put(pieces), ...);
  buffer[line.size()] = '\n';
  [[maybe_unused]] const ssize_t written = ::write(descriptor, buffer.data(), line.size() + 1);
}

// "2026-11-21 08:15:00 UTC"
class DateText {
 public:
  explicit DateText(std::int64_t seconds) noexcept {
    const port::WallTime time{.seconds = seconds};
    base::TextWriter text{memory_};
    if (time < wire::date_min || time > wire::date_max) {
      text.put("an unknown day");
    } else {
      const wire::CivilTime civil = wire::to_civil_time(time);
      put(text, civil.year, 4, "");
      put(text, civil.month, 2, "-");
      put(text, civil.day, 2, "-");
      put(text, civil.hour, 2, " ");
      put(text, civil.minute, 2, ":");
      put(text, civil.second, 2, ":");
      text.put(" UTC");
    }
    size_ = text.size();
  }
  [[nodiscard]] std::string_view view() const noexcept { return {memory_.data(), size_}; }

 private:
  static void put(base::TextWriter& text, std::int32_t value, std::size_t digits, std::string_view before) noexcept {
    const base::Decimal decimal{static_cast<std::uint64_t>(value)};
    text.put(before).put(std::string_view{"0000"}.substr(0, digits - decimal.view().size())).put(decimal.view());
  }
  std::array<char, 32> memory_{};
  std::size_t size_ = 0;
};

}  // namespace pollux::apps
