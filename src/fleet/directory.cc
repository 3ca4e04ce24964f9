#include "fleet/directory.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace mainstay::fleet {
namespace {

/// a.busy / a.slots < b.busy / b.slots, without a division.
bool less_busy(const AgentView& a, const AgentView& b) {
  return static_cast<std::int64_t>(a.busy) * b.slots < static_cast<std::int64_t>(b.busy) * a.slots;
}

}  // namespace

bool Directory::offered(std::string_view capability) const {
  auto found = groups_.find(capability);
  return found != groups_.end() && found->second.offering > 0;
}

const AgentView* Directory::find(const model::AgentName& name) const {
  auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.view;
}

const AgentView* Directory::pick(std::string_view capability) {
  auto found = groups_.find(capability);
  if (found == groups_.end() || found->second.free == 0) return nullptr;
  Group& group = found->second;
  const std::size_t count = group.members.size();
  const Entry* best = nullptr;
  std::size_t best_at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (group.next + i) % count;
    const Entry* candidate = group.members[at];
    if (!candidate->counted_free) continue;
    if (best == nullptr || less_busy(candidate->view, best->view)) {
      best = candidate;
      best_at = at;
    }
  }
  group.next = (best_at + 1) % count;
  return best == nullptr ? nullptr : &best->view;
}

bool Directory::has_free(std::string_view capability) const {
  auto found = groups_.find(capability);
  return found != groups_.end() && found->second.free > 0;
}

void Directory::take(const model::AgentName& name) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  ++found->view.busy;
  ++found->view.signs;
  recount(*found);
}

void Directory::note_progress(const model::AgentName& name) {
  if (Entry* found = entry(name)) ++found->view.signs;
}

void Directory::release(const model::AgentName& name, model::Incarnation incarnation) {
  Entry* found = entry(name);
  if (found == nullptr || found->view.incarnation != incarnation || found->view.busy == 0) return;
  --found->view.busy;
  ++found->view.signs;
  recount(*found);
}

void Directory::add(const model::AgentName& name, std::shared_ptr<const model::AgentSpec> spec) {
  remove(name);
  Entry& added = entries_[name];
  added.view.name = name;
  added.view.kind = spec->kind;
  added.view.slots = std::max(1, spec->concurrency);
  added.view.spec = std::move(spec);
  for (const std::string& capability : added.view.spec->capabilities) {
    ++groups_[capability].offering;
  }
  serve(added, added.view.spec->capabilities);
}

void Directory::remove(const model::AgentName& name) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  unserve(*found);
  for (const std::string& capability : found->view.spec->capabilities) {
    auto group = groups_.find(capability);
    if (--group->second.offering == 0) groups_.erase(group);
  }
  entries_.erase(name);
}

void Directory::begin_incarnation(const model::AgentName& name, model::Incarnation incarnation) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  found->view.incarnation = incarnation;
  found->view.link = 0;
  found->view.report.reset();
  found->view.busy = 0;
  found->view.slots = std::max(1, found->view.spec->concurrency);
  found->view.assignable = false;
  found->view.stopping = false;
  unserve(*found);
  serve(*found, found->view.spec->capabilities);
  if (found->view.kind == model::AgentKind::exec) {
    report(*found, "", found->view.spec->capabilities);
  }
}

void Directory::set_link(const model::AgentName& name, model::LinkId link, int slots,
                         const std::vector<std::string>& serves) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  const model::AgentSpec& spec = *found->view.spec;
  const int limit = std::max(1, spec.concurrency);
  found->view.link = link;
  // The fleet file is the operator's word: an agent may ask for less, never for more.
  found->view.slots = slots > 0 ? std::min(slots, limit) : limit;
  unserve(*found);
  serve(*found, serves.empty() ? spec.capabilities : serves);
  report(*found, "", serves.empty() ? spec.capabilities : serves);
}

void Directory::set_sdk(const model::AgentName& name, const std::string& sdk) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  report(*found, sdk, found->view.report ? found->view.report->skills : std::vector<std::string>());
}

// A new one each time: attempts keep the one that was true when they began.
void Directory::report(Entry& entry, std::string sdk, std::vector<std::string> skills) {
  AgentView& view = entry.view;
  view.report = std::make_shared<const AgentReport>(
      AgentReport{view.kind, std::move(sdk), std::move(skills), view.slots});
}

void Directory::clear_link(const model::AgentName& name) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  found->view.link = 0;
  found->view.assignable = false;
  recount(*found);
}

void Directory::set_assignable(const model::AgentName& name, bool assignable) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  found->view.assignable = assignable;
  recount(*found);
}

void Directory::set_stopping(const model::AgentName& name) {
  if (Entry* found = entry(name)) found->view.stopping = true;
}

Directory::Entry* Directory::entry(const model::AgentName& name) {
  auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void Directory::serve(Entry& entry, const std::vector<std::string>& capabilities) {
  for (const std::string& capability : capabilities) {
    auto group = groups_.find(capability);
    if (group == groups_.end()) continue;  // nobody's spec names it
    const auto& own = entry.view.spec->capabilities;
    if (std::find(own.begin(), own.end(), capability) == own.end()) continue;
    auto& members = group->second.members;
    if (std::find(members.begin(), members.end(), &entry) != members.end()) continue;
    members.push_back(&entry);
    entry.groups.push_back(&group->second);
  }
  recount(entry);
}

void Directory::unserve(Entry& entry) {
  for (Group* group : entry.groups) {
    if (entry.counted_free) --group->free;
    group->members.erase(std::find(group->members.begin(), group->members.end(), &entry));
    if (group->next >= group->members.size()) group->next = 0;
  }
  entry.groups.clear();
  entry.counted_free = false;
}

void Directory::recount(Entry& entry) {
  const bool free = entry.view.assignable && entry.view.busy < entry.view.slots;
  if (free == entry.counted_free) return;
  entry.counted_free = free;
  for (Group* group : entry.groups) group->free += free ? 1 : -1;
}

}  // namespace mainstay::fleet
