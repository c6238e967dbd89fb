// DNS messages byte by byte, right and wrong ones, for tests of whoever reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "stack/net/dns_message.hpp"

namespace pollux::test {

inline constexpr std::uint16_t dns_answer_flags = 0x8180;  // response, recursion desired and available

// Writes a message from front to back: DnsBytes{}.header({.answers = 1}).question("a.test", 1).record("\xc0\x0c", 1, 60, address).
class DnsBytes {
 public:
  struct Header {
    std::uint16_t id = 0x1234;
    std::uint16_t flags = dns_answer_flags;
    std::uint16_t questions = 1;
    std::uint16_t answers = 0;
    std::uint16_t authorities = 0;
    std::uint16_t additionals = 0;
  };

  DnsBytes& header(const Header& header) {
    return u16(header.id)
        .u16(header.flags)
        .u16(header.questions)
        .u16(header.answers)
        .u16(header.authorities)
        .u16(header.additionals);
  }
  DnsBytes& u8(unsigned value) {
    bytes_ += static_cast<char>(value);
    return *this;
  }
  DnsBytes& u16(unsigned value) { return u8(value >> 8).u8(value); }
  DnsBytes& u32(std::uint32_t value) { return u16(value >> 16).u16(value & 0xffffU); }
  DnsBytes& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  // Whatever its labels hold: no checks.
  DnsBytes& name(std::string_view text) { return raw(wire(text)); }
  DnsBytes& pointer(std::size_t to) { return u16(0xc000U | static_cast<unsigned>(to)); }
  DnsBytes& question(std::string_view name_text, unsigned type, unsigned record_class = 1) {
    return name(name_text).u16(type).u16(record_class);
  }
  // `owner` as bytes: wire("a.test"), or to_question.
  DnsBytes& record(std::string_view owner, unsigned type, std::uint32_t lifetime, std::string_view data,
                   unsigned record_class = 1) {
    return raw(owner).u16(type).u16(record_class).u32(lifetime).u16(static_cast<unsigned>(data.size())).raw(data);
  }
  [[nodiscard]] static std::string start_of_authority(std::uint32_t minimum) {
    return DnsBytes{}.name("ns.test").name("admin.test").u32(1).u32(2).u32(3).u32(4).u32(minimum).bytes();
  }

  [[nodiscard]] static std::string wire(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const std::string_view label = text.substr(0, text.find('.'));
      out += static_cast<char>(label.size());
      out += label;
      text.remove_prefix(std::min(label.size() + 1, text.size()));
    }
    return out + '\0';
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
};

// A pointer to the question's name.
inline constexpr std::string_view to_question{"\xc0\x0c", 2};

[[nodiscard]] inline std::span<const std::byte> span_of(std::string_view bytes) {
  return std::as_bytes(std::span{bytes.data(), bytes.size()});
}

[[nodiscard]] inline net::DnsName dns_name(std::string_view text) {
  net::DnsName name;
  const bool is_good = net::make_dns_name(text, name);
  return is_good ? name : net::DnsName{};
}

}  // namespace pollux::test
