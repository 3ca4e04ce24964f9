// One server-side bidirectional gRPC stream as a small state machine: messages are read one at a
// time, what is queued while a write is under way goes out together, and it ends exactly once.
//
// A derived class says what to do with a message (on_message), when the peer has sent its last
// (on_reads_done) and when all is over (on_closed, the last call). These come one after another,
// never at the same time, with no lock held. queue(), finish() and the rest may be called from any
// thread that holds a shared_ptr to the stream.
//
// Lifetime: made by make_shared; begin() makes the stream own itself until on_closed has returned.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "platform/grpc/write_starter.h"

namespace mainstay::platform {

struct DuplexLimits {
  /// More than this waiting, and the stream is cut as too slow a reader.
  std::size_t max_queued_bytes = std::size_t{128} << 20;
  /// Entries put into one message; 1 for streams whose messages hold only one.
  std::size_t max_entries = 4096;
};

template <class In, class Out>
class DuplexStream : public grpc::ServerBidiReactor<In, Out>,
                     public Flushable,
                     public std::enable_shared_from_this<DuplexStream<In, Out>> {
 public:
  DuplexStream(grpc::CallbackServerContext* context, std::shared_ptr<WriteStarter> writer,
               DuplexLimits limits)
      : context_(context), writer_(std::move(writer)), limits_(limits) {}

  /// Owns itself from here on and reads the first message.
  void begin() {
    self_ = this->shared_from_this();
    this->StartRead(&in_);
  }

  std::string peer() const { return context_->peer(); }
  /// The first value of a metadata key; empty when there is none.
  std::string metadata(const std::string& key) const {
    auto found = context_->client_metadata().find(key);
    if (found == context_->client_metadata().end()) return {};
    return std::string(found->second.data(), found->second.size());
  }

  /// Adds one entry of about `bytes` to what goes out next: `fill(Out&)`. False when the stream is
  /// ending, or its reader is too slow (which ends it).
  template <class Fill>
  bool queue(std::size_t bytes, Fill&& fill) {
    std::unique_lock lock(mutex_);
    if (ending_) return false;
    if (queued_bytes_ > 0 && queued_bytes_ + bytes > limits_.max_queued_bytes) {
      end(lock, {grpc::RESOURCE_EXHAUSTED, "the peer reads too slowly"}, false);
      return false;
    }
    if (pending_.empty() || pending_.back().entries >= limits_.max_entries ||
        pending_.back().bytes + bytes > kBatchBytes) {
      pending_.emplace_back();
    }
    Batch& batch = pending_.back();
    fill(batch.message);
    batch.entries += 1;
    batch.bytes += bytes;
    queued_bytes_ += bytes;
    bool kick = !writing_ && !std::exchange(kicked_, true);
    lock.unlock();
    if (kick) writer_->kick(this->shared_from_this());
    return true;
  }

  /// Ends the stream with this status; what is queued is dropped. Only the first end counts.
  void finish(const Error& error) {
    std::unique_lock lock(mutex_);
    auto code = static_cast<grpc::StatusCode>(base::code_info(error.code()).grpc_status);
    end(lock, {code, error.message()}, false);
  }
  /// Ends the stream well, after what is queued has gone out.
  void finish_well() {
    std::unique_lock lock(mutex_);
    end(lock, grpc::Status::OK, true);
  }

  /// Work on the stream outside its callbacks: while held, on_closed does not come. False when the
  /// stream is already ending.
  bool hold() {
    std::lock_guard lock(mutex_);
    if (ending_) return false;
    ++holds_;
    return true;
  }
  /// Ends a hold; `read_on` when on_message had answered Next::wait.
  void release(bool read_on) {
    if (read_on) read_next();
    std::unique_lock lock(mutex_);
    --holds_;
    advance(lock);
  }

  void flush() final {
    std::unique_lock lock(mutex_);
    kicked_ = false;
    advance(lock);
  }

 protected:
  /// `wait`: somebody has taken a hold and will release(true).
  enum class Next { read, wait };

  virtual Next on_message(In& message) = 0;
  /// The peer half-closed, or is gone. Usually finish_well().
  virtual void on_reads_done() = 0;
  /// Why it ended: empty for a good end.
  virtual void on_closed(const std::string& reason) = 0;

 private:
  static constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
  /// What the peer still does not read so long after the end was asked for is given up.
  static constexpr std::chrono::seconds kAbruptPatience{1};
  static constexpr std::chrono::seconds kOrderlyPatience{10};

  struct Batch {
    Out message;
    std::size_t bytes = 0;
    std::size_t entries = 0;
  };

  static grpc::Status lost() { return {grpc::CANCELLED, "the connection was lost"}; }

  void OnReadDone(bool ok) final {
    if (!ok) {
      on_reads_done();
    } else if (on_message(in_) == Next::read) {
      read_next();
    }
  }

  void OnWriteDone(bool ok) final {
    std::unique_lock lock(mutex_);
    writing_ = false;
    queued_bytes_ -= current_.bytes;
    current_ = Batch();
    if (!ok) mark_lost();
    advance(lock);
  }

  void OnCancel() final {
    std::unique_lock lock(mutex_);
    mark_lost();
    advance(lock);
  }

  void OnDone() final {
    stuck_.Cancel();
    std::string reason;
    {
      std::lock_guard lock(mutex_);
      reason = ending_->error_message();
    }
    // A connection that broke can look like a half-close first.
    if (reason.empty() && context_->IsCancelled()) reason = lost().error_message();
    on_closed(reason);
    auto last = std::move(self_);
  }

  /// No read begins once the end has begun.
  void read_next() {
    std::unique_lock lock(mutex_);
    if (ending_ && !flush_first_) return;
    ++holds_;
    lock.unlock();
    this->StartRead(&in_);
    lock.lock();
    --holds_;
    advance(lock);
  }

  void mark_lost() {
    if (!ending_) ending_ = lost();
    flush_first_ = false;
  }

  void end(std::unique_lock<std::mutex>& lock, grpc::Status status, bool flush_first) {
    if (ending_) {
      flush_first_ = flush_first_ && flush_first;
      advance(lock);
      return;
    }
    ending_ = std::move(status);
    flush_first_ = flush_first;
    if (writing_ || (flush_first && !pending_.empty())) {
      ++holds_;  // the call must not end while its alarm is being set
      lock.unlock();
      auto patience = flush_first ? kOrderlyPatience : kAbruptPatience;
      stuck_.Set(std::chrono::system_clock::now() + patience,
                 [weak = this->weak_from_this()](bool fired) {
                   auto self = weak.lock();
                   if (fired && self) self->cut();
                 });
      lock.lock();
      --holds_;
    }
    advance(lock);
  }

  void cut() {
    std::unique_lock lock(mutex_);
    if (finish_started_) return;
    ++holds_;
    lock.unlock();
    context_->TryCancel();
    lock.lock();
    --holds_;
    mark_lost();
    advance(lock);
  }

  /// The one place that starts a write or the end. gRPC is called without the lock, and the flags
  /// say that it is being called.
  void advance(std::unique_lock<std::mutex>& lock) {
    if (writing_ || finish_started_) return;
    if (ending_ && !flush_first_) pending_.clear();
    if (!pending_.empty()) {
      std::swap(current_, pending_.front());
      pending_.pop_front();
      writing_ = true;
      lock.unlock();
      this->StartWrite(&current_.message);
    } else if (ending_ && holds_ == 0) {
      finish_started_ = true;
      grpc::Status status = *ending_;
      lock.unlock();
      this->Finish(status);
    }
  }

  grpc::CallbackServerContext* context_;
  std::shared_ptr<WriteStarter> writer_;
  DuplexLimits limits_;
  std::shared_ptr<DuplexStream> self_;
  In in_;
  grpc::Alarm stuck_;

  std::mutex mutex_;
  std::deque<Batch> pending_;
  Batch current_;  ///< being written; touched only while `writing_` says whose it is
  std::size_t queued_bytes_ = 0;
  int holds_ = 0;
  bool writing_ = false;
  bool kicked_ = false;
  bool flush_first_ = false;
  bool finish_started_ = false;
  std::optional<grpc::Status> ending_;
};

}  // namespace mainstay::platform
