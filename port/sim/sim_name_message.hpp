// DNS messages for the simulator's name server: reads queries strictly and writes answers, right ones and wrong ones.
// Private to port/sim, and on purpose no code of stack/net: a mistake made there must not be made here again.
//
// Source: RFC 1035 section 4, RFC 6891 section 6 (OPT). A name is text without the last dot; "" is the root.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "port/address.hpp"

namespace pollux::port::sim {

inline constexpr std::uint16_t dns_soa = 6;
inline constexpr std::uint16_t dns_opt = 41;
inline constexpr std::uint16_t dns_class_in = 1;
inline constexpr std::size_t dns_header_size = 12;
inline constexpr std::size_t dns_name_max = 253;  // bytes of text

// True if they are the same name: upper and lower case are one (RFC 4343).
[[nodiscard]] bool same_name(std::string_view a, std::string_view b) noexcept;

struct NameQuery {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool has_edns = false;
  std::uint16_t edns_size = 0;  // bytes that the asker takes
  std::uint16_t type = 0;
  std::uint16_t type_class = 0;
  std::size_t name_size = 0;
  std::array<char, dns_name_max> text{};  // in the asker's own case
  [[nodiscard]] std::string_view name() const noexcept { return {text.data(), name_size}; }
};

enum class NameQueryFault : std::uint8_t {
  none,
  no_query,         // too short, or an answer: not worth an answer
  format,           // FORMERR
  not_implemented,  // another operation than QUERY: NOTIMP
};

// `query.id` is set unless the result is no_query; the rest when it is none. Strict: one question, nothing but an OPT
// record behind it, no compression, no bytes left over.
[[nodiscard]] NameQueryFault read_query(std::span<const std::byte> message, NameQuery& query) noexcept;

// Writes one message into given memory. A record that does not fit below the limit is left out and the message marked as
// truncated. Names must outlive the writer: they are looked at again for compression.
class NameWriter {
 public:
  enum class Section : std::uint8_t { answer, authority, additional };

  NameWriter(std::span<std::byte> memory, std::size_t limit, bool compresses) noexcept;

  void begin(const NameQuery& query, std::uint8_t code) noexcept;  // header, as an answer
  void question(std::string_view text, std::uint16_t type, std::uint16_t type_class) noexcept;
  void address(Section section, std::string_view owner, std::uint32_t ttl, const Address& address) noexcept;
  void alias(Section section, std::string_view owner, std::uint32_t ttl, std::string_view target) noexcept;
  // A start of authority of the root zone: `ttl` of the record, and its MINIMUM (RFC 2308 section 5 takes the smaller).
  void authority(std::uint32_t ttl, std::uint32_t minimum) noexcept;
  void edns(std::uint16_t size) noexcept;  // an OPT record, limit or not

  // ---- for lies: bytes as they are
  void number8(unsigned value) noexcept;
  void number16(unsigned value) noexcept;
  void number32(std::uint32_t value) noexcept;
  void set16(std::size_t offset, unsigned value) noexcept;
  void count(Section section) noexcept;  // one record more

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool is_truncated() const noexcept { return is_truncated_; }
  [[nodiscard]] std::uint16_t answers() const noexcept { return counts_[0]; }

 private:
  static constexpr std::size_t known_names_max = 32;
  struct KnownName {
    std::string_view text;
    std::size_t offset = 0;
  };

  void name(std::string_view text) noexcept;
  // What all records begin with. Returns where the size of the data belongs.
  [[nodiscard]] std::size_t begin_record(std::string_view owner, std::uint16_t type, std::uint32_t ttl) noexcept;
  void end_record(Section section, std::size_t start, std::size_t known_before, std::size_t size_at) noexcept;

  std::span<std::byte> memory_;
  std::size_t limit_;
  bool compresses_;
  bool is_truncated_ = false;
  std::size_t size_ = 0;
  std::array<std::uint16_t, 3> counts_{};
  std::array<KnownName, known_names_max> known_{};
  std::size_t known_count_ = 0;
};

}  // namespace pollux::port::sim
