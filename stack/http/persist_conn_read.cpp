// A response on its way in.

#include "port/ensure.hpp"
#include "stack/http/host_entry.hpp"
#include "stack/http/persist_conn.hpp"
#include "stack/http/transport.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

using ReadEvent = wire::ReadEvent;

}  // namespace

// There is room for what would come. Without it nothing is received: a consumer that stops stops the peer.
bool PersistConn::wants_to_read() const noexcept {
  return !input_ended_ && !input_lost_ && !message_over_ && !pending_error_ && (!head_came_ || !in_.room().empty());
}

// What TLS has read from the socket already, and no event tells of.
void PersistConn::read_pending() noexcept {
  if (state_ == State::idle) {
    idle_readable();
  } else {
    receive();
  }
}

void PersistConn::receive() noexcept {
  read_due_ = false;
  if (in_.room().empty()) {
    reader_.make_room(in_);
  }
  const std::span<char> room = in_.room();
  if (room.empty()) {
    return;
  }
  const net::StreamResult result = stream_.recv(room);
  if (stream_.take_received() != 0) {
    moved_at_ = now();  // a part of a record, perhaps: the peer is alive
  }
  switch (result.status) {
    case net::StreamStatus::ok:
      if (received_ == 0) {
        trace(TraceEvent::first_byte);
      }
      in_.produced(result.size);
      received_ += result.size;
      transport_.counters().bytes_received += result.size;
      moved_at_ = now();
      break;
    case net::StreamStatus::want_read:
    case net::StreamStatus::want_write:
      return;
    case net::StreamStatus::end:
      input_ended_ = true;
      broken_ = true;
      break;
    case net::StreamStatus::failed:
      input_failed();
      break;
  }
  if (state_ == State::draining) {
    drain_on();
  } else {
    read_on();
  }
}

// The connection is lost, or TLS ended without close_notify. The latter is an end like any other where the message says itself how long it
// is, and before the first byte of it (RFC 9112 section 9.8); elsewhere somebody may have cut it.
void PersistConn::input_failed() noexcept {
  broken_ = true;
  const CallCause cause = cause_of_loss();
  if (cause == CallCause::closed) {
    input_ended_ = input_truncated_ = true;
    return;
  }
  input_lost_ = true;
  if (system_error_ == 0 && cause == CallCause::lost) {
    system_error_ = transport_.loop().port().system_error();
  }
}

// Goes on with what is in the buffer.
void PersistConn::read_on() noexcept {
  while (state_ == State::busy && !message_over_) {
    switch (reader_.advance(in_)) {
      case ReadEvent::need_more:
        if (input_ended_ || input_lost_) {
          input_over();
        } else if (!head_came_ && head_bytes_ + in_.size() > transport_.head_bytes_max()) {
          fail(CallCause::head_too_large);
        } else if (head_came_ && in_.room().empty()) {
          reader_.make_room(in_);  // what filled it may be no body, and then nobody will consume it
        }
        return;
      case ReadEvent::head:
        head_came();
        break;
      case ReadEvent::body:
        body_came();
        break;
      case ReadEvent::complete:
        message_over();
        break;
      case ReadEvent::failed:
        reader_failed();
        return;
    }
  }
}

// The peer has finished, or is lost, and everything it sent was looked at.
void PersistConn::input_over() noexcept {
  if (input_lost_) {
    fail(cause_of_loss());
    return;
  }
  const bool is_cut = input_truncated_ && head_came_ && reader_.framing().kind == wire::BodyKind::until_close;
  if (reader_.is_between_messages(in_) || is_cut) {
    fail(CallCause::closed);
    return;
  }
  for (;;) {
    switch (reader_.input_ended(in_)) {
      case ReadEvent::head:
        head_came();
        if (state_ != State::busy) {
          return;
        }
        break;
      case ReadEvent::body:
        body_came();
        break;
      case ReadEvent::complete:
        message_over();
        return;
      case ReadEvent::need_more:
        fail(CallCause::closed);
        return;
      case ReadEvent::failed:
        reader_failed();
        return;
    }
  }
}

