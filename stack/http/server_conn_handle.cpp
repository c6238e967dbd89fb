// The calls of a handler: when, why, and what it wants next.

#include "port/ensure.hpp"
#include "stack/http/server.hpp"

namespace pollux::http {

bool ServerConn::body_is_over() const noexcept {
  const wire::MessageReader::State state = exchange_->reader.state();
  return state == wire::MessageReader::State::complete || state == wire::MessageReader::State::failed ||
         exchange_->progress.body_too_large || exchange_->progress.body_failed;
}

BodyState ServerConn::body_state() const noexcept {
  const Progress& progress = exchange_->progress;
  if (progress.body_too_large) {
    return BodyState::too_large;
  }
  if (progress.body_failed || exchange_->reader.state() == wire::MessageReader::State::failed) {
    return BodyState::failed;
  }
  return exchange_->reader.state() == wire::MessageReader::State::complete ? BodyState::complete : BodyState::more;
}

// Whether bytes of the body are being waited for: a collected body, a handler that asked, or what is left after the answer.
bool ServerConn::wants_body() const noexcept {
  const Progress& progress = exchange_->progress;
  switch (state_) {
    case State::reading:
      return progress.head_whole;
    case State::handling:
      return progress.suspended && progress.next == Next::read_body && !body_is_over();
    case State::finishing:
      return !progress.close_after && !body_is_over();
    case State::handshaking:
    case State::idle:
    case State::waiting:
    case State::lingering:
    case State::closing:
      break;
  }
  return false;
}

// An answer needs room for its head. Earlier answers are sent first; false: the client does not take them, wait.
bool ServerConn::has_room_for_answer() noexcept {
  Exchange& exchange = *exchange_;
  if (exchange.out.is_empty()) {
    return true;
  }
  if (exchange.out.room().size() >= exchange.out.capacity() / 2) {
    return true;
  }
  send();
  exchange.writer.compact(exchange.out);
  return exchange.out.room().size() >= exchange.out.capacity() / 2;
}

void ServerConn::call(Event event) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (state_ == State::reading) {
    enter(State::handling);
  }
  progress.suspended = false;
  progress.resumed = false;
  if (body_is_over()) {
    progress.body_end_seen = true;
  }
  exchange.request.event_ = event;
  progress.in_call = true;
  const Handler& handler = exchange.request.match_.route->handler;
  ResponseWriter response{*this};
  const Next next = handler.serve(handler.object, response, exchange.request);
  progress.in_call = false;
  if (!stream_.is_open()) {
    close(CloseReason::hijacked);
    return;
  }
  follow(next);
}

void ServerConn::follow(Next next) noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  switch (next) {
    case Next::done:
      if (progress.expired && !progress.status_set && !exchange.writer.is_framed() &&
          exchange.writer.body_written() == 0) {
        answer_for_handler(503);
        return;
      }
      progress.answered = true;
      finish_answer();
      return;
    case Next::abort:
      close(CloseReason::aborted);
      return;
    case Next::read_body:
      if (progress.body_end_seen) {
        server_.log("a handler asked for more of a body that is over");
        close(CloseReason::aborted);
        return;
      }
      break;
    case Next::write_body:
      progress.cut_short = false;
      break;
    case Next::wait:
      if (progress.wait_deadline == port::never && !progress.wait_set) {
        if (progress.expired) {
          answer_for_handler(503);
          return;
        }
        const port::Duration own = exchange.request.match_.route->options.wait_max;
        progress.wait_deadline =
            port::deadline_after(now(), own > port::Duration::zero() ? own : server_.config_.timeouts.wait);
      }
      break;
  }
  progress.suspended = true;
  progress.gone_wanted = true;
  progress.next = next;
  progress.moved_at = now();
}

