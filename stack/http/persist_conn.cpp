// The life of a connection: how it is made, what it waits for, and how it ends.

#include "stack/http/persist_conn.hpp"

#include <array>
#include <new>
#include <utility>

#include "port/ensure.hpp"
#include "stack/http/host_entry.hpp"
#include "stack/http/proxy.hpp"
#include "stack/http/proxy_tunnel.hpp"
#include "stack/http/transport.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

using State = PersistConn::State;

constexpr unsigned bit(State state) {
  return 1U << static_cast<unsigned>(state);
}

// Which states may follow each state.
constexpr std::array<unsigned, 7> allowed{
    /* connecting */ bit(State::proxying) | bit(State::handshaking) | bit(State::idle) | bit(State::busy) |
        bit(State::closing),
    /* proxying */ bit(State::handshaking) | bit(State::idle) | bit(State::busy) | bit(State::closing),
    /* handshaking */ bit(State::idle) | bit(State::busy) | bit(State::closing),
    /* idle */ bit(State::busy) | bit(State::closing),
    /* busy */ bit(State::idle) | bit(State::busy) | bit(State::draining) | bit(State::closing),
    /* draining */ bit(State::idle) | bit(State::busy) | bit(State::closing),
    /* closing */ 0,
};

CallCause cause_of(net::DialError error) noexcept {
  switch (error) {
    case net::DialError::name:
      return CallCause::name;
    case net::DialError::refused:
      return CallCause::refused;
    case net::DialError::unreachable:
      return CallCause::unreachable;
    case net::DialError::timed_out:
      return CallCause::timed_out;
    case net::DialError::no_descriptors:
      return CallCause::no_descriptors;
    case net::DialError::no_memory:
      return CallCause::no_memory;
    case net::DialError::not_permitted:
      return CallCause::not_permitted;
    case net::DialError::none:
    case net::DialError::failed:
      break;
  }
  return CallCause::failed;
}

// After so long a connection asks again for a TLS session: the clock may have been set, memory may be free. Everything else that frees
// one is noticed at once.
constexpr port::Duration ask_again = std::chrono::seconds{1};

// A handshake that failed like this may go better next time.
bool may_go_better(tls::Error error) noexcept {
  return error == tls::Error::closed || error == tls::Error::lost || error == tls::Error::truncated ||
         error == tls::Error::no_memory || error == tls::Error::clock_not_set;
}

// The peer, or the way to it, is to blame, not the caller or a clock.
bool is_of_peer(CallCause cause) noexcept {
  return cause == CallCause::closed || cause == CallCause::lost || cause == CallCause::tls ||
         cause == CallCause::malformed_chunk || cause == CallCause::malformed_trailer || cause == CallCause::decode ||
         cause == CallCause::decode_limit;
}

}  // namespace

static_assert(sizeof(ProxyTunnel) <= PersistConn::tunnel_size);

PersistConn::PersistConn(Transport& transport, HostEntry& host, port::Time now) noexcept
    : transport_{transport}, host_{host}, made_at_{now}, since_{now} {}

PersistConn::~PersistConn() {
  ENSURE(trip_ == nullptr);
  ENSURE(decoder_ == nullptr);
  clear_views();
  end_tunnel();
  stream_.close();
}

void PersistConn::attach_memory(std::span<char> in, std::span<char> out, std::span<wire::Field> fields,
                                std::size_t head_size_max) noexcept {
  in_memory_ = in;
  in_ = base::Buffer{in};
  out_ = base::Buffer{out};
  reader_ = wire::MessageReader{wire::MessageReader::Kind::response, fields, head_size_max};
}

port::Time PersistConn::now() const noexcept {
  return transport_.now();
}

void PersistConn::enter(State state) noexcept {
  ENSURE((allowed[static_cast<unsigned>(state_)] & bit(state)) != 0);
  state_ = state;
  since_ = now();
  transport_.set_place(*this);
}

void PersistConn::trace(TraceEvent event, std::string_view text, int status) noexcept {
  RoundTrip* trip = trip_ != nullptr ? trip_ : owner;
  if (trip != nullptr) {
    tell(*trip, event, text, status);
  }
}

