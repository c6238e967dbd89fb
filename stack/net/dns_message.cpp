#include "stack/net/dns_message.hpp"

#include <algorithm>
#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::net {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t label_size_max = 63;
constexpr std::uint16_t class_internet = 1;

// Bits of the second header word (RFC 1035 section 4.1.1).
constexpr unsigned flag_response = 0x8000;
constexpr unsigned opcode_mask = 0x7800;
constexpr unsigned flag_truncated = 0x0200;
constexpr unsigned flag_recursion_desired = 0x0100;
constexpr unsigned flag_recursion_available = 0x0080;
constexpr unsigned code_mask = 0x000f;

enum Code : unsigned {
  code_ok = 0,
  code_bad_format = 1,
  code_not_found = 3,
  code_not_implemented = 4,
};

[[nodiscard]] std::uint8_t byte_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

[[nodiscard]] std::uint16_t u16_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

[[nodiscard]] std::uint32_t u32_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  return static_cast<std::uint32_t>(u16_at(bytes, at)) << 16 | u16_at(bytes, at + 2);
}

// A value with the top bit set counts as zero (RFC 2181 section 8).
[[nodiscard]] std::uint32_t lifetime_at(std::span<const std::byte> bytes, std::size_t at) noexcept {
  const std::uint32_t value = u32_at(bytes, at);
  return value > INT32_MAX ? 0 : value;
}

[[nodiscard]] std::uint8_t lower(std::uint8_t byte) noexcept {
  return static_cast<std::uint8_t>(base::to_lower(static_cast<char>(byte)));
}

// Lengths are below 64 and letters above, so the bytes of two names can be compared without looking which are which.
[[nodiscard]] bool equal_bytes(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](std::uint8_t x, std::uint8_t y) { return lower(x) == lower(y); });
}

[[nodiscard]] std::span<const std::uint8_t> bytes_of(const DnsName& name) noexcept {
  return {name.bytes.data(), name.size};
}

struct Record {
  DnsName owner;
  std::uint16_t type = 0;
  std::uint16_t record_class = 0;
  std::uint32_t lifetime = 0;
  std::size_t data = 0;  // where its data begin
  std::size_t data_size = 0;

  [[nodiscard]] bool is(DnsType wanted) const noexcept {
    return type == static_cast<std::uint16_t>(wanted) && record_class == class_internet;
  }
};

// Reads the record at `at` and moves `at` behind it.
[[nodiscard]] bool read_record(std::span<const std::byte> message, std::size_t& at, Record& record) noexcept {
  if (!read_dns_name(message, at, record.owner) || message.size() - at < 10) {
    return false;
  }
  record.type = u16_at(message, at);
  record.record_class = u16_at(message, at + 2);
  record.lifetime = lifetime_at(message, at + 4);
  record.data_size = u16_at(message, at + 8);
  record.data = at + 10;
  if (message.size() - record.data < record.data_size) {
    return false;
  }
  at = record.data + record.data_size;
  return true;
}

// The records of an answer section that could be read.
struct Section {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t count = 0;
};

[[nodiscard]] bool add_address(DnsAnswer& answer, std::span<const std::byte> message, const Record& record) noexcept {
  const bool is_ipv4 = record.is(DnsType::a);
  port::Address address{.family = is_ipv4 ? port::Family::ipv4 : port::Family::ipv6};
  if (record.data_size != (is_ipv4 ? 4U : 16U)) {
    return false;
  }
  std::memcpy(address.ip.data(), message.data() + record.data, record.data_size);
  answer.lifetime = std::min(answer.lifetime, record.lifetime);
  const std::span<const port::Address> known{answer.addresses.data(), answer.address_count};
  if (answer.address_count < answer.addresses.size() && std::find(known.begin(), known.end(), address) == known.end()) {
    answer.addresses[answer.address_count++] = address;
  }
  return true;
}

enum class Step : std::uint8_t { addresses, alias, nothing, unreadable };

// What the section says about answer.target: its addresses are added, or its alias becomes the target.
[[nodiscard]] Step look_for_target(std::span<const std::byte> message, const Section& section, DnsType type,
                                   DnsAnswer& answer) noexcept {
  Step step = Step::nothing;
  std::size_t alias_at = 0;
  std::uint32_t alias_lifetime = 0;
  Record record;
  std::size_t at = section.begin;
  for (std::size_t i = 0; i < section.count; ++i) {
    const bool is_readable = read_record(message, at, record);
    ENSURE(is_readable);
    const bool is_wanted = record.is(type);
    if ((!is_wanted && !record.is(DnsType::alias)) || !equal(record.owner, answer.target)) {
      continue;
    }
    if (is_wanted) {
      if (!add_address(answer, message, record)) {
        return Step::unreadable;
      }
      step = Step::addresses;
    } else if (step == Step::nothing) {
      step = Step::alias;
      alias_at = record.data;
      alias_lifetime = record.lifetime;
    }
  }
  if (step != Step::alias) {
    return step;
  }
  answer.lifetime = std::min(answer.lifetime, alias_lifetime);
  return read_dns_name(message, alias_at, answer.target) ? Step::alias : Step::unreadable;
}

