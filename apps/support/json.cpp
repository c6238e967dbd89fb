#include "apps/support/json.hpp"

#include <array>

#include "port/ensure.hpp"

namespace pollux::apps {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// How many bytes of `text` are one well-formed character (Unicode 15, table 3-7); negative: how many, at least one, are
// the maximal part of none.
int character_size(std::string_view text) noexcept {
  const auto byte = [text](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (first < 0xC2 || first > 0xF4) {
    return -1;
  }
  const int size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned low = first == 0xE0 ? 0xA0U : first == 0xF0 ? 0x90U : 0x80U;
  const unsigned high = first == 0xED ? 0x9FU : first == 0xF4 ? 0x8FU : 0xBFU;
  if (byte(1) < low || byte(1) > high) {
    return -1;
  }
  for (int i = 2; i < size; ++i) {
    if ((byte(static_cast<std::size_t>(i)) & 0xC0U) != 0x80U) {
      return -i;
    }
  }
  return size;
}

// The short escape of a control byte, a quote or a backslash; empty if it has none.
std::string_view short_escape(char c) noexcept {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return {};
  }
}

constexpr bool is_plain(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

}  // namespace

JsonSink json_sink(http::ResponseWriter& target) noexcept {
  return {[](void* object, std::string_view piece) { static_cast<http::ResponseWriter*>(object)->write(piece); },
          &target};
}

JsonSink json_sink(base::TextWriter& target) noexcept {
  return {[](void* object, std::string_view piece) { static_cast<base::TextWriter*>(object)->put(piece); }, &target};
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const int size = character_size(text);
    if (size < 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

JsonWriter& JsonWriter::begin(char bracket, bool is_object) noexcept {
  before_value();
  ENSURE(depth_ < depth_max);
  const std::uint32_t bit = std::uint32_t{1} << depth_;
  objects_ = is_object ? objects_ | bit : objects_ & ~bit;
  ++depth_;
  has_element_ = false;
  put({&bracket, 1});
  return *this;
}

JsonWriter& JsonWriter::end(char bracket, bool is_object) noexcept {
  ENSURE(depth_ > 0);
  ENSURE(in_object() == is_object);
  ENSURE(!has_key_);
  ENSURE(!in_text_);
  --depth_;
  if (has_element_) {
    new_line();
  }
  has_element_ = true;
  put({&bracket, 1});
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) noexcept {
  ENSURE(in_object());
  ENSURE(!has_key_);
  ENSURE(!in_text_);
  separate();
  put("\"");
  in_text_ = true;
  add_text(name);
  in_text_ = false;
  put(style_ == JsonStyle::compact ? "\":" : "\": ");
  has_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) noexcept {
  return begin_text().add_text(value).end_text();
}

JsonWriter& JsonWriter::boolean(bool value) noexcept {
  return raw(value ? "true" : "false");
}

JsonWriter& JsonWriter::null() noexcept {
  return raw("null");
}

JsonWriter& JsonWriter::unsigned_number(std::uint64_t value) noexcept {
  return raw(base::Decimal{value}.view());
}

JsonWriter& JsonWriter::signed_number(std::int64_t value) noexcept {
  std::array<char, 21> memory{};
  return raw(base::TextWriter{memory}.put_signed(value).view());
}

JsonWriter& JsonWriter::number(double value, int decimals) noexcept {
  ENSURE(decimals >= 0);
  ENSURE(decimals <= 9);
  // In steps of the last digit the magnitude stays below 9e18, which a 64-bit integer holds.
  constexpr double magnitude_max = 9e9;
  const bool is_negative = value < 0;
  const double magnitude = is_negative ? -value : value;
  if (!(magnitude < magnitude_max)) {
    return null();
  }
  std::uint64_t scale = 1;
  for (int i = 0; i < decimals; ++i) {
    scale *= 10;
  }
  // Never negative, so adding a half and cutting rounds. NOLINTNEXTLINE(bugprone-incorrect-roundings)
  const auto steps = static_cast<std::uint64_t>(magnitude * static_cast<double>(scale) + 0.5);
  std::array<char, 32> memory{};
  base::TextWriter out{memory};
  if (is_negative && steps != 0) {
    out.put('-');
  }
  out.put_decimal(steps / scale);
  if (decimals > 0) {
    out.put('.');
    const base::Decimal fraction{scale + steps % scale};  // a leading 1 keeps the zeros
    std::string_view digits = fraction.view();
    digits.remove_prefix(1);
    out.put(digits);
  }
  return raw(out.view());
}

JsonWriter& JsonWriter::raw(std::string_view json) noexcept {
  before_value();
  put(json);
  has_element_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_text() noexcept {
  before_value();
  in_text_ = true;
  put("\"");
  return *this;
}

JsonWriter& JsonWriter::add_text(std::string_view piece) noexcept {
  ENSURE(in_text_);
  while (!piece.empty()) {
    std::size_t plain = 0;
    while (plain < piece.size() && is_plain(piece[plain])) {
      ++plain;
    }
    if (plain > 0) {
      put({piece.data(), plain});
      piece.remove_prefix(plain);
      continue;
    }
    const char c = piece.front();
    const int size = character_size(piece);
    if (size < 0) {
      put(replacement);
    } else if (size > 1) {
      put({piece.data(), static_cast<std::size_t>(size)});
    } else if (const std::string_view escape = short_escape(c); !escape.empty()) {
      put(escape);
    } else {
      std::array<char, 8> memory{};
      put(base::TextWriter{memory}.put("\\u").put_hex(static_cast<unsigned char>(c), 4).view());
    }
    piece.remove_prefix(static_cast<std::size_t>(size < 0 ? -size : size));
  }
  return *this;
}

JsonWriter& JsonWriter::end_text() noexcept {
  ENSURE(in_text_);
  in_text_ = false;
  has_element_ = true;
  put("\"");
  return *this;
}

void JsonWriter::before_value() noexcept {
  ENSURE(!in_text_);
  if (in_object()) {
    ENSURE(has_key_);  // a value in an object has a name
    has_key_ = false;
    return;
  }
  if (depth_ == 0) {
    ENSURE(!has_element_);  // one document is one value
    return;
  }
  separate();
}

void JsonWriter::separate() noexcept {
  if (has_element_) {
    put(style_ == JsonStyle::spaced ? ", " : ",");
  }
  new_line();
  has_element_ = true;
}

void JsonWriter::new_line() noexcept {
  if (style_ != JsonStyle::indented) {
    return;
  }
  put("\n");
  for (std::size_t i = 0; i < depth_; ++i) {
    put("  ");
  }
}

}  // namespace pollux::apps
