// An agent in C++: a process that Mainstay starts and gives work to.
//
//   int main() {
//     mainstay::Agent agent;
//     agent.capability("text.upper", [](const mainstay::Item& item, mainstay::Context& context) {
//       context.progress(0.5, "half way");
//       return mainstay::Outcome::success(upper(item.input()));
//     });
//     return agent.run();
//   }
//
// run() connects to the daemon named by MAINSTAY_LINK, with the token made for this start, and
// comes back with jitter when the connection breaks. Every result is kept until the daemon has
// acknowledged it, so a restart of the daemon loses none. Handlers run on threads of their own, as
// many at a time as the agent has slots; an exception that leaves one is a failed attempt.
//
// SIGTERM and SIGINT, and the daemon's wish to drain, let running handlers finish (their context
// says cancelled when the grace is over).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainstay/work.h"

namespace mainstay {

namespace agent_internal {
class Attempt;
class Core;
}  // namespace agent_internal

/// What the daemon says of its settings. They are those of the daemon that the agent is linked to:
/// an agent that outlives a restart of the daemon gets the new ones with the new link.
struct Settings {
  /// development, testing, staging or production.
  std::string environment;
  std::vector<std::string> features;
  bool debug = false;
  /// Lines below it are not sent.
  std::string log_level = "DEBUG";

  bool feature(std::string_view name) const;
};

/// What a handler can say and ask while it runs. Any thread, until the handler has returned.
class Context {
 public:
  explicit Context(agent_internal::Attempt& attempt) : attempt_(attempt) {}

  /// 0 to 1; also a sign of life, for idle timeouts.
  void progress(double fraction, std::string_view message = {});
  /// Level: DEBUG, INFO, WARNING, ERROR, CRITICAL. fields_json: an object's text, or empty.
  void log(std::string_view level, std::string_view message, std::string_view fields_json = {});
  void usage(ModelUsage usage);
  /// As they are now.
  std::shared_ptr<const Settings> settings() const;
  /// The item is no longer wanted: return soon, with any outcome.
  bool cancelled() const;
  /// Waits, but not beyond a cancel; true when cancelled.
  bool wait_cancelled(std::chrono::nanoseconds at_most);
  /// When the attempt's time is up; nullopt: no limit.
  std::optional<std::chrono::steady_clock::time_point> deadline() const;

 private:
  agent_internal::Attempt& attempt_;
};

using Handler = std::function<Outcome(const Item&, Context&)>;

class Agent {
 public:
  struct Options {
    /// Work items at a time; 0: as the fleet file says.
    int slots = 0;
    /// Handlers at a time; 0: as many as there are items in hand. Fewer than slots makes sense for
    /// quick handlers: the next item is already here when one is done.
    int threads = 0;
    /// What running handlers get when the agent is told to stop by a signal.
    std::chrono::milliseconds grace{10'000};
    /// SIGTERM and SIGINT stop the agent; off when the program handles them and calls stop().
    bool handle_signals = true;
    /// In place of the environment (tests): MAINSTAY_LINK, _TOKEN, _AGENT, _INCARNATION.
    std::string link, token, name;
    std::int64_t incarnation = 0;
  };

  /// Exit codes of run(), as in the Python SDK.
  static constexpr int kStopped = 0;
  static constexpr int kGraceOver = 1;
  static constexpr int kTokenRefused = 77;
  static constexpr int kConfiguration = 78;

  Agent();
  explicit Agent(Options options);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Before run(). The same name again takes the place of the earlier handler.
  void capability(std::string name, Handler handler);

  /// Serves until told to stop; the process's exit code. The reason of any but 0 is on stderr.
  int run();

  /// As they are now; before the first link what the environment says. Any thread.
  std::shared_ptr<const Settings> settings() const;

  /// Any thread: finish what runs, within `grace`, then end run().
  void stop(std::chrono::milliseconds grace);

 private:
  std::shared_ptr<agent_internal::Core> core_;
};

}  // namespace mainstay
