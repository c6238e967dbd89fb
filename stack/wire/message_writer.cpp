#include "stack/wire/message_writer.hpp"

#include <array>
#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::wire {

namespace {

using State = MessageWriter::State;

// Room kept between head and body for what is only known later: Content-Type (64), Content-Length or Transfer-Encoding (38),
// Connection (24), the empty line and a chunk-size line (8).
constexpr std::size_t gap_size = 136;
// A chunk-size line as it is reserved: four digits, enough for a buffer of 65,535 bytes.
constexpr std::size_t chunk_line_size = 6;
// Room kept behind the data so that a chunk and a chunked body can always be ended: "\r\n" and "0\r\n\r\n".
constexpr std::size_t chunk_tail_size = 7;

constexpr unsigned bit(State state) {
  return 1U << static_cast<unsigned>(state);
}

// Which states may follow each state.
constexpr std::array<unsigned, 9> allowed{
    /* idle */ bit(State::head) | bit(State::idle),
    /* head */ bit(State::undecided) | bit(State::body_sized) | bit(State::body_chunked) |
        bit(State::body_until_close) | bit(State::body_none) | bit(State::complete) | bit(State::idle),
    /* undecided */ bit(State::body_chunked) | bit(State::body_until_close) | bit(State::body_none) |
        bit(State::complete) | bit(State::idle),
    /* body_sized */ bit(State::complete) | bit(State::idle),
    /* body_chunked */ bit(State::trailers) | bit(State::complete) | bit(State::idle),
    /* body_until_close */ bit(State::complete) | bit(State::idle),
    /* body_none */ bit(State::complete) | bit(State::idle),
    /* trailers */ bit(State::complete) | bit(State::idle),
    /* complete */ bit(State::idle),
};

bool line_has_name(const char* line, const char* end, std::string_view name) noexcept {
  return static_cast<std::size_t>(end - line) > name.size() && line[name.size()] == ':' &&
         base::equal_ignoring_case({line, name.size()}, name);
}

const char* line_end(const char* line, const char* end) noexcept {
  const void* newline = std::memchr(line, '\n', static_cast<std::size_t>(end - line));
  return newline ? static_cast<const char*>(newline) + 1 : end;
}

void put_fields(base::TextWriter& lines, const MessageWriter::Framing& framing) noexcept {
  if (!framing.content_type.empty()) {
    lines.put("Content-Type: ").put(framing.content_type).put("\r\n");
  }
  if (!framing.connection.empty()) {
    lines.put("Connection: ").put(framing.connection).put("\r\n");
  }
}

}  // namespace

void MessageWriter::enter(State state) noexcept {
  ENSURE((allowed[static_cast<unsigned>(state_)] & bit(state)) != 0);
  state_ = state;
}

bool MessageWriter::start(base::Buffer& out, std::string_view start) noexcept {
  ENSURE(state_ == State::idle);
  if (out.room().size() < start.size() + gap_size + chunk_tail_size) {
    return false;
  }
  message_at_ = end_of(out);
  out.append(start);
  fields_at_ = fields_end_ = end_of(out);
  body_at_ = nullptr;
  body_written_ = body_size_ = 0;
  chunk_open_ = false;
  enter(State::head);
  return true;
}

bool MessageWriter::replace_start(base::Buffer& out, std::string_view start) noexcept {
  ENSURE(state_ == State::head);
  const auto old_size = static_cast<std::size_t>(fields_at_ - message_at_);
  if (start.size() > old_size && start.size() - old_size + gap_size + chunk_tail_size > out.room().size()) {
    return false;
  }
  std::memmove(message_at_ + start.size(), fields_at_, static_cast<std::size_t>(fields_end_ - fields_at_));
  std::memcpy(message_at_, start.data(), start.size());
  if (start.size() > old_size) {
    out.produced(start.size() - old_size);
  } else {
    out.unproduce(old_size - start.size());
  }
  fields_end_ = message_at_ + start.size() + (fields_end_ - fields_at_);
  fields_at_ = message_at_ + start.size();
  return true;
}

