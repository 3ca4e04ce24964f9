#include "node/process/process_agents.h"

#include "node/agent_environment.h"
#include "node/output/agent_streams.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/process/spawn.h"

namespace mainstay::node {
namespace {

constexpr const char* kTokenPrefix = "ms_ag_";

model::LogContext context_of(const model::AgentName& agent) {
  model::LogContext context;
  context.agent = agent;
  return context;
}

Error still_there(const model::AgentName& agent) {
  return Error(Code::conflict, "an earlier process of " + agent + " is not gone yet");
}

}  // namespace

struct ProcessAgents::Streams {
  AgentStream out;
  AgentStream err;
};

void ProcessAgents::start(const model::StartProcess& effect) {
  if (Agent* agent = find(effect.agent, effect.incarnation)) {
    node_.sinks.fact(model::ProcessStarted{effect.agent, effect.incarnation,
                                           to_model(agent->process->identity()),
                                           agent->token_sha256});
    return;
  }
  kill_older_copies(effect.agent);
  Result<void> started =
      agents_.contains(effect.agent) ? still_there(effect.agent) : launch(effect);
  if (started) return;
  bool permanent = started.error().code() == Code::process_start_failed &&
                   platform::is_permanent(platform::start_failure(started.error()));
  node_.sinks.fact(model::ProcessStartFailed{effect.agent, effect.incarnation,
                                             std::move(started).error(), permanent});
}

Result<void> ProcessAgents::launch(const model::StartProcess& effect) {
  auto token = platform::make_token(kTokenPrefix);
  if (!token) return token.error();
  if (node_.sinks.secret) node_.sinks.secret(*token);
  auto streams = open_streams(effect.agent);
  if (!streams) return streams.error();
  auto group = make_group(effect.agent, effect.incarnation);

  platform::SpawnRequest request;
  request.argv = effect.spec->command;
  request.working_dir = working_dir(node_.options, *effect.spec);
  request.environment = link_environment(node_.options, effect, *token);
  request.stdout_fd = streams->out.writer.get();
  request.stderr_fd = streams->err.writer.get();
  request.cgroup_fd = group ? group->fd() : -1;
  auto process = platform::spawn(request);
  bool unused_group = group && (!process || !process->in_cgroup);
  if (unused_group) {
    group->remove();
    group.reset();
  }
  if (!process) return process.error();
  if (unused_group) warn(effect.agent, "the kernel refused its cgroup; /proc is walked instead");
  node_.counters.processes.fetch_add(1, std::memory_order_relaxed);

  model::ProcessStarted started{effect.agent, effect.incarnation, to_model(process->identity),
                                platform::sha256_hex(*token)};
  std::string id = start_id(node_.options.instance, effect.agent, effect.incarnation);
  platform::ProcessTree tree(process->identity, start_marker(id), std::move(group));
  auto charged =
      take_charge(effect.agent, effect.incarnation, started.token_sha256, std::move(process->pidfd),
                  std::move(tree), std::move(*streams), effect.spec->concurrency);
  if (charged) node_.sinks.fact(std::move(started));
  return charged;
}

std::optional<platform::Cgroup> ProcessAgents::make_group(const model::AgentName& agent,
                                                          model::Incarnation incarnation) {
  if (!node_.groups) return std::nullopt;
  auto made = platform::Cgroup::make(*node_.groups, group_name(agent, incarnation));
  if (made) return std::move(*made);
  // Without a group of its own it still runs; its tree is then found by walking /proc.
  warn(agent, made.error().to_text());
  return std::nullopt;
}

Result<ProcessAgents::Streams> ProcessAgents::open_streams(const model::AgentName& agent) {
  std::string base = node_.options.data_dir + "/agents/" + agent;
  auto out = open_agent_stream(base + ".out");
  if (!out) return out.error();
  auto err = open_agent_stream(base + ".err");
  if (!err) return err.error();
  return Streams{std::move(*out), std::move(*err)};
}

Result<void> ProcessAgents::take_charge(const model::AgentName& name,
                                        model::Incarnation incarnation, std::string token_sha256,
                                        platform::Fd pidfd, platform::ProcessTree tree,
                                        Streams streams, int slots) {
  auto ownership = tree.ownership();
  Agent agent;
  agent.incarnation = incarnation;
  agent.token_sha256 = token_sha256;
  SupervisedProcess::Calls calls;
  calls.gone = [this, name](model::ExitStatus status) { gone(name, status); };
  calls.stuck = [this, name](const std::string& survivors) {
    warn(name, "processes " + survivors + " do not end on SIGKILL; it counts as running");
  };
  agent.process = std::make_unique<SupervisedProcess>(node_.reactor, std::move(pidfd),
                                                      std::move(tree), std::move(calls));
  agent.out =
      std::make_unique<LogReader>(node_, std::move(streams.out.reader), "stdout", context_of(name));
  agent.err =
      std::make_unique<LogReader>(node_, std::move(streams.err.reader), "stderr", context_of(name));
  Result<void> watched = agent.out->start();
  if (watched) watched = agent.err->start();
  if (watched) watched = agent.process->watch();
  if (!watched) {
    agent.process->kill_and_wait(std::chrono::seconds(1));
    agent.process->tree().forget();
    return watched;
  }
  link_.expect(name, incarnation, std::move(token_sha256), std::move(ownership), slots);
  agents_[name] = std::move(agent);
  return {};
}

void ProcessAgents::adopt(const model::AdoptProcess& effect) {
  if (Agent* agent = find(effect.agent, effect.incarnation)) {
    if (effect.kill) return agent->process->kill();
    node_.sinks.fact(model::AdoptionFinished{effect.agent, effect.incarnation,
                                             to_model(agent->process->identity())});
    return;
  }
  if (!effect.kill && adopt_living(effect)) return;
  platform::ProcessIdentity root =
      effect.process ? from_model(*effect.process) : platform::ProcessIdentity{};
  kill_remains(effect.agent, effect.incarnation, root,
               [this, agent = effect.agent, incarnation = effect.incarnation] {
                 node_.sinks.fact(model::AdoptionFinished{agent, incarnation, std::nullopt});
               });
}

bool ProcessAgents::adopt_living(const model::AdoptProcess& effect) {
  if (!effect.process || agents_.contains(effect.agent)) return false;
  platform::ProcessIdentity identity = from_model(*effect.process);
  if (!platform::is_alive(identity)) return false;
  auto pidfd = platform::open_process(identity);
  if (!pidfd || platform::has_ended(*pidfd)) return false;
  auto streams = open_streams(effect.agent);
  if (!streams) {
    warn(effect.agent, "it cannot be adopted: " + streams.error().to_text());
    return false;
  }
  leftovers_.claim(effect.agent, effect.incarnation);
  std::string id = start_id(node_.options.instance, effect.agent, effect.incarnation);
  auto group = node_.find_group(group_name(effect.agent, effect.incarnation));
  if (group && !platform::group_contains(group->path(), identity.pid)) group.reset();
  platform::ProcessTree tree(identity, start_marker(id), std::move(group));
  auto charged =
      take_charge(effect.agent, effect.incarnation, effect.token_sha256, std::move(*pidfd),
                  std::move(tree), std::move(*streams), effect.spec ? effect.spec->concurrency : 1);
  if (!charged) {
    warn(effect.agent, "it cannot be adopted: " + charged.error().to_text());
    return false;
  }
  node_.sinks.fact(model::AdoptionFinished{effect.agent, effect.incarnation, *effect.process});
  return true;
}

void ProcessAgents::kill_remains(const model::AgentName& agent, model::Incarnation incarnation,
                                 const platform::ProcessIdentity& root,
                                 std::function<void()> when_gone) {
  leftovers_.claim(agent, incarnation);
  Leftovers::Key key{agent, incarnation};
  if (auto found = remains_.find(key); found != remains_.end()) {
    found->second.when_gone.push_back(std::move(when_gone));
    return;
  }
  std::string id = start_id(node_.options.instance, agent, incarnation);
  auto group = node_.find_group(group_name(agent, incarnation));
  platform::ProcessTree tree(root, start_marker(id), std::move(group));
  tree.search_widely();
  Remains& remains = remains_.emplace(key, Remains{std::move(tree), {}, nullptr}).first->second;
  remains.when_gone.push_back(std::move(when_gone));
  TreeKiller::Calls calls;
  calls.empty = [this, key] {
    auto gone = remains_.extract(key);
    gone.mapped().tree.forget();
    for (auto& call : gone.mapped().when_gone) call();
  };
  calls.stuck = [this, agent](const std::string& survivors) {
    warn(agent, "processes " + survivors + " of before the restart do not end on SIGKILL");
  };
  remains.killer = std::make_unique<TreeKiller>(node_.reactor, remains.tree, std::move(calls));
  remains.killer->start();
}

void ProcessAgents::kill_older_copies(const model::AgentName& agent) {
  // Only when the store has forgotten an incarnation that still runs (it was lost or restored).
  for (const Leftovers::Key& key : leftovers_.unclaimed_of(agent)) {
    warn(agent, "a process of its start " + std::to_string(key.second) + " is killed");
    kill_left_over(key, TreeKiller::kStuckAfter);
  }
}

/// Blocks; true when nothing of it lives.
bool ProcessAgents::kill_left_over(const Leftovers::Key& key, Duration limit) {
  const auto& [agent, incarnation] = key;
  leftovers_.claim(agent, incarnation);
  std::string id = start_id(node_.options.instance, agent, incarnation);
  platform::ProcessTree tree({}, start_marker(id),
                             node_.find_group(group_name(agent, incarnation)));
  tree.search_widely();
  const bool all = tree.kill_all(limit).survivors.empty();
  tree.forget();
  return all;
}

std::size_t ProcessAgents::kill_all(Duration limit) {
  const Mono until = platform::mono_now() + limit;
  const auto left = [until] { return std::max(Duration{0}, until - platform::mono_now()); };
  std::size_t withstood = 0;
  // All of them first: one that does not die must not save the rest.
  for (auto& [name, agent] : agents_) agent.process->kill();
  for (auto& [name, agent] : agents_) {
    if (!agent.process->kill_and_wait(left()).survivors.empty()) ++withstood;
    agent.process->tree().forget();
    link_.forget(name, agent.incarnation);
  }
  agents_.clear();
  for (auto& [key, remains] : remains_) {
    if (!remains.tree.kill_all(left()).survivors.empty()) ++withstood;
    remains.tree.forget();
  }
  remains_.clear();
  for (const Leftovers::Key& key : leftovers_.unclaimed()) {
    if (!kill_left_over(key, left())) ++withstood;
  }
  return withstood;
}

void ProcessAgents::kill_unclaimed() {
  for (const auto& [agent, incarnation] : leftovers_.unclaimed()) {
    warn(agent, "its process of before the restart belongs to nobody and is killed");
    kill_remains(agent, incarnation, {}, [] {});
  }
}

void ProcessAgents::stop(const model::StopProcess& effect) {
  if (Agent* agent = find(effect.agent, effect.incarnation)) agent->process->stop(effect.grace);
}

void ProcessAgents::kill(const model::KillProcess& effect) {
  if (Agent* agent = find(effect.agent, effect.incarnation)) agent->process->kill();
}

void ProcessAgents::gone(const model::AgentName& name, model::ExitStatus status) {
  auto node = agents_.extract(name);
  Agent& agent = node.mapped();
  agent.out->finish();
  agent.err->finish();
  agent.process->tree().forget();
  link_.forget(name, agent.incarnation);
  node_.sinks.fact(model::ProcessExited{name, agent.incarnation, status});
}

ProcessAgents::Agent* ProcessAgents::find(const model::AgentName& agent,
                                          model::Incarnation incarnation) {
  auto found = agents_.find(agent);
  bool same = found != agents_.end() && found->second.incarnation == incarnation;
  return same ? &found->second : nullptr;
}

bool ProcessAgents::has_process(pid_t pid) const {
  for (const auto& [name, agent] : agents_) {
    if (agent.process->identity().pid == pid) return true;
  }
  return false;
}

void ProcessAgents::warn(const model::AgentName& agent, std::string message) {
  model::LogRecord record;
  record.at = platform::wall_now();
  record.level = model::LogLevel::WARNING;
  record.message = agent + ": " + std::move(message);
  record.context = context_of(agent);
  record.context.component = "node";
  node_.sinks.log(std::move(record));
}

}  // namespace mainstay::node