void PersistConn::tell(RoundTrip& trip, TraceEvent event, std::string_view text, int status) noexcept {
  if (trip.options_.trace) {
    trip.tell({.event = event,
               .at = now(),
               .text = text,
               .address = &remote_,
               .status = status,
               .reused = reused_,
               .tls = event == TraceEvent::tls_done ? stream_.tls_info() : nullptr,
               .connection = serial_});
  }
}

// ---- making

void PersistConn::dial() noexcept {
  const port::Duration wait = transport_.config().timeouts.connect;
  const port::Time deadline = port::deadline_after(now(), wait);
  dialer_.emplace(transport_.loop().port(), transport_.config().resolver,
                  net::callback<&PersistConn::dial_changed>(*this));
  if (host_.address.family == port::Family::none) {
    trace(TraceEvent::names_start, host_.name());
    dialer_->start(host_.name(), host_.port, now(), deadline);
  } else {
    trace(TraceEvent::connect_start, host_.name());
    dialer_->start({.address = host_.address, .path = host_.name()}, now(), deadline);
  }
  check_dial();
}

// Called from within the dialer, which therefore must not be touched now.
void PersistConn::dial_changed() noexcept {
  transport_.check_dials_soon();
}

CallStage PersistConn::dial_stage() const noexcept {
  if (state_ == State::proxying) {
    return CallStage::proxy;
  }
  if (state_ == State::handshaking) {
    return CallStage::handshake;
  }
  const bool has_name = host_.address.family == port::Family::none;
  return has_name && dialer_ && dialer_->resolved_at() == port::never ? CallStage::resolve : CallStage::connect;
}

// What has become of the dialer. Called after everything that may have moved it.
void PersistConn::check_dial() noexcept {
  if (state_ != State::connecting || !dialer_) {
    return;
  }
  if (!names_told_ && dialer_->resolved_at() != port::never) {
    names_told_ = true;
    if (host_.address.family == port::Family::none) {
      trace(TraceEvent::names_done, host_.name());
      trace(TraceEvent::connect_start, host_.name());
    }
  }
  switch (dialer_->state()) {
    case net::Dialer::State::ready:
    case net::Dialer::State::resolving:
    case net::Dialer::State::connecting:
      return;
    case net::Dialer::State::connected:
      connected();
      return;
    case net::Dialer::State::failed: {
      CallError error = make_error(cause_of(dialer_->error()));
      error.stage = dial_stage();
      error.name = dialer_->name_error();
      error.system_error = dialer_->system_error();
      error.retry_safe = true;
      dial_failed(error);
      return;
    }
  }
}

void PersistConn::connected() noexcept {
  remote_ = dialer_->remote();
  stream_ = net::Stream{transport_.loop().port(), dialer_->take()};
  dialer_.reset();
  trace(TraceEvent::connect_done, host_.name());
  if (!host_.tunnels) {
    reached();
    return;
  }
  tunnelled_ = true;
  ::new (static_cast<void*>(in_memory_.data())) ProxyTunnel{};
  const Proxy& proxy = *host_.proxy;
  tunnel().start({.kind = proxy.kind(),
                  .host = host_.target(),
                  .port = host_.target_port,
                  .has_user = proxy.has_user(),
                  .user = proxy.user(),
                  .password = proxy.password(),
                  .fields = transport_.config().proxy_connect_fields,
                  .user_agent = transport_.config().user_agent});
  phase_deadline_ = port::deadline_after(now(), transport_.config().timeouts.proxy);
  enter(State::proxying);
  trace(TraceEvent::proxy_start, host_.target());
  step_tunnel();
}

ProxyTunnel& PersistConn::tunnel() noexcept {
  ENSURE(tunnelled_);
  return *std::launder(static_cast<ProxyTunnel*>(static_cast<void*>(in_memory_.data())));
}

void PersistConn::end_tunnel() noexcept {
  if (tunnelled_) {
    tunnel().~ProxyTunnel();
    tunnelled_ = false;
  }
}

