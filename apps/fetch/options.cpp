#include "apps/fetch/options.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "apps/fetch/option_table.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"

#ifndef POLLUX_VERSION
#define POLLUX_VERSION "0"
#endif

#if POLLUX_TLS
#define POLLUX_HTTPS " https"
#define POLLUX_SSL " SSL"
#else
#define POLLUX_HTTPS ""
#define POLLUX_SSL ""
#endif

namespace pollux::fetch {
namespace {

constexpr std::string_view try_help = "pollux-fetch: try 'pollux-fetch --help' for more information\n";

Ended refused(std::string_view option, const Refusal& refusal) {
  std::string message = "pollux-fetch: option ";
  message.append(option).append(": ").append(refusal.text).append("\n").append(try_help);
  return {.status = refusal.status, .output = {}, .message = std::move(message)};
}

Ended version() {
  return {.status = 0,
          .output = "pollux-fetch " POLLUX_VERSION "\nProtocols: http" POLLUX_HTTPS
                    "\nFeatures: gzip IPv6 SOCKS5" POLLUX_SSL " UnixSockets\n",
          .message = {}};
}

Ended help() {
  std::string text = "Usage: pollux-fetch [options...] <url>...\nWhat curl does with these options, over HTTP/1.1.\n\n";
  for (const OptionEntry& entry : option_table()) {
    if (entry.help.empty()) {
      continue;
    }
    std::string line = entry.letter == 0 ? "     " : std::string{" -"} + entry.letter + ", ";
    line.append("--").append(entry.name);
    if (entry.takes_value()) {
      line.append(" <").append(entry.parameter).append(">");
    }
    line.resize(std::max<std::size_t>(line.size() + 1, 34), ' ');
    text.append(line).append(" ").append(entry.help).append("\n");
  }
  text.append(" -h, --help                         Show this text\n");
  text.append(" -V, --version                      Show the version\n");
  return {.status = 0, .output = std::move(text), .message = {}};
}

const OptionEntry* find(char letter) {
  const auto table = option_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const OptionEntry& e) { return e.letter == letter; });
  return found == table.end() ? nullptr : &*found;
}

struct Found {
  const OptionEntry* entry = nullptr;
  bool is_ambiguous = false;
};
// By its whole name, or by a beginning of it that no other name has.
Found find(std::string_view name) {
  Found found;
  for (const OptionEntry& entry : option_table()) {
    if (entry.name == name) {
      return {.entry = &entry, .is_ambiguous = false};
    }
    if (entry.name.starts_with(name)) {
      found.is_ambiguous = found.entry != nullptr;
      found.entry = &entry;
    }
  }
  return found;
}

class Parser {
 public:
  Parser(Options& options, std::span<const char* const> arguments, Warnings& warnings)
      : options_{options}, arguments_{arguments}, warnings_{warnings} {}

  std::optional<Ended> run() {
    bool only_urls = false;
    while (next_ < arguments_.size()) {
      const std::string_view argument = arguments_[next_++];
      std::optional<Ended> ended;
      if (only_urls || !argument.starts_with('-')) {
        options_.urls.emplace_back(argument);
      } else if (argument == "--") {
        only_urls = true;
      } else if (argument.starts_with("--")) {
        ended = long_option(argument);
      } else {
        ended = letters(argument);
      }
      if (ended) {
        return ended;
      }
    }
    return check();
  }

 private:
  std::optional<Ended> apply(const OptionEntry& entry, std::string_view shown, std::string_view value, bool on) {
    if (entry.flag != nullptr) {
      options_.*entry.flag = on;
    } else if (entry.text != nullptr) {
      options_.*entry.text = std::string{value};
    } else if (entry.handle != nullptr) {
      const Refusal refusal = entry.handle({.options = options_, .warnings = warnings_, .value = value, .on = on});
      if (!refusal.text.empty()) {
        return refused(shown, refusal);
      }
    }
    return std::nullopt;
  }

  // The value of an option that needs one and stands alone.
  std::optional<std::string_view> take_value() {
    return next_ < arguments_.size() ? std::optional<std::string_view>{arguments_[next_++]} : std::nullopt;
  }

  std::optional<Ended> long_option(std::string_view argument) {
    std::string_view name = argument.substr(2);
    if (name == "help") {
      return help();
    }
    if (name == "version") {
      return version();
    }
    bool on = true;
    Found found = find(name);
    if (found.entry == nullptr && name.starts_with("no-")) {
      found = find(name.substr(3));
      on = false;
      if (found.entry != nullptr && found.entry->takes_value()) {
        found.entry = nullptr;
      }
    }
    if (found.entry == nullptr || name.empty()) {
      return refused(argument, {.text = "is unknown"});
    }
    if (found.is_ambiguous) {
      return refused(argument, {.text = "is ambiguous"});
    }
    std::string_view value;
    if (found.entry->takes_value()) {
      const auto taken = take_value();
      if (!taken) {
        return refused(argument, {.text = "requires parameter"});
      }
      value = *taken;
    }
    return apply(*found.entry, argument, value, on);
  }

  std::optional<Ended> letters(std::string_view argument) {
    if (argument.size() == 1) {
      return refused(argument, {.text = "is unknown"});
    }
    for (std::size_t i = 1; i < argument.size(); ++i) {
      if (argument[i] == 'h') {
        return help();
      }
      if (argument[i] == 'V') {
        return version();
      }
      const std::string shown{'-', argument[i]};
      const OptionEntry* entry = find(argument[i]);
      if (entry == nullptr) {
        return refused(shown, {.text = "is unknown"});
      }
      if (entry->takes_value()) {
        auto value = std::optional{argument.substr(i + 1)};
        if (value->empty()) {
          value = take_value();
        }
        return value ? apply(*entry, shown, *value, true) : refused(shown, {.text = "requires parameter"});
      }
      if (auto ended = apply(*entry, shown, {}, true)) {
        return ended;
      }
    }
    return std::nullopt;
  }

