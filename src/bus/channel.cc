#include "bus/channel.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "platform/clock.h"
#include "platform/loop/thread_name.h"

namespace mainstay::bus {
namespace {

/// Entries handed over, or read, without looking at the rest of the world.
constexpr std::size_t kStep = 256;
/// Units of work in one task of an executor, so that others get their turn.
constexpr int kStepsPerTask = 8;
/// After a failed read of the journal.
constexpr Duration kRetry = std::chrono::milliseconds(100);

bool matches(std::string_view topic, std::string_view kind) {
  if (!topic.ends_with(".*")) return topic == kind;
  return kind.starts_with(topic.substr(0, topic.size() - 1));
}

}  // namespace

Channel::Channel(SubscriptionOptions options, Handler handler, EventReader& reader,
                 model::Sequence published)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      reader_(reader),
      replaying_(options_.after.value_or(published) < published),
      accounted_(options_.after.value_or(published)),
      published_(published) {
  counters_.name = options_.name;
  counters_.capacity = options_.capacity;
  counters_.position = accounted_;
}

Channel::~Channel() {
  if (thread_.joinable()) thread_.detach();  // the last owner was the thread itself
}

void Channel::start() {
  std::unique_lock lock(mutex_);
  if (closed_) return;
  if (!options_.executor.post) {
    thread_ = std::thread([self = shared_from_this()] { self->run_thread(); });
  } else if (has_work()) {
    wake(lock);
  }
}

// ---- the publisher's side
// -------------------------------------------------------------------------

void Channel::offer(const Batch& batch) {
  const Mono wait_until = platform::mono_now() + options_.wait_at_most;
  std::unique_lock lock(mutex_);
  for (const model::Event& event : *batch) {
    if (closed_) return;
    offer_one(batch, event, wait_until, lock);
  }
  if (has_work()) wake(lock);
}

void Channel::offer_one(const Batch& batch, const model::Event& event, Mono wait_until,
                        std::unique_lock<std::mutex>& lock) {
  published_ = event.seq;
  if (replaying_ || event.seq <= accounted_) return;
  if (!wanted(event)) {
    // Nobody waits behind it: it is passed over at once.
    if (queue_.empty() && in_hand_ == 0) counters_.position = event.seq;
    accounted_ = event.seq;
    return;
  }
  bool room = queue_.size() + in_hand_ < options_.capacity;
  if (!room && options_.overflow == Overflow::wait) room = wait_for_room(wait_until, lock);
  if (closed_) return;
  if (room) {
    queue_.emplace_back(EventPtr(batch, &event));
  } else if (options_.overflow == Overflow::replay) {
    replaying_ = true;
    ++counters_.replays;
    return;
  } else {
    ++counters_.lost;
    if (queue_.empty() || !std::holds_alternative<Gap>(queue_.back())) queue_.emplace_back(Gap{});
    auto& gap = std::get<Gap>(queue_.back());
    ++gap.count;
    gap.last = event.seq;
  }
  accounted_ = event.seq;
}

bool Channel::wait_for_room(Mono until, std::unique_lock<std::mutex>& lock) {
  if (has_work()) wake(lock);
  return progress_.wait_until(
      lock, until, [&] { return closed_ || queue_.size() + in_hand_ < options_.capacity; });
}

bool Channel::wanted(const model::Event& event) const {
  const auto& topics = options_.topics;
  return topics.empty() || std::any_of(topics.begin(), topics.end(), [&](const auto& topic) {
           return matches(topic, event.kind);
         });
}

// ---- the subscriber's side
// ------------------------------------------------------------------------

bool Channel::has_work() const { return !closed_ && !parked_ && (!queue_.empty() || replaying_); }

void Channel::wake(std::unique_lock<std::mutex>& lock) {
  if (!options_.executor.post) {
    wake_.notify_one();
    return;
  }
  if (scheduled_) return;
  scheduled_ = true;
  lock.unlock();
  options_.executor.post([self = shared_from_this()] { self->run_on_executor(); });
  lock.lock();
}

void Channel::run_thread() {
  platform::name_this_thread(("bus-" + options_.name).substr(0, 15).c_str());
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return closed_ || has_work(); });
      if (closed_) return;
    }
    if (step() != Next::retry) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kRetry, [&] { return closed_; });
  }
}

