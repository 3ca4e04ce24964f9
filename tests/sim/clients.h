// Clients that submit work and start runs, each with an idempotency key, and ask again until they
// are answered.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sim/daemon.h"
#include "sim/ledger.h"
#include "sim/world.h"

namespace mainstay::sim {

class Clients {
 public:
  Clients(World& world, Ledger& ledger, Daemon& daemon)
      : world_(world), ledger_(ledger), daemon_(daemon) {}

  /// New requests come with this mean gap, until stop().
  void start(Duration mean_gap);
  void stop() { open_ = false; }
  /// Requests that were made and not yet answered.
  std::int64_t unanswered() const { return unanswered_; }

 private:
  void plan_next();
  void submit(const std::string& key, std::uint64_t chance);
  void start_run(const std::string& key);
  void ask_again(const std::string& key, std::uint64_t chance);

  World& world_;
  Ledger& ledger_;
  Daemon& daemon_;
  Duration mean_gap_{0};
  bool open_ = false;
  std::int64_t unanswered_ = 0;
  std::uint64_t next_key_ = 1;
  std::map<std::string, bool> answered_;
};

}  // namespace mainstay::sim
