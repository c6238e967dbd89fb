// PEM: bytes in base64 between two lines that say what they are. Source: RFC 7468 (the lax form: white space anywhere in the base64).
//
// Read in pieces of any size into memory that is given, without a NUL at the end; mbedTLS's own reader wants the whole text at once, and
// copies it twice. What stands between the blocks is passed over. Knows nothing of mbedTLS.
//
//   PemReader reader{certificate_label};
//   while (reader.read(text, out) == PemReader::Event::block) { use(out.first(reader.size())); }
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pollux::tls {

// Decodes base64 (RFC 4648 section 4) one character after the other. The padding is required.
class Base64Decoder {
 public:
  // False: this character cannot stand here. Otherwise `out` has a new byte if `has_byte` says so.
  [[nodiscard]] bool put(char c, std::byte& out, bool& has_byte) noexcept;
  // Whether the text may end here: whole groups of four, and no bits left over that are not zero.
  [[nodiscard]] bool may_end() const noexcept { return count_ % 4 == 0 && bits_ == 0; }

 private:
  std::uint32_t bits_ = 0;  // of the present group, not given away yet
  std::uint8_t count_ = 0;  // characters of the present group
  std::uint8_t padding_ = 0;
};

// Writes base64 with padding: 4 characters for 3 bytes. `out` must have room (ENSURE).
[[nodiscard]] std::string_view write_base64(std::span<const std::byte> bytes, std::span<char> out) noexcept;

class PemReader {
 public:
  enum class Event : std::uint8_t {
    need_more,  // the text is used up
    block,      // a block's size() bytes are in `out`
    bad_block,  // a block is not base64, has headers (an encrypted key), or was not finished before the next one began
    too_large,  // a block has size() bytes, more than `out`
  };

  // The label is what stands behind BEGIN, "CERTIFICATE" for example; it is kept as a view. Other blocks are passed over.
  explicit PemReader(std::string_view label) noexcept : label_{label} {}
  // Any label that ends like this: "PRIVATE KEY" is also "EC PRIVATE KEY", but not "ENCRYPTED PRIVATE KEY".
  struct AnyPrivateKey {};
  explicit PemReader(AnyPrivateKey /*any*/) noexcept : is_any_key_{true} {}

  // Reads on up to the next event and takes what it read from the front of `text`. `out` is the same until a block is over.
  [[nodiscard]] Event read(std::string_view& text, std::span<std::byte> out) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // In the middle of a block: a text that ends here has lost its end.
  [[nodiscard]] bool is_inside() const noexcept { return inside_; }

 private:
  enum class Line : std::uint8_t { none, begin_ours, begin_other, end };
  [[nodiscard]] Line line_so_far() const noexcept;
  void begin_block() noexcept;

  // Longer than every line that is looked at: "-----BEGIN ENCRYPTED PRIVATE KEY-----" has 37 characters.
  static constexpr std::size_t line_max = 64;

  std::string_view label_{};
  bool is_any_key_ = false;
  bool inside_ = false;
  bool bad_ = false;
  Base64Decoder base64_{};
  std::size_t size_ = 0;
  std::array<char, line_max> line_{};
  std::size_t line_size_ = 0;  // may be more than line_max: then it is no line of ours
};

inline constexpr std::string_view certificate_label = "CERTIFICATE";

// Whether this is DER and not a text: a SEQUENCE's tag, which is also the digit 0, and then either the first byte of a long length, which is no
// character, or the length of just what follows.
[[nodiscard]] constexpr bool is_der_text(std::string_view text) noexcept {
  return text.size() >= 2 && text[0] == '\x30' &&
         (static_cast<unsigned char>(text[1]) >= 0x80 || static_cast<unsigned char>(text[1]) == text.size() - 2);
}

}  // namespace pollux::tls
