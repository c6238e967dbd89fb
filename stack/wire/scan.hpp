// Scanning: how far a name, a target, a value or a line reaches. The inner loops of the head parser.
//
// Four questions, each "where is the first byte at or behind `at` that ends this?", answered with text.size() if none
// does:
//
//   line_feed(text, at)   an LF
//   token_end(text, at)   a byte that no token has (RFC 9110 section 5.6.2): what ends a method or a field name
//   target_end(text, at)  a control byte, a blank, DEL, or a byte of 0x80 and above: what ends a request target
//   value_end(text, at)   a control byte but tab, or DEL: what ends a field value (RFC 9110 section 5.5)
//
// They look at 16 bytes at a time with SSE2 (x86-64) or NEON (aarch64), and elsewhere at 8 bytes in one 64-bit word. A
// whole vector is loaded only while all of it lies inside `text`; for the last, shorter piece the last whole vector of
// the text is loaded again and the bytes before `at` are masked out, so nothing outside the view is ever read. A text
// shorter than one vector goes byte by byte.
//
// scan::portable is the definition: plain loops over the byte tables below. scan::word is compiled everywhere too, so
// that the tests of one machine hold all three against each other.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace pollux::wire::scan {

// Which bytes are what, one bit a class: the tables of the RFCs, from which everything else follows.
enum ByteClass : std::uint8_t {
  token_byte = 1,   // tchar
  target_byte = 2,  // 0x21..0x7e
  value_byte = 4,   // 0x20..0xff without DEL, and tab
  host_byte = 8,    // what names and IPv4 addresses are made of: letters, digits, '-', '.'
};

inline constexpr std::array<std::uint8_t, 256> byte_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    const bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    const bool is_token =
        is_alphanumeric || (c != 0 && c < 0x80 && token_marks.find(static_cast<char>(c)) != token_marks.npos);
    const bool is_target = c > 0x20 && c < 0x7f;
    const bool is_value = (c >= 0x20 && c != 0x7f) || c == '\t';
    const bool is_host = is_alphanumeric || c == '-' || c == '.';
    classes[c] = static_cast<std::uint8_t>((is_token ? token_byte : 0) | (is_target ? target_byte : 0) |
                                           (is_value ? value_byte : 0) | (is_host ? host_byte : 0));
  }
  return classes;
}();

[[nodiscard]] constexpr bool is_token_byte(char c) noexcept {
  return (byte_classes[static_cast<unsigned char>(c)] & token_byte) != 0;
}

[[nodiscard]] constexpr bool is_host_name_byte(char c) noexcept {
  return (byte_classes[static_cast<unsigned char>(c)] & host_byte) != 0;
}

// The plain definition of the four, one byte after the other.
namespace portable {
[[nodiscard]] std::size_t line_feed(std::string_view text, std::size_t at) noexcept;
[[nodiscard]] std::size_t token_end(std::string_view text, std::size_t at) noexcept;
[[nodiscard]] std::size_t target_end(std::string_view text, std::size_t at) noexcept;
[[nodiscard]] std::size_t value_end(std::string_view text, std::size_t at) noexcept;
}  // namespace portable

// A lane set is `size` bytes looked at together. Its operations answer "yes" or "no" for each byte; hits() gives the
// answers as one bit a byte, the first byte lowest and `hit_step` bits apart. below() and between() take bounds of at
// most 0x80; for bytes of 0x80 and above their answer is "no".

// Eight bytes in a 64-bit word; bit 7 of each byte is its answer. No carry crosses a byte, so every answer is exact
// (the shorter, well-known formulas are exact only up to the first hit, which is the wrong end on a big-endian
// machine).
struct WordLanes {
  static constexpr std::size_t size = 8;
  static constexpr unsigned hit_step = 8;
  using Hits = std::uint64_t;
  std::uint64_t word;

  static constexpr std::uint64_t ones = 0x0101010101010101U;
  static constexpr std::uint64_t highs = 0x8080808080808080U;

