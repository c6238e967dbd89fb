#include "stack/wire/quoted.hpp"

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

constexpr bool is_quotable(char c) {
  return c == '\t' || !is_control(c);
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && base::is_blank(text.front())) {
    text.remove_prefix(1);
  }
}

std::string_view take_token(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_token_byte(text[end])) {
    ++end;
  }
  const std::string_view token = slice(text, 0, end);
  text.remove_prefix(end);
  return token;
}

// Writes `text`, the inside of a quoted string, without the backslashes.
port::Result<std::string_view, QuotedError> remove_escapes(std::string_view text, std::span<char> out) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
    }
    if (size == out.size()) {
      return port::Failure{QuotedError::out_too_small};
    }
    out[size++] = text[i];
  }
  return std::string_view{out.data(), size};
}

}  // namespace

port::Result<std::string_view, QuotedError> scan_quoted(std::string_view text) noexcept {
  if (!text.starts_with('"')) {
    return port::Failure{QuotedError::malformed};
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      return slice(text, 0, i + 1);
    }
    if (text[i] == '\\') {
      ++i;
    }
    if (i == text.size() || !is_quotable(text[i])) {
      break;
    }
  }
  return port::Failure{QuotedError::malformed};
}

port::Result<std::string_view, QuotedError> unquote(std::string_view quoted, std::span<char> out) noexcept {
  const auto whole = scan_quoted(quoted);
  if (!whole || whole->size() != quoted.size()) {
    return port::Failure{QuotedError::malformed};
  }
  return remove_escapes(slice(quoted, 1, quoted.size() - 1), out);
}

port::Result<std::string_view, QuotedError> write_quoted(std::string_view text, std::span<char> out) noexcept {
  base::TextWriter writer{out};
  writer.put('"');
  for (const char c : text) {
    if (!is_quotable(c)) {
      return port::Failure{QuotedError::malformed};
    }
    if (c == '"' || c == '\\') {
      writer.put('\\');
    }
    writer.put(c);
  }
  writer.put('"');
  if (writer.overflowed()) {
    return port::Failure{QuotedError::out_too_small};
  }
  return writer.view();
}

std::optional<std::string_view> ListItems::next() noexcept {
  while (!rest_.empty()) {
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != ',') {
      if (rest_[end] != '"') {
        ++end;
        continue;
      }
      const auto quoted = scan_quoted(drop(rest_, end));
      end = quoted ? end + quoted->size() : rest_.size();
    }
    const std::string_view item = base::trim(slice(rest_, 0, end));
    rest_.remove_prefix(end < rest_.size() ? end + 1 : end);
    if (!item.empty()) {
      return item;
    }
  }
  return std::nullopt;
}

bool has_list_token(std::string_view value, std::string_view token) noexcept {
  ListItems items{value};
  while (const auto item = items.next()) {
    if (base::equal_ignoring_case(*item, token)) {
      return true;
    }
  }
  return false;
}

port::Result<std::string_view, QuotedError> unquote_value(const Parameter& parameter, std::span<char> out) noexcept {
  if (parameter.is_quoted) {
    return remove_escapes(parameter.value, out);
  }
  base::TextWriter writer{out};
  writer.put(parameter.value);
  if (writer.overflowed()) {
    return port::Failure{QuotedError::out_too_small};
  }
  return writer.view();
}

bool Parameters::take_equals() noexcept {
  std::string_view rest = rest_;
  if (separator_ == ',') {
    skip_blanks(rest);
  }
  if (!rest.starts_with('=')) {
    return false;
  }
  rest.remove_prefix(1);
  if (separator_ == ',') {
    skip_blanks(rest);
  }
  rest_ = rest;
  return true;
}

// One parameter from the front of rest_; nothing if there is something else.
std::optional<Parameter> Parameters::take() noexcept {
  Parameter parameter;
  parameter.name = take_token(rest_);
  if (parameter.name.empty()) {
    return std::nullopt;
  }
  if (take_equals()) {
    parameter.has_value = true;
    if (rest_.starts_with('"')) {
      const auto quoted = scan_quoted(rest_);
      if (!quoted) {
        return std::nullopt;
      }
      parameter.is_quoted = true;
      parameter.value = slice(*quoted, 1, quoted->size() - 1);
      rest_.remove_prefix(quoted->size());
    } else {
      parameter.value = take_token(rest_);
      if (parameter.value.empty()) {
        return std::nullopt;
      }
    }
  }
  skip_blanks(rest_);
  if (!rest_.empty() && rest_.front() != separator_) {
    return std::nullopt;
  }
  return parameter;
}

std::optional<Parameter> Parameters::next() noexcept {
  while (!rest_.empty() && (base::is_blank(rest_.front()) || rest_.front() == separator_)) {
    rest_.remove_prefix(1);
  }
  if (rest_.empty() || is_malformed_) {
    return std::nullopt;
  }
  const auto parameter = take();
  is_malformed_ = !parameter.has_value();
  return parameter;
}

}  // namespace pollux::wire
