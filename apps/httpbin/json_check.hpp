// Whether a text is one JSON value (RFC 8259): the part of a request's body that is shown as it came.
//
// apps/support/json_read.hpp does more - it says what is wrong and where - and needs memory that grows with the text;
// this takes a body of any length on a few bytes.
#pragma once

#include <string_view>

namespace pollux::httpbin {

// How deep arrays and objects may be nested; a deeper text is not valid here.
inline constexpr int json_depth_max = 256;

// Strict: no byte order mark, no comments, no NaN; well-formed UTF-8. Escaped surrogates may stand alone, as most
// parsers let them.
[[nodiscard]] bool is_json(std::string_view text) noexcept;

}  // namespace pollux::httpbin
