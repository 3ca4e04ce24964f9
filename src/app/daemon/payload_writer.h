// Keeps large inputs of API requests as blobs, on threads of its own: a disk that takes its time
// with them must not hold up those who only read (fault C7).
//
// Any thread. `on_stored` is called once: with the payload, with the store's own trouble before
// anything is written, or with `unavailable` when the disk has not answered within kPatience; the
// blob that is then still written is one that nobody names.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "model/payload.h"
#include "platform/loop/event_loop.h"
#include "platform/loop/worker_pool.h"
#include "store/store.h"

namespace mainstay::app {

class PayloadWriter {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(5);
  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kMaxWaiting = 256;

  using OnStored = std::function<void(Result<model::Payload>)>;

  /// `timers`: where the patience ends. Both outlive it.
  PayloadWriter(store::Store& store, platform::EventLoop& timers)
      : store_(store), timers_(timers), pool_("ms-blobs", kThreads, kMaxWaiting) {}

  void put(std::string json, OnStored on_stored);

 private:
  class Request;

  store::Store& store_;
  platform::EventLoop& timers_;
  platform::WorkerPool pool_;  // last: its threads end first
};

}  // namespace mainstay::app
