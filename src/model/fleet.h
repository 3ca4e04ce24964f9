// What the fleet file says (specs, never change while loaded) and where each agent stands.
// Spec ids FLT-1 to FLT-4.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/pipeline.h"

// link: a process that connects over the agent link (SDK). exec: a plain command per work item,
// JSON on stdin, JSON on stdout; no process of its own while idle. external: registered over the
// API, not started by Mainstay (listed and looked up; gets no work in this version).
MS_ENUM_TEXT(model, AgentKind, link, exec, external)

MS_ENUM_TEXT(model, RestartMode, always, on_failure, never)

// starting: process being made or not yet ready. healthy: ready for work. degraded: works, with
// recent failures or a failed dependency. unhealthy: running but not to be given work (no link, or
// stalled). draining: finishes what it holds. stopped: on purpose. failed: given up (restart
// intensity, or a permanent start error). backoff: waits to be restarted.
MS_ENUM_TEXT(model, AgentState, stopped, starting, healthy, degraded, unhealthy, draining, backoff,
             failed)

namespace mainstay::model {

/// Restarts: backoff with full jitter between backoff_min and backoff_max; more than max_restarts
/// in `window` and the agent is `failed` (the OTP rule: exactly that many is allowed).
struct RestartPolicy {
  RestartMode mode = RestartMode::on_failure;
  Duration backoff_min = std::chrono::milliseconds(200);
  Duration backoff_max = std::chrono::seconds(10);
  int max_restarts = 5;
  Duration window = std::chrono::minutes(1);
  /// Running this long forgets the backoff (not the window).
  Duration stable_after = std::chrono::seconds(10);
};

struct HealthPolicy {
  /// From process start to the link's hello; longer is a failed start.
  Duration start_grace = std::chrono::seconds(20);
  /// An agent whose link is gone this long, while its process lives, is restarted.
  Duration link_grace = std::chrono::seconds(10);
  /// An agent that holds work and shows no progress this long is unhealthy until it does: it gets
  /// no new work. Zero: never.
  Duration stall_after{0};
};

/// One entry of `agents:` in fleet.yaml; `replicas` agents are made of it.
struct AgentSpec {
  std::string name;
  AgentKind kind = AgentKind::link;
  std::vector<std::string> command;
  /// Directory of the process; relative paths are under the project folder.
  std::string working_dir;
  std::map<std::string, std::string> environment;
  /// Names of variables (API keys) that the process gets from the daemon's own environment, where
  /// they are set there. Their values are never kept in specs, rows or events.
  std::vector<std::string> pass_environment;
  std::map<std::string, std::string> labels;
  int replicas = 1;
  std::vector<std::string> capabilities;
  /// Names of other specs that must be ready first.
  std::vector<std::string> depends_on;
  /// Work items at a time, of one agent.
  int concurrency = 1;
  RestartPolicy restart;
  HealthPolicy health;
  /// From "please stop" (drain, then SIGTERM) to SIGKILL of the whole tree.
  Duration stop_grace = std::chrono::seconds(10);
};

/// The fleet file as a whole, validated.
struct FleetSpec {
  std::string name;
  /// In file order.
  std::vector<std::shared_ptr<const AgentSpec>> agents;
  std::vector<std::shared_ptr<const PipelineSpec>> pipelines;
};

/// How a process ended.
struct ExitStatus {
  /// Set when it exited by itself.
  std::optional<int> code;
  /// Set when a signal ended it.
  std::optional<int> signal;
  bool core_dumped = false;
  bool out_of_memory = false;

  bool clean() const { return code.has_value() && *code == 0; }
};

/// Where one agent stands; the row kept of it, and what lists show.
struct AgentStatus {
  AgentName name;
  std::string spec;  ///< name of its AgentSpec; empty for an external agent
  AgentKind kind = AgentKind::link;
  AgentState state = AgentState::stopped;
  /// One sentence for people: why this state.
  std::string reason;
  Incarnation incarnation = 0;
  std::optional<ProcessIdentity> process;
  /// SHA-256 hex of the token made for this start; what the node checks after re-adoption.
  std::string token_sha256;
  /// Of the AgentSpec that this start was made from; another one means: do not re-adopt.
  std::string spec_digest;
  std::vector<std::string> capabilities;
  /// Those of them that its hello says it has no handler for; not durable.
  std::vector<std::string> unserved;
  std::map<std::string, std::string> labels;
  std::string endpoint;  ///< external agents: where they are
  int slots = 0;         ///< work items at a time
  int busy = 0;          ///< slots in use; not durable
  bool linked = false;   ///< not durable
  std::string sdk;       ///< `python 0.1.0 (3.11.2)`; as said in hello
  std::int64_t restarts = 0;
  std::int64_t error_count = 0;
  std::string last_error;
  std::optional<Wall> last_error_at;
  std::optional<Wall> started_at;
  std::optional<Wall> last_exit_at;
  std::optional<ExitStatus> last_exit;
  /// External agents: the registration ends then unless renewed.
  std::optional<Wall> lease_until;
};

}  // namespace mainstay::model
