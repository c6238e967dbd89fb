// Call: the chain of round trips - its deadline, the bodies between two of them, its end. What the next request is made of is in
// client_redirect.cpp, the fields that each hop sets anew in client_fields.cpp.
#include "stack/http/client.hpp"

#include <utility>

#include "port/ensure.hpp"

namespace pollux::http {

namespace {

// A hop's body of at most so many bytes (or of unknown size, so many of it) is read, so that its connection can be used for the next
// request (net-http.md C18). A longer one would cost more than a new connection.
constexpr std::uint64_t hop_body_max = 2048;
// And it has to come within this time: a trickle must not hold up the next request.
constexpr port::Duration hop_body_wait = 1s;

}  // namespace

Call::Call(Client& client, const CallMemory& memory) noexcept
    : client_{client},
      trip_{client.transport(), memory.request},
      memory_{memory},
      drain_timer_{client.transport().loop(), net::callback<&Call::next_hop>(*this)} {}

void Call::enter(State state) noexcept {
  // From (rows) to (columns): ready, asking, draining, done.
  constexpr bool allowed[4][4] = {
      {false, true, false, false},
      {false, false, true, true},
      {false, true, false, false},
      {false, true, false, false},
  };
  ENSURE(allowed[static_cast<std::size_t>(state_)][static_cast<std::size_t>(state)]);
  state_ = state;
}

bool Call::is_under_way() const noexcept {
  return state_ == State::asking || state_ == State::draining || trip_.is_under_way();
}

// ---- beginning

void Call::get(std::string_view url, net::Callback<Response&> answered, const CallOptions& options) noexcept {
  ENSURE(!is_under_way());
  request().start("GET", url);
  go(answered, options);
}

void Call::head(std::string_view url, net::Callback<Response&> answered, const CallOptions& options) noexcept {
  ENSURE(!is_under_way());
  request().start("HEAD", url);
  go(answered, options);
}

void Call::post(std::string_view url, std::string_view content_type, std::string_view body,
                net::Callback<Response&> answered, const CallOptions& options) noexcept {
  ENSURE(!is_under_way());
  request().start("POST", url);
  request().add("Content-Type", content_type);
  request().set_body(body);
  go(answered, options);
}

void Call::post_form(std::string_view url, std::string_view form, net::Callback<Response&> answered,
                     const CallOptions& options) noexcept {
  post(url, "application/x-www-form-urlencoded", form, answered, options);
}

void Call::go(net::Callback<Response&> answered, const CallOptions& options) noexcept {
  ENSURE(!is_under_way());
  enter(State::asking);
  answered_ = answered;
  options_ = options;
  error_ = {};
  is_cancelled_ = has_hop_fields_ = false;
  redirects_ = 0;
  started_at_ = client_.transport().loop().now();
  const port::Duration timeout = options.timeout > port::Duration::zero() ? options.timeout : client_.config().timeout;
  deadline_ = port::deadline_after(started_at_, timeout);
  begin();
}

// The first hop: what the request brings of its own is noted, then it is treated like any other.
void Call::begin() noexcept {
  CallCause cause = keep_first_fields();
  if (request().error() == CallCause::none) {
    if (cause == CallCause::none) {
      cause = set_hop_fields(request().url());
    }
    if (cause == CallCause::none) {
      cause = take_userinfo_off(request().url_text(), request().url());
    }
    if (cause != CallCause::none) {
      return fail(cause, CallStage::check);
    }
  }
  ask();
}

void Call::ask() noexcept {
  port::Duration rest = port::Duration::zero();  // no limit but the transport's
  if (deadline_ != port::never) {
    rest = deadline_ - client_.transport().loop().now();
    ENSURE(rest > port::Duration::zero());
  }
  const bool is_pinned = options_.endpoint && is_first_host(request().url());
  trip_.start(net::callback<&Call::answered>(*this),
              {.timeout = rest,
               .endpoint = is_pinned ? options_.endpoint : std::optional<port::Endpoint>{},
               .trace = options_.trace,
               .decode = options_.decode.value_or(client_.config().decode)});
}

// ---- answers

void Call::answered(Response& response) noexcept {
  if (!response) {
    return finish(response);
  }
  store_cookies(response);
  const Decision decision = decide(response);
  const CallCause cause = is_cancelled_ ? CallCause::cancelled : decision.cause;  // by the hook, or by a trace callback
  if (cause != CallCause::none) {
    response.close();
    return fail(cause, CallStage::redirect);
  }
  if (!decision.follows) {
    return finish(response);
  }
  enter(State::draining);
  hop_ = std::move(response);
  const std::optional<std::uint64_t> size = hop_.content_length();
  const bool is_over = hop_.body_state() != ResponseBodyState::more;
  if (is_over || hop_.closes() || (size && *size > hop_body_max)) {
    return next_hop();
  }
  drained_ = 0;
  drain_timer_.start(hop_body_wait);
  hop_.on_body(net::callback<&Call::hop_body_came>(*this));
  hop_body_came();
}

void Call::hop_body_came() noexcept {
  ENSURE(state_ == State::draining);
  while (drained_ <= hop_body_max && !hop_.body().empty()) {
    const std::size_t size = hop_.body().size();
    drained_ += size;
    hop_.consume(size);
  }
  if (drained_ > hop_body_max || hop_.body_state() != ResponseBodyState::more) {
    next_hop();
  }
}

// The hop's response is let go: whatever there still is of it is the transport's business.
void Call::next_hop() noexcept {
  drain_timer_.stop();
  hop_.close();
  enter(State::asking);
  if (deadline_ <= client_.transport().loop().now()) {
    return fail(CallCause::timed_out, CallStage::redirect);
  }
  if (const CallCause cause = change_request(); cause != CallCause::none) {
    return fail(cause, CallStage::redirect);
  }
  ++redirects_;
  ask();
}

// ---- the end

// An error of ours takes the way of all errors: through the round trip, which is not under way, and into `answered` in a turn.
void Call::fail(CallCause cause, CallStage stage) noexcept {
  if (stage == CallStage::redirect) {
    request().set_body(RequestBody{});  // the round trip before has closed its source
  }
  trip_.refuse(net::callback<&Call::answered>(*this), stage, cause);
}

void Call::finish(Response& response) noexcept {
  enter(State::done);
  if (has_hop_fields_) {
    restore_fields();
  }
  if (!response) {
    error_ = response.error();
    error_.elapsed = client_.transport().loop().now() - started_at_;
  }
  const net::Callback<Response&> answered = std::exchange(answered_, {});
  answered(response);
}

void Call::cancel() noexcept {
  is_cancelled_ = true;
  if (state_ != State::draining) {
    return trip_.cancel();
  }
  drain_timer_.stop();
  hop_.close();
  enter(State::asking);
  fail(CallCause::cancelled, CallStage::redirect);
}

}  // namespace pollux::http
