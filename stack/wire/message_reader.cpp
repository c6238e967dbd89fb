#include "stack/wire/message_reader.hpp"

#include <array>
#include <cstring>
#include <initializer_list>

#include "port/ensure.hpp"
#include "stack/wire/scan.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {
namespace {

using State = MessageReader::State;

constexpr std::size_t state_count = static_cast<std::size_t>(State::failed) + 1;

constexpr std::uint8_t to(std::initializer_list<State> states) {
  unsigned bits = 0;
  for (const State state : states) {
    bits |= 1U << static_cast<unsigned>(state);
  }
  return static_cast<std::uint8_t>(bits);
}

// Where each state may lead; the drawing in README.md.
constexpr std::array<std::uint8_t, state_count> transitions = {
    to({State::head}),  // idle: start()
    to({State::head, State::body_sized, State::body_chunked, State::body_until_close, State::complete, State::failed}),
    to({State::complete, State::failed}),  // body_sized
    to({State::complete, State::failed}),  // body_chunked
    to({State::complete}),                 // body_until_close
    to({State::idle}),                     // complete: release()
    to({State::head}),                     // failed: start()
};

constexpr bool is_cr_or_lf(char c) noexcept {
  return c == '\r' || c == '\n';
}

// Puts blanks in the place of line ends behind which a field line goes on (RFC 9112 section 5.2: a user agent must do so in a response; a
// server refuses them). True if there was one in the head at the front of `data`, which is what `in` begins with. A line
// that begins with a blank directly behind the start line continues nothing and stays.
[[nodiscard]] bool unfold(const base::Buffer& in, std::string_view data) noexcept {
  std::size_t scanned = 0;
  const std::size_t size = find_head_end(data, scanned);
  const std::span<char> head = in.mutable_data().first(size);
  bool is_changed = false;
  bool is_field = false;
  for (std::size_t i = 0; i + 1 < head.size(); ++i) {
    if (head[i] != '\n') {
      continue;
    }
    if (is_field && base::is_blank(head[i + 1])) {
      head[i] = ' ';
      if (head[i - 1] == '\r') {
        head[i - 1] = ' ';
      }
      is_changed = true;
    }
    is_field = true;
  }
  return is_changed;
}

}  // namespace

MessageReader::MessageReader(Kind kind, std::span<Field> table, std::size_t head_size_max) noexcept
    : table_{table}, head_size_max_{head_size_max}, kind_{kind} {
  ENSURE(head_size_max <= head_size_limit);
}

void MessageReader::enter(State state) noexcept {
  ENSURE((transitions[static_cast<std::size_t>(state_)] >> static_cast<unsigned>(state) & 1) != 0);
  state_ = state;
}

void MessageReader::start(Method request_method) noexcept {
  enter(State::head);
  request_method_ = request_method;
  error_ = ReadError::none;
  head_error_ = HeadError::none;
  framing_ = {};
  trailers_ = {};
  chunked_ = {};
  scanned_ = 0;
  head_size_ = 0;
  fixed_size_ = 0;
  reserved_in_front_ = 0;
  ready_at_ = 0;
  ready_end_ = 0;
  raw_at_ = 0;
  body_received_ = 0;
  crlf_skipped_ = 0;
}

ReadEvent MessageReader::advance(base::Buffer& in) noexcept {
  switch (state_) {
    case State::idle:
      return ReadEvent::need_more;
    case State::head:
      return advance_head(in);
    case State::body_sized:
    case State::body_until_close:
      return advance_plain(in);
    case State::body_chunked:
      return advance_chunked(in);
    case State::complete:
      return ReadEvent::complete;
    case State::failed:
      return ReadEvent::failed;
  }
  return ReadEvent::failed;
}

ReadEvent MessageReader::input_ended(base::Buffer& in) noexcept {
  const ReadEvent event = advance(in);
  if (event != ReadEvent::need_more && event != ReadEvent::body) {
    return event;
  }
  switch (state_) {
    case State::idle:
      return ReadEvent::need_more;
    case State::head:
      return in.is_empty() ? ReadEvent::need_more : fail(ReadError::ended_early);
    case State::body_sized:
    case State::body_chunked:
      return fail(ReadError::ended_early);
    case State::body_until_close:
      enter(State::complete);
      return ReadEvent::complete;
    case State::complete:
    case State::failed:
      return event;
  }
  return event;
}

// Drops the CR and LF bytes that may stand before a request line, as far as `leading_crlf` lets them.
void MessageReader::skip_leading_crlf(base::Buffer& in) noexcept {
  const bool may_skip = kind_ == Kind::request && (leading_crlf == LeadingCrlf::always ||
                                                   (leading_crlf == LeadingCrlf::after_body && follows_body_));
  while (may_skip && crlf_skipped_ < leading_crlf_size_max && !in.is_empty() && is_cr_or_lf(in.data().front())) {
    in.consume(1);
    ++crlf_skipped_;
  }
}

