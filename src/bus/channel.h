// One subscriber's side of the bus. Inside of bus only.
//
// It is live (events go into the queue as they are published) or replaying (the queue is left
// alone; events are read from the journal, after the last one that is accounted for). It turns live
// under the lock, when it has read everything that was published: an event that is published in
// between raises `published_`, and is read. Live, an event that was read already is passed over.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "bus/bus.h"

namespace mainstay::bus {

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  using Batch = std::shared_ptr<const std::vector<model::Event>>;

  Channel(SubscriptionOptions options, Handler handler, EventReader& reader,
          model::Sequence published);
  ~Channel();
  void start();

  /// From the publisher.
  void offer(const Batch& batch);

  void resume();
  void close();
  bool closed() const;
  bool wait_for(model::Sequence position, Duration patience) const;
  ChannelCounters counters() const;

 private:
  using EventPtr = std::shared_ptr<const model::Event>;
  /// So many are missing here.
  struct Gap {
    std::uint64_t count = 0;
    model::Sequence last = 0;
  };
  using Entry = std::variant<EventPtr, Gap>;
  enum class Next { more, idle, retry };

  bool wanted(const model::Event& event) const;
  void offer_one(const Batch& batch, const model::Event& event, Mono wait_until,
                 std::unique_lock<std::mutex>& lock);
  bool wait_for_room(Mono until, std::unique_lock<std::mutex>& lock);
  bool has_work() const;
  void wake(std::unique_lock<std::mutex>& lock);
  void run_thread();
  void run_on_executor();
  /// One unit of work: some entries of the queue, or some of the journal.
  Next step();
  Next deliver_queue(std::unique_lock<std::mutex>& lock);
  Next read_journal(std::unique_lock<std::mutex>& lock);
  /// Under no lock. False: the handler wants it later.
  bool hand_over(const Entry& entry);
  void passed(const Entry& entry);

  const SubscriptionOptions options_;
  const Handler handler_;
  EventReader& reader_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;              // the own thread
  mutable std::condition_variable progress_;  // waiters for room, positions, the end
  std::deque<Entry> queue_;
  bool replaying_ = false;
  bool parked_ = false;  // the handler said `later`
  std::uint64_t resumes_ = 0;
  bool scheduled_ = false;  // a task is with the executor
  bool running_ = false;
  bool closed_ = false;
  std::thread::id runner_;
  model::Sequence accounted_;  // everything up to here is in the queue or behind it
  model::Sequence published_;
  std::size_t in_hand_ = 0;  // taken from the queue, not handed over yet
  ChannelCounters counters_;
  std::thread thread_;
};

}  // namespace mainstay::bus
