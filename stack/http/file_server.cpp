#include "stack/http/file_server.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/conditional.hpp"
#include "stack/wire/content_type_sniff.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/media_type.hpp"
#include "stack/wire/range.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

// The longest path the kernel takes (PATH_MAX of limits.h, with its NUL); longer ones do not exist.
constexpr std::size_t path_size_max = 4095;

// A quote, 16 digits, a quote.
constexpr std::size_t etag_size = 18;

std::string_view last_segment(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : wire::drop(path, slash + 1);
}

bool has_parent_segment(std::string_view path) noexcept {
  while (!path.empty()) {
    const wire::Cut cut = wire::cut(path, '/');
    if (cut.before == "..") {
      return true;
    }
    path = cut.after;
  }
  return false;
}

bool is_get_or_head(ResponseWriter& writer, const Request& request) noexcept {
  if (request.method_id() == wire::Method::get || request.method_id() == wire::Method::head) {
    return true;
  }
  writer.set("Allow", "GET, HEAD");
  error(writer, 405, "405 method not allowed");
  return false;
}

void refuse(ResponseWriter& writer, port::Error reason) noexcept {
  switch (reason) {
    case port::Error::not_found:
    case port::Error::outside:
    case port::Error::name_too_long:
      not_found(writer);
      return;
    case port::Error::permission_denied:
    case port::Error::not_regular:
      error(writer, 403, "403 forbidden");
      return;
    case port::Error::no_descriptors:
    case port::Error::no_memory:
      writer.set("Retry-After", "1");
      error(writer, 503, "503 too many open files");
      return;
    case port::Error::would_block:
    case port::Error::aborted:
    case port::Error::address_in_use:
    case port::Error::address_not_here:
    case port::Error::refused:
    case port::Error::unreachable:
    case port::Error::timed_out:
    case port::Error::failed:
      break;
  }
  error(writer, 500, "500 cannot read the file");
}

// 301 to `prefix`, `name` and `suffix` behind each other, relative to the request's path, with its query. Relative, so
// that neither a prefix that a proxy took off nor the name the server is reached by has to be known.
void redirect_locally(ResponseWriter& writer, const Request& request, std::string_view prefix,
                      std::string_view name = {}, std::string_view suffix = {}) noexcept {
  std::array<char, 2048> memory;
  base::TextWriter location{memory};
  location.put(prefix).put(name).put(suffix);
  if (request.has_query()) {
    location.put('?').put(request.query());
  }
  if (location.overflowed()) {
    error(writer, 414, "414 URI too long");
    return;
  }
  writer.status(301);
  writer.set("Location", location.view());
}

// The part of a request's path that names the file, as it was sent. A name with a colon would read as a scheme (RFC
// 3986 section 4.2).
struct RelativeName {
  std::string_view prefix;
  std::string_view name;
};
RelativeName relative_name(std::string_view raw_path) noexcept {
  while (raw_path.ends_with('/')) {
    raw_path.remove_suffix(1);
  }
  const std::string_view name = last_segment(raw_path);
  return {name.find(':') == std::string_view::npos ? "" : "./", name};
}

std::string_view write_etag(std::uint64_t change_id, std::span<char, etag_size> out) noexcept {
  return base::TextWriter{out}.put('"').put_hex(change_id, 16).put('"').view();
}

std::string_view type_of(port::Port& port, const port::FileInfo& file, std::string_view path) noexcept {
  if (const std::string_view known = wire::media_type_of_file(path); !known.empty()) {
    return known;
  }
  std::array<char, wire::sniff_size> memory;
  std::size_t size = 0;
  while (size < memory.size()) {
    const auto read = port.read_file(file.file, size, base::as_writable_bytes(std::span{memory}.subspan(size)));
    if (read.status != port::IoStatus::ok) {
      break;
    }
    size += read.size;
  }
  return wire::detect_content_type({memory.data(), size});
}

