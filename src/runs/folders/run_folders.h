// The folders of runs: written while the runs go on, completed and archived at their end, and
// written later when that was not possible (RUN-1, RUN-4).
//
// A folder that cannot be written never stops work. Events are in the journal: their lines are
// written when the folder can be, at the latest after a restart. What agents say meanwhile goes to
// the fleet's log; spans are lost. The run's own log says in the end what is missing and why.
//
// The recorder's thread; counters and trouble() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "platform/files/fd.h"
#include "runs/folders/run_archive.h"
#include "runs/folders/run_files.h"
#include "runs/folders/run_losses.h"
#include "runs/logs/run_lines.h"
#include "runs/recorder_types.h"

namespace mainstay::runs {

class RunFolders {
 public:
  /// Runs that wait for their folder and are kept in memory; more are known by their rows only, and
  /// are found again at the next start.
  static constexpr std::size_t kMaxWaiting = 10'000;

  /// Both must outlive it. `last`: the event that was written last, before this start.
  RunFolders(const RecorderOptions& options, const RecorderPorts& ports, model::Sequence last);

  /// In the order of the journal.
  void write(const model::Event& event);
  void write(const model::LogRecord& record);
  void write(const model::SpanRecord& span);
  /// A line of the recorder itself, in the fleet's log.
  void note(model::LogLevel level, std::string message);

  /// Completes the runs that ended without a recorded archive before this start: the daemon was
  /// killed at that moment, or the folder could not be written.
  void complete_ended();
  /// Tries again what could not be written.
  void retry();
  bool has_to_retry() const { return waiting_ > 0; }

  /// Lines and spans that could not be written where they belong.
  std::int64_t failed_writes() const { return failed_writes_; }
  /// Runs whose folder waits to be written.
  std::int64_t waiting() const { return waiting_; }
  /// Why folders, or the fleet's log, cannot be written; empty: they can.
  std::string trouble() const;

 private:
  struct Run {
    std::string pipeline;
    std::unique_ptr<RunFiles> files;  // none: its folder cannot be made
    RunLines lines;
    Losses losses;
    bool seen = false;       // an event of it was written, or what came before it
    bool from_rows = false;  // nobody saw it written: look for what its logs lack
    bool ended = false;      // only its completion is owed
    bool failing = false;    // something could not be written, and was not made good yet
  };

  Run* run_of(const std::string& run_id, const std::string& pipeline);
  Result<void> open_folder(const std::string& run_id, Run& run);
  void begin(const std::string& run_id, Run& run);
  void catch_up(const std::string& run_id, Run& run, model::Sequence until);
  void write_lines(Run& run, const std::string& run_id, const std::vector<RunLine>& lines);
  void write_agent_event(const model::Event& event);
  void write_fleet(const model::LogRecord& record);
  bool write_fleet_line(const std::string& text);

  void finish(const std::string& run_id);
  Result<void> complete(model::RunId id, const std::string& run_id);
  Result<void> fill_in(model::RunId id, const RunDetails& details, Run& run);
  Result<void> mark_losses(const std::string& run_id, Run& run);
  Result<void> restore(model::RunId id, Run& run, model::Sequence until);
  void announce(model::RunId id, const ArchiveInfo& archive);

  void lose(const std::string& run_id, Run& run, const Error& why);
  void alarm(const std::string& run_id, Run& run, const Error& why);
  void settle();
  void set_trouble(std::string& which, const std::string& reason);

  const RecorderOptions& options_;
  const RecorderPorts& ports_;
  model::Sequence last_;
  std::map<std::string, Run> runs_;
  std::set<std::string> announced_;  // archived; the event that records it has not come yet
  platform::Fd fleet_log_;
  std::string retried_last_;

  std::atomic<std::int64_t> failed_writes_ = 0;
  std::atomic<std::int64_t> waiting_ = 0;
  mutable std::mutex mutex_;
  std::string folder_trouble_;  // changed by the recorder's thread only, under the mutex
  std::string fleet_trouble_;
};

}  // namespace mainstay::runs
