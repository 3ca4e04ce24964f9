// Hands durable events on, in commit order, to everything that "also needs to know". Invariant 11
// of the fault catalogue: publication order for each subscriber; loss only with a counted marker.
//
// Each subscriber has a bounded, named queue, and a thread of its own or a place on an executor.
// One that asks for events "after N" gets every later event exactly once, in order: first from the
// journal, then live. When it is too slow for its queue, what it may lose is its own choice:
//   replay  nothing: it reads the journal again until it has caught up (bounded memory, any delay)
//   drop    the newest; `lost` tells how many, at the place where they are missing
//   wait    the publisher waits for it, at most `wait_at_most`, then as drop
//
// Lifetime: the reader outlives the bus; the bus outlives its subscriptions, or is closed first.
// Threads: publish() from one thread at a time; the rest from any. Handlers of one subscriber never
// run at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "base/result.h"
#include "base/time.h"
#include "bus/event_reader.h"
#include "model/event.h"

MS_ENUM_TEXT(bus, Overflow, replay, drop, wait)

// taken: go on. later: not now; the same event comes again after Subscription::resume().
MS_ENUM_TEXT(bus, Delivery, taken, later)

namespace mainstay::bus {

class Channel;

/// Runs tasks somewhere, later. Both must be set, or none.
struct Executor {
  std::function<void(std::function<void()>)> post;
  std::function<void(Duration, std::function<void()>)> post_after;
};

struct SubscriptionOptions {
  /// Of the queue, for figures and messages.
  std::string name;
  /// Kinds of events: `run.finished`, or `work.*` for a family. Empty: all.
  std::vector<std::string> topics;
  /// Begin with the event after this one; nullopt: with what is published from now on.
  std::optional<model::Sequence> after;
  /// Events that may wait in memory; at least 1.
  std::size_t capacity = 1024;
  Overflow overflow = Overflow::replay;
  Duration wait_at_most = std::chrono::seconds(1);
  /// Empty: a thread of its own.
  Executor executor;
};

struct Handler {
  std::function<Delivery(const model::Event&)> event;
  /// So many events are missing between the one before and the next. May be empty.
  std::function<void(std::uint64_t)> lost;
};

struct ChannelCounters {
  std::string name;
  std::size_t waiting = 0;
  std::size_t capacity = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  /// Times it fell behind its queue and read the journal instead.
  std::uint64_t replays = 0;
  std::uint64_t read_failures = 0;
  bool replaying = false;
  /// Everything up to here was delivered, passed over or lost.
  model::Sequence position = 0;
};

/// Ends the subscription when it goes. No handler runs after close() returned (called from the
/// handler itself: after that handler returned).
class Subscription {
 public:
  explicit Subscription(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  ~Subscription() { close(); }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  /// After a handler answered `later`.
  void resume();
  void close();
  /// Waits until everything up to `position` was handed over; false when that took too long.
  bool wait_for(model::Sequence position, Duration patience) const;
  ChannelCounters counters() const;

 private:
  std::shared_ptr<Channel> channel_;
};

class Bus {
 public:
  /// `last`: the newest event in the journal at this moment.
  Bus(EventReader& reader, model::Sequence last);
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// Durable events, in order, without gaps; what was published before is passed over.
  void publish(const std::vector<model::Event>& events);

  /// invalid_argument: no name, capacity 0, or `after` beyond the newest event.
  Result<std::unique_ptr<Subscription>> subscribe(SubscriptionOptions options, Handler handler);

  /// Ends every subscription; nothing can be subscribed any more.
  void close();
  model::Sequence last() const;
  /// By name.
  std::vector<ChannelCounters> counters() const;

 private:
  using Channels = std::vector<std::shared_ptr<Channel>>;

  EventReader& reader_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Channels> channels_;  // never changed, only replaced
  model::Sequence last_;
  bool closed_ = false;
};

}  // namespace mainstay::bus
