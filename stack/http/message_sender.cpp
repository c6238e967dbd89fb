#include "stack/http/message_sender.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

using WriterState = wire::MessageWriter::State;

// How many pieces are sent before other connections have their turn.
constexpr int steps_per_send = 16;
// The largest piece of a file asked for in one call.
constexpr std::uint64_t file_piece = 256 * 1024;

}  // namespace

bool MessageSender::begin(wire::MessageWriter& writer, base::Buffer& out, const ClientRequest& request,
                          std::string_view connection) noexcept {
  *this = MessageSender{};
  request_ = &request;
  body_ = request.body();
  const std::optional<std::uint64_t> size = request.body_size();
  wire::MessageWriter::Framing framing{.connection = connection};
  if (!size) {
    if (!request.trailer_names().empty() && !writer.add(out, "Trailer", request.trailer_names())) {
      return false;
    }
    if (!writer.decide_streamed(out, framing)) {
      return false;
    }
  } else if (*size == 0 && body_.kind != RequestBody::Kind::source) {
    // A server must be able to tell "no body" from "forgotten" where a method usually has one (RFC 9110 section 8.6).
    const wire::Method method = request.method_id();
    framing.omit_length = method != wire::Method::post && method != wire::Method::put && method != wire::Method::patch;
    body_.kind = RequestBody::Kind::none;
    if (!writer.finish(out, framing)) {
      return false;
    }
  } else {
    left_ = *size;
    if (!writer.decide_sized(out, *size, framing)) {
      return false;
    }
    if (body_.kind != RequestBody::Kind::source) {
      ENSURE(writer.begin_passing(out, *size));
    }
  }
  head_size_ = out.size();
  return true;
}

void MessageSender::drop_body() noexcept {
  body_.kind = RequestBody::Kind::none;
  held_ = false;
}

// Fills the buffer from the source. False: `outcome` tells why it cannot go on.
bool MessageSender::pull(wire::MessageWriter& writer, base::Buffer& out, Outcome& outcome) noexcept {
  writer.compact(out);
  for (;;) {
    if (ended_) {
      break;
    }
    const std::span<char> space = writer.space(out);
    if (space.empty() && !(writer.state() == WriterState::body_sized && writer.body_missing() == 0)) {
      break;  // the buffer is full
    }
    if (space.empty()) {
      ended_ = true;  // all that was declared is there
      break;
    }
    pulled_ = true;
    const PullResult result = body_.source.pull(body_.source.object, space, at_);
    if (result.kind == PullResult::Kind::failed || result.size > space.size() ||
        (result.kind == PullResult::Kind::more && result.size == 0)) {
      outcome = result.size > space.size() ? Outcome::wrong_size : Outcome::source_failed;
      return false;
    }
    writer.produced(out, result.size);
    at_ += result.size;
    if (result.kind == PullResult::Kind::later) {
      later_ = true;
      break;
    }
    ended_ = result.kind == PullResult::Kind::end;
  }
  if (ended_ && writer.state() == WriterState::body_sized && writer.body_missing() != 0) {
    outcome = Outcome::wrong_size;
    return false;
  }
  writer.close_chunk(out);
  return true;
}

// The source has given its last byte: what ends the body, with the trailer fields. False: there is no room for them yet.
bool MessageSender::end_source(wire::MessageWriter& writer, base::Buffer& out) noexcept {
  const bool has_trailers = writer.state() == WriterState::body_chunked && !request_->trailer_names().empty();
  const std::string_view lines = has_trailers ? request_->trailer_lines() : std::string_view{};
  if (!lines.empty()) {
    writer.compact(out);
    if (out.room().size() < lines.size() + 16 && !out.is_empty()) {
      return false;
    }
    for (std::string_view rest = lines; !rest.empty();) {
      const wire::Cut line = wire::cut(rest, '\n');
      const wire::Cut field = wire::cut(wire::slice(line.before, 0, line.before.size() - 1), ':');
      if (!writer.add_trailer(out, field.before, wire::drop(field.after, 1))) {
        break;  // more trailer text than the buffer holds: the rest is left out, and the body ends all the same
      }
      rest = line.after;
    }
  }
  return writer.finish(out, {});
}

MessageSender::Outcome MessageSender::send(net::Stream& stream, wire::MessageWriter& writer,
                                           base::Buffer& out) noexcept {
  for (int step = 0; step < steps_per_send; ++step) {
    const bool body_next = !held_;
    if (body_next && body_.kind == RequestBody::Kind::source && !ended_ && !later_) {
      Outcome outcome{};
      if (!pull(writer, out, outcome)) {
        return outcome;
      }
    }
    if (body_next && ended_ && writer.state() != WriterState::complete && !end_source(writer, out)) {
      ENSURE(!out.is_empty());  // what is there goes out first, and makes the room
    }
    const std::string_view first = wire::slice(out.data(), 0, writer.sendable(out));
    const bool passes_bytes = body_next && body_.kind == RequestBody::Kind::bytes && left_ != 0;
    const bool passes_file = body_next && body_.kind == RequestBody::Kind::file && left_ != 0;
    net::StreamResult result;
    std::size_t wanted = first.size();
    if (!first.empty() || passes_bytes) {
      const std::string_view second =
          passes_bytes ? wire::drop(body_.bytes, static_cast<std::size_t>(at_)) : std::string_view{};
      wanted += second.size();
      result = stream.send(first, second, passes_file);
    } else if (passes_file) {
      wanted = static_cast<std::size_t>(std::min(left_, file_piece));
      result = stream.send_file(body_.file, body_.offset + at_, wanted);
    } else if (held_ || later_) {
      return Outcome::later;
    } else {
      if (writer.state() != WriterState::complete) {
        ENSURE(writer.finish(out, {}));
      }
      return Outcome::sent;
    }
    if (result.status == net::StreamStatus::want_write || result.status == net::StreamStatus::want_read) {
      return Outcome::blocked;
    }
    if (result.status != net::StreamStatus::ok) {
      return result.status == net::StreamStatus::end ? Outcome::source_failed : Outcome::lost;
    }
    sent_ += result.size;
    const std::size_t from_buffer = std::min(result.size, first.size());
    out.consume(from_buffer);
    const std::size_t passed = passes_file && !first.empty() ? 0 : result.size - from_buffer;
    if (passed != 0) {
      at_ += passed;
      left_ -= passed;
    }
    // A send that took less than it was given means a full socket: the kernel need not be asked again to learn that. Of a file it
    // may also be a piece that was cut for another reason; asking again is cheap beside it.
    if (result.size < wanted && !(passes_file && first.empty())) {
      return Outcome::blocked;
    }
  }
  return Outcome::yielded;
}

}  // namespace pollux::http
