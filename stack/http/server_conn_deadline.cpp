// Until when a connection waits, and what happens when it has waited too long.

#include <chrono>

#include "port/ensure.hpp"
#include "stack/http/server.hpp"

namespace pollux::http {

void ServerConn::on_deadline() noexcept {
  switch (state_) {
    case State::closing:
      return;
    case State::handshaking:
      close(server_.shutting_down_ ? CloseReason::shutdown : CloseReason::handshake_timeout);
      return;
    case State::idle:
      close(requests_ == 0 ? (server_.shutting_down_ ? CloseReason::shutdown : CloseReason::head_timeout)
                           : CloseReason::idle_timeout);
      return;
    case State::waiting:
      close(CloseReason::head_timeout);
      return;
    case State::lingering:
      close(leave_reason_);
      return;
    case State::reading:
    case State::handling:
    case State::finishing:
      break;
  }
  Progress& progress = exchange_->progress;
  const port::Time time = now();
  if (state_ == State::reading && !progress.head_whole && (exchange_->in.is_empty() || exchange_->write_blocked)) {
    close(CloseReason::write_timeout);
    return;
  }
  if (state_ == State::reading && !progress.head_whole) {
    if (server_.config_.answer_head_timeout && has_room_for_answer()) {
      refuse(408, "", CloseReason::head_timeout);
      server_.enqueue(*this);
    } else {
      close(CloseReason::head_timeout);
    }
    return;
  }
  // The window of the minimum rate is over: fast enough opens the next.
  const ServerTimeouts& timeouts = server_.config_.timeouts;
  if (progress.rate_at <= time && wants_body()) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(timeouts.rate_window).count();
    if (progress.rate_bytes * 1000 >= std::uint64_t{timeouts.rate_min} * static_cast<std::uint64_t>(milliseconds)) {
      progress.rate_at = time + timeouts.rate_window;
      progress.rate_bytes = 0;
      refresh_deadline();
      if (deadline_ > time) {
        return;
      }
    }
  }
  if (exchange_->write_blocked &&
      (progress.write_deadline <= time || port::deadline_after(progress.moved_at, timeouts.stall) <= time)) {
    close(CloseReason::write_timeout);
    return;
  }
  if (state_ == State::reading) {
    refuse(408, "", CloseReason::body_timeout);
    server_.enqueue(*this);
    return;
  }
  if (progress.suspended && progress.next == Next::wait) {
    progress.wait_deadline = port::never;
    progress.wait_set = false;
    progress.expired = true;
    call(Event::expired);
    if (state_ != State::closing) {
      server_.enqueue(*this);
    }
    return;
  }
  if (exchange_->tail.later && progress.wait_deadline <= time) {
    close(CloseReason::aborted);
    return;
  }
  if (progress.write_deadline <= time) {
    close(CloseReason::write_timeout);
    return;
  }
  if (progress.suspended && progress.next == Next::read_body) {
    progress.body_failed = true;
    leave_reason_ = CloseReason::body_timeout;
    server_.enqueue(*this);
    return;
  }
  close(state_ == State::finishing ? CloseReason::body_timeout : CloseReason::write_timeout);
}

port::Time ServerConn::slow_since(port::Time now) const noexcept {
  constexpr port::Duration standstill = 3s;
  constexpr port::Duration grace = 5s;
  constexpr std::int64_t trickle = 4096;  // bytes per second
  if (exchange_ == nullptr || (!wants_body() && !exchange_->write_blocked)) {
    return port::never;
  }
  const Progress& progress = exchange_->progress;
  if (progress.moved_at + standstill <= now) {
    return progress.moved_at;
  }
  const port::Duration taken = now - since_;
  const auto received = static_cast<std::int64_t>(exchange_->reader.body_received());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(taken).count();
  return wants_body() && taken >= grace && received < trickle * seconds ? since_ : port::never;
}

void ServerConn::refresh_deadline() noexcept {
  const ServerTimeouts& timeouts = server_.config_.timeouts;
  deadline_ = port::never;
  switch (state_) {
    case State::handshaking:
      deadline_ = port::deadline_after(accepted_at_, timeouts.handshake);
      if (server_.shutting_down_) {
        deadline_ = port::earliest(deadline_, accepted_at_ + 5s);
      }
      return;
    case State::idle:
      deadline_ = port::deadline_after(since_, requests_ == 0 ? timeouts.read_head : timeouts.idle);
      if (server_.shutting_down_ && requests_ == 0) {
        deadline_ = port::earliest(deadline_, since_ + 5s);
      }
      return;
    case State::waiting:
      deadline_ = port::deadline_after(since_, timeouts.read_head);
      return;
    case State::lingering:
      deadline_ = port::deadline_after(since_, timeouts.linger);
      return;
    case State::closing:
      return;
    case State::reading:
    case State::handling:
    case State::finishing:
      break;
  }
  Progress& progress = exchange_->progress;
  if (state_ == State::reading && !progress.head_whole) {
    // While the client does not take the last answer, the next head is not looked at and cannot be late.
    const bool waits_for_head = !exchange_->in.is_empty() && !exchange_->write_blocked;
    deadline_ = waits_for_head ? port::deadline_after(since_, timeouts.read_head) : progress.write_deadline;
  } else {
    deadline_ = progress.write_deadline;
    if (wants_body()) {
      if (progress.rate_at == port::never && timeouts.rate_min != 0) {
        progress.rate_at = port::deadline_after(now(), timeouts.rate_window);
        progress.rate_bytes = 0;
      }
      deadline_ = port::earliest(deadline_, progress.read_deadline);
      deadline_ = port::earliest(deadline_, progress.rate_at);
      deadline_ = port::earliest(deadline_, port::deadline_after(progress.moved_at, timeouts.stall));
    } else {
      progress.rate_at = port::never;
    }
    if ((progress.suspended && progress.next == Next::wait) || exchange_->tail.later) {
      deadline_ = port::earliest(deadline_, progress.wait_deadline);
    }
  }
  if (exchange_->write_blocked) {
    deadline_ = port::earliest(deadline_, port::deadline_after(progress.moved_at, timeouts.stall));
  }
}

}  // namespace pollux::http
