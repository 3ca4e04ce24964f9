// What the parts of the node share: its settings, where facts and log records go, its loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/input.h"
#include "model/log_record.h"
#include "model/payload.h"
#include "node/output/line_gate.h"
#include "platform/loop/reactor.h"
#include "platform/process/cgroup.h"

namespace mainstay::node {

struct NodeOptions {
  /// Absolute; processes work here or below.
  std::string project_dir;
  /// Absolute: `.mainstay`.
  std::string data_dir;
  /// Id of the data folder: marks every process that is started for it.
  std::string instance;
  /// Name of the environment (`MAINSTAY_ENV`), such as `development`.
  std::string environment;
  /// gRPC target of the agent link, such as `unix:/abs/.mainstay/link.sock`.
  std::string link_target;
  /// Folder of the Python SDK; empty: none.
  std::string python_path;
  /// What of the daemon's environment is passed on (platform::passable_environment()).
  std::map<std::string, std::string> inherited_environment;
  /// false: kill trees by walking /proc even where cgroups could be used.
  bool use_cgroups = true;
};

/// Called from the node's threads; must be thread-safe and may be called at any time from start()
/// until stop() has returned.
struct NodeSinks {
  std::function<void(model::Fact)> fact;
  std::function<void(model::LogRecord)> log;
  /// Makes a payload of an output over Payload::kInlineLimit; the blob is on disk on return.
  std::function<Result<model::Payload>(std::string)> store_payload;
  /// A token that was made: never to be seen in a log. May be empty.
  std::function<void(const std::string&)> secret = {};
  /// Holds agents to their share of the log; null: no limit. Shared with the link.
  std::shared_ptr<LineGate> gate = nullptr;
};

struct NodeCounters {
  std::atomic<std::uint64_t> log_lines{0};
  std::atomic<std::uint64_t> truncated_lines{0};
  std::atomic<std::uint64_t> processes{0};
  std::atomic<std::uint64_t> orphans_reaped{0};
};

struct NodeContext {
  const NodeOptions& options;
  const NodeSinks& sinks;
  platform::Reactor& reactor;
  NodeCounters& counters;
  /// Where cgroups are made; empty when they cannot be used.
  std::optional<platform::CgroupBase> groups = std::nullopt;
  /// Where former daemons of this data folder made them, when that was elsewhere.
  std::vector<platform::CgroupBase> former_groups = {};

  /// All of the above.
  std::vector<platform::CgroupBase> all_groups() const {
    std::vector<platform::CgroupBase> all = former_groups;
    if (groups) all.push_back(*groups);
    return all;
  }
  /// The group of a name, wherever it was made.
  std::optional<platform::Cgroup> find_group(const std::string& name) const {
    for (const auto& base : all_groups()) {
      if (auto group = platform::Cgroup::find(base, name)) return group;
    }
    return std::nullopt;
  }
};

}  // namespace mainstay::node
