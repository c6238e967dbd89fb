#include "apps/httpbin/deflater.hpp"

#include <array>
#include <cstddef>

#include "port/ensure.hpp"

namespace pollux::httpbin {

namespace {

// A window of 4 KiB and the least hash memory: zlib.h gives the sum as 2^(windowBits + 2) + 2^(memLevel + 9), 24 KiB,
// and "a few kilobytes" for small objects. What is compressed here is one page of JSON.
constexpr int window_bits = 12;
constexpr int memory_level = 4;
constexpr int gzip_wrapper = 16;  // added to windowBits (zlib.h, deflateInit2)
constexpr std::size_t arena_size = 40 * 1024;

alignas(std::max_align_t) constinit std::array<std::byte, arena_size> arena{};
constinit std::size_t arena_used = 0;
constinit bool is_in_use = false;

void* take_memory(void*, unsigned count, unsigned size) {
  const std::size_t wanted = std::size_t{count} * size;
  const std::size_t rounded =
      (wanted + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);
  if (rounded > arena.size() - arena_used) {
    return nullptr;
  }
  void* memory = arena.data() + arena_used;
  arena_used += rounded;
  return memory;
}

// All of it comes back at once, in the destructor.
void give_memory(void*, void*) {}

}  // namespace

Deflater::Deflater(Format format, apps::JsonSink out) noexcept : out_{out} {
  ENSURE(!is_in_use);
  is_in_use = true;
  arena_used = 0;
  stream_.zalloc = take_memory;
  stream_.zfree = give_memory;
  const int bits = format == Format::gzip ? window_bits + gzip_wrapper : window_bits;
  const int result = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, bits, memory_level, Z_DEFAULT_STRATEGY);
  ENSURE(result == Z_OK);  // the arena is large enough for these settings
}

Deflater::~Deflater() {
  deflateEnd(&stream_);
  is_in_use = false;
}

void Deflater::run(std::string_view text, int flush) noexcept {
  std::array<char, 512> memory;
  // zlib.h: next_in is not written to; its type predates const.
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream_.avail_in = static_cast<unsigned>(text.size());
  do {
    stream_.next_out = reinterpret_cast<Bytef*>(memory.data());
    stream_.avail_out = static_cast<unsigned>(memory.size());
    const int result = deflate(&stream_, flush);
    ENSURE(result != Z_STREAM_ERROR);
    const std::size_t size = memory.size() - stream_.avail_out;
    if (size > 0) {
      out_.take(out_.object, {memory.data(), size});
    }
  } while (stream_.avail_out == 0);
}

}  // namespace pollux::httpbin