  [[nodiscard]] static WordLanes load(const char* from) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return {word};
  }
  [[nodiscard]] WordLanes below(unsigned bound) const noexcept {
    return {~(((word & ~highs) + ones * (0x80 - bound)) | word) & highs};
  }
  [[nodiscard]] WordLanes equal(unsigned byte) const noexcept { return WordLanes{word ^ ones * byte}.below(1); }
  [[nodiscard]] WordLanes between(unsigned low, unsigned high) const noexcept {
    return {below(high + 1).word & ~below(low).word};
  }
  [[nodiscard]] WordLanes with_bits(unsigned bits) const noexcept { return {word | ones * bits}; }
  [[nodiscard]] WordLanes operator|(WordLanes other) const noexcept { return {word | other.word}; }
  [[nodiscard]] WordLanes negated() const noexcept { return {~word & highs}; }
  [[nodiscard]] Hits hits() const noexcept {
    return std::endian::native == std::endian::little ? word : __builtin_bswap64(word);
  }
};

#if defined(__SSE2__)

struct WideLanes {
  static constexpr std::size_t size = 16;
  static constexpr unsigned hit_step = 1;
  using Hits = std::uint32_t;
  __m128i bytes;

  [[nodiscard]] static WideLanes load(const char* from) noexcept {
    return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))};  // unaligned by definition
  }
  [[nodiscard]] static __m128i all(unsigned byte) noexcept { return _mm_set1_epi8(static_cast<char>(byte)); }
  [[nodiscard]] WideLanes below(unsigned bound) const noexcept { return between(0, bound - 1); }
  [[nodiscard]] WideLanes equal(unsigned byte) const noexcept { return {_mm_cmpeq_epi8(bytes, all(byte))}; }
  [[nodiscard]] WideLanes between(unsigned low, unsigned high) const noexcept {
    const __m128i offset = low == 0 ? bytes : _mm_sub_epi8(bytes, all(low));
    return {_mm_cmpeq_epi8(_mm_min_epu8(offset, all(high - low)), offset)};
  }
  [[nodiscard]] WideLanes with_bits(unsigned bits) const noexcept { return {_mm_or_si128(bytes, all(bits))}; }
  [[nodiscard]] WideLanes operator|(WideLanes other) const noexcept { return {_mm_or_si128(bytes, other.bytes)}; }
  [[nodiscard]] WideLanes negated() const noexcept { return {_mm_xor_si128(bytes, all(0xff))}; }
  [[nodiscard]] Hits hits() const noexcept { return static_cast<Hits>(_mm_movemask_epi8(bytes)); }
};

#elif defined(__aarch64__) && defined(__ARM_NEON)

struct WideLanes {
  static constexpr std::size_t size = 16;
  static constexpr unsigned hit_step = 4;
  using Hits = std::uint64_t;
  uint8x16_t bytes;

  [[nodiscard]] static WideLanes load(const char* from) noexcept {
    return {vld1q_u8(reinterpret_cast<const std::uint8_t*>(from))};
  }
  [[nodiscard]] static uint8x16_t all(unsigned byte) noexcept { return vdupq_n_u8(static_cast<std::uint8_t>(byte)); }
  [[nodiscard]] WideLanes below(unsigned bound) const noexcept { return {vcltq_u8(bytes, all(bound))}; }
  [[nodiscard]] WideLanes equal(unsigned byte) const noexcept { return {vceqq_u8(bytes, all(byte))}; }
  [[nodiscard]] WideLanes between(unsigned low, unsigned high) const noexcept {
    return {vcleq_u8(vsubq_u8(bytes, all(low)), all(high - low))};
  }
  [[nodiscard]] WideLanes with_bits(unsigned bits) const noexcept { return {vorrq_u8(bytes, all(bits))}; }
  [[nodiscard]] WideLanes operator|(WideLanes other) const noexcept { return {vorrq_u8(bytes, other.bytes)}; }
  [[nodiscard]] WideLanes negated() const noexcept { return {vmvnq_u8(bytes)}; }
  // NEON has no movemask; narrowing by four leaves four equal bits a byte, of which one is kept.
  [[nodiscard]] Hits hits() const noexcept {
    const uint8x8_t narrowed = vshrn_n_u16(vreinterpretq_u16_u8(bytes), 4);
    return vget_lane_u64(vreinterpret_u64_u8(narrowed), 0) & 0x1111111111111111U;
  }
};

#else

using WideLanes = WordLanes;

#endif

// The index of the first byte hit; `hits` is not 0.
template <typename Lanes>
[[nodiscard]] inline std::size_t first_hit(typename Lanes::Hits hits) noexcept {
  return static_cast<std::size_t>(std::countr_zero(hits)) / Lanes::hit_step;
}

