#include "mainstay/agent.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "agent_core.h"

namespace mainstay {
namespace {

std::atomic<int> signal_event{-1};

extern "C" void on_stop_signal(int) {
  int saved = errno;
  std::uint64_t one = 1;
  int fd = signal_event.load();
  if (fd >= 0) (void)!::write(fd, &one, sizeof(one));
  errno = saved;
}

/// While it lives, SIGTERM and SIGINT call `stop` on a thread of its own.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void()> stop)
      : event_(::eventfd(0, EFD_CLOEXEC)), stop_(std::move(stop)) {
    if (event_ < 0) return;
    signal_event = event_;
    thread_ = std::thread([this] { watch(); });
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGTERM, &action, &old_term_);
    ::sigaction(SIGINT, &action, &old_int_);
  }
  ~SignalWatch() {
    if (event_ < 0) return;
    ::sigaction(SIGTERM, &old_term_, nullptr);
    ::sigaction(SIGINT, &old_int_, nullptr);
    signal_event = -1;
    over_ = true;
    std::uint64_t one = 1;
    (void)!::write(event_, &one, sizeof(one));
    thread_.join();
    ::close(event_);
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void watch() {
    std::uint64_t count = 0;
    while (!over_) {
      ssize_t got = ::read(event_, &count, sizeof(count));
      if (got < 0 && errno != EINTR) return;
      if (got > 0 && !over_) stop_();
    }
  }

  int event_;
  std::function<void()> stop_;
  std::atomic<bool> over_ = false;
  struct sigaction old_term_ {};
  struct sigaction old_int_ {};
  std::thread thread_;
};

std::string from_environment(const char* name, std::string given) {
  if (!given.empty()) return given;
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Agent::Options complete(Agent::Options options) {
  options.link = from_environment("MAINSTAY_LINK", std::move(options.link));
  options.token = from_environment("MAINSTAY_TOKEN", std::move(options.token));
  options.name = from_environment("MAINSTAY_AGENT", std::move(options.name));
  if (options.incarnation == 0) {
    std::string text = from_environment("MAINSTAY_INCARNATION", {});
    std::from_chars(text.data(), text.data() + text.size(), options.incarnation);
  }
  return options;
}

/// The first variable that is missing; nullptr when all are there.
const char* missing_variable(const Agent::Options& options) {
  if (options.link.empty()) return "MAINSTAY_LINK";
  if (options.token.empty()) return "MAINSTAY_TOKEN";
  if (options.name.empty()) return "MAINSTAY_AGENT";
  if (options.incarnation <= 0) return "MAINSTAY_INCARNATION";
  return nullptr;
}

}  // namespace

void Context::progress(double fraction, std::string_view message) {
  attempt_.core().say_progress(attempt_, fraction, message);
}
void Context::log(std::string_view level, std::string_view message, std::string_view fields_json) {
  attempt_.core().say_log(attempt_, level, message, fields_json);
}
void Context::usage(ModelUsage usage) { attempt_.add_usage(usage); }
std::shared_ptr<const Settings> Context::settings() const { return attempt_.core().settings(); }
bool Context::cancelled() const { return attempt_.cancelled(); }
bool Context::wait_cancelled(std::chrono::nanoseconds at_most) {
  return attempt_.wait_cancelled(at_most);
}
std::optional<std::chrono::steady_clock::time_point> Context::deadline() const {
  return attempt_.deadline();
}

Agent::Agent() : Agent(Options()) {}
Agent::Agent(Options options)
    : core_(std::make_shared<agent_internal::Core>(complete(std::move(options)))) {}
Agent::~Agent() = default;

void Agent::capability(std::string name, Handler handler) {
  core_->add(std::move(name), std::move(handler));
}

int Agent::run() {
  if (const char* missing = missing_variable(core_->options())) {
    std::fprintf(stderr,
                 "agent: %s is not set: an agent is started by `mainstay up`, see fleet.yaml\n",
                 missing);
    return kConfiguration;
  }
  std::optional<SignalWatch> watch;
  if (core_->options().handle_signals) {
    watch.emplace([core = core_] { core->stop(core->options().grace); });
  }
  return core_->run();
}

std::shared_ptr<const Settings> Agent::settings() const { return core_->settings(); }

bool Settings::feature(std::string_view name) const {
  return std::find(features.begin(), features.end(), name) != features.end();
}

void Agent::stop(std::chrono::milliseconds grace) { core_->stop(grace); }

}  // namespace mainstay
