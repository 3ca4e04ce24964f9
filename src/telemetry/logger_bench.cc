// What a log call costs its caller, and how many lines a second reach a file.
#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

#include "platform/files/test_dir.h"
#include "telemetry/logger.h"

namespace mainstay::telemetry {
namespace {

/// Lines written to a JSON Lines file: the producer waits when the queue is full, so none is lost.
void BM_LinesToFile(benchmark::State& state) {
  const platform::TestDir dir;
  std::vector<std::unique_ptr<LogSink>> sinks;
  sinks.push_back(*make_file_sink(dir / "log.jsonl"));
  auto redactor = std::make_shared<Redactor>();
  redactor->add("ms_op_0123456789012345678901234567890123456789012");
  LogOutput output({}, redactor, std::move(sinks));
  const Logger log(output, "bench");
  std::int64_t lines = 0;
  for (auto _ : state) {
    log.info("attempt finished", {{"agent", "analyst-1"}, {"ms", lines}, {"ok", true}});
    if (++lines % 30'000 == 0) output.flush(std::chrono::seconds(60));
  }
  output.flush(std::chrono::seconds(60));
  state.SetItemsProcessed(lines);
  state.counters["lost"] = static_cast<double>(output.counters().lost);
}
BENCHMARK(BM_LinesToFile)->UseRealTime();

void BM_BelowTheLevel(benchmark::State& state) {
  LogOutput output({}, nullptr, {});
  const Logger log(output, "bench");
  for (auto _ : state) log.debug("not taken");
}
BENCHMARK(BM_BelowTheLevel);

}  // namespace
}  // namespace mainstay::telemetry
