// MessageWriter: turns one message after the other into bytes in a Buffer. It never touches a socket.
//
//   idle -> head -> undecided -> body_sized | body_chunked | body_until_close | body_none -> (trailers) -> complete -> idle
//
// The head is written straight into the buffer while it is being set. The first body bytes leave a small gap behind it, and when
// it is known how the body will be framed - it ended while all of it is in the buffer, or it outgrew the buffer, or somebody said so -
// the fields that depend on it are put there and the body is moved up against them:
//
//   [ earlier messages | start line | fields ... | gap | body ... | room ]
//
// Chunks are made of whatever lies in the buffer when it is sent, not of single writes. The caller sends buffer.data() from the front
// (consume) whenever it likes, but while the state is `head` or `undecided` only what lies before the message: sendable().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/base/buffer.hpp"
#include "stack/wire/head.hpp"

namespace pollux::wire {

class MessageWriter {
 public:
  enum class State : std::uint8_t {
    idle,
    head,        // fields may be set
    undecided,   // body bytes are there, the framing is not
    body_sized,  // a declared number of bytes
    body_chunked,
    body_until_close,
    body_none,  // HEAD, 1xx, 204, 304: bytes are counted and dropped
    trailers,   // chunked body ended; trailer fields may follow
    complete,   // all of it is in the buffer
  };

  // What the message must say about itself, known when the framing is decided.
  struct Framing {
    bool no_body = false;             // an answer to HEAD, or a 1xx, 204, 304
    bool omit_length = false;         // with no_body: no Content-Length either (1xx, 204), whatever was written
    bool chunked_allowed = true;      // the other side speaks HTTP/1.1
    std::string_view connection{};    // "close", "keep-alive", or nothing to say
    std::string_view content_type{};  // added if not empty
  };

  constexpr MessageWriter() = default;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_head_open() const noexcept { return state_ == State::head; }
  [[nodiscard]] bool is_framed() const noexcept { return state_ > State::undecided; }

  // ---- head

  // Begins a message with `start`: the start line and any field lines that are ready made, each ended by CRLF. False if it does not
  // fit; the state is idle then.
  [[nodiscard]] bool start(base::Buffer& out, std::string_view start) noexcept;
  // Replaces what start() wrote (another status). State head only. False if it does not fit; nothing changed then.
  [[nodiscard]] bool replace_start(base::Buffer& out, std::string_view start) noexcept;
  // Appends a field line. The caller has checked name and value. False if it does not fit.
  [[nodiscard]] bool add(base::Buffer& out, std::string_view name, std::string_view value) noexcept;
  // Removes all field lines of that name behind the start text.
  void remove(base::Buffer& out, std::string_view name) noexcept;
  // The value of the first field line of that name; an empty view with nullptr if there is none.
  [[nodiscard]] std::string_view find(std::string_view name) const noexcept;
  // Puts a whole interim message in front of the open head: `start_line` (with CRLF), then the fields set so far if `with_fields`, then the
  // empty line. State idle or head. False if it does not fit.
  [[nodiscard]] bool insert_interim(base::Buffer& out, std::string_view start_line, bool with_fields) noexcept;

  // ---- framing

  // Bytes of body that may be written now, in states head to body_*.
  [[nodiscard]] std::size_t body_room(const base::Buffer& out) const noexcept;
  // The body has `size` bytes: Content-Length is written; nothing may have been written yet (state head).
  [[nodiscard]] bool decide_sized(base::Buffer& out, std::uint64_t size, const Framing& framing) noexcept;
  // The body's length is unknown: chunked, or until the connection closes. States head, undecided.
  [[nodiscard]] bool decide_streamed(base::Buffer& out, const Framing& framing) noexcept;
  // The body is over. From head or undecided: Content-Length is what was written. False only if the fields do not fit (the
  // buffer was too full of fields). Sized: false if bytes are missing.
  [[nodiscard]] bool finish(base::Buffer& out, const Framing& framing) noexcept;

  // A whole message with a body that is at hand, in one go: start(), Content-Type, Connection (if not empty), Content-Length, body. State idle; then
  // body_sized with nothing missing, or false and nothing changed if it does not fit.
  [[nodiscard]] bool write_whole(base::Buffer& out, std::string_view start, std::string_view content_type,
                                 std::string_view connection, std::string_view body) noexcept;

  // finish() for the usual case, a sized body that is all there; false, and nothing done, if it is another.
  [[nodiscard]] bool finish_whole() noexcept {
    if (state_ != State::body_sized || body_missing() != 0) {
      return false;
    }
    state_ = State::complete;
    return true;
  }

  // ---- body

  // Takes what fits; in state head it becomes undecided. Sized: never takes more than what was declared.
  std::size_t write(base::Buffer& out, std::string_view text) noexcept;
  // The same without a copy: write up to the returned span's size into it, then call produced(). State undecided or body_*.
  [[nodiscard]] std::span<char> space(base::Buffer& out) noexcept;
  void produced(base::Buffer& out, std::size_t count) noexcept;
  // `count` bytes of the body go out another way (a file, a constant), right behind what is in the buffer. Chunked: they are one chunk;
  // nothing may be written until end_passing(). False if its size line does not fit. State body_*.
  [[nodiscard]] bool begin_passing(base::Buffer& out, std::uint64_t count) noexcept;
  // They have all gone out.
  void end_passing(base::Buffer& out) noexcept;
  // What has been written of the body while the framing is undecided; empty otherwise.
  [[nodiscard]] std::string_view undecided_body(const base::Buffer& out) const noexcept;
  // Makes everything written so far sendable: ends the open chunk.
  void close_chunk(base::Buffer& out) noexcept;
  // Ends a chunked body and adds a trailer field; dropped in other framings.
  [[nodiscard]] bool add_trailer(base::Buffer& out, std::string_view name, std::string_view value) noexcept;

  // How much of out.data() may be sent now.
  [[nodiscard]] std::size_t sendable(const base::Buffer& out) const noexcept;
  // Body bytes taken so far, and what a sized body still lacks.
  [[nodiscard]] std::uint64_t body_written() const noexcept { return body_written_; }
  [[nodiscard]] std::uint64_t body_missing() const noexcept { return body_size_ - body_written_; }
  // Moves everything in the buffer to its front so that there is more room.
  void compact(base::Buffer& out) noexcept;
  // Takes an unfinished message out of the buffer again. False if part of it has been sent or framed.
  [[nodiscard]] bool discard(base::Buffer& out) noexcept;
  // After complete: ready for the next message.
  void release() noexcept { enter(State::idle); }

 private:
  void enter(State state) noexcept;
  template <typename Put>
  [[nodiscard]] bool seal(base::Buffer& out, std::size_t reserve, Put&& put) noexcept;
  [[nodiscard]] static char* end_of(base::Buffer& out) noexcept { return out.room().data(); }
  void open_chunk(base::Buffer& out) noexcept;

  char* message_at_ = nullptr;  // first byte of the start line
  char* fields_at_ = nullptr;   // behind the start text
  char* fields_end_ = nullptr;  // behind the last field line
  char* body_at_ = nullptr;  // undecided: first body byte, behind the gap. Chunked: first byte of the open chunk's data
  std::uint64_t body_written_ = 0;
  std::uint64_t body_size_ = 0;  // declared, in body_sized
  State state_ = State::idle;
  bool chunk_open_ = false;
};

}  // namespace pollux::wire
