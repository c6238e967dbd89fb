// JsonWriter: JSON text (RFC 8259), written piece by piece into a sink. Nothing is stored but the nesting, so a
// document of any size takes the same few bytes.
//
//   apps::JsonWriter json{apps::json_sink(writer)};       // an http::ResponseWriter or a base::TextWriter
//   json.begin_object();
//   json.member("name", name).member("uptime_s", 12).member("load", 0.25, 2);
//   json.key("leds").begin_array().text("led0").text("led1").end_array();
//   json.end_object();             // {"name":"pi","uptime_s":12,"load":0.25,"leds":["led0","led1"]}
//
// Text is UTF-8. Bytes that are not are written as U+FFFD, one for each maximal part that cannot be decoded (Unicode
// 15, section 3.9), so that whatever a client or a file contains, the result is valid. Calls in an order that makes no
// JSON stop the program.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stack/base/text.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::apps {

// Takes the text. What does not fit is the sink's business: a TextWriter remembers that it overflowed, a ResponseWriter
// closes the connection instead of ending the answer.
struct JsonSink {
  void (*take)(void* object, std::string_view piece) = nullptr;
  void* object = nullptr;
};
// `target` must outlive the writer.
[[nodiscard]] JsonSink json_sink(http::ResponseWriter& target) noexcept;
[[nodiscard]] JsonSink json_sink(base::TextWriter& target) noexcept;

// True if all of `text` is well-formed UTF-8 (Unicode 15, table 3-7).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

enum class JsonStyle : std::uint8_t {
  compact,   // {"a":1,"b":[1,2]}
  spaced,    // {"a": 1, "b": [1, 2]}
  indented,  // a line for each member and element, two blanks a level
};

class JsonWriter {
 public:
  // How deep objects and arrays may be nested.
  static constexpr std::size_t depth_max = 32;

  explicit JsonWriter(JsonSink sink, JsonStyle style = JsonStyle::compact) noexcept : sink_{sink}, style_{style} {}

  JsonWriter& begin_object() noexcept { return begin('{', true); }
  JsonWriter& end_object() noexcept { return end('}', true); }
  JsonWriter& begin_array() noexcept { return begin('[', false); }
  JsonWriter& end_array() noexcept { return end(']', false); }
  // The name of the next value, inside an object.
  JsonWriter& key(std::string_view name) noexcept;

  JsonWriter& text(std::string_view value) noexcept;
  JsonWriter& boolean(bool value) noexcept;
  JsonWriter& null() noexcept;
  template <std::integral Number>
  JsonWriter& number(Number value) noexcept {
    if constexpr (std::signed_integral<Number>) {
      return signed_number(value);
    } else {
      return unsigned_number(value);
    }
  }
  // Rounded to `decimals` (0..9) digits behind the point. Null for what JSON has no number for: NaN, and magnitudes
  // from 9e9 on.
  JsonWriter& number(double value, int decimals) noexcept;
  // Text that is one valid JSON value already.
  JsonWriter& raw(std::string_view json) noexcept;

  // One text in several pieces, each valid by itself: begin_text(), add_text()..., end_text().
  JsonWriter& begin_text() noexcept;
  JsonWriter& add_text(std::string_view piece) noexcept;
  JsonWriter& end_text() noexcept;

  // key() and the value in one call.
  JsonWriter& member(std::string_view name, std::string_view value) noexcept { return key(name).text(value); }
  JsonWriter& member(std::string_view name, const char* value) noexcept { return key(name).text(value); }
  JsonWriter& member(std::string_view name, std::same_as<bool> auto value) noexcept { return key(name).boolean(value); }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) JsonWriter& member(std::string_view name, Number value) noexcept {
    return key(name).number(value);
  }
  JsonWriter& member(std::string_view name, double value, int decimals) noexcept {
    return key(name).number(value, decimals);
  }

  // True once the outermost value is complete.
  [[nodiscard]] bool is_complete() const noexcept { return depth_ == 0 && has_element_; }

 private:
  JsonWriter& begin(char bracket, bool is_object) noexcept;
  JsonWriter& end(char bracket, bool is_object) noexcept;
  JsonWriter& signed_number(std::int64_t value) noexcept;
  JsonWriter& unsigned_number(std::uint64_t value) noexcept;
  void before_value() noexcept;
  void separate() noexcept;
  void new_line() noexcept;
  void put(std::string_view piece) noexcept { sink_.take(sink_.object, piece); }
  [[nodiscard]] bool in_object() const noexcept { return depth_ > 0 && (objects_ >> (depth_ - 1) & 1) != 0; }

  JsonSink sink_;
  JsonStyle style_;
  std::uint32_t objects_ = 0;  // one bit for each level: an object, not an array
  std::size_t depth_ = 0;
  bool has_element_ = false;  // on this level something was written
  bool has_key_ = false;      // key() was called, its value is to come
  bool in_text_ = false;
};

}  // namespace pollux::apps
