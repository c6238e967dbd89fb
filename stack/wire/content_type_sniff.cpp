#include "stack/wire/content_type_sniff.hpp"

#include <array>
#include <cstdint>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

using namespace std::string_view_literals;

enum class Rule : std::uint8_t {
  exact,        // the content begins with the pattern
  after_space,  // as exact, behind white space
  html_tag,     // behind white space, letters of either case, and then a blank or '>'
  any_dot,      // a '.' in the pattern stands for any byte
};

struct Signature {
  Rule rule;
  std::string_view pattern;
  std::string_view type;
};

constexpr std::string_view html = "text/html; charset=utf-8";
constexpr std::string_view utf8 = "text/plain; charset=utf-8";

// In the order of the standard: the first that fits decides.
constexpr std::array signatures{
    Signature{Rule::html_tag, "<!DOCTYPE HTML", html},
    Signature{Rule::html_tag, "<HTML", html},
    Signature{Rule::html_tag, "<HEAD", html},
    Signature{Rule::html_tag, "<SCRIPT", html},
    Signature{Rule::html_tag, "<IFRAME", html},
    Signature{Rule::html_tag, "<H1", html},
    Signature{Rule::html_tag, "<DIV", html},
    Signature{Rule::html_tag, "<FONT", html},
    Signature{Rule::html_tag, "<TABLE", html},
    Signature{Rule::html_tag, "<A", html},
    Signature{Rule::html_tag, "<STYLE", html},
    Signature{Rule::html_tag, "<TITLE", html},
    Signature{Rule::html_tag, "<B", html},
    Signature{Rule::html_tag, "<BODY", html},
    Signature{Rule::html_tag, "<BR", html},
    Signature{Rule::html_tag, "<P", html},
    Signature{Rule::html_tag, "<!--", html},
    Signature{Rule::after_space, "<?xml", "text/xml; charset=utf-8"},
    Signature{Rule::exact, "%PDF-", "application/pdf"},
    Signature{Rule::exact, "%!PS-Adobe-", "application/postscript"},
    Signature{Rule::any_dot, "\xfe\xff..", "text/plain; charset=utf-16be"},
    Signature{Rule::any_dot, "\xff\xfe..", "text/plain; charset=utf-16le"},
    Signature{Rule::any_dot, "\xef\xbb\xbf.", utf8},
    Signature{Rule::exact, "\0\0\1\0"sv, "image/x-icon"},
    Signature{Rule::exact, "\0\0\2\0"sv, "image/x-icon"},
    Signature{Rule::exact, "BM", "image/bmp"},
    Signature{Rule::exact, "GIF87a", "image/gif"},
    Signature{Rule::exact, "GIF89a", "image/gif"},
    Signature{Rule::any_dot, "RIFF....WEBPVP", "image/webp"},
    Signature{Rule::exact, "\x89PNG\r\n\x1a\n", "image/png"},
    Signature{Rule::exact, "\xff\xd8\xff", "image/jpeg"},
    Signature{Rule::any_dot, "FORM....AIFF", "audio/aiff"},
    Signature{Rule::exact, "ID3", "audio/mpeg"},
    Signature{Rule::exact, "OggS\0"sv, "application/ogg"},
    Signature{Rule::exact, "MThd\0\0\0\6"sv, "audio/midi"},
    Signature{Rule::any_dot, "RIFF....AVI ", "video/avi"},
    Signature{Rule::any_dot, "RIFF....WAVE", "audio/wave"},
    Signature{Rule::exact, "\x1a\x45\xdf\xa3", "video/webm"},
    Signature{Rule::any_dot, "..................................LP", "application/vnd.ms-fontobject"},
    Signature{Rule::exact, "\0\1\0\0"sv, "font/ttf"},
    Signature{Rule::exact, "OTTO", "font/otf"},
    Signature{Rule::exact, "ttcf", "font/collection"},
    Signature{Rule::exact, "wOFF", "font/woff"},
    Signature{Rule::exact, "wOF2", "font/woff2"},
    Signature{Rule::exact, "\x1f\x8b\x08", "application/x-gzip"},
    Signature{Rule::exact, "PK\3\4", "application/zip"},
    Signature{Rule::exact, "Rar!\x1a\7\0"sv, "application/x-rar-compressed"},
    Signature{Rule::exact, "Rar!\x1a\7\1\0"sv, "application/x-rar-compressed"},
    Signature{Rule::exact, "\0asm"sv, "application/wasm"},
};

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

// Bytes that stand in no text (section 3 of the standard: "binary data byte").
constexpr bool is_binary(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x08 || byte == 0x0b || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f);
}

bool fits(const Signature& signature, std::string_view content, std::string_view behind_space) {
  const std::string_view pattern = signature.pattern;
  switch (signature.rule) {
    case Rule::exact:
      return starts_with(content, pattern);
    case Rule::after_space:
      return starts_with(behind_space, pattern);
    case Rule::html_tag:
      return behind_space.size() > pattern.size() && starts_with_ignoring_case(behind_space, pattern) &&
             (behind_space[pattern.size()] == ' ' || behind_space[pattern.size()] == '>');
    case Rule::any_dot:
      if (content.size() < pattern.size()) {
        return false;
      }
      for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '.' && pattern[i] != content[i]) {
          return false;
        }
      }
      return true;
  }
  return false;
}

// Section 6.2.1: a box "ftyp" of the size that its first four bytes say, with a brand that begins with "mp4".
bool is_mp4(std::string_view content) {
  if (content.size() < 12 || slice(content, 4, 8) != "ftyp") {
    return false;
  }
  std::uint32_t box_size = 0;
  for (const char c : slice(content, 0, 4)) {
    box_size = box_size << 8 | static_cast<unsigned char>(c);
  }
  if (box_size > content.size() || box_size % 4 != 0) {
    return false;
  }
  for (std::size_t at = 8; at + 4 <= box_size; at += 4) {
    if (at != 12 && starts_with(drop(content, at), "mp4")) {  // at 12 is a version, not a brand
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view detect_content_type(std::string_view content) noexcept {
  content = slice(content, 0, content.size() < sniff_size ? content.size() : sniff_size);
  std::string_view behind_space = content;
  while (!behind_space.empty() && is_space(behind_space.front())) {
    behind_space.remove_prefix(1);
  }
  for (const Signature& signature : signatures) {
    if (fits(signature, content, behind_space)) {
      return signature.type;
    }
  }
  if (is_mp4(content)) {
    return "video/mp4";
  }
  for (const char c : content) {
    if (is_binary(c)) {
      return "application/octet-stream";
    }
  }
  return utf8;
}

}  // namespace pollux::wire
