#include "agent_core.h"

#include <grpcpp/version_info.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "mainstay/v1/link.grpc.pb.h"
#include "text.h"
#include "version.h"

namespace mainstay::agent_internal {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kWelcomeTimeout{15};
constexpr milliseconds kBackoffMin{50};
constexpr milliseconds kBackoffMax{5000};
/// How long an idle agent that stops waits for the daemon to take its last results.
constexpr seconds kAcknowledgePatience{2};
constexpr seconds kGoodbyePatience{1};
/// Between cancelling what outlived the grace and leaving it behind.
constexpr seconds kCancelPatience{1};

/// What Mainstay put into the environment when it started the process.
std::shared_ptr<const Settings> settings_of_environment() {
  auto settings = std::make_shared<Settings>();
  if (const char* name = std::getenv("MAINSTAY_ENV")) settings->environment = name;
  if (const char* features = std::getenv("MAINSTAY_FEATURES")) {
    std::istringstream words{features};
    for (std::string word; std::getline(words, word, ',');) settings->features.push_back(word);
  }
  return settings;
}

std::shared_ptr<const Settings> settings_of(const v1::Settings& said) {
  auto settings = std::make_shared<Settings>();
  settings->environment = said.environment();
  settings->features.assign(said.features().begin(), said.features().end());
  settings->debug = said.debug();
  settings->log_level = said.log_level();
  return settings;
}

}  // namespace

Core::Core(Agent::Options options)
    : options_(std::move(options)),
      random_(std::random_device{}()),
      settings_(settings_of_environment()) {}

std::shared_ptr<const Settings> Core::settings() const {
  std::lock_guard lock(mutex_);
  return settings_;
}

void Core::add(std::string capability, Handler handler) {
  handlers_.insert_or_assign(std::move(capability), std::move(handler));
}

int Core::run() {
  std::optional<int> ended;
  while (!ended) {
    ended = one_connection();
    if (ended) break;
    Lock lock(mutex_);
    auto now = Clock::now();
    if (stopping_ && may_leave(now)) ended = Agent::kStopped;
    if (!ended) ended = grace_over(now);
    if (!ended) pause(lock);
  }
  end_workers();
  return *ended;
}

void Core::stop(std::chrono::milliseconds grace) {
  {
    std::lock_guard lock(mutex_);
    begin_stop(grace);
  }
  changed_.notify_all();
}

/// With the lock held.
void Core::begin_stop(std::chrono::milliseconds grace) {
  auto until = Clock::now() + std::min<milliseconds>(grace, std::chrono::hours(24));
  grace_until_ = stopping_ ? std::min(grace_until_, until) : until;
  stopping_ = true;
}

// ---- one connection ---------------------------------------------------------------------------

std::optional<int> Core::one_connection() {
  auto stub = v1::AgentLink::NewStub(open_channel(options_.link));
  {
    std::lock_guard lock(mutex_);
    stream_over_.reset();
    hello_sent_ = greeted_ = goodbye_sent_ = false;
  }
  auto self = shared_from_this();
  Stream::Owner owner;
  owner.next = [self](v1::AgentMessage& out) { return self->next_message(out); };
  owner.received = [self](v1::DaemonMessage& message) { self->received(message); };
  owner.over = [self](const grpc::Status& status) {
    {
      std::lock_guard lock(self->mutex_);
      self->stream_over_ = status;
    }
    self->changed_.notify_all();
  };
  auto stream = Stream::open(options_.token, std::move(owner),
                             [&stub](grpc::ClientContext* context, Stream* reactor) {
                               stub->async()->Connect(context, reactor);
                             });
  Lock lock(mutex_);
  stream_ = stream;
  lock.unlock();
  stream->pump();  // what came between its start and now
  lock.lock();
  auto ended = watch(lock, stream);
  stream_.reset();
  if (ended) return ended;
  return judge(*stream_over_);
}

/// Until the stream is over; cuts it when it must not go on.
std::optional<int> Core::watch(Lock& lock, const std::shared_ptr<Stream>& stream) {
  auto welcome_by = Clock::now() + kWelcomeTimeout;
  std::optional<Clock::time_point> left_by;
  bool cut = false;
  std::optional<int> ended;
  while (!stream_over_) {
    auto now = Clock::now();
    if (stopping_ && !leaving_ && may_leave(now)) {
      leaving_ = true;
      left_by = now + kGoodbyePatience;
      lock.unlock();
      stream->pump();
      lock.lock();
      continue;
    }
    if (!ended) ended = grace_over(now);
    bool late = (!greeted_ && now >= welcome_by) || (left_by && now >= *left_by);
    if ((ended || late) && !cut) {
      cut = true;
      lock.unlock();
      stream->cancel();
      lock.lock();
      continue;
    }
    auto look = std::min(next_look(), now + seconds(1));
    if (left_by && !cut) look = std::min(look, *left_by);
    changed_.wait_until(lock, look);
  }
  return ended;
}

