// RateLimit: how many bytes may move now (--limit-rate). Bytes of time that went by unused are not saved up beyond a tenth of a second,
// so that a pause is no burst.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "port/time.hpp"

namespace pollux::fetch {

class RateLimit {
 public:
  // How often somebody who waits should ask again.
  static constexpr port::Duration pause = std::chrono::milliseconds{50};

  // `rate`: bytes per second; 0: no limit.
  void start(std::uint64_t rate, port::Time now) {
    rate_ = rate;
    filled_at_ = now;
    room_ = room_max();
  }
  [[nodiscard]] bool is_on() const { return rate_ != 0; }
  // Bytes that may move at `now`, at most `wanted`.
  [[nodiscard]] std::size_t allow(std::size_t wanted, port::Time now) {
    if (!is_on()) {
      return wanted;
    }
    const auto elapsed = std::chrono::duration<double>{now - filled_at_}.count();
    room_ = std::min(room_ + elapsed * static_cast<double>(rate_), room_max());
    filled_at_ = now;
    // Compared first: what a tenth of a second holds may be more than a size_t of 32 bits.
    return room_ < static_cast<double>(wanted) ? static_cast<std::size_t>(room_) : wanted;
  }
  void moved(std::size_t size) { room_ -= static_cast<double>(size); }

 private:
  [[nodiscard]] double room_max() const { return std::max(1.0, static_cast<double>(rate_) / 10); }

  std::uint64_t rate_ = 0;
  double room_ = 0;
  port::Time filled_at_{};
};

}  // namespace pollux::fetch
