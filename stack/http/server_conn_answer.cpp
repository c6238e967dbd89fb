// The answering side of a connection: from what a handler says to bytes on the socket, and what happens to the connection then.
// The reading side is in server_conn.cpp.

#include <algorithm>
#include <array>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/server.hpp"
#include "stack/wire/content_type_sniff.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/status.hpp"

namespace pollux::http {

namespace {

using WriterState = wire::MessageWriter::State;

bool is_valid_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

}  // namespace

// ---- answers nobody wrote

// Answers without a handler; the connection closes after it, lingering, because more of the request may be on its way.
void ServerConn::refuse(int status, std::string_view reason, CloseReason why) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  progress.close_after = true;
  progress.linger = true;
  progress.suspended = false;
  progress.answered = true;
  progress.status = status;
  leave_reason_ = why;
  // A half-read head has no method; only one that was read may be HEAD.
  progress.no_body = progress.head_whole && progress.no_body;
  const wire::Version version = progress.head_whole ? exchange.request.head_.version : wire::http_1_1;
  if (exchange.writer.is_framed() || !exchange.writer.discard(exchange.out) ||
      !exchange.writer.start(exchange.out, server_.start_text(status, reason, version, true))) {
    close(why);
    return;
  }
  std::array<char, 128> memory;
  base::TextWriter body{memory};
  body.put_decimal(static_cast<std::uint64_t>(status)).put(' ').put(wire::reason_phrase(status));
  if (!reason.empty()) {
    body.put(": ").put(reason);
  }
  progress.type_set = exchange.writer.add(exchange.out, "Content-Type", "text/plain; charset=utf-8");
  exchange.writer.write(exchange.out, body.view());
  if (!exchange.writer.finish(exchange.out, framing({}))) {
    close(why);
    return;
  }
  enter(State::finishing);
}

// Answers in place of a handler that waited too long (503) or forgot the request (500). The connection lives on.
void ServerConn::answer_for_handler(int status) noexcept {
  Exchange& exchange = *exchange_;
  exchange.progress.suspended = false;
  if (!exchange.writer.discard(exchange.out)) {
    close(CloseReason::aborted);
    return;
  }
  exchange.progress.status_set = false;
  exchange.progress.no_body =
      exchange.request.method_id() == wire::Method::head;  // whatever status was thought of before
  exchange.progress.answered = true;
  ResponseWriter response{*this};
  error(response, status, wire::reason_phrase(status));
  finish_answer();
}

// ---- the head

HeadChange ServerConn::open_head() noexcept {
  Exchange& exchange = *exchange_;
  if (exchange.lost) {
    return HeadChange::too_late;
  }
  switch (exchange.writer.state()) {
    case WriterState::idle:
      if (exchange.out.room().size() < exchange.out.capacity() / 2) {
        exchange.writer.compact(exchange.out);
      }
      return exchange.writer.start(exchange.out,
                                   server_.start_text(exchange.progress.status, {}, exchange.request.head_.version,
                                                      !exchange.progress.date_off))
                 ? HeadChange::ok
                 : HeadChange::no_room;
    case WriterState::head:
      return HeadChange::ok;
    case WriterState::undecided:
    case WriterState::body_sized:
    case WriterState::body_chunked:
    case WriterState::body_until_close:
    case WriterState::body_none:
    case WriterState::trailers:
    case WriterState::complete:
      break;
  }
  ++server_.counters_.late_heads;
  return HeadChange::too_late;
}

void ServerConn::restart_head() noexcept {
  Exchange& exchange = *exchange_;
  if (exchange.writer.is_head_open()) {
    // It only gets shorter, so it fits.
    static_cast<void>(exchange.writer.replace_start(
        exchange.out,
        server_.start_text(exchange.progress.status, {}, exchange.request.head_.version, !exchange.progress.date_off)));
  }
}

