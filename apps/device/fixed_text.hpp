// FixedText: a short text in its own memory. What does not fit is cut off.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace pollux::device {

template <std::size_t size_max>
class FixedText {
 public:
  constexpr FixedText() = default;
  FixedText& operator=(std::string_view text) noexcept {
    size_ = text.size() < size_max ? text.size() : size_max;
    text.copy(bytes_.data(), size_);
    return *this;
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }
  [[nodiscard]] bool is_empty() const noexcept { return size_ == 0; }

 private:
  std::array<char, size_max> bytes_{};
  std::size_t size_ = 0;
};

// The first `count` of `size_max` values.
template <typename T, std::size_t size_max>
class FixedList {
 public:
  // A new value at the end, or nullptr when the list is full.
  [[nodiscard]] T* add() noexcept {
    if (size_ == size_max) {
      return nullptr;
    }
    values_[size_] = T{};
    return &values_[size_++];
  }
  void clear() noexcept { size_ = 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const T& operator[](std::size_t index) const noexcept { return values_[index]; }
  [[nodiscard]] T* begin() noexcept { return values_.data(); }
  [[nodiscard]] T* end() noexcept { return values_.data() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return values_.data(); }
  [[nodiscard]] const T* end() const noexcept { return values_.data() + size_; }

 private:
  std::array<T, size_max> values_{};
  std::size_t size_ = 0;
};

}  // namespace pollux::device
