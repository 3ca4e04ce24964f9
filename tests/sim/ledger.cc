#include "sim/ledger.h"

#include <fmt/format.h>

namespace mainstay::sim {
namespace {

bool ends_work(const std::string& kind) {
  return kind == "work.succeeded" || kind == "work.failed" || kind == "work.timed_out" ||
         kind == "work.cancelled";
}

}  // namespace

void Ledger::require(bool holds, int invariant, const std::string& what) {
  if (holds) return;
  violations_.push_back(fmt::format("seed {}: invariant {}: {}", seed_, invariant, what));
}

void Ledger::acknowledged(const std::string& key, const model::WorkId& id) {
  const auto known = work_of_key_.emplace(key, id).first;
  require(known->second == id, 1,
          fmt::format("key {} was answered with {} and then {}", key, known->second.to_text(),
                      id.to_text()));
  work_.emplace(id, key);
}

void Ledger::run_acknowledged(const std::string& key, const model::RunId& id) {
  const auto known = run_of_key_.emplace(key, id).first;
  require(known->second == id, 1, fmt::format("run key {} has two runs", key));
  runs_.emplace(id, key);
}

std::string Ledger::output_of(const model::AgentName& agent, model::Epoch epoch) {
  return fmt::format(R"({{"by":"{}","epoch":{}}})", agent, epoch);
}

std::string Ledger::failure_of(const model::AgentName& agent, model::Epoch epoch) {
  return fmt::format("simulated failure of {} in epoch {}.", agent, epoch);
}

void Ledger::assigned(const model::AssignWork& effect) {
  auto& [epoch, agent] = assignments_[effect.work->id];
  require(effect.epoch > epoch, 2,
          fmt::format("item {} was assigned with epoch {} after {}", effect.work->id.to_text(),
                      effect.epoch, epoch));
  epoch = effect.epoch;
  agent = effect.agent;
}

void Ledger::result_kept(const model::WorkId& id, const std::string& output, model::Epoch epoch,
                         const model::AgentName& agent) {
  const auto& [assigned, to] = assignments_[id];
  const std::string expected = output_of(to, assigned);
  require(output == expected, 2,
          fmt::format("item {} succeeded with {}; its last assignment expects {}", id.to_text(),
                      output, expected));
  require(epoch == assigned && agent == to, 2,
          fmt::format("item {} succeeded in epoch {} of {}, and was last assigned as {}",
                      id.to_text(), epoch, agent, expected));
}

// A failure that counts is one of the attempt that runs.
void Ledger::check_failure(const model::Event& event) {
  const std::size_t at = event.body.find("simulated failure of ");
  if (at == std::string::npos) return;
  const auto id = model::WorkId::from_text(event.subject);
  const auto known = id ? assignments_.find(*id) : assignments_.end();
  if (known == assignments_.end()) return;
  const std::string expected = failure_of(known->second.second, known->second.first);
  require(event.body.compare(at, expected.size(), expected) == 0, 2,
          fmt::format("item {} is tried again for {}; its last assignment is {}", event.subject,
                      event.body.substr(at, expected.size()),
                      output_of(known->second.second, known->second.first)));
}

void Ledger::happened(const model::Event& event) {
  require(event.seq == last_seq_ + 1, 1,
          fmt::format("event {} came after {}", event.seq, last_seq_));
  last_seq_ = event.seq;
  ++sights[event.kind];
  if (event.kind == "work.succeeded") {
    require(succeeded_.insert(event.subject).second, 2,
            fmt::format("item {} succeeded twice", event.subject));
  }
  if (event.kind == "work.retrying") check_failure(event);
  if (ends_work(event.kind)) {
    require(ended_.insert(event.subject).second, 2,
            fmt::format("item {} ended twice, now by {}", event.subject, event.kind));
  }
}

void Ledger::process_started(const model::AgentName& agent, int alive_of_agent, Duration at,
                             int allowed, Duration window) {
  require(alive_of_agent == 0, 6,
          fmt::format("agent {} was started while {} of it live", agent, alive_of_agent));
  auto& times = starts_[agent];
  times.push_back(at);
  while (times.front() < at - window) times.pop_front();
  // The first start of a daemon's life is no restart.
  require(static_cast<int>(times.size()) <= allowed + 1, 5,
          fmt::format("agent {} was started {} times within its window; {} restarts are allowed",
                      agent, times.size(), allowed));
}

}  // namespace mainstay::sim
