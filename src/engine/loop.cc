#include "engine/loop.h"

#include <algorithm>

#include "platform/loop/thread_name.h"

namespace mainstay::engine {
namespace {

constexpr auto kLongestNap = std::chrono::seconds(1);
// Lists may be this much behind on what rows do not keep (busy slots, queue lengths).
constexpr auto kSnapshotInterval = std::chrono::milliseconds(100);

}  // namespace

// What one turn releases when it is durable. Replies go out once: with their answer, or with the
// storage error that came first.
struct Loop::Release {
  std::vector<std::pair<OnReply, Result<model::ReplyBody>>> replies;
  std::vector<model::Effect> effects;
  std::vector<model::Event> events;
  std::atomic<bool> replied = false;

  void reply() {
    if (replied.exchange(true)) return;
    for (auto& [on_reply, body] : replies) on_reply(std::move(body));
  }
  void refuse(const Error& error) {
    if (replied.exchange(true)) return;
    for (auto& [on_reply, body] : replies) {
      if (body)
        on_reply(error);
      else
        on_reply(std::move(body));
    }
  }
};

Loop::Loop(std::unique_ptr<Core> core, Ports ports, Limits limits)
    : core_(std::move(core)),
      ports_(std::move(ports)),
      limits_(limits),
      snapshot_(std::make_shared<Snapshot>()) {}

Loop::~Loop() { stop(Duration::zero()); }

void Loop::start(model::Recovered recovered) {
  model::Outbox out;
  const Now now = ports_.clock();
  core_->recover(std::move(recovered), now, out);
  core_->settle(now, out);
  give(std::move(out));
  publish(now, true);
  thread_ = std::thread([this] { run(); });
}

void Loop::stop(Duration patience) {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  in_flight_changed_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  std::unique_lock lock(in_flight_mutex_);
  in_flight_changed_.wait_for(lock, patience, [this] { return in_flight_.empty(); });
  for (auto& release : in_flight_) {
    release->refuse(Error(Code::unavailable, "the daemon stopped before this was durable"));
  }
  lock.unlock();
  std::vector<Post> unserved;
  {
    std::lock_guard last(mutex_);
    unserved = mailbox_.take(mailbox_.size());
  }
  for (Post& post : unserved) {
    if (post.on_reply) post.on_reply(Error(Code::unavailable, "the daemon is stopping"));
  }
}

void Loop::command(model::CommandBody body, std::string principal, OnReply on_reply) {
  std::unique_lock lock(mutex_);
  if (storage_stuck_) {
    lock.unlock();
    on_reply(Error(Code::storage_failed, "the work database does not take commits now"));
    return;
  }
  if (stopping_) {
    lock.unlock();
    on_reply(Error(Code::unavailable, "the daemon is stopping"));
    return;
  }
  if (mailbox_.commands() >= limits_.mailbox) {
    lock.unlock();
    on_reply(Error(Code::overloaded, "the control loop's mailbox is full"));
    return;
  }
  const model::ReplyToken token = next_token_++;
  const bool was_empty = mailbox_.empty();
  mailbox_.put(model::Command{token, std::move(principal), std::move(body)}, std::move(on_reply));
  lock.unlock();
  if (was_empty) wake_.notify_one();
}

void Loop::fact(model::Fact fact) {
  std::unique_lock lock(mutex_);
  const bool was_empty = mailbox_.empty();
  mailbox_.put(std::move(fact));
  lock.unlock();
  if (was_empty) wake_.notify_one();
}

void Loop::storage_changed(const model::StorageChanged& change) {
  const Code code = change.full ? Code::storage_full : Code::storage_failed;
  const bool stuck = !change.writable && !change.full;
  std::vector<Post> unserved;
  {
    std::lock_guard lock(mutex_);
    storage_stuck_ = stuck;
    // The loop may not come to them for as long as the disk stands still, since it waits for the
    // turns under way.
    if (stuck) unserved = mailbox_.take_commands();
  }
  for (Post& post : unserved) post.on_reply(Error(code, change.reason));
  {
    const Error unknown(code, change.reason + "; the outcome of this request is unknown");
    std::lock_guard lock(in_flight_mutex_);
    trouble_ = stuck ? std::optional(unknown) : std::nullopt;
    // On a full disk they still come back, out of the reserve: their outcome is soon known.
    if (stuck) {
      for (auto& release : in_flight_) release->refuse(unknown);
    }
  }
  fact(change);
}

Loop::Counters Loop::counters() const {
  std::lock_guard lock(mutex_);
  return {mailbox_.size(), mailbox_.dropped_progress()};
}

std::shared_ptr<const Snapshot> Loop::snapshot() const {
  std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

void Loop::run() {
  platform::name_this_thread("ms-loop");
  while (true) {
    wait_for_room();
    std::vector<Post> posts = take_posts();
    {
      std::lock_guard lock(mutex_);
      if (stopping_) {
        mailbox_.put_back(std::move(posts));
        return;
      }
    }
    play_turn(std::move(posts));
  }
}

void Loop::wait_for_room() {
  std::unique_lock lock(in_flight_mutex_);
  in_flight_changed_.wait(lock, [this] {
    if (in_flight_.size() < limits_.in_flight) return true;
    std::lock_guard inner(mutex_);
    return stopping_;
  });
}

std::vector<Post> Loop::take_posts() {
  Duration nap = kLongestNap;
  if (const auto due = core_->next_due()) {
    nap = std::clamp<Duration>(*due - ports_.clock().mono, Duration::zero(), kLongestNap);
  }
  if (is_outdated_) nap = std::min<Duration>(nap, kSnapshotInterval);
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, nap, [this] { return !mailbox_.empty() || stopping_; });
  return mailbox_.take(limits_.turn);
}

void Loop::play_turn(std::vector<Post> posts) {
  model::Outbox out;
  const Now now = ports_.clock();
  for (Post& post : posts) {
    if (post.on_reply) {
      waiting_.emplace(std::get<model::Command>(post.input).token, std::move(post.on_reply));
    }
    core_->step(post.input, now, out);
  }
  core_->settle(now, out);
  const bool fleet_changed = std::any_of(out.rows.begin(), out.rows.end(), [](const auto& row) {
    return std::holds_alternative<model::AgentRow>(row) ||
           std::holds_alternative<model::AgentRemoved>(row);
  });
  publish(now, fleet_changed);
  if (!out.empty()) give(std::move(out));
}

void Loop::give(model::Outbox out) {
  auto release = std::make_shared<Release>();
  for (model::Reply& reply : out.replies) {
    auto found = waiting_.find(reply.token);
    if (found == waiting_.end()) continue;
    release->replies.emplace_back(std::move(found->second), std::move(reply.body));
    waiting_.erase(found);
  }
  release->effects = std::move(out.effects);
  release->events = out.events;
  {
    std::lock_guard lock(in_flight_mutex_);
    in_flight_.push_back(release);
    // A turn that was being played when the trouble was told.
    if (trouble_) release->refuse(*trouble_);
  }
  ports_.commit({std::move(out.rows), std::move(out.events), [this, release] { finish(release); }});
}

void Loop::finish(const std::shared_ptr<Release>& release) {
  // Effects first: who was answered may rely on the node having heard of them.
  if (!release->effects.empty()) ports_.effects(std::move(release->effects));
  release->reply();
  if (!release->events.empty()) ports_.events(release->events);
  std::lock_guard lock(in_flight_mutex_);
  std::erase(in_flight_, release);
  in_flight_changed_.notify_all();
}

void Loop::publish(Now now, bool changed) {
  is_outdated_ = !changed && now.mono - published_at_ < kSnapshotInterval;
  if (is_outdated_) return;
  published_at_ = now.mono;
  auto next = std::make_shared<Snapshot>();
  next->at = now.wall;
  next->last_sequence = core_->last_sequence();
  next->agents = core_->fleet().statuses();
  next->queued = core_->work().queued();
  next->delayed = core_->work().delayed();
  next->running = core_->work().running();
  next->open_runs = core_->work().open_runs();
  next->storage_writable = core_->storage().writable;
  next->storage_reason = core_->storage().reason;
  next->stopping = core_->fleet().stopping();
  next->stopped = core_->fleet().stopped();
  std::lock_guard lock(snapshot_mutex_);
  snapshot_ = std::move(next);
}

}  // namespace mainstay::engine
