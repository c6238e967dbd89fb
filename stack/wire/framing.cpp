#include "stack/wire/framing.hpp"

#include <optional>
#include <string_view>

#include "stack/base/text.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

constexpr std::uint64_t content_length_max = INT64_MAX;  // the most that every peer's signed 64-bit length can hold

// The declared size; nothing if no Content-Length came. Several fields must be the same text: anything else is how
// requests are smuggled past a proxy that picks the other one (RFC 9112 section 6.3, item 5, which would also allow "3,
// 3"; net/http refuses that).
[[nodiscard]] port::Result<std::optional<std::uint64_t>, FramingError> content_length(const Fields& fields) noexcept {
  std::optional<std::string_view> text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields.id(i) != FieldId::content_length) {
      continue;
    }
    const std::string_view value = fields[i].value;
    if (text && *text != value) {
      return port::Failure{FramingError::content_length};
    }
    text = value;
  }
  if (!text) {
    return std::optional<std::uint64_t>{};
  }
  const std::optional<std::uint64_t> size = base::parse_decimal(*text, content_length_max);
  if (!size) {
    return port::Failure{FramingError::content_length};
  }
  return size;
}

// Exactly one field whose whole value is "chunked": the only coding pollux reads. A list, a repetition or another
// coding is refused although RFC 9112 section 6.1 allows some of them, because two parsers seldom agree on their
// meaning.
[[nodiscard]] bool is_chunked_alone(const Fields& fields) noexcept {
  return fields.count(FieldId::transfer_encoding) == 1 &&
         base::equal_ignoring_case(*fields.get(FieldId::transfer_encoding), "chunked");
}

// A Trailer field may not announce what would change the framing of the message it ends (RFC 9110 section 6.5.1).
[[nodiscard]] bool announces_forbidden_trailer(const Fields& fields) noexcept {
  return fields.has_token(FieldId::trailer, "Transfer-Encoding") ||
         fields.has_token(FieldId::trailer, "Content-Length") || fields.has_token(FieldId::trailer, "Trailer");
}

[[nodiscard]] bool has_informational_or_empty_status(const ResponseHead& head) noexcept {
  return head.status < 200 || head.status == 204 || head.status == 304;
}

// What requests and responses share. `kind` stays `none` where no field declares a body.
template <typename Head>
[[nodiscard]] port::Result<Framing, FramingError> declared_framing(const Head& head) noexcept {
  Framing framing;
  if (head.version < http_1_1 || head.has(FieldId::connection)) {
    framing.keep_alive = wants_keep_alive(head.version, head.fields);
  }
  if (head.has(FieldId::transfer_encoding)) {
    if (head.version >= http_1_1) {
      if (!is_chunked_alone(head.fields)) {
        return port::Failure{FramingError::transfer_encoding};
      }
      if (head.has(FieldId::trailer) && announces_forbidden_trailer(head.fields)) {
        return port::Failure{FramingError::trailer};
      }
      framing.kind = BodyKind::chunked;
      framing.must_close = head.has(FieldId::content_length);
      if (framing.must_close && !content_length(head.fields)) {
        return port::Failure{FramingError::content_length};
      }
      return framing;
    }
    framing.must_close = true;  // HTTP/1.0 does not know the field; somebody before us may have believed it
  }
  if (head.has(FieldId::content_length)) {
    const auto size = content_length(head.fields);
    if (!size) {
      return port::Failure{size.error()};
    }
    framing.kind = BodyKind::sized;
    framing.has_size = true;
    framing.size = **size;
  }
  return framing;
}

}  // namespace

port::Result<Framing, FramingError> request_framing(const RequestHead& head) noexcept {
  return declared_framing(head);
}

port::Result<Framing, FramingError> response_framing(Method request_method, const ResponseHead& head) noexcept {
  if (request_method == Method::connect && head.status >= 200 && head.status < 300) {
    return Framing{.kind = BodyKind::until_close, .keep_alive = false};  // a tunnel; its fields say nothing about it
  }
  auto declared = declared_framing(head);
  if (!declared) {
    return declared;
  }
  Framing framing = *declared;
  if (request_method == Method::head || has_informational_or_empty_status(head)) {
    framing.kind = BodyKind::none;
  } else if (framing.kind == BodyKind::none) {
    framing.kind = BodyKind::until_close;
    framing.keep_alive = false;
  }
  return framing;
}

bool wants_keep_alive(Version version, const Fields& fields) noexcept {
  if (fields.has_token(FieldId::connection, "close")) {
    return false;
  }
  return version >= http_1_1 || fields.has_token(FieldId::connection, "keep-alive");
}

}  // namespace pollux::wire
