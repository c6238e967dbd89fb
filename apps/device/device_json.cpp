#include "apps/device/device_json.hpp"

#include <array>
#include <chrono>

#include "port/address.hpp"
#include "stack/wire/date.hpp"

namespace pollux::device {

namespace {

double seconds(port::Duration duration) noexcept {
  return std::chrono::duration<double>{duration}.count();
}

// "2026-11-21T08:15:00Z" (RFC 3339); null outside of the years 1 to 9999.
void write_time(apps::JsonWriter& json, std::string_view name, port::WallTime time) noexcept {
  json.key(name);
  if (time < wire::date_min || time > wire::date_max) {
    json.null();
    return;
  }
  const wire::CivilTime civil = wire::to_civil_time(time);
  std::array<char, 24> memory{};
  base::TextWriter text{memory};
  const auto put = [&text](std::int32_t value, std::size_t digits, char before) {
    const base::Decimal decimal{static_cast<std::uint64_t>(value)};
    if (before != '\0') {
      text.put(before);
    }
    text.put(std::string_view{"0000"}.substr(0, digits - decimal.view().size())).put(decimal.view());
  };
  put(civil.year, 4, '\0');
  put(civil.month, 2, '-');
  put(civil.day, 2, '-');
  put(civil.hour, 2, 'T');
  put(civil.minute, 2, ':');
  put(civil.second, 2, ':');
  json.text(text.put('Z').view());
}

// null for a source that is missing.
void write_text(apps::JsonWriter& json, std::string_view name, std::string_view text) noexcept {
  json.key(name);
  text.empty() ? json.null() : json.text(text);
}

void write_space(apps::JsonWriter& json, const std::optional<Space>& space) noexcept {
  json.key("total");
  space ? json.number(space->total) : json.null();
  json.key("available");
  space ? json.number(space->available) : json.null();
}

void write_interface(apps::JsonWriter& json, const Interface& interface) noexcept {
  json.begin_object().member("name", interface.name.view()).member("is_up", interface.is_up);
  write_text(json, "mac", interface.mac.view());
  json.key("addresses").begin_array();
  for (const InterfaceAddress& address : interface.addresses) {
    std::array<char, port::address_text_max> memory{};
    std::array<char, port::address_text_max + 4> with_prefix{};
    base::TextWriter text{with_prefix};
    text.put(port::format_ip(address.address, memory)).put('/').put_decimal(address.prefix);
    json.text(text.view());
  }
  json.end_array().end_object();
}

void write_board(apps::JsonWriter& json, const BoardFacts& facts) noexcept {
  if (facts.board == nullptr) {
    json.null();
    return;
  }
  json.begin_object().member("name", facts.board->name).member("title", facts.board->title).key("watchdog");
  if (facts.watchdog == nullptr || !facts.watchdog->is_running()) {
    json.null().end_object();
    return;
  }
  const HardwareWatchdog& watchdog = *facts.watchdog;
  json.begin_object().member("device", watchdog.device());
  write_text(json, "identity", watchdog.identity());
  json.member("timeout_s", watchdog.seconds()).member("failures", watchdog.failures()).key("has_reset");
  watchdog.has_reset() ? json.boolean(*watchdog.has_reset()) : json.null();
  json.end_object().end_object();
}

void write_pool(apps::JsonWriter& json, std::string_view name, const http::PoolUse& use) noexcept {
  json.begin_object().member("name", name).member("used", use.used).member("used_max", use.used_max);
  json.member("size", use.size).end_object();
}

void write_counters(apps::JsonWriter& json, const http::ServerCounters& counters) noexcept {
  json.begin_object().member("accepted", counters.accepted).member("requests", counters.requests);
  json.member("bytes_in", counters.bytes_in).member("bytes_out", counters.bytes_out);
  json.member("accept_errors", counters.accept_errors).member("listener_parked", counters.listener_parked);
  json.member("exchange_waits", counters.exchange_waits).member("late_heads", counters.late_heads);
  json.key("answers").begin_object();
  constexpr std::string_view classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 0; i < std::size(classes); ++i) {
    json.member(classes[i], counters.answers[i]);
  }
  json.end_object().key("closes").begin_object();
  for (std::size_t i = 0; i < http::close_reason_count; ++i) {
    json.member(http::describe(static_cast<http::CloseReason>(i)), counters.closes[i]);
  }
  json.end_object().end_object();
}

void write_close(apps::JsonWriter& json, const http::CloseRecord& close, port::Time now, port::WallTime time) noexcept {
  const port::Duration ago = now - close.at;
  const auto whole_seconds = std::chrono::duration_cast<std::chrono::seconds>(ago).count();
  json.begin_object();
  write_time(json, "at", {.seconds = time.seconds - whole_seconds});
  std::array<char, port::address_text_max> memory{};
  json.member("ago_s", seconds(ago), 1).member("remote", port::format_address(close.remote, memory));
  json.member("lived_s", seconds(close.lived), 3).member("requests", close.requests);
  json.member("bytes_in", close.bytes_in).member("bytes_out", close.bytes_out);
  json.member("reason", http::describe(close.reason)).end_object();
}

#if POLLUX_TLS
void write_certificate(apps::JsonWriter& json, const tls::CertificateInfo& info, port::WallTime now) noexcept {
  json.begin_object().member("subject", info.subject.view()).member("issuer", info.issuer.view());
  write_time(json, "not_before", {.seconds = info.not_before});
  write_time(json, "not_after", {.seconds = info.not_after});
  json.member("days_left", tls::days_to_expiry(info, now));
  std::array<char, tls::fingerprint_text_size> memory{};
  json.member("sha256", tls::write_fingerprint(info.fingerprint, memory)).end_object();
}

void write_tls(apps::JsonWriter& json, const TlsFacts& facts, port::WallTime now) noexcept {
  if (facts.context == nullptr) {
    json.null();
    return;
  }
  const tls::ServerTlsCounters& counters = facts.context->counters();
  json.begin_object().member("handshakes", counters.handshakes).member("resumed", counters.resumed);
  json.member("failed", counters.failed).member("waited", counters.waited).member("plain_http", counters.plain_http);
  json.member("reloads", counters.reloads).member("under_way", facts.context->handshakes_under_way());
  json.key("arena").begin_object().member("used", facts.arena.used).member("used_max", facts.arena.used_max);
  json.member("size", facts.arena.size).end_object();
  json.key("certificates").begin_array();
  for (const tls::CertificateInfo& info : facts.context->certificates()) {
    write_certificate(json, info, now);
  }
  json.end_array().end_object();
}
#else
void write_tls(apps::JsonWriter& json, const TlsFacts&, port::WallTime) noexcept {
  json.null();
}
#endif

}  // namespace

