// The control loop's body: the one thread that owns the Core. It drains a bounded mailbox, steps
// the Core, gives the turn's rows and events to the store as one batch, and releases replies,
// effects and events once that batch is durable. While a commit is under way it goes on stepping,
// so commits group by themselves under load.
//
// command() and fact() may be called from any thread; callbacks run on the store's writer thread
// (or the loop's, for refusals) and must be quick.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/core.h"
#include "engine/mailbox.h"
#include "engine/snapshot.h"
#include "model/effect.h"
#include "model/input.h"

namespace mainstay::engine {

/// What one turn wants kept, and what to call when it is durable.
struct Turn {
  std::vector<model::Row> rows;
  std::vector<model::Event> events;
  std::function<void()> on_durable;
};

class Loop {
 public:
  struct Ports {
    std::function<Now()> clock;
    /// Keeps the turn durably, in order, and calls on_durable once per turn, in order.
    std::function<void(Turn)> commit;
    std::function<void(std::vector<model::Effect>)> effects;
    /// Durable events, in order.
    std::function<void(const std::vector<model::Event>&)> events;
  };
  struct Limits {
    /// Commands waiting for the loop; one more is refused as `overloaded`.
    std::size_t mailbox = 65'536;
    /// Inputs stepped in one turn.
    std::size_t turn = 4'096;
    /// Turns given to the store and not yet durable; the loop waits beyond.
    std::size_t in_flight = 2;
  };

  Loop(std::unique_ptr<Core> core, Ports ports, Limits limits);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Takes in what the store held and starts the thread.
  void start(model::Recovered recovered);
  /// Ends the thread after the turn under way; waits until its commits are durable or `patience`
  /// is over. Commands that still wait are answered `unavailable`.
  void stop(Duration patience);

  void command(model::CommandBody body, std::string principal, OnReply on_reply);
  void fact(model::Fact fact);
  /// From the store: commits fail, or succeed again. When they do not come back, commands that wait
  /// or are under way are answered at once; with a full disk they still do, and each gets its own
  /// answer.
  void storage_changed(const model::StorageChanged& change);

  struct Counters {
    /// Inputs that wait for the loop.
    std::size_t waiting = 0;
    std::uint64_t dropped_progress = 0;
  };
  Counters counters() const;

  /// The newest published picture; never null.
  std::shared_ptr<const Snapshot> snapshot() const;

 private:
  struct Release;

  void run();
  std::vector<Post> take_posts();
  void play_turn(std::vector<Post> posts);
  void give(model::Outbox out);
  void finish(const std::shared_ptr<Release>& release);
  void publish(Now now, bool changed);
  void wait_for_room();

  std::unique_ptr<Core> core_;
  Ports ports_;
  Limits limits_;

  mutable std::mutex mutex_;  // guards these, up to storage_stuck_
  std::condition_variable wake_;
  Mailbox mailbox_;
  bool stopping_ = false;
  bool storage_stuck_ = false;

  std::mutex in_flight_mutex_;
  std::condition_variable in_flight_changed_;
  std::deque<std::shared_ptr<Release>> in_flight_;
  /// Set while commits do not come back.
  std::optional<Error> trouble_;

  std::atomic<std::uint64_t> next_token_ = 1;
  std::unordered_map<model::ReplyToken, OnReply> waiting_;  // the loop's thread only
  Mono published_at_{};
  /// The snapshot is older than the state; the next turn is not to wait long.
  bool is_outdated_ = false;

  mutable std::mutex snapshot_mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::thread thread_;
};

}  // namespace mainstay::engine
