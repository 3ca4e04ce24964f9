#include "fleet/fleet.h"

#include <algorithm>
#include <map>
#include <utility>

#include "fleet/registrations.h"
#include "fleet/supervision/dependency.h"
#include "fleet/supervision/supervisor.h"

namespace mainstay::fleet {
namespace {

Result<void> owned_by_file(const model::AgentName& name) {
  return Error(Code::conflict, "the fleet file owns the name " + name).with("agent", name);
}

/// The status for the caller, or why there is none.
void answer(model::ReplyToken token, Result<model::AgentStatus> status, model::Outbox& out) {
  if (!status) {
    out.reply(token, std::move(status).error());
  } else {
    out.reply(token, model::ReplyBody{model::AgentReply{*std::move(status)}});
  }
}

void answer(model::ReplyToken token, Result<void> done, model::Outbox& out) {
  if (!done) {
    out.reply(token, std::move(done).error());
  } else {
    out.reply(token, model::ReplyBody{model::Done{}});
  }
}

}  // namespace

Fleet::Fleet(std::uint64_t seed)
    : supervisor_(std::make_unique<Supervisor>(directory_, seed)),
      registrations_(std::make_unique<Registrations>()) {}

Fleet::~Fleet() = default;

void Fleet::recover(const std::vector<model::AgentStatus>& rows, Now now) {
  for (const model::AgentStatus& row : rows) {
    if (row.kind == model::AgentKind::external) {
      registrations_->recover(row, now);
    } else {
      supervisor_->recover(row);
    }
  }
}

void Fleet::handle(model::ReplyToken token, const model::LoadFleet& command, Now now,
                   model::Outbox& out) {
  Result<void> loaded = supervisor_->load(command.fleet, {now, out});
  if (loaded) {
    for (const auto& spec : command.fleet->agents) {
      for (const model::AgentName& name : agent_names(*spec)) {
        registrations_->yield(name, {now, out});
      }
    }
  }
  answer(token, std::move(loaded), out);
}

void Fleet::handle(model::ReplyToken token, const model::StopFleet&, Now now, model::Outbox& out) {
  supervisor_->stop(token, {now, out});
}

void Fleet::handle(model::ReplyToken token, const model::RegisterAgent& command, Now now,
                   model::Outbox& out) {
  if (supervisor_->owns(command.name)) return answer(token, owned_by_file(command.name), out);
  answer(token, registrations_->add(command, {now, out}), out);
}

void Fleet::handle(model::ReplyToken token, const model::RenewAgent& command, Now now,
                   model::Outbox& out) {
  if (supervisor_->owns(command.name)) return answer(token, owned_by_file(command.name), out);
  answer(token, registrations_->renew(command, {now, out}), out);
}

void Fleet::handle(model::ReplyToken token, const model::DeregisterAgent& command, Now now,
                   model::Outbox& out) {
  if (supervisor_->owns(command.name)) return answer(token, owned_by_file(command.name), out);
  answer(token, registrations_->remove(command.name, {now, out}), out);
}

void Fleet::on(const model::ProcessStarted& fact, Now now, model::Outbox& out) {
  supervisor_->on(fact, {now, out});
}
void Fleet::on(const model::ProcessStartFailed& fact, Now now, model::Outbox& out) {
  supervisor_->on(fact, {now, out});
}
void Fleet::on(const model::ProcessExited& fact, Now now, model::Outbox& out) {
  supervisor_->on(fact, {now, out});
}
void Fleet::on(const model::AdoptionFinished& fact, Now now, model::Outbox& out) {
  supervisor_->on(fact, {now, out});
}
void Fleet::on(const model::LinkOpened& fact, Now now, model::Outbox& out) {
  supervisor_->on(fact, {now, out});
}
void Fleet::on(const model::LinkClosed& fact, Now now, model::Outbox& out) {
  supervisor_->on(fact, {now, out});
}

void Fleet::note_outcome(const model::AgentName& agent, bool ok, std::string error, Now now,
                         model::Outbox& out) {
  supervisor_->note_outcome(agent, ok, error, {now, out});
}

void Fleet::note_stuck(const model::AgentName& agent, const std::string& reason, Now now,
                       model::Outbox& out) {
  supervisor_->note_stuck(agent, reason, {now, out});
}

void Fleet::tick(Now now, model::Outbox& out) {
  supervisor_->tick({now, out});
  registrations_->tick({now, out});
}

std::optional<Mono> Fleet::next_due() const {
  const auto process = supervisor_->next_due();
  const auto lease = registrations_->next_due();
  if (!process || !lease) return process ? process : lease;
  return std::min(*process, *lease);
}

std::vector<AgentChange> Fleet::take_changes() { return supervisor_->take_changes(); }

std::vector<model::AgentStatus> Fleet::statuses() const {
  std::map<model::AgentName, model::AgentStatus> all = registrations_->agents();
  supervisor_->append_statuses(all);
  std::vector<model::AgentStatus> list;
  list.reserve(all.size());
  for (auto& [name, status] : all) list.push_back(std::move(status));
  return list;
}

bool Fleet::loaded() const { return supervisor_->loaded(); }
bool Fleet::stopping() const { return supervisor_->stopping(); }
bool Fleet::stopped() const { return supervisor_->stopped(); }

}  // namespace mainstay::fleet