struct Authority {
  bool has_start = false;    // a SOA record for the target
  bool has_servers = false;  // NS records
  std::uint32_t lifetime = 0;
};

// RFC 2308 section 5: a "no" is kept for the smaller of the SOA record's own lifetime and its MINIMUM.
[[nodiscard]] Authority read_authority(std::span<const std::byte> message, std::size_t at, std::size_t count,
                                       const DnsName& target) noexcept {
  Authority authority;
  Record record;
  for (std::size_t i = 0; i < count && read_record(message, at, record); ++i) {
    authority.has_servers = authority.has_servers || record.is(DnsType::name_server);
    if (!record.is(DnsType::authority) || !is_within(target, record.owner)) {
      continue;
    }
    std::size_t data = record.data;
    DnsName skipped;
    if (!read_dns_name(message, data, skipped) || !read_dns_name(message, data, skipped) || data + 20 != at) {
      continue;
    }
    authority.has_start = true;
    authority.lifetime = std::min(record.lifetime, lifetime_at(message, data + 16));
  }
  return authority;
}

// The header and the question are ours, and the server has something to say about the name.
[[nodiscard]] DnsOutcome read_sections(std::span<const std::byte> message, std::size_t at, DnsType type,
                                       bool may_be_cut, DnsAnswer& answer) noexcept {
  const unsigned flags = u16_at(message, 2);
  const std::size_t answer_count = u16_at(message, 6);
  Section section{.begin = at, .end = at};
  Record record;
  while (section.count < answer_count && read_record(message, at, record)) {
    ++section.count;
    section.end = at;
  }
  const bool is_whole = section.count == answer_count;
  if (!is_whole && !may_be_cut) {
    return DnsOutcome::failed;
  }

  answer.lifetime = INT32_MAX;
  Step step = Step::nothing;
  while ((step = look_for_target(message, section, type, answer)) == Step::alias) {
    if (++answer.alias_count > dns_aliases_max) {
      return DnsOutcome::failed;
    }
  }
  if (step == Step::unreadable) {
    return DnsOutcome::failed;
  }
  const bool is_not_found = (flags & code_mask) == code_not_found;
  if (step == Step::addresses && !is_not_found) {
    return DnsOutcome::addresses;
  }
  if (!is_whole) {
    return DnsOutcome::failed;
  }
  const std::uint32_t chain_lifetime = answer.lifetime;
  const Authority authority = read_authority(message, section.end, u16_at(message, 8), answer.target);
  answer.lifetime = std::min(chain_lifetime, authority.lifetime);
  if (is_not_found) {
    answer.address_count = 0;
    return DnsOutcome::not_found;
  }
  if (answer.alias_count > 0 && !authority.has_start) {
    answer.lifetime = chain_lifetime;
    return DnsOutcome::alias;
  }
  // A server that does not look up for us, and says who would know (RFC 2308 section 2.2, "referral").
  if (!authority.has_start && authority.has_servers && (flags & flag_recursion_available) == 0) {
    return DnsOutcome::failed;
  }
  return DnsOutcome::no_address;
}

// The header's part of the outcome; `addresses` if the sections have to be read.
[[nodiscard]] DnsOutcome outcome_of(unsigned flags, DnsCarrier carrier) noexcept {
  switch (flags & code_mask) {
    case code_ok:
    case code_not_found:
      return (flags & flag_truncated) != 0 && carrier == DnsCarrier::datagram ? DnsOutcome::truncated
                                                                              : DnsOutcome::addresses;
    case code_bad_format:
    case code_not_implemented:
      return DnsOutcome::bad_format;
    default:
      return DnsOutcome::failed;
  }
}

}  // namespace

bool is_host_name(std::string_view name) noexcept {
  if (name.size() > name_size_max) {
    return false;
  }
  std::size_t label_size = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label_size == 0) {
        return false;
      }
      label_size = 0;
      continue;
    }
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '-' && c != '_') {
      return false;
    }
    if (++label_size > label_size_max) {
      return false;
    }
  }
  return label_size != 0;
}

bool make_dns_name(std::string_view host_name, DnsName& out) noexcept {
  if (!is_host_name(host_name)) {
    return false;
  }
  // Each dot becomes the length of the label behind it; one more length stands in front, and the empty label at the end.
  std::size_t length_at = 0;
  for (std::size_t i = 0; i < host_name.size(); ++i) {
    if (host_name[i] == '.') {
      out.bytes[length_at] = static_cast<std::uint8_t>(i - length_at);
      length_at = i + 1;
    } else {
      out.bytes[i + 1] = static_cast<std::uint8_t>(host_name[i]);
    }
  }
  out.bytes[length_at] = static_cast<std::uint8_t>(host_name.size() - length_at);
  out.bytes[host_name.size() + 1] = 0;
  out.size = static_cast<std::uint8_t>(host_name.size() + 2);
  return true;
}

