// Who gets the next item, and the book of slots.
#include "fleet/directory.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "fleet/test_rig.h"

namespace mainstay::fleet {
namespace {

void add(Directory& directory, const model::AgentSpec& spec, const std::string& name) {
  directory.add(name, std::make_shared<const model::AgentSpec>(spec));
  directory.begin_incarnation(name, 1);
}

model::AgentSpec spec_with(std::string name, std::vector<std::string> capabilities, int slots) {
  model::AgentSpec spec = link_spec(std::move(name), std::move(capabilities));
  spec.concurrency = slots;
  return spec;
}

TEST(Directory, PicksInTurnThenTheLeastBusyShare) {
  Directory directory;
  for (const char* name : {"a", "b", "c"}) {
    add(directory, spec_with(name, {"x"}, 2), name);
    directory.set_assignable(name, true);
  }
  std::string order;
  for (int i = 0; i < 6; ++i) {
    const AgentView* view = directory.pick("x");
    ASSERT_NE(view, nullptr);
    order += view->name;
    directory.take(view->name);
  }
  EXPECT_EQ(order, "abcabc");
  EXPECT_EQ(directory.pick("x"), nullptr);
  EXPECT_FALSE(directory.has_free("x"));
  directory.release("b", 1);
  EXPECT_EQ(directory.pick("x")->name, "b");
}

TEST(Directory, SharesByWidth) {
  Directory directory;
  add(directory, spec_with("wide", {"x"}, 8), "wide");
  add(directory, spec_with("thin", {"x"}, 2), "thin");
  directory.set_assignable("wide", true);
  directory.set_assignable("thin", true);
  std::map<std::string, int> given;
  for (int i = 0; i < 5; ++i) {
    const AgentView* view = directory.pick("x");
    ++given[view->name];
    directory.take(view->name);
  }
  EXPECT_EQ(given["wide"], 4);
  EXPECT_EQ(given["thin"], 1);
}

TEST(Directory, OfferIsOfTheSpecServiceOfTheHello) {
  Directory directory;
  add(directory, spec_with("a", {"x", "y"}, 4), "a");
  EXPECT_TRUE(directory.offered("y"));
  EXPECT_FALSE(directory.offered("z"));
  EXPECT_FALSE(directory.has_free("x"));
  directory.set_link("a", 5, 99, {"x", "z"});
  directory.set_assignable("a", true);
  EXPECT_EQ(directory.find("a")->slots, 4) << "the fleet file's limit holds";
  EXPECT_TRUE(directory.has_free("x"));
  EXPECT_FALSE(directory.has_free("y"));
  EXPECT_FALSE(directory.has_free("z")) << "a capability that the file does not give";
  EXPECT_TRUE(directory.offered("y")) << "it may come back with the next start";
  directory.remove("a");
  EXPECT_FALSE(directory.offered("x"));
  EXPECT_EQ(directory.pick("x"), nullptr);
}

TEST(Directory, AnEarlierIncarnationGivesNothingBack) {
  Directory directory;
  add(directory, spec_with("a", {"x"}, 1), "a");
  directory.set_assignable("a", true);
  directory.take("a");
  directory.begin_incarnation("a", 2);
  directory.set_assignable("a", true);
  directory.take("a");
  directory.release("a", 1);
  EXPECT_EQ(directory.find("a")->busy, 1);
  EXPECT_FALSE(directory.has_free("x"));
  directory.release("a", 2);
  directory.release("a", 2);
  EXPECT_EQ(directory.find("a")->busy, 0);
}

/// A directory under random calls, beside a plain record of who serves what.
class Exercise {
 public:
  explicit Exercise(std::uint64_t seed) : random_(seed) {}

  void call() {
    const std::string name = any(kNames);
    const AgentView* view = directory_.find(name);
    switch (random_.below(8)) {
      case 0:
        return add_one(name);
      case 1:
        if (random_.below(4) != 0) return;
        directory_.remove(name);
        serves_.erase(name);
        return;
      case 2:
        if (view != nullptr) say_hello(*view);
        return;
      case 3:
        return directory_.take(name);
      case 4:
        return directory_.release(name, 1);
      case 5:
        return directory_.clear_link(name);
      default:
        return directory_.set_assignable(name, random_.below(4) != 0);
    }
  }

  void check() {
    for (const std::string& capability : kCapabilities) {
      bool free = false;
      for (const auto& [agent, served] : serves_) {
        const AgentView* known = directory_.find(agent);
        ASSERT_NE(known, nullptr);
        free = free ||
               (served.contains(capability) && known->assignable && known->busy < known->slots);
      }
      ASSERT_EQ(directory_.has_free(capability), free) << capability;
      const AgentView* picked = directory_.pick(capability);
      ASSERT_EQ(picked != nullptr, free);
      ASSERT_TRUE(picked == nullptr || serves_[picked->name].contains(capability));
    }
  }

 private:
  inline static const std::vector<std::string> kNames = {"a", "b", "c", "d"};
  inline static const std::vector<std::string> kCapabilities = {"x", "y", "z"};

  const std::string& any(const std::vector<std::string>& list) {
    return list[random_.below(list.size())];
  }
  std::vector<std::string> some() {
    std::vector<std::string> chosen;
    for (const auto& capability : kCapabilities) {
      if (random_.below(2) == 0) chosen.push_back(capability);
    }
    return chosen;
  }
  void add_one(const std::string& name) {
    const auto chosen = some();
    add(directory_, spec_with(name, chosen, 1 + static_cast<int>(random_.below(3))), name);
    serves_[name] = {chosen.begin(), chosen.end()};
  }
  void say_hello(const AgentView& view) {
    const auto chosen = some();
    if (chosen.empty()) return;
    directory_.set_link(view.name, 1, static_cast<int>(random_.below(4)), chosen);
    const auto& own = view.spec->capabilities;
    std::set<std::string>& served = serves_[view.name];
    served.clear();
    for (const auto& capability : chosen) {
      if (std::count(own.begin(), own.end(), capability) > 0) served.insert(capability);
    }
  }

  base::Random random_;
  Directory directory_;
  std::map<std::string, std::set<std::string>> serves_;  // of known agents
};

// The counters behind has_free and pick agree with a plain scan, whatever the order of calls.
TEST(Directory, PropertyCountersAgreeWithAScan) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Exercise exercise(seed);
    for (int step = 0; step < 300 && !testing::Test::HasFailure(); ++step) {
      exercise.call();
      exercise.check();
    }
  }
}

}  // namespace
}  // namespace mainstay::fleet
