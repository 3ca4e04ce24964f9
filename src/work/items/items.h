// All open work items and what may become of each: accepted, given to an agent, tried again, ended.
// Knows nothing of runs; what happens to a run's item is told as ItemNews, for the run to take.
//
// Part of the control loop's state: one caller at a time, no clock, no I/O. Pointers and references
// to an Item are valid until it ends.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "fleet/directory.h"
#include "model/input.h"
#include "model/outbox.h"
#include "model/recovered.h"
#include "work/items/idempotency.h"
#include "work/items/item.h"
#include "work/items/leases.h"
#include "work/items/recent_ends.h"
#include "work/items/stale_results.h"
#include "work/work_settings.h"

namespace mainstay::work {

/// A run's item was put back for another try (state queued or delayed), or ended (any other).
struct ItemNews {
  std::shared_ptr<const model::WorkSpec> spec;
  model::WorkState state = model::WorkState::queued;
  /// The try counted against its retries.
  bool counted = true;
  model::Payload output;
  std::optional<model::WorkError> error;
  /// Of the attempt that ended.
  model::Usage usage;
};

class Items {
 public:
  /// Timers that one tick() fires at most; the rest fire in the next.
  static constexpr int kTickBatch = 4096;

  Items(const WorkSettings& settings, std::uint64_t seed);
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;

  /// Takes in a valid item with its id. step_number: of the run's step, else 0.
  Item& accept(std::shared_ptr<const model::WorkSpec> spec, int step_number, Now now,
               model::Outbox& out);
  /// Takes in an open item from the store. An attempt whose agent is not in `linkable` (agents that
  /// can come back with it) was lost with the daemon and does not count.
  void restore(model::RecoveredWork recovered, int step_number,
               const std::map<model::AgentName, bool>& linkable, Now now, model::Outbox& out);
  void restore(const model::RecoveredEnd& end);

  Item* find(const model::WorkId& id);
  const RecentEnds& recent_ends() const { return recent_ends_; }
  using Keys = IdempotencyKeys<model::WorkId, model::WorkState>;
  const Keys& keys() const { return keys_; }

  /// Ends the item; `reason` is for people.
  void cancel(Item& item, std::string_view reason, Now now, model::Outbox& out);

  void on(const model::AttemptFinished& finished, fleet::Directory& directory, Now now,
          model::Outbox& out);
  void on(const model::AttemptProgress& progress, fleet::Directory& directory, Now now);
  void agent_lost(const AgentLoss& loss, fleet::Directory& directory, Now now, model::Outbox& out);
  void link_opened(const model::LinkOpened& opened, fleet::Directory& directory, Now now,
                   model::Outbox& out);

  /// Gives waiting items to free agents, the most urgent first.
  void dispatch(fleet::Directory& directory, Now now, model::Outbox& out);
  void tick(const fleet::Directory& directory, Now now, model::Outbox& out);
  std::optional<Mono> next_due() const;

  std::vector<ItemNews> take_news() { return std::exchange(news_, {}); }
  bool has_news() const { return !news_.empty(); }
  std::vector<AttemptReport> take_reports() { return std::exchange(reports_, {}); }

  std::int64_t queued() const { return count(model::WorkState::queued); }
  std::int64_t delayed() const { return count(model::WorkState::delayed); }
  std::int64_t running() const { return count(model::WorkState::running); }
  std::size_t stopping() const { return leases_.stopping(); }
  /// Bytes of the inputs of open items; those of a run's items count with their run.
  std::uint64_t input_bytes() const { return input_bytes_; }

 private:
  /// How an attempt ended without success.
  struct Ending {
    model::WorkError error;
    model::Usage usage;
    /// Counts against the item's retries.
    bool counted = true;
  };
  using Held = std::vector<std::pair<model::WorkId, model::Epoch>>;

  std::int64_t count(model::WorkState state) const {
    return counts_[static_cast<std::size_t>(state)];
  }
  Item& insert(std::shared_ptr<const model::WorkSpec> spec, int step_number, Now now);
  /// Keeps counts, queues and timers in step with the state. Every change of state is made here.
  void set_state(Item& item, model::WorkState state);
  void arm(Item& item);
  void on_timer(Item& item, const fleet::Directory& directory, Now now, model::Outbox& out);
  void write_status(const Item& item, model::Payload output, Now now, model::Outbox& out) const;
  /// The item is over: row, news, and gone. Its event is the caller's. Invalidates `item`.
  void end(Item& item, model::WorkState state, model::Payload output, model::Usage usage, Now now,
           model::Outbox& out);

  void start(Item& item, const fleet::AgentView& agent, fleet::Directory& directory, Now now,
             model::Outbox& out);
  void restore_attempt(Item& item, const model::AttemptRow& row, Now now);
  void end_attempt(Item& item, std::string_view outcome, const model::WorkError* error, Now now,
                   model::Outbox& out);
  /// Ends the attempt by our will; its slot stays taken until the agent says that it stopped.
  void stop_attempt(Item& item, const model::WorkError& error, Now now, model::Outbox& out);
  void succeed(Item& item, const model::AttemptFinished& finished, Now now, model::Outbox& out);
  /// After an attempt that failed: another try, or the end. Invalidates `item` at the end.
  void retry_or_fail(Item& item, Ending ending, Now now, model::Outbox& out);
  void put_back(Item& item, Duration wait, const Ending& ending, Now now, model::Outbox& out);
  /// The attempt never began, or was lost through no fault of its own: it does not count, up to a
  /// bound. Invalidates `item`.
  void give_back(Item& item, std::string message, Now now, model::Outbox& out);
  /// The operator stopped the agent: this never counts.
  void stopped(Item& item, std::string_view reason, Now now, model::Outbox& out);
  /// Waits again at once; its attempt is ended already.
  void hand_back(Item& item, const Ending& ending, Now now, model::Outbox& out);
  void lose(Item& item, std::string_view reason, Now now, model::Outbox& out);
  void time_out(Item& item, const fleet::Directory& directory, Now now, model::Outbox& out);
  void refuse_stale(const model::AttemptFinished& finished, const Item* item, Now now,
                    model::Outbox& out);
  bool was_accepted(const model::WorkId& id, model::Epoch epoch);
  void resume_held(const model::LinkOpened& opened, const Held& held, fleet::Directory& directory,
                   Now now, model::Outbox& out);
  void release(const Attempt& attempt, fleet::Directory& directory);
  void tell_counted_stale(Now now, model::Outbox& out);
  static bool counts(const Item& item, const model::WorkError& error);

  WorkSettings settings_;
  base::Random jitter_;
  std::uint64_t next_arrival_ = 1;
  std::unordered_map<model::WorkId, Item> items_;
  std::map<std::string, CapabilityQueue, std::less<>> queues_;
  std::vector<CapabilityQueue*> startable_;  // of dispatch(), kept for its room
  IndexedHeap<Item, &Item::timer_position> timers_;
  Leases leases_;
  RecentEnds recent_ends_;
  StaleResults stale_results_;
  Keys keys_;
  std::array<std::int64_t, 7> counts_{};  // by state
  std::uint64_t input_bytes_ = 0;
  std::vector<ItemNews> news_;
  std::vector<AttemptReport> reports_;
};

}  // namespace mainstay::work
