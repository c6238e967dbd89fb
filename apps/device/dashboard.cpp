#include "apps/device/dashboard.hpp"

#include "stack/wire/conditional.hpp"
#include "stack/wire/head.hpp"

namespace pollux::device {

namespace {

// Everything the page needs comes from here, and nobody else may show it in a frame, where clicks could be stolen.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

const Asset* find_asset(std::string_view path) noexcept {
  for (const Asset& asset : dashboard_assets()) {
    if (asset.path == path) {
      return &asset;
    }
  }
  return nullptr;
}

}  // namespace

void serve_dashboard(http::ResponseWriter& writer, http::Request& request) noexcept {
  const Asset* asset = find_asset(request.path());
  if (asset == nullptr) {
    http::not_found(writer);
    return;
  }
  // "gzip" without a weight; with one ("gzip;q=0.5") the plain form is as good.
  const bool gzip = !asset->gzipped.empty() && request.fields().has_token(wire::FieldId::accept_encoding, "gzip");
  const std::string_view etag = gzip ? asset->etag_gzip : asset->etag;
  writer.set("ETag", etag);
  writer.set("Vary", "Accept-Encoding");
  writer.set("Cache-Control", "no-cache");  // may be kept, but is asked for each time: a new program has a new page
  writer.set("Content-Security-Policy", content_security_policy);
  writer.set("X-Content-Type-Options", "nosniff");
  writer.set("Referrer-Policy", "no-referrer");
  const std::string_view if_none_match = request.field(wire::FieldId::if_none_match).value_or("");
  const std::string_view if_match = request.field(wire::FieldId::if_match).value_or("");
  switch (wire::evaluate({.if_match = if_match, .if_none_match = if_none_match, .fields = &request.fields()},
                         {.etag = etag}, request.method())) {
    case wire::Precondition::not_modified:
      writer.status(304);
      return;
    case wire::Precondition::precondition_failed:
      http::error(writer, 412, "412 precondition failed");
      return;
    case wire::Precondition::proceed:
      break;
  }
  writer.set("Content-Type", asset->type);
  if (gzip) {
    writer.set("Content-Encoding", "gzip");
  }
  writer.send_static(gzip ? asset->gzipped : asset->content);
}

}  // namespace pollux::device
