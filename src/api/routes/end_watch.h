// Wakes requests that wait for a work item or a run to end (`?wait=30s`): one subscription to the
// events of endings, and a table of who waits for what.
//
// Lifetime: tickets may outlive the watch. Any thread. A callback runs once, on any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/backend.h"
#include "platform/loop/event_loop.h"

namespace mainstay::api {

class EndWatch : public std::enable_shared_from_this<EndWatch> {
 public:
  /// Someone who waits. Register first, then look whether it has ended already, then arm: so no
  /// ending is missed.
  class Ticket : public std::enable_shared_from_this<Ticket> {
   public:
    Ticket(std::weak_ptr<EndWatch> watch, platform::EventLoop& loop, std::string subject)
        : watch_(std::move(watch)), subject_(std::move(subject)), timer_(loop, loop.next_lane()) {}
    ~Ticket();

    /// Calls back when the subject has ended, or after `patience`; at once when it ended since the
    /// ticket was taken.
    void arm(Duration patience, std::function<void()> callback);
    /// The subject ended, time is up, or nobody wants to know any more.
    void fire();

   private:
    const std::weak_ptr<EndWatch> watch_;
    const std::string subject_;
    platform::Timer timer_;
    std::mutex mutex_;
    bool fired_ = false;
    std::function<void()> callback_;
  };
  using TicketPtr = std::shared_ptr<Ticket>;

  EndWatch(platform::EventLoop& loop, Backend& backend);

  void start();
  void stop();
  TicketPtr take(const std::string& subject);
  /// Subjects that someone waits for.
  std::size_t waiting() const;

 private:
  void subscribe();
  void on_event(const model::Event& event);
  void wake_all();
  void leave(const std::string& subject);

  platform::EventLoop& loop_;
  Backend& backend_;
  platform::Timer retry_;
  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::unique_ptr<Subscription> subscription_;
  std::unordered_map<std::string, std::vector<std::weak_ptr<Ticket>>> tickets_;
};

}  // namespace mainstay::api