void PersistConn::step_tunnel() noexcept {
  switch (tunnel().step(stream_)) {
    case ProxyTunnel::Status::want_read:
      send_blocked_ = false;
      return;
    case ProxyTunnel::Status::want_write:
      send_blocked_ = true;
      return;
    case ProxyTunnel::Status::done:
      end_tunnel();
      send_blocked_ = false;
      phase_deadline_ = port::never;
      trace(TraceEvent::proxy_done, host_.target());
      reached();
      return;
    case ProxyTunnel::Status::failed: {
      CallError error = make_error(CallCause::proxy_failed);
      error.stage = CallStage::proxy;
      error.through_proxy = true;
      error.retry_safe = true;
      error.status = tunnel().code();
      switch (tunnel().error()) {
        case TunnelError::refused:
          error.cause = CallCause::proxy_refused;
          break;
        case TunnelError::authentication:
          error.cause = CallCause::proxy_authentication;
          break;
        case TunnelError::closed:
          error.cause = CallCause::closed;
          break;
        case TunnelError::lost:
          error.cause = CallCause::lost;
          error.system_error = transport_.loop().port().system_error();
          break;
        case TunnelError::none:
        case TunnelError::malformed:
        case TunnelError::too_large:
          break;
      }
      dial_failed(error);
      return;
    }
  }
}

// What we send now reaches the host itself: TLS, or else the first request.
void PersistConn::reached() noexcept {
  if (!host_.is_https) {
    transport_.dial_done(*this);
    return;
  }
  phase_deadline_ = port::deadline_after(now(), transport_.config().timeouts.tls_handshake);
  asked_at_ = now();
  enter(State::handshaking);
  transport_.admit_soon();
}

bool PersistConn::wants_session() const noexcept {
  return state_ == State::handshaking && !stream_.is_tls() && (!waits_for_clock_ || asked_at_ + ask_again <= now());
}

bool PersistConn::ask_session() noexcept {
  std::string_view name = host_.target();
  if (name.find(':') != std::string_view::npos) {
    name = wire::cut(name, '%').before;  // the zone of an address counts on this machine only
  }
  using Wait = tls::ClientContext::Wait;
  const tls::ClientContext::Admission admission =
      transport_.config().tls->admit(stream_.socket(), name, host_.target_port, asked_session_);
  const bool is_first = !std::exchange(asked_session_, true);
  asked_at_ = now();
  waits_for_clock_ = false;
  if (admission.session != nullptr) {
    stream_.start_tls(*admission.session);
    trace(TraceEvent::tls_start, name);
    step_handshake();
    return true;
  }
  switch (admission.wait) {
    case Wait::for_session:
      transport_.counters().waited_for_tls += is_first ? 1 : 0;
      return false;
    case Wait::for_clock:
      waits_for_clock_ = true;
      return true;
    case Wait::never:
      break;
  }
  handshake_failed({.error = admission.error});
  return true;
}

void PersistConn::step_handshake() noexcept {
  step_due_ = false;
  switch (stream_.handshake()) {
    case tls::Status::want_read:
    case tls::Status::want_write:
      return;
    case tls::Status::again:
      step_due_ = true;
      return;
    case tls::Status::ok:
      handshake_done();
      return;
    case tls::Status::end:
    case tls::Status::failed:
      handshake_failed(*stream_.tls_error());
      return;
  }
}

void PersistConn::handshake_done() noexcept {
  const tls::ConnectionInfo& info = *stream_.tls_info();
  phase_deadline_ = port::never;
  ++transport_.counters().tls_handshakes;
  transport_.counters().tls_resumed += info.resumed ? 1 : 0;
  trace(TraceEvent::tls_done, info.cipher);
  transport_.dial_done(*this);
}

void PersistConn::handshake_failed(const tls::ErrorInfo& info) noexcept {
  CallError error = make_error(CallCause::tls);
  error.stage = CallStage::handshake;
  error.tls = info;
  if (info.error == tls::Error::clock_not_set) {
    error.tls.now_seconds = transport_.loop().port().wall_clock().seconds;
  }
  error.system_error = info.error == tls::Error::lost ? transport_.loop().port().system_error() : 0;
  error.retry_safe = may_go_better(info.error);
  dial_failed(error);
}

void PersistConn::dial_failed(const CallError& error) noexcept {
  transport_.dial_failed(*this, error);
}