void PersistConn::reader_failed() noexcept {
  CallError error = make_error(CallCause::malformed_head);
  switch (reader_.error()) {
    case wire::ReadError::head:
      error.head = reader_.head_error();
      if (error.head == wire::HeadError::too_large || error.head == wire::HeadError::too_many_fields) {
        error.cause = CallCause::head_too_large;
      } else if (error.head == wire::HeadError::start_line && head_bytes_ == 0 &&
                 !wire::starts_with(in_.data(), "HTTP/")) {
        error.cause = CallCause::not_http;
      }
      break;
    case wire::ReadError::framing:
      error.cause = CallCause::malformed_framing;
      error.status = static_cast<int>(reader_.framing_error());
      break;
    case wire::ReadError::chunk:
      error.cause = CallCause::malformed_chunk;
      break;
    case wire::ReadError::trailer:
      error.cause = CallCause::malformed_trailer;
      break;
    case wire::ReadError::ended_early:
      error.cause = input_lost_ ? cause_of_loss() : CallCause::closed;
      break;
    case wire::ReadError::none:
      break;
  }
  broken_ = true;
  if (decoder_ != nullptr) {
    pump_decoder();  // what came in front of the error
    if (state_ != State::busy) {
      return;
    }
  }
  fail(error);
}

void PersistConn::head_came() noexcept {
  const wire::ResponseHead& head = reader_.response();
  head_bytes_ += reader_.head_size();
  if (head_bytes_ > transport_.head_bytes_max()) {
    fail(CallCause::head_too_large);
    return;
  }
  if (head.status < 200 && head.status != 101) {
    interim_came();
    return;
  }
  head_came_ = true;
  const wire::Framing& framing = reader_.framing();
  RoundTrip& trip = *trip_;
  // The one place where both sides' words are put together.
  keep_alive_ = framing.keep_alive && !framing.must_close && framing.kind != wire::BodyKind::until_close &&
                head.status != 101 && !trip.request_.close() && !transport_.config().disable_keep_alives;
  // Without 100 (Continue) the body is still owed, unless the connection ends here (net-http.md 2.9).
  if (waits_continue_) {
    if (keep_alive_) {
      waits_continue_ = false;
      phase_deadline_ = port::never;
      sender_.release_body();
      send_soon();
    } else {
      sender_.drop_body();
      broken_ = true;
      request_over();
    }
  }
  trip.head_known_ = true;
  trip.status_ = head.status;
  trip.head_ = head;
  trip.head_text_ = wire::slice(in_.data(), 0, reader_.head_size());
  trip.trailers_ = {};
  trip.conn_views_ = this;
  viewer_ = &trip;
  trip.closes_ = !keep_alive_;
  trip.content_length_ = framing.has_size ? std::optional<std::uint64_t>{framing.size} : std::nullopt;
  trip.state_ = RoundTrip::State::reading_body;
  trace(TraceEvent::got_head, trip.head_text_, head.status);
  if (transport_.config().rate_min != 0 && transport_.config().rate_window > port::Duration::zero()) {
    rate_at_ = now() + transport_.config().rate_window;
  }
  const auto coding = head.fields.get(wire::FieldId::content_encoding);
  if (coding && trip.asks_gzip_ && framing.kind != wire::BodyKind::none) {
    decoder_ = transport_.decoders().take(content_coding_from(*coding), transport_.config().decode_limits);
    if (decoder_ != nullptr) {
      trip.decodes_ = true;
      trip.content_length_.reset();
    }
  }
  ++transport_.counters().answered;
  trip.answer_due_ = true;
  if (head.status == 101) {
    // The bytes behind the head belong to the new protocol. Whoever does not take the connection over lets it go closed.
    broken_ = true;
    message_over_ = true;
    finished_at_ = now();
    switched_ = true;
    in_.consume(reader_.head_size());
    request_over();
    trip.state_ = RoundTrip::State::reading_body;
    transport_.complete(trip);
    return;
  }
  if (framing.kind != wire::BodyKind::none && !(framing.has_size && framing.size == 0)) {
    transport_.complete(trip);
  }
}