HeadChange ServerConn::set_status(int code) noexcept {
  ENSURE(code >= 100);
  ENSURE(code <= 999);
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (progress.status_set && !(code < 200 && code != 101)) {
    ++server_.counters_.late_heads;
    return HeadChange::too_late;
  }
  if (code < 200 && code != 101) {
    if (exchange.request.head_.version < wire::http_1_1) {
      return HeadChange::ok;  // HTTP/1.0 clients do not know interim answers (RFC 9110 section 15.2)
    }
    if (const HeadChange opened = open_head(); opened != HeadChange::ok) {
      return opened;
    }
    if (code == 100) {
      progress.expects_continue = false;
    }
    // Only the status line, not Date and Server.
    std::string_view line = server_.start_text(code, {}, wire::http_1_1, false);
    line = wire::slice(line, 0, line.find('\n') + 1);
    if (!exchange.writer.insert_interim(exchange.out, line, true)) {
      return HeadChange::no_room;
    }
    send();
    return HeadChange::ok;
  }
  if (exchange.writer.state() == WriterState::idle) {
    progress.status = code;
    if (const HeadChange opened = open_head(); opened != HeadChange::ok) {
      return opened;
    }
  } else {
    if (const HeadChange opened = open_head(); opened != HeadChange::ok) {
      return opened;
    }
    if (!exchange.writer.replace_start(
            exchange.out, server_.start_text(code, {}, exchange.request.head_.version, !progress.date_off))) {
      return HeadChange::no_room;
    }
    progress.status = code;
  }
  progress.status_set = true;
  progress.no_body = progress.no_body || !wire::status_allows_body(code);
  return HeadChange::ok;
}

HeadChange ServerConn::set_field(std::string_view name, std::string_view value, bool replace) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (!wire::is_token(name) || !is_valid_value(value)) {
    return HeadChange::invalid;
  }
  const wire::FieldId id = wire::field_id_from(name);
  if (id == wire::FieldId::transfer_encoding) {
    return HeadChange::invalid;
  }
  if (const HeadChange opened = open_head(); opened != HeadChange::ok) {
    return opened;
  }
  if (id == wire::FieldId::content_length) {
    const auto size = base::parse_decimal(value, INT64_MAX);
    if (!size) {
      return HeadChange::invalid;
    }
    progress.declared_size = static_cast<std::int64_t>(*size);
    return HeadChange::ok;
  }
  if (id == wire::FieldId::connection) {
    if (wire::has_list_token(value, "close")) {
      progress.close_after = true;
      return HeadChange::ok;
    }
    progress.connection_set = true;
  } else if (id == wire::FieldId::date && !progress.date_off) {
    progress.date_off = true;
    restart_head();
  } else if (id == wire::FieldId::content_type) {
    progress.type_set = true;
  } else if (id == wire::FieldId::content_encoding) {
    progress.type_off = true;  // the bytes are not what they would be taken for
  }
  if (replace) {
    exchange.writer.remove(exchange.out, name);
  }
  return exchange.writer.add(exchange.out, name, value) ? HeadChange::ok : HeadChange::no_room;
}

// What the answer says about the connection: nothing, if it is what the version means by itself.
std::string_view ServerConn::connection_value() const noexcept {
  const Progress& progress = exchange_->progress;
  if (progress.close_after && progress.status != 101) {
    return !progress.head_whole || exchange_->request.head_.version >= wire::http_1_1 ? "close" : "";
  }
  return progress.says_keep_alive && !progress.connection_set ? "keep-alive" : "";
}

// What the head must say about the message, and what it is guessed to contain.
wire::MessageWriter::Framing ServerConn::framing(std::string_view body) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  const bool is_1_1 = !progress.head_whole || exchange.request.head_.version >= wire::http_1_1;
  wire::MessageWriter::Framing result;
  result.no_body = progress.no_body;
  result.chunked_allowed = is_1_1;
  const bool status_has_body = wire::status_allows_body(progress.status);
  result.omit_length = !status_has_body || (progress.no_body && progress.declared_size < 0 &&
                                            exchange.writer.body_written() == 0 && body.empty());
  result.connection = connection_value();
  if (!status_has_body) {
    if (progress.status == 304 && progress.type_set && exchange.writer.is_head_open()) {
      exchange.writer.remove(exchange.out, "Content-Type");
    }
  } else if (!progress.type_set && !progress.type_off) {
    const std::string_view written = exchange.writer.undecided_body(exchange.out);
    const std::string_view sample = written.empty() ? body : written;
    if (!sample.empty()) {
      result.content_type =
          wire::detect_content_type(wire::slice(sample, 0, sample.size() < 512 ? sample.size() : 512));
    }
  }
  return result;
}

// The length is not known in advance: chunked, or in HTTP/1.0 until the connection closes.
bool ServerConn::decide_streamed() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  settle_body();
  if (exchange.request.head_.version < wire::http_1_1 && !progress.no_body) {
    progress.close_after = true;
  }
  wire::MessageWriter::Framing how = framing({});
  how.omit_length = true;
  return exchange.writer.decide_streamed(exchange.out, how);
}

