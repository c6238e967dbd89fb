// The transport as a driver: what it waits for, in which order things happen in a turn, and how round trips begin and end.

#include "stack/http/transport.hpp"

#include <utility>

#include "port/ensure.hpp"

namespace pollux::http {

Transport::Transport(const TransportConfig& config) noexcept
    : config_{config},
      limits_{config.memory.limits},
      memory_{config.memory},
      conns_{config.memory.connections},
      hosts_{config.memory.hosts},
      decoders_{config.memory.decoders} {
  config_.loop.add(*this);
}

Transport::~Transport() {
  close();
  while (RoundTrip* trip = completions_.front()) {
    trip->answer_due_ = trip->body_due_ = false;
    completions_.remove(*trip);
  }
  sweep();
  sweep_hosts();
  config_.loop.remove(*this);
}

// ---- round trips

void Transport::start(RoundTrip& trip) noexcept {
  if (completions_.is_linked(trip)) {
    completions_.remove(trip);  // of its last response: nobody wants to know any more
  }
  ++counters_.round_trips;
  trip.state_ = RoundTrip::State::waiting;
  trip.started_at_ = now();
  const port::Duration wait =
      trip.options_.timeout > port::Duration::zero() ? trip.options_.timeout : config_.timeouts.total;
  trip.deadline_ = port::deadline_after(now(), wait);
  trip.source_open_ = trip.request_.body().kind == RequestBody::Kind::source;
  trips_.push_back(trip);
  const CallCause cause = shut_down_ ? CallCause::shut_down : trip.request_.error();
  if (cause != CallCause::none) {
    end(trip, {.stage = CallStage::check, .cause = cause});
    return;
  }
  trip.asks_gzip_ = trip.options_.decode && !config_.disable_compression && DecoderPool::is_built() &&
                    decoders_reserved_ < limits_.decoders && trip.request_.method_id() != wire::Method::head &&
                    !trip.request_.find("Accept-Encoding") && !trip.request_.find("Range");
  decoders_reserved_ += trip.asks_gzip_ ? 1 : 0;
  trip.queue_ = RoundTrip::Queue::fresh;
  fresh_.push_back(trip);
}

// The round trip is over; what it knows stays. Its callbacks may still be due.
void Transport::leave(RoundTrip& trip) noexcept {
  unqueue(trip);
  trips_.remove(trip);
  trip.state_ = RoundTrip::State::done;
  trip.deadline_ = port::never;
  if (trip.host_ != nullptr) {
    --trip.host_->round_trips;
    hosts_unused_ = true;
    trip.host_ = nullptr;
  }
  if (trip.asks_gzip_) {
    trip.asks_gzip_ = false;
    --decoders_reserved_;
  }
  if (trip.source_open_) {
    trip.source_open_ = false;
    const BodySource& source = trip.request_.body().source;
    if (source.close != nullptr) {
      source.close(source.object);
    }
  }
}

void Transport::succeed(RoundTrip& trip) noexcept {
  leave(trip);
  if (trip.answer_due_ || trip.body_due_) {
    complete(trip);
  }
}

void Transport::end(RoundTrip& trip, const CallError& error) noexcept {
  ENSURE(trip.conn_ == nullptr);
  ++counters_.failed;
  trip.error_ = error;
  trip.error_.elapsed = now() - trip.started_at_;
  leave(trip);
  if (trip.body_state_ == ResponseBodyState::more) {
    trip.body_state_ = ResponseBodyState::failed;
  }
  // A body that fails before the answer was told fails twice for its user: in `answered`, and in the callback it sets there.
  trip.answer_due_ = !trip.told_;
  trip.body_due_ = trip.told_ || trip.head_known_;
  complete(trip);
}

void Transport::cancel(RoundTrip& trip, CallCause cause) noexcept {
  if (!trip.is_under_way()) {
    return;
  }
  if (trip.is_calling_out_) {
    trip.cancel_due_ = cancel_soon_ = true;
    return;
  }
  if (trip.conn_ == nullptr) {
    end(trip, {.stage = CallStage::wait, .cause = cause, .retry_safe = true});
    return;
  }
  PersistConn& conn = *trip.conn_;
  const CallError error = conn.make_error(cause);
  conn.close(PersistConn::End::cancelled);
  end(trip, error);
}

// It is being destroyed: nobody is told, and nothing points to it any more.
void Transport::forget(RoundTrip& trip) noexcept {
  ENSURE(!trip.is_calling_out_);  // destroyed by its own trace hook, or its body's source
  if (trip.is_under_way()) {
    cancel(trip, CallCause::cancelled);
  }
  if (completions_.is_linked(trip)) {
    completions_.remove(trip);
  }
  if (trip.conn_views_ != nullptr) {
    trip.conn_views_->clear_views();
  }
  if (trip.response_ != nullptr) {
    trip.response_->let_go();
  }
  if (running_ == &trip) {
    running_ = nullptr;
  }
}

void Transport::attempt_failed(RoundTrip& trip, const CallError& error, bool may_retry) noexcept {
  if (may_retry && !shut_down_ && trip.retries_ <= limits_.connections) {
    const BodySource& source = trip.request_.body().source;
    trip.is_calling_out_ = true;
    const bool is_back =
        !trip.body_begun_ || trip.request_.body().kind != RequestBody::Kind::source || source.rewind(source.object);
    trip.is_calling_out_ = false;
    if (!is_back) {
      CallError failure = error;
      failure.cause = CallCause::cannot_rewind;
      end(trip, failure);
      return;
    }
    trip.body_begun_ = false;
    ++trip.retries_;
    ++counters_.retried;
    trip.state_ = RoundTrip::State::waiting;
    trip.queue_ = RoundTrip::Queue::fresh;
    fresh_.push_back(trip);
    return;
  }
  end(trip, error);
}

void Transport::complete(RoundTrip& trip) noexcept {
  if ((trip.answer_due_ || trip.body_due_) && !completions_.is_linked(trip)) {
    completions_.push_back(trip);
  }
}

// ---- callbacks

void Transport::run_completions() noexcept {
  // Only those that are due now: what a callback begins and what fails at once is the next turn's, so that no caller can hold the loop.
  for (std::size_t left = completions_.size(); left > 0 && !completions_.is_empty(); --left) {
    run_completion(*completions_.pop_front());
  }
}

void Transport::run_completion(RoundTrip& trip) noexcept {
  running_ = &trip;
  if (trip.answer_due_) {
    trip.answer_due_ = false;
    trip.told_ = true;
    Response response{trip};
    trip.answered_(response);
    // Here the round trip may be gone, or begun again; the handle knows.
  }
  if (running_ == &trip && trip.body_due_ && !trip.answer_due_) {
    trip.body_due_ = false;
    if (trip.on_body_ && trip.response_ != nullptr) {
      trip.on_body_();
    }
  }
  // What was consumed inside the callback is known there. Left in the list it would cost a turn that has nothing to do.
  if (running_ == &trip && !trip.answer_due_ && !trip.body_due_ && completions_.is_linked(trip)) {
    completions_.remove(trip);
  }
  running_ = nullptr;
}

// ---- the turn

bool Transport::has_work() const noexcept {
  return !fresh_.is_empty() || !completions_.is_empty() || !ended_.is_empty() || send_soon_ || serve_soon_ ||
         check_dials_ || cancel_soon_ || admit_soon_;
}

port::Time Transport::prepare(net::PollSet& set, port::Time now) {
  if (config_.tls != nullptr) {
    config_.tls->begin_turn();
    admit_soon_ = admit_soon_ || may_admit();
  }
  deadline_ = port::never;
  const auto add = [&](PersistConn& conn) {
    deadline_ = port::earliest(deadline_, conn.prepare(set, conns_.index_of(conn) * tokens_each));
  };
  dialing_.for_each(add);
  active_.for_each(add);
  idle_.for_each(add);
  host_list_.for_each([&](HostEntry& host) {
    host.idle_wait.for_each([&](RoundTrip& trip) { deadline_ = port::earliest(deadline_, trip.deadline_); });
  });
  return has_work() ? now : deadline_;
}

void Transport::ready(std::uint32_t token, port::Events events, port::Time) {
  if (PersistConn* conn = conns_.at(token / tokens_each)) {
    conn->ready(token % tokens_each, events);
  }
}

void Transport::parked_ready(std::uint32_t, port::Events, port::Time) {
  ENSURE(false);  // nothing of ours is parked: there are few idle connections, and they are in the poll set
}

void Transport::expire(port::Time now) {
  if (now < deadline_) {
    // The resolver may have moved a dialer without saying so; its user wants to know when names were there.
    dialing_.for_each([](PersistConn& conn) { conn.check_dial(); });
    return;
  }
  const auto expire_one = [](PersistConn& conn) { conn.expire(); };
  dialing_.for_each(expire_one);
  active_.for_each(expire_one);
  idle_.for_each(expire_one);
  for (RoundTrip* trip = trips_.front(); trip != nullptr;) {
    RoundTrip* following = trips_.next(*trip);
    if (trip->state_ == RoundTrip::State::waiting && trip->deadline_ <= now) {
      end(*trip, waiting_error(*trip, CallCause::timed_out));
    }
    trip = following;
  }
}

// Of a round trip that has no connection yet: how far its own dial has come.
CallError Transport::waiting_error(const RoundTrip& trip, CallCause cause) const noexcept {
  CallError error{.stage = CallStage::wait, .cause = cause, .retry_safe = true};
  if (trip.own_dial_ != nullptr) {
    error.stage = trip.own_dial_->dial_stage();
    error.through_proxy = trip.own_dial_->host().proxy != nullptr;
  }
  return error;
}

// What a trace hook or a source has cancelled, in the middle of something.
void Transport::cancel_due() noexcept {
  cancel_soon_ = false;
  trips_.for_each([this](RoundTrip& trip) {
    if (std::exchange(trip.cancel_due_, false)) {
      cancel(trip, CallCause::cancelled);
    }
  });
  // A trace hook may have ended another one under the loop.
  trips_.for_each([this](const RoundTrip& trip) { cancel_soon_ = cancel_soon_ || trip.cancel_due_; });
}

void Transport::work(port::Time) {
  if (cancel_soon_) {
    cancel_due();
  }
  if (check_dials_) {
    check_dials_ = false;
    dialing_.for_each([](PersistConn& conn) { conn.check_dial(); });
  }
  run_completions();
  if (send_soon_) {
    send_soon_ = false;
    active_.for_each([](PersistConn& conn) {
      if (conn.send_soon_) {
        conn.send_soon_ = false;
        conn.send();
      }
    });
    // A source may have ended another round trip, whose connection then left the list under the loop, and hid those behind it.
    active_.for_each([this](const PersistConn& conn) { send_soon_ = send_soon_ || conn.send_soon_; });
  }
  sweep();
  if (serve_soon_ || !fresh_.is_empty()) {
    serve_waiting();
    sweep();
  }
  if (admit_soon_) {
    admit_waiting();
  }
  if (hosts_unused_) {
    sweep_hosts();
  }
}

void Transport::sweep() noexcept {
  while (PersistConn* conn = ended_.pop_front()) {
    HostEntry& host = conn->host();
    conns_.give_back(*conn);
    --host.unswept;
    hosts_unused_ = true;
    serve_soon_ = serve_soon_ || !slot_wait_.is_empty();
  }
}

// Gives back the entries that nothing uses any more.
void Transport::sweep_hosts() noexcept {
  hosts_unused_ = false;
  host_list_.for_each([this](HostEntry& host) {
    if (host.round_trips == 0 && host.conns == 0 && host.unswept == 0) {
      host_list_.remove(host);
      hosts_.give_back(host);
    }
  });
}

// ---- the end

void Transport::close_idle_connections() noexcept {
  closing_idle_ = true;
  while (PersistConn* conn = idle_.front()) {
    conn->close(PersistConn::End::not_reusable);
  }
  for (PersistConn* conn = dialing_.front(); conn != nullptr;) {
    PersistConn* following = dialing_.next(*conn);
    if (conn->owner == nullptr) {
      conn->close(PersistConn::End::cancelled);
    }
    conn = following;
  }
}

void Transport::network_changed() noexcept {
  close_idle_connections();
  if (config_.resolver != nullptr) {
    config_.resolver->forget();
  }
  for (PersistConn* conn = active_.front(); conn != nullptr;) {
    PersistConn* following = active_.next(*conn);
    conn->network_changed();
    conn = following;
  }
  for (PersistConn* conn = dialing_.front(); conn != nullptr;) {
    PersistConn* following = dialing_.next(*conn);
    RoundTrip* trip = conn->owner;
    conn->close(PersistConn::End::cancelled);
    if (trip != nullptr) {
      unqueue(*trip);
      trip->queue_ = RoundTrip::Queue::fresh;
      fresh_.push_back(*trip);
    }
    conn = following;
  }
  closing_idle_ = false;
}

void Transport::close() noexcept {
  shut_down_ = true;
  cancel_soon_ = false;
  while (RoundTrip* trip = trips_.front()) {
    ENSURE(!trip->is_calling_out_);
    cancel(*trip, CallCause::shut_down);
  }
  for (ConnList* list : {&dialing_, &active_, &idle_}) {
    while (PersistConn* conn = list->front()) {
      conn->close(PersistConn::End::shut_down);
    }
  }
}

std::size_t Transport::connections_used() const noexcept {
  return conns_.used();
}

std::size_t Transport::connections_used_max() const noexcept {
  return conns_.used_max();
}

std::size_t Transport::connections_idle() const noexcept {
  return idle_.size();
}

std::size_t Transport::hosts_used() const noexcept {
  return hosts_.used();
}

std::size_t Transport::round_trips_under_way() const noexcept {
  return trips_.size();
}

}  // namespace pollux::http
