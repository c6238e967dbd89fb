#include "stack/http/body_decoder.hpp"

#include <zlib.h>

#include <climits>
#include <cstring>
#include <new>

#include "port/ensure.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {
namespace {

constexpr std::size_t arena_alignment = alignof(std::max_align_t);

// zlib's words for the format it shall expect (inflateInit2 in zlib.h): the largest window, and what is around it.
constexpr int window_bits = 15;
constexpr int zlib_format = window_bits;
constexpr int gzip_format = window_bits + 16;
constexpr int bare_deflate = -window_bits;

static_assert(decoder_arena_size % arena_alignment == 0, "the arena is handed out in aligned pieces");
static_assert(decoder_output_size <= UINT_MAX, "zlib counts in unsigned int");

// RFC 1950 section 2.2: the method is 8, the window at most 32 KiB, and both bytes together a multiple of 31.
constexpr bool is_zlib_header(unsigned first, unsigned second) {
  return (first & 0x0f) == 8 && first >> 4 <= 7 && (first << 8 | second) % 31 == 0;
}

// zlib gives single pieces back only to take the same again, which it does not do here: a stream's memory goes with its decoder.
void release(void* /*decoder*/, void* /*piece*/) noexcept {}

z_stream& stream_of(void* stream) {
  return *static_cast<z_stream*>(stream);
}

}  // namespace

BodyDecoder::BodyDecoder(ContentCoding coding, const DecodeLimits& limits) noexcept : limits_{limits}, coding_{coding} {
  if (!begin()) {
    error_ = DecodeError::no_memory;
  }
}

void* BodyDecoder::allocate(void* decoder, unsigned count, unsigned size) noexcept {
  auto& self = *static_cast<BodyDecoder*>(decoder);
  const std::uint64_t wanted = std::uint64_t{count} * size;
  const std::size_t room = decoder_arena_size - self.arena_used_;
  if (wanted > room) {
    return nullptr;
  }
  const std::size_t piece =
      (static_cast<std::size_t>(wanted) + arena_alignment - 1) / arena_alignment * arena_alignment;
  void* memory = self.arena_ + self.arena_used_;
  self.arena_used_ += piece;  // room is a multiple of the alignment, so this stays within it
  return memory;
}

bool BodyDecoder::begin() noexcept {
  void* memory = allocate(this, 1, sizeof(z_stream));
  ENSURE(memory != nullptr);
  auto* stream = ::new (memory) z_stream{};
  stream->zalloc = &BodyDecoder::allocate;
  stream->zfree = &release;
  stream->opaque = this;
  stream_ = stream;
  return inflateInit2(stream, coding_ == ContentCoding::gzip ? gzip_format : zlib_format) == Z_OK;
}

std::size_t BodyDecoder::feed(std::string_view raw) noexcept {
  std::size_t taken = 0;
  // Each round takes bytes, makes output or changes the state, and there are only so many of the three.
  while (!input_over_ && error_ == DecodeError::none && taken < raw.size() && make_room() > 0) {
    taken += take_some(wire::drop(raw, taken));
  }
  return taken;
}

// `raw` is not empty, and there is room.
std::size_t BodyDecoder::take_some(std::string_view raw) noexcept {
  switch (state_) {
    case State::start:
      if (coding_ == ContentCoding::deflate) {
        state_ = State::header;
        first_byte_ = static_cast<unsigned char>(raw.front());
        ++taken_;
        return 1;
      }
      return begin_member(raw);
    case State::header:
      return read_deflate_header(raw);
    case State::inside:
      return inflate_some(raw);
    case State::between:
      // The other coding has no members.
      if (coding_ != ContentCoding::gzip || inflateReset(&stream_of(stream_)) != Z_OK) {
        error_ = DecodeError::malformed;
        return 0;
      }
      return begin_member(raw);
  }
  return 0;
}

// zlib looks at two bytes together; garbage of one byte would pass for a member cut short.
std::size_t BodyDecoder::begin_member(std::string_view raw) noexcept {
  if (raw.front() != '\x1f') {
    error_ = DecodeError::malformed;
    return 0;
  }
  state_ = State::inside;
  return inflate_some(raw);
}

