#include "apps/gateway/relay.hpp"

#include <algorithm>
#include <cstring>

#include "apps/gateway/forward.hpp"
#include "apps/gateway/gateway.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::gateway {

namespace {

using http::CallCause;
using http::CallStage;
using http::Next;
using http::PullResult;
using State = Relay::State;

constexpr unsigned bit(State state) {
  return 1U << static_cast<unsigned>(state);
}

// Which states may follow each state.
constexpr std::array<unsigned, 5> allowed{
    /* free */ bit(State::calling),
    /* calling */ bit(State::answering) | bit(State::switching) | bit(State::ending) | bit(State::free),
    /* answering */ bit(State::ending) | bit(State::free),
    /* switching */ bit(State::ending) | bit(State::free),
    /* ending */ bit(State::free),
};

// Nothing has reached the upstream, so any request may be sent to another one.
bool never_arrived(const http::CallError& error) noexcept {
  switch (error.stage) {
    case CallStage::check:
    case CallStage::wait:
    case CallStage::resolve:
    case CallStage::connect:
    case CallStage::handshake:
      return true;
    case CallStage::proxy:
    case CallStage::send:
    case CallStage::head:
    case CallStage::body:
    case CallStage::redirect:
      break;
  }
  return false;
}

}  // namespace

Relay::Relay(Gateway& gateway, http::Transport& transport, const RelayMemory& memory) noexcept
    : gateway_{gateway}, trip_{transport, memory.trip}, memory_{memory} {}

void Relay::enter(State state) noexcept {
  ENSURE((allowed[static_cast<unsigned>(state_)] & bit(state)) != 0);
  state_ = state;
}

// ---- called by the handler

Next Relay::begin(http::ResponseWriter& writer, http::Request& request, std::size_t route) noexcept {
  enter(State::calling);
  request_ = &request;
  route_ = static_cast<std::uint8_t>(route);
  tried_ = 0;
  request_given_ = 0;
  interim_size_ = trailers_size_ = head_size_ = 0;
  was_last_resort_ = outcome_came_ = has_failed_ = wants_body_ = body_over_ = answer_waits_ = source_over_ = false;
  static_cast<void>(call_next(request));
  return go_on(writer, request);
}

Next Relay::go_on(http::ResponseWriter& writer, http::Request& request) noexcept {
  switch (request.event()) {
    case http::Event::gone:
      request_ = nullptr;
      end();
      return Next::done;
    case http::Event::expired:
      // The transport's own deadlines end a call that stands still; this one is for a call that does not get a connection.
      if (state_ == State::calling && !outcome_came_) {
        fail(trip_.state() == http::RoundTrip::State::waiting ? 503 : 504, "the upstream takes too long", true);
      }
      break;
    case http::Event::resumed:
      deferred_held_ = false;
      break;
    case http::Event::start:
    case http::Event::body:
    case http::Event::writable:
      break;
  }
  if (wants_body_ && (!request.body_bytes().empty() || request.body_state() != http::BodyState::more)) {
    wants_body_ = false;
    trip_.resume_body();
  }
  switch (state_) {
    case State::calling:
      if (interim_size_ != 0) {
        give_interim(writer);
      }
      if (!outcome_came_) {
        return suspend(request);
      }
      return has_failed_ ? give_failure(writer, request) : give_head(writer, request);
    case State::answering:
      return source_over_ ? give_end(writer) : suspend(request);
    case State::switching:
      return take_over(writer, request);
    case State::free:
    case State::ending:
      break;
  }
  ENSURE(false);  // a relay without a request is not called
  return Next::abort;
}

// Waits for the rest of the request if the upstream asked for it, and in any case to be woken.
Next Relay::suspend(http::Request& request) noexcept {
  if (!deferred_held_) {
    deferred_ = request.defer();
    deferred_held_ = true;
  }
  if (wants_body_ && request.body_state() == http::BodyState::more) {
    return Next::read_body;
  }
  // Once the answer has begun the deadlines are those of the two connections.
  const GatewayOptions& options = gateway_.config().options;
  request.set_wait_deadline(state_ == State::calling
                                ? options.connect_timeout + options.response_timeout + options.body_timeout
                                : port::Duration::zero());
  return Next::wait;
}

