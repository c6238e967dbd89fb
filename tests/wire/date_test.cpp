#include "stack/wire/date.hpp"

#include <array>

#include "tests/wire/values_support.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

constexpr port::WallTime now = to_wall_time({.year = 2026, .month = 6, .day = 1});

std::string written(port::WallTime time) {
  std::array<char, http_date_size> out{};
  return std::string{*write_http_date(time, out)};
}

TEST(Date, WritesAndReadsKnownMoments) {
  struct Row {
    std::int64_t seconds;
    std::string_view text;
  };
  for (const Row& row : {
           Row{784'111'777, "Sun, 06 Nov 1994 08:49:37 GMT"},
           Row{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
           Row{-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
           Row{951'782'400, "Tue, 29 Feb 2000 00:00:00 GMT"},
           Row{2'147'483'647, "Tue, 19 Jan 2038 03:14:07 GMT"},
           Row{2'147'483'648, "Tue, 19 Jan 2038 03:14:08 GMT"},
           Row{4'107'542'400, "Mon, 01 Mar 2100 00:00:00 GMT"},
           Row{date_min.seconds, "Mon, 01 Jan 0001 00:00:00 GMT"},
           Row{date_max.seconds, "Fri, 31 Dec 9999 23:59:59 GMT"},
       }) {
    EXPECT_EQ(written({.seconds = row.seconds}), row.text);
    const auto parsed = parse_http_date(row.text, now);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(parsed->seconds, row.seconds) << row.text;
  }
}

TEST(Date, WritesOnlyYearsOfFourDigits) {
  std::array<char, http_date_size> out{};
  EXPECT_EQ(write_http_date({.seconds = date_min.seconds - 1}, out).error(), DateError::out_of_range);
  EXPECT_EQ(write_http_date({.seconds = date_max.seconds + 1}, out).error(), DateError::out_of_range);
  EXPECT_EQ(write_http_date({.seconds = INT64_MIN}, out).error(), DateError::out_of_range);
  EXPECT_EQ(write_http_date({.seconds = INT64_MAX}, out).error(), DateError::out_of_range);
}

TEST(Date, EveryDayFollowsTheOneBefore) {
  CivilTime yesterday = to_civil_time(date_min);
  std::int32_t weekday = weekday_of(date_min);
  EXPECT_EQ(yesterday, (CivilTime{.year = 1}));
  // Ten thousand years are 3.6 million days; the calendar repeats itself every 400 of them.
  const port::WallTime last =
      pollux::test::is_emulated ? to_wall_time({.year = 801, .month = 12, .day = 31}) : date_max;
  for (port::WallTime day{.seconds = date_min.seconds + 86'400}; day <= last; day.seconds += 86'400) {
    CivilTime want = yesterday;
    if (++want.day > days_in_month(want.year, want.month)) {
      want.day = 1;
      if (++want.month > 12) {
        want.month = 1;
        ++want.year;
      }
    }
    const CivilTime civil = to_civil_time(day);
    ASSERT_EQ(civil, want) << day.seconds;
    ASSERT_EQ(to_wall_time(civil), day) << day.seconds;
    weekday = (weekday + 1) % 7;
    ASSERT_EQ(weekday_of(day), weekday) << day.seconds;
    yesterday = civil;
  }
  EXPECT_EQ(yesterday, (CivilTime{.year = pollux::test::is_emulated ? 801 : 9999, .month = 12, .day = 31}));
}

TEST(Date, ReadsWhatItWroteAtRandomMoments) {
  SCOPED_TRACE(testing::Message() << "seed " << test_seed);
  std::mt19937_64 engine{test_seed};
  std::uniform_int_distribution<std::int64_t> moments{date_min.seconds, date_max.seconds};
  for (int i = 0; i < test::rounds(5000); ++i) {
    const port::WallTime time{.seconds = moments(engine)};
    const auto parsed = parse_http_date(written(time), now);
    ASSERT_TRUE(parsed) << time.seconds;
    EXPECT_EQ(parsed->seconds, time.seconds);
  }
}

TEST(Date, ReadsTheObsoleteForms) {
  for (const std::string_view text :
       {"Sunday, 06-Nov-94 08:49:37 GMT"sv, "Sun Nov  6 08:49:37 1994"sv, "Sun Nov 06 08:49:37 1994"sv}) {
    const auto parsed = parse_http_date(text, now);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->seconds, 784'111'777) << text;
  }
  EXPECT_EQ(written(*parse_http_date("Wed Nov 16 08:49:37 1994", now)), "Wed, 16 Nov 1994 08:49:37 GMT");
}

TEST(Date, PlacesYearsOfTwoDigitsAtMost50YearsAhead) {
  struct Row {
    port::WallTime now;
    std::string_view text;
    std::int32_t year;
  };
  constexpr port::WallTime noon = to_wall_time({.year = 2026, .month = 6, .day = 1, .hour = 12});
  for (const Row& row : {
           Row{noon, "Monday, 01-Jun-76 12:00:00 GMT", 2076},  // exactly 50 years
           Row{noon, "Monday, 01-Jun-76 12:00:01 GMT", 1976},  // one second more
           Row{noon, "Monday, 01-Jan-77 00:00:00 GMT", 1977},
           Row{noon, "Monday, 01-Jan-00 00:00:00 GMT", 2000},
           Row{noon, "Monday, 01-Jan-26 00:00:00 GMT", 2026},
           Row{noon, "Monday, 01-Jan-99 00:00:00 GMT", 1999},
           Row{{.seconds = 0}, "Monday, 01-Jan-26 00:00:00 GMT", 2026},  // the clock was never set
           Row{{.seconds = INT64_MIN}, "Monday, 01-Jan-75 00:00:00 GMT", 2075},
           Row{{.seconds = INT64_MIN}, "Monday, 01-Jan-76 00:00:00 GMT", 1976},
           Row{to_wall_time({.year = 2095}), "Monday, 01-Jan-05 00:00:00 GMT", 2105},
           Row{to_wall_time({.year = 2095}), "Monday, 01-Jan-46 00:00:00 GMT", 2046},
       }) {
    const auto parsed = parse_http_date(row.text, row.now);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(to_civil_time(*parsed).year, row.year) << row.text << " at " << row.now.seconds;
  }
}

TEST(Date, TakesALeapSecond) {
  EXPECT_EQ(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now)->seconds, 1'483'228'800);
}

TEST(Date, Refuses) {
  for (const std::string_view text : {""sv,
                                      "x"sv,
                                      "Sun, 06 Nov 1994 08:49:37"sv,
                                      "Sun, 06 Nov 1994 08:49:37 UTC"sv,
                                      "Sun, 06 Nov 1994 08:49:37 GMT "sv,
                                      " Sun, 06 Nov 1994 08:49:37 GMT"sv,
                                      "sun, 06 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 06 nov 1994 08:49:37 GMT"sv,
                                      "Sun 06 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 6 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 06 Nov 94 08:49:37 GMT"sv,
                                      "Sun, 06-Nov-1994 08:49:37 GMT"sv,
                                      "Sun, 06-Nov-94 08:49:37 GMT"sv,
                                      "Sun, 00 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 31 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 29 Feb 1994 08:49:37 GMT"sv,
                                      "Sun, 29 Feb 1900 08:49:37 GMT"sv,
                                      "Sun, 06 Nov 1994 24:49:37 GMT"sv,
                                      "Sun, 06 Nov 1994 08:60:37 GMT"sv,
                                      "Sun, 06 Nov 1994 08:49:61 GMT"sv,
                                      "Sun, +6 Nov 1994 08:49:37 GMT"sv,
                                      "Sun Nov 6 08:49:37 1994"sv,
                                      "Sun Nov  6 08:49:37 94"sv,
                                      "Sunday, 06-Nov-1994 08:49:37 GMT"sv,
                                      "Sunday, 06 Nov 94 08:49:37 GMT"sv,
                                      "Foo, 06 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 06 Foo 1994 08:49:37 GMT"sv,
                                      "784111777"sv}) {
    const Copy copy{text};
    const auto parsed = parse_http_date(copy.view(), now);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), DateError::malformed) << text;
  }
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 0000 08:49:37 GMT", now).error(), DateError::out_of_range);
}

TEST(Date, RefusesEveryPrefix) {
  constexpr std::string_view text = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const Copy copy{text.substr(0, size)};
    EXPECT_FALSE(parse_http_date(copy.view(), now)) << size;
  }
}

TEST(CookieDate, ReadsWhatIsOutThere) {
  for (const std::string_view text :
       {"Wed, 23 Nov 2011 01:05:03 GMT"sv, "Wed, 23-Nov-2011 01:05:03 GMT"sv, "Wednesday, 23-Nov-11 01:05:03 GMT"sv,
        "Wed Nov 23 01:05:03 2011"sv, "23 nov 2011 1:5:3"sv, "NOVEMBER 23 2011 01:05:03"sv, "01:05:03 23 Nov 11"sv,
        "2011 23 Nov 01:05:03"sv, "23/Nov/2011 01:05:03"sv}) {
    const Copy copy{text};
    const auto parsed = parse_cookie_date(copy.view());
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(written(*parsed), "Wed, 23 Nov 2011 01:05:03 GMT") << text;
  }
  EXPECT_EQ(to_civil_time(*parse_cookie_date("1 Jan 69 0:0:0")).year, 2069);
  EXPECT_EQ(to_civil_time(*parse_cookie_date("1 Jan 70 0:0:0")).year, 1970);
  EXPECT_EQ(to_civil_time(*parse_cookie_date("1 Jan 1601 0:0:0")).year, 1601);
}

TEST(CookieDate, Refuses) {
  for (const std::string_view text :
       {""sv, "x"sv, "23 Nov 2011"sv, "23 Nov 01:05:03"sv, "Nov 2011 01:05:03 x"sv, "23 2011 01:05:03"sv,
        "32 Nov 2011 01:05:03"sv, "31 Nov 2011 01:05:03"sv, "0 Nov 2011 01:05:03"sv, "23 Nov 2011 24:05:03"sv,
        "23 Nov 2011 01:60:03"sv, "23 Nov 2011 01:05:60"sv, "23 Nov 2011 01:05"sv, "23 Nov 20111 01:05:03"sv,
        "23 Nov 2011 001:05:03"sv}) {
    const Copy copy{text};
    EXPECT_FALSE(parse_cookie_date(copy.view())) << text;
  }
  EXPECT_EQ(parse_cookie_date("1 Jan 1600 0:0:0").error(), DateError::out_of_range);
}

}  // namespace
}  // namespace pollux::wire
