#include "port/sim/sim_name_message.hpp"

#include <algorithm>
#include <cstring>

#include "port/ensure.hpp"

namespace pollux::port::sim {
namespace {

constexpr unsigned flag_response = 0x8000;
constexpr unsigned flag_truncated = 0x0200;
constexpr unsigned flag_recursion_desired = 0x0100;
constexpr unsigned flag_recursion_available = 0x0080;
constexpr unsigned operation_bits = 0x7800;
constexpr unsigned reserved_bit = 0x0040;
constexpr std::size_t label_max = 63;

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_cname = 5;
constexpr std::uint16_t type_aaaa = 28;

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Reads numbers and names one after the other; after a failure everything is 0 and `is_good` false.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> message) noexcept : message_{message} {}
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }
  [[nodiscard]] bool is_at_end() const noexcept { return at_ == message_.size(); }

  unsigned number8() noexcept {
    if (at_ >= message_.size()) {
      is_good_ = false;
      return 0;
    }
    return std::to_integer<unsigned>(message_[at_++]);
  }
  unsigned number16() noexcept {
    const unsigned high = number8();
    return high << 8 | number8();
  }
  void skip(std::size_t size) noexcept {
    is_good_ = is_good_ && size <= message_.size() - at_;
    at_ += is_good_ ? size : 0;
  }
  // Without compression: a query has nothing that could be repeated.
  void name(NameQuery& query) noexcept {
    query.name_size = 0;
    for (;;) {
      const unsigned size = number8();
      if (size == 0) {
        return;
      }
      const std::size_t room = query.text.size() - query.name_size;
      if (size > label_max || size + (query.name_size == 0 ? 0U : 1U) > room) {
        is_good_ = false;
        return;
      }
      if (query.name_size != 0) {
        query.text[query.name_size++] = '.';
      }
      for (unsigned i = 0; i < size; ++i) {
        query.text[query.name_size++] = static_cast<char>(number8());
      }
    }
  }

 private:
  std::span<const std::byte> message_;
  std::size_t at_ = 0;
  bool is_good_ = true;
};

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

NameQueryFault read_query(std::span<const std::byte> message, NameQuery& query) noexcept {
  query = {};
  if (message.size() < dns_header_size) {
    return NameQueryFault::no_query;
  }
  Reader reader{message};
  query.id = static_cast<std::uint16_t>(reader.number16());
  const unsigned flags = reader.number16();
  if ((flags & flag_response) != 0) {
    return NameQueryFault::no_query;
  }
  query.recursion_desired = (flags & flag_recursion_desired) != 0;
  if ((flags & operation_bits) != 0) {
    return NameQueryFault::not_implemented;
  }
  const unsigned questions = reader.number16();
  const unsigned answers = reader.number16();
  const unsigned authorities = reader.number16();
  const unsigned additionals = reader.number16();
  if ((flags & (flag_truncated | reserved_bit)) != 0 || questions != 1 || answers != 0 || authorities != 0 ||
      additionals > 1) {
    return NameQueryFault::format;
  }
  reader.name(query);
  query.type = static_cast<std::uint16_t>(reader.number16());
  query.type_class = static_cast<std::uint16_t>(reader.number16());
  if (additionals == 1) {
    const unsigned owner = reader.number8();
    const unsigned type = reader.number16();
    query.edns_size = static_cast<std::uint16_t>(reader.number16());
    const unsigned extended_code = reader.number8();
    const unsigned version = reader.number8();
    reader.skip(2);  // flags
    const unsigned size = reader.number16();
    reader.skip(size);
    query.has_edns = true;
    if (owner != 0 || type != dns_opt || extended_code != 0 || version != 0) {
      return NameQueryFault::format;
    }
  }
  return reader.is_good() && reader.is_at_end() ? NameQueryFault::none : NameQueryFault::format;
}

// ---- writing

NameWriter::NameWriter(std::span<std::byte> memory, std::size_t limit, bool compresses) noexcept
    : memory_{memory}, limit_{std::min(limit, memory.size())}, compresses_{compresses} {}