std::optional<int> Core::judge(const grpc::Status& status) {
  if (leaving_) return Agent::kStopped;
  failures_ = std::exchange(was_greeted_, false) ? 0 : failures_ + 1;
  switch (status.error_code()) {
    case grpc::UNAUTHENTICATED:
    case grpc::PERMISSION_DENIED:
      std::fprintf(stderr, "agent %s: the daemon refuses this agent's token: %s\n",
                   options_.name.c_str(), status.error_message().c_str());
      return Agent::kTokenRefused;
    case grpc::INVALID_ARGUMENT:
    case grpc::FAILED_PRECONDITION:
    case grpc::UNIMPLEMENTED:
      std::fprintf(stderr, "agent %s: the daemon refuses this agent: %s\n", options_.name.c_str(),
                   status.error_message().c_str());
      return Agent::kConfiguration;
    default:
      return std::nullopt;
  }
}

/// Full jitter under an exponential cap; a stop ends it.
void Core::pause(Lock& lock) {
  auto cap = std::min<milliseconds>(kBackoffMax, kBackoffMin * (1 << std::min(failures_, 10)));
  std::uniform_int_distribution<std::int64_t> up_to(0, cap.count());
  auto until = Clock::now() + milliseconds(up_to(random_));
  while (Clock::now() < until) {
    if (stopping_ && may_leave(Clock::now())) return;
    changed_.wait_until(lock, std::min(until, next_look()));
  }
}

v1::AgentMessage Core::hello() const {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_agent(options_.name);
  hello.set_incarnation(options_.incarnation);
  hello.set_slots(options_.slots);
  hello.set_sdk(std::string("c++ ") + kVersion);
  hello.set_runtime("grpc " GRPC_CPP_VERSION_STRING);
  hello.set_pid(::getpid());
  for (const auto& [capability, ignored] : handlers_) hello.add_capabilities(capability);
  auto hold = [&hello](const AttemptKey& key) {
    v1::AttemptKey& held = *hello.add_held();
    held.set_work_id(key.first);
    held.set_epoch(key.second);
  };
  for (const auto& [key, ignored] : running_) hold(key);
  for (const auto& attempt : waiting_) hold(attempt->key());
  for (const auto& key : outbox_.unacknowledged()) hold(key);
  return message;
}

ToSend Core::next_message(v1::AgentMessage& out) {
  std::lock_guard lock(mutex_);
  if (!std::exchange(hello_sent_, true)) {
    out = hello();
    return ToSend::message;
  }
  if (!greeted_ || goodbye_sent_) return ToSend::nothing;
  if (!outbox_.empty()) {
    outbox_.take(out);
    return ToSend::message;
  }
  if (!leaving_) return ToSend::nothing;
  goodbye_sent_ = true;
  out.set_goodbye(true);
  return ToSend::last;
}

void Core::received(v1::DaemonMessage& message) {
  Lock lock(mutex_);
  if (message.has_welcome()) {
    greeted_ = was_greeted_ = true;
    if (message.welcome().has_settings()) settings_ = settings_of(message.welcome().settings());
    outbox_.resend();
  }
  if (message.has_drain())
    begin_stop(milliseconds(std::max<std::int64_t>(message.drain().grace_ms(), 0)));
  // Before the acknowledgements: an attempt handed out twice is known by its unacknowledged result.
  for (v1::Assignment& assignment : *message.mutable_assignments()) take_assignment(assignment);
  for (const v1::ResultAck& ack : message.acks()) {
    outbox_.acknowledge({ack.work_id(), ack.epoch()});
  }
  for (const v1::AttemptKey& key : message.cancels()) {
    cancel_attempt({key.work_id(), key.epoch()});
  }
  bool tell = stopping_;
  lock.unlock();
  if (tell) changed_.notify_all();
  pump();
}

void Core::pump() {
  std::shared_ptr<Stream> stream;
  {
    std::lock_guard lock(mutex_);
    stream = stream_;
  }
  if (stream) stream->pump();
}

// ---- stopping ---------------------------------------------------------------------------------

/// Nothing runs, and every result is acknowledged or was given time to be.
bool Core::may_leave(Clock::time_point now) {
  if (!idle()) {
    idle_since_.reset();
    return false;
  }
  if (!idle_since_) idle_since_ = now;
  return outbox_.all_acknowledged() || now >= *idle_since_ + kAcknowledgePatience;
}

void Core::cancel_all() {
  for (auto& [ignored, attempt] : running_) attempt->cancel();
  for (auto& attempt : waiting_) attempt->cancel();
}

/// Cancels when the grace is over; kGraceOver when even that did not help.
std::optional<int> Core::grace_over(Clock::time_point now) {
  if (!stopping_ || now < grace_until_ || idle()) return std::nullopt;
  if (!std::exchange(cancelled_all_, true)) cancel_all();
  if (now < grace_until_ + kCancelPatience) return std::nullopt;
  std::fprintf(stderr, "agent %s: stops with work under way\n", options_.name.c_str());
  return Agent::kGraceOver;
}

Core::Clock::time_point Core::next_look() const {
  if (!stopping_) return Clock::now() + seconds(1);
  if (!idle()) return cancelled_all_ ? grace_until_ + kCancelPatience : grace_until_;
  return idle_since_.value_or(Clock::now()) + kAcknowledgePatience;
}

}  // namespace mainstay::agent_internal
