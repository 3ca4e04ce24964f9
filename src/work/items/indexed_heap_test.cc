#include "work/items/indexed_heap.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "base/random.h"

namespace mainstay::work {
namespace {

struct Node {
  std::uint32_t position = kNotInHeap;
  HeapKey key;
};
using Heap = IndexedHeap<Node, &Node::position>;

TEST(IndexedHeap, GivesTheSmallestFirst) {
  std::vector<Node> nodes(5);
  Heap heap;
  const std::uint64_t keys[] = {5, 1, 4, 2, 3};
  for (std::size_t i = 0; i < 5; ++i) heap.push(nodes[i], {keys[i], 0});
  for (std::uint64_t want = 1; want <= 5; ++want) {
    EXPECT_EQ(heap.top_key().major, want);
    heap.remove(heap.top());
  }
  EXPECT_TRUE(heap.empty());
}

TEST(IndexedHeap, RemovingWhatIsNotThereDoesNothing) {
  Node node;
  Heap heap;
  heap.remove(node);
  heap.push(node, {1, 1});
  heap.remove(node);
  heap.remove(node);
  EXPECT_FALSE(Heap::holds(node));
  EXPECT_TRUE(heap.empty());
}

// Against std::set, with pushes, moves and removals of any entry.
TEST(IndexedHeap, BehavesAsAnOrderedSet) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    base::Random random(seed);
    std::vector<Node> nodes(300);
    std::set<std::pair<HeapKey, Node*>> model;
    Heap heap;
    for (int step = 0; step < 5000; ++step) {
      Node& node = nodes[random.below(nodes.size())];
      if (random.below(3) == 0) {
        heap.remove(node);
        model.erase({node.key, &node});
      } else {
        if (Heap::holds(node)) model.erase({node.key, &node});
        node.key = {random.below(50), static_cast<std::uint64_t>(&node - nodes.data())};
        heap.set(node, node.key);
        model.insert({node.key, &node});
      }
      ASSERT_EQ(heap.size(), model.size());
      if (!model.empty()) {
        ASSERT_EQ(&heap.top(), model.begin()->second);
        ASSERT_EQ(heap.top_key(), model.begin()->first);
      }
    }
    while (!model.empty()) {
      ASSERT_EQ(&heap.top(), model.begin()->second);
      model.erase(model.begin());
      heap.remove(heap.top());
    }
  }
}

TEST(IndexedHeap, GivesItsRoomBackAfterABurst) {
  std::vector<Node> nodes(100'000);
  Heap heap;
  std::uint64_t key = 0;
  for (Node& node : nodes) heap.push(node, {key++, 0});
  for (std::uint64_t want = 0; want < nodes.size(); ++want) {
    ASSERT_EQ(heap.top_key().major, want);
    heap.remove(heap.top());
  }
  EXPECT_TRUE(heap.empty());
}

}  // namespace
}  // namespace mainstay::work
