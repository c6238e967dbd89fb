// What body_decoder.hpp says in words; the same with and without zlib.
#include "stack/base/text.hpp"
#include "stack/http/body_decoder.hpp"

namespace pollux::http {

ContentCoding content_coding_from(std::string_view value) noexcept {
  value = base::trim(value);
  const auto is = [value](std::string_view name) { return base::equal_ignoring_case(value, name); };
  if (value.empty() || is("identity")) {
    return ContentCoding::identity;
  }
  // RFC 9110 section 8.4.1.3: x-gzip is the same.
  if (is("gzip") || is("x-gzip")) {
    return ContentCoding::gzip;
  }
  return is("deflate") ? ContentCoding::deflate : ContentCoding::unknown;
}

std::string_view describe(DecodeError error) noexcept {
  switch (error) {
    case DecodeError::none:
      return "no error";
    case DecodeError::malformed:
      return "the compressed body is corrupt";
    case DecodeError::truncated:
      return "the compressed body is cut short";
    case DecodeError::too_large:
      return "the body is too large when it is decoded";
    case DecodeError::ratio:
      return "the compressed body grows beyond all measure";
    case DecodeError::no_memory:
      return "zlib needs more memory than it was given";
  }
  return "unknown error";
}

}  // namespace pollux::http
