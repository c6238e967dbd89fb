// FileServer: the files below a directory, over HTTP (net/http: FileServer and ServeContent).
//
//   const auto root = port.open_directory("/srv/www");
//   http::FileServer files{port, *root, {.cache_control = "max-age=60"}};
//   ... http::handle<&http::FileServer::serve>("/static/", files, {.strip_prefix = "/static"}) ...
//   ... http::handle<&http::FileServer::serve>("/docs/{path...}", docs) ...      // with Options::wildcard = "path"
//
// What it answers, in this order:
//   methods other than GET and HEAD    405 with Allow
//   /index.html at the end             301 to ./
//   nothing there, or it leads out     404; a device, or no permission: 403 (Port::open_file() decides)
//   directory without a slash behind   301 to name/
//   directory                          its index.html, 404 if it has none: nothing is ever listed
//   file with a slash behind           301 to ../name
//   If-Match ... If-Modified-Since     412 or 304, in the order of RFC 9110 section 13.2.2
//   Range, if If-Range holds           206, one part or multipart/byteranges; 416 (RFC 9110 section 14)
//   anything else                      200
//
// The type is that of the name's ending, else guessed from the first 512 bytes. ETag is strong and changes with the
// file's Port change_id. Last-Modified is left out if it is 1970 or in the future, as on a board whose clock was never
// set. One part goes from the file to the socket without a copy; several are read through the connection's buffer. The
// file is closed in every case, also when the client goes.
#pragma once

#include <cstdint>
#include <string_view>

#include "port/port.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::http {

struct FileServerOptions {
  // The pattern's wildcard that holds the path below the directory; empty: all of Request::path().
  std::string_view wildcard{};
  // Cache-Control of 200, 206 and 304; empty: none.
  std::string_view cache_control{};
};

class FileServer {
 public:
  // `root` is an open directory (Port::open_directory) and stays the caller's, as do the option's texts. Both must live
  // as long as this.
  FileServer(port::Port& port, port::File root, const FileServerOptions& options = {}) noexcept
      : port_{port}, root_{root}, options_{options} {}

  // Answers completely in one call. Needs ServerLimits::state_size of 96 bytes, for several ranges.
  void serve(ResponseWriter& writer, Request& request) noexcept;

 private:
  void serve_index(ResponseWriter& writer, Request& request, std::string_view directory) noexcept;

  port::Port& port_;
  port::File root_;
  FileServerOptions options_;
};

// Answers with one file, `path` below `root`, whatever the request's path is (net/http: ServeFile): from the conditions
// on as above. A request whose path has an element ".." is answered 400 first, so that a `path` made from it is safe; a
// directory is 404.
void serve_file(ResponseWriter& writer, Request& request, port::Port& port, port::File root, std::string_view path,
                std::string_view cache_control = {}) noexcept;

}  // namespace pollux::http