// Decides by the second byte, and lets zlib have the first one.
std::size_t BodyDecoder::read_deflate_header(std::string_view raw) noexcept {
  const auto second = static_cast<unsigned char>(raw.front());
  if (!is_zlib_header(first_byte_, second) && inflateReset2(&stream_of(stream_), bare_deflate) != Z_OK) {
    error_ = DecodeError::malformed;
    return 0;
  }
  state_ = State::inside;
  --taken_;  // was counted when it came
  const char first = static_cast<char>(first_byte_);
  // One byte makes no output in either format, so it is always taken and leaves room.
  const std::size_t taken = inflate_some({&first, 1});
  ENSURE(taken == 1 || error_ != DecodeError::none);
  return error_ == DecodeError::none ? inflate_some(raw) : 0;
}

// The free bytes behind the output, after it was moved to the front if that helps.
std::size_t BodyDecoder::make_room() noexcept {
  if (output_begin_ == output_end_) {
    output_begin_ = 0;
    output_end_ = 0;
  } else if (output_end_ == decoder_output_size && output_begin_ >= decoder_output_size / 2) {
    std::memmove(output_, output_ + output_begin_, output_end_ - output_begin_);
    output_end_ -= output_begin_;
    output_begin_ = 0;
  }
  return decoder_output_size - output_end_;
}

// One call of inflate(): returns how many raw bytes it took. `raw` may be empty, to get out what zlib holds.
std::size_t BodyDecoder::inflate_some(std::string_view raw) noexcept {
  const std::size_t room = make_room();
  ENSURE(room > 0);
  z_stream& stream = stream_of(stream_);
  const std::size_t size = raw.size() < UINT_MAX ? raw.size() : UINT_MAX;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = reinterpret_cast<Bytef*>(output_ + output_end_);
  stream.avail_out = static_cast<uInt>(room);
  const int outcome = inflate(&stream, Z_NO_FLUSH);
  const std::size_t taken = size - stream.avail_in;
  const std::size_t made = room - stream.avail_out;
  stream.next_in = nullptr;
  taken_ += taken;
  decoded_ += made;
  output_end_ += made;
  is_stopped_by_output_ = stream.avail_out == 0 && outcome != Z_STREAM_END;
  switch (outcome) {
    case Z_OK:
    case Z_BUF_ERROR:  // nothing to do without more input: no error of the data
      break;
    case Z_STREAM_END:
      state_ = State::between;
      break;
    case Z_MEM_ERROR:
      error_ = DecodeError::no_memory;
      break;
    default:  // Z_DATA_ERROR; Z_NEED_DICT: HTTP has no dictionaries
      error_ = DecodeError::malformed;
      break;
  }
  check_limits();
  return taken;
}

void BodyDecoder::check_limits() noexcept {
  if (limits_.size_max != 0 && decoded_ > limits_.size_max) {
    // At most one filling of the output too many; it is taken back, so that nobody gets more than the limit.
    output_end_ -= static_cast<std::size_t>(decoded_ - limits_.size_max);
    ENSURE(output_begin_ <= output_end_);
    decoded_ = limits_.size_max;
    error_ = DecodeError::too_large;
    return;
  }
  if (limits_.ratio_max == 0 || decoded_ <= limits_.ratio_from || error_ != DecodeError::none) {
    return;
  }
  // By division: the product of the two could overflow.
  if (decoded_ / limits_.ratio_max > taken_) {
    error_ = DecodeError::ratio;
  }
}

void BodyDecoder::consume(std::size_t count) noexcept {
  ENSURE(count <= output_end_ - output_begin_);
  output_begin_ += count;
  if (output_begin_ == output_end_ && error_ == DecodeError::none && is_stopped_by_output_) {
    static_cast<void>(inflate_some({}));
  }
  if (input_over_) {
    end_input();
  }
}

void BodyDecoder::end_input() noexcept {
  input_over_ = true;
  if (error_ != DecodeError::none || is_stopped_by_output_) {
    return;  // decided already, or when zlib has given everything
  }
  if (state_ == State::header || state_ == State::inside) {
    error_ = DecodeError::truncated;
  }
}

bool BodyDecoder::is_complete() const noexcept {
  return error_ == DecodeError::none && (state_ == State::between || (state_ == State::start && input_over_));
}

BodyDecoder* DecoderPool::take(ContentCoding coding, const DecodeLimits& limits) noexcept {
  if (coding != ContentCoding::gzip && coding != ContentCoding::deflate) {
    return nullptr;
  }
  return pool_.take(coding, limits);
}

bool DecoderPool::has_free() const noexcept {
  return !pool_.is_empty();
}

bool DecoderPool::is_built() noexcept {
  return true;
}

}  // namespace pollux::http