void write_status(apps::JsonWriter& json, const BoardInfo& info, const BoardFacts& facts, port::WallTime now) noexcept {
  json.begin_object().member("model", info.model.view());
  write_text(json, "hostname", info.hostname.view());
  json.key("kernel").begin_object();
  write_text(json, "name", info.kernel.view());
  write_text(json, "release", info.kernel_release.view());
  write_text(json, "machine", info.machine.view());
  json.end_object().key("time").begin_object();
  write_time(json, "utc", now);
  json.member("unix", now.seconds).member("is_set", is_clock_set(now.seconds)).key("is_synchronised");
  info.clock_synchronised ? json.boolean(*info.clock_synchronised) : json.null();
  json.end_object().key("uptime_s");
  info.uptime_s ? json.number(*info.uptime_s, 2) : json.null();
  json.key("cpus");
  info.cpus ? json.number(*info.cpus) : json.null();
  json.key("load");
  if (info.load) {
    json.begin_array();
    for (const double average : *info.load) {
      json.number(average, 2);
    }
    json.end_array();
  } else {
    json.null();
  }
  json.key("memory").begin_object();
  write_space(json, info.memory);
  json.key("process");
  info.resident ? json.number(*info.resident) : json.null();
  json.end_object().key("disk").begin_object();
  write_space(json, info.disk);
  json.end_object().key("temperatures").begin_array();
  for (const Temperature& temperature : info.temperatures) {
    json.begin_object().member("name", temperature.name.view());
    json.member("celsius", temperature.millidegrees / 1000.0, 1).end_object();
  }
  json.end_array().key("board");
  write_board(json, facts);
  json.key("interfaces");
  if (info.interfaces) {
    json.begin_array();
    for (const Interface& interface : *info.interfaces) {
      write_interface(json, interface);
    }
    json.end_array();
  } else {
    json.null();
  }
  json.end_object();
}