void Relay::wake() noexcept {
  if (deferred_held_) {
    deferred_held_ = false;
    deferred_.resume();
  }
}

// The client has its answer, or is gone: the slot comes back when the call is over too.
void Relay::end() noexcept {
  wake();  // of a request that is gone or done it wakes nobody; nothing may be held
  request_ = nullptr;
  if (tunnel_ != nullptr) {
    gateway_.settings_.tunnels.give_up(*tunnel_);
    tunnel_ = nullptr;
  }
  enter(State::ending);
  response_.close();
  if (trip_.is_under_way()) {
    trip_.cancel();
  }
  leave_upstream();
  if (!answer_due_) {
    enter(State::free);
    gateway_.give_back(*this);
  }
}

// ---- calling

// Calls the next upstream that has not been tried. False: there is none, and failure_ says what to answer.
bool Relay::call_next(http::Request& request) noexcept {
  const auto choice = gateway_.upstreams_.choose(route_, tried_, request.now());
  if (!choice) {
    return false;
  }
  tried_ |= Tried{1} << choice->place;
  was_last_resort_ = was_last_resort_ || choice->is_last_resort;
  upstream_ = choice->upstream;
  gateway_.upstreams_.began(upstream_);
  at_upstream_ = true;
  return call(request);
}

bool Relay::call(http::Request& request) noexcept {
  const Config& config = gateway_.config();
  const UpstreamConfig& upstream = config.upstreams[upstream_];
  http::ClientRequest& out = trip_.request();
  if (!forward_request(config, config.routes[route_], upstream, request, out)) {
    fail(414, "URI too long");
    return false;
  }
  if (request.content_length() != 0U) {
    out.set_body({.kind = http::RequestBody::Kind::source,
                  .size = request.content_length(),
                  .source = {.pull = &Relay::pull_request, .object = this, .rewind = &Relay::rewind_request}});
  }
  http::RoundTripOptions options{.trace = net::callback<&Relay::traced>(*this)};
  if (!upstream.socket.empty()) {
    options.endpoint = port::Endpoint{.address = {.family = port::Family::local}, .path = upstream.socket};
  }
  answer_due_ = true;
  trip_.start(net::callback<&Relay::answered>(*this), options);
  return true;
}

void Relay::answered(http::Response& response) noexcept {
  answer_due_ = false;
  if (state_ == State::ending) {
    response.close();
    enter(State::free);
    gateway_.give_back(*this);
    return;
  }
  ENSURE(state_ == State::calling);
  if (outcome_came_) {
    return;  // given up by a deadline of ours, which is already told
  }
  if (!response) {
    take_failure(response.error());
  } else if (response.status() == 101) {
    take_switch(response);
  } else {
    take_head(response);
  }
  if (outcome_came_) {
    wake();
  }
}

// Interim heads other than 100, which our server sends when the body is wanted, go to the client.
void Relay::traced(const http::Trace& trace) noexcept {
  if (trace.event != http::TraceEvent::got_interim || trace.status <= 101 || state_ != State::calling ||
      interim_size_ != 0 || trace.text.size() > memory_.interim.size()) {
    return;
  }
  std::memcpy(memory_.interim.data(), trace.text.data(), trace.text.size());
  interim_size_ = trace.text.size();
  wake();
}

// The head is copied: the upstream's connection may serve another request before this client is told.
void Relay::take_head(http::Response& response) noexcept {
  const std::string_view text = response.head_text();
  ENSURE(text.size() <= memory_.head.size());  // RelaySizes::head is the transport's limit
  std::memcpy(memory_.head.data(), text.data(), text.size());
  head_size_ = text.size();
  length_ = response.content_length();
  outcome_came_ = true;
  upstream_ok();
  body_over_ = response.body_state() == http::ResponseBodyState::complete;
  if (body_over_) {
    response.close();
    leave_upstream();
    return;
  }
  response_ = std::move(response);
  response_.on_body(net::callback<&Relay::body_changed>(*this));
}

