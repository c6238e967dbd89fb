#include "port/sim/sim_pipe.hpp"

#include <algorithm>
#include <cstring>

namespace pollux::port {
namespace {

std::size_t room_of(std::size_t limit, std::size_t used) noexcept {
  return limit > used ? limit - used : 0;
}

}  // namespace

SimPipe::SimPipe(std::size_t send_buffer_max, std::size_t receive_buffer_max)
    : capacity_{send_buffer_max + receive_buffer_max}, ring_{std::make_unique_for_overwrite<std::byte[]>(capacity_)} {}

void SimPipe::clear(Time now) noexcept {
  begin_ = unread_ = flying_ = waiting_ = 0;
  first_segment_ = segment_count_ = 0;
  line_free_at_ = last_arrival_ = progress_at_ = now;
  finish_wanted_ = finish_sent_ = finish_arrived_ = reset_wanted_ = reset_sent_ = false;
}

std::size_t SimPipe::room(const SimLink& link) const noexcept {
  return std::min(room_of(link.send_buffer, waiting_ + flying_), room_of(capacity_, unread_ + waiting_ + flying_));
}

std::size_t SimPipe::push(std::span<const std::byte> bytes, const SimLink& link, Time now) noexcept {
  const std::size_t count = std::min(bytes.size(), room(link));
  if (count == 0) {
    return 0;
  }
  if (outstanding() == 0) {
    progress_at_ = now;
  }
  const std::size_t end = (begin_ + unread_ + flying_ + waiting_) % capacity_;
  const std::size_t before_wrap = std::min(count, capacity_ - end);
  std::memcpy(ring_.get() + end, bytes.data(), before_wrap);
  if (count > before_wrap) {
    std::memcpy(ring_.get(), bytes.data() + before_wrap, count - before_wrap);
  }
  waiting_ += count;
  return count;
}

void SimPipe::finish(Time now) noexcept {
  if (outstanding() == 0 && !finish_wanted_) {
    progress_at_ = now;
  }
  finish_wanted_ = true;
}

void SimPipe::abort() noexcept {
  waiting_ = 0;
  reset_wanted_ = true;
}

Time SimPipe::gives_up_at(const SimLink& link) const noexcept {
  const bool is_waiting = outstanding() != 0 || (finish_wanted_ && !finish_arrived_);
  return is_waiting && !reset_wanted_ ? deadline_after(progress_at_, link.user_timeout) : never;
}

Time SimPipe::arrival_time(const SimLink& link, SimRandom& random, Time sent) noexcept {
  const auto latency = random.between(static_cast<std::uint64_t>(link.latency_min.count()),
                                      static_cast<std::uint64_t>(link.latency_max.count()));
  last_arrival_ = std::max(last_arrival_, sent + Duration{static_cast<Duration::rep>(latency)});
  return last_arrival_;
}

void SimPipe::launch(Segment segment) noexcept {
  ENSURE(segment_count_ < segments_max);
  segments_[(first_segment_ + segment_count_) % segments_max] = segment;
  ++segment_count_;
}

void SimPipe::depart(const SimLink& link, SimRandom& random, Time now, bool is_deaf) noexcept {
  if (reset_sent_) {
    return;
  }
  while (waiting_ != 0 && segment_count_ < segments_max - 2) {
    const std::size_t window = is_deaf ? waiting_ : room_of(link.receive_buffer, unread_ + flying_);
    std::size_t size = std::min(waiting_, window);
    if (size == 0) {
      break;
    }
    line_free_at_ = std::max(line_free_at_, now);
    if (link.bytes_per_second != 0) {
      size = std::min(size, packet_size);
      line_free_at_ +=
          Duration{static_cast<Duration::rep>(std::uint64_t{size} * 1'000'000'000U / link.bytes_per_second)};
    }
    waiting_ -= size;
    flying_ += size;
    launch({.arrival = arrival_time(link, random, line_free_at_), .size = size, .kind = Arrival::data});
  }
  if (reset_wanted_) {
    reset_sent_ = true;
    launch({.arrival = arrival_time(link, random, std::max(line_free_at_, now)), .kind = Arrival::reset});
  } else if (finish_wanted_ && !finish_sent_ && waiting_ == 0) {
    finish_sent_ = true;
    launch({.arrival = arrival_time(link, random, std::max(line_free_at_, now)), .kind = Arrival::finish});
  }
}

Time SimPipe::next_arrival() const noexcept {
  return segment_count_ == 0 ? never : segments_[first_segment_].arrival;
}

SimPipe::Arrival SimPipe::arrive(Time now, bool is_deaf) noexcept {
  if (next_arrival() > now) {
    return Arrival::none;
  }
  const Segment segment = segments_[first_segment_];
  first_segment_ = (first_segment_ + 1) % segments_max;
  --segment_count_;
  flying_ -= segment.size;
  progress_at_ = now;
  if (is_deaf) {
    begin_ = (begin_ + segment.size) % capacity_;
  } else {
    unread_ += segment.size;
  }
  finish_arrived_ = finish_arrived_ || segment.kind == Arrival::finish;
  return segment.kind;
}

void SimPipe::lose() noexcept {
  waiting_ += flying_;
  flying_ = 0;
  segment_count_ = 0;
  finish_sent_ = finish_arrived_;
  reset_sent_ = false;
}

void SimPipe::cut() noexcept {
  waiting_ = flying_ = 0;
  segment_count_ = 0;
  reset_wanted_ = reset_sent_ = true;
}

std::size_t SimPipe::take(std::span<std::byte> out) noexcept {
  const std::size_t count = std::min(out.size(), unread_);
  const std::size_t before_wrap = std::min(count, capacity_ - begin_);
  if (count != 0) {
    std::memcpy(out.data(), ring_.get() + begin_, before_wrap);
  }
  if (count > before_wrap) {
    std::memcpy(out.data() + before_wrap, ring_.get(), count - before_wrap);
  }
  begin_ = (begin_ + count) % capacity_;
  unread_ -= count;
  return count;
}

void SimPipe::drop_unread() noexcept {
  begin_ = (begin_ + unread_) % capacity_;
  unread_ = 0;
}

}  // namespace pollux::port
