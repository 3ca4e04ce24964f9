// The submits of one stream on their way to the control loop, in the order in which they came.
//
// An idempotency key is looked up in the work database first: the loop remembers keys of open work
// and of what ended lately, the database all of them, also across a restart of the daemon. While a
// lookup is under way the submits behind it wait, and then share the next one.
//
// Threads: hand_in() from one thread at a time, close() from any. Not bounded itself: the stream
// reads no further while too many of its submits are unanswered.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "node/link/link_parts.h"

namespace mainstay::node {

class SubmitQueue : public std::enable_shared_from_this<SubmitQueue> {
 public:
  SubmitQueue(std::shared_ptr<LinkParts> parts, std::string principal)
      : parts_(std::move(parts)), principal_(std::move(principal)) {}

  /// `done` is called once, unless close() came before it was handed in.
  void hand_in(model::SubmitWork submit, LinkServer::CommandDone done);
  /// What has not reached the control loop yet never will.
  void close();

 private:
  struct Entry {
    model::SubmitWork submit;
    LinkServer::CommandDone done;
  };
  using Batch = std::vector<Entry>;

  void pass_on();
  void look_up(std::shared_ptr<Batch> batch, std::vector<std::string> keys);
  void give_all(Batch& batch, Result<LinkServer::KnownKeys> known);
  void give(Entry& entry);
  Batch next_batch();

  const std::shared_ptr<LinkParts> parts_;
  const std::string principal_;
  std::mutex mutex_;
  std::deque<Entry> waiting_;
  /// A batch is being looked up or handed in.
  bool busy_ = false;
  bool closed_ = false;
};

}  // namespace mainstay::node
