#include "stack/wire/date.hpp"

#include <array>
#include <optional>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

constexpr std::array<std::string_view, 7> day_names{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";

// When this was written: no clock that has been set is before it.
constexpr CivilTime clock_floor{.year = 2025};

// Reads fixed text and numbers from the front of a view; the first that is not there makes it fail for good.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_{text} {}

  void expect(std::string_view text) {
    if (!starts_with(rest_, text)) {
      failed_ = true;
      return;
    }
    rest_.remove_prefix(text.size());
  }
  // Exactly `digits` decimal digits.
  std::int32_t number(std::size_t digits) {
    if (rest_.size() >= digits) {
      if (const auto value = base::parse_decimal(slice(rest_, 0, digits), 9999)) {
        rest_.remove_prefix(digits);
        return static_cast<std::int32_t>(*value);
      }
    }
    failed_ = true;
    return 0;
  }
  void day_name() {
    for (const std::string_view name : day_names) {
      if (starts_with(rest_, slice(name, 0, 3))) {
        rest_.remove_prefix(3);
        return;
      }
    }
    failed_ = true;
  }
  void long_day_name() {
    for (const std::string_view name : day_names) {
      if (starts_with(rest_, name)) {
        rest_.remove_prefix(name.size());
        return;
      }
    }
    failed_ = true;
  }
  std::int32_t month() {
    for (std::int32_t i = 0; i < 12; ++i) {
      const auto at = static_cast<std::size_t>(i) * 3;
      if (starts_with(rest_, slice(month_names, at, at + 3))) {
        rest_.remove_prefix(3);
        return i + 1;
      }
    }
    failed_ = true;
    return 1;
  }
  void time_of_day(CivilTime& civil) {
    civil.hour = number(2);
    expect(":");
    civil.minute = number(2);
    expect(":");
    civil.second = number(2);
  }
  // A day of two digits, or a blank and one digit (asctime).
  std::int32_t padded_day() {
    if (starts_with(rest_, " ")) {
      rest_.remove_prefix(1);
      return number(1);
    }
    return number(2);
  }
  [[nodiscard]] bool is_complete() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// The latest year with these two digits that is not more than 50 years ahead (RFC 9110 section 5.6.7).
std::int32_t full_year(const CivilTime& civil, port::WallTime now) {
  CivilTime limit = now > date_max ? to_civil_time(date_max) : now < date_min ? clock_floor : to_civil_time(now);
  limit = limit < clock_floor ? clock_floor : limit;
  limit.year += 50;
  CivilTime candidate = civil;
  candidate.year = limit.year / 100 * 100 + civil.year;
  while (candidate > limit) {
    candidate.year -= 100;
  }
  return candidate.year;
}

port::Result<port::WallTime, DateError> checked(CivilTime civil) {
  if (civil.day < 1 || civil.hour > 23 || civil.minute > 59 || civil.second > 60) {
    return port::Failure{DateError::malformed};
  }
  if (civil.year < 1 || civil.year > 9999) {
    return port::Failure{DateError::out_of_range};
  }
  if (civil.day > days_in_month(civil.year, civil.month)) {
    return port::Failure{DateError::malformed};
  }
  return to_wall_time(civil);
}

std::optional<CivilTime> read_fixdate(std::string_view text) {
  DateReader reader{text};
  CivilTime civil;
  reader.day_name();
  reader.expect(", ");
  civil.day = reader.number(2);
  reader.expect(" ");
  civil.month = reader.month();
  reader.expect(" ");
  civil.year = reader.number(4);
  reader.expect(" ");
  reader.time_of_day(civil);
  reader.expect(" GMT");
  return reader.is_complete() ? std::optional{civil} : std::nullopt;
}

std::optional<CivilTime> read_asctime(std::string_view text) {
  DateReader reader{text};
  CivilTime civil;
  reader.day_name();
  reader.expect(" ");
  civil.month = reader.month();
  reader.expect(" ");
  civil.day = reader.padded_day();
  reader.expect(" ");
  reader.time_of_day(civil);
  reader.expect(" ");
  civil.year = reader.number(4);
  return reader.is_complete() ? std::optional{civil} : std::nullopt;
}

// The year is left with two digits.
std::optional<CivilTime> read_rfc850(std::string_view text) {
  DateReader reader{text};
  CivilTime civil;
  reader.long_day_name();
  reader.expect(", ");
  civil.day = reader.number(2);
  reader.expect("-");
  civil.month = reader.month();
  reader.expect("-");
  civil.year = reader.number(2);
  reader.expect(" ");
  reader.time_of_day(civil);
  reader.expect(" GMT");
  return reader.is_complete() ? std::optional{civil} : std::nullopt;
}

// ---- cookies: RFC 6265 section 5.1.1

constexpr bool is_cookie_date_delimiter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
         (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

// A number of so many digits, and then no further digit; takes it off the front.
std::optional<std::int32_t> take_number(std::string_view& text, std::size_t digits_min, std::size_t digits_max) {
  std::size_t digits = 0;
  while (digits < text.size() && base::is_digit(text[digits])) {
    ++digits;
  }
  if (digits < digits_min || digits > digits_max) {
    return std::nullopt;
  }
  const auto value = base::parse_decimal(slice(text, 0, digits), 9999);
  text.remove_prefix(digits);
  return static_cast<std::int32_t>(value.value_or(0));
}

// "h:m:s" with one or two digits each, whatever comes behind.
bool read_cookie_time(std::string_view token, CivilTime& civil) {
  std::array<std::int32_t, 3> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) {
      if (token.empty() || token.front() != ':') {
        return false;
      }
      token.remove_prefix(1);
    }
    const auto part = take_number(token, 1, 2);
    if (!part) {
      return false;
    }
    parts[i] = *part;
  }
  civil.hour = parts[0];
  civil.minute = parts[1];
  civil.second = parts[2];
  return true;
}

