// MessageReader: turns bytes in a Buffer into one message after the other. It never touches a socket.
//
//   idle -> head -> body_sized | body_chunked | body_until_close -> complete -> idle ...
//              \------------- no body ----------------------------^
//           head, body_sized, body_chunked -> failed -> head
//
// The buffer's data begins with the first byte of the message and belongs to the reader until release(). A head is
// parsed once, when it is whole. Body bytes are decoded in place (chunk lines are squeezed out) and stay contiguous:
//
//   [ head | reserved | consumed body | body() ready to use | squeezed-out gap | raw, not yet decoded | room ]
//
// A body can be taken piece by piece (body(), consume_body(), make_room()) or be left to collect until it is complete,
// as far as the buffer reaches. After `complete` the bytes behind the message stay in the buffer: the next, pipelined,
// message.
//
//   reader.start();
//   for (;;) {
//     switch (reader.advance(in)) {
//       case ReadEvent::need_more: return;                     // recv into in.room(), then advance again
//       case ReadEvent::head: use(reader.request()); break;    // once per message
//       case ReadEvent::body: take(reader.body(in)); reader.consume_body(n); break;
//       case ReadEvent::complete: ...; reader.release(in); return;
//       case ReadEvent::failed: answer(reader.error()); return;
//     }
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "stack/base/buffer.hpp"
#include "stack/wire/chunked.hpp"
#include "stack/wire/framing.hpp"
#include "stack/wire/head.hpp"

namespace pollux::wire {

// An empty line before a request line (RFC 9112 section 2.2: a server SHOULD ignore at least one). Old clients send a
// CRLF behind a body that its Content-Length does not count, and that is the only place where net/http and pollux
// forgive it: elsewhere a stray line end means that we and the peer disagree on where a message ended. `always` is what
// the RFC suggests.
enum class LeadingCrlf : std::uint8_t { never, after_body, always };
inline constexpr LeadingCrlf leading_crlf = LeadingCrlf::after_body;
inline constexpr std::size_t leading_crlf_size_max = 4;  // bytes of CR and LF that are skipped before one request line

// The largest trailer section, its empty line included (net/http: it has to fit the 4 KiB read buffer).
inline constexpr std::size_t trailer_size_max = 4096;

enum class ReadEvent : std::uint8_t {
  need_more,  // nothing (more) can be done with what is in the buffer
  head,       // the head has just become whole: request() or response(), framing() are valid. Reported once.
  body,       // body() has grown. Reported whenever advance() decoded at least one byte and the message is not complete
  complete,   // the message is complete; body() may hold bytes not consumed. Reported again by each further advance()
  failed,     // error() tells; sticky until start()
};

enum class ReadError : std::uint8_t {
  none,
  head,         // head_error() tells
  framing,      // framing_error() tells
  chunk,        // a chunk-size line, its overhead, or the end of a chunk is not as RFC 9112 section 7.1 asks
  trailer,      // a malformed trailer section, or one that does not fit
  ended_early,  // the peer finished inside the message
};

class MessageReader {
 public:
  enum class Kind : std::uint8_t { request, response };
  enum class State : std::uint8_t { idle, head, body_sized, body_chunked, body_until_close, complete, failed };

  constexpr MessageReader() = default;
  // `table` holds the fields of the head and, behind them, those of the trailer section; `head_size_max` bytes, at most
  // head_size_limit, is the limit of a head, start line and empty line included (a longer one, or one that does not fit
  // into the buffer, is HeadError::too_large). A new reader for each connection: it remembers whether the last request
  // had a body.
  MessageReader(Kind kind, std::span<Field> table, std::size_t head_size_max) noexcept;

  // Ready for the next message; `data()` of the buffer begins with it. A response reader is told which method it
  // answers. Allowed when idle, when failed, and again as long as no head was reported.
  void start(Method request_method = Method::get) noexcept;

  // Of a connection that had another reader before: its last message had a body (see leading_crlf).
  void set_follows_body(bool follows_body) noexcept { follows_body_ = follows_body; }

  // Looks at what is in the buffer. Does one step: call it until it says need_more, complete or failed. Requests are
  // held to check_host() too. Until the head is reported it may move the buffer's data to the front, and only then.
  // need_more with a full buffer: make_room() first; if in.room() is still empty, the body does not fit (a server
  // answers 413).
  [[nodiscard]] ReadEvent advance(base::Buffer& in) noexcept;
  // The peer finished sending: a body_until_close is complete, anything inside a message fails with ended_early, and
  // between messages (no byte of the next one came) it says need_more. What is still in the buffer counts: it may say
  // `head` (call it again when advance() says need_more) or `complete`.
  [[nodiscard]] ReadEvent input_ended(base::Buffer& in) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const RequestHead& request() const noexcept { return request_; }
  [[nodiscard]] const ResponseHead& response() const noexcept { return response_; }
  [[nodiscard]] const Framing& framing() const noexcept { return framing_; }
  [[nodiscard]] std::size_t head_size() const noexcept { return head_size_; }
  [[nodiscard]] ReadError error() const noexcept { return error_; }
  [[nodiscard]] HeadError head_error() const noexcept { return head_error_; }
  [[nodiscard]] FramingError framing_error() const noexcept { return framing_error_; }

