#include "stack/tls/pem.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::tls {
namespace {

constexpr std::string_view dashes = "-----";
constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// 0 to 63; -1: not of the alphabet.
constexpr int sextet(char c) noexcept {
  if (c >= 'A' && c <= 'Z') {
    return c - 'A';
  }
  if (c >= 'a' && c <= 'z') {
    return c - 'a' + 26;
  }
  if (c >= '0' && c <= '9') {
    return c - '0' + 52;
  }
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

constexpr bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

bool Base64Decoder::put(char c, std::byte& out, bool& has_byte) noexcept {
  has_byte = false;
  if (c == '=') {
    // One or two, and only where they complete a group whose left-over bits are zero.
    const bool fits = count_ >= 2 && count_ < 4 && padding_ < 2 && bits_ == 0;
    if (!fits) {
      return false;
    }
    ++padding_;
    ++count_;
    return true;
  }
  const int value = sextet(c);
  if (value < 0 || padding_ > 0) {
    return false;
  }
  if (count_ == 4) {
    count_ = 0;
  }
  bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
  ++count_;
  if (count_ == 1) {
    return true;
  }
  // After the second, third and fourth character there are 12, 10 and 8 bits: eight of them are a byte.
  const unsigned left = 8U - 2U * count_;
  out = static_cast<std::byte>(bits_ >> left);
  bits_ &= (1U << left) - 1U;
  has_byte = true;
  return true;
}

std::string_view write_base64(std::span<const std::byte> bytes, std::span<char> out) noexcept {
  const std::size_t size = (bytes.size() + 2) / 3 * 4;
  ENSURE(out.size() >= size);
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto group = bytes.subspan(i, std::min<std::size_t>(3, bytes.size() - i));
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < group.size() ? std::to_integer<std::uint32_t>(group[j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out[at++] = j <= group.size() ? alphabet[bits >> (18 - 6 * j) & 63U] : '=';
    }
  }
  return {out.data(), size};
}

PemReader::Line PemReader::line_so_far() const noexcept {
  if (line_size_ > line_max) {
    return Line::none;
  }
  const std::string_view line{line_.data(), line_size_};
  if (!line.ends_with(dashes)) {
    return Line::none;
  }
  if (base::starts_with(line, end_mark) && line.size() > end_mark.size() + dashes.size()) {
    return Line::end;
  }
  if (!base::starts_with(line, begin_mark) || line.size() <= begin_mark.size() + dashes.size()) {
    return Line::none;
  }
  const std::string_view label{line.data() + begin_mark.size(), line.size() - begin_mark.size() - dashes.size()};
  const bool is_ours =
      is_any_key_ ? label == "PRIVATE KEY" || label == "EC PRIVATE KEY" || label == "RSA PRIVATE KEY" : label == label_;
  return is_ours ? Line::begin_ours : Line::begin_other;
}

void PemReader::begin_block() noexcept {
  inside_ = true;
  bad_ = false;
  size_ = 0;
  base64_ = {};
}

PemReader::Event PemReader::read(std::string_view& text, std::span<std::byte> out) noexcept {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '\n' || c == '\r') {
      bad_ = bad_ || (line_size_ > 0 && line_[0] == '-');  // it was no mark, and base64 has no such line
      line_size_ = 0;
      continue;
    }
    // A byte order mark may stand before the first line.
    if (line_size_ == 0 && !inside_ && static_cast<unsigned char>(c) >= 0x80) {
      continue;
    }
    if (line_size_ < line_max) {
      line_[line_size_] = c;
    }
    line_size_ = std::min(line_size_ + 1, line_max + 1);
    if (line_[0] == '-') {
      const Line line = c == '-' ? line_so_far() : Line::none;
      if (line == Line::none) {
        continue;
      }
      line_size_ = line_max + 1;  // what follows in this line is nothing
      line_[0] = '\0';
      if (line == Line::begin_other && !inside_) {
        continue;
      }
      const bool was_inside = inside_;
      const bool was_good = was_inside && !bad_ && base64_.may_end();
      const std::size_t size = size_;
      inside_ = false;
      if (line == Line::begin_ours) {
        begin_block();
      }
      if (!was_inside) {
        continue;
      }
      if (line != Line::end || !was_good) {
        return Event::bad_block;
      }
      return size <= out.size() ? Event::block : Event::too_large;
    }
    if (!inside_ || bad_ || is_space(c) || line_[0] == '\0') {
      continue;
    }
    std::byte value{};
    bool has_byte = false;
    if (!base64_.put(c, value, has_byte)) {
      bad_ = true;
    } else if (has_byte) {
      if (size_ < out.size()) {
        out[size_] = value;
      }
      ++size_;
    }
  }
  return Event::need_more;
}

}  // namespace pollux::tls
