// What waits for the control loop, in order. Commands are bounded: who would send one more is
// refused. Facts that matter (results, ends of processes, links) are never refused, and there are
// as many as there is work under way. Progress is different: an agent may tell it as often as it
// likes while the loop waits for a disk, and only the newest of an attempt counts; so there is one
// place per attempt, and beyond a limit of attempts it is dropped and counted (fault C7).
//
// No lock: one caller at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/input.h"

namespace mainstay::engine {

using OnReply = std::function<void(Result<model::ReplyBody>)>;

/// One input, and whom to answer if it is a command.
struct Post {
  model::Input input;
  OnReply on_reply;
};

class Mailbox {
 public:
  /// Attempts whose progress waits at most.
  static constexpr std::size_t kMaxProgress = 16'384;

  bool empty() const { return posts_.empty(); }
  std::size_t size() const { return posts_.size(); }
  std::size_t commands() const { return commands_; }
  /// Progress facts that found no room.
  std::uint64_t dropped_progress() const { return dropped_progress_; }

  void put(model::Command command, OnReply on_reply);
  void put(model::Fact fact);
  /// The oldest, at most so many.
  std::vector<Post> take(std::size_t most);
  /// What take() gave, where it was.
  void put_back(std::vector<Post> posts);
  /// All commands; the facts stay.
  std::vector<Post> take_commands();

 private:
  struct Attempt {
    model::AgentName agent;
    model::WorkId work;
    model::Epoch epoch = 0;
    bool operator==(const Attempt&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Attempt& attempt) const {
      return std::hash<model::WorkId>()(attempt.work) ^ static_cast<std::size_t>(attempt.epoch);
    }
  };

  void put_progress(model::AttemptProgress progress);
  void index(Post& post);
  void forget(const Post& post);

  std::deque<Post> posts_;
  /// Where the progress of an attempt waits; a deque's elements stay where they are.
  std::unordered_map<Attempt, Post*, Hash> progress_;
  std::size_t commands_ = 0;
  std::uint64_t dropped_progress_ = 0;
};

}  // namespace mainstay::engine