bool equal(const DnsName& a, const DnsName& b) noexcept {
  return equal_bytes(bytes_of(a), bytes_of(b));
}

bool is_within(const DnsName& name, const DnsName& domain) noexcept {
  for (std::size_t at = 0; at + domain.size <= name.size; at += std::size_t{name.bytes[at]} + 1) {
    if (equal_bytes(bytes_of(name).subspan(at), bytes_of(domain))) {
      return true;
    }
    if (name.bytes[at] == 0) {
      break;
    }
  }
  return false;
}

bool read_dns_name(std::span<const std::byte> message, std::size_t& at, DnsName& out) noexcept {
  std::size_t position = at;
  std::size_t backwards_of = at;  // a pointer must lead before this; it falls with each one, so the loop ends
  bool has_jumped = false;
  out.size = 0;
  for (;;) {
    if (position >= message.size()) {
      return false;
    }
    const std::size_t length = byte_at(message, position);
    if ((length & 0xc0U) == 0xc0U) {
      if (message.size() - position < 2) {
        return false;
      }
      const std::size_t target = u16_at(message, position) & 0x3fffU;
      if (target < header_size || target >= backwards_of) {
        return false;
      }
      if (!has_jumped) {
        at = position + 2;
        has_jumped = true;
      }
      backwards_of = position = target;
      continue;
    }
    if (length > label_size_max || message.size() - position <= length) {
      return false;
    }
    // Behind every label but the last there is at least that one.
    if (out.size + 1 + length + (length == 0 ? 0U : 1U) > out.bytes.size()) {
      return false;
    }
    std::memcpy(out.bytes.data() + out.size, message.data() + position, length + 1);
    out.size = static_cast<std::uint8_t>(out.size + length + 1);
    position += length + 1;
    if (length == 0) {
      break;
    }
  }
  if (!has_jumped) {
    at = position;
  }
  return true;
}

std::size_t write_dns_question(std::span<std::byte> out, const DnsQuestion& question) noexcept {
  ENSURE(out.size() >= dns_question_size_max);
  std::size_t size = 0;
  const auto put8 = [&](unsigned value) { out[size++] = static_cast<std::byte>(value); };
  const auto put16 = [&](unsigned value) {
    put8(value >> 8 & 0xffU);
    put8(value & 0xffU);
  };
  put16(question.id);
  put16(flag_recursion_desired);
  put16(1);  // questions
  put16(0);
  put16(0);
  put16(question.has_options ? 1 : 0);  // additional records
  for (const std::uint8_t byte : bytes_of(question.name)) {
    put8(byte);
  }
  put16(static_cast<unsigned>(question.type));
  put16(class_internet);
  if (question.has_options) {
    put8(0);  // the root
    put16(static_cast<unsigned>(DnsType::options));
    put16(dns_datagram_max);
    put16(0);  // extended code, version
    put16(0);  // flags
    put16(0);  // no options
  }
  return size;
}

DnsAnswer read_dns_answer(std::span<const std::byte> message, const DnsQuestion& question,
                          DnsCarrier carrier) noexcept {
  DnsAnswer answer;
  if (message.size() < header_size || u16_at(message, 0) != question.id) {
    return answer;
  }
  const unsigned flags = u16_at(message, 2);
  if ((flags & flag_response) == 0 || (flags & opcode_mask) != 0) {
    return answer;
  }
  const DnsOutcome outcome = outcome_of(flags, carrier);
  std::size_t at = header_size;
  const unsigned question_count = u16_at(message, 4);
  if (question_count == 0) {
    // Servers that could not read the question do not repeat it.
    if (outcome == DnsOutcome::bad_format || outcome == DnsOutcome::failed) {
      answer.outcome = outcome;
    }
    return answer;
  }
  DnsName name;
  if (question_count != 1 || !read_dns_name(message, at, name) || message.size() - at < 4 ||
      u16_at(message, at) != static_cast<std::uint16_t>(question.type) || u16_at(message, at + 2) != class_internet ||
      !equal(name, question.name)) {
    return answer;
  }
  answer.target = question.name;
  const bool may_be_cut = carrier == DnsCarrier::cut_stream || (flags & flag_truncated) != 0;
  answer.outcome =
      outcome == DnsOutcome::addresses ? read_sections(message, at + 4, question.type, may_be_cut, answer) : outcome;
  if (answer.outcome != DnsOutcome::addresses) {
    answer.address_count = 0;
  }
  return answer;
}

}  // namespace pollux::net
