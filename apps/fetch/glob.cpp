#include "apps/fetch/glob.hpp"

#include <cstdint>

#include "stack/base/text.hpp"
#include "stack/wire/host.hpp"

namespace pollux::fetch {
namespace {

using Words = std::vector<std::string>;

// A piece of a URL: a fixed text, or a glob with its words.
struct Piece {
  bool is_glob = false;
  Words words{};
};

struct Parsed {
  std::string error{};
  std::size_t size = 0;  // bytes of the glob, or where in it the error is
};

Parsed parse_set(std::string_view text, Words& words) {
  std::string word;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
    } else if (c == ',' || c == '}') {
      words.push_back(word);
      word.clear();
      if (c == '}') {
        return words.size() == 1 && words.front().empty() ? Parsed{"empty string within braces", i} : Parsed{{}, i + 1};
      }
    } else if (c == '{' || c == '[') {
      return {"nested brace", i};
    } else {
      word += c;
    }
  }
  return {"unmatched brace", 0};
}

// [a-z] and [a-z:2].
bool letters(std::string_view range, std::uint64_t step, Words& words) {
  if (range.size() != 3 || range[1] != '-' || !base::is_alpha(range[0]) || !base::is_alpha(range[2]) ||
      range[2] < range[0] || (range[2] >= 'a' && range[0] < 'a')) {
    return false;
  }
  for (std::uint64_t c = static_cast<unsigned char>(range[0]); c <= static_cast<unsigned char>(range[2]); c += step) {
    words.emplace_back(1, static_cast<char>(c));
  }
  return true;
}

// [1-10], and [001-100] with its leading zeros kept.
bool numbers(std::string_view range, std::uint64_t step, Words& words) {
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) {
    return false;
  }
  constexpr std::uint64_t most = 1'000'000'000'000;
  const auto first = base::parse_decimal(range.substr(0, dash), most);
  const auto last = base::parse_decimal(range.substr(dash + 1), most);
  if (!first || !last || *last < *first || (*last - *first) / step >= globbed_max) {
    return false;
  }
  const std::size_t width = range.front() == '0' ? dash : 0;
  for (std::uint64_t value = *first; value <= *last; value += step) {
    std::string word = std::to_string(value);
    if (word.size() < width) {
      word.insert(0, width - word.size(), '0');
    }
    words.push_back(std::move(word));
  }
  return true;
}

Parsed parse_range(std::string_view text, Words& words) {
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos) {
    return {"bad range specification", 1};
  }
  std::string_view range = text.substr(1, end - 1);
  std::uint64_t step = 1;
  if (const std::size_t colon = range.find(':'); colon != std::string_view::npos) {
    const auto given = base::parse_decimal(range.substr(colon + 1), 1'000'000'000);
    if (!given || *given == 0) {
      return {"bad range", 1};
    }
    step = *given;
    range = range.substr(0, colon);
  }
  if (!letters(range, step, words) && !numbers(range, step, words)) {
    return {"bad range", 1};
  }
  return {{}, end + 1};
}

// The size of a bracketed IPv6 address at the front of `text`, or 0.
std::size_t address_size(std::string_view text) {
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos) {
    return 0;
  }
  std::string_view inside = text.substr(1, end - 1);
  inside = inside.substr(0, inside.find('%'));
  return wire::is_ipv6_text(inside) ? end + 1 : 0;
}

Piece& text_piece(std::vector<Piece>& pieces) {
  if (pieces.empty() || pieces.back().is_glob) {
    pieces.push_back({.is_glob = false, .words = {""}});
  }
  return pieces.back();
}

// Cuts `url` into pieces.
Parsed parse(std::string_view url, std::vector<Piece>& pieces) {
  std::size_t at = 0;
  while (at < url.size()) {
    const char c = url[at];
    if (c == '[') {
      if (const std::size_t size = address_size(url.substr(at)); size != 0) {
        text_piece(pieces).words[0] += url.substr(at, size);
        at += size;
        continue;
      }
    }
    if (c == '[' && at + 1 < url.size() && url[at + 1] == ']') {  // "[]" is left alone, as in "?a[]=1"
      text_piece(pieces).words[0] += "[]";
      at += 2;
    } else if (c == '{' || c == '[') {
      Piece piece{.is_glob = true, .words = {}};
      const Parsed parsed =
          c == '{' ? parse_set(url.substr(at), piece.words) : parse_range(url.substr(at), piece.words);
      if (!parsed.error.empty()) {
        return {parsed.error, at + parsed.size + 1};
      }
      pieces.push_back(std::move(piece));
      at += parsed.size;
    } else if (c == '}' || c == ']') {
      return {"unmatched close brace/bracket", at + 1};
    } else {
      const bool is_escaped =
          c == '\\' && at + 1 < url.size() && std::string_view{"{}[]"}.find(url[at + 1]) != std::string_view::npos;
      at += is_escaped ? 1 : 0;
      text_piece(pieces).words[0] += url[at++];
    }
  }
  return {};
}

}  // namespace

GlobResult glob(std::string_view url) {
  std::vector<Piece> pieces;
  GlobResult result;
  if (const Parsed parsed = parse(url, pieces); !parsed.error.empty()) {
    result.error = parsed.error;
    result.position = parsed.size;
    return result;
  }
  std::size_t count = 1;
  for (const Piece& piece : pieces) {
    count *= piece.words.size();
    if (count > globbed_max) {
      result.error = "too many URLs";
      result.position = 1;
      return result;
    }
  }
  // The n-th URL takes one word of each glob; the last glob changes fastest.
  for (std::size_t number = 0; number < count; ++number) {
    GlobbedUrl made;
    std::size_t rest = number;
    std::size_t stride = count;
    for (const Piece& piece : pieces) {
      stride /= piece.words.size();
      const std::string& word = piece.words[rest / stride];
      rest %= stride;
      made.url += word;
      if (piece.is_glob) {
        made.parts.push_back(word);
      }
    }
    result.urls.push_back(std::move(made));
  }
  return result;
}

std::string fill_in(std::string_view name, const std::vector<std::string>& parts) {
  std::string filled;
  for (std::size_t i = 0; i < name.size(); ++i) {
    std::size_t end = i + 1;
    while (name[i] == '#' && end < name.size() && base::is_digit(name[end])) {
      ++end;
    }
    const auto number = base::parse_decimal(name.substr(i + 1, end - i - 1), parts.size());
    if (name[i] == '#' && number && *number > 0) {
      filled += parts[*number - 1];
      i = end - 1;
    } else {
      filled += name[i];
    }
  }
  return filled;
}

}  // namespace pollux::fetch