// ---- waiting

port::Time PersistConn::prepare(net::PollSet& set, std::uint32_t token) noexcept {
  if (state_ == State::connecting) {
    const port::Time until = dialer_->prepare(set, token);
    return port::earliest(until, trip_deadline());
  }
  wanted_ = port::Events::none;
  switch (state_) {
    case State::proxying:
      wanted_ = send_blocked_ ? port::Events::writable : port::Events::readable;
      break;
    case State::handshaking:
      if (step_due_) {
        return now();
      }
      // Without a session nothing is read; that the connection broke is told all the same.
      wanted_ = stream_.is_tls() ? port::Events::readable : port::Events::none;
      break;
    case State::idle:
    case State::draining:
      wanted_ = port::Events::readable;
      break;
    case State::busy:
      if (wants_to_read()) {
        wanted_ = wanted_ | port::Events::readable;
      }
      if (sends_ && send_blocked_ && !send_failed_) {
        wanted_ = wanted_ | port::Events::writable;
      }
      break;
    case State::connecting:
    case State::closing:
      return port::never;
  }
  // A lost connection with bytes nobody has taken yet would be reported again and again.
  if (wanted_ != port::Events::none || !hangup_seen_) {
    ENSURE(set.add(stream_.socket(), stream_.to_poll(wanted_), token));
  }
  read_due_ = stream_.has_pending() && port::has(wanted_, port::Events::readable);
  return read_due_ ? now() : deadline();
}

// One deadline for everything that this state waits for.
port::Time PersistConn::deadline() const noexcept {
  const TransportTimeouts& timeouts = transport_.config().timeouts;
  switch (state_) {
    case State::connecting:
    case State::proxying:
      return port::earliest(phase_deadline_, trip_deadline());
    case State::handshaking:
      return stream_.is_tls() ? phase_deadline_ : port::earliest(phase_deadline_, asked_at_ + ask_again);
    case State::idle:
      return port::deadline_after(since_, timeouts.idle_conn);
    case State::draining:
      return since_ + timeouts.drain;
    case State::busy:
      break;
    case State::closing:
      return port::never;
  }
  port::Time until = trip_deadline();
  if (message_over_) {
    if (sends_) {
      until = port::earliest(until, finished_at_ + timeouts.early_response);
    } else {
      until = port::earliest(until, port::deadline_after(moved_at_, timeouts.body_unread));
    }
    return until;
  }
  if (waits_continue_) {
    until = port::earliest(until, phase_deadline_);
  }
  if (sends_ && send_blocked_) {
    until = port::earliest(until, port::deadline_after(moved_at_, timeouts.write_stall));
  } else if (sends_ && sender_.is_later()) {
    until = port::earliest(until, port::deadline_after(moved_at_, timeouts.source));
  }
  if (!head_came_) {
    if (send_failed_) {  // an answer that came before the failure is read by then
      until = port::earliest(until, moved_at_ + timeouts.early_response);
    } else if (!sends_) {
      until = port::earliest(until, port::deadline_after(wrote_at_, timeouts.response_header));
    }
    return until;
  }
  until = port::earliest(until, rate_at_);
  return port::earliest(until,
                        port::deadline_after(moved_at_, body().empty() ? timeouts.body_idle : timeouts.body_unread));
}

port::Time PersistConn::trip_deadline() const noexcept {
  return trip_ != nullptr ? trip_->deadline_ : port::never;
}

