// A daemon of its own for benchmarks: this program as `up` in a temporary project folder with a
// fleet of no-op agents, on free ports. Nothing of it is left when the object goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/bench/bench_work.h"
#include "app/project.h"
#include "base/result.h"
#include "platform/process/spawn.h"

namespace mainstay::app {

class BenchDaemon {
 public:
  /// Returns when every agent is ready for work. environment_invalid when the no-op agent is not
  /// there; else what the daemon said.
  static Result<std::unique_ptr<BenchDaemon>> start(const BenchOptions& options);
  ~BenchDaemon();
  BenchDaemon(const BenchDaemon&) = delete;
  BenchDaemon& operator=(const BenchDaemon&) = delete;

  /// For the client: `unix:…/link.sock`.
  std::string link() const;
  const std::string& token() const { return token_; }
  std::string database() const { return project_.data_file("mainstay.db"); }
  bool has_ended() const;
  /// Resident memory of the daemon's process now; 0 when it is gone.
  std::int64_t rss_bytes() const;
  /// User and system time of the daemon's process, without its agents.
  double cpu_seconds() const;

  /// As `mainstay down`; SIGKILL when that takes too long.
  void stop();

 private:
  explicit BenchDaemon(std::string folder) : project_{std::move(folder)} {}
  Result<void> write_project(const BenchOptions& options) const;
  Result<void> spawn();
  Result<void> wait_ready(int agents);
  /// How many agents are healthy; 0 while the daemon does not answer.
  std::int64_t healthy_agents() const;
  Error explained(const std::string& what) const;

  Project project_;
  platform::Process process_;
  std::string token_;
  bool started_ = false;
};

}  // namespace mainstay::app
