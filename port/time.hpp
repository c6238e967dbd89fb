// Time as the stack knows it: a monotonic point that counts suspended time too, and the calendar.
//
// Deadlines are `Time`. Only Port::now() makes one; the loop takes it once per turn and passes it down.
#pragma once

#include <chrono>
#include <cstdint>

namespace pollux::port {

using Duration = std::chrono::nanoseconds;

// Names the clock of Time. It has no now(): only a Port can say what time it is.
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};

// A point in monotonic time, in nanoseconds since some fixed moment of this boot (CLOCK_BOOTTIME where there is one, so that
// a suspended board finds its idle deadlines expired). 292 years wide.
using Time = MonotonicClock::time_point;

// "No deadline": later than everything.
inline constexpr Time never = Time::max();

// Calendar time: seconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time). May jump; never used for deadlines.
struct WallTime {
  std::int64_t seconds = 0;
  friend constexpr bool operator==(const WallTime&, const WallTime&) = default;
  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
};

// `now + wait`, or `never` when `wait` is zero or negative: a knob of zero means "no deadline" everywhere in pollux.
[[nodiscard]] constexpr Time deadline_after(Time now, Duration wait) noexcept {
  return wait <= Duration::zero() ? never : now + wait;
}

[[nodiscard]] constexpr Time earliest(Time a, Time b) noexcept {
  return a < b ? a : b;
}

}  // namespace pollux::port
