#include "store/store.h"

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "platform/clock.h"
#include "platform/files/files.h"
#include "platform/loop/thread_name.h"
#include "store/disk/fail_point.h"

namespace mainstay::store {
namespace {

// How often the reserve is tried to be made again; within the 10 s that faults C3 allows.
constexpr Duration kReserveInterval = std::chrono::seconds(1);
// Inline mode has no second thread: the log is moved in between, in larger steps.
constexpr int kInlineCheckpointPages = 1'000;

std::size_t changes_of(const Batch& batch) { return batch.rows.size() + batch.events.size(); }

bool damages_trust(const Error& error) {
  return error.code() == Code::storage_failed || error.code() == Code::storage_corrupt;
}

}  // namespace

Store::Store(StoreOptions options, RowWriter& rows, std::shared_ptr<Blobs> blobs,
             Database::Place place)
    : options_(std::move(options)),
      place_(std::move(place)),
      blobs_(std::move(blobs)),
      health_(options_.on_state_change),
      database_(place_, rows, *blobs_),
      reserve_(options_.vfs.empty() ? options_.dir + "/reserve" : std::string(),
               options_.reserve_bytes) {}

Result<std::unique_ptr<Store>> Store::open(StoreOptions options, RowWriter& rows) {
  std::shared_ptr<Blobs> blobs = options.blobs;
  Database::Place place{options.dir + "/mainstay.db", options.vfs};
  if (options.vfs.empty()) {
    Result<void> made = platform::make_private_dir(options.dir);
    if (!made) return std::move(made).error();
  }
  if (!blobs) {
    MS_ASSERT(options.vfs.empty(), "a store on a VFS needs its blobs given");
    Result<std::unique_ptr<DiskBlobs>> disk = DiskBlobs::open(options.dir + "/blobs");
    if (!disk) return std::move(disk).error();
    blobs = std::move(*disk);
  }
  std::unique_ptr<Store> store(
      new Store(std::move(options), rows, std::move(blobs), std::move(place)));
  Result<void> started = store->start();
  if (!started) return std::move(started).error();
  return store;
}

Result<void> Store::start() {
  Result<void> opened = database_.open();
  if (!opened && opened.error().code() == Code::storage_full && reserve_.make() &&
      reserve_.release()) {
    opened = database_.open();
  }
  if (!opened) return opened;
  Result<void> reserved = reserve_.make();
  if (!reserved)
    health_.begin_with(StorageCondition::full, explain(reserved.error(), options_.dir));
  if (options_.mode == StoreMode::inline_commit) return {};
  checkpointer_.emplace(place_, [this](Error error) { suspect(std::move(error)); });
  watch_ = std::thread([this] { watch(); });
  writer_ = std::thread([this] { run(); });
  return {};
}

Store::~Store() { close(std::chrono::seconds(5)); }

void Store::commit(Batch batch) {
  {
    std::lock_guard lock(mutex_);
    waiting_changes_ += changes_of(batch);
    queue_.push_back({std::move(batch), platform::mono_now()});
  }
  if (options_.mode == StoreMode::writer_thread)
    wake_.notify_one();
  else
    retry();
}

bool Store::has_room() const {
  std::lock_guard lock(mutex_);
  return waiting_changes_ + group_changes_ < options_.max_waiting_changes;
}

bool Store::retry() {
  MS_ASSERT(options_.mode == StoreMode::inline_commit, "the writer's thread retries by itself");
  if (retrying_) return false;  // from an on_durable: the call below us goes on with it
  retrying_ = true;
  tend_reserve();
  bool all = true;
  while (all && (!group_.empty() || next_group())) all = try_group();
  retrying_ = false;
  return all;
}

bool Store::close(Duration patience) {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    give_up_at_ = platform::mono_now() + patience;
  }
  wake_.notify_all();
  if (writer_.joinable()) writer_.join();
  if (options_.mode == StoreMode::inline_commit && database_.is_open()) retry();
  const bool all = group_.empty() && queue_.empty();
  {
    std::lock_guard lock(mutex_);
    watch_stopping_ = true;
  }
  watch_wake_.notify_all();
  if (watch_.joinable()) watch_.join();
  checkpointer_.reset();
  database_.close(!needs_reopen_);
  return all;
}

