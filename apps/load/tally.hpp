// Tally: everything that is counted while the load runs - latencies, status codes, errors by stage and cause. Fixed memory; adding to it
// costs a few increments.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "apps/load/histogram.hpp"
#include "stack/http/call_error.hpp"

namespace pollux::load {

struct Tally {
  static constexpr std::size_t stage_count = static_cast<std::size_t>(http::CallStage::redirect) + 1;
  static constexpr std::size_t cause_count = static_cast<std::size_t>(http::CallCause::failed) + 1;
  static constexpr std::size_t status_count = 1000;  // a status has three digits (RFC 9112 section 4)

  LatencyHistogram latencies;  // of answers only
  std::array<std::uint64_t, status_count> statuses{};
  std::array<std::array<std::uint64_t, cause_count>, stage_count> errors{};
  std::uint64_t answers = 0;     // complete ones, whatever their status
  std::uint64_t failures = 0;    // all of `errors`
  std::uint64_t cut_off = 0;     // under way when the user ended it; neither answers nor failures
  std::uint64_t reused = 0;      // answers on a connection that had served before
  std::uint64_t retried = 0;     // attempts beyond the first, of answers and failures
  std::uint64_t body_bytes = 0;  // of answers and of what failed in the body

  void add_answer(int status, port::Duration latency) noexcept {
    ++answers;
    ++statuses[status > 0 && static_cast<std::size_t>(status) < status_count ? static_cast<std::size_t>(status) : 0];
    latencies.add(latency);
  }
  void add_failure(const http::CallError& error) noexcept {
    ++failures;
    ++errors[static_cast<std::size_t>(error.stage)][static_cast<std::size_t>(error.cause)];
  }
};

}  // namespace pollux::load
