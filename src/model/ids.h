// Who is who. Work items and runs have UUIDv7 ids; agents, capabilities, pipelines and stages have
// names from the fleet file. An attempt is (work item, epoch): the epoch is its fencing token.
#pragma once

#include <cstdint>
#include <string>

#include "base/uuid.h"

namespace mainstay::model {

using WorkId = base::Id<struct WorkTag>;
using RunId = base::Id<struct RunTag>;

/// `scout`, or `analyst-3` for the third replica of `analyst`.
using AgentName = std::string;

/// Counts the tries at one work item from 1; only grows, also across restarts of the daemon. A
/// result is accepted only with the current epoch (fencing token).
using Epoch = std::int64_t;

/// Counts the starts of one agent from 1; only grows, also across restarts of the daemon.
using Incarnation = std::int64_t;

/// Names one connection of an agent to this daemon; never reused within a daemon's life.
using LinkId = std::uint64_t;

/// Ties a reply to the command that asked for it.
using ReplyToken = std::uint64_t;

/// A process that can be told from a later one with the same number: PIDs are reused (faults A9).
struct ProcessIdentity {
  std::int32_t pid = 0;
  /// Field 22 of /proc/PID/stat: clock ticks after boot (proc(5)).
  std::uint64_t start_ticks = 0;
  /// /proc/sys/kernel/random/boot_id.
  std::string boot_id;

  bool operator==(const ProcessIdentity&) const = default;
};

}  // namespace mainstay::model
