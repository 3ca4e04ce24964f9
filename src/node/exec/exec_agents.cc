#include "node/exec/exec_agents.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "node/agent_environment.h"
#include "platform/clock.h"
#include "platform/files/files.h"
#include "platform/process/spawn.h"

namespace mainstay::node {
namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10;
constexpr std::size_t kBudgetPerRound = 8 * kChunk;
constexpr std::size_t kStderrTail = 4096;

/// The input as a file in memory: the child reads at its own pace, and nobody has to write while
/// it does, or to mind that it does not read at all.
Result<platform::Fd> input_file(std::string_view text) {
  platform::Fd memory(::memfd_create("mainstay-input", MFD_CLOEXEC));
  if (!memory) return platform::io_error("cannot make an input file in memory", "", errno);
  if (auto written = platform::write_all(memory.get(), text, "input"); !written) {
    return written.error();
  }
  // A descriptor of its own: at the beginning, and only for reading.
  return platform::open_file("/proc/self/fd/" + std::to_string(memory.get()), O_RDONLY);
}

struct PipeEnds {
  platform::Fd reader;
  platform::Fd writer;
};

Result<PipeEnds> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return platform::io_error("cannot make a pipe", "", errno);
  PipeEnds pipe{platform::Fd(ends[0]), platform::Fd(ends[1])};
  // Only our end may refuse to wait; the file description of the other is the child's.
  if (::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK) != 0) {
    return platform::io_error("cannot set up a pipe", "", errno);
  }
  return pipe;
}

model::LogContext context_of(const model::AssignWork& effect) {
  model::LogContext context;
  context.agent = effect.agent;
  context.work_id = effect.work->id.to_text();
  context.component = effect.spec->name;
  // traceparent: 00-TRACE-SPAN-FLAGS (W3C Trace Context, section 3.2)
  constexpr std::size_t kTraceAt = 3;
  constexpr std::size_t kTraceLength = 32;
  if (effect.work->trace_parent.size() > kTraceAt + kTraceLength) {
    context.trace_id = effect.work->trace_parent.substr(kTraceAt, kTraceLength);
  }
  if (effect.work->step) {
    context.run_id = effect.work->step->run.to_text();
    context.pipeline = effect.work->step->pipeline;
    context.stage = effect.work->step->stage;
    context.step = effect.step_number;
  }
  return context;
}

}  // namespace

struct ExecAgents::Item {
  model::AssignWork effect;
  Mono began{};
  int slot = -1;
  std::unique_ptr<SupervisedProcess> process;
  std::unique_ptr<LogReader> err;
  platform::Fd out;
  platform::Reactor::WatchId out_watch = 0;
  ExecEnd end;
};

ExecAgents::ExecAgents(NodeContext& node, platform::WorkerPool& blocking)
    : node_(node), blocking_(blocking) {}

ExecAgents::~ExecAgents() = default;

void ExecAgents::assign(const model::AssignWork& effect) {
  Key key{effect.work->id, effect.epoch};
  if (items_.contains(key)) return;
  auto item = std::make_unique<Item>();
  item->effect = effect;
  item->began = platform::mono_now();
  auto launched = launch(effect, item.get());
  if (launched) {
    items_.emplace(key, std::move(item));
    return;
  }
  give_back_group(*item);
  bool permanent = launched.error().code() == Code::process_start_failed &&
                   platform::is_permanent(platform::start_failure(launched.error()));
  node_.sinks.fact(model::AttemptFinished{effect.agent, effect.link, effect.work->id, effect.epoch,
                                          outcome_of_start_failure(launched.error(), permanent)});
}

Result<void> ExecAgents::launch(const model::AssignWork& effect, Item* item) {
  auto input = input_file(effect.work->input.view());
  if (!input) return input.error();
  auto out = make_pipe();
  if (!out) return out.error();
  auto err = make_pipe();
  if (!err) return err.error();
  auto group = take_group(effect.agent, &item->slot);

  platform::SpawnRequest request;
  request.argv = effect.spec->command;
  request.working_dir = working_dir(node_.options, *effect.spec);
  request.environment = exec_environment(node_.options, effect);
  request.stdin_fd = input->get();
  request.stdout_fd = out->writer.get();
  request.stderr_fd = err->writer.get();
  request.cgroup_fd = group ? group->fd() : -1;
  request.die_with_thread = true;
  auto process = platform::spawn(request);
  if (!process) return process.error();
  node_.counters.processes.fetch_add(1, std::memory_order_relaxed);
  if (!process->in_cgroup) group.reset();

  std::string id = start_id(node_.options.instance, effect.work->id, effect.epoch);
  platform::ProcessTree tree(process->identity, start_marker(id), std::move(group));
  SupervisedProcess::Calls calls;
  calls.gone = [this, key = Key{effect.work->id, effect.epoch}](model::ExitStatus status) {
    gone(key, status);
  };
  item->process = std::make_unique<SupervisedProcess>(node_.reactor, std::move(process->pidfd),
                                                      std::move(tree), std::move(calls));
  item->err = std::make_unique<LogReader>(node_, std::move(err->reader), "stderr",
                                          context_of(effect), kStderrTail);
  item->out = std::move(out->reader);
  return watch(item);
}

Result<void> ExecAgents::watch(Item* item) {
  Key key{item->effect.work->id, item->effect.epoch};
  auto out = node_.reactor.watch(item->out.get(), EPOLLIN,
                                 [this, key](std::uint32_t) { read_output(key); });
  Result<void> watched = item->err->start();
  if (out) item->out_watch = *out;
  if (!out) watched = out.error();
  if (watched) watched = item->process->watch();
  if (watched) return {};
  node_.reactor.unwatch(item->out_watch);
  item->process->kill_and_wait(std::chrono::seconds(1));
  return watched;
}

