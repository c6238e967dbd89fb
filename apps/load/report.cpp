#include "apps/load/report.hpp"

#include <array>
#include <cmath>
#include <cstddef>

#include "apps/support/json.hpp"
#include "stack/wire/status.hpp"

namespace pollux::load {

namespace {

struct Percentile {
  std::uint32_t per_mille;
  std::string_view name;
};
constexpr std::array<Percentile, 6> percentiles{{
    {500, "50"},
    {750, "75"},
    {900, "90"},
    {950, "95"},
    {990, "99"},
    {999, "99.9"},
}};

// How many different causes are printed; further ones are summed up. A run that fails fails in few ways.
constexpr std::size_t causes_shown_max = 32;
constexpr std::size_t bar_width = 50;

void put_padded(base::TextWriter& out, std::string_view text, std::size_t width) noexcept {
  for (std::size_t i = text.size(); i < width; ++i) {
    out.put(' ');
  }
  out.put(text);
}

void put_padded(base::TextWriter& out, std::uint64_t value, std::size_t width) noexcept {
  put_padded(out, base::Decimal{value}.view(), width);
}

void put_padded(base::TextWriter& out, port::Duration value, std::size_t width) noexcept {
  std::array<char, 32> memory{};
  base::TextWriter text{memory};
  put_duration(text, value);
  put_padded(out, text.view(), width);
}

// Three figures: whole ones from 100 on, two decimals below 10. `value` is in thousandths of the unit.
void put_figures(base::TextWriter& out, std::uint64_t thousandths, std::string_view unit) noexcept {
  const int decimals = thousandths < 9'995 ? 2 : thousandths < 99'950 ? 1 : 0;
  const std::uint64_t step = decimals == 2 ? 10 : decimals == 1 ? 100 : 1000;
  const std::uint64_t scaled = (thousandths + step / 2) / step;
  const std::uint64_t one = 1000 / step;
  out.put_decimal(scaled / one);
  if (decimals > 0) {
    out.put('.');
    if (decimals == 2 && scaled % one < 10) {
      out.put('0');
    }
    out.put_decimal(scaled % one);
  }
  out.put(' ').put(unit);
}

[[nodiscard]] std::uint64_t rounded(double value) noexcept {
  return static_cast<std::uint64_t>(std::llround(value));
}

// Calls show(stage, cause, count) for each cause that occurred, in the order of the stages.
template <typename Show>
void for_each_cause(const Tally& tally, const Show& show) {
  for (std::size_t stage = 0; stage < Tally::stage_count; ++stage) {
    for (std::size_t cause = 0; cause < Tally::cause_count; ++cause) {
      if (tally.errors[stage][cause] > 0) {
        show(static_cast<http::CallStage>(stage), static_cast<http::CallCause>(cause), tally.errors[stage][cause]);
      }
    }
  }
}

// Rows from the one with the smallest to the one with the largest value.
struct Rows {
  std::size_t first = 0;
  std::size_t end = 0;
};
Rows rows_of(const LatencyHistogram& latencies) noexcept {
  Rows rows;
  if (latencies.count() == 0) {
    return rows;
  }
  while (rows.first + 1 < histogram_rows && row_begin(rows.first + 1) <= latencies.min()) {
    ++rows.first;
  }
  rows.end = rows.first + 1;
  while (rows.end < histogram_rows && row_begin(rows.end) <= latencies.max()) {
    ++rows.end;
  }
  return rows;
}

void put_histogram(const LatencyHistogram& latencies, base::TextWriter& out) noexcept {
  const Rows rows = rows_of(latencies);
  std::uint64_t most = 1;
  for (std::size_t row = rows.first; row < rows.end; ++row) {
    const std::uint64_t count = latencies.count_between(row_begin(row), row_begin(row + 1));
    most = count > most ? count : most;
  }
  for (std::size_t row = rows.first; row < rows.end; ++row) {
    const std::uint64_t count = latencies.count_between(row_begin(row), row_begin(row + 1));
    put_padded(out, row_begin(row), 10);
    out.put(" ..");
    put_padded(out, row_begin(row + 1), 8);
    put_padded(out, count, 12);
    out.put("  |");
    // Something that occurred is seen: at least one sign.
    const std::uint64_t signs =
        count == 0
            ? 0
            : 1 + rounded(static_cast<double>(count) / static_cast<double>(most) * static_cast<double>(bar_width - 1));
    for (std::uint64_t i = 0; i < signs; ++i) {
      out.put('#');
    }
    out.put('\n');
  }
}

void put_errors(const Tally& tally, base::TextWriter& out) noexcept {
  std::size_t shown = 0;
  std::uint64_t others = 0;
  out.put("\nErrors\n");
  for_each_cause(tally, [&](http::CallStage stage, http::CallCause cause, std::uint64_t count) {
    if (shown++ >= causes_shown_max) {
      others += count;
      return;
    }
    put_padded(out, count, 12);
    out.put("  ").put(http::describe(cause)).put(' ').put(http::describe(stage)).put('\n');
  });
  if (others > 0) {
    put_padded(out, others, 12);
    out.put("  of other causes\n");
  }
}

void put_rate(base::TextWriter& out, std::string_view name, std::uint64_t bytes, port::Duration elapsed) noexcept {
  out.put(name);
  put_bytes(out, bytes);
  out.put(", ");
  put_bytes(out, rounded(per_second(bytes, elapsed)));
  out.put(" a second\n");
}

}  // namespace

double per_second(std::uint64_t count, port::Duration elapsed) noexcept {
  const double nanoseconds = elapsed.count() < 1 ? 1.0 : static_cast<double>(elapsed.count());
  return static_cast<double>(count) * 1e9 / nanoseconds;
}

port::Duration row_begin(std::size_t row) noexcept {
  if (row == 0) {
    return {};
  }
  constexpr std::array<port::Duration::rep, 3> steps{1, 2, 5};
  port::Duration::rep value = steps[(row - 1) % 3];
  for (std::size_t i = 0; i < (row - 1) / 3; ++i) {
    value *= 10;
  }
  return port::Duration{value};
}

void put_duration(base::TextWriter& out, port::Duration duration) noexcept {
  const auto ns = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  // The limits are where three figures would round up to the next unit.
  if (ns < 1000) {
    out.put_decimal(ns).put(" ns");
  } else if (ns < 999'500) {
    put_figures(out, ns, "us");
  } else if (ns < 999'500'000) {
    put_figures(out, ns / 1000, "ms");
  } else {
    put_figures(out, ns / 1'000'000, "s");
  }
}

void put_bytes(base::TextWriter& out, std::uint64_t bytes) noexcept {
  constexpr std::array<std::string_view, 4> units{"kB", "MB", "GB", "TB"};
  if (bytes < 1000) {
    out.put_decimal(bytes).put(" B");
    return;
  }
  std::uint64_t thousandths = bytes;
  std::size_t unit = 0;
  while (thousandths >= 999'500 && unit + 1 < units.size()) {
    thousandths /= 1000;
    ++unit;
  }
  put_figures(out, thousandths, units[unit]);
}

void write_line(const Report& report, const Tally& tally, base::TextWriter& out) noexcept {
  out.put_decimal(tally.answers).put(tally.answers == 1 ? " answer in " : " answers in ");
  put_duration(out, report.elapsed);
  out.put(", ").put_decimal(rounded(per_second(tally.answers, report.elapsed))).put(" a second, ");
  if (tally.failures == 0) {
    out.put("no errors");
  } else {
    out.put_decimal(tally.failures).put(tally.failures == 1 ? " error" : " errors");
  }
  if (tally.cut_off > 0) {
    out.put(", ").put_decimal(tally.cut_off).put(" cut off");
  }
  out.put(report.interrupted ? " (interrupted)\n" : "\n");
}

void write_text(const Report& report, const Tally& tally, base::TextWriter& out) noexcept {
  out.put(report.method).put(' ').put(report.url).put("\n");
  write_line(report, tally, out);
  out.put("\nConnections  ")
      .put_decimal(report.connections)
      .put(" at a time, ")
      .put_decimal(report.dials)
      .put(" dialed");
  if (report.dials_failed > 0) {
    out.put(" (").put_decimal(report.dials_failed).put(" of them in vain)");
  }
  out.put("; ").put_decimal(tally.reused).put(" answers over one that had served before");
  if (tally.retried > 0) {
    out.put("; ").put_decimal(tally.retried).put(" requests sent again");
  }
  if (report.tls_handshakes > 0) {
    out.put("\nTLS          ").put_decimal(report.tls_handshakes).put(" handshakes, ");
    out.put_decimal(report.tls_resumed).put(" of them resumed");
  }
  put_rate(out, "\nSent         ", report.bytes_sent, report.elapsed);
  put_rate(out, "Received     ", report.bytes_received, report.elapsed);
  out.put("Bodies       ");
  put_bytes(out, tally.body_bytes);
  out.put('\n');
  const LatencyHistogram& latencies = tally.latencies;
  if (latencies.count() > 0) {
    out.put("\nLatency      least ");
    put_duration(out, latencies.min());
    out.put(", mean ");
    put_duration(out, latencies.mean());
    out.put('\n');
    for (const Percentile& one : percentiles) {
      put_padded(out, one.name, 8);
      out.put(" %");
      put_padded(out, latencies.percentile(one.per_mille), 12);
      out.put('\n');
    }
    put_padded(out, "longest", 10);
    put_padded(out, latencies.max(), 12);
    out.put("\n\n");
    put_histogram(latencies, out);
    out.put("\nStatus\n");
    std::size_t shown = 0;
    std::uint64_t others = 0;
    for (std::size_t status = 0; status < Tally::status_count; ++status) {
      if (tally.statuses[status] == 0) {
        continue;
      }
      if (shown++ >= causes_shown_max) {
        others += tally.statuses[status];
        continue;
      }
      put_padded(out, tally.statuses[status], 12);
      out.put("  ").put_decimal(status).put(' ').put(wire::reason_phrase(static_cast<int>(status))).put('\n');
    }
    if (others > 0) {
      put_padded(out, others, 12);
      out.put("  of other codes\n");
    }
  }
  if (tally.failures > 0) {
    put_errors(tally, out);
  }
}

void write_json(const Report& report, const Tally& tally, base::TextWriter& out) noexcept {
  const auto microseconds = [](port::Duration duration) { return static_cast<double>(duration.count()) / 1e3; };
  const LatencyHistogram& latencies = tally.latencies;
  apps::JsonWriter json{apps::json_sink(out), apps::JsonStyle::indented};
  json.begin_object().member("method", report.method).member("url", report.url);
  json.member("connections", report.connections).member("interrupted", report.interrupted);
  json.member("seconds", static_cast<double>(report.elapsed.count()) / 1e9, 6);
  json.member("answers", tally.answers).member("errors", tally.failures).member("cut_off", tally.cut_off);
  json.member("answers_per_second", per_second(tally.answers, report.elapsed), 1);
  json.member("dials", report.dials).member("dials_failed", report.dials_failed);
  json.member("tls_handshakes", report.tls_handshakes).member("tls_resumed", report.tls_resumed);
  json.member("reused", tally.reused).member("retried", tally.retried);
  json.member("bytes_sent", report.bytes_sent).member("bytes_received", report.bytes_received);
  json.member("body_bytes", tally.body_bytes);

  json.key("latency_us").begin_object();
  if (latencies.count() > 0) {
    json.member("min", microseconds(latencies.min()), 3).member("mean", microseconds(latencies.mean()), 3);
    for (const Percentile& one : percentiles) {
      json.member(one.name, microseconds(latencies.percentile(one.per_mille)), 3);
    }
    json.member("max", microseconds(latencies.max()), 3);
  }
  json.end_object();

  json.key("histogram").begin_array();
  const Rows rows = rows_of(latencies);
  for (std::size_t row = rows.first; row < rows.end; ++row) {
    json.begin_object().member("from_us", microseconds(row_begin(row)), 3);
    json.member("below_us", microseconds(row_begin(row + 1)), 3);
    json.member("count", latencies.count_between(row_begin(row), row_begin(row + 1))).end_object();
  }
  json.end_array();

  json.key("statuses").begin_object();
  for (std::size_t status = 0; status < Tally::status_count; ++status) {
    if (tally.statuses[status] > 0) {
      json.member(base::Decimal{status}.view(), tally.statuses[status]);
    }
  }
  json.end_object();

  json.key("causes").begin_array();
  for_each_cause(tally, [&](http::CallStage stage, http::CallCause cause, std::uint64_t count) {
    json.begin_object().member("cause", http::describe(cause)).member("stage", http::describe(stage));
    json.member("count", count).end_object();
  });
  json.end_array().end_object();
  out.put('\n');
}

}  // namespace pollux::load
