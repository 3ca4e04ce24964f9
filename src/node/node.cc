#include "node/node.h"

#include <future>

#include "base/text.h"
#include "platform/clock.h"
#include "platform/files/files.h"
#include "platform/loop/thread_name.h"
#include "platform/process/pidfd.h"

namespace mainstay::node {
namespace {

constexpr Duration kReapInterval = std::chrono::milliseconds(500);
constexpr Duration kMarkInterval = std::chrono::seconds(1);
constexpr Duration kStopLimit = std::chrono::seconds(5);
constexpr std::size_t kMaxWaitingOutputs = 256;
constexpr std::size_t kMaxPathBytes = 4096;

template <class... Call>
struct Overload : Call... {
  using Call::operator()...;
};
template <class... Call>
Overload(Call...) -> Overload<Call...>;

/// Goes to the agent link: true when it was for a linked agent.
bool give_to_link(LinkServer& link, const model::Effect& effect) {
  return std::visit(Overload{[&](const model::AssignWork& assign) {
                               if (assign.link != 0) link.assign(assign);
                               return assign.link != 0;
                             },
                             [&](const model::CancelAttempt& cancel) {
                               if (cancel.link != 0) link.cancel(cancel);
                               return cancel.link != 0;
                             },
                             [&](const model::AckResult& ack) {
                               if (ack.link != 0) link.ack(ack);
                               return true;  // a command agent's process is gone: nobody to tell
                             },
                             [&](const model::DrainAgent& drain) {
                               link.drain(drain);
                               return true;
                             },
                             [&](const model::CloseLink& close) {
                               link.close(close);
                               return true;
                             },
                             [](const auto&) { return false; }},
                    effect);
}

}  // namespace

Node::Node(NodeOptions options, LinkServer& link, NodeSinks sinks,
           std::unique_ptr<platform::Reactor> reactor)
    : options_(std::move(options)),
      link_(link),
      sinks_(std::move(sinks)),
      reactor_(std::move(reactor)),
      blocking_("node-output", 1, kMaxWaitingOutputs),
      context_{options_, sinks_, *reactor_, counters_},
      processes_(context_, link_, leftovers_),
      execs_(context_, blocking_) {}

Node::~Node() { stop(); }

Result<std::unique_ptr<Node>> Node::start(NodeOptions options, LinkServer& link, NodeSinks sinks) {
  auto reactor = platform::Reactor::make();
  if (!reactor) return reactor.error();
  std::unique_ptr<Node> node(
      new Node(std::move(options), link, std::move(sinks), std::move(*reactor)));
  if (auto prepared = node->prepare(); !prepared) return prepared.error();
  node->thread_ = std::thread([raw = node.get()] { raw->run(); });
  return node;
}

Result<void> Node::prepare() {
  auto made = platform::make_private_dir(options_.data_dir + "/agents");
  if (!made) return made;
  if (auto reaper = platform::become_subreaper(); !reaper) warn(reaper.error().to_text());
  find_groups();
  take_stock();
  remember_groups();
  return {};
}

void Node::find_groups() {
  if (!options_.use_cgroups) {
    kill_method_reason_ = "cgroups are turned off";
  } else if (auto base = platform::CgroupBase::find(options_.instance); base) {
    kill_method_reason_ = base->path();
    context_.groups = std::move(*base);
  } else {
    kill_method_reason_ = base.error().message();
  }
  auto former = platform::read_file(options_.data_dir + "/agents/cgroups", kMaxPathBytes);
  if (!former) return;
  for (std::string_view line : base::split(*former, '\n')) {
    std::string path(base::trim(line));
    // Only a path of the form that find() gives is believed.
    bool ours = path.starts_with('/') && path.ends_with("/mainstay/" + options_.instance);
    bool same = context_.groups && context_.groups->path() == path;
    if (ours && !same) context_.former_groups.push_back(platform::CgroupBase::at(path));
  }
}

void Node::remember_groups() {
  std::string paths;
  for (const auto& base : context_.former_groups) {
    if (!base.names().empty()) paths += base.path() + "\n";
  }
  if (context_.groups) paths += context_.groups->path() + "\n";
  auto written = platform::write_file_atomic(options_.data_dir + "/agents/cgroups", paths);
  if (!written) warn(written.error().to_text());
}

void Node::take_stock() {
  for (pid_t pid : leftovers_.look_and_kill_exec(context_)) {
    warn("process " + std::to_string(pid) + " of before the restart does not end on SIGKILL");
  }
}

void Node::run() {
  platform::name_this_thread("node");
  reap_orphans_and_again();
  if (sinks_.gate) mark_dropped_lines_and_again();
  reactor_->run();
  execs_.kill_all(kStopLimit);
  mark_dropped_lines();
}

void Node::mark_dropped_lines() {
  if (!sinks_.gate) return;
  for (const LineGate::Dropped& dropped : sinks_.gate->take_dropped()) {
    warn(std::to_string(dropped.lines) + " lines of agent " + dropped.agent +
             " dropped in the last second: it writes more than the settings log.agent_lines and "
             "log.agent_bytes allow",
         dropped.agent);
  }
}

void Node::mark_dropped_lines_and_again() {
  mark_dropped_lines();
  reactor_->after(kMarkInterval, [this] { mark_dropped_lines_and_again(); });
}

void Node::reap_orphans_and_again() {
  int reaped = platform::reap_orphans(
      [this](pid_t pid) { return processes_.has_process(pid) || execs_.has_process(pid); });
  counters_.orphans_reaped.fetch_add(static_cast<std::uint64_t>(reaped), std::memory_order_relaxed);
  reactor_->after(kReapInterval, [this] { reap_orphans_and_again(); });
}

void Node::apply(std::vector<model::Effect> effects) {
  std::vector<model::Effect> own;
  for (model::Effect& effect : effects) {
    if (!give_to_link(link_, effect)) own.push_back(std::move(effect));
  }
  if (own.empty()) return;
  reactor_->post([this, own = std::move(own)] {
    for (const model::Effect& effect : own) carry_out(effect);
  });
}

void Node::carry_out(const model::Effect& effect) {
  if (killed_) return;
  std::visit(Overload{[this](const model::StartProcess& start) { processes_.start(start); },
                      [this](const model::AdoptProcess& adopt) { processes_.adopt(adopt); },
                      [this](const model::StopProcess& stop) { processes_.stop(stop); },
                      [this](const model::KillProcess& kill) {
                        processes_.kill(kill);
                        execs_.cancel_agent(kill.agent, "its agent was stopped");
                      },
                      [this](const model::AssignWork& assign) { execs_.assign(assign); },
                      [this](const model::CancelAttempt& cancel) { execs_.cancel(cancel); },
                      [](const auto&) {}},
             effect);
}

void Node::kill_unclaimed() {
  reactor_->post([this] { processes_.kill_unclaimed(); });
}

bool Node::kill_all() {
  auto done = std::make_shared<std::promise<bool>>();
  auto outcome = done->get_future();
  reactor_->post([this, done] { done->set_value(kill_all_here()); });
  const bool in_time = outcome.wait_for(3 * kStopLimit) == std::future_status::ready;
  return in_time && outcome.get();
}

bool Node::kill_all_here() {
  killed_ = true;
  const std::size_t withstood = processes_.kill_all(kStopLimit);
  execs_.kill_all(kStopLimit);
  if (withstood > 0) warn(std::to_string(withstood) + " agents do not end on SIGKILL");
  return withstood == 0;
}

void Node::stop() {
  if (!thread_.joinable()) return;
  reactor_->stop();
  thread_.join();
  blocking_.stop();
  if (context_.groups) context_.groups->remove_if_empty();
}

NodeStatus Node::status() const {
  NodeStatus status;
  status.kill_method =
      context_.groups ? platform::KillMethod::cgroup : platform::KillMethod::process_tree;
  status.kill_method_reason = kill_method_reason_;
  status.processes_started = counters_.processes.load(std::memory_order_relaxed);
  status.log_lines = counters_.log_lines.load(std::memory_order_relaxed);
  status.truncated_lines = counters_.truncated_lines.load(std::memory_order_relaxed);
  if (sinks_.gate) status.dropped_lines = sinks_.gate->dropped_total();
  status.orphans_reaped = counters_.orphans_reaped.load(std::memory_order_relaxed);
  return status;
}

void Node::warn(std::string message, const model::AgentName& agent) {
  model::LogRecord record;
  record.at = platform::wall_now();
  record.level = model::LogLevel::WARNING;
  record.message = std::move(message);
  record.context.component = "node";
  record.context.agent = agent;
  sinks_.log(std::move(record));
}

}  // namespace mainstay::node
