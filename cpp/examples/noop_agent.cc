// An agent that does nothing but answer: for benchmarks and tests. `bench.noop` gives back when its
// handler began, in microseconds of wall time (comparable with the daemon's on one machine);
// `bench.echo` gives back its input. One thread is enough for handlers that never wait.
#include <chrono>
#include <string>

#include "mainstay/agent.h"

int main() {
  mainstay::Agent::Options options;
  options.threads = 1;
  mainstay::Agent agent(options);
  agent.capability("bench.noop", [](const mainstay::Item&, mainstay::Context&) {
    auto now = std::chrono::system_clock::now().time_since_epoch();
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    return mainstay::Outcome::success("{\"started_us\":" + std::to_string(micros) + "}");
  });
  agent.capability("bench.echo", [](const mainstay::Item& item, mainstay::Context&) {
    return mainstay::Outcome::success(item.input());
  });
  return agent.run();
}
