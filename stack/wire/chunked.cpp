#include "stack/wire/chunked.hpp"

#include <array>
#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::wire {
namespace {

using State = ChunkedDecoder::State;

// What a byte of a size line is to the decoder.
enum class ByteKind : std::uint8_t { digit, blank, semicolon, cr, lf, control, other, count_ };

constexpr std::size_t state_count = static_cast<std::size_t>(State::count_);
constexpr std::size_t kind_count = static_cast<std::size_t>(ByteKind::count_);

constexpr std::array<ByteKind, 256> byte_kinds = [] {
  std::array<ByteKind, 256> kinds{};
  for (unsigned c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    kinds[c] = base::hex_value(byte) >= 0 ? ByteKind::digit
               : base::is_blank(byte)     ? ByteKind::blank
               : byte == ';'              ? ByteKind::semicolon
               : byte == '\r'             ? ByteKind::cr
               : byte == '\n'             ? ByteKind::lf
               : (c < 0x20 || c == 0x7f)  ? ByteKind::control
                                          : ByteKind::other;
  }
  return kinds;
}();

// The machine: where each kind of byte leads from each state. What is not written down is `failed`. Out of `data` leads
// only having read all of it, and size_lf leads to `last` instead of `data` when the size is 0; see decode().
constexpr std::array<std::array<State, kind_count>, state_count> transitions = [] {
  std::array<std::array<State, kind_count>, state_count> table{};
  for (auto& row : table) {
    row.fill(State::failed);
  }
  const auto on = [&table](State from, ByteKind kind, State to) {
    table[static_cast<std::size_t>(from)][static_cast<std::size_t>(kind)] = to;
  };
  on(State::size_first, ByteKind::digit, State::size_more);
  on(State::size_more, ByteKind::digit, State::size_more);
  for (const State from : {State::size_more, State::size_blank}) {
    on(from, ByteKind::blank, State::size_blank);
    on(from, ByteKind::semicolon, State::extension);
    on(from, ByteKind::cr, State::size_lf);
  }
  for (const ByteKind kind : {ByteKind::digit, ByteKind::blank, ByteKind::semicolon, ByteKind::other}) {
    on(State::extension, kind, State::extension);
  }
  on(State::extension, ByteKind::cr, State::size_lf);
  on(State::size_lf, ByteKind::lf, State::data);
  on(State::data_cr, ByteKind::cr, State::data_lf);
  on(State::data_lf, ByteKind::lf, State::size_first);
  return table;
}();

constexpr int size_digits_max = 16;

}  // namespace

ChunkedDecoder::Outcome ChunkedDecoder::decode(std::span<char> raw, char* out) noexcept {
  Outcome outcome;
  while (outcome.read < raw.size()) {
    switch (state_) {
      case State::data: {
        const std::size_t left = raw.size() - outcome.read;
        const std::size_t count = size_ < left ? static_cast<std::size_t>(size_) : left;
        if (out + outcome.written != raw.data() + outcome.read) {
          std::memmove(out + outcome.written, raw.data() + outcome.read, count);
        }
        outcome.read += count;
        outcome.written += count;
        size_ -= count;
        if (size_ == 0) {
          state_ = State::data_cr;
        }
        break;
      }
      case State::size_first:
      case State::size_more:
      case State::size_blank:
      case State::extension:
      case State::size_lf:
      case State::data_cr:
      case State::data_lf:
        take_line_byte(raw[outcome.read]);
        if (state_ == State::failed) {
          outcome.event = Event::failed;
          return outcome;
        }
        ++outcome.read;
        break;
      case State::last:
        outcome.event = Event::last;
        return outcome;
      case State::failed:
        outcome.event = Event::failed;
        return outcome;
      case State::count_:
        ENSURE(state_ != State::count_);
        break;
    }
  }
  outcome.event = state_ == State::last ? Event::last : state_ == State::failed ? Event::failed : Event::need_more;
  return outcome;
}

void ChunkedDecoder::take_line_byte(char byte) noexcept {
  const State from = state_;
  const auto kind = static_cast<std::size_t>(byte_kinds[static_cast<unsigned char>(byte)]);
  state_ = transitions[static_cast<std::size_t>(from)][kind];
  if (state_ == State::size_more) {
    if (digits_ == size_digits_max) {
      state_ = State::failed;
      return;
    }
    ++digits_;
    size_ = size_ << 4 | static_cast<std::uint64_t>(base::hex_value(byte));
  }
  if (state_ == State::data) {
    end_line();
  } else if (from <= State::extension && state_ != State::size_lf && ++line_size_ > chunk_line_size_max) {
    state_ = State::failed;
  }
}

// A size line is whole: decides what follows it and charges its bytes. A chunk earns 16 bytes and twice its size.
void ChunkedDecoder::end_line() noexcept {
  if (size_ > INT64_MAX) {
    state_ = State::failed;
    return;
  }
  const std::uint64_t spent = std::uint64_t{overhead_} + line_size_ + 2;
  const std::uint64_t earned = 16 + (size_ < chunk_overhead_max * 2 ? size_ * 2 : chunk_overhead_max * 4);
  overhead_ = spent > earned ? static_cast<std::uint32_t>(spent - earned) : 0;
  if (overhead_ > chunk_overhead_max) {
    state_ = State::failed;
    return;
  }
  if (size_ == 0) {
    state_ = State::last;
  }
  digits_ = 0;
  line_size_ = 0;
}

}  // namespace pollux::wire
