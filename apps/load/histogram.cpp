#include "apps/load/histogram.hpp"

namespace pollux::load {

port::Duration LatencyHistogram::percentile(std::uint32_t per_mille) const noexcept {
  if (count_ == 0) {
    return {};
  }
  // Rounded up, in two parts so that a large count does not overflow.
  const std::uint64_t whole = count_ / 1000 * per_mille;
  const std::uint64_t rest = (count_ % 1000 * per_mille + 999) / 1000;
  const std::uint64_t rank = whole + rest == 0 ? 1 : whole + rest;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      return duration(last_of(i) < max_ ? last_of(i) : max_);
    }
  }
  return max();
}

std::uint64_t LatencyHistogram::count_between(port::Duration from, port::Duration below) const noexcept {
  std::uint64_t found = 0;
  const std::size_t end =
      below.count() > static_cast<port::Duration::rep>(value_max) ? counts_.size() : index_of(limited(below));
  for (std::size_t i = index_of(limited(from)); i < end; ++i) {
    found += counts_[i];
  }
  return found;
}

}  // namespace pollux::load
