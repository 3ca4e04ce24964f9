// The control loop's own cost of one work item: submit, assign, finish, with the rows, events,
// replies and effects that each makes; and the memory of a million items that wait.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "fleet/directory.h"
#include "work/work.h"

namespace mainstay::work {
namespace {

struct World {
  World() : work(WorkSettings{}, 1) {
    auto spec = std::make_shared<model::AgentSpec>();
    spec->name = "analyst";
    spec->capabilities = {"file.analyse"};
    spec->concurrency = 64;
    for (int i = 1; i <= 4; ++i) {
      const std::string name = "analyst-" + std::to_string(i);
      directory.add(name, spec);
      directory.begin_incarnation(name, 1);
      directory.set_link(name, static_cast<model::LinkId>(i), 0, {});
      directory.set_assignable(name, true);
    }
    submit.spec.description = "analyse src/engine/core.cc";
    submit.spec.capability = "file.analyse";
    submit.spec.input = model::Payload::of(R"({"path":"src/engine/core.cc","depth":3})");
    outcome.output = model::Payload::of(R"({"churn":42})");
  }
  void advance() {
    now.mono += std::chrono::microseconds(50);
    now.wall += std::chrono::microseconds(50);
  }

  fleet::Directory directory;
  Work work;
  Now now{Mono{std::chrono::hours(1)}, Wall{std::chrono::hours(24 * 365 * 55)}};
  model::StorageChanged storage;
  model::SubmitWork submit;
  model::AttemptOutcome outcome;
  model::Outbox out;
};

void finish_all(World& world, const std::vector<model::Effect>& effects) {
  for (const model::Effect& effect : effects) {
    const auto* assign = std::get_if<model::AssignWork>(&effect);
    if (assign == nullptr) continue;
    world.work.on(model::AttemptFinished{assign->agent, assign->link, assign->work->id,
                                         assign->epoch, world.outcome},
                  world.directory, world.now, world.out);
  }
}

/// Items per turn: how many the loop finds in its mailbox at once.
void submit_assign_finish(benchmark::State& state) {
  World world;
  const auto batch = state.range(0);
  for (auto _ : state) {
    world.advance();
    for (std::int64_t i = 0; i < batch; ++i) {
      world.work.handle(static_cast<model::ReplyToken>(i), world.submit, world.directory,
                        world.storage, world.now, world.out);
    }
    world.work.dispatch(world.directory, world.now, world.out);
    const std::vector<model::Effect> effects = std::move(world.out.effects);
    finish_all(world, effects);
    benchmark::DoNotOptimize(world.work.take_reports().size());
    state.PauseTiming();  // the store's and the bus's work
    world.out = {};
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(submit_assign_finish)->Arg(16)->Arg(256)->Unit(benchmark::kMicrosecond);

void with_a_million_waiting(benchmark::State& state) {
  World world;
  const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int i = 0; i < 1'000'000; ++i) {
    world.submit.spec.priority = i % 10;
    world.submit.spec.input =
        model::Payload::of(R"({"path":"src/file_)" + std::to_string(i) + R"(.cc","depth":3})");
    world.work.handle(1, world.submit, world.directory, world.storage, world.now, world.out);
    if (world.out.rows.size() > 1000) world.out = {};
  }
  world.out = {};
  const std::size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
  state.counters["bytes_per_item"] = static_cast<double>(after - before) / 1e6;
  for (auto _ : state) {
    world.advance();
    for (int i = 0; i < 256; ++i) {
      world.work.handle(1, world.submit, world.directory, world.storage, world.now, world.out);
    }
    world.work.dispatch(world.directory, world.now, world.out);
    const std::vector<model::Effect> effects = std::move(world.out.effects);
    finish_all(world, effects);
    benchmark::DoNotOptimize(world.work.take_reports().size());
    state.PauseTiming();
    world.out = {};
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(with_a_million_waiting)->Unit(benchmark::kMicrosecond)->Iterations(500);

}  // namespace
}  // namespace mainstay::work
