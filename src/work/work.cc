#include "work/work.h"

#include <algorithm>
#include <map>
#include <utility>

namespace mainstay::work {
namespace {

// A stream per purpose: more jitter must not mean other ids.
constexpr std::uint64_t kIdStream = 0x6964;
constexpr std::uint64_t kTraceStream = 0x7472616365;
constexpr std::uint64_t kJitterStream = 0x6a6974746572;

/// Agents that can come back with an attempt that they held before the daemon's restart.
std::map<model::AgentName, bool> linkable_agents(const model::Recovered& recovered) {
  std::map<model::AgentName, bool> linkable;
  for (const model::AgentStatus& agent : recovered.agents) {
    if (agent.kind == model::AgentKind::link) linkable.emplace(agent.name, true);
  }
  return linkable;
}

struct OpenItem {
  model::RecoveredWork work;
  int step_number = 0;
};

}  // namespace

Work::Work(const WorkSettings& settings, std::uint64_t seed)
    : settings_(settings),
      ids_(seed ^ kIdStream),
      traces_(seed ^ kTraceStream),
      items_(settings, seed ^ kJitterStream) {}

void Work::load_pipelines(const model::FleetSpec& fleet) {
  pipelines_ = fleet.pipelines;
  capabilities_.clear();
  for (const auto& agent : fleet.agents) {
    capabilities_.insert(capabilities_.end(), agent->capabilities.begin(),
                         agent->capabilities.end());
  }
  std::sort(capabilities_.begin(), capabilities_.end());
  capabilities_.erase(std::unique(capabilities_.begin(), capabilities_.end()), capabilities_.end());
}

void Work::recover(model::Recovered recovered, Now now, model::Outbox& out) {
  const auto linkable = linkable_agents(recovered);
  for (const model::RecoveredEnd& end : recovered.ended) items_.restore(end);

  std::vector<OpenItem> open;
  for (model::RecoveredWork& work : recovered.work) {
    if (!model::is_terminal(work.status.state)) open.push_back({std::move(work), 0});
  }
  for (model::RecoveredRun& run : recovered.runs) {
    const Run& restored = runs_.restore(run, now);
    for (model::RecoveredWork& work : run.items) {
      if (model::is_terminal(work.status.state)) continue;
      const int step = restored.step_number(work.spec->step->stage);
      open.push_back({std::move(work), step});
    }
  }
  // Ids grow with time: this is the order in which the items were accepted.
  std::sort(open.begin(), open.end(),
            [](const OpenItem& a, const OpenItem& b) { return a.work.spec->id < b.work.spec->id; });
  for (OpenItem& item : open) {
    items_.restore(std::move(item.work), item.step_number, linkable, now, out);
  }
  RunContext run_context = context(now, out);
  runs_.take_news(run_context);
  runs_.resume(run_context);
  runs_.take_news(run_context);
  runs_.flush(out);
}

void Work::on(const model::AttemptFinished& finished, fleet::Directory& directory, Now now,
              model::Outbox& out) {
  items_.on(finished, directory, now, out);
  RunContext run_context = context(now, out);
  runs_.take_news(run_context);
}

void Work::on(const model::AttemptProgress& progress, fleet::Directory& directory, Now now) {
  items_.on(progress, directory, now);
}

void Work::agent_lost(const AgentLoss& loss, fleet::Directory& directory, Now now,
                      model::Outbox& out) {
  items_.agent_lost(loss, directory, now, out);
  RunContext run_context = context(now, out);
  runs_.take_news(run_context);
}

void Work::link_opened(const model::LinkOpened& opened, fleet::Directory& directory, Now now,
                       model::Outbox& out) {
  items_.link_opened(opened, directory, now, out);
  RunContext run_context = context(now, out);
  runs_.take_news(run_context);
}

void Work::dispatch(fleet::Directory& directory, Now now, model::Outbox& out) {
  RunContext run_context = context(now, out);
  runs_.take_news(run_context);
  runs_.flush(out);
  items_.dispatch(directory, now, out);
}

void Work::tick(const fleet::Directory& directory, Now now, model::Outbox& out) {
  items_.tick(directory, now, out);
  RunContext run_context = context(now, out);
  runs_.take_news(run_context);
  runs_.tick(run_context);
  runs_.take_news(run_context);
}

std::optional<Mono> Work::next_due() const {
  const auto items = items_.next_due();
  const auto runs = runs_.next_due();
  if (!items) return runs;
  if (!runs) return items;
  return std::min(*items, *runs);
}

}  // namespace mainstay::work
