// pollux-load without a server: the histogram against a sorted list, and the reports.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "apps/load/histogram.hpp"
#include "apps/load/load.hpp"
#include "apps/load/report.hpp"
#include "apps/support/json_read.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::load {
namespace {

using namespace std::chrono_literals;

// ---- the histogram

TEST(LatencyHistogram, HasABucketForEveryValue) {
  std::uint64_t expected_first = 0;
  for (std::size_t i = 0; i < LatencyHistogram::bucket_count(); ++i) {
    ASSERT_EQ(LatencyHistogram::first_of(i), expected_first) << i;  // no gap, no overlap
    ASSERT_EQ(LatencyHistogram::index_of(LatencyHistogram::first_of(i)), i);
    ASSERT_EQ(LatencyHistogram::index_of(LatencyHistogram::last_of(i)), i);
    const std::uint64_t width = LatencyHistogram::last_of(i) - LatencyHistogram::first_of(i) + 1;
    ASSERT_TRUE(width == 1 || LatencyHistogram::first_of(i) / width >= 128) << i;
    expected_first = LatencyHistogram::last_of(i) + 1;
  }
  EXPECT_EQ(expected_first, LatencyHistogram::value_max + 1);
}

TEST(LatencyHistogram, IsZeroWhileEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0ns);
  EXPECT_EQ(histogram.max(), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
  EXPECT_EQ(histogram.percentile(500), 0ns);
  EXPECT_EQ(histogram.count_between(0ns, port::Duration::max()), 0U);
}

TEST(LatencyHistogram, KeepsSmallValuesExactly) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) {
    histogram.add(port::Duration{i});
  }
  EXPECT_EQ(histogram.min(), 1ns);
  EXPECT_EQ(histogram.max(), 100ns);
  EXPECT_EQ(histogram.mean(), 50ns);
  EXPECT_EQ(histogram.percentile(0), 1ns);
  EXPECT_EQ(histogram.percentile(1), 1ns);
  EXPECT_EQ(histogram.percentile(500), 50ns);
  EXPECT_EQ(histogram.percentile(501), 51ns);
  EXPECT_EQ(histogram.percentile(999), 100ns);
  EXPECT_EQ(histogram.percentile(1000), 100ns);
  EXPECT_EQ(histogram.count_between(10ns, 20ns), 10U);
}

TEST(LatencyHistogram, LimitsWhatIsBeyondItsRange) {
  LatencyHistogram histogram;
  histogram.add(-1ns);
  EXPECT_EQ(histogram.max(), 0ns);
  histogram.add(port::Duration{LatencyHistogram::value_max});
  histogram.add(port::Duration{LatencyHistogram::value_max + 1});
  histogram.add(port::Duration::max());
  EXPECT_EQ(histogram.max(), port::Duration{LatencyHistogram::value_max});
  EXPECT_EQ(histogram.percentile(1000), histogram.max());
  EXPECT_EQ(histogram.count_between(1min, port::Duration::max()), 3U);
}

// Percentiles of the histogram are those of a sorted list, up to 1/128 above.
TEST(LatencyHistogram, AgreesWithASortedList) {
  std::mt19937_64 random{1};
  std::lognormal_distribution<double> distribution{12.0, 2.5};
  LatencyHistogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'011; ++i) {
    values.push_back(static_cast<std::int64_t>(distribution(random)));
    const heap_guard::Forbidden no_heap;
    histogram.add(port::Duration{values.back()});
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(histogram.min().count(), values.front());
  EXPECT_EQ(histogram.max().count(), values.back());
  for (const std::uint32_t per_mille : {0U, 1U, 10U, 250U, 500U, 750U, 900U, 990U, 999U, 1000U}) {
    const std::size_t rank = std::max<std::size_t>((values.size() * per_mille + 999) / 1000, 1);
    const std::int64_t exact = values[rank - 1];
    const std::int64_t shown = histogram.percentile(per_mille).count();
    EXPECT_GE(shown, exact) << per_mille;
    EXPECT_LE(static_cast<double>(shown), static_cast<double>(exact) * (1 + 1.0 / 128)) << per_mille;
  }
  std::uint64_t all = 0;
  for (std::size_t row = 0; row < histogram_rows; ++row) {
    all += histogram.count_between(row_begin(row), row_begin(row + 1));
  }
  EXPECT_EQ(all, values.size());
}

