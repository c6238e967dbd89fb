// Dates of HTTP, from and to seconds since 1970. Sources: RFC 9110 section 5.6.7 (the three forms), RFC 6265 section
// 5.1.1 (cookies).
//
// The calendar is our own arithmetic (proleptic Gregorian, 64 bits, years 1 to 9999): no time zone of the machine, no
// locale, no 2038. Names of days and months are English and case-sensitive, as the RFC says. Whether a day name belongs
// to its date is not checked.
//
//   std::array<char, http_date_size> out;
//   write_http_date({.seconds = 784111777}, out).value() == "Sun, 06 Nov 1994 08:49:37 GMT"
//   parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now)->seconds == 784111777
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "port/time.hpp"

namespace pollux::wire {

// "Sun, 06 Nov 1994 08:49:37 GMT"
inline constexpr std::size_t http_date_size = 29;

// The first and the last second that have a date of four digits: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
inline constexpr port::WallTime date_min{.seconds = -62'135'596'800};
inline constexpr port::WallTime date_max{.seconds = 253'402'300'799};

enum class DateError : std::uint8_t {
  malformed,     // none of the forms, or a day, hour ... that does not exist
  out_of_range,  // a year that is not within 1..9999 (cookies: below 1601)
};

// A date and a time of day in UTC.
struct CivilTime {
  std::int32_t year = 1970;  // 1..9999
  std::int32_t month = 1;    // 1..12
  std::int32_t day = 1;      // 1..31
  std::int32_t hour = 0;     // 0..23
  std::int32_t minute = 0;   // 0..59
  std::int32_t second = 0;   // 0..59
  friend constexpr bool operator==(const CivilTime&, const CivilTime&) = default;
  friend constexpr auto operator<=>(const CivilTime&, const CivilTime&) = default;
};

[[nodiscard]] constexpr bool is_leap_year(std::int32_t year) noexcept {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
[[nodiscard]] constexpr std::int32_t days_in_month(std::int32_t year, std::int32_t month) noexcept {
  return month == 2 ? (is_leap_year(year) ? 29 : 28) : 30 + ((month + (month > 7 ? 1 : 0)) & 1);
}

// Days from 1970-01-01 to a date; negative before. Years are counted from March, so that the leap day is a year's last
// day and a year, a century and 400 years each have a constant number of days before it: 146097 days in 400 years.
[[nodiscard]] constexpr std::int64_t days_from_civil(std::int32_t year, std::int32_t month, std::int32_t day) noexcept {
  const std::int64_t y = year - (month <= 2 ? 1 : 0) + std::int64_t{400};  // not negative for year 1
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719'468 - 146'097;
}

// The moment of a civil time whose fields are in range.
[[nodiscard]] constexpr port::WallTime to_wall_time(const CivilTime& civil) noexcept {
  const std::int64_t days = days_from_civil(civil.year, civil.month, civil.day);
  return {.seconds = ((days * 24 + civil.hour) * 60 + civil.minute) * 60 + civil.second};
}

// The civil time of a moment within date_min..date_max.
[[nodiscard]] constexpr CivilTime to_civil_time(port::WallTime time) noexcept {
  const std::int64_t since_year_1 = time.seconds - date_min.seconds;
  const auto second_of_day = static_cast<std::int32_t>(since_year_1 % 86'400);
  // Days since 0000-03-01, from which the calendar repeats every 146097 days.
  const std::int64_t days = since_year_1 / 86'400 + 306;
  const std::int64_t era = days / 146'097;
  const std::int64_t day_of_era = days % 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const auto month = static_cast<std::int32_t>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {.year = static_cast<std::int32_t>(era * 400 + year_of_era) + (month <= 2 ? 1 : 0),
          .month = month,
          .day = static_cast<std::int32_t>(day_of_year - (153 * month_from_march + 2) / 5 + 1),
          .hour = second_of_day / 3'600,
          .minute = second_of_day / 60 % 60,
          .second = second_of_day % 60};
}

// 0 is Sunday. For a moment within date_min..date_max; 0001-01-01 was a Monday.
[[nodiscard]] constexpr std::int32_t weekday_of(port::WallTime time) noexcept {
  return static_cast<std::int32_t>(((time.seconds - date_min.seconds) / 86'400 + 1) % 7);
}

static_assert(to_wall_time({}).seconds == 0);
static_assert(to_wall_time({.year = 1}) == date_min);
static_assert(to_civil_time(date_max) ==
              CivilTime{.year = 9999, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 59});

// Writes the form that all senders use (IMF-fixdate): always http_date_size bytes. The result is all of `out`. Errors:
// out_of_range.
[[nodiscard]] port::Result<std::string_view, DateError> write_http_date(port::WallTime time,
                                                                        std::span<char, http_date_size> out) noexcept;

// Reads all three forms: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" and "Sun Nov  6 08:49:37
// 1994". A year of two digits is the latest one with these digits that is not more than 50 years after `now`; a `now`
// before 2025, when this was written, is a clock that was never set and counts as 2025. A second of 60 (a leap second)
// is the moment after 59. Errors: malformed, out_of_range (year 0).
[[nodiscard]] port::Result<port::WallTime, DateError> parse_http_date(std::string_view text,
                                                                      port::WallTime now) noexcept;

// Reads the date of a cookie's Expires attribute, in the way all user agents must: the parts in any order, nearly any
// separators ("Wed, 23-Nov-2011 01:05:03 GMT"). Two-digit years: 70..99 are 19xx, 0..69 are 20xx. Errors: malformed,
// out_of_range (before 1601).
[[nodiscard]] port::Result<port::WallTime, DateError> parse_cookie_date(std::string_view text) noexcept;

}  // namespace pollux::wire