void Channel::run_on_executor() {
  Next next = Next::more;
  for (int i = 0; i < kStepsPerTask && next == Next::more; ++i) next = step();
  std::unique_lock lock(mutex_);
  scheduled_ = false;
  if (!has_work()) return;
  if (next != Next::retry) return wake(lock);
  scheduled_ = true;
  lock.unlock();
  options_.executor.post_after(kRetry, [self = shared_from_this()] { self->run_on_executor(); });
}

Channel::Next Channel::step() {
  std::unique_lock lock(mutex_);
  if (!has_work()) return Next::idle;
  running_ = true;
  runner_ = std::this_thread::get_id();
  const Next next = queue_.empty() ? read_journal(lock) : deliver_queue(lock);
  running_ = false;
  runner_ = {};
  progress_.notify_all();
  return next;
}

Channel::Next Channel::deliver_queue(std::unique_lock<std::mutex>& lock) {
  const std::size_t count = std::min(kStep, queue_.size());
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Entry> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    in_hand_ = batch.size() - i;
    if (closed_) break;
    const std::uint64_t resumes = resumes_;
    lock.unlock();
    const bool taken = hand_over(batch[i]);
    lock.lock();
    if (taken) {
      passed(batch[i]);
      continue;
    }
    // resume() may have come before the handler's answer.
    parked_ = resumes_ == resumes;
    queue_.insert(queue_.begin(),
                  std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(i)),
                  std::make_move_iterator(batch.end()));
    break;
  }
  in_hand_ = 0;
  if (queue_.empty() && !replaying_) counters_.position = accounted_;
  return has_work() ? Next::more : Next::idle;
}

Channel::Next Channel::read_journal(std::unique_lock<std::mutex>& lock) {
  const model::Sequence after = accounted_;
  lock.unlock();
  auto events = reader_.read(after, std::max<std::size_t>(1, std::min(kStep, options_.capacity)));
  lock.lock();
  if (!events) {
    ++counters_.read_failures;
    return Next::retry;
  }
  if (events->empty()) {
    // What was published is durable, so this is a reader that lags.
    return Next::retry;
  }
  const auto batch = std::make_shared<const std::vector<model::Event>>(*std::move(events));
  for (const model::Event& event : *batch) {
    accounted_ = event.seq;
    if (wanted(event)) queue_.emplace_back(EventPtr(batch, &event));
  }
  if (queue_.empty()) counters_.position = accounted_;
  // Beyond published_ or not: what comes next is offered, and passed over where it was read.
  replaying_ = accounted_ < published_;
  return has_work() ? Next::more : Next::idle;
}

bool Channel::hand_over(const Entry& entry) {
  if (const auto* gap = std::get_if<Gap>(&entry)) {
    if (handler_.lost) handler_.lost(gap->count);
    return true;
  }
  return handler_.event(*std::get<EventPtr>(entry)) == Delivery::taken;
}

void Channel::passed(const Entry& entry) {
  if (const auto* gap = std::get_if<Gap>(&entry)) {
    counters_.position = gap->last;
  } else {
    counters_.position = std::get<EventPtr>(entry)->seq;
    ++counters_.delivered;
  }
  progress_.notify_all();
}

// ---- the owner's side
// -----------------------------------------------------------------------------

void Channel::resume() {
  std::unique_lock lock(mutex_);
  ++resumes_;
  parked_ = false;
  if (has_work()) wake(lock);
}

void Channel::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  wake_.notify_all();
  progress_.notify_all();
  if (runner_ == std::this_thread::get_id()) return;
  progress_.wait(lock, [&] { return !running_; });
  queue_.clear();
  if (!thread_.joinable() || thread_.get_id() == std::this_thread::get_id()) return;
  std::thread thread = std::move(thread_);
  lock.unlock();
  thread.join();
}

bool Channel::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

bool Channel::wait_for(model::Sequence position, Duration patience) const {
  std::unique_lock lock(mutex_);
  progress_.wait_for(lock, patience, [&] { return closed_ || counters_.position >= position; });
  return counters_.position >= position;
}

ChannelCounters Channel::counters() const {
  const std::lock_guard lock(mutex_);
  ChannelCounters now = counters_;
  now.waiting = queue_.size() + in_hand_;
  now.replaying = replaying_;
  return now;
}

}  // namespace mainstay::bus