std::optional<std::int32_t> read_cookie_month(std::string_view token) {
  for (std::int32_t i = 0; i < 12; ++i) {
    const auto at = static_cast<std::size_t>(i) * 3;
    if (starts_with_ignoring_case(token, slice(month_names, at, at + 3))) {
      return i + 1;
    }
  }
  return std::nullopt;
}

std::string_view take_cookie_date_token(std::string_view& rest) {
  while (!rest.empty() && is_cookie_date_delimiter(rest.front())) {
    rest.remove_prefix(1);
  }
  std::size_t end = 0;
  while (end < rest.size() && !is_cookie_date_delimiter(rest[end])) {
    ++end;
  }
  const std::string_view token = slice(rest, 0, end);
  rest.remove_prefix(end);
  return token;
}

}  // namespace

port::Result<std::string_view, DateError> write_http_date(port::WallTime time,
                                                          std::span<char, http_date_size> out) noexcept {
  if (time < date_min || time > date_max) {
    return port::Failure{DateError::out_of_range};
  }
  const CivilTime civil = to_civil_time(time);
  const auto put_digits = [&out](std::size_t at, std::int32_t value, std::size_t digits) {
    for (std::size_t i = digits; i-- > 0; value /= 10) {
      out[at + i] = static_cast<char>('0' + value % 10);
    }
  };
  constexpr std::string_view blank = "Day, 00 Mon 0000 00:00:00 GMT";
  static_assert(blank.size() == http_date_size);
  for (std::size_t i = 0; i < blank.size(); ++i) {
    out[i] = blank[i];
  }
  const std::string_view day_name = day_names[static_cast<std::size_t>(weekday_of(time))];
  const auto month_at = static_cast<std::size_t>(civil.month - 1) * 3;
  for (std::size_t i = 0; i < 3; ++i) {
    out[i] = day_name[i];
    out[8 + i] = month_names[month_at + i];
  }
  put_digits(5, civil.day, 2);
  put_digits(12, civil.year, 4);
  put_digits(17, civil.hour, 2);
  put_digits(20, civil.minute, 2);
  put_digits(23, civil.second, 2);
  return std::string_view{out.data(), out.size()};
}

port::Result<port::WallTime, DateError> parse_http_date(std::string_view text, port::WallTime now) noexcept {
  if (const auto civil = read_fixdate(text)) {
    return checked(*civil);
  }
  if (const auto civil = read_asctime(text)) {
    return checked(*civil);
  }
  if (auto civil = read_rfc850(text)) {
    civil->year = full_year(*civil, now);
    return checked(*civil);
  }
  return port::Failure{DateError::malformed};
}

port::Result<port::WallTime, DateError> parse_cookie_date(std::string_view text) noexcept {
  CivilTime civil;
  bool has_time = false;
  bool has_day = false;
  bool has_month = false;
  bool has_year = false;
  while (!text.empty()) {
    // A token is the first of these four that it can be read as and that has not been seen before.
    const std::string_view token = take_cookie_date_token(text);
    if (!has_time && read_cookie_time(token, civil)) {
      has_time = true;
      continue;
    }
    std::string_view day_digits = token;
    if (const auto day = has_day ? std::nullopt : take_number(day_digits, 1, 2)) {
      has_day = true;
      civil.day = *day;
      continue;
    }
    if (const auto month = has_month ? std::nullopt : read_cookie_month(token)) {
      has_month = true;
      civil.month = *month;
      continue;
    }
    std::string_view year_digits = token;
    if (const auto year = has_year ? std::nullopt : take_number(year_digits, 2, 4)) {
      has_year = true;
      civil.year = *year >= 100 ? *year : *year >= 70 ? *year + 1900 : *year + 2000;
    }
  }
  if (!has_time || !has_day || !has_month || !has_year || civil.second > 59) {
    return port::Failure{DateError::malformed};
  }
  if (civil.year < 1601) {
    return port::Failure{DateError::out_of_range};
  }
  return checked(civil);
}

}  // namespace pollux::wire
