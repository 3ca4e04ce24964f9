// `mainstay bench work`: what durable work costs, from submit to stored result, with agents that do
// nothing. It starts a daemon of its own, submits over the Work service from one client, and
// prints what it measured:
//
//   items_per_s   from the first submit until every result is committed.
//   accept_ms     from the moment an item was due to be sent until the client heard that it is
//                 durable. With --rate the moments are fixed beforehand (open loop), so a stall
//                 counts for every item it delays; without, an item is due when the window has
//                 room.
//   dispatch_ms   from the moment the control loop accepted an item (its created_at, before the
//                 commit) until its handler began, by the agent's clock; both are wall time of one
//                 machine. Time in the queue counts: meaningful as latency only below saturation.
//   daemon_rss_bytes, daemon_cpu_s   of the daemon alone, at the end and over the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "app/views/output.h"

namespace mainstay::app {

struct BenchOptions {
  int agents = 4;
  /// `cpp` or `python`.
  std::string agent_kind = "cpp";
  std::int64_t items = 50'000;
  /// Items a second; 0: as fast as they are accepted.
  double rate = 0;
  /// Submits under way at a time when there is no rate.
  std::size_t window = 2048;
  /// Items at a time of one agent.
  int slots = 64;
  OutputForm output = OutputForm::table;
};

/// Exit code of the CLI: 1 when an item failed or the time was over.
int bench_work(const BenchOptions& options);

}  // namespace mainstay::app
