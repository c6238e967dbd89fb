// BodyDecoder: takes the gzip or deflate coding off a response body as it comes, with memory from a fixed pool - zlib gets an arena of ours
// and never the heap. A bomb is stopped by ratio and by size.
//
//   constinit DecoderStorage<1> memory;                                 // 48 KiB each; 0 is allowed
//   DecoderPool pool{memory.memory()};
//   BodyDecoder* decoder = pool.take(ContentCoding::gzip, {});           // nullptr: none is free; the caller decides
//   const std::size_t used = decoder->feed(raw);                         // takes what it can; the rest again later
//   use(decoder->output()); decoder->consume(n);                         // decoded bytes; room for more appears as they are consumed
//   decoder->end_input();                                                // the raw body is over: complete, or truncated
//   pool.give_back(*decoder);
//
// gzip may have several members, which decode as one (RFC 1952 section 2.2). "deflate" is the zlib format, and what some servers send under
// that name: bare deflate, known by its first two bytes being no zlib header. A body without a single byte decodes to nothing (net/http
// does so too). What was decoded before an error stays in output().
//
// In a build without zlib (POLLUX_GZIP=OFF) all this is there and no pool has a decoder: DecoderPool::is_built().
//
// Sources: RFC 1950, 1951, 1952; RFC 9110 section 8.4.1; zlib's inflateInit2 with zalloc, zfree.
#pragma once

#include <array>
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
  no_memory,  // zlib wanted more than decoder_arena_size: not one of the zlibs this was made for
};
[[nodiscard]] std::string_view describe(DecodeError error) noexcept;

struct DecodeLimits {
  std::uint64_t size_max = std::uint64_t{1} << 30;  // decoded bytes; 0: no limit
  // Decoded bytes for each raw byte, looked at from ratio_from decoded bytes on; 0: no limit. Deflate itself cannot go beyond 1032, and an
  // honest file of some megabytes may come near.
  std::uint32_t ratio_max = 200;
  std::uint64_t ratio_from = 16 << 20;
};

// What a decoder brings for zlib. zlib 1.2.13 takes 112 + 7,160 bytes when it begins and 32,768 for its window with the first data, whatever the
// data are; the rest is reserve for its other versions. Measured by BodyDecoder.StaysWithinItsArena.
inline constexpr std::size_t decoder_arena_size = 44 * 1024;
// Decoded bytes that wait to be consumed.
inline constexpr std::size_t decoder_output_size = 4096;

// One body. Only a DecoderPool makes it.
class BodyDecoder {
 public:
  BodyDecoder(const BodyDecoder&) = delete;
  BodyDecoder& operator=(const BodyDecoder&) = delete;
  ~BodyDecoder() = default;  // nothing of it lies outside

  // Takes bytes of the raw body and decodes as far as there is room for output; returns how many it took. 0 of a non-empty span: the
  // output is full, end_input() was called, or it failed.
  std::size_t feed(std::string_view raw) noexcept;
  // The raw body is over, and all of it was fed. What zlib still holds comes out as output() is consumed; if the coding is not over then,
  // it is truncated.
  void end_input() noexcept;

  // Decoded bytes not consumed yet; valid until feed(), consume() or end_input().
  [[nodiscard]] std::string_view output() const noexcept {
    return {output_ + output_begin_, output_end_ - output_begin_};
  }
  void consume(std::size_t count) noexcept;
  // The coding has ended and all of output() may be the last: only a further member of a gzip body can follow, and nothing after end_input().
  [[nodiscard]] bool is_complete() const noexcept;
  [[nodiscard]] DecodeError error() const noexcept { return error_; }
  [[nodiscard]] std::uint64_t decoded() const noexcept { return decoded_; }  // bytes so far

 private:
  friend class base::Pool<BodyDecoder>;
  friend class DecoderPool;

  enum class State : std::uint8_t {
    start,    // no byte has come
    header,   // deflate: one byte has come, the second decides between the zlib format and bare deflate
    inside,   // of a member, or of the only stream
    between,  // a member, or the stream, has ended
  };

  BodyDecoder(ContentCoding coding, const DecodeLimits& limits) noexcept;

  // A zlib stream on the arena; false if the arena does not do.
  [[nodiscard]] bool begin() noexcept;
  std::size_t take_some(std::string_view raw) noexcept;
  std::size_t begin_member(std::string_view raw) noexcept;
  std::size_t inflate_some(std::string_view raw) noexcept;
  std::size_t read_deflate_header(std::string_view raw) noexcept;
  std::size_t make_room() noexcept;
  void check_limits() noexcept;
  static void* allocate(void* decoder, unsigned count, unsigned size) noexcept;

  DecodeLimits limits_;
  std::uint64_t decoded_ = 0;
  std::uint64_t taken_ = 0;  // raw bytes
  void* stream_ = nullptr;   // zlib's z_stream, in the arena: this header does without zlib's
  std::size_t arena_used_ = 0;
  std::size_t output_begin_ = 0;
  std::size_t output_end_ = 0;
  ContentCoding coding_;
  State state_ = State::start;
  DecodeError error_ = DecodeError::none;
  bool input_over_ = false;
  bool is_stopped_by_output_ = false;  // zlib may hold more than had room
  unsigned char first_byte_ = 0;       // of State::header
  // Left as they are when a decoder is taken: nobody reads what was not written.
  char output_[decoder_output_size];
  alignas(std::max_align_t) std::byte arena_[decoder_arena_size];
};

// The memory of a pool.
struct DecoderMemory {
  std::span<base::PoolSlot<BodyDecoder>> slots{};
};
template <std::size_t decoders>
struct DecoderStorage {
  std::array<base::PoolSlot<BodyDecoder>, decoders> slots{};
  [[nodiscard]] DecoderMemory memory() noexcept { return {.slots = slots}; }
};

// A fixed number of decoders. One of none never has a decoder.
class DecoderPool {
 public:
  explicit DecoderPool(const DecoderMemory& memory) noexcept : pool_{memory.slots} {}

  // A decoder for one body. nullptr if none is free (counted), if `coding` is neither gzip nor deflate, or in a build without zlib.
  [[nodiscard]] BodyDecoder* take(ContentCoding coding, const DecodeLimits& limits) noexcept;
  // At any time, also in the middle of a body.
  void give_back(BodyDecoder& decoder) noexcept { pool_.give_back(decoder); }
  [[nodiscard]] bool has_free() const noexcept;
  // This build has zlib.
  [[nodiscard]] static bool is_built() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return pool_.size(); }
  [[nodiscard]] std::size_t used() const noexcept { return pool_.used(); }
  [[nodiscard]] std::size_t used_max() const noexcept { return pool_.used_max(); }
  [[nodiscard]] std::uint64_t refused() const noexcept { return pool_.refused(); }

 private:
  base::Pool<BodyDecoder> pool_;
};

}  // namespace pollux::http
