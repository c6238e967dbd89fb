// List: order, removal anywhere, and walking while removing.

#include "stack/base/list.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace pollux::test {
namespace {

struct Item {
  char letter = '?';
  base::ListLink<Item> link{};
  base::ListLink<Item> other{};
};
using Items = base::List<Item, &Item::link>;
using Others = base::List<Item, &Item::other>;

std::string forwards(const Items& list) {
  std::string text;
  for (const Item* item = list.front(); item != nullptr; item = Items::next(*item)) {
    text += item->letter;
  }
  return text;
}
std::string backwards(const Items& list) {
  std::string text;
  for (const Item* item = list.back(); item != nullptr; item = Items::previous(*item)) {
    text += item->letter;
  }
  return text;
}

struct Letters {
  Letters() {
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i].letter = static_cast<char>('a' + i);
      list.push_back(items[i]);
    }
  }
  std::array<Item, 4> items{};
  Items list{};
};

TEST(List, KeepsItsOrder) {
  Letters letters;
  EXPECT_EQ(forwards(letters.list), "abcd");
  EXPECT_EQ(backwards(letters.list), "dcba");
  EXPECT_EQ(letters.list.size(), 4U);
  Item first{.letter = '0'};
  letters.list.push_front(first);
  EXPECT_EQ(forwards(letters.list), "0abcd");
  letters.list.remove(first);
}

TEST(List, RemovesAnywhere) {
  for (std::size_t i = 0; i < 4; ++i) {
    Letters letters;
    letters.list.remove(letters.items[i]);
    std::string wanted = "abcd";
    wanted.erase(i, 1);
    EXPECT_EQ(forwards(letters.list), wanted);
    EXPECT_EQ(backwards(letters.list), std::string(wanted.rbegin(), wanted.rend()));
    EXPECT_FALSE(Items::is_linked(letters.items[i]));
    letters.list.push_back(letters.items[i]);
    EXPECT_EQ(forwards(letters.list), wanted + static_cast<char>('a' + i));
  }
}

TEST(List, PopsUntilItIsEmpty) {
  Letters letters;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    EXPECT_EQ(letters.list.pop_front()->letter, letter);
  }
  EXPECT_EQ(letters.list.pop_front(), nullptr);
  EXPECT_TRUE(letters.list.is_empty());
  EXPECT_EQ(letters.list.size(), 0U);
  EXPECT_EQ(letters.list.front(), nullptr);
  EXPECT_EQ(letters.list.back(), nullptr);
}

TEST(List, AVisitorMayRemoveWhatItIsGiven) {
  for (unsigned removed = 0; removed < 16; ++removed) {
    Letters letters;
    std::string visited;
    std::string kept;
    letters.list.for_each([&](Item& item) {
      visited += item.letter;
      if ((removed >> (item.letter - 'a') & 1U) != 0) {
        letters.list.remove(item);
      } else {
        kept += item.letter;
      }
    });
    EXPECT_EQ(visited, "abcd");
    EXPECT_EQ(forwards(letters.list), kept);
  }
}

TEST(List, TwoLinksAreTwoLists) {
  Letters letters;
  Others others;
  others.push_back(letters.items[2]);
  letters.list.remove(letters.items[2]);
  EXPECT_EQ(others.front(), &letters.items[2]);
  EXPECT_TRUE(Others::is_linked(letters.items[2]));
  others.remove(letters.items[2]);
}

TEST(ListDeathTest, AnElementIsInOneListAtATime) {
  Letters letters;
  Items second;
  EXPECT_DEATH(second.push_back(letters.items[0]), "ENSURE");
  letters.list.remove(letters.items[0]);
  EXPECT_DEATH(letters.list.remove(letters.items[0]), "ENSURE");
}

}  // namespace
}  // namespace pollux::test
