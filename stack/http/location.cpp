#include "stack/http/location.hpp"

#include <algorithm>
#include <array>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {
namespace {

bool has_scheme_or_host(std::string_view target) {
  const auto url = wire::parse_url(target);
  return !url || !url->scheme.empty() || url->has_authority;  // what cannot be read is not touched either
}

// Up to and including the last '/'.
std::string_view directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{"/"} : wire::slice(path, 0, slash + 1);
}

constexpr bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

// Escapes the first `size` bytes of `out` where they stand, from the end so that nothing is overwritten before it is
// moved. Nothing is done if the result does not fit.
port::Result<std::string_view, wire::UrlError> escape_in_place(std::span<char> out, std::size_t size) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t escaped_size = 0;
  for (const char c : out.first(size)) {
    escaped_size += is_visible(c) ? 1 : 3;
  }
  if (escaped_size > out.size()) {
    return port::Failure{wire::UrlError::out_too_small};
  }
  std::size_t to = escaped_size;
  for (std::size_t from = size; from > 0; --from) {
    const char c = out[from - 1];
    if (is_visible(c)) {
      out[--to] = c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out[--to] = digits[byte & 15U];
    out[--to] = digits[byte >> 4U];
    out[--to] = '%';
  }
  return std::string_view{out.data(), escaped_size};
}

}  // namespace

port::Result<std::string_view, wire::UrlError> redirect_location(std::string_view request_path, std::string_view target,
                                                                 std::span<char> out) noexcept {
  base::TextWriter writer{out};
  if (has_scheme_or_host(target)) {
    if (writer.put(target).overflowed()) {
      return port::Failure{wire::UrlError::out_too_small};
    }
    return escape_in_place(out, writer.size());
  }
  const std::size_t path_size = std::min(target.find_first_of("?#"), target.size());
  const std::string_view path = wire::slice(target, 0, path_size);
  writer.put(path.starts_with('/') ? std::string_view{} : directory_of(request_path)).put(path);
  if (writer.overflowed()) {
    return port::Failure{wire::UrlError::out_too_small};
  }
  const auto clean = wire::clean_path(writer.view(), out);
  if (!clean) {
    return port::Failure{clean.error()};
  }
  base::TextWriter rest{out.subspan(clean->size())};
  if (rest.put(wire::drop(target, path_size)).overflowed()) {
    return port::Failure{wire::UrlError::out_too_small};
  }
  return escape_in_place(out, clean->size() + rest.size());
}

}  // namespace pollux::http
