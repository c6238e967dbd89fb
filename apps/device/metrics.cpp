// Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
#include <array>
#include <chrono>

#include "apps/device/device_json.hpp"

namespace pollux::device {

namespace {

class Metrics {
 public:
  explicit Metrics(base::TextWriter& text) noexcept : text_{text} {}

  Metrics& begin(std::string_view name, std::string_view type, std::string_view help) noexcept {
    name_ = name;
    text_.put("# HELP ").put(name).put(' ').put(help).put("\n# TYPE ").put(name).put(' ').put(type).put('\n');
    return *this;
  }
  Metrics& sample(std::uint64_t value) noexcept {
    text_.put(name_).put(' ').put_decimal(value).put('\n');
    return *this;
  }
  Metrics& sample(double value) noexcept {
    text_.put(name_).put(' ');
    return real(value);
  }
  Metrics& sample(std::string_view label, std::string_view label_value, std::uint64_t value) noexcept {
    labels(label, label_value);
    text_.put_decimal(value).put('\n');
    return *this;
  }
  Metrics& sample(std::string_view label, std::string_view label_value, double value) noexcept {
    labels(label, label_value);
    return real(value);
  }

 private:
  void labels(std::string_view label, std::string_view value) noexcept {
    text_.put(name_).put('{').put(label).put("=\"");
    for (const char c : value) {
      if (c == '\\' || c == '"') {
        text_.put('\\');
      }
      text_.put(c == '\n' ? ' ' : c);
    }
    text_.put("\"} ");
  }
  Metrics& real(double value) noexcept {
    std::array<char, 32> memory{};
    base::TextWriter number{memory};
    apps::JsonWriter{apps::json_sink(number)}.number(value, 3);
    text_.put(number.view() == "null" ? "NaN" : number.view()).put('\n');
    return *this;
  }

