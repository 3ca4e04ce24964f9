#include "engine/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace mainstay::engine {
namespace {

// Each part draws from a generator of its own, so that a change in one does not reshuffle the rest.
constexpr std::uint64_t kFleetStream = 0x666c656574ULL;
constexpr std::uint64_t kWorkStream = 0x776f726bULL;

template <class T, class... Options>
constexpr bool is_one_of = (std::is_same_v<T, Options> || ...);

}  // namespace

Core::Core(const CoreSettings& settings)
    : fleet_(settings.seed ^ kFleetStream), work_(settings.work, settings.seed ^ kWorkStream) {}

void Core::recover(model::Recovered recovered, Now now, model::Outbox& out) {
  last_sequence_ = recovered.last_seq;
  fleet_.recover(recovered.agents, now);
  work_.recover(std::move(recovered), now, out);
}

void Core::step(const model::Input& input, Now now, model::Outbox& out) {
  if (const auto* command = std::get_if<model::Command>(&input)) {
    on_command(*command, now, out);
  } else {
    on_fact(std::get<model::Fact>(input), now, out);
  }
}

Result<void> Core::check_loaded() const {
  if (fleet_.loaded()) return {};
  return Error(Code::unavailable, "the daemon is starting: its fleet is not loaded yet");
}

void Core::on_command(const model::Command& command, Now now, model::Outbox& out) {
  std::visit(
      [&](const auto& body) {
        using T = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<T, model::LoadFleet>) {
          work_.load_pipelines(*body.fleet);
          fleet_.handle(command.token, body, now, out);
        } else if constexpr (is_one_of<T, model::CancelWork, model::CancelRun>) {
          work_.handle(command.token, body, fleet_.directory(), now, out);
        } else if (auto loaded = check_loaded(); !loaded) {
          out.reply(command.token, std::move(loaded).error());
        } else if constexpr (is_one_of<T, model::SubmitWork, model::StartRun>) {
          work_.handle(command.token, body, fleet_.directory(), storage_, now, out);
        } else {
          fleet_.handle(command.token, body, now, out);
        }
      },
      command.body);
}

void Core::on_fact(const model::Fact& fact, Now now, model::Outbox& out) {
  std::visit(
      [&](const auto& body) {
        using T = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<T, model::StorageChanged>) {
          storage_ = body;
        } else if constexpr (std::is_same_v<T, model::AttemptFinished>) {
          work_.on(body, fleet_.directory(), now, out);
        } else if constexpr (std::is_same_v<T, model::AttemptProgress>) {
          work_.on(body, fleet_.directory(), now);
        } else if constexpr (std::is_same_v<T, model::RunArchived>) {
          out.row(model::ArchiveRow{body.run, body.path, body.size_bytes, body.sha256, now.wall});
          out.event(
              now.wall, "run.archived", body.run.to_text(),
              fmt::format(R"({{"size_bytes":{},"sha256":"{}"}})", body.size_bytes, body.sha256));
        } else if constexpr (std::is_same_v<T, model::LinkOpened>) {
          fleet_.on(body, now, out);
          // What was lost with an earlier link or start is settled before the new link's word.
          tell_work_of_agents(now, out);
          const fleet::AgentView* agent = fleet_.directory().find(body.agent);
          if (agent != nullptr && agent->link == body.link) {
            work_.link_opened(body, fleet_.directory(), now, out);
          }
        } else if constexpr (!std::is_same_v<T, model::Tick>) {
          fleet_.on(body, now, out);
        }
      },
      fact);
}

void Core::settle(Now now, model::Outbox& out) {
  fleet_.tick(now, out);
  work_.tick(fleet_.directory(), now, out);
  tell_fleet_of_outcomes(now, out);
  tell_work_of_agents(now, out);
  work_.dispatch(fleet_.directory(), now, out);
  for (model::Event& event : out.events) event.seq = ++last_sequence_;
}

std::optional<Mono> Core::next_due() const {
  const auto fleet_due = fleet_.next_due();
  const auto work_due = work_.next_due();
  if (!fleet_due) return work_due;
  if (!work_due) return fleet_due;
  return std::min(*fleet_due, *work_due);
}

void Core::tell_work_of_agents(Now now, model::Outbox& out) {
  for (const fleet::AgentChange& change : fleet_.take_changes()) {
    if (change.kind != fleet::AgentChangeKind::lost) continue;
    const work::AgentLoss loss{change.agent, change.incarnation, change.reason, change.orderly};
    work_.agent_lost(loss, fleet_.directory(), now, out);
  }
}

void Core::tell_fleet_of_outcomes(Now now, model::Outbox& out) {
  for (const work::AttemptReport& report : work_.take_reports()) {
    fleet_.note_outcome(report.agent, report.ok, report.error, now, out);
    if (report.stuck) fleet_.note_stuck(report.agent, report.error, now, out);
  }
}

}  // namespace mainstay::engine