ReadEvent MessageReader::advance_head(base::Buffer& in) noexcept {
  if (scanned_ == 0) {
    skip_leading_crlf(in);
    if (in.is_empty()) {
      return ReadEvent::need_more;
    }
    // A TLS hello or other noise is answered at its first byte, not when the deadline for the head has passed.
    const char first = in.data().front();
    if (kind_ == Kind::request ? !scan::is_token_byte(first) : first != 'H') {
      return fail_head(HeadError::start_line);
    }
  }
  // Only what may be a head is looked at, so that the outcome does not depend on how much else has come.
  const std::size_t limit = in.size() < head_size_max_ ? in.size() : head_size_max_;
  std::string_view data = slice(in.data(), 0, limit);
  if (!ends_with_empty_line(data)) {
    const std::size_t size = find_head_end(data, scanned_);
    if (size == 0) {
      return wait_for_head(in);
    }
    data = slice(data, 0, size);
  }
  return take_head(in, data);
}

// The head is not whole. Where the buffer is full, bytes of earlier messages in front of it are given up.
ReadEvent MessageReader::wait_for_head(base::Buffer& in) noexcept {
  if (in.size() >= head_size_max_ || (in.room().empty() && in.gone() == 0)) {
    return fail_head(HeadError::too_large);
  }
  if (in.room().empty()) {
    in.compact();
  }
  return ReadEvent::need_more;
}

HeadError MessageReader::parse_head(std::string_view data) noexcept {
  return kind_ == Kind::request ? parse_first_request_head(data, table_, request_, head_size_)
                                : parse_first_response_head(data, table_, response_, head_size_);
}

// A head is there, at the front of `data`: parses it, decides the framing, and makes sure that what the message may
// still need fits behind it.
ReadEvent MessageReader::take_head(base::Buffer& in, std::string_view data) noexcept {
  HeadError error = parse_head(data);
  if (error == HeadError::field_syntax && kind_ == Kind::response && unfold(in, data)) {
    error = parse_head(data);
  }
  if (error == HeadError::none && kind_ == Kind::request) {
    error = check_host(request_);
  }
  if (error != HeadError::none) {
    return fail_head(error);
  }
  const auto framing =
      kind_ == Kind::request ? request_framing(request_) : response_framing(request_method_, response_);
  if (!framing) {
    framing_error_ = framing.error();
    return fail(ReadError::framing);
  }
  framing_ = *framing;
  if (is_cramped(in)) {
    in.compact();
    error = parse_head(slice(in.data(), 0, head_size_));  // the same bytes elsewhere; nobody has a view of them yet
    ENSURE(error == HeadError::none);
  }
  fixed_size_ = ready_at_ = ready_end_ = raw_at_ = head_size_;
  switch (framing_.kind) {
    case BodyKind::none:
      enter(State::complete);
      break;
    case BodyKind::sized:
      enter(framing_.size == 0 ? State::complete : State::body_sized);
      break;
    case BodyKind::chunked:
      enter(State::body_chunked);
      break;
    case BodyKind::until_close:
      enter(State::body_until_close);
      break;
  }
  return ReadEvent::head;
}

// True if earlier messages left bytes in front of this one and the memory behind it may not do: for the rest of the
// body, or for as much as the head's size in reserve(). Moving then makes the outcome independent of what was pipelined
// before.
bool MessageReader::is_cramped(const base::Buffer& in) const noexcept {
  if (in.gone() == 0) {
    return false;
  }
  const std::size_t behind = in.size() - head_size_;
  std::uint64_t missing = 0;
  switch (framing_.kind) {
    case BodyKind::none:
      break;
    case BodyKind::sized:
      missing = framing_.size > behind ? framing_.size - behind : 0;
      break;
    case BodyKind::chunked:
    case BodyKind::until_close:
      return true;
  }
  const std::size_t to_reserve = in.gone() >= head_size_ ? 0 : head_size_;
  return missing + to_reserve > in.room().size();  // no overflow: a size is below 2^63
}

ReadEvent MessageReader::advance_plain(base::Buffer& in) noexcept {
  const std::size_t available = in.size() - raw_at_;
  const std::uint64_t wanted = body_remaining();
  const std::size_t count = wanted < available ? static_cast<std::size_t>(wanted) : available;
  raw_at_ += count;
  ready_end_ += count;
  body_received_ += count;
  if (body_remaining() == 0) {
    enter(State::complete);
    return ReadEvent::complete;
  }
  return count != 0 ? ReadEvent::body : ReadEvent::need_more;
}

