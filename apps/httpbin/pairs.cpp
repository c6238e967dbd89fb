#include "apps/httpbin/pairs.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

void Pairs::add_encoded(std::string_view text) noexcept {
  while (!text.empty()) {
    const wire::Cut pair = wire::cut(text, '&');
    text = pair.after;
    if (pair.before.empty()) {
      continue;
    }
    const wire::Cut parts = wire::cut(pair.before, '=');
    const std::string_view name = decode(parts.before);
    add(name, decode(parts.after));
  }
}

void Pairs::add(std::string_view name, std::string_view value, std::string_view type) noexcept {
  if (count_ == pairs_.size()) {
    overflowed_ = true;
    return;
  }
  pairs_[count_] = {.name = name, .value = value, .type = type, .number = static_cast<std::uint32_t>(count_)};
  ++count_;
}

void Pairs::sort() noexcept {
  std::sort(pairs_.begin(), pairs_.begin() + static_cast<std::ptrdiff_t>(count_), [](const Pair& a, const Pair& b) {
    const int order = a.name.compare(b.name);
    return order != 0 ? order < 0 : a.number < b.number;
  });
}

std::optional<std::string_view> Pairs::find(std::string_view name) const noexcept {
  for (const Pair& pair : items()) {
    if (pair.name == name) {
      return pair.value;
    }
  }
  return std::nullopt;
}

void Pairs::write(apps::JsonWriter& json) const noexcept {
  json.begin_object();
  for (std::size_t i = 0; i < count_;) {
    std::size_t end = i + 1;
    while (end < count_ && pairs_[end].name == pairs_[i].name) {
      ++end;
    }
    json.key(pairs_[i].name);
    if (end - i > 1) {
      json.begin_array();
    }
    for (std::size_t k = i; k < end; ++k) {
      const Pair& pair = pairs_[k];
      pair.type.empty() ? static_cast<void>(json.text(pair.value)) : write_safely(json, pair.value, pair.type);
    }
    if (end - i > 1) {
      json.end_array();
    }
    i = end;
  }
  json.end_object();
}

std::string_view Pairs::decode(std::string_view text) noexcept {
  if (text.find_first_of("%+") == std::string_view::npos) {
    return text;
  }
  const std::span<char> out = arena_.rest();
  if (out.size() < text.size()) {
    overflowed_ = true;
    return {};
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+') {
      c = ' ';
    } else if (c == '%' && i + 2 < text.size() && base::hex_value(text[i + 1]) >= 0 &&
               base::hex_value(text[i + 2]) >= 0) {
      c = static_cast<char>(base::hex_value(text[i + 1]) * 16 + base::hex_value(text[i + 2]));
      i += 2;
    }
    out[size++] = c;
  }
  arena_.take(size);
  return {out.data(), size};
}

void write_safely(apps::JsonWriter& json, std::string_view bytes, std::string_view type) noexcept {
  if (apps::is_utf8(bytes)) {
    json.text(bytes);
    return;
  }
  json.begin_text().add_text("data:").add_text(type).add_text(";base64,");
  constexpr std::size_t piece_size = 384;  // a multiple of three, so that only the last piece is padded
  std::array<char, wire::base64_size(piece_size)> memory;
  while (!bytes.empty()) {
    const std::size_t size = std::min(piece_size, bytes.size());
    const auto text = wire::base64_encode({bytes.data(), size}, wire::Base64::standard, memory);
    ENSURE(text);
    json.add_text(*text);
    bytes.remove_prefix(size);
  }
  json.end_text();
}

}  // namespace pollux::httpbin
