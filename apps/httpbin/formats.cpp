#include "apps/httpbin/formats.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/httpbin/deflater.hpp"
#include "apps/httpbin/inspect.hpp"
#include "port/port.hpp"
#include "stack/base/text.hpp"
#include "stack/net/loop.hpp"
#include "stack/wire/base64.hpp"
#include "stack/wire/conditional.hpp"
#include "stack/wire/date.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::httpbin {

using http::Event;
using http::Next;
using http::Request;
using http::ResponseWriter;
using Body = Inspection::Body;

namespace {

// ---- compressed

Next send_compressed(ResponseWriter& writer, Request& request, Deflater::Format format, std::string_view coding,
                     std::string_view member) {
  if (request.event() == Event::gone) {
    return Next::done;
  }
  if (request.event() == Event::start) {
    begin_json(writer, request);
    writer.set("Content-Encoding", coding);
  }
  const Inspection inspection{request};
  return send_document(writer, request.state<DocumentState>(), [&](Document& document) {
    Deflater deflater{format, document.sink()};
    apps::JsonWriter json{deflater.sink(), apps::JsonStyle::indented};
    json.begin_object().member(member, true);
    inspection.write_headers(json);
    inspection.write_method(json);
    inspection.write_origin(json);
    json.end_object();
    deflater.put("\n");
    deflater.finish();
  });
}

// ---- identifiers

// A random UUID (RFC 9562 section 5.4) as text.
constexpr std::size_t uuid_size = 36;
std::string_view write_uuid(port::Port& port, std::span<char, uuid_size> out) noexcept {
  std::array<std::byte, 16> bytes;
  port.random(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0F}) | std::byte{0x40};  // version 4
  bytes[8] = (bytes[8] & std::byte{0x3F}) | std::byte{0x80};  // variant 10
  base::TextWriter text{out};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text.put('-');
    }
    text.put_hex(std::to_integer<unsigned>(bytes[i]), 2);
  }
  return text.view();
}

// etagc of RFC 9110 section 8.8.3, without bytes beyond ASCII.
bool is_tag_text(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F && c != '"'; });
}

// ---- /response-headers

// Fields that frame the message are the server's.
bool is_servers_own(std::string_view name) noexcept {
  const wire::FieldId id = wire::field_id_from(name);
  return id == wire::FieldId::content_length || id == wire::FieldId::transfer_encoding ||
         id == wire::FieldId::connection;
}

bool is_field_value(std::string_view value) noexcept {
  return std::none_of(value.begin(), value.end(), [](char c) { return wire::is_control(c) && c != '\t'; });
}

// False, and nothing was set, if one of the parameters cannot be a field.
bool set_fields(ResponseWriter& writer, const Pairs& args) noexcept {
  for (const Pair& pair : args.items()) {
    if (!wire::is_token(pair.name) || !is_field_value(pair.value)) {
      return false;
    }
  }
  for (const Pair& pair : args.items()) {
    if (is_servers_own(pair.name)) {
      continue;
    }
    const bool is_type = wire::field_id_from(pair.name) == wire::FieldId::content_type;
    static_cast<void>(is_type ? writer.set(pair.name, pair.value) : writer.add(pair.name, pair.value));
  }
  return true;
}

// The object of /response-headers if its own size is `size`.
void write_fields(apps::JsonSink sink, const Pairs& args, std::uint64_t size) noexcept {
  apps::JsonWriter json{sink, apps::JsonStyle::indented};
  json.begin_object();
  const base::Decimal size_text{size};
  const Pair own[] = {{.name = "Content-Length", .value = size_text.view()},
                      {.name = "Content-Type", .value = "application/json"}};
  // Two sorted rows merged into one.
  const std::span<const Pair> items = args.items();
  std::size_t own_at = 0;
  for (std::size_t i = 0; i < items.size() || own_at < std::size(own);) {
    if (own_at < std::size(own) && (i == items.size() || own[own_at].name <= items[i].name)) {
      json.member(own[own_at].name, own[own_at].value);
      ++own_at;
      continue;
    }
    std::size_t end = i + 1;
    while (end < items.size() && items[end].name == items[i].name) {
      ++end;
    }
    const wire::FieldId id = wire::field_id_from(items[i].name);
    if (!is_servers_own(items[i].name) && id != wire::FieldId::content_type) {
      json.key(items[i].name);
      if (end - i > 1) {
        json.begin_array();
      }
      for (std::size_t k = i; k < end; ++k) {
        json.text(items[k].value);
      }
      if (end - i > 1) {
        json.end_array();
      }
    }
    i = end;
  }
  json.end_object();
}

// The size that, written into the document, makes the document this long.
std::uint64_t size_of_fields(const Pairs& args) noexcept {
  std::uint64_t size = 0;
  // Each round can add one digit at most; a size has 20.
  for (int round = 0; round < 20; ++round) {
    std::uint64_t counted = 1;  // the line break at the end
    write_fields(
        {[](void* object, std::string_view piece) { *static_cast<std::uint64_t*>(object) += piece.size(); }, &counted},
        args, size);
    if (counted == size) {
      break;
    }
    size = counted;
  }
  return size;
}

}  // namespace