void PersistConn::expire() noexcept {
  const port::Time time = now();
  if (state_ == State::connecting) {
    dialer_->expire(time);
    check_dial();
    return;
  }
  if (read_due_) {
    read_pending();
    return;
  }
  if (step_due_ && time < phase_deadline_) {
    step_handshake();
    return;
  }
  if (deadline() > time) {
    return;
  }
  const TransportTimeouts& timeouts = transport_.config().timeouts;
  switch (state_) {
    case State::handshaking:
      if (time < phase_deadline_) {
        transport_.admit_soon();
        return;
      }
      if (waits_for_clock_) {
        handshake_failed({.error = tls::Error::clock_not_set});
        return;
      }
      [[fallthrough]];
    case State::proxying: {
      CallError error = make_error(CallCause::timed_out);
      error.stage = dial_stage();
      error.retry_safe = true;
      dial_failed(error);
      return;
    }
    case State::idle:
      close(End::idle_timeout);
      return;
    case State::draining:
      ++transport_.counters().cut;
      close(End::drain_limit);
      return;
    case State::connecting:
    case State::closing:
      return;
    case State::busy:
      break;
  }
  if (trip_deadline() <= time) {
    fail(CallCause::timed_out);
    return;
  }
  if (waits_continue_ && phase_deadline_ <= time) {
    release_body();
    return;
  }
  if (send_failed_ && !head_came_) {
    fail(cause_of_loss());
    return;
  }
  if (message_over_ && sends_) {  // the request is not out in time for another one
    broken_ = true;
    request_over();
    try_finish();
    return;
  }
  if (rate_at_ <= time && head_came_ && !message_over_) {
    const std::uint64_t bytes = reader_.body_received() - rate_bytes_;
    const auto window = std::chrono::duration_cast<std::chrono::milliseconds>(transport_.config().rate_window).count();
    if (!body().empty() || bytes >= transport_.config().rate_min * static_cast<std::uint64_t>(window) / 1000) {
      rate_bytes_ = reader_.body_received();
      rate_at_ = time + transport_.config().rate_window;
      return;
    }
    fail(CallCause::too_slow);
    return;
  }
  const port::Duration send_wait = send_blocked_ ? timeouts.write_stall : timeouts.source;
  if (sends_ && (send_blocked_ || sender_.is_later()) && port::deadline_after(moved_at_, send_wait) <= time) {
    CallError error = make_error(CallCause::timed_out);
    error.stage = CallStage::send;
    fail(error);
    return;
  }
  if (head_came_ && !body().empty()) {
    if (port::deadline_after(moved_at_, timeouts.body_unread) <= time) {
      ++transport_.counters().abandoned;
      fail(CallCause::body_abandoned);
    }
    return;
  }
  fail(CallCause::timed_out);
}

void PersistConn::ready(std::uint32_t index, port::Events events) noexcept {
  using port::Events;
  if (state_ != State::connecting) {
    events = stream_.from_poll(events, wanted_);
  }
  switch (state_) {
    case State::connecting:
      dialer_->ready(index, events, now());
      check_dial();
      return;
    case State::proxying:
      step_tunnel();
      return;
    case State::handshaking:
      if (stream_.is_tls()) {
        step_handshake();
      } else if (port::has(events, Events::error | Events::hangup)) {
        handshake_failed({.error = tls::Error::lost});
      }
      return;
    case State::closing:
      return;
    case State::idle:
      idle_readable();
      return;
    case State::busy:
    case State::draining:
      break;
  }
  const bool broken = port::has(events, Events::error | Events::hangup);
  // Reads before writes, and both before an error is believed: a response that has arrived counts.
  if (port::has(events, Events::readable) || (broken && wants_to_read())) {
    receive();
  } else if (broken) {
    hangup_seen_ = true;
  }
  if (state_ == State::busy && sends_ && send_blocked_ && (port::has(events, Events::writable) || broken)) {
    send_blocked_ = false;
    send();
  }
}

// The way to the peer may be another one now: what has not been answered and may be repeated is begun again elsewhere.
void PersistConn::network_changed() noexcept {
  if (trip_ == nullptr || head_came_ || received_ != 0) {
    return;
  }
  RoundTrip& trip = *trip_;
  const ClientRequest& request = trip.request_;
  if (!request.is_idempotent() || !(request.body().is_replayable() || !sender_.has_begun_body())) {
    return;
  }
  const CallError error = make_error(CallCause::lost);
  trip.body_begun_ = trip.body_begun_ || sender_.has_begun_body();
  close(End::cancelled);
  transport_.attempt_failed(trip, error, true);
}

// ---- ending