bool MessageWriter::add(base::Buffer& out, std::string_view name, std::string_view value) noexcept {
  ENSURE(state_ == State::head);
  const std::size_t size = name.size() + value.size() + 4;
  if (out.room().size() < size + gap_size + chunk_tail_size) {
    return false;
  }
  char* to = end_of(out);
  std::memcpy(to, name.data(), name.size());
  to += name.size();
  *to++ = ':';
  *to++ = ' ';
  if (!value.empty()) {
    std::memcpy(to, value.data(), value.size());
    to += value.size();
  }
  *to++ = '\r';
  *to++ = '\n';
  out.produced(size);
  fields_end_ = to;
  return true;
}

void MessageWriter::remove(base::Buffer& out, std::string_view name) noexcept {
  ENSURE(state_ == State::head);
  for (char* line = fields_at_; line != fields_end_;) {
    char* following = line + (line_end(line, fields_end_) - line);
    if (line_has_name(line, fields_end_, name)) {
      std::memmove(line, following, static_cast<std::size_t>(fields_end_ - following));
      out.unproduce(static_cast<std::size_t>(following - line));
      fields_end_ -= following - line;
    } else {
      line = following;
    }
  }
}

std::string_view MessageWriter::find(std::string_view name) const noexcept {
  for (const char* line = fields_at_; line != fields_end_;) {
    const char* following = line_end(line, fields_end_);
    if (line_has_name(line, fields_end_, name)) {
      return base::trim({line + name.size() + 1, static_cast<std::size_t>(following - line) - name.size() - 3});
    }
    line = following;
  }
  return {};
}

bool MessageWriter::insert_interim(base::Buffer& out, std::string_view start_line, bool with_fields) noexcept {
  ENSURE(state_ == State::head || state_ == State::idle);
  if (state_ == State::idle) {
    if (out.room().size() < start_line.size() + 2) {
      return false;
    }
    out.append(start_line);
    out.append("\r\n");
    return true;
  }
  const std::size_t fields_size = with_fields ? static_cast<std::size_t>(fields_end_ - fields_at_) : 0;
  const std::size_t size = start_line.size() + fields_size + 2;
  if (out.room().size() < size + gap_size + chunk_tail_size) {
    return false;
  }
  std::memmove(message_at_ + size, message_at_, static_cast<std::size_t>(fields_end_ - message_at_));
  out.produced(size);
  char* to = message_at_;
  message_at_ += size;
  fields_at_ += size;
  fields_end_ += size;
  std::memcpy(to, start_line.data(), start_line.size());
  std::memcpy(to + start_line.size(), fields_at_, fields_size);
  std::memcpy(to + size - 2, "\r\n", 2);
  return true;
}

std::size_t MessageWriter::body_room(const base::Buffer& out) const noexcept {
  const std::size_t room = out.room().size();
  std::size_t kept = chunk_tail_size;
  switch (state_) {
    case State::head:
      kept += gap_size;
      break;
    case State::body_chunked:
      kept += chunk_open_ ? 0 : chunk_line_size;
      break;
    case State::body_none:
      return SIZE_MAX;
    case State::idle:
    case State::trailers:
    case State::complete:
      return 0;
    case State::undecided:
    case State::body_sized:
    case State::body_until_close:
      break;
  }
  const std::size_t usable = room > kept ? room - kept : 0;
  if (state_ == State::body_sized) {
    return body_missing() < usable ? static_cast<std::size_t>(body_missing()) : usable;
  }
  return usable;
}

// Writes the last field lines behind the head, by `put`, and moves the body that is there against them, leaving `reserve` bytes
// between. They are written in place: before a body into the room, and behind one into the gap it left.
template <typename Put>
bool MessageWriter::seal(base::Buffer& out, std::size_t reserve, Put&& put) noexcept {
  ENSURE(state_ == State::head || state_ == State::undecided);
  const bool has_body = state_ == State::undecided;
  if (!has_body && out.room().size() < gap_size + chunk_tail_size) {
    return false;
  }
  base::TextWriter lines{{fields_end_, gap_size}};
  put(lines);
  lines.put("\r\n");
  ENSURE(!lines.overflowed());
  ENSURE(lines.size() + reserve <= gap_size);
  char* target = fields_end_ + lines.size() + reserve;
  if (has_body) {
    std::memmove(target, body_at_, static_cast<std::size_t>(end_of(out) - body_at_));
    out.unproduce(static_cast<std::size_t>(body_at_ - target));
  } else {
    out.produced(lines.size() + reserve);
  }
  body_at_ = target;
  return true;
}

