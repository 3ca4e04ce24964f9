#include "work/items/leases.h"

#include "base/assert.h"

namespace mainstay::work {

void Leases::add(Item& item) {
  std::vector<Item*>& held = by_agent_[item.attempt->agent];
  item.attempt->lease_index = held.size();
  held.push_back(&item);
  ++running_;
}

void Leases::remove(Item& item) {
  const auto found = by_agent_.find(item.attempt->agent);
  MS_ASSERT(found != by_agent_.end(), "a running attempt is among its agent's leases");
  std::vector<Item*>& held = found->second;
  const std::size_t at = item.attempt->lease_index;
  MS_ASSERT(at < held.size() && held[at] == &item, "a lease knows its place");
  held[at] = held.back();
  held[at]->attempt->lease_index = at;
  held.pop_back();
  --running_;
}

void Leases::stop(const Item& item, Now now) {
  stop({item.spec->id, item.epoch, item.attempt->agent, item.attempt->incarnation,
        item.attempt->holds_slot},
       now);
}

void Leases::stop(Stopping attempt, Now now) {
  const Key key{attempt.work, attempt.epoch};
  if (stopping_.emplace(key, std::move(attempt)).second) {
    overdue_.emplace_back(now.mono + kStopGrace, key);
  }
}

std::optional<Stopping> Leases::confirmed(const model::AgentName& agent, const model::WorkId& work,
                                          model::Epoch epoch) {
  const auto found = stopping_.find({work, epoch});
  if (found == stopping_.end() || found->second.agent != agent) return std::nullopt;
  Stopping taken = std::move(found->second);
  stopping_.erase(found);
  return taken;
}

bool Leases::is_stopping(const model::WorkId& work, model::Epoch epoch) const {
  return stopping_.contains({work, epoch});
}

std::vector<Stopping> Leases::drop(const model::AgentName& agent,
                                   const std::function<bool(const Stopping&)>& which) {
  std::vector<Stopping> dropped;
  for (auto at = stopping_.begin(); at != stopping_.end();) {
    if (at->second.agent == agent && which(at->second)) {
      dropped.push_back(std::move(at->second));
      at = stopping_.erase(at);
    } else {
      ++at;
    }
  }
  return dropped;
}

std::vector<Item*> Leases::running_of(const model::AgentName& agent) const {
  const auto found = by_agent_.find(agent);
  return found == by_agent_.end() ? std::vector<Item*>() : found->second;
}

std::optional<Mono> Leases::next_overdue() const {
  if (overdue_.empty()) return std::nullopt;
  return overdue_.front().first;
}

std::optional<Stopping> Leases::pop_overdue(Mono now) {
  while (!overdue_.empty() && overdue_.front().first <= now) {
    const auto found = stopping_.find(overdue_.front().second);
    overdue_.pop_front();
    if (found != stopping_.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace mainstay::work
