#include "runs/folders/run_folders.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "platform/files/files.h"
#include "runs/documents/run_documents.h"
#include "runs/documents/run_edges.h"
#include "runs/folders/run_restore.h"
#include "runs/logs/event_line.h"
#include "runs/logs/log_file.h"
#include "telemetry/log_line.h"

namespace mainstay::runs {
namespace {

/// Runs that one retry() looks at: events wait meanwhile.
constexpr std::size_t kRetried = 64;

}  // namespace

RunFolders::RunFolders(const RecorderOptions& options, const RecorderPorts& ports,
                       model::Sequence last)
    : options_(options), ports_(ports), last_(last) {}

void RunFolders::write(const model::Event& event) {
  last_ = event.seq;
  if (event.kind == "run.archived") {
    announced_.erase(event.subject);
    return;
  }
  if (event.kind.starts_with("agent.")) return write_agent_event(event);
  const EventLine line = line_of(event);
  const std::string& run_id = line.record.context.run_id;
  if (run_id.empty()) return write_fleet(line.record);
  if (Run* run = run_of(run_id, line.record.context.pipeline)) {
    if (event.kind == "run.started") {
      begin(run_id, *run);
    } else {
      catch_up(run_id, *run, event.seq - 1);
    }
    if (event.kind == "step.started" && run->files) {
      auto made = run->files->prepare_step(line.record.context.step);
      if (!made) lose(run_id, *run, made.error());
    }
    write_lines(*run, run_id, run->lines.of(event, line));
  }
  // Also when the archive is there: the daemon may have been killed before it was recorded.
  if (event.kind == "run.finished") finish(run_id);
}

void RunFolders::write_lines(Run& run, const std::string& run_id,
                             const std::vector<RunLine>& lines) {
  if (!run.files) return;  // the journal keeps them until there is a folder
  for (const RunLine& line : lines) {
    auto added = run.files->append(line.step, line.component, line.text);
    if (!added) lose(run_id, run, added.error());
  }
}

void RunFolders::write_agent_event(const model::Event& event) {
  EventLine line = line_of(event);
  line.record.context.component = "validator";
  write_fleet(line.record);
  for (auto& [run_id, run] : runs_) {
    write_lines(run, run_id, run.lines.of_agent(run_id, run.pipeline, line));
  }
}

void RunFolders::write(const model::LogRecord& record) {
  const model::LogContext& context = record.context;
  const std::string text = telemetry::to_json_line(record);
  Run* run = run_of(context.run_id, context.pipeline);
  if (run != nullptr && run->files) {
    // One type on both sides: a literal beside a std::string makes a string that is gone at once.
    const std::string_view component =
        context.component.empty() ? std::string_view("adapter") : context.component;
    auto added = run->files->append(context.step, component, text);
    if (added) return;
    lose(context.run_id, *run, added.error());
  } else if (run != nullptr) {
    ++failed_writes_;
  }
  if (write_fleet_line(text) && run != nullptr) ++run->losses.elsewhere;
}

void RunFolders::write(const model::SpanRecord& span) {
  Run* run = run_of(span.context.run_id, span.context.pipeline);
  if (run == nullptr) return;
  Result<void> added;
  if (run->files) {
    added = run->files->append_span(telemetry::to_json_line(span));
    if (added) return;
    lose(span.context.run_id, *run, added.error());
  } else {
    ++failed_writes_;
  }
  ++run->losses.spans;
}

void RunFolders::note(model::LogLevel level, std::string message) {
  model::LogRecord record;
  record.at = ports_.wall_clock();
  record.level = level;
  record.context.component = "recorder";
  record.message = std::move(message);
  write_fleet(record);
}

void RunFolders::write_fleet(const model::LogRecord& record) {
  write_fleet_line(telemetry::to_json_line(record));
}

bool RunFolders::write_fleet_line(const std::string& text) {
  Result<void> written;
  if (!fleet_log_.is_open()) {
    auto file = open_log_file(options_.fleet_log, 0600);
    if (!file) written = std::move(file).error();
    if (file) fleet_log_ = std::move(*file);
  }
  if (written) written = platform::write_all(fleet_log_.get(), text, options_.fleet_log);
  if (written) {
    if (!fleet_trouble_.empty()) set_trouble(fleet_trouble_, "");
    return true;
  }
  fleet_log_.reset();
  ++failed_writes_;
  if (fleet_trouble_.empty()) set_trouble(fleet_trouble_, written.error().message());
  return false;
}

// A run that is known by its folder is live until its end: also one that began before a restart.
RunFolders::Run* RunFolders::run_of(const std::string& run_id, const std::string& pipeline) {
  if (run_id.empty()) return nullptr;
  if (auto found = runs_.find(run_id); found != runs_.end()) return &found->second;
  if (pipeline.empty()) return nullptr;
  // A line that comes after the archive was made has no place in it any more.
  const RunLayout layout(options_.runs_root, pipeline, run_id);
  if (platform::path_exists(layout.archive())) return nullptr;
  Run& run = runs_[run_id];
  run.pipeline = pipeline;
  if (auto opened = open_folder(run_id, run); !opened) {
    lose(run_id, run, opened.error());
    settle();
  }
  return &run;
}

Result<void> RunFolders::open_folder(const std::string& run_id, Run& run) {
  auto files = std::make_unique<RunFiles>(RunLayout(options_.runs_root, run.pipeline, run_id));
  if (auto made = files->prepare(); !made) return made;
  run.files = std::move(files);
  return {};
}

void RunFolders::begin(const std::string& run_id, Run& run) {
  run.seen = true;
  const auto id = model::RunId::from_text(run_id);
  if (!id || !run.files) return;
  auto details = ports_.details(*id);
  if (!details) return;  // what lacks at the end is written then
  auto put = write_start_documents(run.files->layout(), *details, options_);
  if (!put) lose(run_id, run, put.error());
}

// The first event that is seen of a run that began before this start: where its folder is not there
// what came before goes first, since a log is read from its beginning.
void RunFolders::catch_up(const std::string& run_id, Run& run, model::Sequence until) {
  if (run.seen || !run.files) return;
  run.seen = true;
  const auto id = model::RunId::from_text(run_id);
  if (!id || has_start_documents(run.files->layout())) return;
  // What fails now is made good at the run's end.
  (void)restore(*id, run, until);
}

void RunFolders::finish(const std::string& run_id) {
  const auto id = model::RunId::from_text(run_id);
  if (!id || announced_.contains(run_id)) return;
  auto done = complete(*id, run_id);
  if (done) {
    runs_.erase(run_id);
  } else {
    Run& run = runs_[run_id];
    run.ended = true;
    alarm(run_id, run, done.error());
    if (waiting_ >= static_cast<std::int64_t>(kMaxWaiting)) runs_.erase(run_id);
  }
  settle();
}

// Every step may be done again after it was cut off: what is there already stays, or is written
// again with the same content.
Result<void> RunFolders::complete(model::RunId id, const std::string& run_id) {
  auto details = ports_.details(id);
  if (!details && details.error().code() == Code::not_found) return {};
  if (!details) return std::move(details).error();
  if (details->archived) return {};
  auto [found, is_new] = runs_.try_emplace(run_id);
  Run& run = found->second;
  run.pipeline = details->spec->pipeline->name;
  run.from_rows = run.from_rows || is_new;
  if (!run.files) {
    if (auto opened = open_folder(run_id, run); !opened) return opened;
  }
  if (auto filled = fill_in(id, *details, run); !filled) return filled;
  if (auto added = restore_spans(spans_of(*details, options_.span_prefix), *run.files); !added) {
    return added;
  }
  run.files->close_all();
  const RunLayout layout = run.files->layout();
  if (auto put = write_end_documents(layout, *details, options_); !put) return put;
  auto archived = archive_run(layout);
  if (!archived) return std::move(archived).error();
  announce(id, *archived);
  return {};
}

void RunFolders::announce(model::RunId id, const ArchiveInfo& archive) {
  std::string path = archive.path;
  if (path.starts_with(options_.project_folder + "/")) {
    path.erase(0, options_.project_folder.size() + 1);
  }
  announced_.insert(id.to_text());
  ports_.fact(model::RunArchived{id, std::move(path), archive.size_bytes, archive.sha256});
}

// Most runs were written as they went on, and lack nothing.
Result<void> RunFolders::fill_in(model::RunId id, const RunDetails& details, Run& run) {
  const RunLayout& layout = run.files->layout();
  run.losses.vanished_files += run.files->vanished();
  const bool late_start = !has_start_documents(layout);
  run.losses.late_start = run.losses.late_start || late_start;
  if (!run.from_rows && !run.losses.any()) return {};
  // What was removed is no longer written to: the files are made anew.
  run.files->close_all();
  if (auto made = run.files->prepare(); !made) return made;
  if (auto done = restore(id, run, last_); !done) return done;
  if (late_start) {
    if (auto put = write_start_documents(layout, details, options_); !put) return put;
  }
  return mark_losses(id.to_text(), run);
}

Result<void> RunFolders::restore(model::RunId id, Run& run, model::Sequence until) {
  if (!ports_.events) return {};
  auto restored = restore_lines({id, run.pipeline, until}, ports_.events, *run.files);
  if (!restored) return std::move(restored).error();
  run.losses.restored += *restored;
  return {};
}

// What a reader of the folder must know, where he reads it.
Result<void> RunFolders::mark_losses(const std::string& run_id, Run& run) {
  const std::string what = to_text(run.losses, options_.fleet_log);
  if (what.empty()) return {};
  model::LogRecord record;
  record.at = ports_.wall_clock();
  record.level = model::LogLevel::WARNING;
  record.context.run_id = run_id;
  record.context.pipeline = run.pipeline;
  record.context.component = "recorder";
  record.message = what;
  auto marked = run.files->append(0, "", telemetry::to_json_line(record));
  if (marked) run.losses = {};
  return marked;
}

void RunFolders::complete_ended() {
  if (!ports_.unarchived) return;
  const auto ended = ports_.unarchived();
  if (!ended) {
    note(model::LogLevel::ERROR,
         "cannot look for runs without an archive: " + ended.error().to_text());
    return;
  }
  for (const model::RunId& id : *ended) {
    // A run that is live here is completed by its own last event.
    if (const std::string run_id = id.to_text(); !runs_.contains(run_id)) finish(run_id);
  }
}

void RunFolders::retry() {
  std::vector<std::string> some;
  for (auto at = runs_.upper_bound(retried_last_); at != runs_.end(); ++at) {
    if (some.size() == kRetried) break;
    if (at->second.ended || !at->second.files) some.push_back(at->first);
  }
  retried_last_ = some.size() == kRetried ? some.back() : "";
  for (const std::string& run_id : some) {
    Run& run = runs_.at(run_id);
    const auto id = model::RunId::from_text(run_id);
    if (run.ended) {
      finish(run_id);
    } else if (id && open_folder(run_id, run)) {
      run.failing = false;
      begin(run_id, run);
      // What fails now is made good at the run's end.
      (void)restore(*id, run, last_);
    }
  }
  settle();
}

void RunFolders::lose(const std::string& run_id, Run& run, const Error& why) {
  ++failed_writes_;
  if (run.losses.reason.empty()) run.losses.reason = why.message();
  alarm(run_id, run, why);
}

// Told once, when it begins: a line for each would be the next trouble.
void RunFolders::alarm(const std::string& run_id, Run& run, const Error& why) {
  run.failing = true;
  if (!folder_trouble_.empty()) return;
  set_trouble(folder_trouble_, why.message());
  note(model::LogLevel::ERROR,
       fmt::format("the folder of run {} cannot be written: {}; work goes on, and the folder is "
                   "written as soon as it can be",
                   run_id, why.message()));
}

void RunFolders::settle() {
  std::int64_t waiting = 0;
  bool failing = false;
  for (const auto& [run_id, run] : runs_) {
    if (run.ended || !run.files) ++waiting;
    failing = failing || run.failing;
  }
  waiting_ = waiting;
  if (failing || folder_trouble_.empty()) return;
  set_trouble(folder_trouble_, "");
  note(model::LogLevel::INFO, "the folders of runs can be written again");
}

std::string RunFolders::trouble() const {
  std::lock_guard lock(mutex_);
  return folder_trouble_.empty() ? fleet_trouble_ : folder_trouble_;
}

void RunFolders::set_trouble(std::string& which, const std::string& reason) {
  const std::string before = trouble();
  {
    std::lock_guard lock(mutex_);
    which = reason;
  }
  const std::string now = trouble();
  if (ports_.trouble && now != before) ports_.trouble(now);
}

}  // namespace mainstay::runs
