// The bus over the real store: events are published by the commit that made them durable, and a
// subscriber that comes at any moment misses none.
#include "bus/journal_reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <vector>

#include "base/assert.h"
#include "bus/bus.h"
#include "platform/files/test_dir.h"
#include "store/test_rows.h"

namespace mainstay::bus {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);

std::unique_ptr<store::Store> open(const platform::TestDir& dir, store::RowWriter& rows) {
  store::StoreOptions options;
  options.dir = dir / "data";
  options.reserve_bytes = 1 << 20;
  auto opened = store::Store::open(std::move(options), rows);
  MS_ASSERT(opened.has_value(), opened ? "" : opened.error().to_text());
  return *std::move(opened);
}

TEST(JournalReader, SubscribersOfADurableStreamMissNothingAndSeeNothingTwice) {
  constexpr int kEvents = 3000;
  const platform::TestDir dir;
  store::TestRows rows;
  const auto store = open(dir, rows);
  JournalReader reader(*store);
  Bus bus(reader, 0);
  struct Seen {
    std::mutex mutex;
    std::vector<model::Sequence> all;
  };
  std::vector<std::unique_ptr<Seen>> seen;
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  for (int i = 1; i <= kEvents; ++i) {
    store::Batch batch = store::batch_of(i, "agent", "x", {});
    batch.on_durable = [&bus, events = batch.events] { bus.publish(events); };
    store->commit(std::move(batch));
    if (i % 300 != 0) continue;
    SubscriptionOptions options;
    options.name = "s" + std::to_string(i);
    options.after = 0;
    options.capacity = 16;
    Seen& mine = *seen.emplace_back(std::make_unique<Seen>());
    auto made = bus.subscribe(options, {[&mine](const model::Event& event) {
                                          const std::lock_guard lock(mine.mutex);
                                          mine.all.push_back(event.seq);
                                          return Delivery::taken;
                                        },
                                        {}});
    ASSERT_TRUE(made);
    subscriptions.push_back(*std::move(made));
  }
  for (const auto& subscription : subscriptions) {
    ASSERT_TRUE(subscription->wait_for(kEvents, kPatience));
    EXPECT_EQ(subscription->counters().read_failures, 0U);
  }
  subscriptions.clear();
  ASSERT_EQ(seen.size(), 10U);
  for (const auto& mine : seen) {
    ASSERT_EQ(mine->all.size(), static_cast<std::size_t>(kEvents));
    for (int i = 0; i < kEvents; ++i) ASSERT_EQ(mine->all[static_cast<std::size_t>(i)], i + 1);
  }
  EXPECT_TRUE(store->close(std::chrono::seconds(10)));
}

}  // namespace
}  // namespace mainstay::bus
