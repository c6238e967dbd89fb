// Buffer: bytes that have come and not yet gone, in memory given by somebody else.
//
//   [ gone | data ........ | room ........ ]
//          begin           end             capacity
//
// Data stays contiguous. Nothing moves by itself: compact() is the only call that moves bytes, so views into data() live until
// then (or until the bytes are consumed). An emptied buffer starts at its front again.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "port/ensure.hpp"

namespace pollux::base {

class Buffer {
 public:
  constexpr Buffer() = default;
  explicit constexpr Buffer(std::span<char> memory) noexcept : memory_{memory} {}

  [[nodiscard]] constexpr std::string_view data() const noexcept { return {memory_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] constexpr std::span<char> mutable_data() const noexcept {
    return memory_.subspan(begin_, end_ - begin_);
  }
  [[nodiscard]] constexpr std::span<char> room() const noexcept { return memory_.subspan(end_); }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] constexpr bool is_empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] constexpr std::size_t capacity() const noexcept { return memory_.size(); }
  [[nodiscard]] constexpr std::size_t gone() const noexcept { return begin_; }  // bytes that compact() would win

  // `count` bytes were written into room().
  constexpr void produced(std::size_t count) noexcept {
    ENSURE(count <= memory_.size() - end_);
    end_ += count;
  }
  // The first `count` bytes of data() are done with.
  constexpr void consume(std::size_t count) noexcept {
    ENSURE(count <= end_ - begin_);
    begin_ += count;
    if (begin_ == end_) {
      begin_ = end_ = 0;
    }
  }
  // The last `count` bytes of data() are taken back.
  constexpr void unproduce(std::size_t count) noexcept {
    ENSURE(count <= end_ - begin_);
    end_ -= count;
  }
  // Appends what fits and returns how much that was.
  std::size_t append(std::string_view text) noexcept {
    const std::size_t count = text.size() < memory_.size() - end_ ? text.size() : memory_.size() - end_;
    if (count != 0) {
      std::memcpy(memory_.data() + end_, text.data(), count);
    }
    end_ += count;
    return count;
  }
  // Moves the data to the front. Views into it are dead afterwards.
  void compact() noexcept {
    if (begin_ != 0) {
      std::memmove(memory_.data(), memory_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
  }
  constexpr void clear() noexcept { begin_ = end_ = 0; }

 private:
  std::span<char> memory_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pollux::base
