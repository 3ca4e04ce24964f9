// The server side of the agent link: agents connect here, prove who they are, get work and give
// back results; clients submit work on the Work service beside it. Spec WRK-2, faults H5, I3, J5.
//
// Who may speak: an agent is believed when it has the token of its start (compared in constant
// time) and, on the Unix socket, when the kernel says that the process at the other end has our
// uid and is in the agent's process tree. A hello of an agent that is not expected yet (the daemon
// has just restarted, or the process was faster than its own start report) waits for expect().
//
// Facts of one link come in order: LinkOpened, what it says, one LinkClosed. A newer hello of the
// same agent and incarnation replaces the older link (LinkClosed first).
//
// Threads: every function may be called from any thread, and does not block. Sinks are called on
// the server's own threads with no lock held; they may block (the agent that speaks then waits:
// back-pressure) and may call back into the server. After stop() no sink is called.
// Fails: start(), when an address cannot be bound. Effects for a link that is gone do nothing: its
// LinkClosed says so.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/effect.h"
#include "model/fleet.h"
#include "model/input.h"
#include "model/log_record.h"
#include "node/output/line_gate.h"

namespace mainstay::node {

/// Largest JSON text of one input or output on the link.
constexpr std::size_t kMaxLinkPayloadBytes = std::size_t{16} << 20;

/// What every welcome says of the daemon's settings (CFG-2).
struct AgentSettings {
  std::string environment;
  std::vector<std::string> features;
  bool debug = false;
  std::string log_level;
};

class LinkServer {
 public:
  struct Options {
    /// Absolute path of the socket; when it is longer than the kernel allows (107 bytes), a socket
    /// in a private folder of this user stands in: see unix_target().
    std::string unix_path;
    /// `127.0.0.1:7001`, port 0 for any free one, empty for none. Loopback only.
    std::string tcp_address;
    std::string daemon_version;
    AgentSettings settings;
    /// From the stream's start to a hello that is accepted; a hello that still waits then is told
    /// to come again.
    Duration hello_timeout = std::chrono::seconds(10);
    /// Of one link or one client; a reader so slow that more is waiting for it loses its link.
    std::size_t max_queued_bytes = std::size_t{128} << 20;
  };

  using CommandDone = std::function<void(Result<model::ReplyBody>)>;
  using WorkFinished = std::function<void(model::WorkState, const model::Payload& output,
                                          const std::optional<model::WorkError>&)>;
  /// What was submitted with each of some idempotency keys, in the order of the keys.
  using KnownKeys = std::vector<std::optional<model::SubmitWork::Known>>;

  struct Sinks {
    /// LinkOpened (slots as asked for, 0: as the fleet file says), LinkClosed, AttemptFinished,
    /// AttemptProgress.
    std::function<void(model::Fact)> fact;
    /// The context's agent is the one proven by the link, whatever the line said.
    std::function<void(model::LogRecord)> log;
    std::function<void(model::SpanRecord)> span;
    /// Makes a payload of an output over Payload::kInlineLimit; the blob is on disk on return.
    std::function<Result<model::Payload>(std::string)> store_payload;
    /// Work.Submit and Registry. The principal is `operator` or `agent:NAME`.
    std::function<void(model::CommandBody, std::string principal, CommandDone)> command;
    /// Work.Submit, before the command: looks the keys up in the work database and calls back
    /// once, on any thread.
    std::function<void(std::vector<std::string> keys, std::function<void(Result<KnownKeys>)>)>
        find_work_keys;
    /// Whether work is taken: false until the fleet is known, when every capability would be
    /// unknown. A Work stream that comes before is told to come again. Null: always.
    std::function<bool()> takes_work = {};
    std::function<bool(std::string_view token)> is_operator;
    /// SubmitRequest.wait: calls back once, at once when the item is already finished.
    std::function<void(model::WorkId, WorkFinished)> on_finished;
    /// Registry.Find: the agents as they are now.
    std::function<std::shared_ptr<const std::vector<model::AgentStatus>>()> agents = {};
    /// Holds agents to their share of the log; null: no limit.
    std::shared_ptr<LineGate> gate = nullptr;
  };

  static Result<std::unique_ptr<LinkServer>> start(Options options, Sinks sinks);

  virtual ~LinkServer() = default;

  /// What agents are given as MAINSTAY_LINK: `unix:/abs/.mainstay/link.sock`.
  virtual std::string unix_target() const = 0;
  /// `127.0.0.1:7001` with the real port; empty when TCP is off.
  virtual std::string tcp_address() const = 0;

  virtual void assign(const model::AssignWork& effect) = 0;
  virtual void cancel(const model::CancelAttempt& effect) = 0;
  virtual void ack(const model::AckResult& effect) = 0;
  virtual void drain(const model::DrainAgent& effect) = 0;
  virtual void close(const model::CloseLink& effect) = 0;

  /// A hello of this incarnation with this token may come. owns_pid says whether a process is in
  /// the agent's tree; it is asked on the server's threads. Replaces what was expected of the agent
  /// before; a link of an older incarnation is closed. slots: what the fleet file allows; the
  /// welcome says it, or what the hello asked for if that is less.
  virtual void expect(model::AgentName agent, model::Incarnation incarnation,
                      std::string token_sha256, std::function<bool(pid_t)> owns_pid, int slots) = 0;
  /// The incarnation is over: its token is void, its link is closed. Another incarnation's
  /// expectation stays.
  virtual void forget(model::AgentName agent, model::Incarnation incarnation) = 0;

  /// Closes every link and both sockets; waits, at most about two seconds. Idempotent.
  virtual void stop() = 0;
};

}  // namespace mainstay::node
