#include "apps/httpbin/json_check.hpp"

#include <bitset>

#include "apps/support/json.hpp"
#include "stack/base/text.hpp"

namespace pollux::httpbin {

namespace {

class Checker {
 public:
  explicit Checker(std::string_view text) noexcept : rest_{text} {}

  [[nodiscard]] bool run() noexcept {
    // Each round reads one value and what closes behind it.
    for (;;) {
      skip_blanks();
      if (opens()) {
        continue;
      }
      if (!value()) {
        return false;
      }
      switch (after_value()) {
        case After::more:
          continue;
        case After::end:
          return true;
        case After::wrong:
          return false;
      }
    }
  }

 private:
  enum class After { more, end, wrong };

  [[nodiscard]] char front() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }
  [[nodiscard]] bool take(char c) noexcept {
    if (front() != c || rest_.empty()) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }
  void skip_blanks() noexcept {
    while (!rest_.empty() && (is_blank(rest_.front()))) {
      rest_.remove_prefix(1);
    }
  }
  [[nodiscard]] static bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  // A bracket that opens something with an element in it; the next thing to read is that element. An empty pair of
  // brackets is a value.
  [[nodiscard]] bool opens() noexcept {
    if (front() != '{' && front() != '[') {
      return false;
    }
    const bool is_object = front() == '{';
    const std::string_view before = rest_;
    rest_.remove_prefix(1);
    skip_blanks();
    if (front() == (is_object ? '}' : ']')) {
      rest_ = before;
      return false;
    }
    if (depth_ == json_depth_max || (is_object && !name())) {
      rest_ = before;
      is_wrong_ = true;
      return false;
    }
    objects_[static_cast<std::size_t>(depth_++)] = is_object;
    return true;
  }

  // "name" and the colon.
  [[nodiscard]] bool name() noexcept {
    skip_blanks();
    if (!string()) {
      return false;
    }
    skip_blanks();
    return take(':');
  }

  [[nodiscard]] bool value() noexcept {
    if (is_wrong_) {
      return false;
    }
    switch (front()) {
      case '"':
        return string();
      case '{':
        return empty_brackets('}');
      case '[':
        return empty_brackets(']');
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }

  [[nodiscard]] bool empty_brackets(char closing) noexcept {
    rest_.remove_prefix(1);
    skip_blanks();
    return take(closing);
  }

  [[nodiscard]] bool literal(std::string_view word) noexcept {
    if (!rest_.starts_with(word)) {
      return false;
    }
    rest_.remove_prefix(word.size());
    return true;
  }

  [[nodiscard]] bool digits() noexcept {
    if (!base::is_digit(front())) {
      return false;
    }
    while (base::is_digit(front())) {
      rest_.remove_prefix(1);
    }
    return true;
  }

  [[nodiscard]] bool number() noexcept {
    static_cast<void>(take('-'));
    if (!take('0') && !digits()) {
      return false;
    }
    if (take('.') && !digits()) {
      return false;
    }
    if (take('e') || take('E')) {
      if (!take('+')) {
        static_cast<void>(take('-'));
      }
      return digits();
    }
    return true;
  }

  [[nodiscard]] bool string() noexcept {
    if (!take('"')) {
      return false;
    }
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') {
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20 || (c == '\\' && !escape())) {
        return false;
      }
    }
    return false;
  }

  [[nodiscard]] bool escape() noexcept {
    const char c = front();
    if (rest_.empty() || std::string_view{"\"\\/bfnrtu"}.find(c) == std::string_view::npos) {
      return false;
    }
    rest_.remove_prefix(1);
    for (int i = 0; c == 'u' && i < 4; ++i) {
      if (base::hex_value(front()) < 0) {
        return false;
      }
      rest_.remove_prefix(1);
    }
    return true;
  }

  // Closes what ends here, as often as it ends; then a comma, and the name in an object.
  [[nodiscard]] After after_value() noexcept {
    for (;;) {
      skip_blanks();
      if (depth_ == 0) {
        return rest_.empty() ? After::end : After::wrong;
      }
      const bool is_object = objects_[static_cast<std::size_t>(depth_ - 1)];
      if (take(is_object ? '}' : ']')) {
        --depth_;
        continue;
      }
      return take(',') && (!is_object || name()) ? After::more : After::wrong;
    }
  }

  std::string_view rest_;
  std::bitset<static_cast<std::size_t>(json_depth_max)> objects_;  // one bit a level: an object, not an array
  int depth_ = 0;
  bool is_wrong_ = false;
};

}  // namespace

bool is_json(std::string_view text) noexcept {
  return apps::is_utf8(text) && Checker{text}.run();
}

}  // namespace pollux::httpbin
