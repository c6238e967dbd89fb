// List<T, &T::link>: a doubly linked list whose links live in the elements, so it can neither run out nor allocate.
//
// An element is in at most one list per link member. Lists own nothing.
#pragma once

#include <cstddef>

#include "port/ensure.hpp"

namespace pollux::base {

template <typename T>
struct ListLink {
  T* previous = nullptr;
  T* next = nullptr;
  bool is_linked = false;
};

template <typename T, ListLink<T> T::*Link>
class List {
 public:
  constexpr List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  void push_back(T& element) noexcept { insert_before(element, nullptr); }
  void push_front(T& element) noexcept { insert_before(element, first_); }

  void remove(T& element) noexcept {
    ListLink<T>& link = element.*Link;
    ENSURE(link.is_linked);
    (link.previous ? (link.previous->*Link).next : first_) = link.next;
    (link.next ? (link.next->*Link).previous : last_) = link.previous;
    link = ListLink<T>{};
    --size_;
  }
  [[nodiscard]] T* pop_front() noexcept {
    T* element = first_;
    if (element) {
      remove(*element);
    }
    return element;
  }

  [[nodiscard]] T* front() const noexcept { return first_; }
  [[nodiscard]] T* back() const noexcept { return last_; }
  [[nodiscard]] static T* next(const T& element) noexcept { return (element.*Link).next; }
  [[nodiscard]] static T* previous(const T& element) noexcept { return (element.*Link).previous; }
  [[nodiscard]] static bool is_linked(const T& element) noexcept { return (element.*Link).is_linked; }
  [[nodiscard]] bool is_empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Calls visit(T&) for each element, first to last. `visit` may remove the element it is given, and no other.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (T* element = first_; element != nullptr;) {
      T* following = next(*element);
      visit(*element);
      element = following;
    }
  }

 private:
  void insert_before(T& element, T* successor) noexcept {
    ListLink<T>& link = element.*Link;
    ENSURE(!link.is_linked);
    link.is_linked = true;
    link.next = successor;
    link.previous = successor ? (successor->*Link).previous : last_;
    (link.previous ? (link.previous->*Link).next : first_) = &element;
    (successor ? (successor->*Link).previous : last_) = &element;
    ++size_;
  }

  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pollux::base
