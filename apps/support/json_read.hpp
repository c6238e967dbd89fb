// Reading JSON (RFC 8259) on fixed memory, and saying where it is wrong. The text may come from anybody.
//
//   std::uint64_t brightness = 0;
//   std::string_view trigger;
//   std::array<char, 32> trigger_memory;
//   std::array members{
//       apps::JsonMember::integer("brightness", brightness, {.min = 0, .max = 255}),
//       apps::JsonMember::text("trigger", trigger, trigger_memory),
//   };
//   if (const auto error = apps::read_json_object(request.body(), members)) {
//     ... error->reason "brightness is not an integer from 0 to 255", error->offset 14, error->line 1, error->column 15 ...
//   }
//   if (members[1].is_given()) { ... }
//
// The syntax is RapidJSON's iterative reader on a stack buffer: no heap, no recursion. Stricter than the RFC where it leaves a choice: no byte
// order mark, no byte that is not UTF-8, no member that is given twice, no NUL byte anywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/support/options.hpp"

namespace pollux::apps {

// The longest text that is read, in bytes; a longer one is an error. It decides how much stack a call takes: about twice as much.
inline constexpr std::size_t json_text_max = 4096;
// How deep arrays and objects may be nested; one more is an error.
inline constexpr std::size_t json_depth_max = 16;

// What is wrong with a text, and where.
struct JsonError {
  static constexpr std::size_t reason_max = 128;
  std::size_t offset = 0;  // bytes before the place; the size of the text if it ends too early
  std::size_t line = 1;    // 1 is the first; lines end in LF
  std::size_t column = 1;  // 1 is the first; counts characters, not bytes
  std::array<char, reason_max> memory{};
  std::size_t reason_size = 0;
  // A sentence part without a full stop: "a comma or } is missing".
  [[nodiscard]] std::string_view reason() const noexcept { return {memory.data(), reason_size}; }
};

// One member an object may have, and where its value goes. The targets must outlive the call; they are set as the text is read, so
// after an error they may or may not hold something.
class JsonMember {
 public:
  // An integer within `range`, written without fraction and exponent.
  [[nodiscard]] static JsonMember integer(std::string_view name, std::uint64_t& target, Range range) noexcept;
  [[nodiscard]] static JsonMember boolean(std::string_view name, bool& target) noexcept;
  // A text of at most memory.size() bytes, its escapes decoded. `target` points into `memory` afterwards.
  [[nodiscard]] static JsonMember text(std::string_view name, std::string_view& target,
                                       std::span<char> memory) noexcept;
  // It must be there.
  [[nodiscard]] JsonMember required() const noexcept {
    JsonMember member = *this;
    member.is_required_ = true;
    return member;
  }

  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  // It was in the text. Reset at the beginning of read_json_object().
  [[nodiscard]] bool is_given() const noexcept { return is_given_; }

 private:
  friend class JsonObjectReader;
  enum class Kind : std::uint8_t { integer, boolean, text };
  std::string_view name_;
  Kind kind_ = Kind::integer;
  bool is_required_ = false;
  bool is_given_ = false;
  Range range_{};
  void* target_ = nullptr;
  std::span<char> memory_{};
};

// Reads one object. A member that is not in `members`, is given twice, or has a value of another kind is an error, and so is a
// required one that is missing. Nothing: it was read.
[[nodiscard]] std::optional<JsonError> read_json_object(std::string_view text, std::span<JsonMember> members) noexcept;

// Checks that `text` is one JSON value of any kind. Repeated members of an object pass: remembering them would take memory without bound.
[[nodiscard]] std::optional<JsonError> check_json(std::string_view text) noexcept;

}  // namespace pollux::apps
