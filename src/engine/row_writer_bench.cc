// How fast the store keeps up with the control loop, and how fast a start finds what was open.
//
//   engine_bench --benchmark_filter=Commit     row changes and events a second, by items per turn
//   engine_bench --benchmark_filter=Recovery   with 1,000,000 finished and 10,000 open items
#include <benchmark/benchmark.h>
#include <time.h>

#include <filesystem>
#include <future>
#include <thread>

#include "base/uuid.h"
#include "engine/recovery.h"
#include "engine/row_writer.h"
#include "platform/files/test_dir.h"
#include "store/store.h"

namespace mainstay::engine {
namespace {

constexpr Wall kStart{std::chrono::microseconds(1'800'000'000'000'000)};

/// Turns as the loop makes them for items that an agent finishes at once: each accepts and starts
/// `items` new ones and ends those of the turn before. Per item 5 row changes and 3 events.
class Turns {
 public:
  store::Batch next(std::size_t items) {
    store::Batch batch;
    std::vector<model::WorkId> started;
    now_ += std::chrono::milliseconds(1);
    for (std::size_t i = 0; i < items; ++i) started.push_back(begin(batch));
    for (const model::WorkId& id : running_) end(batch, id);
    running_ = std::move(started);
    return batch;
  }

 private:
  model::WorkId begin(store::Batch& batch) {
    auto spec = std::make_shared<model::WorkSpec>();
    spec->id = model::WorkId::make(ids_, now_);
    spec->description = "analyse a file";
    spec->capability = "file.analyse";
    spec->timeout = std::chrono::minutes(10);
    spec->input = model::Payload::of(R"({"path":"src/engine/row_writer.cc","depth":3})");
    spec->trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    spec->created_at = now_;
    batch.rows.push_back(model::WorkInserted{spec, {}});
    model::WorkStatus status;
    status.state = model::WorkState::running;
    status.epoch = status.attempts_used = 1;
    status.agent = "analyst-1";
    status.first_started_at = now_;
    batch.rows.push_back(model::WorkUpdated{spec->id, status});
    batch.rows.push_back(attempt(spec->id));
    event(batch, "work.accepted", spec->id);
    event(batch, "work.started", spec->id);
    return spec->id;
  }
  void end(store::Batch& batch, const model::WorkId& id) {
    model::WorkStatus status;
    status.state = model::WorkState::succeeded;
    status.epoch = status.attempts_used = 1;
    status.agent = "analyst-1";
    status.first_started_at = status.finished_at = now_;
    status.output = model::Payload::of(R"({"path":"src/engine/row_writer.cc","churn":42})");
    batch.rows.push_back(model::WorkUpdated{id, status});
    model::AttemptRow row = attempt(id);
    row.finished_at = now_;
    row.outcome = "succeeded";
    batch.rows.push_back(row);
    event(batch, "work.succeeded", id);
  }
  model::AttemptRow attempt(const model::WorkId& id) const {
    return {id, 1, "analyst-1", 1, now_, std::nullopt, "", std::nullopt};
  }
  void event(store::Batch& batch, const char* kind, const model::WorkId& id) {
    batch.events.push_back({++seq_, now_, kind, id.to_text(),
                            R"({"trace_id":"0af7651916cd43dd8448eb211c80319c","agent":"analyst-1",)"
                            R"("epoch":1,"attempt":1})"});
  }

  base::UuidMaker ids_{1};
  Wall now_ = kStart;
  model::Sequence seq_ = 0;
  std::vector<model::WorkId> running_;
};

std::unique_ptr<store::Store> open_in(const platform::TestDir& dir, RowWriter& writer) {
  store::StoreOptions options;
  options.dir = dir / "data";
  options.reserve_bytes = 1 << 20;
  return std::move(store::Store::open(options, writer).value());
}

double process_cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// At most two turns on their way, as the loop has it.
void BM_Commit(benchmark::State& state) {
  platform::TestDir dir;
  RowWriter writer;
  std::unique_ptr<store::Store> store = open_in(dir, writer);
  Turns turns;
  const auto items = static_cast<std::size_t>(state.range(0));
  std::int64_t changes = 0;
  std::future<void> before;
  const double cpu = process_cpu_s();
  for (auto _ : state) {
    store::Batch batch = turns.next(items);
    changes += static_cast<std::int64_t>(batch.rows.size() + batch.events.size());
    auto durable = std::make_shared<std::promise<void>>();
    batch.on_durable = [durable] { durable->set_value(); };
    std::future<void> mine = durable->get_future();
    store->commit(std::move(batch));
    if (before.valid()) before.wait();
    before = std::move(mine);
  }
  if (before.valid()) before.wait();
  const double used = process_cpu_s() - cpu;
  const store::StoreCounters counters = store->counters();
  state.SetItemsProcessed(changes);
  state.counters["changes/cpu_s"] = static_cast<double>(changes) / used;
  state.counters["batches/commit"] =
      static_cast<double>(counters.batches) / static_cast<double>(counters.commits);
  state.counters["latency_us"] =
      static_cast<double>(counters.latency_micros_total) / static_cast<double>(counters.batches);
}
BENCHMARK(BM_Commit)->Arg(1)->Arg(20)->Arg(200)->UseRealTime()->MinTime(2);

void BM_Recovery(benchmark::State& state) {
  platform::TestDir dir;
  RowWriter writer;
  Turns turns;
  {
    std::unique_ptr<store::Store> store = open_in(dir, writer);
    for (int i = 0; i < 100; ++i) {
      while (!store->has_room()) std::this_thread::yield();
      store->commit(turns.next(10'000));
    }
    store->commit(turns.next(10'000));  // these stay open
    store->close(std::chrono::minutes(5));
  }
  state.counters["db_bytes"] =
      static_cast<double>(std::filesystem::file_size(dir / "data/mainstay.db"));
  for (auto _ : state) {
    std::unique_ptr<store::Store> store = open_in(dir, writer);
    platform::SqliteConnection reader = store->open_reader().value();
    model::Recovered recovered = load_recovered(reader, store->blobs()).value();
    if (recovered.work.size() != 10'000 || recovered.ended.size() != 10'000) {
      state.SkipWithError("not what was open");
    }
  }
}
BENCHMARK(BM_Recovery)->UseRealTime()->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mainstay::engine