// Calls a suspended handler again if what it waits for is there. False: it is not.
bool ServerConn::handle_on() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (!progress.suspended) {
    return false;
  }
  switch (progress.next) {
    case Next::read_body:
      if (progress.resumed) {
        call(Event::resumed);
        return true;
      }
      return feed_handler();
    case Next::write_body:
      if (exchange.tail.kind != Tail::Kind::none ||
          exchange.writer.body_room(exchange.out) < exchange.out.capacity() / 2) {
        send();
        exchange.writer.compact(exchange.out);
      }
      if (exchange.lost || exchange.tail.kind != Tail::Kind::none ||
          (exchange.writer.body_room(exchange.out) < exchange.out.capacity() / 2 && exchange.write_blocked)) {
        return false;
      }
      call(Event::writable);
      return true;
    case Next::wait:
      if (progress.dropped) {
        answer_for_handler(500);
        return true;
      }
      if (progress.resumed) {
        progress.wait_deadline = port::never;
        progress.wait_set = false;
        call(Event::resumed);
        return true;
      }
      send();
      return false;
    case Next::done:
    case Next::abort:
      break;
  }
  return false;
}

// Gives more of the body to a handler that asked for it.
bool ServerConn::feed_handler() noexcept {
  Exchange& exchange = *exchange_;
  Progress& progress = exchange.progress;
  if (progress.body_failed) {
    call(Event::body);
    return true;
  }
  const std::size_t had = exchange.reader.body(exchange.in).size();
  wire::ReadEvent event = exchange.reader.advance(exchange.in);
  if (event == wire::ReadEvent::need_more && input_ended_) {
    event = exchange.reader.input_ended(exchange.in);
  }
  if (exchange.reader.body_received() > progress.body_max) {
    progress.body_too_large = true;
    progress.close_after = true;
    progress.linger = true;
    call(Event::body);
    return true;
  }
  switch (event) {
    case wire::ReadEvent::failed:
      progress.close_after = true;
      progress.linger = true;
      leave_reason_ = CloseReason::bad_request;
      call(Event::body);
      return true;
    case wire::ReadEvent::complete:
    case wire::ReadEvent::body:
    case wire::ReadEvent::head:
      call(Event::body);
      return true;
    case wire::ReadEvent::need_more:
      break;
  }
  if (exchange.reader.body(exchange.in).size() > had) {
    call(Event::body);
    return true;
  }
  exchange.reader.make_room(exchange.in);
  if (exchange.in.room().empty()) {
    // The handler wants more and has let the buffer fill up: more will never fit.
    progress.body_too_large = true;
    progress.close_after = true;
    progress.linger = true;
    call(Event::body);
    return true;
  }
  owe_continue();
  send();
  return false;
}

// The body is wanted now: a client that waits for 100 (Continue) is told so, once, unless it has begun to send anyway or the answer
// has begun.
void ServerConn::owe_continue() noexcept {
  Exchange& exchange = *exchange_;
  // An answer that was begun before the body was asked for stands in its place (net/http).
  if (!exchange.progress.expects_continue || exchange.writer.state() > wire::MessageWriter::State::head) {
    return;
  }
  exchange.progress.expects_continue = false;
  if (exchange.reader.body_received() == 0 &&
      !exchange.writer.insert_interim(exchange.out, "HTTP/1.1 100 Continue\r\n", false)) {
    exchange.progress.expects_continue = true;  // no room yet; the next attempt is after sending
  }
}

Deferred ServerConn::defer() noexcept {
  return {server_, server_.exchanges_.handle_of(*exchange_), requests_};
}

void ServerConn::resume(bool dropped) noexcept {
  Exchange& exchange = *exchange_;
  if (exchange.tail.later) {
    exchange.tail.later = false;
    exchange.progress.wait_deadline = port::never;  // the next time it says `later` it has its full time again
    exchange.progress.wait_set = false;
    if (dropped) {
      exchange.tail.ended = true;
      exchange.progress.source_failed = true;
      exchange.lost = true;  // the source will never give its rest: the client has to notice
    }
  }
  (dropped ? exchange.progress.dropped : exchange.progress.resumed) = true;
  server_.enqueue(*this);
}

const port::Address& ServerConn::local() noexcept {
  if (exchange_->local.family == port::Family::none) {
    if (const auto address = stream_.port().local_address(stream_.socket())) {
      exchange_->local = *address;
    }
  }
  return exchange_->local;
}

}  // namespace pollux::http