std::string_view field_or_empty(const Request& request, wire::FieldId id) noexcept {
  return request.field(id).value_or(std::string_view{});
}

// ---- several ranges in one answer (RFC 9110 section 14.6)

// Everything a multipart/byteranges body depends on, kept in the request's state. What stands at an offset of it is
// computed from this, so that there is no position to keep.
struct Multipart {
  static constexpr std::size_t boundary_size = 24;

  port::Port* port;
  port::File file;
  std::uint64_t file_size;
  std::string_view range;  // the Range field; a request keeps its head until the answer is out
  std::string_view type;   // lives as long as the program
  std::array<char, boundary_size> boundary;
};
static_assert(sizeof(Multipart) <= 96, "FileServer::serve() promises to need 96 bytes of state");

// What stands before the part `range`; the blank line in front of the very first one is left out.
std::string_view write_part_head(const Multipart& parts, const wire::ByteRange& range, bool is_first,
                                 std::span<char> out) noexcept {
  std::array<char, wire::content_range_size_max> memory;
  const auto content_range = wire::write_content_range(range, parts.file_size, memory);
  ENSURE(content_range);
  base::TextWriter head{out};
  head.put(is_first ? "--" : "\r\n--").put({parts.boundary.data(), parts.boundary.size()});
  head.put("\r\nContent-Type: ").put(parts.type).put("\r\nContent-Range: ").put(*content_range).put("\r\n\r\n");
  ENSURE(!head.overflowed());
  return head.view();
}

std::string_view write_parts_end(const Multipart& parts, std::span<char> out) noexcept {
  base::TextWriter end{out};
  return end.put("\r\n--").put({parts.boundary.data(), parts.boundary.size()}).put("--\r\n").view();
}

// Room for "\r\n--", the boundary, both fields with the longest type of media_type.cpp, and blank lines.
constexpr std::size_t part_head_size_max = 320;

std::uint64_t size_of(const Multipart& parts, const wire::Ranges& ranges) noexcept {
  std::array<char, part_head_size_max> memory;
  std::uint64_t size = write_parts_end(parts, memory).size();
  for (std::size_t i = 0; i < ranges.count; ++i) {
    size += write_part_head(parts, ranges.items[i], i == 0, memory).size() + ranges.items[i].size;
  }
  return size;
}

// Copies what stands from `at` on in `text`.
std::size_t copy_from(std::string_view text, std::uint64_t at, std::span<char> out) noexcept {
  const std::string_view rest = wire::drop(text, static_cast<std::size_t>(at));
  const std::size_t size = std::min(rest.size(), out.size());
  std::copy_n(rest.data(), size, out.data());
  return size;
}

PullResult pull_parts(void* object, std::span<char> out, std::uint64_t offset) {
  using Kind = PullResult::Kind;
  const Multipart& parts = *static_cast<const Multipart*>(object);
  const wire::Ranges ranges = wire::parse_range(parts.range, parts.file_size);
  std::array<char, part_head_size_max> memory;
  std::uint64_t at = offset;  // counted from the segment that is looked at
  for (std::size_t i = 0; i < ranges.count; ++i) {
    const wire::ByteRange& range = ranges.items[i];
    const std::string_view head = write_part_head(parts, range, i == 0, memory);
    if (at < head.size()) {
      return {Kind::more, copy_from(head, at, out)};
    }
    at -= head.size();
    if (at < range.size) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(range.size - at, out.size()));
      const auto read = parts.port->read_file(parts.file, range.first + at, base::as_writable_bytes(out.first(size)));
      // A file that has become shorter cannot keep what the head promised.
      return read.status == port::IoStatus::ok ? PullResult{Kind::more, read.size} : PullResult{Kind::failed, 0};
    }
    at -= range.size;
  }
  const std::string_view end = write_parts_end(parts, memory);
  const std::size_t size = at < end.size() ? copy_from(end, at, out) : 0;
  return {at + size >= end.size() ? Kind::end : Kind::more, size};
}