  // Decoded body bytes that were not consumed yet; a view into the buffer, valid until advance() or make_room().
  [[nodiscard]] std::string_view body(const base::Buffer& in) const noexcept;
  void consume_body(std::size_t count) noexcept;
  // Decoded body bytes so far, consumed or not.
  [[nodiscard]] std::uint64_t body_received() const noexcept { return body_received_; }
  // What is still to come of a sized body and was not yet decoded; 0 when complete; unknown (UINT64_MAX) otherwise.
  [[nodiscard]] std::uint64_t body_remaining() const noexcept;
  // Fields behind a chunked body, valid from complete to release() as long as make_room() is not called.
  [[nodiscard]] const Fields& trailers() const noexcept { return trailers_; }

  // Moves body bytes down over what was consumed and squeezed out, so that in.room() is as large as it can be. Views
  // from body() and trailers() are dead afterwards; a head that was reported stays where it is. While the head is not
  // whole, the buffer's data moves to the front.
  void make_room(base::Buffer& in) noexcept;
  // `size` bytes of memory in the buffer that live as long as the head (used for a decoded path): what earlier messages
  // left in front of the head, or opened directly behind it. Only between ReadEvent::head and the first advance() after
  // it, and never after compacting the buffer. Empty span if the buffer has no room: that can only be when less than
  // `size` bytes are free in all, or `size` is more than head_size(). Pipelined bytes take room too, so a caller that
  // must not fail here keeps some free.
  [[nodiscard]] std::span<char> reserve(base::Buffer& in, std::size_t size) noexcept;

  // Drops the complete message (head, reserved bytes, body) from the buffer; the state is idle. What follows it stays.
  void release(base::Buffer& in) noexcept;

  // True while nothing of a message is in the buffer: state idle or head, and no byte of a head has come.
  [[nodiscard]] bool is_between_messages(const base::Buffer& in) const noexcept {
    return (state_ == State::idle || state_ == State::head) && in.is_empty();
  }

 private:
  void enter(State state) noexcept;
  void skip_leading_crlf(base::Buffer& in) noexcept;
  ReadEvent advance_head(base::Buffer& in) noexcept;
  ReadEvent wait_for_head(base::Buffer& in) noexcept;
  HeadError parse_head(std::string_view data) noexcept;
  ReadEvent take_head(base::Buffer& in, std::string_view data) noexcept;
  bool is_cramped(const base::Buffer& in) const noexcept;
  ReadEvent advance_plain(base::Buffer& in) noexcept;
  ReadEvent advance_chunked(base::Buffer& in) noexcept;
  ReadEvent advance_trailer(base::Buffer& in) noexcept;
  ReadEvent fail(ReadError error) noexcept;
  ReadEvent fail_head(HeadError error) noexcept;

  std::span<Field> table_{};
  std::size_t head_size_max_ = 0;
  Kind kind_ = Kind::request;
  State state_ = State::idle;
  ReadError error_ = ReadError::none;
  HeadError head_error_ = HeadError::none;
  FramingError framing_error_{};
  Method request_method_ = Method::get;
  bool follows_body_ = false;      // the message released last had a body
  std::uint8_t crlf_skipped_ = 0;  // bytes, before this request line

  RequestHead request_{};
  ResponseHead response_{};
  Framing framing_{};
  Fields trailers_{};
  ChunkedDecoder chunked_{};

  // Offsets from the first byte of in.data().
  std::size_t scanned_ = 0;            // how far find_head_end() looked (in a trailer section: from raw_at_)
  std::size_t head_size_ = 0;          // end of the head
  std::size_t fixed_size_ = 0;         // head and reserved bytes: what make_room() does not touch
  std::size_t reserved_in_front_ = 0;  // bytes of in.gone() that reserve() gave away
  std::size_t ready_at_ = 0;           // first byte of body()
  std::size_t ready_end_ = 0;          // behind the last byte of body()
  std::size_t raw_at_ = 0;             // first byte not yet decoded; >= ready_end_
  std::uint64_t body_received_ = 0;
};

}  // namespace pollux::wire
