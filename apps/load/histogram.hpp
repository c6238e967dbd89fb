// LatencyHistogram: how often each latency occurred, in fixed memory and to within 1/128 of its value, however many there are - so that
// percentiles are of all requests, not of a sample.
//
// Log-linear buckets, as HdrHistogram has them: up to 128 ns a bucket holds one nanosecond, from there on each power of two is divided into
// 128. add() is a shift and an increment, which keeps the measuring out of what is measured.
//
//   histogram.add(250us);
//   histogram.percentile(999)      // not exceeded by 99.9 % of the values
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "port/time.hpp"

namespace pollux::load {

class LatencyHistogram {
 public:
  // A longer one (18 minutes) is counted as this long; a negative one as 0.
  static constexpr std::uint64_t value_max = (std::uint64_t{1} << 40) - 1;  // nanoseconds

  void add(port::Duration latency) noexcept {
    const std::uint64_t value = limited(latency);
    ++counts_[index_of(value)];
    ++count_;
    sum_ += value;
    min_ = value < min_ ? value : min_;
    max_ = value > max_ ? value : max_;
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // Zero while nothing was added. Minimum, maximum and mean are exact.
  [[nodiscard]] port::Duration min() const noexcept { return duration(count_ == 0 ? 0 : min_); }
  [[nodiscard]] port::Duration max() const noexcept { return duration(max_); }
  [[nodiscard]] port::Duration mean() const noexcept { return duration(count_ == 0 ? 0 : sum_ / count_); }
  // The value that `per_mille` (0..1000) thousandths of all values do not exceed (nearest rank): the upper end of its bucket, so never too
  // small, and never above max(). 0 is the first value's.
  [[nodiscard]] port::Duration percentile(std::uint32_t per_mille) const noexcept;
  // How many values lie in [from, below), to within a bucket at each end: a bucket belongs where it begins.
  [[nodiscard]] std::uint64_t count_between(port::Duration from, port::Duration below) const noexcept;

  // ---- the buckets, for tests
  [[nodiscard]] static constexpr std::size_t index_of(std::uint64_t value) noexcept {
    const auto width = static_cast<int>(std::bit_width(value));
    const int shift = width > sub_bits ? width - sub_bits - 1 : 0;
    return (static_cast<std::size_t>(shift) << sub_bits) + static_cast<std::size_t>(value >> shift);
  }
  [[nodiscard]] static constexpr std::uint64_t first_of(std::size_t index) noexcept {
    const std::size_t shift = index < 2 * sub_count ? 0 : (index >> sub_bits) - 1;
    return (std::uint64_t{index} - (shift << sub_bits)) << shift;
  }
  [[nodiscard]] static constexpr std::uint64_t last_of(std::size_t index) noexcept { return first_of(index + 1) - 1; }
  [[nodiscard]] static constexpr std::size_t bucket_count() noexcept { return index_of(value_max) + 1; }

 private:
  static constexpr int sub_bits = 7;
  static constexpr std::size_t sub_count = std::size_t{1} << sub_bits;

  static constexpr std::uint64_t limited(port::Duration latency) noexcept {
    const auto value = static_cast<std::uint64_t>(latency.count() < 0 ? 0 : latency.count());
    return value < value_max ? value : value_max;
  }
  static constexpr port::Duration duration(std::uint64_t value) noexcept {
    return port::Duration{static_cast<port::Duration::rep>(value)};
  }

  std::array<std::uint64_t, (40 - sub_bits + 1) * sub_count> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = value_max;
  std::uint64_t max_ = 0;
};

static_assert(LatencyHistogram::bucket_count() == (40 - 7 + 1) * 128, "the array has exactly one counter per bucket");
static_assert(LatencyHistogram::first_of(LatencyHistogram::index_of(255)) == 255);
static_assert(LatencyHistogram::first_of(LatencyHistogram::index_of(257)) == 256,
              "from 256 on a bucket holds two values");

}  // namespace pollux::load
