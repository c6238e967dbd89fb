#include "stack/tls/error.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace pollux::tls {
namespace {

constexpr auto last_error = Error::internal;
constexpr std::int64_t october_2_2026 = 1'790'899'200;  // 2026-10-02T00:00:00Z
constexpr std::int64_t day = 86'400;

std::string text_of(const ErrorInfo& info, std::size_t room = 400) {
  std::string out(room, '#');
  const std::string_view text = describe(info, out);
  EXPECT_EQ(text.data(), out.data());
  return std::string{text};
}

TEST(TlsError, EveryOneHasASentenceOfItsOwn) {
  std::set<std::string_view> seen;
  for (int i = 0; i <= static_cast<int>(last_error); ++i) {
    const auto error = static_cast<Error>(i);
    const std::string_view text = describe(error);
    EXPECT_FALSE(text.empty()) << i;
    EXPECT_TRUE(seen.insert(text).second) << "twice: " << text;
    EXPECT_FALSE(text_of({.error = error}).empty()) << i;
  }
  EXPECT_EQ(describe(static_cast<Error>(static_cast<int>(last_error) + 1)), "");
}

TEST(TlsError, DatesAreSaid) {
  EXPECT_EQ(
      text_of({.error = Error::expired, .date_seconds = october_2_2026, .now_seconds = october_2_2026 + 50 * day}),
      "the certificate expired on 2026-10-02, 50 days ago");
  EXPECT_EQ(
      text_of({.error = Error::expired, .date_seconds = october_2_2026, .now_seconds = october_2_2026 + 2 * day - 1}),
      "the certificate expired on 2026-10-02, 1 day ago");
  EXPECT_EQ(text_of({.error = Error::expired, .date_seconds = october_2_2026, .now_seconds = october_2_2026 + 1}),
            "the certificate expired on 2026-10-02, less than a day ago");
  EXPECT_EQ(
      text_of({.error = Error::not_yet_valid, .date_seconds = october_2_2026, .now_seconds = october_2_2026 - 3 * day}),
      "the certificate is not valid before 2026-10-02, in 3 days; the clock says 2026-09-29");
  EXPECT_EQ(text_of({.error = Error::not_yet_valid, .date_seconds = october_2_2026, .now_seconds = october_2_2026 - 5}),
            "the certificate is not valid before 2026-10-02, in less than a day; the clock says 2026-10-01");
  EXPECT_EQ(text_of({.error = Error::clock_not_set}),
            "the clock says 1970-01-01, before this program was built: set the time");
}

TEST(TlsError, WithoutDatesTheyAreNotInvented) {
  EXPECT_EQ(text_of({.error = Error::expired}), "the certificate has expired");
  EXPECT_EQ(text_of({.error = Error::not_yet_valid}), "the certificate is not valid yet");
  EXPECT_EQ(text_of({.error = Error::expired, .date_seconds = october_2_2026}),
            "the certificate expired on 2026-10-02");
}

TEST(TlsError, DatesAtTheEndsOfTheCalendar) {
  const auto expired = [](std::int64_t seconds) { return text_of({.error = Error::expired, .date_seconds = seconds}); };
  EXPECT_EQ(expired(-1), "the certificate expired on 1969-12-31");
  EXPECT_EQ(expired(253'402'300'799), "the certificate expired on 9999-12-31");
  EXPECT_EQ(expired(INT64_MAX), "the certificate expired on 9999-12-31");
  EXPECT_EQ(expired(INT64_MIN), "the certificate expired on 0000-01-01");
  EXPECT_EQ(expired(4'107'542'399), "the certificate expired on 2100-02-28");
  EXPECT_EQ(expired(4'107'542'400), "the certificate expired on 2100-03-01");
  EXPECT_EQ(expired(951'782'400), "the certificate expired on 2000-02-29");
}

TEST(TlsError, AlertsSayWhatToDo) {
  EXPECT_EQ(text_of({.error = Error::alert, .alert = 40}),
            "the peer ended it: handshake_failure (40): no version, cipher or certificate suits both ends");
  EXPECT_EQ(text_of({.error = Error::alert, .alert = 48}),
            "the peer ended it: unknown_ca (48): it does not trust who signed our certificate");
  EXPECT_EQ(text_of({.error = Error::alert, .alert = 116}),
            "the peer ended it: certificate_required (116): it wants a client certificate");
  EXPECT_EQ(text_of({.error = Error::alert, .alert = 50}), "the peer ended it: decode_error (50)");
  EXPECT_EQ(text_of({.error = Error::alert, .alert = 200}), "the peer ended it with alert 200");
}

TEST(TlsError, NamesOfAlerts) {
  int named = 0;
  for (int i = 0; i < 256; ++i) {
    const std::string name{alert_name(static_cast<std::uint8_t>(i))};
    if (!name.empty()) {
      ++named;
      const std::string number = " (" + std::to_string(i) + ")";
      EXPECT_TRUE(name.ends_with(number)) << name;
      EXPECT_FALSE(text_of({.error = Error::alert, .alert = static_cast<std::uint8_t>(i)}).empty());
    }
  }
  EXPECT_EQ(named, 34);
}

TEST(TlsError, NumbersOfMbedtlsWhereTheSentenceSaysTooLittle) {
  EXPECT_EQ(text_of({.error = Error::protocol, .code = -0x7280}), "the peer broke the rules of TLS (mbedTLS -0x7280)");
  EXPECT_EQ(text_of({.error = Error::internal, .code = -0x10}), "mbedTLS failed (mbedTLS -0x0010)");
  EXPECT_EQ(text_of({.error = Error::internal, .code = INT32_MIN}), "mbedTLS failed (mbedTLS -0x80000000)");
  EXPECT_EQ(text_of({.error = Error::wrong_name, .code = -0x2700}), "the certificate is for another name");
}

TEST(TlsError, CutToFit) {
  const ErrorInfo info{
      .error = Error::expired, .date_seconds = october_2_2026, .now_seconds = october_2_2026 + 50 * day};
  const std::string whole = text_of(info);
  for (std::size_t room = 0; room <= whole.size() + 1; ++room) {
    EXPECT_EQ(text_of(info, room), whole.substr(0, room));
  }
}

}  // namespace
}  // namespace pollux::tls
