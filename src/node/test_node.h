// For tests: a node over a folder of its own, with a link that only takes notes, and its facts and
// log records to wait for (bounded).
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/node.h"
#include "platform/environment.h"
#include "platform/files/files.h"
#include "platform/files/test_dir.h"
#include "platform/process/test_process.h"

namespace mainstay::node {

class NotingLink : public LinkServer {
 public:
  struct Expected {
    model::AgentName agent;
    model::Incarnation incarnation;
    std::string token_sha256;
    std::function<bool(pid_t)> owns_pid;
    int slots = 0;
  };

  std::string unix_target() const override { return "unix:/test/link.sock"; }
  std::string tcp_address() const override { return ""; }
  void assign(const model::AssignWork&) override { note("assign"); }
  void cancel(const model::CancelAttempt&) override { note("cancel"); }
  void ack(const model::AckResult&) override { note("ack"); }
  void drain(const model::DrainAgent&) override { note("drain"); }
  void close(const model::CloseLink&) override { note("close"); }
  void expect(model::AgentName agent, model::Incarnation incarnation, std::string token_sha256,
              std::function<bool(pid_t)> owns_pid, int slots) override {
    std::scoped_lock lock(mutex_);
    expected_.push_back({agent, incarnation, std::move(token_sha256), std::move(owns_pid), slots});
  }
  void forget(model::AgentName agent, model::Incarnation incarnation) override {
    std::scoped_lock lock(mutex_);
    forgotten_.emplace(agent, incarnation);
  }
  void stop() override {}

  std::vector<Expected> expected() const {
    std::scoped_lock lock(mutex_);
    return expected_;
  }
  bool forgot(const model::AgentName& agent, model::Incarnation incarnation) const {
    std::scoped_lock lock(mutex_);
    return forgotten_.contains({agent, incarnation});
  }
  std::vector<std::string> notes() const {
    std::scoped_lock lock(mutex_);
    return notes_;
  }

 private:
  void note(std::string what) {
    std::scoped_lock lock(mutex_);
    notes_.push_back(std::move(what));
  }
  mutable std::mutex mutex_;
  std::vector<Expected> expected_;
  std::set<std::pair<model::AgentName, model::Incarnation>> forgotten_;
  std::vector<std::string> notes_;
};

/// Things that come from the node's threads.
template <class Thing>
class Inbox {
 public:
  void put(Thing thing) {
    std::scoped_lock lock(mutex_);
    things_.push_back(std::move(thing));
    wake_.notify_all();
  }
  /// Takes out the first that `wanted` accepts; nullopt when none comes in time.
  template <class Wanted>
  std::optional<Thing> take(Wanted wanted) {
    std::unique_lock lock(mutex_);
    Mono until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
      for (auto at = things_.begin(); at != things_.end(); ++at) {
        if (!wanted(*at)) continue;
        Thing thing = std::move(*at);
        things_.erase(at);
        return thing;
      }
      if (wake_.wait_until(lock, until) == std::cv_status::timeout) return std::nullopt;
    }
  }
  std::size_t size() const {
    std::scoped_lock lock(mutex_);
    return things_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Thing> things_;
};

class TestNode {
 public:
  explicit TestNode(const std::string& project, bool use_cgroups = true) {
    NodeOptions options;
    options.project_dir = project;
    options.data_dir = project + "/.mainstay";
    options.instance = "test" + project.substr(project.rfind('-'));
    options.environment = "test";
    options.link_target = link.unix_target();
    options.inherited_environment = {{"PATH", "/usr/bin:/bin"}};
    options.use_cgroups = use_cgroups;
    EXPECT_TRUE(platform::make_private_dir(options.data_dir));
    NodeSinks sinks;
    sinks.fact = [this](model::Fact fact) { facts.put(std::move(fact)); };
    sinks.log = [this](model::LogRecord record) { logs.put(std::move(record)); };
    sinks.store_payload = [this](std::string text) -> Result<model::Payload> {
      stored_bytes += text.size();
      model::Payload payload = model::Payload::of(std::move(text));
      payload.blob = "hash-of-it";
      return payload;
    };
    auto started = Node::start(std::move(options), link, std::move(sinks));
    MS_ASSERT(started.has_value(), "the node must start");
    node = std::move(*started);
  }

  void apply(model::Effect effect) {
    std::vector<model::Effect> effects;
    effects.push_back(std::move(effect));
    node->apply(std::move(effects));
  }
  template <class Fact>
  std::optional<Fact> wait_for() {
    auto fact = facts.take([](const model::Fact& f) { return std::holds_alternative<Fact>(f); });
    if (!fact) return std::nullopt;
    return std::get<Fact>(std::move(*fact));
  }
  /// The log record whose message begins so.
  std::optional<model::LogRecord> wait_for_log(const std::string& begin) {
    return logs.take([&](const model::LogRecord& r) { return r.message.starts_with(begin); });
  }

  NotingLink link;
  Inbox<model::Fact> facts;
  Inbox<model::LogRecord> logs;
  std::atomic<std::size_t> stored_bytes{0};
  std::unique_ptr<Node> node;
};

inline std::shared_ptr<const model::AgentSpec> spec_of(std::vector<std::string> command,
                                                       model::AgentKind kind) {
  auto spec = std::make_shared<model::AgentSpec>();
  spec->name = "stub";
  spec->kind = kind;
  spec->command = std::move(command);
  return spec;
}

inline std::shared_ptr<const model::AgentSpec> python_agent(const std::string& script) {
  return spec_of({"/usr/bin/python3", "-c", script}, model::AgentKind::link);
}

inline std::shared_ptr<const model::AgentSpec> shell_agent(const std::string& script) {
  return spec_of({"/bin/sh", "-c", script}, model::AgentKind::link);
}

/// Ignores SIGTERM; with a child, an orphan of a double fork, and one in a session of its own.
/// Prints `pid N` for each of the four, then waits.
constexpr const char* kNastyAgent = R"(
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
OUT = sys.stderr
def stay():
    OUT.write(f"pid {os.getpid()}\n"); OUT.flush()
    while True: time.sleep(1000)
if os.fork() == 0: stay()
if os.fork() == 0:
    if os.fork() == 0: stay()
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: stay()
    os._exit(0)
stay()
)";
constexpr int kNastyProcesses = 4;

/// The pids that a nasty agent printed, as identities.
inline std::vector<platform::ProcessIdentity> nasty_processes(TestNode& node) {
  std::vector<platform::ProcessIdentity> found;
  for (int i = 0; i < kNastyProcesses; ++i) {
    auto line = node.wait_for_log("pid ");
    if (!line) break;
    auto identity = platform::identify(std::stoi(line->message.substr(4)));
    if (identity) found.push_back(*identity);
  }
  EXPECT_EQ(found.size(), std::size_t{kNastyProcesses});
  return found;
}

inline void expect_all_gone(const std::vector<platform::ProcessIdentity>& processes) {
  for (const auto& process : processes) EXPECT_TRUE(platform::is_gone(process)) << process.pid;
}

}  // namespace mainstay::node
