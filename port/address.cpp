#include "port/address.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace pollux::port {
namespace {

constexpr std::size_t groups_count = 8;      // 16-bit groups of an IPv6 address
constexpr std::size_t local_path_max = 107;  // sun_path of unix(7) less its final zero

// ---- writing

// Writes into given memory and drops what is beyond its end.
class Output {
 public:
  explicit constexpr Output(std::span<char> out) noexcept : out_{out} {}

  constexpr void put(char c) noexcept {
    if (size_ < out_.size()) {
      out_[size_++] = c;
    }
  }
  constexpr void put(std::string_view text) noexcept {
    for (const char c : text) {
      put(c);
    }
  }
  constexpr void put_number(std::uint32_t value, std::uint32_t base) noexcept {
    std::array<char, 10> digits{};  // UINT32_MAX in decimal
    std::size_t first = digits.size();
    do {
      digits[--first] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    put({digits.data() + first, digits.size() - first});
  }
  [[nodiscard]] constexpr std::string_view view() const noexcept { return {out_.data(), size_}; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

void put_ipv4(Output& output, std::span<const std::uint8_t, 4> ip) noexcept {
  for (std::size_t i = 0; i < ip.size(); ++i) {
    if (i != 0) {
      output.put('.');
    }
    output.put_number(ip[i], 10);
  }
}

std::uint32_t group_of(const Address& address, std::size_t index) noexcept {
  return static_cast<std::uint32_t>(address.ip[2 * index] << 8 | address.ip[2 * index + 1]);
}

struct Run {
  std::size_t begin = 0;
  std::size_t size = 0;
};

// What "::" stands for: the longest run of zero groups, the first of equals, and never a single one (RFC 5952 section
// 4.2).
Run longest_zero_run(const Address& address) noexcept {
  Run best;
  Run run;
  for (std::size_t i = 0; i < groups_count; ++i) {
    if (group_of(address, i) != 0) {
      run.size = 0;
      continue;
    }
    run.begin = run.size == 0 ? i : run.begin;
    ++run.size;
    best = run.size > best.size ? run : best;
  }
  return best.size > 1 ? best : Run{};
}

// ::ffff:0:0/96 is written with a dotted tail (RFC 5952 section 5).
bool is_mapped_ipv4(const Address& address) noexcept {
  return std::all_of(address.ip.begin(), address.ip.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
         address.ip[10] == 0xff && address.ip[11] == 0xff;
}

void put_ipv6(Output& output, const Address& address) noexcept {
  if (is_mapped_ipv4(address)) {
    output.put("::ffff:");
    put_ipv4(output, std::span{address.ip}.last<4>());
  } else {
    const Run zeros = longest_zero_run(address);
    for (std::size_t i = 0; i < groups_count;) {
      if (zeros.size != 0 && i == zeros.begin) {
        output.put("::");
        i += zeros.size;
        continue;
      }
      if (i != 0 && !(zeros.size != 0 && i == zeros.begin + zeros.size)) {
        output.put(':');
      }
      output.put_number(group_of(address, i), 16);
      ++i;
    }
  }
  if (address.scope != 0) {
    output.put('%');
    output.put_number(address.scope, 10);
  }
}

void put_ip(Output& output, const Address& address) noexcept {
  switch (address.family) {
    case Family::none:
      output.put("none");
      return;
    case Family::local:
      output.put("unix");
      return;
    case Family::ipv4:
      put_ipv4(output, std::span{address.ip}.first<4>());
      return;
    case Family::ipv6:
      put_ipv6(output, address);
      return;
  }
}

// ---- reading

// Not string_view::substr(): that one throws, and so asks for libstdc++.
constexpr std::string_view front_of(std::string_view text, std::size_t size) noexcept {
  return {text.data(), std::min(size, text.size())};
}
constexpr std::string_view behind(std::string_view text, std::size_t size) noexcept {
  text.remove_prefix(std::min(size, text.size()));
  return text;
}

// One to `digits_max` decimal digits, not above `max`.
std::optional<std::uint32_t> read_decimal(std::string_view text, std::size_t digits_max, std::uint32_t max) noexcept {
  if (text.empty() || text.size() > digits_max) {
    return std::nullopt;
  }
  std::uint64_t value = 0;  // at most ten digits: no overflow
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value <= max ? std::optional{static_cast<std::uint32_t>(value)} : std::nullopt;
}

// One to four hexadecimal digits.
std::optional<std::uint32_t> read_group(std::string_view text) noexcept {
  if (text.empty() || text.size() > 4) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (const char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value << 4 | static_cast<std::uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

// Takes the piece before the first `separator` off the front of `text`, and the separator; all of it when there is
// none.
std::string_view take_until(std::string_view& text, char separator) noexcept {
  const std::size_t at = text.find(separator);
  const std::string_view piece = front_of(text, at);
  text = behind(text, piece.size() + 1);
  return piece;
}

// Four decimal parts without leading zeros: "010" is eight to some readers and ten to others (RFC 6943 section 3.1.1).
bool read_ipv4(std::string_view text, std::span<std::uint8_t, 4> ip) noexcept {
  if (std::count(text.begin(), text.end(), '.') != 3) {
    return false;
  }
  for (std::uint8_t& byte : ip) {
    const std::string_view part = take_until(text, '.');
    const auto value = read_decimal(part, 3, 255);
    if (!value || (part.size() > 1 && part.front() == '0')) {
      return false;
    }
    byte = static_cast<std::uint8_t>(*value);
  }
  return true;
}

// Groups separated by single colons; the last may be a dotted IPv4 address, which is two, if `dotted_tail`. Writes at
// most ip.size() bytes and returns how many; nothing if it is no such list or does not fit. An empty text is an empty
// list.
std::optional<std::size_t> read_groups(std::string_view text, std::span<std::uint8_t> ip, bool dotted_tail) noexcept {
  if (text.empty()) {
    return 0;
  }
  if (text.back() == ':') {
    return std::nullopt;
  }
  std::size_t size = 0;
  while (!text.empty()) {
    const std::string_view piece = take_until(text, ':');
    if (dotted_tail && text.empty() && piece.find('.') != std::string_view::npos) {
      if (ip.size() - size < 4 || !read_ipv4(piece, ip.subspan(size).first<4>())) {
        return std::nullopt;
      }
      return size + 4;
    }
    const auto group = read_group(piece);
    if (!group || ip.size() - size < 2) {
      return std::nullopt;
    }
    ip[size++] = static_cast<std::uint8_t>(*group >> 8);
    ip[size++] = static_cast<std::uint8_t>(*group & 0xff);
  }
  return size;
}

// RFC 4291 section 2.2. "::" stands for one group or more.
bool read_ipv6(std::string_view text, std::array<std::uint8_t, 16>& ip) noexcept {
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    return read_groups(text, ip, true) == ip.size();
  }
  std::array<std::uint8_t, 14> head{};
  std::array<std::uint8_t, 14> tail{};
  const auto head_size = read_groups(front_of(text, gap), head, false);
  const auto tail_size = read_groups(behind(text, gap + 2), tail, true);
  if (!head_size || !tail_size || *head_size + *tail_size > head.size()) {
    return false;
  }
  ip.fill(0);
  std::copy_n(head.begin(), *head_size, ip.begin());
  std::copy_n(tail.begin(), *tail_size, ip.end() - static_cast<std::ptrdiff_t>(*tail_size));
  return true;
}

Result<Endpoint, AddressError> parse_local(std::string_view path) noexcept {
  if (path.empty() || path == "@") {
    return Failure{AddressError::empty};
  }
  if (path.find('\0') != std::string_view::npos) {
    return Failure{AddressError::bad_address};
  }
  if (path.size() > local_path_max) {
    return Failure{AddressError::path_too_long};
  }
  return Endpoint{.address = {.family = Family::local}, .path = path};
}

// The address part of an endpoint: "[V6]", a dotted IPv4, "localhost", or nothing for any IPv4 address.
Result<Address, AddressError> parse_host(std::string_view host) noexcept {
  if (host.empty()) {
    return Address::ipv4_any(0);
  }
  if (host == "localhost") {
    return Address::ipv4_loopback(0);
  }
  const bool in_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  const auto ip = parse_ip(in_brackets ? front_of(behind(host, 1), host.size() - 2) : host);
  // Without the brackets nobody can say which colon begins the port; within them there is nothing but IPv6 (RFC 3986).
  if (!ip || (ip->family == Family::ipv6) != in_brackets) {
    return Failure{AddressError::bad_address};
  }
  return ip;
}

}  // namespace

std::string_view format_ip(const Address& address, std::span<char> out) noexcept {
  Output output{out};
  put_ip(output, address);
  return output.view();
}

std::string_view format_address(const Address& address, std::span<char> out) noexcept {
  Output output{out};
  const bool in_brackets = address.family == Family::ipv6;
  if (in_brackets) {
    output.put('[');
  }
  put_ip(output, address);
  if (in_brackets) {
    output.put(']');
  }
  if (address.family == Family::ipv4 || address.family == Family::ipv6) {
    output.put(':');
    output.put_number(address.port, 10);
  }
  return output.view();
}

Result<Address, AddressError> parse_ip(std::string_view text) noexcept {
  if (text.empty()) {
    return Failure{AddressError::empty};
  }
  Address address;
  if (text.find(':') == std::string_view::npos) {
    address.family = Family::ipv4;
    if (!read_ipv4(text, std::span{address.ip}.first<4>())) {
      return Failure{AddressError::bad_address};
    }
    return address;
  }
  address.family = Family::ipv6;
  if (const std::size_t at = text.find('%'); at != std::string_view::npos) {
    const auto scope = read_decimal(behind(text, at + 1), 10, UINT32_MAX);
    if (!scope) {
      return Failure{AddressError::bad_address};
    }
    address.scope = *scope;
    text = front_of(text, at);
  }
  if (!read_ipv6(text, address.ip)) {
    return Failure{AddressError::bad_address};
  }
  return address;
}

Result<Endpoint, AddressError> parse_endpoint(std::string_view text) noexcept {
  constexpr std::string_view local_prefix = "unix:";
  if (text.empty()) {
    return Failure{AddressError::empty};
  }
  if (front_of(text, local_prefix.size()) == local_prefix) {
    return parse_local(behind(text, local_prefix.size()));
  }
  const std::size_t colon = text.rfind(':');
  const std::string_view host = colon == std::string_view::npos ? std::string_view{} : front_of(text, colon);
  const std::string_view number = colon == std::string_view::npos ? text : behind(text, colon + 1);
  const auto port = read_decimal(number, 5, UINT16_MAX);
  if (!port) {
    return Failure{AddressError::bad_port};
  }
  const auto address = parse_host(host);
  if (!address) {
    return Failure{address.error()};
  }
  Endpoint endpoint{.address = *address};
  endpoint.address.port = static_cast<std::uint16_t>(*port);
  return endpoint;
}

}  // namespace pollux::port
