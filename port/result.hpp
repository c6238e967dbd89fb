// Result<T, E>: either a value or the reason why there is none.
//
// The smallest thing that does it: T and E are small and trivially destructible; nothing is thrown, nothing is allocated.
//
//   if (auto socket = port.listen(options); !socket) { return report(socket.error()); }
//   else { use(socket.value()); }
#pragma once

#include <type_traits>

#include "port/ensure.hpp"

namespace pollux::port {

// Wraps the error so that Result<int, int> stays unambiguous: `return Failure{ListenError::address_in_use};`
template <typename E>
struct Failure {
  E error;
};
template <typename E>
Failure(E) -> Failure<E>;

template <typename T, typename E>
class [[nodiscard]] Result {
  static_assert(std::is_trivially_destructible_v<T>, "a Result holds small plain values only");
  static_assert(std::is_trivially_destructible_v<E>, "an error is a small plain value");

 public:
  constexpr Result(const T& value) noexcept : value_{value}, has_value_{true} {}               // NOLINT(*-explicit-*)
  constexpr Result(Failure<E> failure) noexcept : error_{failure.error}, has_value_{false} {}  // NOLINT(*-explicit-*)

  constexpr explicit operator bool() const noexcept { return has_value_; }

  // The value; calling it on a failure is a bug of the caller and stops the program.
  [[nodiscard]] constexpr const T& value() const noexcept {
    ENSURE(has_value_);
    return value_;
  }
  [[nodiscard]] constexpr const T& operator*() const noexcept { return value(); }
  [[nodiscard]] constexpr const T* operator->() const noexcept { return &value(); }

  // The reason; calling it on a success is a bug of the caller and stops the program.
  [[nodiscard]] constexpr E error() const noexcept {
    ENSURE(!has_value_);
    return error_;
  }

 private:
  union {
    T value_;
    E error_;
  };
  bool has_value_;
};

// Success without a value: `return {};`
template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  constexpr Result() noexcept = default;
  constexpr Result(Failure<E> failure) noexcept : error_{failure.error}, has_value_{false} {}  // NOLINT(*-explicit-*)

  constexpr explicit operator bool() const noexcept { return has_value_; }
  [[nodiscard]] constexpr E error() const noexcept {
    ENSURE(!has_value_);
    return error_;
  }

 private:
  E error_{};
  bool has_value_ = true;
};

}  // namespace pollux::port
