// Pool<T>: a fixed number of slots, handed out and taken back in O(1), with generations and a high-water mark.
//
// The memory is the caller's (usually a member of a Storage struct); a Pool never grows. Free slots are poisoned for
// AddressSanitizer. The slot given back last is handed out first, so that a lightly used pool stays in the cache.
//
//   base::Pool<Exchange> pool{storage.exchanges};
//   if (Exchange* exchange = pool.take()) { ... pool.give_back(*exchange); }   // nullptr: the pool is empty; the caller decides
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "port/ensure.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define POLLUX_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POLLUX_ASAN 1
#endif
#endif
#ifdef POLLUX_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace pollux::base {

// Names one use of one slot across turns. A slot that was given back and taken again has another generation, so an old handle
// is recognised (Pool::find returns nullptr). Generation 0 is never used: a default Handle names nothing.
struct Handle {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  [[nodiscard]] constexpr bool is_set() const noexcept { return generation != 0; }
  friend constexpr bool operator==(const Handle&, const Handle&) = default;
};

// One slot of a Pool. In static storage it costs no start-up code: everything is zero.
template <typename T>
struct PoolSlot {
  alignas(T) std::byte bytes[sizeof(T)];
  std::uint32_t generation;  // of the current use, or of the next one while free
  std::uint32_t next_free;   // index + 1 of the next free slot; 0 ends the list; `in_use` while taken
};

// How long an object in a pool lives: from take() to give_back(), or as long as the pool, made once, for objects whose making costs more
// than putting them back into their first state (the user's business then).
enum class Lifetime : std::uint8_t { per_use, resident };

template <typename T, Lifetime lifetime = Lifetime::per_use>
class Pool {
 public:
  using Slot = PoolSlot<T>;

  constexpr Pool() = default;
  explicit Pool(std::span<Slot> slots) noexcept requires(lifetime == Lifetime::per_use) : slots_{slots} {
    link_slots();
  }
  // `make(memory, index)` makes the object of slot `index` at `memory`.
  template <typename Make>
  Pool(std::span<Slot> slots, Make&& make) noexcept requires(lifetime == Lifetime::resident) : slots_{slots} {
    static_assert(std::is_trivially_destructible_v<T>, "a resident object is never destroyed");
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      make(static_cast<void*>(slots_[i].bytes), i);
    }
    link_slots();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
#ifdef POLLUX_ASAN
  // Its memory may serve another pool next.
  ~Pool() {
    for (Slot& slot : slots_) {
      unpoison(slot);
    }
  }
#endif

  // A new T in a free slot (the one that lives there, if it is resident), or nullptr when all are in use.
  template <typename... Args>
  [[nodiscard]] T* take(Args&&... args) noexcept {
    if (first_free_ == 0) {
      ++refused_;
      return nullptr;
    }
    Slot& slot = slots_[first_free_ - 1];
    first_free_ = slot.next_free;
    slot.next_free = in_use;
    ++used_;
    used_max_ = used_ > used_max_ ? used_ : used_max_;
    unpoison(slot);
    if constexpr (lifetime == Lifetime::resident) {
      static_assert(sizeof...(Args) == 0, "a resident object is there already");
      return object_in(slot);
    } else {
      return ::new (static_cast<void*>(slot.bytes)) T(static_cast<Args&&>(args)...);
    }
  }

  // Ends the use of `object`, which came from take(). All handles to it become stale.
  void give_back(T& object) noexcept {
    Slot& slot = slot_of(object);
    ENSURE(slot.next_free == in_use);
    if constexpr (lifetime == Lifetime::per_use) {
      object.~T();
    }
    slot.generation = slot.generation + 1 == 0 ? 1 : slot.generation + 1;
    slot.next_free = first_free_;
    first_free_ = static_cast<std::uint32_t>(&slot - slots_.data()) + 1;
    ENSURE(used_ > 0);
    --used_;
    poison(slot);
  }

  [[nodiscard]] Handle handle_of(const T& object) const noexcept {
    const Slot& slot = slot_of(object);
    return Handle{.index = static_cast<std::uint32_t>(&slot - slots_.data()), .generation = slot.generation};
  }
  [[nodiscard]] std::uint32_t index_of(const T& object) const noexcept {
    return static_cast<std::uint32_t>(&slot_of(object) - slots_.data());
  }

  // The object a handle names, or nullptr if that use has ended.
  [[nodiscard]] T* find(Handle handle) const noexcept {
    if (handle.index >= slots_.size()) {
      return nullptr;
    }
    Slot& slot = slots_[handle.index];
    if (slot.next_free != in_use || slot.generation != handle.generation) {
      return nullptr;
    }
    return object_in(slot);
  }
  // The object in slot `index` if it is in use.
  [[nodiscard]] T* at(std::uint32_t index) const noexcept {
    ENSURE(index < slots_.size());
    Slot& slot = slots_[index];
    return slot.next_free == in_use ? object_in(slot) : nullptr;
  }

  [[nodiscard]] std::size_t size() const noexcept {
    return slots_.size();
  }
  [[nodiscard]] std::size_t used() const noexcept {
    return used_;
  }
  [[nodiscard]] std::size_t used_max() const noexcept {
    return used_max_;
  }  // high-water mark
  [[nodiscard]] std::uint64_t refused() const noexcept {
    return refused_;
  }  // how often take() found nothing
  [[nodiscard]] bool is_empty() const noexcept {
    return first_free_ == 0;
  }  // nothing left to take

 private:
  static constexpr std::uint32_t in_use = UINT32_MAX;

  void link_slots() noexcept {
    for (std::size_t i = slots_.size(); i-- > 0;) {
      slots_[i].next_free = first_free_;
      first_free_ = static_cast<std::uint32_t>(i + 1);
      if (slots_[i].generation == 0) {
        slots_[i].generation = 1;
      }
      poison(slots_[i]);
    }
  }

  // By way of void*: `bytes` is aligned as T is, which GCC of a 32-bit machine does not see (-Wcast-align).
  [[nodiscard]] static T* object_in(Slot& slot) noexcept {
    return std::launder(static_cast<T*>(static_cast<void*>(slot.bytes)));
  }
  [[nodiscard]] Slot& slot_of(const T& object) const noexcept {
    auto* slot = static_cast<Slot*>(const_cast<void*>(static_cast<const void*>(&object)));  // bytes is the first member
    ENSURE(slot >= slots_.data());
    ENSURE(slot < slots_.data() + slots_.size());
    return *slot;
  }
  static void poison([[maybe_unused]] Slot& slot) noexcept {
#ifdef POLLUX_ASAN
    __asan_poison_memory_region(slot.bytes, sizeof slot.bytes);
#endif
  }
  static void unpoison([[maybe_unused]] Slot& slot) noexcept {
#ifdef POLLUX_ASAN
    __asan_unpoison_memory_region(slot.bytes, sizeof slot.bytes);
#endif
  }

  std::span<Slot> slots_{};
  std::uint32_t first_free_ = 0;  // index + 1; 0: none
  std::size_t used_ = 0;
  std::size_t used_max_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace pollux::base
