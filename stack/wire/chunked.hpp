// ChunkedDecoder: takes the chunked transfer coding off a body, in place, in pieces of any size (RFC 9112 section 7.1).
//
//   size line  "1a;name=value" CRLF      1 to 16 hexadecimal digits, then blanks, then an extension, which is skipped
//   data       26 bytes CRLF
//   ...
//   last line  "0" CRLF                  behind it the trailer section begins, which is the caller's (MessageReader)
//
// Strict where two parsers could disagree: CRLF exactly (no bare LF, no bare CR), no sign, no "0x", no empty size line,
// sizes below 2^63, no control bytes in an extension. Nothing of a size line is kept, so it may come in any number of
// pieces and needs no memory; a line of more than chunk_line_size_max bytes is refused all the same.
//
//   wire::ChunkedDecoder decoder;
//   const auto outcome = decoder.decode(raw, raw.data());      // payload is squeezed to the front of `raw`
//   use(raw.first(outcome.written));                           // outcome.read bytes are done with
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pollux::wire {

// The longest size line with its extension, without CRLF (net/http's line limit).
inline constexpr std::size_t chunk_line_size_max = 4095;
// Bytes of framing that a sender may spend beyond 16 a chunk and twice the payload. One-byte chunks stay far below it;
// a peer that sends extensions for ever reaches it (net/http's rule, made after CVE-2023-39326).
inline constexpr std::size_t chunk_overhead_max = 16 * 1024;

class ChunkedDecoder {
 public:
  enum class Event : std::uint8_t {
    need_more,  // all of `raw` was used
    last,       // the last chunk's line was read; what follows in `raw` is the trailer section with its empty line
    failed,     // not chunked coding; the decoder stays failed
  };
  struct Outcome {
    Event event = Event::need_more;
    std::size_t read = 0;     // bytes of `raw` used, from its front
    std::size_t written = 0;  // bytes of payload put to `out`
  };

  constexpr ChunkedDecoder() = default;

  // Decodes as much of `raw` as there is, through any number of chunks. Payload goes to `out`, which is raw.data(), or
  // lies before it, or does not overlap it: never more bytes are written than were read. Payload in front of a fault is
  // written before `failed` is reported. After `last` every further call reports `last` and reads nothing.
  [[nodiscard]] Outcome decode(std::span<char> raw, char* out) noexcept;

  // True once the line of the last chunk was read.
  [[nodiscard]] constexpr bool is_at_trailer() const noexcept { return state_ == State::last; }
  // Payload bytes of the current chunk that are still to come.
  [[nodiscard]] constexpr std::uint64_t chunk_remaining() const noexcept { return state_ == State::data ? size_ : 0; }

  // What the decoder stands before.
  enum class State : std::uint8_t {
    size_first,  // the first digit of a size line
    size_more,   // a further digit, or what ends the digits
    size_blank,  // behind blanks that follow the digits
    extension,   // inside an extension
    size_lf,     // the LF of a size line
    data,        // payload
    data_cr,     // the CR behind the payload
    data_lf,     // its LF
    last,        // nothing: the last chunk's line was read
    failed,
    count_,
  };

 private:
  void take_line_byte(char byte) noexcept;
  void end_line() noexcept;

  std::uint64_t size_ = 0;      // of the chunk whose line is being read; then what of its data is still to come
  std::uint32_t overhead_ = 0;  // spent so far of chunk_overhead_max
  std::uint16_t line_size_ = 0;
  std::uint8_t digits_ = 0;
  State state_ = State::size_first;
};

}  // namespace pollux::wire