bool MessageWriter::decide_sized(base::Buffer& out, std::uint64_t size, const Framing& framing) noexcept {
  ENSURE(state_ == State::head);
  if (!seal(out, 0, [&](base::TextWriter& lines) {
        put_fields(lines, framing);
        if (!framing.omit_length) {
          lines.put("Content-Length: ").put_decimal(size).put("\r\n");
        }
      })) {
    return false;
  }
  body_size_ = size;
  enter(framing.no_body ? State::body_none : State::body_sized);
  return true;
}

bool MessageWriter::decide_streamed(base::Buffer& out, const Framing& framing) noexcept {
  ENSURE(state_ == State::head || state_ == State::undecided);
  const bool chunked = framing.chunked_allowed && !framing.no_body;
  const bool has_body = state_ == State::undecided;
  if (!seal(out, chunked && has_body ? chunk_line_size : 0, [&](base::TextWriter& lines) {
        put_fields(lines, framing);
        if (chunked) {
          lines.put("Transfer-Encoding: chunked\r\n");
        }
      })) {
    return false;
  }
  if (framing.no_body) {
    if (has_body) {
      out.unproduce(static_cast<std::size_t>(end_of(out) - body_at_));
    }
    enter(State::body_none);
  } else {
    enter(chunked ? State::body_chunked : State::body_until_close);
    chunk_open_ = chunked && has_body;
  }
  return true;
}

bool MessageWriter::finish(base::Buffer& out, const Framing& framing) noexcept {
  switch (state_) {
    case State::head:
    case State::undecided: {
      const bool has_body = state_ == State::undecided;
      if (!seal(out, 0, [&](base::TextWriter& lines) {
            put_fields(lines, framing);
            if (!framing.omit_length) {
              lines.put("Content-Length: ").put_decimal(body_written_).put("\r\n");
            }
          })) {
        return false;
      }
      if (framing.no_body && has_body) {
        out.unproduce(static_cast<std::size_t>(end_of(out) - body_at_));
      }
      break;
    }
    case State::body_sized:
      if (body_missing() != 0) {
        return false;
      }
      break;
    case State::body_chunked:
      close_chunk(out);
      out.append("0\r\n\r\n");
      break;
    case State::trailers:
      out.append("\r\n");
      break;
    case State::body_until_close:
    case State::body_none:
      break;
    case State::idle:
    case State::complete:
      ENSURE(state_ != State::idle);
      return true;
  }
  enter(State::complete);
  return true;
}

bool MessageWriter::write_whole(base::Buffer& out, std::string_view start, std::string_view content_type,
                                std::string_view connection, std::string_view body) noexcept {
  ENSURE(state_ == State::idle);
  const std::size_t room = out.room().size();
  const std::size_t head = start.size() + content_type.size() + connection.size() + gap_size;
  if (room < head || room - head < body.size() + chunk_tail_size) {
    return false;
  }
  char* const first = end_of(out);
  char* to = first;
  const auto put = [&to](std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    to += text.size();
  };
  put(start);
  put("Content-Type: ");
  put(content_type);
  if (!connection.empty()) {
    put("\r\nConnection: ");
    put(connection);
  }
  put("\r\nContent-Length: ");
  put(base::Decimal{body.size()}.view());
  put("\r\n\r\n");
  if (!body.empty()) {
    put(body);
  }
  out.produced(static_cast<std::size_t>(to - first));
  message_at_ = first;
  fields_at_ = fields_end_ = first + start.size();
  body_at_ = nullptr;
  body_written_ = body_size_ = body.size();
  chunk_open_ = false;
  enter(State::head);
  enter(State::body_sized);
  return true;
}

std::size_t MessageWriter::write(base::Buffer& out, std::string_view text) noexcept {
  if (state_ == State::body_none) {
    body_written_ += text.size();
    return text.size();
  }
  const std::span<char> to = space(out);
  const std::size_t count = text.size() < to.size() ? text.size() : to.size();
  if (count != 0) {
    std::memcpy(to.data(), text.data(), count);
    produced(out, count);
  }
  return count;
}

std::span<char> MessageWriter::space(base::Buffer& out) noexcept {
  const std::size_t room = body_room(out);
  if (room == 0 || state_ == State::body_none) {
    return {};
  }
  if (state_ == State::head) {
    out.produced(gap_size);
    body_at_ = end_of(out);
    enter(State::undecided);
  } else if (state_ == State::body_chunked && !chunk_open_) {
    open_chunk(out);
  }
  return out.room().first(room);
}