// ---- the body

std::size_t ServerConn::write(std::string_view text) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (exchange.lost) {
    return text.size();  // nobody is there; the handler will be told
  }
  if (exchange.tail.kind != Tail::Kind::none) {
    progress.cut_short = !text.empty();
    return 0;
  }
  if (exchange.writer.state() == WriterState::idle && open_head() != HeadChange::ok) {
    progress.cut_short = true;
    return 0;
  }
  if (text.empty() || !wire::status_allows_body(progress.status)) {
    return text.size();
  }
  if (progress.declared_size >= 0 && exchange.writer.is_head_open()) {
    settle_body();
    if (!exchange.writer.decide_sized(exchange.out, static_cast<std::uint64_t>(progress.declared_size),
                                      framing(text))) {
      progress.cut_short = true;
      return 0;
    }
  }
  std::size_t taken = exchange.writer.write(exchange.out, text);
  while (taken < text.size()) {
    if (exchange.writer.state() == WriterState::body_sized && exchange.writer.body_missing() == 0) {
      progress.overrun = true;
      progress.close_after = true;
      return text.size();
    }
    if (exchange.writer.state() == WriterState::undecided || exchange.writer.is_head_open()) {
      if (!decide_streamed()) {
        break;
      }
    }
    exchange.writer.close_chunk(exchange.out);
    send();
    if (exchange.lost) {
      return text.size();
    }
    exchange.writer.compact(exchange.out);
    const std::size_t more = exchange.writer.write(exchange.out, wire::drop(text, taken));
    if (more == 0) {
      break;
    }
    taken += more;
  }
  progress.cut_short = taken < text.size();
  return taken;
}

void ServerConn::answer(int code, std::string_view content_type, std::string_view body) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (exchange.writer.state() == WriterState::idle && !exchange.lost && !progress.no_body && !progress.date_off &&
      progress.declared_size < 0 && exchange.tail.kind == Tail::Kind::none && wire::status_allows_body(code)) {
    // Nothing was said before: head and body are made in one go, which is what most answers are.
    settle_body(true);
    if (exchange.writer.write_whole(exchange.out, server_.start_text(code, {}, exchange.request.head_.version, true),
                                    content_type, connection_value(), body)) {
      progress.status = code;
      progress.status_set = true;
      progress.type_set = true;
      return;
    }
  }
  set_status(code);
  set_field("Content-Type", content_type, true);
  if (progress.declared_size < 0 && exchange.writer.is_head_open()) {
    progress.declared_size = static_cast<std::int64_t>(body.size());
    settle_body(true);
  }
  write(body);
}

void ServerConn::flush() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (exchange.lost || open_head() == HeadChange::no_room) {
    return;
  }
  if (exchange.writer.is_head_open() && progress.declared_size >= 0) {
    settle_body();
    if (!exchange.writer.decide_sized(exchange.out, static_cast<std::uint64_t>(progress.declared_size), framing({}))) {
      return;
    }
  } else if (!exchange.writer.is_framed() && !decide_streamed()) {
    return;
  }
  exchange.writer.close_chunk(exchange.out);
  send();
}

// Something follows the buffer. `size`: its bytes, if that is known.
void ServerConn::set_tail(const Tail& tail, std::optional<std::uint64_t> size) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  ENSURE(exchange.tail.kind == Tail::Kind::none);  // one at a time: return Next::write_body in between
  exchange.tail = tail;
  bool ok = !exchange.lost && (exchange.writer.state() != WriterState::idle || open_head() == HeadChange::ok);
  if (ok && exchange.writer.is_head_open()) {
    if (progress.declared_size < 0 && size) {
      progress.declared_size = static_cast<std::int64_t>(*size);
    }
    settle_body();
    if (progress.declared_size >= 0) {
      wire::MessageWriter::Framing how = framing(tail.bytes);
      ok = exchange.writer.decide_sized(exchange.out, static_cast<std::uint64_t>(progress.declared_size), how);
    } else {
      ok = decide_streamed();
    }
  } else if (ok && exchange.writer.state() == WriterState::undecided) {
    ok = decide_streamed();
  }
  if (ok && tail.kind != Tail::Kind::source) {
    if (exchange.writer.state() == WriterState::body_sized && *size > exchange.writer.body_missing()) {
      progress.overrun = true;
      ok = false;
    } else {
      ok = exchange.writer.begin_passing(exchange.out, *size);
    }
  }
  if (!ok && !exchange.lost) {
    progress.cut_short = true;
  }
  const bool is_empty =
      (tail.kind == Tail::Kind::bytes && tail.bytes.empty()) || (tail.kind == Tail::Kind::file && tail.left == 0);
  if (!ok || is_empty || exchange.writer.state() == WriterState::body_none) {
    if (ok && tail.kind != Tail::Kind::source) {
      exchange.writer.end_passing(exchange.out);
    }
    end_tail();
  }
}

