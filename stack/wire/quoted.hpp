// Tokens, quoted strings, comma lists and parameters: what most field values are made of. Source: RFC 9110 section 5.6.
//
// Nothing is copied but by unquote() and write_quoted(); commas and semicolons inside quotes separate nothing.
//
//   has_list_token("keep-alive, Upgrade", "upgrade") == true
//   ListItems items{R"(gzip, "a,b", br)"};             // next(): gzip, then "a,b" with its quotes, then br
//   Parameters parameters{R"(; charset="utf-8"; q=1)"};  // next(): {charset, utf-8, is_quoted}, then {q, 1}
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/result.hpp"
#include "stack/wire/scan.hpp"

namespace pollux::wire {

using scan::is_token_byte;  // tchar of RFC 9110 section 5.6.2

// True for a text of one or more token bytes: a method, a field name, a parameter name.
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_token_byte(c)) {
      return false;
    }
  }
  return !text.empty();
}

enum class QuotedError : std::uint8_t {
  malformed,      // no quote in front, none at the end, or a control byte other than tab
  out_too_small,  // `out` has no room for the result
};

// The quoted string at the front of `text`, with both its quotes. Errors: malformed.
[[nodiscard]] port::Result<std::string_view, QuotedError> scan_quoted(std::string_view text) noexcept;

// The text that a quoted string (with its quotes, nothing behind them) stands for, written into `out`, which may begin
// at quoted.data(). quoted.size() - 2 bytes are always enough. Errors: malformed, out_too_small.
[[nodiscard]] port::Result<std::string_view, QuotedError> unquote(std::string_view quoted,
                                                                  std::span<char> out) noexcept;

// Writes `text` as a quoted string; quotes and backslashes are escaped. 2 * text.size() + 2 bytes are always enough.
// Errors: malformed (a control byte, which no quoted string can hold), out_too_small.
[[nodiscard]] port::Result<std::string_view, QuotedError> write_quoted(std::string_view text,
                                                                       std::span<char> out) noexcept;

// Walks the elements of a comma list (RFC 9110 section 5.6.1): blanks around them are taken off, empty ones passed
// over. A quoted string that does not end makes the rest of the list one element.
class ListItems {
 public:
  constexpr explicit ListItems(std::string_view value) noexcept : rest_{value} {}
  // The next element, never empty; a part of the value. Nothing at the end.
  [[nodiscard]] std::optional<std::string_view> next() noexcept;

 private:
  std::string_view rest_;
};

// True if an element of the comma list `value` is `token`, letters of either case. "Connection: foo, Close" has
// "close".
[[nodiscard]] bool has_list_token(std::string_view value, std::string_view token) noexcept;

struct Parameter {
  std::string_view name;  // a token
  std::string_view
      value;  // raw: a token, or what stands between the quotes, where `is_quoted` and a backslash need unquote_value()
  bool has_value = false;  // there was a '='
  bool is_quoted = false;
};

// Writes the meaning of a parameter's value into `out`. Errors: out_too_small.
[[nodiscard]] port::Result<std::string_view, QuotedError> unquote_value(const Parameter& parameter,
                                                                        std::span<char> out) noexcept;

// Walks "name=value" pairs, each with a token or a quoted string as its value, or just "name".
class Parameters {
 public:
  // `separator` is ';' (media types and the like: no blanks around '=', RFC 9110 section 5.6.6) or ',' (Cache-Control,
  // credentials: blanks around '=' are bad but have to be understood, RFC 9110 section 11.2).
  constexpr explicit Parameters(std::string_view text, char separator = ';') noexcept
      : rest_{text}, separator_{separator} {}

  // The next parameter; nothing at the end, or where the text is malformed. Empty ones are passed over.
  [[nodiscard]] std::optional<Parameter> next() noexcept;
  // True if next() stopped for something that is no parameter.
  [[nodiscard]] constexpr bool is_malformed() const noexcept { return is_malformed_; }

 private:
  [[nodiscard]] std::optional<Parameter> take() noexcept;
  [[nodiscard]] bool take_equals() noexcept;

  std::string_view rest_;
  char separator_;
  bool is_malformed_ = false;
};

}  // namespace pollux::wire
