#include "stack/wire/host.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

// unreserved and sub-delims of RFC 3986: what a registered name is made of.
constexpr std::array<bool, 256> make_name_bytes() {
  std::array<bool, 256> bytes{};
  for (unsigned c = 0; c < 128; ++c) {
    bytes[c] = base::is_alpha(static_cast<char>(c)) || base::is_digit(static_cast<char>(c));
  }
  for (const char c : std::string_view{"-._~!$&'()*+,;="}) {
    bytes[static_cast<unsigned char>(c)] = true;
  }
  return bytes;
}
constexpr std::array<bool, 256> name_bytes = make_name_bytes();

constexpr bool is_name_byte(char c) {
  return name_bytes[static_cast<unsigned char>(c)];
}

// An escape in a host can only be there for a byte that a host cannot hold itself: those of 0x80 and above. An escaped
// ASCII byte would be a second spelling of the same name, which is how access rules are walked around.
port::Result<void, UrlError> check_name(std::string_view name, NonAscii non_ascii) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%') {
      if (name.size() - i < 3 || base::hex_value(name[i + 1]) < 8 || base::hex_value(name[i + 2]) < 0) {
        return port::Failure{UrlError::bad_escape};
      }
      i += 2;
    } else if (!is_name_byte(name[i]) && (is_ascii(name[i]) || non_ascii == NonAscii::refused)) {
      return port::Failure{UrlError::bad_host};
    }
  }
  return {};
}

// The text between the brackets: an IPv6 address, perhaps with "%25" and a zone of unreserved bytes (RFC 6874 section
// 2).
bool is_bracketed(std::string_view text) {
  const std::size_t percent = text.find('%');
  if (percent == std::string_view::npos) {
    return is_ipv6_text(text);
  }
  const std::string_view zone = drop(text, percent);
  if (zone.size() < 4 || !starts_with(zone, "%25")) {
    return false;
  }
  for (const char c : drop(zone, 3)) {
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '-' && c != '.' && c != '_' && c != '~') {
      return false;
    }
  }
  return is_ipv6_text(slice(text, 0, percent));
}

bool is_port(std::string_view text) {
  return text.empty() || base::parse_decimal(text, 65535).has_value();
}

}  // namespace

port::Result<HostPort, UrlError> split_host(std::string_view text, NonAscii non_ascii) noexcept {
  HostPort result;
  if (text.empty()) {
    return result;
  }
  std::size_t end = 0;
  if (text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_bracketed(slice(text, 1, close))) {
      return port::Failure{UrlError::bad_host};
    }
    end = close + 1;
    if (end < text.size() && text[end] != ':') {
      return port::Failure{UrlError::bad_host};
    }
  } else {
    end = text.find(':');
    end = end == std::string_view::npos ? text.size() : end;
    if (const auto checked = check_name(slice(text, 0, end), non_ascii); !checked) {
      return port::Failure{checked.error()};
    }
  }
  result.hostname = slice(text, 0, end);
  if (end < text.size()) {
    result.has_port = true;
    result.port = drop(text, end + 1);
    if (!is_port(result.port)) {
      return port::Failure{UrlError::bad_port};
    }
    if (result.hostname.empty()) {
      return port::Failure{UrlError::bad_host};
    }
  }
  return result;
}

bool is_valid_host(std::string_view value) noexcept {
  return static_cast<bool>(split_host(value));
}

std::string_view strip_port(std::string_view host) noexcept {
  const auto split = split_host(host, NonAscii::allowed);
  return split ? split->hostname : host;
}

std::string_view strip_brackets(std::string_view hostname) noexcept {
  if (hostname.size() >= 2 && hostname.front() == '[' && hostname.back() == ']') {
    return slice(hostname, 1, hostname.size() - 1);
  }
  return hostname;
}

bool is_ipv4_text(std::string_view text) noexcept {
  for (int part = 0; part < 4; ++part) {
    const Cut piece = cut(text, '.');
    if (piece.is_found != (part < 3)) {
      return false;
    }
    if (!base::parse_decimal(piece.before, 255) || (piece.before.size() > 1 && piece.before.front() == '0')) {
      return false;
    }
    text = piece.after;
  }
  return true;
}

bool is_ipv6_text(std::string_view text) noexcept {
  int groups = 0;
  bool is_compressed = false;
  if (starts_with(text, "::")) {
    is_compressed = true;
    text.remove_prefix(2);
    if (text.empty()) {
      return true;
    }
  }
  for (;;) {
    std::size_t digits = 0;
    while (digits < text.size() && base::hex_value(text[digits]) >= 0) {
      ++digits;
    }
    if (digits < text.size() && text[digits] == '.') {  // the last 32 bits may be written as an IPv4 address
      groups += 2;
      return is_ipv4_text(text) && (is_compressed ? groups <= 7 : groups == 8);
    }
    if (digits == 0 || digits > 4 || ++groups > 8) {
      return false;
    }
    text.remove_prefix(digits);
    if (text.empty()) {
      return is_compressed ? groups <= 7 : groups == 8;
    }
    if (text.front() != ':' || text.size() == 1) {
      return false;
    }
    text.remove_prefix(1);
    if (text.front() == ':') {
      if (is_compressed) {
        return false;
      }
      is_compressed = true;
      text.remove_prefix(1);
      if (text.empty()) {
        return groups <= 7;
      }
    }
  }
}

}  // namespace pollux::wire
