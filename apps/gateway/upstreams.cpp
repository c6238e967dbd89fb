#include "apps/gateway/upstreams.hpp"

#include <algorithm>

#include "port/ensure.hpp"

namespace pollux::gateway {

bool Upstreams::may_be_tried(const Upstream& upstream, port::Time now) const noexcept {
  switch (upstream.health) {
    case Health::up:
      return true;
    case Health::out:
      return upstream.back_at <= now;
    case Health::on_trial:
      return false;
  }
  return false;
}

std::optional<Upstreams::Choice> Upstreams::choose(std::size_t route, Tried tried, port::Time now) noexcept {
  const auto list = config_.routes[route].upstreams.all();
  std::optional<Choice> last_resort;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::size_t place = (next_[route] + i) % list.size();
    if ((tried >> place & 1) != 0) {
      continue;
    }
    Upstream& upstream = all_[list[place]];
    Choice choice{.upstream = list[place], .place = static_cast<std::uint8_t>(place), .is_last_resort = false};
    if (may_be_tried(upstream, now)) {
      next_[route] = static_cast<std::uint8_t>((place + 1) % list.size());
      upstream.health = upstream.health == Health::out ? Health::on_trial : upstream.health;
      return choice;
    }
    choice.is_last_resort = true;
    if (!last_resort || upstream.failed_at < all_[last_resort->upstream].failed_at) {
      last_resort = choice;
    }
  }
  // A request that has failed elsewhere is not made to wait for one that is known to be out.
  return tried == 0 ? last_resort : std::nullopt;
}

void Upstreams::began(std::size_t upstream) noexcept {
  ++all_[upstream].active;
  ++all_[upstream].requests;
}

void Upstreams::ended(std::size_t upstream) noexcept {
  ENSURE(all_[upstream].active > 0);
  --all_[upstream].active;
}

void Upstreams::succeeded(std::size_t upstream) noexcept {
  Upstream& it = all_[upstream];
  ++it.answered;
  it.fails = 0;
  it.health = Health::up;
}

bool Upstreams::failed(std::size_t upstream, port::Time now) noexcept {
  Upstream& it = all_[upstream];
  ++it.failures;
  ++it.fails;
  it.failed_at = now;
  if (config_.options.max_fails == 0 || (it.health == Health::up && it.fails < config_.options.max_fails)) {
    return false;
  }
  const bool was_up = it.health == Health::up;
  it.health = Health::out;
  it.back_at = now + config_.options.fail_timeout;
  it.times_out += was_up ? 1 : 0;
  return was_up;
}

void Upstreams::given_up(std::size_t upstream) noexcept {
  Upstream& it = all_[upstream];
  // The next request is the trial then.
  it.health = it.health == Health::on_trial ? Health::out : it.health;
}

port::Duration Upstreams::until_back(std::size_t route, port::Time now) const noexcept {
  port::Duration least = config_.options.fail_timeout;
  for (const std::uint8_t index : config_.routes[route].upstreams.all()) {
    const Upstream& upstream = all_[index];
    const port::Duration wait = upstream.health == Health::up ? port::Duration::zero() : upstream.back_at - now;
    least = std::min(least, std::max(wait, port::Duration::zero()));
  }
  return least;
}

}  // namespace pollux::gateway
