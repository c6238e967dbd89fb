#include "apps/httpbin/inspection.hpp"

#include <algorithm>
#include <array>

#include "apps/httpbin/json_check.hpp"
#include "apps/httpbin/multipart.hpp"
#include "port/address.hpp"
#include "stack/base/text.hpp"
#include "stack/http/limits.hpp"
#include "stack/wire/media_type.hpp"

namespace pollux::httpbin {

namespace {

// Decoded text is never longer than what it was decoded from: a head and a body that fit into the input buffer fit here
// too.
constinit std::array<char, 64 * 1024> text_memory{};
constinit Arena text_arena{text_memory};
constinit Pairs args_table{text_arena};
constinit Pairs form_table{text_arena};
constinit Pairs files_table{text_arena};

// The longest field name a head can have (wire::Field::name_size).
constexpr std::size_t field_name_max = 255;

// "x-FORWARDED-for" becomes "X-Forwarded-For", as it does on its way through WSGI (PEP 3333).
std::string_view canonical_name(std::string_view name, std::span<char, field_name_max> out) noexcept {
  bool starts = true;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char lower = base::to_lower(name[i]);
    out[i] = starts && base::is_alpha(lower) ? static_cast<char>(lower & ~0x20) : lower;
    starts = name[i] == '-';
  }
  return {out.data(), name.size()};
}

bool is_less_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return base::to_lower(x) < base::to_lower(y); });
}

}  // namespace

Inspection::Inspection(http::Request& request, Body body) noexcept : request_{request} {
  text_arena.clear();
  args_table.clear();
  form_table.clear();
  files_table.clear();
  args_table.add_encoded(request.query());
  args_table.sort();
  if (body == Body::read) {
    read_body();
  }
}

void Inspection::read_body() noexcept {
  const std::string_view body = request_.body();
  const auto type = wire::parse_media_type(request_.field(wire::FieldId::content_type).value_or(""));
  std::array<char, multipart_boundary_max> memory;
  if (type && wire::is_media_type(*type, "application/x-www-form-urlencoded")) {
    form_table.add_encoded(body);
  } else if (type && wire::is_media_type(*type, "multipart/form-data")) {
    if (const auto boundary = wire::media_parameter(*type, "boundary", memory)) {
      read_multipart(body, *boundary, text_arena, form_table, files_table);
    }
  } else {
    data_ = body;
  }
  form_table.sort();
  files_table.sort();
}

bool Inspection::overflowed() const noexcept {
  return args_table.overflowed() || form_table.overflowed() || files_table.overflowed();
}

const Pairs& Inspection::args() const noexcept {
  return args_table;
}

void Inspection::write_args(apps::JsonWriter& json) const noexcept {
  json.key("args");
  args_table.write(json);
}

void Inspection::write_data(apps::JsonWriter& json) const noexcept {
  json.key("data");
  write_safely(json, data_, "application/octet-stream");
}

void Inspection::write_files(apps::JsonWriter& json) const noexcept {
  json.key("files");
  files_table.write(json);
}

void Inspection::write_form(apps::JsonWriter& json) const noexcept {
  json.key("form");
  form_table.write(json);
}

// Fields of one name become one member, their values joined by commas (RFC 9110 section 5.2).
void Inspection::write_headers(apps::JsonWriter& json) const noexcept {
  const wire::Fields& fields = request_.fields();
  static constinit std::array<std::uint16_t, 256> order{};
  const std::size_t count = std::min(fields.size(), order.size());
  for (std::size_t i = 0; i < count; ++i) {
    order[i] = static_cast<std::uint16_t>(i);
  }
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), [&](std::uint16_t a, std::uint16_t b) {
    const std::string_view name_a = fields[a].name;
    const std::string_view name_b = fields[b].name;
    return is_less_ignoring_case(name_a, name_b) || (!is_less_ignoring_case(name_b, name_a) && a < b);
  });
  json.key("headers").begin_object();
  for (std::size_t i = 0; i < count;) {
    const std::string_view name = fields[order[i]].name;
    std::array<char, field_name_max> memory;
    json.key(canonical_name(name, memory)).begin_text().add_text(fields[order[i]].value);
    for (++i; i < count && base::equal_ignoring_case(fields[order[i]].name, name); ++i) {
      json.add_text(",").add_text(fields[order[i]].value);
    }
    json.end_text();
  }
  json.end_object();
}

void Inspection::write_json(apps::JsonWriter& json) const noexcept {
  json.key("json");
  is_json(data_) ? json.raw(base::trim(data_)) : json.null();
}

void Inspection::write_method(apps::JsonWriter& json) const noexcept {
  json.member("method", request_.method());
}

void Inspection::write_origin(apps::JsonWriter& json) const noexcept {
  std::array<char, port::address_text_max> memory;
  const auto forwarded = request_.field("X-Forwarded-For");
  json.member("origin", forwarded ? *forwarded : port::format_ip(request_.remote(), memory));
}

void Inspection::write_url(apps::JsonWriter& json) const noexcept {
  json.key("url").begin_text();
  write_base_url(
      request_,
      {[](void* object, std::string_view piece) { static_cast<apps::JsonWriter*>(object)->add_text(piece); }, &json});
  json.add_text(request_.raw_path());
  if (request_.has_query()) {
    json.add_text("?").add_text(request_.query());
  }
  json.end_text();
}

void write_base_url(const http::Request& request, apps::JsonSink sink) noexcept {
  sink.take(sink.object, request.tls() != nullptr ? "https://" : "http://");
  std::array<char, port::address_text_max> memory;
  sink.take(sink.object, request.host().empty() ? port::format_address(request.local(), memory) : request.host());
}

void refuse_overflow(http::ResponseWriter& writer) noexcept {
  http::error(writer, 400, "400 more parameters than can be shown");
}

}  // namespace pollux::httpbin
