// Who may speak on the agent link: what hellos are expected, which links live, which hellos wait.
//
// Pure bookkeeping under one lock that is never held while anything else is called. Thread-safe.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/ids.h"
#include "platform/grpc/unix_listener.h"

namespace mainstay::node {

class AgentSession;

class LinkRegistry {
 public:
  using OwnsPid = std::function<bool(pid_t)>;
  using Session = std::shared_ptr<AgentSession>;

  /// A hello's claim and what backs it.
  struct Claim {
    model::AgentName agent;
    model::Incarnation incarnation = 0;
    std::string token_sha256;
    /// nullopt over TCP, where only the token speaks.
    std::optional<platform::PeerProcess> process;
  };

  /// Exactly one holds: refused is set, or waits, or link is the new link's id.
  struct Admission {
    std::optional<Error> refused;
    bool waits = false;
    model::LinkId link = 0;
    int slots = 0;
    /// The link that the new one takes the place of.
    Session replaced;
  };

  /// What a hello must match, and what its welcome says.
  struct Start {
    model::Incarnation incarnation = 0;
    std::string token_sha256;
    OwnsPid owns_pid;
    int slots = 0;
  };

  struct Expectation {
    /// A live link of another incarnation, to be closed.
    Session outdated;
    /// Hellos that waited for this, to be tried again.
    std::vector<Session> waiting;
  };

  Expectation expect(const model::AgentName& agent, Start start);
  /// The live link of that incarnation, to be closed.
  Session forget(const model::AgentName& agent, model::Incarnation incarnation);

  /// Judges a hello. A claim for an agent or incarnation that is not expected yet waits; the
  /// session is then kept (weakly) until expect() or its own end.
  Admission admit(const Claim& claim, const Session& session);

  /// The live link, if `link` still is the agent's.
  Session find(const model::AgentName& agent, model::LinkId link) const;
  void closed(const model::AgentName& agent, model::LinkId link);

  /// The agent whose token this is, if the process may use it.
  std::optional<model::AgentName> agent_of(
      const std::string& token_sha256, const std::optional<platform::PeerProcess>& process) const;

 private:
  struct Expected {
    Start start;
    model::LinkId link = 0;
    Session live;
  };
  struct Waiting {
    model::AgentName agent;
    std::weak_ptr<AgentSession> session;
  };

  Admission wait(const Claim& claim, const Session& session);
  std::vector<Session> take_waiting(const model::AgentName& agent);

  mutable std::mutex mutex_;
  std::map<model::AgentName, Expected> expected_;
  std::vector<Waiting> waiting_;
  model::LinkId last_link_ = 0;
};

}  // namespace mainstay::node
