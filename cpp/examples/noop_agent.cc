// An agent that does nothing but answer: for benchmarks and tests. `bench.noop` gives back when its
// handler began, by CLOCK_MONOTONIC in nanoseconds (comparable on one machine); `bench.echo` gives
// back its input.
#include <chrono>
#include <string>

#include "mainstay/agent.h"

int main() {
  mainstay::Agent agent;
  agent.capability("bench.noop", [](const mainstay::Item&, mainstay::Context&) {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    return mainstay::Outcome::success("{\"started_ns\":" + std::to_string(now.count()) + "}");
  });
  agent.capability("bench.echo", [](const mainstay::Item& item, mainstay::Context&) {
    return mainstay::Outcome::success(item.input());
  });
  return agent.run();
}
