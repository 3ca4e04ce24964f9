// Who waits for an item hears of its end, however many end at once and whatever the disk does.
#include "app/daemon/work_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/random.h"
#include "engine/row_writer.h"
#include "platform/sqlite/sqlite_memory_vfs.h"
#include "store/store.h"

namespace mainstay::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

class NoJournal : public bus::EventReader {
 public:
  Result<std::vector<model::Event>> read(model::Sequence, std::size_t) override {
    return std::vector<model::Event>();
  }
};

class WorkWatchTest : public ::testing::Test {
 protected:
  WorkWatchTest() {
    store::StoreOptions options;
    options.dir = "data";
    options.vfs = vfs_.name();
    options.blobs = blobs_;
    options.mode = store::StoreMode::inline_commit;
    store_ = store::Store::open(std::move(options), rows_).value();
    watch_.emplace(
        [this]() -> Result<platform::SqliteConnection> {
          if (refusals_-- > 0) return Error(Code::storage_failed, "the disk says no");
          return store_->open_reader();
        },
        *blobs_);
    MS_ASSERT(watch_->start(bus_).has_value(), "a bus takes a subscriber");
  }

  model::WorkId add(model::WorkState state) {
    auto spec = std::make_shared<model::WorkSpec>();
    spec->id = model::WorkId::make(ids_, base::wall_from_micros(1'800'000'000'000));
    spec->capability = "echo";
    spec->input = model::Payload::of("{}");
    model::WorkStatus status;
    status.state = state;
    commit({model::WorkInserted{spec, status}});
    return spec->id;
  }
  void end(const model::WorkId& id) {
    model::WorkStatus status;
    status.state = model::WorkState::succeeded;
    status.output = model::Payload::of("1");
    commit({model::WorkUpdated{id, status}});
    model::Event event;
    event.seq = ++sequence_;
    event.kind = "work.succeeded";
    event.subject = id.to_text();
    event.body = "{}";
    bus_.publish({event});
  }
  void commit(std::vector<model::Row> rows) {
    store::Batch batch;
    batch.rows = std::move(rows);
    store_->commit(std::move(batch));
  }
  /// Told once with the output as it is in the rows; a second time would throw.
  std::future<std::string> wait_for(const model::WorkId& id) {
    auto told = std::make_shared<std::promise<std::string>>();
    watch_->watch(id, [told](const work::WorkRecord& record) {
      told->set_value(std::string(record.status.output.view()));
    });
    return told->get_future();
  }

  platform::MemoryVfs vfs_{"work-watch", 1};
  std::shared_ptr<store::MemoryBlobs> blobs_ = std::make_shared<store::MemoryBlobs>();
  engine::RowWriter rows_;
  std::unique_ptr<store::Store> store_;
  base::UuidMaker ids_{1};
  NoJournal journal_;
  bus::Bus bus_{journal_, 0};
  model::Sequence sequence_ = 0;
  std::atomic<int> refusals_ = 0;
  std::optional<WorkWatch> watch_;
};

TEST_F(WorkWatchTest, TellsOfEndsBeforeAndAfterTheQuestion) {
  const model::WorkId later = add(model::WorkState::running);
  auto told_later = wait_for(later);
  const model::WorkId before = add(model::WorkState::running);
  end(before);
  auto told_before = wait_for(before);
  ASSERT_EQ(told_before.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(told_later.wait_for(0s), std::future_status::timeout);
  end(later);
  ASSERT_EQ(told_later.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(told_later.get(), "1");
  EXPECT_EQ(watch_->waiting(), 0U);
}

TEST_F(WorkWatchTest, ManyEndsAtOnceForgetNobody) {
  constexpr int kMany = 5'000;
  std::vector<model::WorkId> ids;
  std::vector<std::future<std::string>> told;
  for (int i = 0; i < kMany; ++i) ids.push_back(add(model::WorkState::running));
  for (const model::WorkId& id : ids) told.push_back(wait_for(id));
  for (const model::WorkId& id : ids) end(id);
  for (auto& one : told) ASSERT_EQ(one.wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(watch_->waiting(), 0U);
}

TEST_F(WorkWatchTest, WhatCannotBeReadIsReadAgain) {
  refusals_ = 3;
  const model::WorkId id = add(model::WorkState::running);
  end(id);
  auto told = wait_for(id);
  ASSERT_EQ(told.wait_for(kPatience), std::future_status::ready);
  EXPECT_LT(refusals_, 0);
}

TEST_F(WorkWatchTest, StopIsNotHeldUpByThoseWhoWait) {
  refusals_ = 1'000'000;
  auto told = wait_for(add(model::WorkState::running));
  watch_->stop();
  EXPECT_EQ(watch_->waiting(), 1U);
}

}  // namespace
}  // namespace mainstay::app
