// The control loop's mind: one plain object that owns all product state and turns inputs into rows,
// events, replies and effects. It has no clock, no I/O, no thread and no lock, so the same code
// runs in the daemon and, with thousands of seeds, in the simulator.
//
// Lifetime: made once, recovered once, then stepped. One caller at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fleet/fleet.h"
#include "model/input.h"
#include "model/outbox.h"
#include "model/recovered.h"
#include "work/work.h"

namespace mainstay::engine {

struct CoreSettings {
  work::WorkSettings work;
  /// Seeds the generators of ids and jitter; an input of the run, so that it can be replayed.
  std::uint64_t seed = 0;
};

class Core {
 public:
  explicit Core(const CoreSettings& settings);

  /// Takes in what the store held. Call once, before the first step.
  void recover(model::Recovered recovered, Now now, model::Outbox& out);

  /// Applies one input. Several may be applied before settle(): the loop does so to let one
  /// transaction carry many.
  void step(const model::Input& input, Now now, model::Outbox& out);

  /// Ends a turn: fires due timers, tells work what became of agents, hands out work, and numbers
  /// the events of `out`. Rows, events, replies and effects of `out` belong to one transaction.
  void settle(Now now, model::Outbox& out);

  /// When settle() wants to be called at the latest; nullopt: only after an input.
  std::optional<Mono> next_due() const;

  const fleet::Fleet& fleet() const { return fleet_; }
  const work::Work& work() const { return work_; }
  model::Sequence last_sequence() const { return last_sequence_; }
  const model::StorageChanged& storage() const { return storage_; }

 private:
  /// `unavailable` until a LoadFleet was carried out: what is judged by the fleet would be judged
  /// by an empty one.
  Result<void> check_loaded() const;
  void on_command(const model::Command& command, Now now, model::Outbox& out);
  void on_fact(const model::Fact& fact, Now now, model::Outbox& out);
  void tell_work_of_agents(Now now, model::Outbox& out);
  void tell_fleet_of_outcomes(Now now, model::Outbox& out);

  fleet::Fleet fleet_;
  work::Work work_;
  model::StorageChanged storage_;
  model::Sequence last_sequence_ = 0;
};

}  // namespace mainstay::engine
