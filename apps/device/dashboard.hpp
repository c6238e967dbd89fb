// The dashboard: the files of dashboard/, put into the program by the build (embed.cmake), plain and gzipped.
#pragma once

#include <span>
#include <string_view>

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::device {

struct Asset {
  std::string_view path;  // "/app.js"
  std::string_view type;
  std::string_view etag;       // with quotes: a digest of the content
  std::string_view etag_gzip;  // another one: the bytes differ
  std::string_view content;
  std::string_view gzipped;  // empty if the build had no gzip
};

// All of them; in read-only memory.
[[nodiscard]] std::span<const Asset> dashboard_assets() noexcept;

// Answers with the asset of the request's path, without a copy: 304 if the client has it, gzipped if the client takes that.
void serve_dashboard(http::ResponseWriter& writer, http::Request& request) noexcept;

}  // namespace pollux::device