  static Ended two_methods(std::string_view one, std::string_view other) {
    std::string message = "Warning: You can only select one HTTP request method! You asked for both ";
    message.append(one).append(" and ").append(other).append(".\n").append(try_help);
    return {.status = 2, .output = {}, .message = std::move(message)};
  }

  // What can only be said when everything was read.
  std::optional<Ended> check() {
    const bool posts = options_.has_data && !options_.get;
    if (posts && options_.head) {
      return two_methods("POST (-d, --data)", "HEAD (-I, --head)");
    }
    if (posts && !options_.uploads.empty()) {
      return two_methods("PUT (-T, --upload-file)", "POST (-d, --data)");
    }
    if (!options_.uploads.empty() && options_.head) {
      return two_methods("PUT (-T, --upload-file)", "HEAD (-I, --head)");
    }
    if (options_.urls.empty()) {
      return Ended{.status = 2, .output = {}, .message = "pollux-fetch: no URL specified!\n" + std::string{try_help}};
    }
    if (options_.outputs.size() > options_.urls.size()) {
      warnings_.add("Got more output options than URLs");
    }
    return std::nullopt;
  }

  Options& options_;
  std::span<const char* const> arguments_;
  Warnings& warnings_;
  std::size_t next_ = 0;
};

// Cuts "[v6]" or everything up to the next colon off the front of `text`, and the colon; nothing if brackets do not match.
std::optional<std::string_view> take_host(std::string_view& text) {
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    ++end;
  }
  const std::string_view host = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end);
  if (text.starts_with(':')) {
    text.remove_prefix(1);
  } else if (!text.empty()) {
    return std::nullopt;
  }
  return host;
}

}  // namespace

std::optional<Ended> parse(Options& options, std::span<const char* const> arguments, Warnings& warnings) {
  return Parser{options, arguments, warnings}.run();
}

std::optional<port::Duration> parse_seconds(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto whole = base::parse_decimal(text.substr(0, dot), 1'000'000'000);
  if (!whole) {
    return std::nullopt;
  }
  std::uint64_t nanoseconds = *whole * 1'000'000'000;
  if (dot != std::string_view::npos) {
    std::string fraction{text.substr(dot + 1)};
    fraction.resize(9, '0');
    const auto parsed = base::parse_decimal(fraction);
    if (!parsed || !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(dot) + 1, text.end(), base::is_digit)) {
      return std::nullopt;
    }
    nanoseconds += *parsed;
  }
  return port::Duration{static_cast<std::int64_t>(nanoseconds)};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t unit = 1;
  if (!text.empty()) {
    constexpr std::string_view units = "bkmgtp";
    const std::size_t power = units.find(base::to_lower(text.back()));
    if (power != std::string_view::npos) {
      unit = std::uint64_t{1} << (10 * power);
      text.remove_suffix(1);
    }
  }
  const auto value = base::parse_decimal(text, INT64_MAX / unit);
  return value ? std::optional{*value * unit} : std::nullopt;
}

std::optional<HeaderOption> parse_header(std::string_view text) {
  const std::size_t end = text.find_first_of(":;");
  if (end == std::string_view::npos || end == 0) {
    return std::nullopt;
  }
  HeaderOption header{.kind = HeaderOption::Kind::add, .name = std::string{text.substr(0, end)}, .value = {}};
  const std::string_view value = base::trim(text.substr(end + 1));
  if (text[end] == ';') {
    return value.empty() ? std::optional{std::move(header)} : std::nullopt;
  }
  header.kind = value.empty() ? HeaderOption::Kind::remove : HeaderOption::Kind::add;
  header.value = std::string{value};
  return header;
}

std::optional<ResolveOption> parse_resolve(std::string_view text) {
  if (text.starts_with('+')) {  // "may time out": a distinction for curl's cache
    text.remove_prefix(1);
  }
  const auto host = take_host(text);
  const std::size_t colon = text.find(':');
  if (!host || host->empty() || colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto port = text.substr(0, colon) == "*" ? std::optional<std::uint64_t>{0}
                                                 : base::parse_decimal(text.substr(0, colon), 65535);
  if (!port) {
    return std::nullopt;
  }
  ResolveOption resolve{.host = std::string{*host}, .port = static_cast<std::uint16_t>(*port), .addresses = {}};
  std::string_view rest = text.substr(colon + 1);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const auto address = port::parse_ip(wire::strip_brackets(rest.substr(0, comma)));
    if (!address) {
      return std::nullopt;
    }
    resolve.addresses.push_back(*address);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  }
  return resolve.addresses.empty() ? std::nullopt : std::optional{std::move(resolve)};
}

std::optional<ConnectToOption> parse_connect_to(std::string_view text) {
  ConnectToOption option{.host = {}, .port = 0, .to_host = {}, .to_port = 0};
  for (auto [host, port] : {std::pair{&option.host, &option.port}, std::pair{&option.to_host, &option.to_port}}) {
    const auto name = take_host(text);
    if (!name) {
      return std::nullopt;
    }
    *host = std::string{*name};
    const std::size_t colon = text.find(':');
    const std::string_view digits = text.substr(0, colon);
    if (!digits.empty()) {
      const auto value = base::parse_decimal(digits, 65535);
      if (!value) {
        return std::nullopt;
      }
      *port = static_cast<std::uint16_t>(*value);
    }
    text = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  }
  return option;
}

}  // namespace pollux::fetch
