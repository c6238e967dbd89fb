#include "stack/wire/media_type.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

struct Entry {
  std::string_view extension;  // lower case, without the dot
  std::string_view type;
};

// What devices serve. Sorted, so that it can be searched; the compiler checks that it is.
constexpr std::array entries{
    Entry{"aac", "audio/aac"},
    Entry{"avif", "image/avif"},
    Entry{"bin", "application/octet-stream"},
    Entry{"bmp", "image/bmp"},
    Entry{"css", "text/css; charset=utf-8"},
    Entry{"csv", "text/csv; charset=utf-8"},
    Entry{"flac", "audio/flac"},
    Entry{"gif", "image/gif"},
    Entry{"gz", "application/gzip"},
    Entry{"htm", "text/html; charset=utf-8"},
    Entry{"html", "text/html; charset=utf-8"},
    Entry{"ico", "image/vnd.microsoft.icon"},
    Entry{"jpeg", "image/jpeg"},
    Entry{"jpg", "image/jpeg"},
    Entry{"js", "text/javascript; charset=utf-8"},
    Entry{"json", "application/json"},
    Entry{"log", "text/plain; charset=utf-8"},
    Entry{"m4a", "audio/mp4"},
    Entry{"map", "application/json"},
    Entry{"md", "text/markdown; charset=utf-8"},
    Entry{"mjs", "text/javascript; charset=utf-8"},
    Entry{"mp3", "audio/mpeg"},
    Entry{"mp4", "video/mp4"},
    Entry{"mpeg", "video/mpeg"},
    Entry{"oga", "audio/ogg"},
    Entry{"ogg", "audio/ogg"},
    Entry{"ogv", "video/ogg"},
    Entry{"otf", "font/otf"},
    Entry{"pdf", "application/pdf"},
    Entry{"png", "image/png"},
    Entry{"svg", "image/svg+xml"},
    Entry{"tar", "application/x-tar"},
    Entry{"ttf", "font/ttf"},
    Entry{"txt", "text/plain; charset=utf-8"},
    Entry{"wasm", "application/wasm"},
    Entry{"wav", "audio/wav"},
    Entry{"webm", "video/webm"},
    Entry{"webmanifest", "application/manifest+json"},
    Entry{"webp", "image/webp"},
    Entry{"woff", "font/woff"},
    Entry{"woff2", "font/woff2"},
    Entry{"xml", "text/xml; charset=utf-8"},
    Entry{"yaml", "application/yaml"},
    Entry{"yml", "application/yaml"},
    Entry{"zip", "application/zip"},
};

constexpr bool is_sorted() {
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].extension >= entries[i].extension) {
      return false;
    }
  }
  return true;
}
static_assert(is_sorted(), "the table is searched by halving, so its extensions must be in order");

constexpr std::size_t longest_extension() {
  std::size_t size = 0;
  for (const Entry& entry : entries) {
    size = entry.extension.size() > size ? entry.extension.size() : size;
  }
  return size;
}

std::string_view find(std::string_view extension) {
  std::size_t begin = 0;
  std::size_t end = entries.size();
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (entries[middle].extension == extension) {
      return entries[middle].type;
    }
    (entries[middle].extension < extension ? begin : end) = entries[middle].extension < extension ? middle + 1 : middle;
  }
  return {};
}

}  // namespace

port::Result<MediaType, MediaTypeError> parse_media_type(std::string_view text) noexcept {
  text = base::trim(text);
  const std::size_t semicolon = text.find(';');
  const std::size_t end = semicolon == std::string_view::npos ? text.size() : semicolon;
  const Cut names = cut(base::trim(slice(text, 0, end)), '/');
  if (!is_token(names.before) || !is_token(names.after)) {
    return port::Failure{MediaTypeError::malformed};
  }
  const std::string_view parameters = drop(text, end);
  Parameters checked{parameters};
  while (const auto parameter = checked.next()) {
    if (!parameter->has_value) {
      return port::Failure{MediaTypeError::malformed};
    }
  }
  if (checked.is_malformed()) {
    return port::Failure{MediaTypeError::malformed};
  }
  return MediaType{.type = names.before, .subtype = names.after, .parameters = parameters};
}

bool is_media_type(const MediaType& media, std::string_view name) noexcept {
  const Cut names = cut(name, '/');
  return base::equal_ignoring_case(media.type, names.before) && base::equal_ignoring_case(media.subtype, names.after);
}

port::Result<std::string_view, MediaTypeError> media_parameter(const MediaType& media, std::string_view name,
                                                               std::span<char> scratch) noexcept {
  Parameters parameters{media.parameters};
  while (const auto parameter = parameters.next()) {
    if (!base::equal_ignoring_case(parameter->name, name)) {
      continue;
    }
    const auto value = unquote_value(*parameter, scratch);
    if (!value) {
      return port::Failure{MediaTypeError::out_too_small};
    }
    return *value;
  }
  return port::Failure{MediaTypeError::not_found};
}

std::string_view media_type_of_file(std::string_view name) noexcept {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) {
    return {};
  }
  const std::string_view extension = drop(name, dot + 1);
  std::array<char, longest_extension()> lower{};
  if (extension.size() > lower.size()) {
    return {};
  }
  for (std::size_t i = 0; i < extension.size(); ++i) {
    lower[i] = base::to_lower(extension[i]);
  }
  return find({lower.data(), extension.size()});  // a '/' in it, of a dot in a directory's name, finds nothing
}

}  // namespace pollux::wire
