// A work item: what is asked (WorkSpec, never changes after it was accepted) and where it stands
// (WorkStatus). Spec ids WRK-1, WRK-2.
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
#include "model/payload.h"
#include "model/usage.h"

// queued: may start as soon as an agent is free. delayed: waits for a time (backoff, start_after).
// running: an agent holds the lease. The rest are terminal: succeeded; failed (attempts used up or
// a permanent error: the dead letters); timed_out (deadline passed); cancelled.
MS_ENUM_TEXT(model, WorkState, queued, delayed, running, succeeded, failed, timed_out, cancelled)

// Why one attempt did not succeed. error: the handler said so. timeout: total time. idle_timeout:
// no progress. agent_lost: its process or link went away. refused: the agent could not take it.
// cancelled: told to stop. lease_expired: the agent did not come back in time.
MS_ENUM_TEXT(model, FailureKind, error, timeout, idle_timeout, agent_lost, refused, cancelled,
             lease_expired)

namespace mainstay::model {

constexpr int kPriorityMin = 0;
constexpr int kPriorityMax = 9;
constexpr int kPriorityDefault = 5;

inline bool is_terminal(WorkState s) { return s >= WorkState::succeeded; }

/// How failed attempts are retried: exponential backoff with full jitter, wait = uniform(0,
/// min(backoff_max, backoff_min * 2^(n-1))) before retry n ("Exponential Backoff and Jitter",
/// AWS Architecture Blog, 2015).
struct RetryPolicy {
  /// Tries in all, the first one included; at least 1.
  int max_attempts = 3;
  Duration backoff_min = std::chrono::milliseconds(200);
  Duration backoff_max = std::chrono::seconds(30);

  bool operator==(const RetryPolicy&) const = default;
};

/// Which step of which run a work item belongs to.
struct StepRef {
  RunId run;
  std::string pipeline;
  std::string stage;
  /// Position in a fan-out, from 0; 0 when the stage has no `foreach`.
  std::int64_t index = 0;
};

struct WorkSpec {
  WorkId id;
  std::string description;
  std::string capability;
  /// Empty, or one of the setting `work.phases`.
  std::string phase;
  int priority = kPriorityDefault;
  /// After this the item ends as timed_out, whatever it does.
  std::optional<Wall> deadline;
  /// Not to be started before.
  std::optional<Wall> start_after;
  /// Of one attempt, from its start; zero: no limit.
  Duration timeout{0};
  /// Of one attempt, since its last progress; zero: no limit.
  Duration idle_timeout{0};
  RetryPolicy retry;
  /// Empty: none. The same key with the same request gives the first answer again.
  std::string idempotency_key;
  /// SHA-256 of what was asked with the key (request_text.h), to refuse a different request (409).
  std::string request_sha256;
  Payload input;
  std::map<std::string, std::string> labels;
  /// W3C traceparent; made at entry when the caller gave none.
  std::string trace_parent;
  std::optional<StepRef> step;
  Wall created_at{};
};

/// Why an attempt or an item failed, as rows, the API and pipelines show it.
struct WorkError {
  FailureKind kind = FailureKind::error;
  /// Stable code: one of proto/errors.json, or the exception's class name from the SDK.
  std::string code;
  std::string message;
  /// A retry cannot help; the item fails at once.
  bool permanent = false;
  /// JSON object text with the context of WRK-10 (agent state, environment, traceback); may be
  /// empty.
  std::string context_json;
};

struct WorkStatus {
  WorkState state = WorkState::queued;
  /// Of the newest attempt; 0 before the first.
  Epoch epoch = 0;
  /// Attempts that count against RetryPolicy::max_attempts. A lease given back unstarted, lost
  /// because the daemon itself went away with the command agent's process, or interrupted by a stop
  /// of the fleet, does not count.
  int attempts_used = 0;
  /// The agent of the newest attempt.
  AgentName agent;
  /// Meaningful in state delayed.
  std::optional<Wall> due_at;
  std::optional<Wall> first_started_at;
  std::optional<Wall> finished_at;
  Payload output;
  std::optional<WorkError> error;
  /// 0 to 1, as last said by the attempt; not durable.
  double progress = 0;
};

/// What an agent says about an attempt that ended.
struct AttemptOutcome {
  /// Set when it succeeded.
  std::optional<Payload> output;
  /// Set when it did not.
  std::optional<WorkError> error;
  std::vector<Usage> usage;
  /// Time the handler itself took, by the agent's monotonic clock.
  Duration handler_time{0};
};

}  // namespace mainstay::model
