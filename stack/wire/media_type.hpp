// Media types: "text/html; charset=utf-8" taken apart, and the type of a file by the end of its name.
// Sources: RFC 9110 section 8.3.1; the IANA registry of media types.
//
//   const auto media = parse_media_type("Text/HTML; charset=\"utf-8\"");
//   is_media_type(*media, "text/html") == true      media_parameter(*media, "charset", scratch).value() == "utf-8"
//   media_type_of_file("/srv/app.js") == "text/javascript; charset=utf-8"
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "port/result.hpp"

namespace pollux::wire {

enum class MediaTypeError : std::uint8_t {
  malformed,      // not "type/subtype" with well-formed parameters
  not_found,      // the type has no such parameter
  out_too_small,  // the value does not fit into the scratch memory
};

struct MediaType {
  std::string_view type;        // "text", as written
  std::string_view subtype;     // "html", as written
  std::string_view parameters;  // what follows, from the first ';' on; well-formed (see Parameters in quoted.hpp)
};

// All parameters are checked. Errors: malformed.
[[nodiscard]] port::Result<MediaType, MediaTypeError> parse_media_type(std::string_view text) noexcept;

// True if the type is `name` ("text/html"), letters of either case; parameters do not matter.
[[nodiscard]] bool is_media_type(const MediaType& media, std::string_view name) noexcept;

// The value of the first parameter `name` (letters of either case), without quotes and escapes, written into `scratch`.
// Errors: not_found, out_too_small.
[[nodiscard]] port::Result<std::string_view, MediaTypeError> media_parameter(const MediaType& media,
                                                                             std::string_view name,
                                                                             std::span<char> scratch) noexcept;

// The type for a file name or path, by what follows the last '.' of its last segment (letters of either case), with a
// charset for text. Empty if it is not known; then detect_content_type() may look at the content. The result lives as
// long as the program.
[[nodiscard]] std::string_view media_type_of_file(std::string_view name) noexcept;

}  // namespace pollux::wire
