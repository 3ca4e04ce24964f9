#include "engine/recovery.h"

#include <utility>

#include "fleet/fleet_store.h"
#include "store/database/journal.h"
#include "work/tables/run_queries.h"
#include "work/tables/work_queries.h"

namespace mainstay::engine {
namespace {

// Ends that are remembered for agents that repeat a result, and how far back they are looked for:
// an item makes about four events.
constexpr std::size_t kEnds = 10'000;
constexpr std::size_t kJournalRows = 4 * kEnds;

/// Puts a value where it belongs, or gives the error.
template <class T>
Result<void> take(T& place, Result<T> value) {
  if (!value) return std::move(value).error();
  place = std::move(*value);
  return {};
}

}  // namespace

Result<model::Recovered> load_recovered(platform::SqliteConnection& db, const store::Blobs& blobs) {
  model::Recovered recovered;
  Result<void> done = take(recovered.last_seq, store::last_sequence(db));
  if (done) done = take(recovered.work, work::open_work(db, blobs));
  if (done) done = take(recovered.runs, work::open_runs(db, blobs));
  if (done) done = take(recovered.agents, fleet::load_agents(db));
  if (done) done = take(recovered.ended, work::recent_ends(db, kJournalRows, kEnds));
  if (!done) return std::move(done).error();
  return recovered;
}

}  // namespace mainstay::engine
