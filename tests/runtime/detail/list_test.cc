#include "wharf/runtime/detail/list.h"

#include <vector>

#include <gtest/gtest.h>

namespace wharf::runtime::detail {
namespace {

struct Red;
struct Blue;
struct Item : ListNode<Red>, ListNode<Blue> {
  explicit Item(int n) : number(n) {}
  int number;
};
using RedList = List<Item, Red>;
using BlueList = List<Item, Blue>;

std::vector<int> drain(RedList& list) {
  std::vector<int> numbers;
  while (Item* item = list.pop_front()) numbers.push_back(item->number);
  return numbers;
}

TEST(ListTest, KeepsTheOrder) {
  RedList list;
  Item one(1);
  Item two(2);
  Item three(3);

  list.push_back(one);
  list.push_back(two);
  list.push_back(three);

  EXPECT_EQ(list.next(one), &two);
  EXPECT_EQ(list.next(three), nullptr);
  EXPECT_EQ(drain(list), (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(list.empty());
}

TEST(ListTest, AnItemLeavesFromAnywhere) {
  RedList list;
  Item one(1);
  Item two(2);
  Item three(3);
  list.push_back(one);
  list.push_back(two);
  list.push_back(three);

  RedList::remove(two);

  EXPECT_FALSE(RedList::linked(two));
  EXPECT_EQ(drain(list), (std::vector<int>{1, 3}));
}

TEST(ListTest, AnItemIsInOneListOfEachTag) {
  RedList red;
  BlueList blue;
  Item item(1);
  red.push_back(item);
  blue.push_back(item);

  RedList::remove(item);

  EXPECT_FALSE(RedList::linked(item));
  EXPECT_TRUE(BlueList::linked(item));
  BlueList::remove(item);
}

TEST(ListTest, TakesAllOfAnother) {
  RedList source;
  RedList target;
  Item one(1);
  Item two(2);
  Item three(3);
  target.push_back(one);
  source.push_back(two);
  source.push_back(three);

  target.take_all(source);
  target.take_all(source);  // of nothing

  EXPECT_TRUE(source.empty());
  EXPECT_EQ(drain(target), (std::vector<int>{1, 2, 3}));
}

TEST(ListDeathTest, AnItemThatDiesInAListAborts) {
  EXPECT_DEATH(
      {
        RedList list;
        Item item(1);
        list.push_back(item);
      },
      "that a list still holds");
}

}  // namespace
}  // namespace wharf::runtime::detail