// A 1xx head: told to the trace hook, then gone.
void PersistConn::interim_came() noexcept {
  const int status = reader_.response().status;
  trace(status == 100 ? TraceEvent::got_continue : TraceEvent::got_interim,
        wire::slice(in_.data(), 0, reader_.head_size()), status);
  if (reader_.advance(in_) != ReadEvent::complete) {
    reader_failed();
    return;
  }
  reader_.release(in_);
  reader_.start(trip_->request_.method_id());
  if (status == 100 && waits_continue_) {
    waits_continue_ = false;
    phase_deadline_ = port::never;
    sender_.release_body();
    send_soon();
  }
}

void PersistConn::body_came() noexcept {
  if (decoder_ != nullptr) {
    pump_decoder();
    if (state_ != State::busy || body().empty()) {
      return;
    }
  }
  trip_->body_due_ = true;
  transport_.complete(*trip_);
}

// Moves what the decoder takes from the raw body.
void PersistConn::pump_decoder() noexcept {
  for (;;) {
    const std::string_view raw = reader_.body(in_);
    const std::size_t taken = raw.empty() ? 0 : decoder_->feed(raw);
    reader_.consume_body(taken);
    if (taken == 0) {
      break;
    }
  }
  if (message_over_ && reader_.body(in_).empty() && !decoder_ended_ && decoder_->error() == DecodeError::none) {
    decoder_ended_ = true;
    decoder_->end_input();
  }
  if (const DecodeError error = decoder_->error(); error != DecodeError::none && decoder_->output().empty()) {
    CallError call_error = make_error(
        error == DecodeError::too_large || error == DecodeError::ratio ? CallCause::decode_limit : CallCause::decode);
    call_error.status = static_cast<int>(error);
    broken_ = true;
    fail(call_error);
  }
}

std::string_view PersistConn::body() const noexcept {
  if (!head_came_ || switched_) {
    return {};
  }
  return decoder_ != nullptr ? decoder_->output() : reader_.body(in_);
}

void PersistConn::consume(std::size_t count) noexcept {
  moved_at_ = now();
  if (decoder_ != nullptr) {
    const std::size_t left = body().size() - count;
    decoder_->consume(count);
    pump_decoder();
    if (state_ != State::busy) {
      return;
    }
    if (body().size() > left) {  // the decoder has had room for more
      trip_->body_due_ = true;
      transport_.complete(*trip_);
    }
  } else {
    reader_.consume_body(count);
  }
  if (body().empty() && pending_error_) {
    fail(*pending_error_);
    return;
  }
  if (message_over_) {
    try_finish();
  } else if (in_.room().empty()) {
    reader_.make_room(in_);
  }
}

bool PersistConn::is_body_consumed() const noexcept {
  return message_over_ && body().empty() && (decoder_ == nullptr || reader_.body(in_).empty());
}

// The last byte of the response has come.
void PersistConn::message_over() noexcept {
  message_over_ = true;
  finished_at_ = now();
  RoundTrip& trip = *trip_;
  trip.trailers_ = reader_.trailers();
  trace(TraceEvent::body_done);
  if (decoder_ != nullptr) {
    pump_decoder();
    if (state_ != State::busy) {
      return;
    }
  }
  if (!body().empty()) {
    trip.body_due_ = true;
    transport_.complete(trip);
  }
  try_finish();
}

// Ends the round trip once the response was consumed to its end and the request is out: the connection goes back before anybody is told, so
// that a request made in the callback finds it.
void PersistConn::try_finish() noexcept {
  if (state_ != State::busy || !is_body_consumed() || trip_ == nullptr) {
    return;
  }
  RoundTrip& trip = *trip_;
  if (sends_ && !broken_) {
    transport_.complete(trip);  // the answer is told; the request gets a little time to go out
    return;
  }
  if (trip.status_ == 101) {
    return;  // waits for upgrade() or for being let go
  }
  trip.body_received_ = reader_.body_received();
  trip.body_state_ = ResponseBodyState::complete;
  trip.body_due_ = true;
  give_back_decoder();
  reader_.release(in_);
  detach();
  transport_.succeed(trip);
  transport_.put(*this);
  tell_end(trip);
}