// ---- the writer -------------------------------------------------------------------------------

void Store::run() {
  platform::name_this_thread("ms-store");
  Duration delay = options_.retry_min;
  for (;;) {
    if (group_.empty() && !next_group()) {
      std::unique_lock lock(mutex_);
      if (stopping_) return;
      const auto has_work = [this] { return stopping_ || !queue_.empty() || suspicion_; };
      if (reserve_.held() || !reserve_.exists())
        wake_.wait(lock, has_work);
      else
        wake_.wait_for(lock, kReserveInterval, has_work);
      lock.unlock();
      tend_reserve();
      continue;
    }
    if (try_group()) {
      delay = options_.retry_min;
      continue;
    }
    wait_before_retry(delay);
    delay = std::min(delay * 2, options_.retry_max);
    std::lock_guard lock(mutex_);
    if (stopping_ && platform::mono_now() >= give_up_at_) return;
  }
}

/// Takes what waits, up to the limit of one transaction. A suspicion of the checkpointer makes an
/// empty group, whose commit is the reopening. False when there is nothing to do.
bool Store::next_group() {
  std::lock_guard lock(mutex_);
  if (suspicion_) needs_reopen_ = true;
  group_changes_ = 0;
  while (!queue_.empty()) {
    const std::size_t changes = changes_of(queue_.front().batch);
    if (!group_.empty() && group_changes_ + changes > options_.max_changes_per_commit) break;
    group_changes_ += changes;
    group_.push_back(std::move(queue_.front().batch));
    group_since_.push_back(queue_.front().since);
    queue_.pop_front();
  }
  waiting_changes_ -= group_changes_;
  return !group_.empty() || needs_reopen_;
}

bool Store::try_group() {
  if (damaged_) return false;
  commit_began_ns_ = platform::mono_now().time_since_epoch().count();
  Result<void> done = commit_group();
  commit_began_ns_ = 0;
  health_.set_stalled(false, "");
  if (!done) {
    on_failed(done.error());
    return false;
  }
  on_committed();
  return true;
}

Result<void> Store::commit_group() {
  if (needs_reopen_) {
    Result<void> opened = reopen();
    if (!opened) return opened;
  }
  if (group_.empty()) return {};
  Result<void> done = database_.commit(group_);
  if (done || done.error().code() != Code::storage_full) return done;
  return commit_in_reserve(std::move(done).error());
}

Result<void> Store::commit_in_reserve(Error full) {
  if (!reserve_.release()) return full;
  reserve_tried_ = platform::mono_now();
  Result<void> done = database_.commit(group_);
  // Told after the commit: what was on its way when the disk filled up was still accepted.
  if (done) health_.set(StorageCondition::full, explain(full, options_.dir));
  return done;
}

void Store::on_committed() {
  const Mono now = platform::mono_now();
  {
    std::lock_guard lock(mutex_);
    if (!group_.empty()) ++counters_.commits;
    for (std::size_t i = 0; i < group_.size(); ++i) {
      ++counters_.batches;
      counters_.rows += group_[i].rows.size();
      counters_.events += group_[i].events.size();
      const auto micros = static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(now - group_since_[i]).count());
      ++counters_.latency_buckets[std::min<std::size_t>(std::bit_width(micros), 31)];
      counters_.latency_micros_total += micros;
      counters_.latency_micros_max = std::max(counters_.latency_micros_max, micros);
    }
    group_changes_ = 0;
    counters_.log_pages = database_.log_pages();
  }
  if (health_.condition() == StorageCondition::failing) {
    const bool full = reserve_.exists() && !reserve_.held();
    health_.set(full ? StorageCondition::full : StorageCondition::healthy,
                full ? "the reserve for a full disk is given up until there is space" : "");
  }
  std::vector<Batch> done;
  done.swap(group_);
  group_since_.clear();
  for (Batch& batch : done) {
    if (batch.on_durable) batch.on_durable();
  }
  pass(FailPoint::after_reply);
  tend_log();
  tend_reserve();
}

