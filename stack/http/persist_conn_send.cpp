// A request on its way out.

#include <array>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/http/host_entry.hpp"
#include "stack/http/persist_conn.hpp"
#include "stack/http/proxy.hpp"
#include "stack/http/transport.hpp"
#include "stack/wire/slice.hpp"
#include "stack/wire/url.hpp"

namespace pollux::http {

// The host as a Host field says it: without a port that the scheme implies (net/http removes only an empty one; so do we), and
// without an IPv6 zone, which means nothing elsewhere (RFC 6874 section 4).
namespace {

void put_host(base::TextWriter& head, const ClientRequest& request) noexcept {
  if (!request.host().empty()) {
    head.put(request.host());
    return;
  }
  const wire::Url& url = request.url();
  const std::size_t zone = url.hostname.find('%');
  if (zone == std::string_view::npos) {
    head.put(url.hostname);
  } else {
    head.put(wire::slice(url.hostname, 0, zone)).put(']');
  }
  if (!url.port.empty()) {
    head.put(':').put(url.port);
  }
}

}  // namespace

void PersistConn::begin(RoundTrip& trip) noexcept {
  ENSURE(trip_ == nullptr);
  ENSURE(out_.is_empty());
  clear_views();
  trip_ = &trip;
  trip.conn_ = this;
  trip.reused_ = reused_;
  trip.remote_ = remote_;
  trip.state_ = RoundTrip::State::sending;
  const bool was_idle = state_ == State::idle;
  const port::Duration idle_time = was_idle ? now() - since_ : port::Duration{};
  enter(State::busy);
  trip.tell({.event = TraceEvent::got_conn,
             .at = now(),
             .address = &remote_,
             .reused = reused_,
             .was_idle = was_idle,
             .idle_time = idle_time,
             .tls = stream_.is_tls() ? stream_.tls_info() : nullptr,
             .connection = serial_});
  received_ = drained_ = rate_bytes_ = 0;
  pending_error_.reset();
  decoder_ended_ = hangup_seen_ = send_soon_ = switched_ = false;
  head_bytes_ = 0;
  rate_at_ = phase_deadline_ = port::never;
  moved_at_ = wrote_at_ = since_;
  send_blocked_ = send_failed_ = waits_continue_ = head_came_ = message_over_ = keep_alive_ = false;
  sends_ = true;
  read_due_ = request_whole_ = false;
  sender_ = MessageSender{};
  if (writer_.state() != wire::MessageWriter::State::idle) {
    writer_.release();
  }
  if (const CallCause cause = compose(trip.request_); cause != CallCause::none) {
    broken_ = true;
    CallError error = make_error(cause);
    error.stage = CallStage::check;
    fail(error);
    return;
  }
  reader_.start(trip.request_.method_id());
  if (trip.options_.trace) {
    trace(TraceEvent::wrote_head, wire::slice(out_.data(), 0, out_.size()));
  }
  if (trip.request_.expect_continue() && trip.request_.body_size() != 0 &&
      transport_.config().timeouts.expect_continue > port::Duration::zero()) {
    waits_continue_ = true;
    sender_.hold_body();
  }
  send();
}

// Puts the head together in the input buffer, which is empty between two messages, and from there into the output buffer.
CallCause PersistConn::compose(const ClientRequest& request) noexcept {
  ENSURE(in_.is_empty());
  const TransportConfig& config = transport_.config();
  base::TextWriter head{in_memory_};
  head.put(request.method()).put(' ');
  const bool absolute = host_.proxy != nullptr && !host_.tunnels;
  if (absolute) {
    head.put(request.url().scheme).put("://");
    put_host(head, request);
  }
  const auto target = wire::format_request_target(request.url(), head.space());
  if (!target) {
    return CallCause::head_too_long;
  }
  head.produced(target->size());
  head.put(" HTTP/1.1\r\nHost: ");
  put_host(head, request);
  head.put("\r\n");
  if (!request.has_user_agent() && !config.user_agent.empty()) {
    head.put("User-Agent: ").put(config.user_agent).put("\r\n");
  }
  if (absolute && host_.proxy->has_user() && !request.find("Proxy-Authorization")) {
    std::array<char, basic_size_max> memory;
    head.put("Proxy-Authorization: ")
        .put(write_basic_credentials(host_.proxy->user(), host_.proxy->password(), memory))
        .put("\r\n");
  }
  head.put(request.field_lines());
  if (trip_->asks_gzip_) {
    head.put("Accept-Encoding: gzip\r\n");
  }
  if (request.expect_continue() && request.body_size() != 0) {
    head.put("Expect: 100-continue\r\n");
  }
  if (head.overflowed() || !writer_.start(out_, head.view())) {
    return CallCause::head_too_long;
  }
  const bool says_close = request.close() || (config.disable_keep_alives && !request.is_upgrade());
  if (!sender_.begin(writer_, out_, request, says_close ? "close" : std::string_view{})) {
    return CallCause::head_too_long;
  }
  return CallCause::none;
}

void PersistConn::send() noexcept {
  if (!sends_ || send_blocked_ || send_failed_ || state_ != State::busy) {
    return;
  }
  const std::uint64_t before = sender_.bytes_sent();
  trip_->is_calling_out_ = true;
  const MessageSender::Outcome outcome = sender_.send(stream_, writer_, out_);
  trip_->is_calling_out_ = false;
  if (sender_.bytes_sent() != before) {
    transport_.counters().bytes_sent += sender_.bytes_sent() - before;
    moved_at_ = now();
  }
  if (stream_.take_sent() != 0) {
    moved_at_ = now();  // a part of a record, perhaps
  }
  switch (outcome) {
    case MessageSender::Outcome::sent:
      sent_all();
      return;
    case MessageSender::Outcome::blocked:
    case MessageSender::Outcome::yielded:  // the socket is writable: the next turn goes on
      send_blocked_ = true;
      return;
    case MessageSender::Outcome::later:
      if (send_soon_) {
        sender_.resume();  // said while the source was asked
      }
      if (waits_continue_ && phase_deadline_ == port::never && sender_.is_head_sent()) {
        phase_deadline_ = now() + transport_.config().timeouts.expect_continue;
        trace(TraceEvent::wait_continue);
      }
      return;
    case MessageSender::Outcome::lost:
      // The answer may be there all the same: a server that refuses a body says so and closes (net-http.md 2.7). Reading will tell; if
      // nothing was written there can be none.
      send_failed_ = true;
      moved_at_ = now();  // from where the wait for an answer counts
      broken_ = true;
      if (cause_of_loss() == CallCause::lost) {
        system_error_ = transport_.loop().port().system_error();
      }
      if (message_over_) {  // the answer is whole, and the rest of the request is not needed
        request_over();
        try_finish();
        return;
      }
      if (sender_.bytes_sent() == 0 || input_ended_ || input_lost_) {
        fail(cause_of_loss());
      }
      return;
    case MessageSender::Outcome::source_failed:
      broken_ = true;
      fail(CallCause::source_failed);
      return;
    case MessageSender::Outcome::wrong_size:
      broken_ = true;
      fail(CallCause::body_mismatch);
      return;
  }
}

void PersistConn::sent_all() noexcept {
  request_whole_ = true;
  trace(TraceEvent::wrote_request);
  wrote_at_ = now();
  request_over();
  if (message_over_) {
    try_finish();
  }
}

// Nothing more of the request will be sent.
void PersistConn::request_over() noexcept {
  sends_ = false;
  send_blocked_ = false;
  waits_continue_ = false;
  phase_deadline_ = port::never;
  if (trip_ != nullptr && trip_->state_ == RoundTrip::State::sending) {
    trip_->state_ = RoundTrip::State::awaiting_head;
  }
}

// The server wants the body, or has been waited for long enough.
void PersistConn::release_body() noexcept {
  waits_continue_ = false;
  phase_deadline_ = port::never;
  sender_.release_body();
  send();
}

// Sends in this turn's work: not from within an event or a caller's call.
void PersistConn::send_soon() noexcept {
  send_soon_ = true;
  transport_.run_soon();
}

void PersistConn::resume_send() noexcept {
  sender_.resume();
  if (state_ == State::busy && sends_) {
    send_soon();
  }
}

}  // namespace pollux::http
