// Upstreams: which server behind the gateway gets the next request of a route, and which of them are out (passive health).
//
//          max_fails failures in a row               fail_timeout is over
//   up ------------------------------------> out ---------------------------> on trial (one request at a time)
//    ^                                        ^                                  |        |
//    |                                        +------- the trial failed ---------+        |
//    +--------------------------------------------- it was answered ----------------------+
//
// Requests go round over those that are up. If none is, the one that failed longest ago is tried.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "apps/gateway/config.hpp"
#include "port/time.hpp"

namespace pollux::gateway {

enum class Health : std::uint8_t { up, out, on_trial };

struct Upstream {
  Health health = Health::up;
  std::uint32_t fails = 0;      // in a row
  port::Time failed_at{};       // the last time
  port::Time back_at{};         // out: when a trial may begin
  std::uint32_t active = 0;     // requests that were sent there and have not ended
  std::uint64_t requests = 0;   // tried there, retries included
  std::uint64_t answered = 0;   // heads that came
  std::uint64_t failures = 0;   // connects and answers that failed
  std::uint64_t times_out = 0;  // how often it was taken out
};

// The upstreams of a route that one request has tried already: one bit for each place in the route's list.
using Tried = std::uint32_t;

class Upstreams {
 public:
  // `config` must outlive this.
  explicit Upstreams(const Config& config) noexcept : config_{config} {}

  struct Choice {
    std::uint8_t upstream = 0;    // index
    std::uint8_t place = 0;       // in the route's list, for Tried
    bool is_last_resort = false;  // every upstream of the route is out
  };
  // For a request on route `route` that was tried on `tried`. Nothing: none is left to try. Begins the trial of one whose time out is over, so
  // failed(), succeeded() or given_up() has to follow.
  [[nodiscard]] std::optional<Choice> choose(std::size_t route, Tried tried, port::Time now) noexcept;

  // A request was sent to `upstream`, and has ended there.
  void began(std::size_t upstream) noexcept;
  void ended(std::size_t upstream) noexcept;
  // A head came.
  void succeeded(std::size_t upstream) noexcept;
  // No connection, or no whole answer. True if it is out from now on.
  bool failed(std::size_t upstream, port::Time now) noexcept;
  // The client went away before anything could be said about the upstream.
  void given_up(std::size_t upstream) noexcept;

  // When the first of a route's upstreams may be tried again, from `now`; zero if one is up.
  [[nodiscard]] port::Duration until_back(std::size_t route, port::Time now) const noexcept;
  [[nodiscard]] const Upstream& operator[](std::size_t index) const noexcept { return all_[index]; }

 private:
  [[nodiscard]] bool may_be_tried(const Upstream& upstream, port::Time now) const noexcept;

  const Config& config_;
  std::array<Upstream, upstreams_max> all_{};
  std::array<std::uint8_t, routes_max> next_{};  // place in each route's list where the search begins
};

}  // namespace pollux::gateway