void write_pollux(apps::JsonWriter& json, const ServerFacts& facts, port::WallTime time) noexcept {
  const http::Server& server = facts.server;
  const port::Time now = server.loop().now();
  json.begin_object().member("version", POLLUX_VERSION).member("uptime_s", seconds(now - facts.started), 1);
  json.member("turns", server.loop().turns());
  json.key("pools").begin_array();
  write_pool(json, "connections", server.connections());
  write_pool(json, "exchanges", server.exchanges());
  write_pool(json, "documents", facts.documents);
  if (facts.tls.context != nullptr) {
    write_pool(json, "TLS sessions", tls_sessions(*facts.tls.context));
  }
  json.end_array().key("memory").begin_object();
  json.member("server", facts.server_memory).member("loop", facts.loop_memory).member("device", facts.device_memory);
  json.member("tls", facts.tls_memory);
  json.member("sum", facts.server_memory + facts.loop_memory + facts.device_memory + facts.tls_memory).end_object();
  json.key("tls");
  write_tls(json, facts.tls, time);
  json.key("counters");
  write_counters(json, server.counters());
  json.key("last_closes").begin_array();
  std::size_t count = 0;
  server.for_each_close([&count](const http::CloseRecord&) { ++count; });
  server.for_each_close([&](const http::CloseRecord& close) {
    if (count-- <= closes_shown_max) {
      write_close(json, close, now, time);
    }
  });
  json.end_array().end_object();
}

void write_led(apps::JsonWriter& json, const Led& led, std::string_view label) noexcept {
  json.begin_object().member("name", led.name.view()).member("brightness", led.brightness);
  json.member("max_brightness", led.brightness_max).key("trigger");
  led.trigger ? json.text(led.trigger->view()) : json.null();
  if (!label.empty()) {
    json.member("label", label);
  }
  json.end_object();
}

void write_gpio(apps::JsonWriter& json, const GpioLine& line, int value) noexcept {
  json.begin_object().member("name", line.name).member("chip", line.chip).member("line", line.offset);
  json.key("direction");
  if (line.descriptor < 0) {
    json.null();
  } else {
    json.text(line.claim == board::Claim::output ? "out" : "in");
  }
  json.key("value");
  value < 0 ? json.null() : json.number(value);
  json.member("active_low", line.is_active_low).key("error");
  // That nobody asked for it is no error.
  const bool is_wrong = line.fault != GpioFault::none && line.fault != GpioFault::not_claimed;
  is_wrong ? json.text(describe(line.fault)) : json.null();
  json.end_object();
}

void write_firmware(apps::JsonWriter& json, const FirmwareInfo& info) noexcept {
  json.begin_object().member("size", info.size);
  write_time(json, "modified", info.modified);
  json.end_object();
}

void write_error(apps::JsonWriter& json, const apps::JsonError& error) noexcept {
  json.begin_object().key("error").begin_object().member("status", 400).member("message", error.reason());
  json.member("offset", error.offset).member("line", error.line).member("column", error.column);
  json.end_object().end_object();
}

}  // namespace pollux::device