void PersistConn::close(End why) noexcept {
  if (state_ == State::closing) {
    return;
  }
  trace(TraceEvent::closed);
  if (state_ == State::idle) {
    transport_.leave_idle(*this);
    transport_.counters().idle_closed += why == End::server_closed ? 1 : 0;
    transport_.counters().unsolicited += why == End::unsolicited ? 1 : 0;
    transport_.counters().evicted += why == End::evicted ? 1 : 0;
  }
  give_back_decoder();
  detach();
  dialer_.reset();
  end_tunnel();
  if (request_whole_) {
    stream_.close();
  } else {
    stream_.abort();  // no close_notify: the server notices that it has only a part
  }
  enter(State::closing);
}

// The round trip has nothing to do with this connection any more.
void PersistConn::detach() noexcept {
  if (trip_ != nullptr) {
    trip_->conn_ = nullptr;
    trip_ = nullptr;
  }
  if (owner != nullptr) {
    owner->own_dial_ = nullptr;
    owner = nullptr;
  }
}

void PersistConn::give_back_decoder() noexcept {
  if (decoder_ != nullptr) {
    transport_.decoders().give_back(*decoder_);
    decoder_ = nullptr;
  }
}

// Our memory is about to change: whoever still looks at a head in it sees nothing from now on.
void PersistConn::clear_views() noexcept {
  if (viewer_ != nullptr) {
    viewer_->head_ = {};
    viewer_->head_text_ = {};
    viewer_->trailers_ = {};
    viewer_->conn_views_ = nullptr;
    viewer_ = nullptr;
  }
}

void PersistConn::become_idle() noexcept {
  enter(State::idle);
}

CallError PersistConn::make_error(CallCause cause) const noexcept {
  CallError error{.cause = cause,
                  .bytes_sent = sender_.bytes_sent(),
                  .bytes_received = received_,
                  .reused = reused_,
                  .through_proxy = host_.proxy != nullptr};
  if (!head_came_) {
    error.stage = sends_ ? CallStage::send : CallStage::head;
  } else {
    error.stage = CallStage::body;
  }
  error.retry_safe = sender_.bytes_sent() == 0 && !head_came_;
  if (const tls::ErrorInfo* info = stream_.tls_error()) {
    error.tls = *info;
  }
  return error;
}

// What it is called that nothing more can be read or written. An alert or a record that is wrong is TLS's own matter.
CallCause PersistConn::cause_of_loss() const noexcept {
  const tls::ErrorInfo* info = stream_.tls_error();
  if (info == nullptr || info->error == tls::Error::none || info->error == tls::Error::lost) {
    return CallCause::lost;
  }
  return info->error == tls::Error::truncated ? CallCause::closed : CallCause::tls;
}

void PersistConn::fail(CallCause cause) noexcept {
  fail(make_error(cause));
}

// The round trip under way has failed, and the connection with it.
void PersistConn::fail(CallError error) noexcept {
  if (trip_ == nullptr) {
    close(End::failed);
    return;
  }
  RoundTrip& trip = *trip_;
  if (error.cause == CallCause::lost && error.system_error == 0) {
    error.system_error = system_error_;
  }
  // What has come of the body is the caller's, before the error is.
  if (head_came_ && is_of_peer(error.cause) && !body().empty()) {
    if (!pending_error_) {
      pending_error_ = error;
      trip.body_due_ = true;
      transport_.complete(trip);
    }
    return;
  }
  // Retry: only on a connection that had served before, only before the first byte of a response; any method if nothing was written, else
  // one that may be repeated (RFC 9110 section 9.2.2; net-http.md 2.6).
  const ClientRequest& request = trip.request_;
  const bool may_repeat = sender_.bytes_sent() == 0 || request.is_idempotent();
  const bool may_rewind = request.body().is_replayable() || !sender_.has_begun_body();
  const bool is_stale =
      error.cause == CallCause::closed || error.cause == CallCause::lost || error.cause == CallCause::tls;
  const bool may_retry = reused_ && is_stale && received_ == 0 && may_repeat && may_rewind;
  const bool begun_body = sender_.has_begun_body();
  if (head_came_) {
    trip.body_received_ = reader_.body_received();
  }
  if (may_retry) {
    trace(TraceEvent::retry);
  }
  close(may_retry ? End::server_closed : End::failed);
  trip.body_begun_ = trip.body_begun_ || begun_body;
  transport_.attempt_failed(trip, error, may_retry);
}

}  // namespace pollux::http
