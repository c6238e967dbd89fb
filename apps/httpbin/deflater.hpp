// Deflater: zlib's deflate on fixed memory, into a sink.
//
//   Deflater deflater{Deflater::Format::gzip, document.sink()};
//   apps::JsonWriter json{deflater.sink()};
//   ...
//   deflater.finish();
//
// The same input gives the same output. One at a time: the working memory is static (RFC 1950, RFC 1951, RFC 1952;
// zlib.h).
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string_view>

#include "apps/support/json.hpp"

namespace pollux::httpbin {

class Deflater {
 public:
  enum class Format : std::uint8_t {
    gzip,  // Content-Encoding: gzip
    zlib,  // Content-Encoding: deflate, which is the zlib format (RFC 9110 section 8.4.1.2)
  };

  Deflater(Format format, apps::JsonSink out) noexcept;
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void put(std::string_view text) noexcept { run(text, Z_NO_FLUSH); }
  void finish() noexcept { run({}, Z_FINISH); }
  [[nodiscard]] apps::JsonSink sink() noexcept {
    return {[](void* object, std::string_view piece) { static_cast<Deflater*>(object)->put(piece); }, this};
  }

 private:
  void run(std::string_view text, int flush) noexcept;

  apps::JsonSink out_;
  z_stream stream_{};
};

}  // namespace pollux::httpbin
