// Who gets the next item, and the book of slots.
#include "fleet/directory.h"

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

// The counters behind has_free and pick agree with a plain scan, whatever the order of calls.
TEST(Directory, PropertyCountersAgreeWithAScan) {
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  const std::vector<std::string> capabilities = {"x", "y", "z"};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    auto any = [&](const auto& list) { return list[random.below(list.size())]; };
    auto some = [&] {
      std::vector<std::string> chosen;
      for (const auto& capability : capabilities) {
        if (random.below(2) == 0) chosen.push_back(capability);
      }
      return chosen;
    };
    Directory directory;
    std::map<std::string, std::set<std::string>> serves;  // of known agents
    for (int step = 0; step < 300; ++step) {
      const std::string name = any(names);
      const AgentView* view = directory.find(name);
      switch (random.below(8)) {
        case 0: {
          const auto chosen = some();
          add(directory, spec_with(name, chosen, 1 + static_cast<int>(random.below(3))), name);
          serves[name] = {chosen.begin(), chosen.end()};
          break;
        }
        case 1:
          if (random.below(4) != 0) break;
          directory.remove(name);
          serves.erase(name);
          break;
        case 2: {
          if (view == nullptr) break;
          auto chosen = some();
          if (chosen.empty()) break;
          directory.set_link(name, 1, static_cast<int>(random.below(4)), chosen);
          const auto& own = view->spec->capabilities;
          serves[name].clear();
          for (const auto& capability : chosen) {
            if (std::count(own.begin(), own.end(), capability) > 0) serves[name].insert(capability);
          }
          break;
        }
        case 3:
          directory.take(name);
          break;
        case 4:
          directory.release(name, 1);
          break;
        case 5:
          directory.clear_link(name);
          break;
        default:
          directory.set_assignable(name, random.below(4) != 0);
      }
      for (const std::string& capability : capabilities) {
        bool free = false;
        for (const auto& [agent, served] : serves) {
          const AgentView* known = directory.find(agent);
          ASSERT_NE(known, nullptr);
          free = free ||
                 (served.contains(capability) && known->assignable && known->busy < known->slots);
        }
        ASSERT_EQ(directory.has_free(capability), free) << capability << " at step " << step;
        const AgentView* picked = directory.pick(capability);
        ASSERT_EQ(picked != nullptr, free);
        if (picked != nullptr) {
          ASSERT_TRUE(serves[picked->name].contains(capability));
        }
      }
    }
  }
}

}  // namespace
}  // namespace mainstay::fleet
