#include "engine/mailbox.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace mainstay::engine {
namespace {

model::AttemptProgress* progress_in(Post& post) {
  auto* fact = std::get_if<model::Fact>(&post.input);
  return fact != nullptr ? std::get_if<model::AttemptProgress>(fact) : nullptr;
}

}  // namespace

void Mailbox::put(model::Command command, OnReply on_reply) {
  ++commands_;
  posts_.push_back({std::move(command), std::move(on_reply)});
}

void Mailbox::put(model::Fact fact) {
  if (auto* progress = std::get_if<model::AttemptProgress>(&fact)) {
    return put_progress(std::move(*progress));
  }
  posts_.push_back({std::move(fact), nullptr});
}

void Mailbox::put_progress(model::AttemptProgress progress) {
  const auto found = progress_.find({progress.agent, progress.work, progress.epoch});
  if (found != progress_.end()) {
    *progress_in(*found->second) = std::move(progress);
    return;
  }
  if (progress_.size() >= kMaxProgress) {
    ++dropped_progress_;
    return;
  }
  posts_.push_back({model::Fact(std::move(progress)), nullptr});
  index(posts_.back());
}

std::vector<Post> Mailbox::take(std::size_t most) {
  const std::size_t count = std::min(posts_.size(), most);
  std::vector<Post> taken;
  taken.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    forget(posts_.front());
    taken.push_back(std::move(posts_.front()));
    posts_.pop_front();
    if (taken.back().on_reply) --commands_;
  }
  return taken;
}

void Mailbox::put_back(std::vector<Post> posts) {
  for (auto post = posts.rbegin(); post != posts.rend(); ++post) {
    if (post->on_reply) ++commands_;
    posts_.push_front(std::move(*post));
  }
}

std::vector<Post> Mailbox::take_commands() {
  std::vector<Post> commands;
  std::deque<Post> facts;
  for (Post& post : posts_) {
    if (post.on_reply)
      commands.push_back(std::move(post));
    else
      facts.push_back(std::move(post));
  }
  posts_ = std::move(facts);
  commands_ = 0;
  progress_.clear();
  for (Post& post : posts_) index(post);
  return commands;
}

void Mailbox::index(Post& post) {
  if (const auto* progress = progress_in(post)) {
    progress_[{progress->agent, progress->work, progress->epoch}] = &post;
  }
}

void Mailbox::forget(const Post& post) {
  const auto* fact = std::get_if<model::Fact>(&post.input);
  const auto* progress = fact ? std::get_if<model::AttemptProgress>(fact) : nullptr;
  if (progress == nullptr) return;
  const auto found = progress_.find({progress->agent, progress->work, progress->epoch});
  if (found != progress_.end() && found->second == &post) progress_.erase(found);
}

}  // namespace mainstay::engine
