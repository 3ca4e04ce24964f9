#include "work/waiting.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace mainstay::work {
namespace {

using model::AgentState;
using model::AgentStatus;

/// Agents that a sentence names; the rest are counted.
constexpr std::size_t kNamed = 3;
constexpr std::size_t kReasonExcerpt = 200;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_up(const AgentStatus& agent) {
  return agent.state == AgentState::healthy || agent.state == AgentState::degraded;
}

/// Why this agent takes nothing for the capability.
std::string why_not(const AgentStatus& agent, const std::string& capability) {
  if (is_up(agent) && has(agent.unserved, capability)) {
    return fmt::format("{} has no handler for it, though fleet.yaml says that it offers it",
                       agent.name);
  }
  const std::string reason = base::excerpt(agent.reason, kReasonExcerpt);
  return fmt::format("{} is {}{}", agent.name, to_text(agent.state),
                     reason.empty() ? "" : " (" + reason + ")");
}

std::string listed(const std::vector<std::string>& all) {
  const std::size_t named = std::min(all.size(), kNamed);
  std::string text =
      base::join({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(named)}, "; ");
  if (all.size() > named) text += fmt::format("; and {} more", all.size() - named);
  return text;
}

Waiting delayed(const model::WorkSpec& spec, const model::WorkStatus& status) {
  const std::string until =
      status.due_at ? base::wall_to_text(*status.due_at) : std::string("its time");
  if (status.epoch == 0) {
    return {WaitReason::start_after, fmt::format("it is not to start before {}", until)};
  }
  std::string why;
  if (status.error) why = ": " + base::excerpt(status.error->message, kReasonExcerpt);
  return {WaitReason::backoff,
          fmt::format("{} of {} tries are used; the next one begins at {}{}", status.attempts_used,
                      spec.retry.max_attempts, until, why)};
}

/// Agents of the capability, told apart by what they could do with an item now.
struct Offer {
  std::vector<std::string> unable;
  int slots = 0;
  int busy = 0;
  int agents = 0;
};

Offer offer_of(const std::string& capability, const std::vector<AgentStatus>& agents) {
  Offer offer;
  for (const AgentStatus& agent : agents) {
    if (agent.kind == model::AgentKind::external || !has(agent.capabilities, capability)) continue;
    if (!is_up(agent) || has(agent.unserved, capability)) {
      offer.unable.push_back(why_not(agent, capability));
      continue;
    }
    ++offer.agents;
    offer.slots += agent.slots;
    offer.busy += std::min(agent.busy, agent.slots);
  }
  return offer;
}

Waiting queued(const std::string& capability, const std::vector<AgentStatus>& agents) {
  const Offer offer = offer_of(capability, agents);
  if (offer.agents == 0 && offer.unable.empty()) {
    return {WaitReason::not_offered,
            fmt::format("no agent of fleet.yaml offers \"{}\" any more", capability)};
  }
  if (offer.agents == 0) {
    return {WaitReason::no_agent,
            fmt::format("no agent can take \"{}\" now: {}", capability, listed(offer.unable))};
  }
  if (offer.busy < offer.slots) {
    return {WaitReason::due, fmt::format("{} of {} slots for \"{}\" are free; it is about to start",
                                         offer.slots - offer.busy, offer.slots, capability)};
  }
  std::string sentence =
      fmt::format("{} for \"{}\" {} busy",
                  offer.slots == 1 ? "the one slot" : fmt::format("all {} slots", offer.slots),
                  capability, offer.slots == 1 ? "is" : "are");
  if (!offer.unable.empty()) sentence += "; " + listed(offer.unable);
  return {WaitReason::busy, std::move(sentence)};
}

}  // namespace

std::optional<Waiting> waiting_of(const model::WorkSpec& spec, const model::WorkStatus& status,
                                  const std::vector<AgentStatus>& agents, bool stopping) {
  if (status.state != model::WorkState::queued && status.state != model::WorkState::delayed) {
    return std::nullopt;
  }
  if (stopping) {
    return Waiting{WaitReason::fleet_stops,
                   "the fleet stops; it goes on after the next `mainstay up`"};
  }
  if (status.state == model::WorkState::delayed) return delayed(spec, status);
  return queued(spec.capability, agents);
}

}  // namespace mainstay::work
