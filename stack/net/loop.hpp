// Loop: one thread, one poll() per turn, and everything that is driven by it.
//
// A turn: ask every driver what it waits for and until when -> poll -> take `now`, once -> events (idle connections first, reads
// before error flags, writes) -> expired deadlines and timers -> work (accept, serve waiters, completions) -> sweep. What a driver
// waits for is computed from its state each turn and never registered, so it cannot be forgotten. Events come before
// deadlines: what arrived in time counts, even if the machine was busy or asleep meanwhile.
//
//   constinit net::LoopStorage<net::sockets_max(limits)> loop_memory;
//   port::LinuxPort port;
//   net::Loop loop{port, loop_memory.memory()};
//   ... make servers, clients, timers on it ...
//   return loop.run();
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "port/port.hpp"
#include "port/time.hpp"
#include "stack/base/list.hpp"

namespace pollux::net {

class Loop;

// A function and the object it is called with.
template <typename... Args>
struct Callback {
  void (*function)(void* object, Args... args) = nullptr;
  void* object = nullptr;
  constexpr explicit operator bool() const noexcept { return function != nullptr; }
  void operator()(Args... args) const {
    if (function) {
      function(object, args...);
    }
  }
};
// A member function and its object, on the way to becoming the Callback that somebody asks for.
template <auto Member, typename Object>
struct BoundMember {
  Object* object;
  template <typename... Args>
  constexpr operator Callback<Args...>() const noexcept {  // NOLINT(*-explicit-*)
    return {[](void* target, Args... args) { (static_cast<Object*>(target)->*Member)(args...); }, object};
  }
};
// Callback for a member function: `callback<&Clock::tick>(clock)`.
template <auto Member, typename Object>
[[nodiscard]] constexpr BoundMember<Member, Object> callback(Object& object) noexcept {
  return {&object};
}

// The entries of one poll, filled by the drivers in turn. `token` comes back with the event.
class PollSet {
 public:
  PollSet(std::span<port::PollEntry> entries, std::span<std::uint32_t> tokens) noexcept
      : entries_{entries}, tokens_{tokens} {}
  // False if there is no room: the driver was made for more sockets than the loop (a configuration error, found at start).
  bool add(port::Socket socket, port::Events interest, std::uint32_t token) noexcept {
    if (size_ == tokens_.size()) {
      return false;
    }
    entries_[size_] = port::PollEntry{.socket = socket, .interest = interest, .ready = port::Events::none};
    tokens_[size_++] = token;
    return true;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t room() const noexcept { return tokens_.size() - size_; }

 private:
  std::span<port::PollEntry> entries_;
  std::span<std::uint32_t> tokens_;
  std::size_t size_ = 0;
};

// Something the loop drives: a server, a transport, a resolver, or an app's own machine (a serial line, a GPIO descriptor).
class Driver {
 public:
  // Adds what it waits for to `set` and returns its earliest deadline: `never` if there is none, `now` if it has work that must not wait.
  [[nodiscard]] virtual port::Time prepare(PollSet& set, port::Time now) = 0;
  // Events of the entry added with `token`.
  virtual void ready(std::uint32_t token, port::Events events, port::Time now) = 0;
  // A parked socket of this driver woke up (see Loop::park).
  virtual void parked_ready(std::uint32_t token, port::Events events, port::Time now) = 0;
  // Deadlines at or before `now`.
  virtual void expire(port::Time now) = 0;
  // Everything that follows from the events of this turn: accept, serve waiters, completions. Then free what has ended.
  virtual void work(port::Time now) = 0;

  base::ListLink<Driver> link;  // the loop's

 protected:
  Driver() = default;
  ~Driver() = default;

 private:
  friend class Loop;
  std::uint32_t first_entry_ = 0;  // its range of this turn's poll set
  std::uint32_t end_entry_ = 0;
  std::uint8_t number_ = 0;  // names the driver in the tokens of parked sockets
};

// Calls back once, or again and again, after some time. Lives in the object that uses it; costs the loop no memory. Stops itself
// when it is destroyed.
class Timer {
 public:
  Timer(Loop& loop, Callback<> expired) noexcept : loop_{loop}, expired_{expired} {}
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Expires once, `after` from the loop's now; without a wait (<= 0) in the next turn.
  void start(port::Duration after) noexcept;
  // Expires every `period` (> 0), first after one period. Periods missed while the loop was busy are skipped, not made up.
  void start_every(port::Duration period) noexcept;
  void stop() noexcept;
  [[nodiscard]] bool is_running() const noexcept { return link.is_linked; }