  base::TextWriter& text_;
  std::string_view name_;
};

void write_board(Metrics& metrics, const BoardInfo& info) noexcept {
  if (info.uptime_s) {
    metrics.begin("device_uptime_seconds", "gauge", "Time since the machine started.").sample(*info.uptime_s);
  }
  if (info.load) {
    metrics.begin("device_load1", "gauge", "Load average over one minute.").sample((*info.load)[0]);
  }
  if (info.memory) {
    metrics.begin("device_memory_total_bytes", "gauge", "Memory of the machine.").sample(info.memory->total);
    metrics.begin("device_memory_available_bytes", "gauge", "Memory that programs may still use.")
        .sample(info.memory->available);
  }
  if (info.disk) {
    metrics.begin("device_disk_total_bytes", "gauge", "Size of the root file system.").sample(info.disk->total);
    metrics.begin("device_disk_available_bytes", "gauge", "Free in the root file system.").sample(info.disk->available);
  }
  if (info.temperatures.size() > 0) {
    metrics.begin("device_temperature_celsius", "gauge", "Temperature of a thermal zone.");
    for (const Temperature& temperature : info.temperatures) {
      metrics.sample("zone", temperature.name.view(), temperature.millidegrees / 1000.0);
    }
  }
  if (info.resident) {
    metrics.begin("process_resident_memory_bytes", "gauge", "Memory of this process.").sample(*info.resident);
  }
}

// Lines that are held and can be read.
void write_gpio(Metrics& metrics, const Gpio& gpio) noexcept {
  bool has_begun = false;
  for (const GpioLine& line : gpio.lines()) {
    const int value = line.descriptor >= 0 ? gpio.get(line) : -1;
    if (value < 0) {
      continue;
    }
    if (!has_begun) {
      metrics.begin("device_gpio_value", "gauge", "Value of a GPIO line, 0 or 1.");
      has_begun = true;
    }
    metrics.sample("line", line.name, static_cast<std::uint64_t>(value));
  }
}

void write_watchdog(Metrics& metrics, const HardwareWatchdog& watchdog) noexcept {
  metrics.begin("device_watchdog_timeout_seconds", "gauge", "Time in which the watchdog has to be fed.")
      .sample(std::uint64_t{watchdog.seconds()});
  metrics.begin("device_watchdog_failures_total", "counter", "How often it could not be fed.")
      .sample(watchdog.failures());
  if (watchdog.has_reset()) {
    metrics.begin("device_watchdog_has_reset", "gauge", "1: the watchdog caused the last start of the machine.")
        .sample(std::uint64_t{*watchdog.has_reset() ? 1U : 0U});
  }
}

void write_pool(Metrics& metrics, std::string_view name, std::string_view help, const http::PoolUse& use) noexcept {
  metrics.begin(name, "gauge", help);
  metrics.sample("state", "used", std::uint64_t{use.used}).sample("state", "used_max", std::uint64_t{use.used_max});
  metrics.sample("state", "size", std::uint64_t{use.size});
}

void write_server(Metrics& metrics, const ServerFacts& facts) noexcept {
  const http::Server& server = facts.server;
  const http::ServerCounters& counters = server.counters();
  const std::chrono::duration<double> uptime{server.loop().now() - facts.started};
  metrics.begin("pollux_uptime_seconds", "gauge", "Time since this program started.").sample(uptime.count());
  metrics.begin("pollux_turns_total", "counter", "Turns of the loop.").sample(server.loop().turns());
  write_pool(metrics, "pollux_connections", "Slots for connections: used now, the most ever used, all.",
             server.connections());
  write_pool(metrics, "pollux_exchanges", "Slots for requests in progress: used now, the most ever used, all.",
             server.exchanges());
  metrics.begin("pollux_accepted_total", "counter", "Connections accepted.").sample(counters.accepted);
  metrics.begin("pollux_requests_total", "counter", "Requests whose head was read.").sample(counters.requests);
  metrics.begin("pollux_received_bytes_total", "counter", "Bytes received.").sample(counters.bytes_in);
  metrics.begin("pollux_sent_bytes_total", "counter", "Bytes sent.").sample(counters.bytes_out);
  metrics.begin("pollux_answers_total", "counter", "Answers by the class of their status.");
  constexpr std::string_view classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 0; i < std::size(classes); ++i) {
    metrics.sample("class", classes[i], counters.answers[i]);
  }
  metrics.begin("pollux_closes_total", "counter", "Connections that ended, by reason.");
  for (std::size_t i = 0; i < http::close_reason_count; ++i) {
    metrics.sample("reason", http::describe(static_cast<http::CloseReason>(i)), counters.closes[i]);
  }
}

#if POLLUX_TLS
void write_tls(Metrics& metrics, const TlsFacts& facts, port::WallTime now) noexcept {
  const tls::ServerTlsCounters& counters = facts.context->counters();
  write_pool(metrics, "pollux_tls_sessions", "Slots for TLS connections: used now, the most ever used, all.",
             tls_sessions(*facts.context));
  metrics.begin("pollux_tls_handshakes_total", "counter", "TLS handshakes, by how they ended.");
  metrics.sample("kind", "full", counters.handshakes - counters.resumed).sample("kind", "resumed", counters.resumed);
  metrics.sample("kind", "failed", counters.failed - counters.plain_http);
  metrics.sample("kind", "plain_http", counters.plain_http);
  metrics.begin("pollux_tls_waits_total", "counter", "TLS connections that had to wait for their handshake.")
      .sample(counters.waited);
  metrics.begin("pollux_tls_arena_bytes", "gauge", "Memory of TLS: used now, the most ever used, all.");
  metrics.sample("state", "used", std::uint64_t{facts.arena.used});
  metrics.sample("state", "used_max", std::uint64_t{facts.arena.used_max});
  metrics.sample("state", "size", std::uint64_t{facts.arena.size});
  metrics.begin("pollux_tls_certificate_days_left", "gauge", "Days until a certificate expires; negative: since.");
  for (const tls::CertificateInfo& info : facts.context->certificates()) {
    metrics.sample("subject", info.subject.view(), static_cast<double>(tls::days_to_expiry(info, now)));
  }
}
#else
void write_tls(Metrics&, const TlsFacts&, port::WallTime) noexcept {}
#endif

}  // namespace

void write_metrics(base::TextWriter& text, const BoardInfo& info, const ServerFacts& facts,
                   port::WallTime time) noexcept {
  Metrics metrics{text};
  write_board(metrics, info);
  if (facts.gpio != nullptr) {
    write_gpio(metrics, *facts.gpio);
  }
  if (facts.watchdog != nullptr && facts.watchdog->is_running()) {
    write_watchdog(metrics, *facts.watchdog);
  }
  write_server(metrics, facts);
  if (facts.tls.context != nullptr) {
    write_tls(metrics, facts.tls, time);
  }
}

}  // namespace pollux::device
