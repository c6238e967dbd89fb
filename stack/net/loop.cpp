#include "stack/net/loop.hpp"

#include "port/ensure.hpp"

namespace pollux::net {

namespace {

// A parked token names its driver in the top byte.
constexpr unsigned driver_shift = 24;
constexpr std::uint32_t driver_token_mask = (1U << driver_shift) - 1;

}  // namespace

Loop::Loop(port::Port& port, LoopMemory memory) noexcept : port_{port}, memory_{memory}, now_{port.now()} {
  ENSURE(memory_.entries.size() == memory_.tokens.size() + port::poll_entries_reserved);
  ENSURE(!memory_.parked.empty());
}

int Loop::run() {
  stopping_ = false;
  while (!stopping_) {
    turn();
  }
  return exit_status_;
}

void Loop::stop(int exit_status) noexcept {
  stopping_ = true;
  exit_status_ = exit_status;
}

void Loop::turn(port::Time until) {
  ENSURE(!turning_);  // a callback that turns its own loop
  turning_ = true;
  const port::Time deadline = port::earliest(collect(), until);
  const std::size_t count = drivers_.is_empty() ? 0 : drivers_.back()->end_entry_;
  const port::PollOutcome outcome =
      port_.poll(memory_.entries.first(count + port::poll_entries_reserved), memory_.parked, deadline);
  now_ = port_.now();
  ++turns_;
  dispatch_parked(outcome.parked_ready);
  dispatch(outcome.ready);
  if (outcome.has_signal) {
    deliver_signals();
  }
  expire_timers();
  drivers_.for_each([this](Driver& driver) { driver.expire(now_); });
  drivers_.for_each([this](Driver& driver) { driver.work(now_); });
  on_turn_();
  turning_ = false;
}

// Asks every driver what it waits for. Returns the earliest deadline.
port::Time Loop::collect() noexcept {
  PollSet set{memory_.entries, memory_.tokens};
  port::Time deadline = port::never;
  drivers_.for_each([&](Driver& driver) {
    driver.first_entry_ = static_cast<std::uint32_t>(set.size());
    deadline = port::earliest(deadline, driver.prepare(set, now_));
    driver.end_entry_ = static_cast<std::uint32_t>(set.size());
  });
  for (const Timer* timer = timers_.front(); timer != nullptr; timer = timers_.next(*timer)) {
    deadline = port::earliest(deadline, timer->deadline_);
  }
  return deadline;
}

void Loop::dispatch(std::size_t ready) noexcept {
  for (Driver* driver = drivers_.front(); driver != nullptr && ready > 0; driver = drivers_.next(*driver)) {
    for (std::uint32_t i = driver->first_entry_; i < driver->end_entry_ && ready > 0; ++i) {
      const port::PollEntry& entry = memory_.entries[i];
      if (entry.ready != port::Events::none) {
        --ready;
        driver->ready(memory_.tokens[i], entry.ready, now_);
      }
    }
  }
}

void Loop::dispatch_parked(std::size_t ready) noexcept {
  for (const port::ParkedEvent& event : memory_.parked.first(ready)) {
    const std::uint32_t number = event.token >> driver_shift;
    for (Driver* driver = drivers_.front(); driver != nullptr; driver = drivers_.next(*driver)) {
      if (driver->number_ == number) {
        driver->parked_ready(event.token & driver_token_mask, event.ready, now_);
        break;
      }
    }
  }
}

void Loop::deliver_signals() noexcept {
  port::Signal signal{};
  while (port_.take_signal(signal)) {
    if (on_signal_) {
      on_signal_(signal);
    } else if (signal == port::Signal::terminate || signal == port::Signal::interrupt) {
      stop(0);
    }
  }
}

// A callback may start and stop any timer, itself included, so the list is searched again after each one. Every timer that expires
// here is stopped or moved beyond now_, so the search ends.
void Loop::expire_timers() noexcept {
  for (Timer* timer = timers_.front(); timer != nullptr;) {
    if (timer->deadline_ > now_) {
      timer = timers_.next(*timer);
      continue;
    }
    const Callback<> expired = timer->expired_;
    if (timer->period_ > port::Duration::zero()) {
      const auto missed = (now_ - timer->deadline_) / timer->period_;
      timer->deadline_ += timer->period_ * (missed + 1);
    } else {
      timer->stop();
    }
    expired();
    timer = timers_.front();
  }
}

void Loop::add(Driver& driver) noexcept {
  ENSURE(drivers_added_ < UINT8_MAX);
  driver.number_ = drivers_added_++;
  driver.first_entry_ = driver.end_entry_ = 0;
  drivers_.push_back(driver);
}

void Loop::remove(Driver& driver) noexcept {
  drivers_.remove(driver);
}

bool Loop::park(Driver& driver, port::Socket socket, std::uint32_t token) noexcept {
  ENSURE(token <= driver_token_mask);
  return port_.park(socket, static_cast<std::uint32_t>(driver.number_) << driver_shift | token);
}

void Timer::start(port::Duration after) noexcept {
  stop();
  period_ = port::Duration::zero();
  // Never at once: one that is started again by its own callback would keep expire_timers() from ending.
  deadline_ = loop_.now() + (after > port::Duration::zero() ? after : port::Duration{1});
  loop_.timers_.push_back(*this);
}

void Timer::start_every(port::Duration period) noexcept {
  ENSURE(period > port::Duration::zero());
  start(period);
  period_ = period;
}

void Timer::stop() noexcept {
  if (link.is_linked) {
    loop_.timers_.remove(*this);
  }
}

}  // namespace pollux::net