void close_parts(void* object) {
  const Multipart& parts = *static_cast<const Multipart*>(object);
  parts.port->close_file(parts.file);
}

void send_parts(ResponseWriter& writer, Request& request, port::Port& port, const port::FileInfo& file,
                std::string_view type, const wire::Ranges& ranges) noexcept {
  Multipart& parts = request.state<Multipart>();
  parts = {.port = &port,
           .file = file.file,
           .file_size = file.size,
           .range = field_or_empty(request, wire::FieldId::range),
           .type = type,
           .boundary = {}};
  // Not to be guessed, so that nobody can write a file that contains it.
  std::array<std::byte, Multipart::boundary_size / 2> random;
  port.random(random);
  base::TextWriter boundary{parts.boundary};
  for (const std::byte byte : random) {
    boundary.put_hex(std::to_integer<unsigned>(byte), 2);
  }
  std::array<char, 64> type_memory;
  base::TextWriter multipart_type{type_memory};
  multipart_type.put("multipart/byteranges; boundary=").put(boundary.view());
  writer.status(206);
  writer.set("Content-Type", multipart_type.view());
  writer.send_source({.pull = pull_parts, .close = close_parts, .object = &parts}, size_of(parts, ranges));
}

// ---- one file

// The ranges that count; whole if the method, If-Range or the field itself say so.
wire::Ranges ranges_of(const Request& request, const wire::ConditionalRequest& conditions,
                       const wire::Representation& representation, std::uint64_t size) noexcept {
  if (!wire::range_applies_to(request.method()) || !wire::if_range_holds(conditions, representation)) {
    return {};
  }
  return wire::parse_range(field_or_empty(request, wire::FieldId::range), size);
}

void send_unsatisfied(ResponseWriter& writer, wire::RangeStatus status, std::uint64_t size) noexcept {
  std::array<char, wire::content_range_size_max> memory;
  if (status == wire::RangeStatus::not_satisfiable) {
    const auto content_range = wire::write_unsatisfied_range(size, memory);
    ENSURE(content_range);
    writer.set("Content-Range", *content_range);
  }
  error(writer, 416, "416 range not satisfiable");
}

void send_part(ResponseWriter& writer, const port::FileInfo& file, std::string_view type,
               const wire::ByteRange& range) noexcept {
  std::array<char, wire::content_range_size_max> memory;
  const auto content_range = wire::write_content_range(range, file.size, memory);
  ENSURE(content_range);
  writer.status(206);
  writer.set("Content-Type", type);
  writer.set("Content-Range", *content_range);
  writer.send_file(file.file, range.first, range.size);
}

// Answers with an open regular file and closes it, now or when the answer is out.
void send_content(ResponseWriter& writer, Request& request, port::Port& port, const port::FileInfo& file,
                  std::string_view path, std::string_view cache_control) noexcept {
  const port::WallTime now = port.wall_clock();
  std::array<char, etag_size> etag_memory;
  wire::Representation representation{.etag = write_etag(file.change_id, etag_memory)};
  if (file.modified.seconds > 0 && file.modified <= now && file.modified <= wire::date_max) {
    representation.last_modified = file.modified;
  }
  const wire::ConditionalRequest conditions{
      .if_match = field_or_empty(request, wire::FieldId::if_match),
      .if_none_match = field_or_empty(request, wire::FieldId::if_none_match),
      .fields = &request.fields(),
      .if_modified_since = field_or_empty(request, wire::FieldId::if_modified_since),
      .if_unmodified_since = field_or_empty(request, wire::FieldId::if_unmodified_since),
      .if_range = field_or_empty(request, wire::FieldId::if_range),
      .now = now};
  const wire::Precondition verdict = wire::evaluate(conditions, representation, request.method());
  if (verdict == wire::Precondition::precondition_failed) {
    port.close_file(file.file);
    writer.status(412);
    return;
  }
  writer.set("ETag", representation.etag);
  if (!cache_control.empty()) {
    writer.set("Cache-Control", cache_control);
  }
  if (verdict == wire::Precondition::not_modified) {
    port.close_file(file.file);
    writer.status(304);  // the tag says it all: no Last-Modified (RFC 9110 section 15.4.5)
    return;
  }
  const wire::Ranges ranges = ranges_of(request, conditions, representation, file.size);
  if (ranges.status == wire::RangeStatus::not_satisfiable || ranges.status == wire::RangeStatus::malformed) {
    port.close_file(file.file);
    send_unsatisfied(writer, ranges.status, file.size);
    return;
  }
  if (representation.last_modified) {
    std::array<char, wire::http_date_size> date_memory;
    if (const auto date = wire::write_http_date(*representation.last_modified, date_memory)) {
      writer.set("Last-Modified", *date);
    }
  }
  writer.set("Accept-Ranges", "bytes");
  const std::string_view type = type_of(port, file, path);
  if (ranges.count > 1) {
    send_parts(writer, request, port, file, type, ranges);
  } else if (ranges.count == 1) {
    send_part(writer, file, type, ranges.items[0]);
  } else {
    writer.set("Content-Type", type);
    writer.send_file(file.file, 0, file.size);
  }
}

}  // namespace

