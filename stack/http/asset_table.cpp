#include "stack/http/asset_table.hpp"

#include <array>
#include <optional>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/conditional.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/range.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

constexpr std::string_view gzip_suffix = "-gzip\"";
constexpr std::size_t etag_size_max = 128;

// True if the weight of a list element ("gzip;q=0.5") is not zero. What cannot be read counts as 1.
bool has_weight(std::string_view parameters) noexcept {
  wire::Parameters walk{parameters};
  while (const auto parameter = walk.next()) {
    if (base::equal_ignoring_case(parameter->name, "q")) {
      // "0", "0.", "0.0", "0.00" and "0.000" are zero (RFC 9110 section 12.4.2).
      return parameter->value.empty() || parameter->value.find_first_not_of("0.") != std::string_view::npos;
    }
  }
  return true;
}

std::string_view field_or_empty(const Request& request, wire::FieldId id) noexcept {
  return request.field(id).value_or(std::string_view{});
}

wire::ConditionalRequest conditions_of(const Request& request) noexcept {
  return {.if_match = field_or_empty(request, wire::FieldId::if_match),
          .if_none_match = field_or_empty(request, wire::FieldId::if_none_match),
          .fields = &request.fields(),
          .if_range = field_or_empty(request, wire::FieldId::if_range)};
}

// 200, 206 or 416: what Range makes of `bytes`.
void send_bytes(ResponseWriter& writer, const Request& request, const wire::Representation& representation,
                std::string_view bytes) noexcept {
  wire::Ranges ranges;
  if (wire::range_applies_to(request.method()) && wire::if_range_holds(conditions_of(request), representation)) {
    ranges = wire::parse_range(field_or_empty(request, wire::FieldId::range), bytes.size());
  }
  std::array<char, wire::content_range_size_max> memory;
  if (ranges.status == wire::RangeStatus::not_satisfiable || ranges.status == wire::RangeStatus::malformed) {
    if (ranges.status == wire::RangeStatus::not_satisfiable) {
      const auto content_range = wire::write_unsatisfied_range(bytes.size(), memory);
      ENSURE(content_range);
      writer.set("Content-Range", *content_range);
    }
    error(writer, 416, "416 range not satisfiable");
    return;
  }
  writer.set("Accept-Ranges", "bytes");
  if (ranges.count != 1) {
    writer.send_static(bytes);
    return;
  }
  const wire::ByteRange& range = ranges.items[0];
  const auto content_range = wire::write_content_range(range, bytes.size(), memory);
  ENSURE(content_range);
  writer.status(206);
  writer.set("Content-Range", *content_range);
  const auto first = static_cast<std::size_t>(range.first);
  writer.send_static(wire::slice(bytes, first, first + static_cast<std::size_t>(range.size)));
}

}  // namespace

bool accepts_coding(const Request& request, std::string_view coding) noexcept {
  std::optional<bool> any;
  const wire::Fields& fields = request.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields.id(i) != wire::FieldId::accept_encoding) {
      continue;
    }
    wire::ListItems items{fields[i].value};
    while (const auto item = items.next()) {
      const std::size_t semicolon = item->find(';');
      const std::size_t end = semicolon == std::string_view::npos ? item->size() : semicolon;
      const std::string_view name = base::trim(wire::slice(*item, 0, end));
      const bool is_wanted = has_weight(wire::drop(*item, end));
      if (base::equal_ignoring_case(name, coding)) {
        return is_wanted;
      }
      if (name == "*") {
        any = is_wanted;
      }
    }
  }
  return any.value_or(false);
}

const Asset* AssetTable::find(std::string_view path) const noexcept {
  for (const Asset& asset : assets_) {
    if (asset.path == path) {
      return &asset;
    }
  }
  return nullptr;
}

void AssetTable::serve(ResponseWriter& writer, Request& request) const noexcept {
  if (request.method_id() != wire::Method::get && request.method_id() != wire::Method::head) {
    writer.set("Allow", "GET, HEAD");
    error(writer, 405, "405 method not allowed");
    return;
  }
  const Asset* asset = find(request.path() == "/" ? "/index.html" : request.path());
  if (asset == nullptr) {
    not_found(writer);
    return;
  }
  const bool is_gzip = !asset->gzip.empty() && accepts_coding(request, "gzip");
  std::array<char, etag_size_max> etag_memory;
  std::string_view etag = asset->etag;
  if (is_gzip && !etag.empty()) {
    base::TextWriter text{etag_memory};
    etag = text.put(wire::slice(etag, 0, etag.size() - 1)).put(gzip_suffix).view();
    ENSURE(!text.overflowed());
  }
  const wire::Representation representation{.etag = etag};
  const wire::Precondition verdict = wire::evaluate(conditions_of(request), representation, request.method());
  if (verdict == wire::Precondition::precondition_failed) {
    writer.status(412);
    return;
  }
  if (!etag.empty()) {
    writer.set("ETag", etag);
  }
  if (!options_.cache_control.empty()) {
    writer.set("Cache-Control", options_.cache_control);
  }
  if (!asset->gzip.empty()) {
    writer.set("Vary", "Accept-Encoding");
  }
  if (verdict == wire::Precondition::not_modified) {
    writer.status(304);
    return;
  }
  writer.set("Content-Type", asset->type);
  if (is_gzip) {
    writer.set("Content-Encoding", "gzip");
  }
  send_bytes(writer, request, representation, is_gzip ? asset->gzip : asset->bytes);
}

}  // namespace pollux::http
