// Pool: handing out and taking back, handles of ended uses, high-water marks, objects that are made once.

#include "stack/base/pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace pollux::test {
namespace {

using base::Handle;
using base::Lifetime;
using base::Pool;
using base::PoolSlot;

struct Counted {
  explicit Counted(int number) : value{number} { ++alive; }
  ~Counted() { --alive; }
  int value;
  static inline int alive = 0;
};

TEST(Pool, HandsOutEverySlotAndNoMore) {
  std::array<PoolSlot<Counted>, 3> slots{};
  Pool<Counted> pool{slots};
  EXPECT_EQ(pool.size(), 3U);
  EXPECT_FALSE(pool.is_empty());
  std::array<Counted*, 3> taken{pool.take(1), pool.take(2), pool.take(3)};
  EXPECT_EQ(Counted::alive, 3);
  EXPECT_TRUE(pool.is_empty());
  EXPECT_EQ(pool.take(4), nullptr);
  EXPECT_EQ(pool.take(5), nullptr);
  EXPECT_EQ(pool.refused(), 2U);
  EXPECT_EQ(pool.used(), 3U);
  for (Counted* object : taken) {
    pool.give_back(*object);
  }
  EXPECT_EQ(Counted::alive, 0);
  EXPECT_EQ(pool.used(), 0U);
  EXPECT_EQ(pool.used_max(), 3U);
}

TEST(Pool, HandsOutFirstWhatCameBackLast) {
  std::array<PoolSlot<int>, 4> slots{};
  Pool<int> pool{slots};
  int* first = pool.take(1);
  int* second = pool.take(2);
  EXPECT_EQ(pool.index_of(*first), 0U);
  EXPECT_EQ(pool.index_of(*second), 1U);
  pool.give_back(*first);
  EXPECT_EQ(pool.take(3), first);
  EXPECT_EQ(pool.used_max(), 2U);
}

TEST(Pool, AnOldHandleNamesNothing) {
  std::array<PoolSlot<int>, 2> slots{};
  Pool<int> pool{slots};
  EXPECT_EQ(pool.find(Handle{}), nullptr);
  EXPECT_EQ(pool.find(Handle{.index = 2, .generation = 1}), nullptr);
  EXPECT_EQ(pool.find(Handle{.index = 0, .generation = 1}), nullptr) << "a free slot";
  int* first = pool.take(7);
  const Handle handle = pool.handle_of(*first);
  EXPECT_TRUE(handle.is_set());
  EXPECT_EQ(pool.find(handle), first);
  EXPECT_EQ(pool.at(handle.index), first);
  EXPECT_EQ(pool.at(1), nullptr);
  pool.give_back(*first);
  EXPECT_EQ(pool.find(handle), nullptr);
  int* again = pool.take(8);
  ASSERT_EQ(again, first);
  EXPECT_EQ(pool.find(handle), nullptr) << "the slot is the same, the use is not";
  EXPECT_EQ(pool.find(pool.handle_of(*again)), again);
}

TEST(Pool, GenerationsWrapAroundZero) {
  std::array<PoolSlot<int>, 1> slots{};
  slots[0].generation = UINT32_MAX;
  Pool<int> pool{slots};
  int* object = pool.take(1);
  const Handle last = pool.handle_of(*object);
  EXPECT_EQ(last.generation, UINT32_MAX);
  pool.give_back(*object);
  object = pool.take(2);
  EXPECT_EQ(pool.handle_of(*object).generation, 1U) << "0 names nothing";
  EXPECT_EQ(pool.find(last), nullptr);
}

TEST(Pool, ASecondPoolOnTheSameMemoryKnowsOldHandles) {
  std::array<PoolSlot<int>, 1> slots{};
  Handle old;
  {
    Pool<int> pool{slots};
    int* object = pool.take(1);
    old = pool.handle_of(*object);
    pool.give_back(*object);
  }
  Pool<int> pool{slots};
  EXPECT_NE(pool.take(2), nullptr);
  EXPECT_EQ(pool.find(old), nullptr);
}

struct Resident {
  explicit Resident(std::size_t number) : index{number} {}
  std::size_t index;
  int uses = 0;
};

TEST(Pool, ResidentObjectsAreMadeOnce) {
  std::array<PoolSlot<Resident>, 3> slots{};
  for (int i = 0; i < 2; ++i) {  // and again on the same memory
    Pool<Resident, Lifetime::resident> pool{slots, [](void* at, std::size_t index) { ::new (at) Resident{index}; }};
    for (int use = 1; use <= 3; ++use) {
      Resident* first = pool.take();
      Resident* second = pool.take();
      EXPECT_EQ(first->index, pool.index_of(*first));
      EXPECT_EQ(second->index, 1U);
      EXPECT_EQ(++first->uses, use) << "what it was stays";
      pool.give_back(*second);
      pool.give_back(*first);
    }
  }
}

TEST(Pool, FollowsAModel) {
  std::array<PoolSlot<std::uint64_t>, 7> slots{};
  Pool<std::uint64_t> pool{slots};
  std::vector<std::pair<Handle, std::uint64_t>> taken;
  std::vector<Handle> ended;
  std::uint64_t state = 42;
  std::size_t most = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t chance = state >> 33;
    if (chance % 2 == 0) {
      std::uint64_t* object = pool.take(i);
      ASSERT_EQ(object == nullptr, taken.size() == slots.size());
      if (object != nullptr) {
        taken.emplace_back(pool.handle_of(*object), i);
      }
    } else if (!taken.empty()) {
      const std::size_t which = static_cast<std::size_t>(chance / 2 % taken.size());
      pool.give_back(*pool.find(taken[which].first));
      ended.push_back(taken[which].first);
      taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(which));
    }
    most = std::max(most, taken.size());
    ASSERT_EQ(pool.used(), taken.size());
    ASSERT_EQ(pool.used_max(), most);
    for (const auto& [handle, value] : taken) {
      ASSERT_NE(pool.find(handle), nullptr);
      ASSERT_EQ(*pool.find(handle), value);
    }
    if (!ended.empty()) {
      ASSERT_EQ(pool.find(ended[static_cast<std::size_t>(chance % ended.size())]), nullptr);
    }
  }
}

TEST(PoolDeathTest, MisuseStopsTheProgram) {
  std::array<PoolSlot<int>, 2> slots{};
  Pool<int> pool{slots};
  int* object = pool.take(1);
  int foreign = 0;
  EXPECT_DEATH(pool.give_back(foreign), "ENSURE");
  EXPECT_DEATH(static_cast<void>(pool.at(2)), "ENSURE");
  EXPECT_DEATH(
      {
        pool.give_back(*object);
        pool.give_back(*object);
      },
      "");
}

}  // namespace
}  // namespace pollux::test