// What stops each scan: for a lane set, and for one byte. For lanes a token also stops at what is rare in names
// (digits, '_' and other marks) and a value at tabs, which is cheaper; the loop then asks is_end() whether that byte
// really is the end.
struct LineFeedStop {
  template <typename Lanes>
  [[nodiscard]] static Lanes in(Lanes lanes) noexcept {
    return lanes.equal('\n');
  }
  [[nodiscard]] static bool is_end(char c) noexcept { return c == '\n'; }
};
struct TokenStop {
  template <typename Lanes>
  [[nodiscard]] static Lanes in(Lanes lanes) noexcept {
    return (lanes.with_bits(0x20).between('a', 'z') | lanes.equal('-')).negated();
  }
  [[nodiscard]] static bool is_end(char c) noexcept { return !is_token_byte(c); }
};
struct TargetStop {
  template <typename Lanes>
  [[nodiscard]] static Lanes in(Lanes lanes) noexcept {
    return lanes.between(0x21, 0x7e).negated();
  }
  [[nodiscard]] static bool is_end(char c) noexcept {
    return (byte_classes[static_cast<unsigned char>(c)] & target_byte) == 0;
  }
};
struct ValueStop {
  template <typename Lanes>
  [[nodiscard]] static Lanes in(Lanes lanes) noexcept {
    return lanes.below(0x20) | lanes.equal(0x7f);
  }
  [[nodiscard]] static bool is_end(char c) noexcept {
    return (byte_classes[static_cast<unsigned char>(c)] & value_byte) == 0;
  }
};

// The first byte at or behind `at` for which Stop::in says yes, or text.size(). `at` <= text.size(), text.size() >=
// Lanes::size.
template <typename Lanes, typename Stop>
[[nodiscard]] inline std::size_t first_stop(std::string_view text, std::size_t at) noexcept {
  const std::size_t last_start = text.size() - Lanes::size;
  for (; at <= last_start; at += Lanes::size) {
    if (const auto hits = Stop::in(Lanes::load(text.data() + at)).hits(); hits != 0) {
      return at + first_hit<Lanes>(hits);
    }
  }
  if (at == text.size()) {
    return at;
  }
  const auto before = static_cast<unsigned>(at - last_start) * Lanes::hit_step;
  const auto hits = Stop::in(Lanes::load(text.data() + last_start)).hits() >> before;
  return hits != 0 ? at + first_hit<Lanes>(hits) : text.size();
}

template <typename Lanes, typename Stop>
[[nodiscard]] inline std::size_t find(std::string_view text, std::size_t at) noexcept {
  if (text.size() < Lanes::size) [[unlikely]] {
    while (at < text.size() && !Stop::is_end(text[at])) {
      ++at;
    }
    return at;
  }
  for (;;) {
    at = first_stop<Lanes, Stop>(text, at);
    if (at == text.size() || Stop::is_end(text[at])) [[likely]] {
      return at;
    }
    ++at;
  }
}

// Eight bytes at a time, on every machine.
namespace word {
[[nodiscard]] inline std::size_t line_feed(std::string_view text, std::size_t at) noexcept {
  return find<WordLanes, LineFeedStop>(text, at);
}
[[nodiscard]] inline std::size_t token_end(std::string_view text, std::size_t at) noexcept {
  return find<WordLanes, TokenStop>(text, at);
}
[[nodiscard]] inline std::size_t target_end(std::string_view text, std::size_t at) noexcept {
  return find<WordLanes, TargetStop>(text, at);
}
[[nodiscard]] inline std::size_t value_end(std::string_view text, std::size_t at) noexcept {
  return find<WordLanes, ValueStop>(text, at);
}
}  // namespace word

// The widest this machine has: what the parser uses.
[[nodiscard]] inline std::size_t line_feed(std::string_view text, std::size_t at) noexcept {
  return find<WideLanes, LineFeedStop>(text, at);
}
[[nodiscard]] inline std::size_t token_end(std::string_view text, std::size_t at) noexcept {
  return find<WideLanes, TokenStop>(text, at);
}
[[nodiscard]] inline std::size_t target_end(std::string_view text, std::size_t at) noexcept {
  return find<WideLanes, TargetStop>(text, at);
}
[[nodiscard]] inline std::size_t value_end(std::string_view text, std::size_t at) noexcept {
  return find<WideLanes, ValueStop>(text, at);
}

}  // namespace pollux::wire::scan