void MessageWriter::produced(base::Buffer& out, std::size_t count) noexcept {
  out.produced(count);
  body_written_ += count;
}

bool MessageWriter::begin_passing(base::Buffer& out, std::uint64_t count) noexcept {
  ENSURE(is_framed() && state_ < State::trailers);
  if (state_ == State::body_chunked) {
    close_chunk(out);
    std::array<char, 20> memory;
    base::TextWriter line{memory};
    line.put_hex(count).put("\r\n");
    if (out.room().size() < line.size() + chunk_tail_size) {
      return false;
    }
    out.append(line.view());
  }
  if (state_ == State::body_sized) {
    ENSURE(count <= body_missing());
  }
  body_written_ += count;
  return true;
}

void MessageWriter::end_passing(base::Buffer& out) noexcept {
  if (state_ == State::body_chunked) {
    out.append("\r\n");
  }
}

std::string_view MessageWriter::undecided_body(const base::Buffer& out) const noexcept {
  if (state_ != State::undecided) {
    return {};
  }
  return {body_at_, static_cast<std::size_t>(out.room().data() - body_at_)};
}

void MessageWriter::open_chunk(base::Buffer& out) noexcept {
  out.produced(chunk_line_size);
  body_at_ = end_of(out);
  chunk_open_ = true;
}

// The size line is written now that the size is known. It was reserved with four digits; data behind a shorter one moves up.
void MessageWriter::close_chunk(base::Buffer& out) noexcept {
  if (state_ != State::body_chunked || !chunk_open_) {
    return;
  }
  chunk_open_ = false;
  const auto size = static_cast<std::size_t>(end_of(out) - body_at_);
  if (size == 0) {
    out.unproduce(chunk_line_size);
    return;
  }
  std::array<char, chunk_line_size> memory;
  base::TextWriter line{memory};
  line.put_hex(size).put("\r\n");
  ENSURE(!line.overflowed());
  const std::size_t slack = chunk_line_size - line.size();
  char* line_at = body_at_ - chunk_line_size;
  std::memcpy(line_at, line.view().data(), line.size());
  if (slack != 0) {
    std::memmove(line_at + line.size(), body_at_, size);
    out.unproduce(slack);
  }
  out.append("\r\n");
}

bool MessageWriter::add_trailer(base::Buffer& out, std::string_view name, std::string_view value) noexcept {
  if (state_ == State::body_chunked) {
    close_chunk(out);
    out.append("0\r\n");
    enter(State::trailers);
  }
  if (state_ != State::trailers) {
    return true;
  }
  const std::size_t size = name.size() + value.size() + 4;
  if (out.room().size() < size + 2) {
    return false;
  }
  out.append(name);
  out.append(": ");
  out.append(value);
  out.append("\r\n");
  return true;
}

std::size_t MessageWriter::sendable(const base::Buffer& out) const noexcept {
  const char* begin = out.data().data();
  switch (state_) {
    case State::head:
    case State::undecided:
      return static_cast<std::size_t>(message_at_ - begin);
    case State::body_chunked:
      return chunk_open_ ? static_cast<std::size_t>(body_at_ - chunk_line_size - begin) : out.size();
    case State::idle:
    case State::body_sized:
    case State::body_until_close:
    case State::body_none:
    case State::trailers:
    case State::complete:
      break;
  }
  return out.size();
}

void MessageWriter::compact(base::Buffer& out) noexcept {
  const auto shift = static_cast<std::ptrdiff_t>(out.gone());
  if (shift == 0) {
    return;
  }
  out.compact();
  if (state_ == State::head || state_ == State::undecided) {
    message_at_ -= shift;
    fields_at_ -= shift;
    fields_end_ -= shift;
  }
  if (body_at_ != nullptr) {
    body_at_ -= shift;
  }
}

bool MessageWriter::discard(base::Buffer& out) noexcept {
  if (state_ == State::idle) {
    return true;
  }
  if (is_framed()) {
    return false;
  }
  out.unproduce(static_cast<std::size_t>(end_of(out) - message_at_));
  enter(State::idle);
  return true;
}

}  // namespace pollux::wire