void NameWriter::number8(unsigned value) noexcept {
  ENSURE(size_ < memory_.size());
  memory_[size_++] = static_cast<std::byte>(value & 0xFF);
}
void NameWriter::number16(unsigned value) noexcept {
  number8(value >> 8);
  number8(value);
}
void NameWriter::number32(std::uint32_t value) noexcept {
  number16(value >> 16);
  number16(value & 0xFFFF);
}
void NameWriter::set16(std::size_t offset, unsigned value) noexcept {
  ENSURE(offset + 2 <= memory_.size());
  memory_[offset] = static_cast<std::byte>(value >> 8 & 0xFF);
  memory_[offset + 1] = static_cast<std::byte>(value & 0xFF);
}

void NameWriter::count(Section section) noexcept {
  const auto i = static_cast<std::size_t>(section);
  set16(6 + 2 * i, ++counts_[i]);
}

void NameWriter::name(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto known = std::find_if(known_.begin(), known_.begin() + known_count_,
                                    [&](const KnownName& other) { return same_name(other.text, text); });
    if (compresses_ && known != known_.begin() + known_count_) {
      number16(0xC000U | static_cast<unsigned>(known->offset));
      return;
    }
    if (known_count_ < known_.size() && size_ < 0x4000) {
      known_[known_count_++] = {.text = text, .offset = size_};
    }
    const std::size_t size = std::min(text.find('.'), text.size());
    ENSURE(size <= label_max);
    number8(static_cast<unsigned>(size));
    for (const char c : text.substr(0, size)) {
      number8(static_cast<unsigned char>(c));
    }
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  number8(0);
}

void NameWriter::begin(const NameQuery& query, std::uint8_t code) noexcept {
  size_ = 0;
  number16(query.id);
  number16(flag_response | flag_recursion_available | (query.recursion_desired ? flag_recursion_desired : 0U) | code);
  number32(0);
  number32(0);
}

void NameWriter::question(std::string_view text, std::uint16_t type, std::uint16_t type_class) noexcept {
  name(text);
  number16(type);
  number16(type_class);
  set16(4, 1);
}

std::size_t NameWriter::begin_record(std::string_view owner, std::uint16_t type, std::uint32_t ttl) noexcept {
  name(owner);
  number16(type);
  number16(dns_class_in);
  number32(ttl);
  number16(0);
  return size_ - 2;
}

void NameWriter::end_record(Section section, std::size_t start, std::size_t known_before,
                            std::size_t size_at) noexcept {
  set16(size_at, static_cast<unsigned>(size_ - size_at - 2));
  if (size_ <= limit_ && !is_truncated_) {
    count(section);
    return;
  }
  size_ = start;
  known_count_ = known_before;
  if (!is_truncated_) {
    is_truncated_ = true;
    set16(2, std::to_integer<unsigned>(memory_[2]) << 8 | std::to_integer<unsigned>(memory_[3]) | flag_truncated);
  }
}

void NameWriter::address(Section section, std::string_view owner, std::uint32_t ttl, const Address& address) noexcept {
  const std::size_t start = size_;
  const std::size_t known = known_count_;
  const bool is_ipv6 = address.family == Family::ipv6;
  const std::size_t size_at = begin_record(owner, is_ipv6 ? type_aaaa : type_a, ttl);
  for (std::size_t i = 0; i < (is_ipv6 ? 16U : 4U); ++i) {
    number8(address.ip[i]);
  }
  end_record(section, start, known, size_at);
}

void NameWriter::alias(Section section, std::string_view owner, std::uint32_t ttl, std::string_view target) noexcept {
  const std::size_t start = size_;
  const std::size_t known = known_count_;
  const std::size_t size_at = begin_record(owner, type_cname, ttl);
  name(target);
  end_record(section, start, known, size_at);
}

void NameWriter::authority(std::uint32_t ttl, std::uint32_t minimum) noexcept {
  const std::size_t start = size_;
  const std::size_t known = known_count_;
  const std::size_t size_at = begin_record("", dns_soa, ttl);
  name("ns.test");
  name("hostmaster.test");
  for (const std::uint32_t value : {1U, 7200U, 3600U, 1209600U}) {  // serial, refresh, retry, expire
    number32(value);
  }
  number32(minimum);
  end_record(Section::authority, start, known, size_at);
}

void NameWriter::edns(std::uint16_t size) noexcept {
  number8(0);
  number16(dns_opt);
  number16(size);
  number32(0);  // extended code, version, flags
  number16(0);
  count(Section::additional);
}

}  // namespace pollux::port::sim