void Relay::take_switch(http::Response& response) noexcept {
  outcome_came_ = true;
  if (request_ == nullptr || !asks_for_upgrade(*request_)) {
    upstream_failed("it switched protocols unasked");
    fail(502, "the upstream switched protocols unasked");
    return;
  }
  upstream_ok();
  Tunnels& tunnels = gateway_.settings_.tunnels;
  if (tunnels.is_full()) {
    ++gateway_.counters_.no_tunnel;
    fail(503, "too many upgraded connections", true);
    return;
  }
  wire::ResponseHead head;
  if (wire::parse_response_head(response.head_text(), memory_.fields, head) != wire::HeadError::none) {
    fail(502, "the upstream's answer is not understood");
    return;
  }
  const std::string_view text = forward_switch(gateway_.config().options, head, memory_.head);
  auto upgraded = response.upgrade();
  if (text.empty() || !upgraded) {
    fail(502, "the upstream's answer is not understood");
    return;
  }
  tunnel_ = tunnels.take(upgraded->stream);
  ENSURE(tunnel_ != nullptr);
  if (!tunnel_->begin_client(text) || !tunnel_->begin_client(upgraded->received)) {
    tunnels.give_up(*tunnel_);
    tunnel_ = nullptr;
    fail(502, "the upstream said too much at once");
    return;
  }
  enter(State::switching);
}

// No answer. Another upstream, or a word for the client.
void Relay::take_failure(const http::CallError& error) noexcept {
  if (error.stage == CallStage::check) {
    // The request itself cannot be forwarded; no upstream has anything to do with it.
    leave_upstream();
    switch (error.cause) {
      case CallCause::url_too_long:
        fail(414, "URI too long");
        return;
      case CallCause::fields_too_long:
      case CallCause::head_too_long:
        fail(431, "the fields are too long to be forwarded");
        return;
      case CallCause::bad_method:
        fail(501, "this method is not forwarded");
        return;
      case CallCause::bad_url:
      case CallCause::bad_host:
      case CallCause::bad_field:
        fail(400, "the request cannot be forwarded");
        return;
      default:
        break;
    }
    fail(502, http::describe(error.cause));
    return;
  }
  switch (error.cause) {
    case CallCause::source_failed:
    case CallCause::body_mismatch: {
      // The client's fault: its body broke off, or is longer than it may be.
      leave_upstream();
      const bool too_large = request_->body_state() == http::BodyState::too_large;
      fail(too_large ? 413 : 400, too_large ? "content too large" : "the request's body is not complete");
      return;
    }
    case CallCause::too_many_hosts:
    case CallCause::no_descriptors:
    case CallCause::no_memory:
    case CallCause::shut_down:
      leave_upstream();
      fail(503, "the gateway has too much to do", true);
      return;
    case CallCause::head_too_long:
      leave_upstream();
      fail(431, "the fields are too long to be forwarded");
      return;
    default:
      break;
  }
  const bool is_timeout = error.is_timeout();
  const bool may_go_on = never_arrived(error) && request_given_ == 0;
  if (error.reused && error.bytes_received == 0) {
    leave_upstream();  // it closed an idle connection at the moment of reuse: nothing is wrong with it
  } else {
    std::array<char, 200> memory;
    upstream_failed(error.cause == CallCause::tls ? tls::describe(error.tls, memory) : http::describe(error.cause));
  }
  if (may_go_on && call_next(*request_)) {
    ++gateway_.counters_.retried;
    return;
  }
  if (has_failed_) {
    return;  // call_next has said why
  }
  if (was_last_resort_) {
    fail(503, "no upstream is there", true);
  } else if (is_timeout) {
    fail(504, "the upstream takes too long");
  } else {
    fail(502, error.cause == CallCause::malformed_head || error.cause == CallCause::not_http ||
                      error.cause == CallCause::malformed_framing || error.cause == CallCause::head_too_large
                  ? "the upstream's answer is not understood"
                  : "the upstream is not reached");
  }
}

void Relay::fail(int status, std::string_view reason, bool retry_later) noexcept {
  failure_ = {.status = status, .reason = reason, .retry_later = retry_later};
  has_failed_ = true;
  outcome_came_ = true;
}