// Lets go of what follows the buffer, sent or not.
void ServerConn::end_tail() noexcept {
  const Tail tail = exchange_->tail;
  exchange_->tail = Tail{};
  switch (tail.kind) {
    case Tail::Kind::file:
      stream_.is_open() ? stream_.port().close_file(tail.file) : server_.config_.loop.port().close_file(tail.file);
      return;
    case Tail::Kind::source:
      if (tail.source.close != nullptr) {
        tail.source.close(tail.source.object);
      }
      return;
    case Tail::Kind::none:
    case Tail::Kind::bytes:
      return;
  }
}

// ---- when the handler is done

// Decides what becomes of a body that nobody read, as long as the head can still say that the connection closes (net/http: up to
// 256 KiB are read away, more is not worth it). `is_whole`: the answer is, although its handler has not returned.
void ServerConn::settle_body(bool is_whole) noexcept {
  if ((server_.shutting_down_ || !server_.keep_alives_enabled_) && !exchange_->writer.is_framed()) {
    exchange_->progress.close_after = true;  // since the request came; the head can still say so
  }
  if (exchange_->reader.state() != wire::MessageReader::State::complete) {
    settle_open_body(is_whole);
  }
}

void ServerConn::settle_open_body(bool is_whole) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  const wire::MessageReader::State state = exchange.reader.state();
  if (progress.close_after) {
    progress.linger = true;
    return;
  }
  if (state == wire::MessageReader::State::failed || progress.body_failed || progress.body_too_large) {
    progress.close_after = true;
    progress.linger = true;
    return;
  }
  if (!is_whole && !progress.answered) {
    return;  // the handler may yet read it
  }
  const std::uint64_t left = exchange.reader.body_remaining();
  const bool is_known = exchange.reader.framing().kind == wire::BodyKind::sized;
  if (progress.expects_continue || (is_known && left >= server_.config_.drain_max)) {
    progress.close_after = true;
    progress.linger = true;
    leave_reason_ = progress.expects_continue ? CloseReason::close_asked : CloseReason::body_too_large;
  }
}

void ServerConn::finish_answer() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (exchange.lost) {
    close_lost();
    return;
  }
  if (progress.cut_short) {
    server_.log("a handler was done before its answer was written");
    close(CloseReason::answer_overflow);
    return;
  }
  if (exchange.writer.state() == WriterState::idle && open_head() != HeadChange::ok) {
    close(CloseReason::answer_overflow);
    return;
  }
  settle_body();
  enter(State::finishing);
  if (exchange.tail.kind == Tail::Kind::none) {
    complete_writer();
  }
}

// The body is over: fills in what depends on its length.
void ServerConn::complete_writer() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (!progress.overrun && exchange.writer.finish_whole()) {
    return;
  }
  const bool open = !exchange.writer.is_framed();
  bool ok = true;
  if (exchange.writer.is_head_open() && progress.declared_size >= 0 && wire::status_allows_body(progress.status)) {
    ok = exchange.writer.decide_sized(exchange.out, static_cast<std::uint64_t>(progress.declared_size), framing({}));
  } else if (open && progress.trailers_declared && !progress.no_body) {
    ok = decide_streamed();
  }
  ok = ok && exchange.writer.finish(exchange.out, open ? framing({}) : wire::MessageWriter::Framing{});
  if (!ok || progress.overrun) {
    progress.truncated = true;
    progress.close_after = true;
    leave_reason_ = CloseReason::length_mismatch;
  }
}

// Goes on with an answer whose handler is done. False: the socket or the rest of the request's body has to come first.
bool ServerConn::finish_on() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (exchange.tail.kind != Tail::Kind::none) {
    send();
    if (exchange.lost || exchange.tail.kind != Tail::Kind::none) {
      return false;
    }
    complete_writer();
  } else if (!progress.truncated && exchange.writer.state() != WriterState::complete) {
    complete_writer();
  }
  if (!progress.close_after && !body_is_over()) {
    drain_body();
  }
  if (progress.close_after) {
    send();
    if (exchange.lost || !exchange.out.is_empty()) {
      return false;
    }
    end_exchange();
    return true;
  }
  if (!body_is_over()) {
    send();
    return false;
  }
  // What follows may be answered in the same send: read_on() sends when nothing more is there.
  end_exchange();
  return true;
}