Next gzip(ResponseWriter& writer, Request& request) {
  return send_compressed(writer, request, Deflater::Format::gzip, "gzip", "gzipped");
}

Next deflate(ResponseWriter& writer, Request& request) {
  return send_compressed(writer, request, Deflater::Format::zlib, "deflate", "deflated");
}

Next cache(ResponseWriter& writer, Request& request) {
  if (request.event() == Event::start) {
    if (request.field(wire::FieldId::if_modified_since) || request.field(wire::FieldId::if_none_match)) {
      writer.status(304);
      return Next::done;
    }
    port::Port& port = request.loop().port();
    std::array<char, wire::http_date_size> date_memory;
    if (const auto date = wire::write_http_date(port.wall_clock(), date_memory)) {
      writer.set("Last-Modified", *date);
    }
    std::array<char, uuid_size> uuid_memory;
    std::array<char, uuid_size + 2> tag_memory;
    writer.set("ETag", base::TextWriter{tag_memory}.put('"').put(write_uuid(port, uuid_memory)).put('"').view());
  }
  return get(writer, request);
}

Next cache_for(ResponseWriter& writer, Request& request) {
  if (request.event() == Event::start) {
    const auto seconds = base::parse_decimal(request.path_value("seconds"), INT32_MAX);
    if (!seconds) {
      http::not_found(writer);
      return Next::done;
    }
    std::array<char, 64> memory;
    writer.set("Cache-Control", base::TextWriter{memory}.put("public, max-age=").put_decimal(*seconds).view());
  }
  return get(writer, request);
}

Next etag(ResponseWriter& writer, Request& request) {
  if (request.event() != Event::start) {
    return get(writer, request);
  }
  std::array<char, 1024> memory;
  base::TextWriter tag{memory};
  tag.put('"').put(request.path_value("etag")).put('"');
  if (tag.overflowed() || !is_tag_text(request.path_value("etag"))) {
    http::error(writer, 400, "400 no such entity tag");
    return Next::done;
  }
  const wire::ConditionalRequest conditions{.if_match = request.field(wire::FieldId::if_match).value_or(""),
                                            .if_none_match = request.field(wire::FieldId::if_none_match).value_or(""),
                                            .fields = &request.fields()};
  writer.set("ETag", tag.view());
  switch (wire::evaluate(conditions, {.etag = tag.view()}, request.method())) {
    case wire::Precondition::proceed:
      break;
    case wire::Precondition::not_modified:
      writer.status(304);
      return Next::done;
    case wire::Precondition::precondition_failed:
      writer.status(412);
      return Next::done;
  }
  return get(writer, request);
}

Next response_headers(ResponseWriter& writer, Request& request) {
  if (request.event() == Event::gone) {
    return Next::done;
  }
  const Inspection inspection{request};
  if (inspection.overflowed()) {
    refuse_overflow(writer);
    return Next::done;
  }
  const Pairs& args = inspection.args();
  const std::uint64_t size = size_of_fields(args);
  if (request.event() == Event::start) {
    writer.set("Content-Type", "application/json");
    if (!set_fields(writer, args)) {
      http::error(writer, 400, "400 a parameter cannot be a field");
      return Next::done;
    }
    writer.set_content_length(size);
  }
  return send_document(writer, request.state<DocumentState>(), [&](Document& document) {
    write_fields(document.sink(), args, size);
    document.put("\n");
  });
}

void base64(ResponseWriter& writer, Request& request) {
  // To the url alphabet without padding, which the other one is turned into.
  std::string_view value = request.path_value("value");
  while (value.ends_with('=')) {
    value.remove_suffix(1);
  }
  std::array<char, 8192> memory;
  if (value.size() > memory.size()) {
    http::error(writer, 414, "414 URI too long");
    return;
  }
  std::transform(value.begin(), value.end(), memory.begin(), [](char c) {
    return c == '+' ? '-' : c == '/' ? '_' : c;
  });
  writer.set("X-Content-Type-Options", "nosniff");
  const auto decoded = wire::base64_decode({memory.data(), value.size()}, wire::Base64::url, memory);
  writer.text(200, decoded ? *decoded : "Incorrect Base64 data try: SFRUUEJJTiBpcyBhd2Vzb21l");
}

void uuid(ResponseWriter& writer, Request& request) {
  std::array<char, uuid_size> memory;
  writer.set("Content-Type", "application/json");
  apps::JsonWriter json{apps::json_sink(writer), apps::JsonStyle::indented};
  json.begin_object().member("uuid", write_uuid(request.loop().port(), memory)).end_object();
  writer.write("\n");
}

}  // namespace pollux::httpbin