ReadEvent MessageReader::advance_chunked(base::Buffer& in) noexcept {
  const std::span<char> data = in.mutable_data();
  std::size_t written = 0;
  if (!chunked_.is_at_trailer()) {
    const auto outcome = chunked_.decode(data.subspan(raw_at_), data.data() + ready_end_);
    written = outcome.written;
    raw_at_ += outcome.read;
    ready_end_ += written;
    body_received_ += written;
    if (outcome.event == ChunkedDecoder::Event::failed) {
      return fail(ReadError::chunk);
    }
    scanned_ = 0;  // of the trailer section from here on
  }
  if (chunked_.is_at_trailer()) {
    const ReadEvent event = advance_trailer(in);
    if (event != ReadEvent::need_more) {
      return event;
    }
  }
  return written != 0 ? ReadEvent::body : ReadEvent::need_more;
}

ReadEvent MessageReader::advance_trailer(base::Buffer& in) noexcept {
  const std::size_t available = in.size() - raw_at_;
  const std::size_t limit = available < trailer_size_max ? available : trailer_size_max;
  const std::string_view section = slice(in.data(), raw_at_, raw_at_ + limit);
  const std::size_t size = find_head_end(section, scanned_);
  if (size == 0) {
    const bool is_stuck = in.room().empty() && raw_at_ == fixed_size_;  // make_room() would win nothing
    return limit == trailer_size_max || is_stuck ? fail(ReadError::trailer) : ReadEvent::need_more;
  }
  const std::size_t head_fields = kind_ == Kind::request ? request_.fields.size() : response_.fields.size();
  head_error_ = parse_trailer_section(slice(section, 0, size), table_.subspan(head_fields), trailers_);
  if (head_error_ != HeadError::none) {
    return fail(ReadError::trailer);
  }
  raw_at_ += size;
  enter(State::complete);
  return ReadEvent::complete;
}

ReadEvent MessageReader::fail(ReadError error) noexcept {
  enter(State::failed);
  error_ = error;
  return ReadEvent::failed;
}

ReadEvent MessageReader::fail_head(HeadError error) noexcept {
  head_error_ = error;
  return fail(ReadError::head);
}

std::string_view MessageReader::body(const base::Buffer& in) const noexcept {
  return slice(in.data(), ready_at_, ready_end_);
}

void MessageReader::consume_body(std::size_t count) noexcept {
  ENSURE(count <= ready_end_ - ready_at_);
  ready_at_ += count;
}

std::uint64_t MessageReader::body_remaining() const noexcept {
  if (state_ == State::complete) {
    return 0;
  }
  return framing_.kind == BodyKind::sized ? framing_.size - body_received_ : UINT64_MAX;
}

void MessageReader::make_room(base::Buffer& in) noexcept {
  switch (state_) {
    case State::idle:
    case State::head:
      in.compact();  // nobody has a view of a head that is not whole
      return;
    case State::failed:
      return;
    case State::body_sized:
    case State::body_chunked:
    case State::body_until_close:
    case State::complete:
      break;
  }
  const std::size_t ready_size = ready_end_ - ready_at_;
  const std::size_t raw_size = in.size() - raw_at_;
  const std::size_t won = raw_at_ - fixed_size_ - ready_size;
  if (won == 0) {
    return;
  }
  char* const data = in.mutable_data().data();
  std::memmove(data + fixed_size_, data + ready_at_, ready_size);
  std::memmove(data + fixed_size_ + ready_size, data + raw_at_, raw_size);
  in.unproduce(won);
  ready_at_ = fixed_size_;
  ready_end_ = raw_at_ = fixed_size_ + ready_size;
  trailers_ = {};
}

std::span<char> MessageReader::reserve(base::Buffer& in, std::size_t size) noexcept {
  ENSURE(head_size_ != 0);
  ENSURE(raw_at_ == fixed_size_);
  ENSURE(body_received_ == 0);
  // In front of the head lie the bytes of earlier messages. They are free as long as nothing is compacted, and using
  // them moves nothing.
  if (size <= in.gone() - reserved_in_front_) {
    char* const memory = in.mutable_data().data() - in.gone() + reserved_in_front_;
    reserved_in_front_ += size;
    return {memory, size};
  }
  if (size > in.room().size()) {
    return {};
  }
  const std::size_t behind = in.size() - fixed_size_;
  in.produced(size);
  char* const memory = in.mutable_data().data() + fixed_size_;
  std::memmove(memory + size, memory, behind);
  fixed_size_ += size;
  ready_at_ = ready_end_ = raw_at_ = fixed_size_;
  return {memory, size};
}

void MessageReader::release(base::Buffer& in) noexcept {
  enter(State::idle);
  follows_body_ = framing_.kind != BodyKind::none;
  in.consume(raw_at_);
  ready_at_ = ready_end_ = raw_at_ = fixed_size_ = head_size_ = 0;
}

}  // namespace pollux::wire
