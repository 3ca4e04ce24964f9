// Which request an idempotency key stands for: of open things as long as they are open, then for
// ten minutes (bounded in number). Older keys are the store's to know; the API asks it.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/time.h"

namespace mainstay::work {

/// Id: WorkId or RunId. Final: what is kept of one that ended (its state).
template <class Id, class Final>
class IdempotencyKeys {
 public:
  static constexpr Duration kKeepEnded = std::chrono::minutes(10);
  static constexpr std::size_t kMaxEnded = 100'000;

  struct Found {
    Id id;
    std::string_view request_sha256;
    /// Unset while it is open.
    std::optional<Final> final;
  };

  /// The views must stay valid until end(): they are those of the spec, which the open item keeps.
  void open(std::string_view key, std::string_view request_sha256, const Id& id) {
    if (!key.empty()) open_.emplace(key, Open{id, request_sha256});
  }
  void end(std::string_view key, const Id& id, const Final& final, Mono now) {
    const auto found = open_.find(key);
    if (found == open_.end() || found->second.id != id) return;
    const std::string own(key);
    ended_.insert_or_assign(
        own, Ended{found->second.id, std::string(found->second.sha256), final, now + kKeepEnded});
    order_.emplace_back(now + kKeepEnded, own);
    open_.erase(found);
    forget(now);
  }
  std::optional<Found> find(std::string_view key) const {
    if (key.empty()) return std::nullopt;
    if (const auto open = open_.find(key); open != open_.end()) {
      return Found{open->second.id, open->second.sha256, std::nullopt};
    }
    const auto ended = ended_.find(std::string(key));
    if (ended == ended_.end()) return std::nullopt;
    return Found{ended->second.id, ended->second.sha256, ended->second.final};
  }
  /// Drops what has been kept long enough, or is too much.
  void forget(Mono now) {
    while (!order_.empty() && (order_.front().first <= now || order_.size() > kMaxEnded)) {
      const auto found = ended_.find(order_.front().second);
      // The key may stand for a later request by now.
      if (found != ended_.end() && found->second.forget_at == order_.front().first) {
        ended_.erase(found);
      }
      order_.pop_front();
    }
  }
  std::size_t size() const { return open_.size() + ended_.size(); }

 private:
  struct Open {
    Id id;
    std::string_view sha256;
  };
  struct Ended {
    Id id;
    std::string sha256;
    Final final;
    Mono forget_at;
  };
  std::unordered_map<std::string_view, Open> open_;
  std::unordered_map<std::string, Ended> ended_;
  std::deque<std::pair<Mono, std::string>> order_;
};

}  // namespace mainstay::work