std::optional<platform::Cgroup> ExecAgents::take_group(const model::AgentName& agent, int* slot) {
  if (!node_.groups) return std::nullopt;
  // Groups are kept and used again: making and removing one per item would cost more than many a
  // command does.
  std::vector<bool>& used = slots_[agent];
  auto free = std::find(used.begin(), used.end(), false);
  *slot = static_cast<int>(free - used.begin());
  const bool fresh = free == used.end();
  if (fresh) {
    used.push_back(true);
  } else {
    *free = true;
  }
  const std::string name = exec_group_name(agent, *slot);
  // One that an earlier daemon left may have been killed: see ProcessTree::group_is_spent.
  auto group = fresh ? platform::Cgroup::make_new(*node_.groups, name)
                     : platform::Cgroup::make(*node_.groups, name);
  if (!group) return std::nullopt;
  return std::move(*group);
}

void ExecAgents::give_back_group(Item& item) {
  if (item.slot < 0) return;
  const bool spent = item.process != nullptr && item.process->tree().group_is_spent();
  // One that cannot be removed is never used again.
  if (spent && !item.process->tree().forget()) return;
  slots_[item.effect.agent][static_cast<std::size_t>(item.slot)] = false;
}

void ExecAgents::read_output(const Key& key) {
  auto found = items_.find(key);
  if (found == items_.end()) return;
  Item& item = *found->second;
  char buffer[kChunk];
  for (std::size_t budget = kBudgetPerRound; budget > 0;) {
    ssize_t got = ::read(item.out.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) break;
    auto bytes = static_cast<std::size_t>(got);
    budget -= std::min(budget, bytes);
    if (item.end.output.size() + bytes > kMaxExecOutput) {
      item.end.too_large = true;
      item.end.output.clear();
      item.end.output.shrink_to_fit();
      item.process->kill();
      break;
    }
    item.end.output.append(buffer, bytes);
    if (budget == 0) return;  // more next round
  }
  node_.reactor.unwatch(std::exchange(item.out_watch, 0));
}

void ExecAgents::cancel(const model::CancelAttempt& effect) {
  auto found = items_.find({effect.work, effect.epoch});
  if (found != items_.end()) cancel_item(found->second.get(), effect.reason);
}

void ExecAgents::cancel_agent(const model::AgentName& agent, const std::string& reason) {
  std::vector<Item*> found;
  for (auto& [key, item] : items_) {
    if (item->effect.agent == agent) found.push_back(item.get());
  }
  for (Item* item : found) cancel_item(item, reason);
}

void ExecAgents::cancel_item(Item* item, const std::string& reason) {
  if (item->end.cancelled) return;
  item->end.cancelled = true;
  item->end.cancel_reason = reason;
  item->process->kill();
}

void ExecAgents::gone(const Key& key, model::ExitStatus status) {
  // Nothing of it lives, so what the pipe holds now is all there will be; a process outside the
  // tree that was handed the pipe is not waited for (faults A12).
  for (Item& item = *items_.at(key); item.out_watch != 0;) {
    std::size_t before = item.end.output.size();
    read_output(key);
    if (item.end.output.size() == before) break;
  }
  auto node = items_.extract(key);
  Item& item = *node.mapped();
  node_.reactor.unwatch(item.out_watch);
  item.err->finish();
  item.end.stderr_tail = item.err->tail();
  item.end.status = status;
  item.end.time = platform::mono_now() - item.began;
  item.end.skills = item.effect.spec->capabilities;
  item.end.folder = working_dir(node_.options, *item.effect.spec);
  item.end.python_sdk = node_.options.python_path;
  give_back_group(item);
  report(item.effect, std::move(item.end));
}

void ExecAgents::report(const model::AssignWork& effect, ExecEnd end) {
  bool large = end.output.size() > model::Payload::kInlineLimit;
  auto shared = std::make_shared<ExecEnd>(std::move(end));
  auto finish = [&sinks = node_.sinks, effect, shared](std::size_t) {
    auto outcome = outcome_of(std::move(*shared), effect.spec->command.front());
    if (outcome.output && outcome.output->view().size() > model::Payload::kInlineLimit) {
      auto stored = sinks.store_payload(std::string(outcome.output->view()));
      if (stored) {
        outcome.output = std::move(*stored);
      } else {
        outcome.output.reset();
        outcome.error.emplace();
        outcome.error->code = stored.error().code_name();
        outcome.error->message = "its output cannot be stored: " + stored.error().message();
      }
    }
    sinks.fact(model::AttemptFinished{effect.agent, effect.link, effect.work->id, effect.epoch,
                                      std::move(outcome)});
  };
  // Large outputs are checked and written elsewhere: a slow disk must not hold up this loop.
  if (!large || !blocking_.submit(finish)) finish(0);
}

void ExecAgents::kill_all(Duration limit) {
  Mono until = platform::mono_now() + limit;
  for (auto& [key, item] : items_) {
    auto left = std::max(Duration{0}, until - platform::mono_now());
    node_.reactor.unwatch(item->out_watch);
    item->process->kill_and_wait(left);
  }
  items_.clear();
  for (const auto& [agent, used] : slots_) {
    for (std::size_t slot = 0; slot < used.size(); ++slot) {
      auto group = node_.find_group(exec_group_name(agent, static_cast<int>(slot)));
      if (group) group->remove();
    }
  }
  slots_.clear();
}

bool ExecAgents::has_process(pid_t pid) const {
  for (const auto& [key, item] : items_) {
    if (item->process->identity().pid == pid) return true;
  }
  return false;
}

}  // namespace mainstay::node
