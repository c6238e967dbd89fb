#include "apps/httpbin/multipart.hpp"

#include <array>
#include <optional>

#include "stack/base/text.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

namespace {

// What the head of a part says.
struct PartHead {
  std::string_view name{};
  std::string_view type{};
  bool has_name = false;
  bool is_file = false;
};

// The value behind the first ';' of Content-Disposition: its parameters name and filename.
void read_disposition(std::string_view value, Arena& arena, PartHead& part) noexcept {
  const std::size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos ||
      !base::equal_ignoring_case(base::trim({value.data(), semicolon}), "form-data")) {
    return;
  }
  wire::Parameters parameters{wire::drop(value, semicolon)};
  while (const auto parameter = parameters.next()) {
    if (base::equal_ignoring_case(parameter->name, "filename")) {
      part.is_file = true;
    } else if (base::equal_ignoring_case(parameter->name, "name")) {
      if (const auto name = wire::unquote_value(*parameter, arena.rest())) {
        arena.take(name->size());
        part.name = *name;
        part.has_name = true;
      }
    }
  }
}

PartHead read_part_head(std::string_view head, Arena& arena) noexcept {
  PartHead part;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = end == std::string_view::npos ? head : std::string_view{head.data(), end};
    head = end == std::string_view::npos ? std::string_view{} : wire::drop(head, end + 2);
    const wire::Cut field = wire::cut(line, ':');
    const std::string_view value = base::trim(field.after);
    if (base::equal_ignoring_case(field.before, "Content-Disposition")) {
      read_disposition(value, arena, part);
    } else if (base::equal_ignoring_case(field.before, "Content-Type")) {
      part.type = value;
    }
  }
  return part;
}

// Where a line "--boundary" begins: at the front of `text`, or with the line break before it. Nothing if there is none.
struct Delimiter {
  std::size_t begin = 0;  // of the line break that belongs to it
  std::size_t end = 0;    // behind the boundary
};
std::optional<Delimiter> find_delimiter(std::string_view text, std::string_view line, bool may_be_first) noexcept {
  const std::string_view bare = wire::drop(line, 2);  // without the line break in front
  if (may_be_first && text.starts_with(bare)) {
    return Delimiter{0, bare.size()};
  }
  const std::size_t at = text.find(line);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  return Delimiter{at, at + line.size()};
}

}  // namespace

void read_multipart(std::string_view body, std::string_view boundary, Arena& arena, Pairs& form,
                    Pairs& files) noexcept {
  if (boundary.empty() || boundary.size() > multipart_boundary_max) {
    return;
  }
  std::array<char, multipart_boundary_max + 4> memory;
  const std::string_view line = base::TextWriter{memory}.put("\r\n--").put(boundary).view();
  auto delimiter = find_delimiter(body, line, true);
  while (delimiter) {
    body = wire::drop(body, delimiter->end);
    if (body.starts_with("--")) {
      return;  // the last one
    }
    while (!body.empty() && base::is_blank(body.front())) {
      body.remove_prefix(1);
    }
    if (!body.starts_with("\r\n")) {
      return;
    }
    // The line break stays: with it, the end of an empty head and the next delimiter look as they do everywhere.
    const std::size_t head_end = body.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
      return;
    }
    const std::string_view head{body.data(), head_end};
    body = wire::drop(body, head_end + 2);
    delimiter = find_delimiter(body, line, false);
    if (!delimiter) {
      return;  // cut short
    }
    const std::string_view content = delimiter->begin < 2 ? std::string_view{} : wire::slice(body, 2, delimiter->begin);
    const PartHead part = read_part_head(head, arena);
    if (part.has_name && part.is_file) {
      files.add(part.name, content, part.type.empty() ? "application/octet-stream" : part.type);
    } else if (part.has_name) {
      form.add(part.name, content);
    }
  }
}

}  // namespace pollux::httpbin
