#include "apps/load/load.hpp"

#include <memory>
#include <new>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::load {

http::CallCause apply(const Request& request, http::ClientRequest& to, std::string_view& at) noexcept {
  http::CallCause cause = to.start(request.method, request.url);
  at = cause == http::CallCause::bad_method ? "-X" : "URL";
  for (const std::string_view field : request.fields) {
    if (cause != http::CallCause::none) {
      return cause;
    }
    at = "-H";
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) {
      return http::CallCause::bad_field;
    }
    const std::string_view name = field.substr(0, colon);
    const std::string_view value = base::trim(field.substr(colon + 1));
    cause = base::equal_ignoring_case(name, "Host") ? to.set_host(value) : to.add(name, value);
  }
  if (request.body) {
    to.set_body(*request.body);
  }
  return cause;
}

// ---- Worker

void Worker::begin(port::Time due, port::Duration timeout) noexcept {
  due_ = due;
  trip_.start(net::callback<&Worker::answered>(*this), {.timeout = timeout});
}

void Worker::cancel() noexcept {
  if (trip_.is_under_way()) {
    trip_.cancel();
  }
}

void Worker::answered(http::Response& response) noexcept {
  if (!response) {
    load_.worker_failed(*this, trip_, response.error(), 0);
  } else if (!take(response)) {
    response_ = std::move(response);
    response_.on_body(net::callback<&Worker::more>(*this));
  }
}

void Worker::more() noexcept {
  // The handle is moved away first: the round trip may be begun again inside take().
  http::Response response = std::move(response_);
  if (!take(response)) {
    response_ = std::move(response);
  }
}

bool Worker::take(http::Response& response) noexcept {
  const int status = response.status();
  response.consume(response.body().size());
  switch (response.body_state()) {
    case http::ResponseBodyState::more:
      return false;
    case http::ResponseBodyState::complete: {
      const std::uint64_t bytes = response.body_received();
      response.close();
      load_.worker_answered(*this, trip_, status, due_, bytes);
      return true;
    }
    case http::ResponseBodyState::failed:
    case http::ResponseBodyState::closed:
      break;
  }
  const std::uint64_t bytes = response.body_received();
  const http::CallError error = response.error();
  response.close();
  load_.worker_failed(*this, trip_, error, bytes);
  return true;
}

// ---- Load

Load::Load(http::Transport& transport, LoadStorage& storage, const Plan& plan, const Request& request) noexcept
    : transport_{transport},
      storage_{storage},
      plan_{plan},
      pace_{transport.loop(), net::callback<&Load::begin_due>(*this)},
      end_{transport.loop(), net::callback<&Load::finish>(*this)} {
  ENSURE(plan.connections >= 1 && plan.connections <= connections_max);
  for (std::size_t i = 0; i < plan.connections; ++i) {
    auto* made = ::new (static_cast<void*>(storage.workers.data() + i * sizeof(Worker))) Worker{*this, transport};
    std::string_view at;
    ENSURE(apply(request, made->request(), at) == http::CallCause::none);
  }
}

Load::~Load() {
  while (free_.pop_front() != nullptr) {
  }
  for (std::size_t i = 0; i < plan_.connections; ++i) {
    std::destroy_at(&worker(i));
  }
}

Worker& Load::worker(std::size_t index) noexcept {
  return *std::launder(static_cast<Worker*>(static_cast<void*>(storage_.workers.data() + index * sizeof(Worker))));
}

void Load::start(net::Callback<> done) noexcept {
  ENSURE(state_ == State::ready);
  done_ = done;
  for (std::size_t i = 0; i < plan_.connections; ++i) {
    free_.push_back(worker(i));
  }
  pace_.start(port::Duration::zero());
}

void Load::begin_all() noexcept {
  state_ = State::running;
  began_at_ = ended_at_ = transport_.loop().now();
  if (plan_.duration > port::Duration::zero()) {
    end_.start(plan_.duration);
  }
}

// Begins as many free workers as are due now: all of them, without a rate.
void Load::begin_due() noexcept {
  if (state_ == State::ready) {
    begin_all();
  }
  const port::Time now = transport_.loop().now();
  while (may_begin() && !free_.is_empty()) {
    const port::Time due = due_at(begun_);
    if (due > now) {
      pace_.start(due - now);
      return;
    }
    ++begun_;
    ++under_way_;
    free_.pop_front()->begin(due, plan_.timeout);
  }
  check_end();
}

bool Load::may_begin() const noexcept {
  return state_ == State::running && (plan_.requests == 0 || begun_ < plan_.requests);
}

port::Time Load::due_at(std::uint64_t number) const noexcept {
  if (plan_.rate == 0) {
    return transport_.loop().now();
  }
  // In two parts, so that no product overflows within the years a run may last.
  constexpr std::uint64_t second_ns = 1'000'000'000;
  const std::uint64_t ns = number / plan_.rate * second_ns + number % plan_.rate * second_ns / plan_.rate;
  return began_at_ + port::Duration{static_cast<port::Duration::rep>(ns)};
}

void Load::worker_answered(Worker& worker, const http::RoundTrip& trip, int status, port::Time due,
                           std::uint64_t body_bytes) noexcept {
  const port::Time now = transport_.loop().now();
  tally_.add_answer(status, now - due);
  tally_.body_bytes += body_bytes;
  tally_.reused += trip.was_reused() ? 1 : 0;
  tally_.retried += trip.retries();
  ended_at_ = now;
  release(worker);
}

void Load::worker_failed(Worker& worker, const http::RoundTrip& trip, const http::CallError& error,
                         std::uint64_t body_bytes) noexcept {
  ended_at_ = transport_.loop().now();
  tally_.body_bytes += body_bytes;
  tally_.retried += trip.retries();
  if (stopped_ && error.cause == http::CallCause::cancelled) {
    ++tally_.cut_off;
  } else {
    tally_.add_failure(error);
  }
  release(worker);
}

// The worker is free: it is begun again at once if it is its turn.
void Load::release(Worker& worker) noexcept {
  --under_way_;
  if (plan_.rate == 0 && may_begin()) {
    ++begun_;
    ++under_way_;
    worker.begin(ended_at_, plan_.timeout);
    return;
  }
  free_.push_back(worker);
  if (pace_.is_running()) {
    return;  // the next one is not due yet
  }
  begin_due();
}

void Load::finish() noexcept {
  if (state_ == State::running) {
    state_ = State::finishing;
    pace_.stop();
    check_end();
  }
}

void Load::stop() noexcept {
  if (state_ == State::done) {
    return;
  }
  if (state_ == State::ready) {
    begin_all();  // to be over at once
  }
  stopped_ = true;
  end_.stop();
  finish();
  for (std::size_t i = 0; i < plan_.connections; ++i) {
    worker(i).cancel();
  }
}

void Load::check_end() noexcept {
  if (state_ == State::running && !may_begin()) {
    state_ = State::finishing;
  }
  if (state_ == State::finishing && under_way_ == 0) {
    state_ = State::done;
    end_.stop();
    done_();
  }
}

port::Duration Load::elapsed() const noexcept {
  return (state_ == State::running || state_ == State::finishing ? transport_.loop().now() : ended_at_) - began_at_;
}

}  // namespace pollux::load
