// Reading multipart/form-data (RFC 7578, RFC 2046 section 5.1): a form with files, as browsers and curl -F send it.
#pragma once

#include <cstddef>
#include <string_view>

#include "apps/httpbin/pairs.hpp"

namespace pollux::httpbin {

// The longest boundary there may be (RFC 2046 section 5.1.1).
inline constexpr std::size_t multipart_boundary_max = 70;

// Adds each part with a name to `files` if it has a file name, with its type, else to `form`. Stops where the text is
// malformed: what came before counts. Names are decoded into `arena`; values are parts of `body`.
void read_multipart(std::string_view body, std::string_view boundary, Arena& arena, Pairs& form, Pairs& files) noexcept;

}  // namespace pollux::httpbin