void Relay::upstream_ok() noexcept {
  const bool was_up = gateway_.upstreams_[upstream_].health == Health::up;
  gateway_.upstreams_.succeeded(upstream_);
  if (!was_up) {
    gateway_.log_upstream(upstream_, "is back", {});
  }
}

void Relay::upstream_failed(std::string_view reason) noexcept {
  if (gateway_.upstreams_.failed(upstream_, gateway_.transport().loop().now())) {
    gateway_.log_upstream(upstream_, "is out", reason);
  }
  leave_upstream();
}

void Relay::leave_upstream() noexcept {
  if (at_upstream_) {
    at_upstream_ = false;
    gateway_.upstreams_.given_up(upstream_);  // only if nothing else was said
    gateway_.upstreams_.ended(upstream_);
  }
}

// ---- the request's body

PullResult Relay::pull_request(void* object, std::span<char> out, std::uint64_t /*offset*/) {
  Relay& self = *static_cast<Relay*>(object);
  if (self.request_ == nullptr) {
    return {PullResult::Kind::failed, 0};
  }
  http::Request& request = *self.request_;
  const std::string_view bytes = request.body_bytes();
  if (bytes.empty()) {
    switch (request.body_state()) {
      case http::BodyState::complete:
        self.give_request_trailers();
        return {PullResult::Kind::end, 0};
      case http::BodyState::more:
        self.wants_body_ = true;
        self.wake();
        return {PullResult::Kind::later, 0};
      case http::BodyState::too_large:
      case http::BodyState::failed:
        break;
    }
    return {PullResult::Kind::failed, 0};
  }
  const std::size_t count = std::min(bytes.size(), out.size());
  std::memcpy(out.data(), bytes.data(), count);
  request.consume(count);
  self.request_given_ += count;
  return {PullResult::Kind::more, count};
}

bool Relay::rewind_request(void* object) {
  return static_cast<Relay*>(object)->request_given_ == 0;
}

void Relay::give_request_trailers() noexcept {
  http::ClientRequest& out = trip_.request();
  if (out.trailer_names().empty()) {
    return;
  }
  const wire::Fields& trailers = request_->trailers();
  for (std::size_t i = 0; i < trailers.size(); ++i) {
    const wire::NameValue field = trailers[i];
    if (may_be_trailer(field.name) && wire::has_list_token(out.trailer_names(), field.name)) {
      out.add_trailer(field.name, field.value);
    }
  }
}

// ---- the answer

void Relay::give_interim(http::ResponseWriter& writer) noexcept {
  const std::string_view text{memory_.interim.data(), interim_size_};
  interim_size_ = 0;
  wire::ResponseHead head;
  // The table is the final head's, which is read after this.
  if (wire::parse_response_head(text, memory_.fields, head) != wire::HeadError::none) {
    return;
  }
  const auto passes = [&head](std::size_t i) {
    const wire::FieldId id = head.fields.id(i);
    return id != wire::FieldId::date && id != wire::FieldId::content_length && !is_hop_by_hop(head.fields, i);
  };
  bool fits = true;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (passes(i)) {
      fits = fits && writer.add(head.fields[i].name, head.fields[i].value) == http::HeadChange::ok;
    }
  }
  if (fits) {
    writer.status(head.status);
  }
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (passes(i)) {
      writer.remove(head.fields[i].name);
    }
  }
}

Next Relay::give_head(http::ResponseWriter& writer, http::Request& request) noexcept {
  ++gateway_.counters_.passed;
  if (wire::parse_response_head({memory_.head.data(), head_size_}, memory_.fields, head_) != wire::HeadError::none) {
    fail(502, "the upstream's answer is not understood");
    return give_failure(writer, request);
  }
  writer.status(head_.status);
  writer.suppress(wire::FieldId::content_type);  // what the upstream does not say is not guessed
  if (!forward_fields(gateway_.config().options, head_, writer)) {
    end();
    return Next::abort;
  }
  if (length_) {
    writer.set_content_length(*length_);
  } else if (!body_over_ && head_.has(wire::FieldId::trailer)) {
    wire::ListItems names{*head_.fields.get(wire::FieldId::trailer)};
    while (const auto name = names.next()) {
      if (may_be_trailer(*name)) {
        writer.declare_trailer(*name);
      }
    }
  }
  if (body_over_) {
    end();
    return Next::done;
  }
  enter(State::answering);
  writer.send_source({.pull = &Relay::pull_answer, .close = &Relay::close_answer, .object = this}, length_);
  return source_over_ ? give_end(writer) : suspend(request);
}

