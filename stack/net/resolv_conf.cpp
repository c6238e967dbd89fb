#include "stack/net/resolv_conf.hpp"

#include <algorithm>

#include "stack/base/text.hpp"
#include "stack/net/dns_message.hpp"

namespace pollux::net {

namespace {

[[nodiscard]] bool is_space(char c) noexcept {
  return base::is_blank(c) || c == '\r';
}

// Takes the next line off `text`, without its end.
[[nodiscard]] std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line{text.data(), end};
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Takes the next word off `line`; "" at its end.
[[nodiscard]] std::string_view take_word(std::string_view& line) noexcept {
  while (!line.empty() && is_space(line.front())) {
    line.remove_prefix(1);
  }
  std::size_t size = 0;
  while (size < line.size() && !is_space(line[size])) {
    ++size;
  }
  const std::string_view word{line.data(), size};
  line.remove_prefix(size);
  return word;
}

void add_server(ResolvConf& conf, std::string_view word) noexcept {
  const auto address = port::parse_ip(word);
  if (address && conf.server_count < conf.servers.size()) {
    port::Address& server = conf.servers[conf.server_count++];
    server = *address;
    server.port = dns_port;
  }
}

void set_search(ResolvConf& conf, std::string_view line, std::size_t domains_max) noexcept {
  conf.search_count = 0;
  for (std::string_view word = take_word(line); !word.empty() && conf.search_count < domains_max;
       word = take_word(line)) {
    if (word.back() == '.') {
      word.remove_suffix(1);
    }
    const std::size_t begin = conf.search_begin[conf.search_count];
    if ((!word.empty() && !is_host_name(word)) || word.size() > conf.search_text.size() - begin) {
      continue;
    }
    std::copy(word.begin(), word.end(), conf.search_text.begin() + static_cast<std::ptrdiff_t>(begin));
    conf.search_begin[++conf.search_count] = static_cast<std::uint16_t>(begin + word.size());
  }
}

// The number behind "name:", from `min` to `max`: below and above it counts as that, as in the C library.
[[nodiscard]] std::optional<std::uint8_t> number_of(std::string_view option, std::string_view name, std::uint8_t min,
                                                    std::uint8_t max) noexcept {
  if (option.size() <= name.size() || std::string_view{option.data(), name.size()} != name) {
    return std::nullopt;
  }
  option.remove_prefix(name.size());
  const auto value = base::parse_decimal(option);
  if (!value) {
    return std::nullopt;
  }
  return static_cast<std::uint8_t>(std::clamp<std::uint64_t>(*value, min, max));
}

void set_option(ResolvConf& conf, std::string_view option) noexcept {
  if (const auto dots = number_of(option, "ndots:", 0, 15)) {
    conf.dots_min = *dots;
  } else if (const auto seconds = number_of(option, "timeout:", 1, 30)) {
    conf.timeout_s = seconds;
  } else if (const auto attempts = number_of(option, "attempts:", 1, 5)) {
    conf.attempts = attempts;
  } else if (option == "rotate") {
    conf.rotates = true;
  } else if (option == "no-aaaa") {
    conf.asks_ipv6 = false;
  }
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) noexcept {
  ResolvConf conf;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!line.empty() && (line.front() == '#' || line.front() == ';')) {
      continue;
    }
    const std::string_view keyword = take_word(line);
    if (keyword == "nameserver") {
      add_server(conf, take_word(line));
    } else if (keyword == "search") {
      set_search(conf, line, search_domains_max);
    } else if (keyword == "domain") {
      set_search(conf, line, 1);
    } else if (keyword == "options") {
      for (std::string_view option = take_word(line); !option.empty(); option = take_word(line)) {
        set_option(conf, option);
      }
    }
  }
  return conf;
}

}  // namespace pollux::net
