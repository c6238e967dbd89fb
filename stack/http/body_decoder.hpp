// BodyDecoder: takes the gzip or deflate coding off a response body as it comes, with memory from a fixed pool - zlib gets an arena of ours
// and never the heap. A bomb is stopped by ratio and by size.
//
//   DecoderPool pool{memory};
//   BodyDecoder* decoder = pool.take(ContentCoding::gzip, limits);      // nullptr: none is free; the caller decides
//   const std::size_t used = decoder->feed(raw);                         // takes what it can; the rest again later
//   use(decoder->output()); decoder->consume(n);                         // decoded bytes; room for more appears as they are consumed
//   decoder->end_input();                                                // the raw body is over: complete, or truncated
//   pool.give_back(*decoder);
//
// Sources: RFC 1950, 1951, 1952; RFC 9110 section 8.4.1; zlib's inflateInit2 with zalloc, zfree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/base/pool.hpp"

namespace pollux::http {

enum class ContentCoding : std::uint8_t { identity, gzip, deflate, unknown };

// What a Content-Encoding value names: "gzip", "x-gzip", "deflate", "identity" or "", any case; several codings, or any other: unknown.
[[nodiscard]] ContentCoding content_coding_from(std::string_view value) noexcept;

enum class DecodeError : std::uint8_t {
  none,
  malformed,  // not this coding, or a wrong checksum or length at its end, or bytes behind its end that are no further member
  truncated,  // the body ended inside it
  too_large,  // more than DecodeLimits::size_max bytes came out
  ratio,      // more came out of so little than DecodeLimits::ratio_max allows: a bomb
};
[[nodiscard]] std::string_view describe(DecodeError error) noexcept;

struct DecodeLimits {
  std::uint64_t size_max = std::uint64_t{1} << 30;  // decoded bytes; 0: no limit
  // Decoded bytes for each raw byte, looked at from ratio_from decoded bytes on; 0: no limit. Deflate itself cannot go beyond 1032.
  std::uint32_t ratio_max = 200;
  std::uint64_t ratio_from = 1 << 20;
};

class DecoderPool;

class BodyDecoder {
 public:
  // Takes bytes of the raw body and decodes as far as there is room for output; returns how many it took. 0 of a non-empty span: the
  // output is full, the decoder is complete, or it failed.
  std::size_t feed(std::string_view raw) noexcept;
  // The raw body is over. An error if the coding is not.
  void end_input() noexcept;

  // Decoded bytes not consumed yet; valid until feed() or consume().
  [[nodiscard]] std::string_view output() const noexcept;
  void consume(std::size_t count) noexcept;
  // The coding has ended and all of output() may be the last.
  [[nodiscard]] bool is_complete() const noexcept;
  [[nodiscard]] DecodeError error() const noexcept;
  [[nodiscard]] std::uint64_t decoded() const noexcept;  // bytes so far
};

// A fixed number of decoders. limits.decoders = 0 is a pool that never has one.
class DecoderPool {
 public:
  [[nodiscard]] BodyDecoder* take(ContentCoding coding, const DecodeLimits& limits) noexcept;
  void give_back(BodyDecoder& decoder) noexcept;
  [[nodiscard]] bool has_free() const noexcept;
};

}  // namespace pollux::http