Next Relay::give_failure(http::ResponseWriter& writer, http::Request& request) noexcept {
  ++gateway_.counters_.failed;
  if (failure_.retry_later) {
    const auto wait = gateway_.upstreams_.until_back(route_, request.now());
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
    writer.set("Retry-After", base::Decimal{static_cast<std::uint64_t>(seconds < 1 ? 1 : seconds)}.view());
  }
  http::error(writer, failure_.status, failure_.reason);
  end();
  return Next::done;
}

// All of the answer's body is with the client's connection.
Next Relay::give_end(http::ResponseWriter& writer) noexcept {
  std::string_view rest{memory_.trailers.data(), trailers_size_};
  while (!rest.empty()) {
    const wire::Cut line = wire::cut(rest, '\n');
    const wire::Cut field = wire::cut(line.before, ':');
    writer.trailer(field.before, field.after);
    rest = line.after;
  }
  end();
  return Next::done;
}

PullResult Relay::pull_answer(void* object, std::span<char> out, std::uint64_t /*offset*/) {
  Relay& self = *static_cast<Relay*>(object);
  if (self.state_ != State::answering) {
    return {PullResult::Kind::failed, 0};
  }
  const std::string_view bytes = self.response_.body();
  const std::size_t count = std::min(bytes.size(), out.size());
  if (count != 0) {
    std::memcpy(out.data(), bytes.data(), count);
    self.response_.consume(count);
  }
  switch (self.response_.body_state()) {
    case http::ResponseBodyState::complete:
      self.keep_trailers();
      return {PullResult::Kind::end, count};
    case http::ResponseBodyState::more:
      self.answer_waits_ = count == 0;
      return {count == 0 ? PullResult::Kind::later : PullResult::Kind::more, count};
    case http::ResponseBodyState::failed:
    case http::ResponseBodyState::closed:
      break;
  }
  if (count != 0) {
    return {PullResult::Kind::more, count};
  }
  ++self.gateway_.counters_.cut;
  self.upstream_failed(http::describe(self.response_.error().cause));
  return {PullResult::Kind::failed, 0};
}

void Relay::close_answer(void* object) {
  Relay& self = *static_cast<Relay*>(object);
  if (self.state_ == State::answering && self.request_ != nullptr) {
    self.source_over_ = true;
    self.wake();
  }
}

void Relay::body_changed() noexcept {
  if (answer_waits_) {
    answer_waits_ = false;
    wake();
  }
}

void Relay::keep_trailers() noexcept {
  const wire::Fields trailers = response_.trailers();
  base::TextWriter text{memory_.trailers};
  for (std::size_t i = 0; i < trailers.size(); ++i) {
    const wire::NameValue field = trailers[i];
    if (may_be_trailer(field.name)) {
      text.put(field.name).put(':').put(field.value).put('\n');
    }
  }
  trailers_size_ = text.overflowed() ? 0 : text.size();
}

// ---- another protocol

Next Relay::take_over(http::ResponseWriter& writer, http::Request& request) noexcept {
  const auto hijacked = writer.hijack();
  if (!hijacked) {
    // Earlier answers are not out yet.
    if (!deferred_held_) {
      deferred_ = request.defer();
      deferred_held_ = true;
    }
    return Next::write_body;
  }
  Tunnel& tunnel = *std::exchange(tunnel_, nullptr);
  ++gateway_.counters_.upgraded;
  const bool fits = tunnel.begin_upstream(hijacked->received);
  gateway_.settings_.tunnels.open(tunnel, hijacked->stream);
  ENSURE(fits);  // a tunnel's buffer is as large as the server's
  end();
  return Next::done;
}

}  // namespace pollux::gateway