void FileServer::serve(ResponseWriter& writer, Request& request) noexcept {
  if (request.event() != Event::start || !is_get_or_head(writer, request)) {
    return;
  }
  std::string_view path = options_.wildcard.empty() ? request.path() : request.path_value(options_.wildcard);
  if (path == "index.html" || path.ends_with("/index.html")) {
    redirect_locally(writer, request, "./");
    return;
  }
  const bool has_slash = request.raw_path().ends_with('/');
  while (path.starts_with('/')) {
    path.remove_prefix(1);
  }
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  if (path.size() > path_size_max || path.find('\0') != std::string_view::npos) {
    not_found(writer);
    return;
  }
  const auto opened = port_.open_file(root_, path);
  if (!opened) {
    refuse(writer, opened.error());
    return;
  }
  const RelativeName name = relative_name(request.raw_path());
  if (opened->kind == port::FileKind::directory) {
    port_.close_file(opened->file);
    if (!has_slash) {
      redirect_locally(writer, request, name.prefix, name.name, "/");
      return;
    }
    serve_index(writer, request, path);
    return;
  }
  if (has_slash) {
    port_.close_file(opened->file);
    redirect_locally(writer, request, "../", name.name);
    return;
  }
  send_content(writer, request, port_, *opened, path, options_.cache_control);
}

void FileServer::serve_index(ResponseWriter& writer, Request& request, std::string_view directory) noexcept {
  std::array<char, path_size_max> memory;
  base::TextWriter path{memory};
  if (!directory.empty()) {
    path.put(directory).put('/');
  }
  path.put("index.html");
  if (path.overflowed()) {
    not_found(writer);
    return;
  }
  const auto opened = port_.open_file(root_, path.view());
  if (!opened) {
    refuse(writer, opened.error());
    return;
  }
  if (opened->kind == port::FileKind::directory) {
    port_.close_file(opened->file);
    not_found(writer);
    return;
  }
  send_content(writer, request, port_, *opened, path.view(), options_.cache_control);
}

void serve_file(ResponseWriter& writer, Request& request, port::Port& port, port::File root, std::string_view path,
                std::string_view cache_control) noexcept {
  if (request.event() != Event::start || !is_get_or_head(writer, request)) {
    return;
  }
  if (has_parent_segment(request.path())) {
    error(writer, 400, "400 invalid path");
    return;
  }
  const auto opened = port.open_file(root, path);
  if (!opened) {
    refuse(writer, opened.error());
    return;
  }
  if (opened->kind == port::FileKind::directory) {
    port.close_file(opened->file);
    not_found(writer);
    return;
  }
  send_content(writer, request, port, *opened, path, cache_control);
}

}  // namespace pollux::http
