#include "node/link/link_registry.h"

#include <algorithm>
#include <utility>

#include "platform/crypto.h"

namespace mainstay::node {
namespace {

/// Hellos that wait for expect(); more are told to come again.
constexpr std::size_t kMaxWaiting = 1024;

Error refusal(const LinkRegistry::Claim& claim, const std::string& why) {
  return Error(Code::forbidden, "agent \"" + claim.agent + "\", start " +
                                    std::to_string(claim.incarnation) + ": " + why)
      .with("agent", claim.agent);
}

/// Token first, then the process: whoever has no token learns nothing about processes.
std::optional<Error> check(const LinkRegistry::Claim& claim, const std::string& token_sha256,
                           const LinkRegistry::OwnsPid& owns_pid) {
  if (!platform::constant_time_equal(claim.token_sha256, token_sha256)) {
    return Error(Code::unauthenticated,
                 "the token is not the one made for this start of agent \"" + claim.agent + "\"");
  }
  if (claim.process && !(owns_pid && owns_pid(claim.process->pid))) {
    return refusal(claim, "process " + std::to_string(claim.process->pid) +
                              " is not one of this agent's processes");
  }
  return std::nullopt;
}

}  // namespace

LinkRegistry::Expectation LinkRegistry::expect(const model::AgentName& agent, Start start) {
  std::lock_guard lock(mutex_);
  Expected& entry = expected_[agent];
  Expectation result;
  if (entry.start.incarnation != start.incarnation) {
    result.outdated = std::move(entry.live);
    entry.live.reset();
    entry.link = 0;
  }
  entry.start = std::move(start);
  result.waiting = take_waiting(agent);
  return result;
}

LinkRegistry::Session LinkRegistry::forget(const model::AgentName& agent,
                                           model::Incarnation incarnation) {
  std::lock_guard lock(mutex_);
  auto found = expected_.find(agent);
  if (found == expected_.end() || found->second.start.incarnation != incarnation) return nullptr;
  Session live = std::move(found->second.live);
  expected_.erase(found);
  return live;
}

LinkRegistry::Admission LinkRegistry::admit(const Claim& claim, const Session& session) {
  std::string token_sha256;
  OwnsPid owns_pid;
  {
    std::lock_guard lock(mutex_);
    auto found = expected_.find(claim.agent);
    if (found == expected_.end() || found->second.start.incarnation < claim.incarnation) {
      return wait(claim, session);
    }
    if (found->second.start.incarnation > claim.incarnation) {
      return {refusal(claim, "a newer start of it is running"), false, 0, 0, nullptr};
    }
    token_sha256 = found->second.start.token_sha256;
    owns_pid = found->second.start.owns_pid;
  }
  if (auto refused = check(claim, token_sha256, owns_pid)) {
    return {std::move(refused), false, 0, 0, nullptr};
  }
  std::lock_guard lock(mutex_);
  auto found = expected_.find(claim.agent);
  if (found == expected_.end() || found->second.start.incarnation != claim.incarnation) {
    return {refusal(claim, "it was stopped meanwhile"), false, 0, 0, nullptr};
  }
  Admission admitted;
  admitted.link = ++last_link_;
  admitted.slots = found->second.start.slots;
  admitted.replaced = std::exchange(found->second.live, session);
  found->second.link = admitted.link;
  return admitted;
}

LinkRegistry::Admission LinkRegistry::wait(const Claim& claim, const Session& session) {
  std::erase_if(waiting_, [](const Waiting& w) { return w.session.expired(); });
  if (waiting_.size() >= kMaxWaiting) {
    return {Error(Code::overloaded, "too many hellos wait"), false, 0, 0, nullptr};
  }
  waiting_.push_back({claim.agent, session});
  return {std::nullopt, true, 0, 0, nullptr};
}

std::vector<LinkRegistry::Session> LinkRegistry::take_waiting(const model::AgentName& agent) {
  std::vector<Session> taken;
  for (const Waiting& waiting : waiting_) {
    if (waiting.agent != agent) continue;
    if (Session session = waiting.session.lock()) taken.push_back(std::move(session));
  }
  std::erase_if(waiting_, [&](const Waiting& w) { return w.agent == agent; });
  return taken;
}

LinkRegistry::Session LinkRegistry::find(const model::AgentName& agent, model::LinkId link) const {
  std::lock_guard lock(mutex_);
  auto found = expected_.find(agent);
  if (found == expected_.end() || found->second.link != link) return nullptr;
  return found->second.live;
}

void LinkRegistry::closed(const model::AgentName& agent, model::LinkId link) {
  Session gone;  // destroyed after the lock is given back
  std::lock_guard lock(mutex_);
  auto found = expected_.find(agent);
  if (found == expected_.end() || found->second.link != link) return;
  gone = std::move(found->second.live);
  found->second.live.reset();
  found->second.link = 0;
}

std::optional<model::AgentName> LinkRegistry::agent_of(
    const std::string& token_sha256, const std::optional<platform::PeerProcess>& process) const {
  model::AgentName agent;
  OwnsPid owns_pid;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : expected_) {
      if (!platform::constant_time_equal(token_sha256, entry.start.token_sha256)) continue;
      agent = name;
      owns_pid = entry.start.owns_pid;
    }
  }
  if (agent.empty()) return std::nullopt;
  if (process && !(owns_pid && owns_pid(process->pid))) return std::nullopt;
  return agent;
}

}  // namespace mainstay::node