void Store::on_failed(const Error& error) {
  // A statement that cannot be right tomorrow either: going on would mean never to commit again.
  MS_ASSERT(error.code() != Code::internal, error.to_text());
  {
    std::lock_guard lock(mutex_);
    ++counters_.failed_commits;
  }
  if (damages_trust(error)) needs_reopen_ = true;
  if (error.code() == Code::storage_corrupt && !database_.is_open()) damaged_ = true;
  health_.set(StorageCondition::failing, explain(error, options_.dir));
}

Result<void> Store::reopen() {
  if (checkpointer_) checkpointer_->close();
  std::optional<Error> suspicion;
  {
    std::lock_guard lock(mutex_);
    suspicion.swap(suspicion_);
    ++counters_.reopens;
  }
  // Its reason is told before the attempt to mend it.
  if (suspicion) health_.set(StorageCondition::failing, explain(*suspicion, options_.dir));
  Result<void> opened = database_.reopen();
  if (opened) needs_reopen_ = false;
  return opened;
}

void Store::tend_log() {
  if (!database_.is_open()) return;
  const bool inline_mode = options_.mode == StoreMode::inline_commit;
  const bool is_long = database_.log_pages() >= options_.checkpoint_pages;
  // In the reserve every page counts: a checkpointer that comes late would let the log fill it.
  const bool in_reserve = reserve_.exists() && !reserve_.held();
  if (!inline_mode && !checkpointer_->take_finished() && !(in_reserve && is_long)) {
    if (is_long) checkpointer_->request();
    return;
  }
  if (inline_mode && database_.log_pages() < kInlineCheckpointPages) return;
  Result<int> left = database_.checkpoint();
  if (!left) suspect(std::move(left).error());
}

void Store::tend_reserve() {
  if (!reserve_.exists() || reserve_.held()) return;
  const Mono now = platform::mono_now();
  if (now - reserve_tried_ < kReserveInterval) return;
  reserve_tried_ = now;
  if (!reserve_.make()) return;
  if (health_.condition() == StorageCondition::full) health_.set(StorageCondition::healthy, "");
}

void Store::wait_before_retry(Duration delay) {
  std::unique_lock lock(mutex_);
  const Mono until = std::min(platform::mono_now() + delay, give_up_at_);
  wake_.wait_until(lock, until, [this, until] {
    return stopping_ && give_up_at_ < until;  // closed meanwhile, with less patience
  });
}

void Store::suspect(Error error) {
  if (error.code() == Code::unavailable) return;  // locked by someone: the next round will do
  {
    std::lock_guard lock(mutex_);
    suspicion_ = std::move(error);
  }
  wake_.notify_one();
}

// ---- the watch --------------------------------------------------------------------------------

/// Tells when the disk neither answers nor fails: the writer itself hangs in the system then.
void Store::watch() {
  platform::name_this_thread("ms-store-watch");
  const Duration interval = std::max<Duration>(options_.stall_after / 4, Duration(1'000'000));
  std::unique_lock lock(mutex_);
  while (!watch_wake_.wait_for(lock, interval, [this] { return watch_stopping_; })) {
    const std::int64_t began = commit_began_ns_;
    if (began == 0) continue;
    const Duration age(platform::mono_now().time_since_epoch().count() - began);
    if (age < options_.stall_after) continue;
    lock.unlock();
    health_.set_stalled(true, "the disk of " + options_.dir + " does not answer: a commit takes " +
                                  base::duration_for_people(age));
    // It may have ended in between; then nobody else would take the report back.
    if (commit_began_ns_ != began) health_.set_stalled(false, "");
    lock.lock();
  }
}

StoreCounters Store::counters() const {
  const std::uint64_t troubles = health_.troubles();
  std::lock_guard lock(mutex_);
  StoreCounters counters = counters_;
  counters.troubles = troubles;
  counters.waiting_batches = queue_.size();
  counters.waiting_changes = waiting_changes_ + group_changes_;
  return counters;
}

}  // namespace mainstay::store
