// All that an agent has to say. Results are kept until the daemon acknowledges them and come again
// after a reconnect; progress is kept per attempt, newest only; log lines are bounded, and what is
// lost is counted and said. Not thread-safe: its owner has the lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mainstay/v1/link.pb.h"

namespace mainstay::agent_internal {

/// (work id, epoch)
using AttemptKey = std::pair<std::string, std::int64_t>;

class Outbox {
 public:
  void put_result(v1::AttemptResult result);
  void put_progress(const AttemptKey& key, double fraction, std::string message);
  void put_log(v1::LogLine line);

  /// The result needs no more keeping.
  void acknowledge(const AttemptKey& key);
  bool holds(const AttemptKey& key) const { return unacked_.count(key) != 0; }
  bool all_acknowledged() const { return unacked_.empty(); }
  std::vector<AttemptKey> unacknowledged() const;

  /// After a welcome: everything not acknowledged is due again.
  void resend();
  bool empty() const;
  /// Moves about one message's worth into `out`.
  void take(v1::AgentMessage& out);

 private:
  void take_logs(v1::AgentMessage& out, std::size_t& bytes);

  std::map<AttemptKey, v1::AttemptResult> unacked_;
  std::deque<AttemptKey> ready_;
  std::map<AttemptKey, std::pair<double, std::string>> progress_;
  std::deque<v1::LogLine> logs_;
  std::size_t log_bytes_ = 0;
  std::uint64_t lost_logs_ = 0;
};

}  // namespace mainstay::agent_internal