  base::ListLink<Timer> link;  // the loop's

 private:
  friend class Loop;
  Loop& loop_;
  Callback<> expired_;
  port::Time deadline_ = port::never;
  port::Duration period_{};
};

// Memory of a loop: one entry per socket that is polled at the same time, and the port's reserved one.
struct LoopMemory {
  std::span<port::PollEntry> entries;  // tokens.size() + port::poll_entries_reserved
  std::span<std::uint32_t> tokens;
  std::span<port::ParkedEvent> parked;  // how many parked sockets may wake per turn; the others wake in the next
};

// As one object in static storage. The entries are raw bytes until memory() makes them, so that all of it is zero, in .bss.
template <std::size_t sockets_max>
struct LoopStorage {
  static constexpr std::size_t entry_count = sockets_max + port::poll_entries_reserved;
  alignas(port::PollEntry) std::array<std::byte, entry_count * sizeof(port::PollEntry)> entries{};
  std::array<std::uint32_t, sockets_max> tokens{};
  std::array<port::ParkedEvent, 64> parked{};
  [[nodiscard]] LoopMemory memory() noexcept {
    auto* first = static_cast<port::PollEntry*>(static_cast<void*>(entries.data()));
    for (std::size_t i = 0; i < entry_count; ++i) {
      ::new (static_cast<void*>(first + i)) port::PollEntry{};
    }
    return {.entries = {first, entry_count}, .tokens = tokens, .parked = parked};
  }
};

class Loop {
 public:
  Loop(port::Port& port, LoopMemory memory) noexcept;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Turns until stop(). Returns the status given to stop().
  int run();
  // One turn. Waits for events until the earliest deadline, but not beyond `until`. Not inside a turn (ENSURE).
  void turn(port::Time until = port::never);
  [[nodiscard]] bool is_turning() const noexcept { return turning_; }
  // Ends run() after this turn. May be called from any callback.
  void stop(int exit_status = 0) noexcept;
  [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }

  // The time of this turn. Between turns: of the last one.
  [[nodiscard]] port::Time now() const noexcept { return now_; }
  // Takes the time between turns: for a program that did something else for long and now begins something that has a deadline.
  void refresh_now() noexcept { now_ = port_.now(); }
  [[nodiscard]] port::Port& port() const noexcept { return port_; }

  // Called for each signal the port watches, inside a turn. Without one, terminate and interrupt stop the loop with status 0.
  void on_signal(Callback<port::Signal> handler) noexcept { on_signal_ = handler; }
  // Called at the end of every turn; for a watchdog (WatchdogSec of systemd) or an invariant check in tests.
  void on_turn(Callback<> handler) noexcept { on_turn_ = handler; }

  void add(Driver& driver) noexcept;
  void remove(Driver& driver) noexcept;

  // Takes a socket out of the poll set until it wakes up (Port::park); false: keep it in the set. Token: 24 bits.
  [[nodiscard]] bool park(Driver& driver, port::Socket socket, std::uint32_t token) noexcept;
  void unpark(port::Socket socket) noexcept { port_.unpark(socket); }

  [[nodiscard]] std::uint64_t turns() const noexcept { return turns_; }

 private:
  friend class Timer;
  [[nodiscard]] port::Time collect() noexcept;
  void dispatch(std::size_t ready) noexcept;
  void dispatch_parked(std::size_t ready) noexcept;
  void expire_timers() noexcept;
  void deliver_signals() noexcept;

  port::Port& port_;
  LoopMemory memory_;
  base::List<Driver, &Driver::link> drivers_;
  base::List<Timer, &Timer::link> timers_;
  Callback<port::Signal> on_signal_{};
  Callback<> on_turn_{};
  port::Time now_{};
  std::uint64_t turns_ = 0;
  int exit_status_ = 0;
  std::uint8_t drivers_added_ = 0;
  bool stopping_ = false;
  bool turning_ = false;
};

}  // namespace pollux::net
