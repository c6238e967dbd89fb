// AssetTable: files that are part of the program - a dashboard, its script, a logo - served from where the compiler put
// them.
//
//   constexpr http::Asset assets[] = {
//       {.path = "/app.js", .type = "text/javascript", .etag = "\"3f9a\"", .bytes = app_js, .gzip = app_js_gz},
//       {.path = "/index.html", .type = "text/html; charset=utf-8", .etag = "\"71b2\"", .bytes = index_html},
//   };
//   constexpr http::AssetTable dashboard{assets, {.cache_control = "max-age=3600"}};
//   ... http::handle<&http::AssetTable::serve>("/ui/", dashboard, {.strip_prefix = "/ui"}) ...
//
// GET and HEAD only (405 otherwise); "/" is "/index.html"; 404 for everything else. Conditions and one range as
// FileServer has them; several ranges get the whole. No copy, no file, no memory.
#pragma once

#include <span>
#include <string_view>

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::http {

// One file. All texts are constants.
struct Asset {
  std::string_view path;  // from '/', decoded
  std::string_view type;  // Content-Type
  std::string_view
      etag;  // strong, with its quotes; must differ whenever the bytes do: a digest of them is best. Empty: none
  std::string_view bytes;
  // The same, compressed with gzip; sent to clients that accept it. Empty: there is none. Its entity tag is `etag` with
  // "-gzip" before the closing quote, since the bytes differ.
  std::string_view gzip{};
};

struct AssetTableOptions {
  std::string_view cache_control{};  // Cache-Control of 200, 206 and 304; empty: none
};

class AssetTable {
 public:
  // Both must live as long as the table. The longest `etag` that has a gzip variant is 120 bytes.
  constexpr explicit AssetTable(std::span<const Asset> assets, const AssetTableOptions& options = {}) noexcept
      : assets_{assets}, options_{options} {}

  // Answers completely in one call.
  void serve(ResponseWriter& writer, Request& request) const noexcept;
  // The asset of this path; nullptr if there is none.
  [[nodiscard]] const Asset* find(std::string_view path) const noexcept;

 private:
  std::span<const Asset> assets_;
  AssetTableOptions options_;
};

// Whether Accept-Encoding lets `coding` be sent: it is named, or "*" is and it is not, with a weight other than zero.
// Without the field nothing but the bytes as they are is sent. Source: RFC 9110 section 12.5.3.
[[nodiscard]] bool accepts_coding(const Request& request, std::string_view coding) noexcept;

}  // namespace pollux::http