// Reads away what the handler did not want, so that the next request can be found.
void ServerConn::drain_body() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  for (;;) {
    const wire::ReadEvent event = exchange.reader.advance(exchange.in);
    const std::size_t count = exchange.reader.body(exchange.in).size();
    exchange.reader.consume_body(count);
    progress.drained += count;
    if (event == wire::ReadEvent::complete) {
      return;
    }
    if (event == wire::ReadEvent::failed || progress.drained > server_.config_.drain_max ||
        (event == wire::ReadEvent::need_more && input_ended_)) {
      progress.close_after = true;
      progress.linger = true;
      leave_reason_ = event == wire::ReadEvent::failed ? CloseReason::bad_request
                      : input_ended_                   ? CloseReason::client_truncated
                                                       : CloseReason::body_too_large;
      return;
    }
    if (event == wire::ReadEvent::need_more) {
      exchange.reader.make_room(exchange.in);
      return;
    }
  }
}

void ServerConn::count_answer() noexcept {
  exchange_->progress.counted = true;
  const auto kind = static_cast<std::size_t>(exchange_->progress.status / 100);
  ++server_.counters_.answers[kind <= 5 ? kind : 5];
}

// The answer is complete in the buffer (or out, if the connection is to close): on to the next request.
void ServerConn::end_exchange() noexcept {
  Exchange& exchange = *exchange_;
  count_answer();
  ++requests_;
  if (exchange.progress.close_after) {
    if (leave_reason_ == CloseReason::client_closed) {
      leave_reason_ = server_.shutting_down_ ? CloseReason::shutdown : CloseReason::close_asked;
    }
    leave(leave_reason_);
    return;
  }
  body_before_ = exchange.reader.framing().kind != wire::BodyKind::none;
  exchange.writer.release();
  exchange.reader.release(exchange.in);
  if (server_.shutting_down_ || !server_.keep_alives_enabled_) {
    // The head is out already and could not say it.
    send();
    if (exchange.out.is_empty()) {
      leave(CloseReason::shutdown);
      return;
    }
  }
  if (exchange.in.is_empty() && !input_ended_) {
    // The usual case: one request at a time.
    send();
    if (exchange.lost) {
      close(CloseReason::peer_reset);
      return;
    }
    if (exchange.out.is_empty()) {
      become_idle();
      return;
    }
  }
  // What is still to be sent of this answer keeps its deadline until the next head.
  const port::Time write_deadline = exchange.progress.write_deadline;
  exchange.begin_request();
  exchange.progress.write_deadline = write_deadline;
  exchange.progress.moved_at = now();
  enter(State::reading);
  since_ = now();
}

// Our side is finished. If the client may still be sending - the rest of a body, or requests it had no reason not to pipeline - closing
// at once would make its system throw our answer away (RFC 9112 section 9.6): finish our direction first and read until the
// client's is finished too.
void ServerConn::leave(CloseReason reason) noexcept {
  Exchange& exchange = *exchange_;
  const wire::Framing& framing = exchange.reader.framing();
  const bool unread = !body_is_over() || framing.must_close || (exchange.progress.head_whole && framing.keep_alive);
  const bool stays = !input_ended_ && (exchange.progress.linger || unread);
  if (!stays && !stream_.is_tls()) {
    close(reason);
    return;
  }
  if (exchange.progress.truncated && stream_.is_tls()) {
    stream_.drop_tls();  // without its last word: the client has to notice that something is missing
  }
  if (finish_sending() && !stays) {
    close(reason);
    return;
  }
  end_tail();
  release_exchange();
  linger(reason);
}

// Ends our direction. False: TLS has to say its last word first, when the socket takes it. Afterwards nothing that comes is looked at any
// more, so the session goes back for somebody else.
bool ServerConn::finish_sending() noexcept {
  if (stream_.shutdown_send() == net::StreamStatus::want_write) {
    return false;
  }
  if (stream_.is_tls()) {
    stream_.drop_tls();
  }
  return true;
}

void ServerConn::linger(CloseReason reason) noexcept {
  leave_reason_ = reason;
  enter(State::lingering);
  since_ = now();
  server_.put(*this, Server::Place::active);
  refresh_deadline();
}

}  // namespace pollux::http
