#include "apps/fetch/data.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "stack/base/text.hpp"

namespace pollux::fetch {
namespace {

struct Value {
  std::string text{};
  std::string warning{};
};

Value read_value(std::string_view path) {
  if (auto content = read_whole_file(path)) {
    return {.text = std::move(*content), .warning = {}};
  }
  return {.text = {},
          .warning = "Couldn't read data from file \"" + std::string{path} + "\", this makes an empty POST."};
}

Value url_encoded(std::string_view value) {
  // Up to the first '=' is a name that goes out as it is; '@' in its place names a file.
  const std::size_t equals = value.find('=');
  const std::size_t split = equals != std::string_view::npos ? equals : value.find('@');
  if (split == std::string_view::npos) {
    return {.text = form_escape(value), .warning = {}};
  }
  const std::string_view name = value.substr(0, split);
  const std::string_view rest = value.substr(split + 1);
  Value content = value[split] == '@' ? read_value(rest) : Value{.text = std::string{rest}, .warning = {}};
  content.text = form_escape(content.text);
  if (!name.empty()) {
    content.text = std::string{name} + "=" + content.text;
  }
  return content;
}

Value value_of(DataKind kind, std::string_view value) {
  if (kind == DataKind::url_encoded) {
    return url_encoded(value);
  }
  if (kind == DataKind::raw || !value.starts_with('@')) {
    return {.text = std::string{value}, .warning = {}};
  }
  Value content = read_value(value.substr(1));
  if (kind == DataKind::ascii) {
    std::erase_if(content.text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  }
  return content;
}

}  // namespace

std::optional<std::string> read_whole_file(std::string_view path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(std::string{path}.c_str(), "rbe");
  if (file == nullptr) {
    return std::nullopt;
  }
  std::string content;
  std::array<char, 16384> piece;
  std::size_t size = 0;
  while ((size = std::fread(piece.data(), 1, piece.size(), file)) > 0) {
    content.append(piece.data(), size);
  }
  const bool failed = std::ferror(file) != 0;
  if (file != stdin) {
    static_cast<void>(std::fclose(file));
  }
  return failed ? std::nullopt : std::optional{std::move(content)};
}

std::string form_escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (base::is_alpha(c) || base::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      escaped += c;
    } else if (c == ' ') {
      escaped += '+';
    } else {
      const auto byte = static_cast<unsigned char>(c);
      escaped += '%';
      escaped += "0123456789ABCDEF"[byte >> 4];
      escaped += "0123456789ABCDEF"[byte & 15];
    }
  }
  return escaped;
}

std::string append_data(std::string& data, bool is_first, DataKind kind, std::string_view value) {
  Value content = value_of(kind, value);
  if (!is_first && kind != DataKind::json) {
    data += '&';
  }
  data += content.text;
  return std::move(content.warning);
}

}  // namespace pollux::fetch
