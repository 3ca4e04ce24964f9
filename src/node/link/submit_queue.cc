#include "node/link/submit_queue.h"

#include <algorithm>
#include <utility>

namespace mainstay::node {
namespace {

/// Submits that share a lookup; a longer one would hold up other readers of the database.
constexpr std::size_t kMaxBatch = 1024;

bool has_key(const model::SubmitWork& submit) { return !submit.spec.idempotency_key.empty(); }

}  // namespace

void SubmitQueue::hand_in(model::SubmitWork submit, LinkServer::CommandDone done) {
  const bool keyed = has_key(submit);
  Entry entry{std::move(submit), std::move(done)};
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    if (keyed || busy_) {
      waiting_.push_back(std::move(entry));
      if (std::exchange(busy_, true)) return;
    }
  }
  // Nothing is under way and nothing is to be looked up: there is nothing to wait for.
  return keyed ? pass_on() : give(entry);
}

void SubmitQueue::close() {
  std::deque<Entry> dropped;  // destroyed after the lock is given back
  std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(waiting_);
}

// Called by whoever set busy_: until nothing waits, or a lookup goes on with it.
void SubmitQueue::pass_on() {
  while (true) {
    auto batch = std::make_shared<Batch>(next_batch());
    if (batch->empty()) return;
    std::vector<std::string> keys;
    for (const Entry& entry : *batch) {
      if (has_key(entry.submit)) keys.push_back(entry.submit.spec.idempotency_key);
    }
    if (!keys.empty()) return look_up(std::move(batch), std::move(keys));
    give_all(*batch, LinkServer::KnownKeys());
  }
}

void SubmitQueue::look_up(std::shared_ptr<Batch> batch, std::vector<std::string> keys) {
  parts_->sinks.find_work_keys(
      std::move(keys),
      [self = shared_from_this(), batch = std::move(batch)](Result<LinkServer::KnownKeys> known) {
        self->give_all(*batch, std::move(known));
        self->pass_on();
      });
}

void SubmitQueue::give_all(Batch& batch, Result<LinkServer::KnownKeys> known) {
  std::size_t next = 0;
  for (Entry& entry : batch) {
    if (has_key(entry.submit)) {
      // Handed in all the same it might be accepted twice.
      if (!known) {
        entry.done(known.error());
        continue;
      }
      entry.submit.known = std::move(known->at(next++));
    }
    give(entry);
  }
}

void SubmitQueue::give(Entry& entry) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
  }
  parts_->sinks.command(std::move(entry.submit), principal_, std::move(entry.done));
}

SubmitQueue::Batch SubmitQueue::next_batch() {
  std::lock_guard lock(mutex_);
  const auto end =
      waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kMaxBatch));
  Batch batch{std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end)};
  waiting_.erase(waiting_.begin(), end);
  if (batch.empty()) busy_ = false;
  return batch;
}

}  // namespace mainstay::node