// ---- what people read

std::string shown(port::Duration duration) {
  std::array<char, 32> memory{};
  base::TextWriter out{memory};
  put_duration(out, duration);
  return std::string{out.view()};
}

std::string shown_bytes(std::uint64_t bytes) {
  std::array<char, 32> memory{};
  base::TextWriter out{memory};
  put_bytes(out, bytes);
  return std::string{out.view()};
}

TEST(LoadReport, ShowsThreeFigures) {
  EXPECT_EQ(shown(0ns), "0 ns");
  EXPECT_EQ(shown(-5ns), "0 ns");
  EXPECT_EQ(shown(999ns), "999 ns");
  EXPECT_EQ(shown(1000ns), "1.00 us");
  EXPECT_EQ(shown(1049ns), "1.05 us");
  EXPECT_EQ(shown(9994ns), "9.99 us");
  EXPECT_EQ(shown(9995ns), "10.0 us");
  EXPECT_EQ(shown(99'949ns), "99.9 us");
  EXPECT_EQ(shown(99'950ns), "100 us");
  EXPECT_EQ(shown(999'499ns), "999 us");
  EXPECT_EQ(shown(999'500ns), "1.00 ms");  // not "1000 us"
  EXPECT_EQ(shown(1250us), "1.25 ms");
  EXPECT_EQ(shown(999'499us), "999 ms");
  EXPECT_EQ(shown(999'500us), "1.00 s");
  EXPECT_EQ(shown(18min), "1080 s");
  EXPECT_EQ(shown_bytes(0), "0 B");
  EXPECT_EQ(shown_bytes(999), "999 B");
  EXPECT_EQ(shown_bytes(1208), "1.21 kB");
  EXPECT_EQ(shown_bytes(999'500), "1.00 MB");
  EXPECT_EQ(shown_bytes(12'345'678'901), "12.3 GB");
  EXPECT_EQ(shown_bytes(UINT64_MAX), "18446744 TB");
}

TEST(LoadReport, CountsPerSecondWithoutDividingByZero) {
  EXPECT_DOUBLE_EQ(per_second(500, 250ms), 2000.0);
  EXPECT_DOUBLE_EQ(per_second(0, 0ns), 0.0);
  EXPECT_DOUBLE_EQ(per_second(1, 0ns), 1e9);
}

TEST(LoadReport, HasRowsOfOneTwoFive) {
  EXPECT_EQ(row_begin(0), 0ns);
  EXPECT_EQ(row_begin(1), 1ns);
  EXPECT_EQ(row_begin(2), 2ns);
  EXPECT_EQ(row_begin(3), 5ns);
  EXPECT_EQ(row_begin(4), 10ns);
  EXPECT_EQ(row_begin(20), 2ms);
  EXPECT_GT(row_begin(histogram_rows).count(), static_cast<std::int64_t>(LatencyHistogram::value_max));
}

Tally example() {
  Tally tally;
  tally.add_answer(200, 120us);
  tally.add_answer(200, 130us);
  tally.add_answer(200, 300us);
  tally.add_answer(404, 3ms);
  tally.add_failure({.stage = http::CallStage::connect, .cause = http::CallCause::refused});
  tally.add_failure({.stage = http::CallStage::head, .cause = http::CallCause::timed_out});
  tally.add_failure({.stage = http::CallStage::connect, .cause = http::CallCause::refused});
  tally.cut_off = 1;
  tally.reused = 2;
  tally.retried = 1;
  tally.body_bytes = 52;
  return tally;
}

Report example_report() {
  return {.method = "GET",
          .url = "http://h/\"a\"",
          .connections = 4,
          .elapsed = 2s,
          .dials = 5,
          .dials_failed = 2,
          .bytes_sent = 1000,
          .bytes_received = 2000,
          .interrupted = true};
}

std::string text_of(void (*write)(const Report&, const Tally&, base::TextWriter&) noexcept, const Report& report,
                    const Tally& tally) {
  std::vector<char> memory(report_size_max);
  base::TextWriter out{memory};
  {
    const heap_guard::Forbidden no_heap;
    write(report, tally, out);
  }
  EXPECT_FALSE(out.overflowed());
  return std::string{out.view()};
}

TEST(LoadReport, IsOneLineIfAsked) {
  EXPECT_EQ(text_of(write_line, example_report(), example()),
            "4 answers in 2.00 s, 2 a second, 3 errors, 1 cut off (interrupted)\n");
  Tally one;
  one.add_answer(200, 1us);
  EXPECT_EQ(text_of(write_line, {.elapsed = 1ms}, one), "1 answer in 1.00 ms, 1000 a second, no errors\n");
}

TEST(LoadReport, SaysEverythingInText) {
  const std::string text = text_of(write_text, example_report(), example());
  EXPECT_EQ(text.substr(0, text.find('\n')), "GET http://h/\"a\"");
  for (const std::string_view line : {
           "\nConnections  4 at a time, 5 dialed (2 of them in vain); 2 answers over one that had served before; "
           "1 requests sent again\n",
           "\nSent         1.00 kB, 500 B a second\n",
           "\nBodies       52 B\n",
           "\nLatency      least 120 us, mean 888 us\n",
           "\n      50 %      130 us\n",
           "\n    99.9 %     3.00 ms\n",
           "\n   longest     3.00 ms\n",
           "\n    100 us ..  200 us           2  |##################################################\n",
           "\n    200 us ..  500 us           1  |##########################\n",
           "\n    500 us .. 1.00 ms           0  |\n",
           "\n   2.00 ms .. 5.00 ms           1  |##########################\n",
           "\n           3  200 OK\n",
           "\n           1  404 Not Found\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "--- is not in\n" << text;
  }
  EXPECT_EQ(text.find("TLS"), std::string::npos) << "nothing was https";
  Report https = example_report();
  https.tls_handshakes = 3;
  https.tls_resumed = 2;
  EXPECT_NE(text_of(write_text, https, example()).find("\nTLS          3 handshakes, 2 of them resumed\n"),
            std::string::npos);
  EXPECT_NE(text_of(write_json, https, example()).find("\"tls_handshakes\": 3"), std::string::npos);
  const std::string refused = "\n           2  " + std::string{http::describe(http::CallCause::refused)} + ' ' +
                              std::string{http::describe(http::CallStage::connect)} + '\n';
  EXPECT_NE(text.find(refused), std::string::npos) << text;
}

TEST(LoadReport, SaysNothingOfLatencyWithoutAnswers) {
  Tally tally;
  tally.add_failure({.stage = http::CallStage::connect, .cause = http::CallCause::refused});
  const std::string text = text_of(write_text, {.method = "GET", .url = "http://h/", .connections = 1}, tally);
  EXPECT_EQ(text.find("Latency"), std::string::npos);
  EXPECT_EQ(text.find("Status"), std::string::npos);
  EXPECT_NE(text.find("\nErrors\n           1  "), std::string::npos);
}

TEST(LoadReport, IsJson) {
  const std::string text = text_of(write_json, example_report(), example());
  EXPECT_FALSE(apps::check_json(text)) << text;
  for (const std::string_view member :
       {"\"url\": \"http://h/\\\"a\\\"\"", "\"connections\": 4", "\"interrupted\": true", "\"seconds\": 2",
        "\"answers\": 4", "\"errors\": 3", "\"cut_off\": 1", "\"answers_per_second\": 2", "\"dials\": 5",
        "\"reused\": 2", "\"body_bytes\": 52", "\"99.9\": 3000", "\"200\": 3", "\"404\": 1"}) {
    EXPECT_NE(text.find(member), std::string::npos) << member << " is not in\n" << text;
  }
  EXPECT_FALSE(apps::check_json(text_of(write_json, {}, Tally{})));
}

TEST(LoadReport, FitsWhateverWasCounted) {
  Tally tally;
  for (std::size_t status = 0; status < Tally::status_count; ++status) {
    tally.add_answer(static_cast<int>(status), port::Duration{std::int64_t{1} << (status % 40)});
  }
  for (auto& stage : tally.errors) {
    stage.fill(std::numeric_limits<std::uint64_t>::max());
  }
  tally.failures = 1;
  const std::string url(url_size_max, '\x01');
  EXPECT_GT(text_of(write_text, {.method = "GET", .url = url}, tally).size(), 2000U);
  EXPECT_GT(text_of(write_json, {.method = "GET", .url = url}, tally).size(), 20'000U);
}

// ---- the request

struct Applied {
  http::CallCause cause;
  std::string at;
  std::string fields;
  std::string host;
};

Applied applied(const Request& request) {
  http::RoundTripStorage<64, 64> memory;
  http::ClientRequest to{memory.memory().url, memory.memory().fields};
  std::string_view at;
  Applied result;
  result.cause = apply(request, to, at);
  result.at = at;
  result.fields = to.field_lines();
  result.host = to.host();
  return result;
}

TEST(LoadRequest, TakesFieldsAndHost) {
  const std::array<std::string_view, 3> fields{"Accept:  text/html ", "host: other:8080", "X-Empty:"};
  const Applied request = applied({.method = "PUT", .url = "http://h/a", .fields = fields, .body = "x"});
  EXPECT_EQ(request.cause, http::CallCause::none);
  EXPECT_EQ(request.fields, "Accept: text/html\r\nX-Empty: \r\n");
  EXPECT_EQ(request.host, "other:8080");
}

TEST(LoadRequest, SaysWhatIsWrong) {
  const std::array<std::string_view, 1> bad_name{"A B: c"};
  const std::array<std::string_view, 1> no_colon{"nothing"};
  const std::array<std::string_view, 1> not_ours{"Content-Length: 3"};
  const std::string long_value = "A: " + std::string(100, 'x');
  const std::array<std::string_view, 1> too_long{long_value};
  const std::string long_url = "http://h/" + std::string(100, 'x');
  struct Case {
    Request request;
    std::string at;
    http::CallCause cause;
  };
  const Case cases[] = {
      {{.method = "GET", .url = "h/a"}, "URL", http::CallCause::bad_scheme},
      {{.method = "GET", .url = "ftp://h/a"}, "URL", http::CallCause::bad_scheme},
      {{.method = "GET", .url = "http:///a"}, "URL", http::CallCause::bad_host},
      {{.method = "GET", .url = long_url}, "URL", http::CallCause::url_too_long},
      {{.method = "G T", .url = "http://h/a"}, "-X", http::CallCause::bad_method},
      {{.method = "GET", .url = "http://h/a", .fields = bad_name}, "-H", http::CallCause::bad_field},
      {{.method = "GET", .url = "http://h/a", .fields = no_colon}, "-H", http::CallCause::bad_field},
      {{.method = "GET", .url = "http://h/a", .fields = not_ours}, "-H", http::CallCause::bad_field},
      {{.method = "GET", .url = "http://h/a", .fields = too_long}, "-H", http::CallCause::fields_too_long},
  };
  for (const Case& c : cases) {
    const Applied request = applied(c.request);
    EXPECT_EQ(request.cause, c.cause) << http::describe(request.cause) << ": " << c.request.url;
    EXPECT_EQ(request.at, c.at) << c.request.url;
  }
}

}  // namespace
}  // namespace pollux::load
