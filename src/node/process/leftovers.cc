#include "node/process/leftovers.h"

#include <unistd.h>

#include <charconv>
#include <csignal>

#include "node/agent_environment.h"
#include "platform/clock.h"
#include "platform/process/pidfd.h"
#include "platform/process/process_tree.h"

namespace mainstay::node {
namespace {

constexpr Duration kKillLimit = std::chrono::seconds(5);

/// `scout@3` as (scout, 3).
std::optional<Leftovers::Key> key_of_group(const std::string& name) {
  auto at = name.rfind('@');
  if (at == std::string::npos) return std::nullopt;
  model::Incarnation incarnation = 0;
  const char* end = name.data() + name.size();
  auto [stop, failed] = std::from_chars(name.data() + at + 1, end, incarnation);
  if (failed != std::errc{} || stop != end) return std::nullopt;
  return Leftovers::Key{name.substr(0, at), incarnation};
}

std::optional<Leftovers::Key> key_of_process(pid_t pid) {
  auto agent = platform::environment_value(pid, "MAINSTAY_AGENT");
  auto number = platform::environment_value(pid, "MAINSTAY_INCARNATION");
  if (!agent || !number) return std::nullopt;
  return key_of_group(*agent + "@" + *number);
}

}  // namespace

void Leftovers::look_at_groups(NodeContext& node) {
  for (const auto& base : node.all_groups()) {
    for (const std::string& name : base.names()) {
      auto group = platform::Cgroup::find(base, name);
      if (!group) continue;
      if (is_exec_group(name)) {
        exec_groups_.push_back(std::move(*group));
      } else if (!group->populated()) {
        group->remove();
      } else if (auto key = key_of_group(name)) {
        links_[*key] = group->processes();
      }
    }
  }
}

void Leftovers::look(NodeContext& node) {
  look_at_groups(node);
  const std::string marker = "MAINSTAY_INSTANCE=" + node.options.instance;
  for (const platform::ProcEntry& entry : platform::list_processes()) {
    if (!entry.alive() || entry.pid == ::getpid()) continue;
    if (!platform::environment_has(entry.pid, marker)) continue;
    platform::ProcessIdentity identity{entry.pid, entry.start_ticks, platform::boot_id()};
    if (platform::environment_has(entry.pid, "MAINSTAY_KIND=exec")) {
      exec_processes_.push_back(identity);
    } else if (auto key = key_of_process(entry.pid)) {
      links_[*key].push_back(identity);
    }
  }
}

std::vector<pid_t> Leftovers::look_and_kill_exec(NodeContext& node) {
  look(node);
  Mono until = platform::mono_now() + kKillLimit;
  std::vector<pid_t> withstood;
  for (platform::Cgroup& group : exec_groups_) {
    platform::ProcessTree tree({}, start_marker("none"), std::move(group));
    auto left = std::max(Duration{0}, until - platform::mono_now());
    for (const auto& survivor : tree.kill_all(left).survivors) withstood.push_back(survivor.pid);
    tree.forget();
  }
  for (const auto& process : exec_processes_) {
    auto start = platform::environment_value(process.pid, "MAINSTAY_START_ID");
    platform::ProcessTree tree(process, start_marker(start.value_or("none")), std::nullopt);
    auto left = std::max(Duration{0}, until - platform::mono_now());
    for (const auto& survivor : tree.kill_all(left).survivors) withstood.push_back(survivor.pid);
  }
  exec_groups_.clear();
  exec_processes_.clear();
  return withstood;
}

std::vector<Leftovers::Key> Leftovers::unclaimed() const {
  std::vector<Key> keys;
  for (const auto& [key, processes] : links_) keys.push_back(key);
  return keys;
}

std::vector<Leftovers::Key> Leftovers::unclaimed_of(const model::AgentName& agent) const {
  std::vector<Key> keys;
  for (const auto& [key, processes] : links_) {
    if (key.first == agent) keys.push_back(key);
  }
  return keys;
}

void Leftovers::claim(const model::AgentName& agent, model::Incarnation incarnation) {
  links_.erase({agent, incarnation});
}

}  // namespace mainstay::node