// To the round trip that has just left: what became of the connection.
void PersistConn::tell_end(RoundTrip& trip) noexcept {
  tell(trip, state_ == State::closing ? TraceEvent::closed : TraceEvent::put_idle);
}

// Neither side has said close, everything was sent and received, and nothing is left over.
bool PersistConn::may_be_reused() const noexcept {
  return keep_alive_ && !broken_ && !sends_ && !input_ended_ && !input_lost_ && in_.is_empty() && out_.is_empty();
}

// ---- let go

// The response is not wanted any more: what little is left of it is read away, or the connection is closed.
void PersistConn::let_go() noexcept {
  if (trip_ == nullptr) {
    return;
  }
  RoundTrip& trip = *trip_;
  const TransportConfig& config = transport_.config();
  const bool is_out = !sends_ && keep_alive_ && !broken_;
  trip.body_received_ = reader_.body_received();
  give_back_decoder();
  detach();
  transport_.succeed(trip);
  if (switched_) {
    close(End::not_reusable);
    tell_end(trip);
    return;
  }
  reader_.consume_body(reader_.body(in_).size());
  if (is_out && message_over_) {
    reader_.release(in_);
    ++transport_.counters().drained;
    transport_.put(*this);
    tell_end(trip);
    return;
  }
  const wire::Framing& framing = reader_.framing();
  const bool is_small = framing.kind != wire::BodyKind::sized || reader_.body_remaining() <= config.drain_max_bytes;
  if (is_out && is_small && config.drain_max_bytes != 0 && framing.kind != wire::BodyKind::until_close) {
    drained_ = reader_.body_received();
    enter(State::draining);
    return;
  }
  ++transport_.counters().cut;
  close(End::not_reusable);
  tell_end(trip);
}

void PersistConn::drain_on() noexcept {
  for (;;) {
    const ReadEvent event = reader_.advance(in_);
    reader_.consume_body(reader_.body(in_).size());
    if (event == ReadEvent::body) {
      continue;
    }
    if (event == ReadEvent::complete) {
      reader_.release(in_);
      ++transport_.counters().drained;
      transport_.put(*this);
      return;
    }
    const bool is_over = event == ReadEvent::failed || input_ended_ || input_lost_ ||
                         reader_.body_received() - drained_ > transport_.config().drain_max_bytes;
    if (is_over) {
      ++transport_.counters().cut;
      close(End::drain_limit);
    }
    return;
  }
}

// ---- idle

// Whatever an idle connection says means its end: the peer closed it, or speaks without being asked. TLS's own records (tickets, new keys) are
// nothing said: then recv() wants more.
void PersistConn::idle_readable() noexcept {
  ENSURE(in_.is_empty());
  read_due_ = false;
  const net::StreamResult result = stream_.recv(in_.room());
  switch (result.status) {
    case net::StreamStatus::want_read:
    case net::StreamStatus::want_write:
      return;
    case net::StreamStatus::ok: {
      clear_views();
      const std::string_view text{in_.room().data(), result.size};
      // A server that gives up waiting may say so (RFC 9110 section 15.5.9).
      const bool is_timeout = wire::starts_with(text, "HTTP/1.1 408") || wire::starts_with(text, "HTTP/1.0 408");
      close(is_timeout ? End::server_closed : End::unsolicited);
      return;
    }
    case net::StreamStatus::end:
    case net::StreamStatus::failed:
      close(End::server_closed);
      return;
  }
}

net::Stream PersistConn::take_stream() noexcept {
  RoundTrip& trip = *trip_;
  const net::Stream stream = std::exchange(stream_, {});
  trip.body_state_ = ResponseBodyState::closed;
  detach();
  transport_.succeed(trip);
  close(End::not_reusable);
  return stream;
}

}  // namespace pollux::http
