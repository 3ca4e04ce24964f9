#include "runs/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "platform/crypto.h"
#include "platform/files/files.h"
#include "platform/loop/thread_name.h"
#include "runs/commit_id.h"
#include "runs/event_line.h"
#include "runs/run_archive.h"
#include "runs/run_documents.h"
#include "runs/summary.h"
#include "telemetry/log_line.h"

namespace mainstay::runs {
namespace {

constexpr std::size_t kBatch = 1024;
constexpr std::size_t kMaxEvents = 16 * 1024;

model::Sequence read_position(const std::string& path) {
  const auto text = platform::read_file(path, 64);
  if (!text) return 0;
  model::Sequence seq = 0;
  for (const char c : *text) {
    if (c < '0' || c > '9') break;
    seq = seq * 10 + (c - '0');
  }
  return seq;
}

}  // namespace

Recorder::Recorder(RecorderOptions options, RecorderPorts ports)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      start_position_(read_position(options_.position_file)),
      written_(start_position_) {}

Recorder::~Recorder() { stop(); }

void Recorder::start() {
  thread_ = std::thread([this] { run(); });
}

void Recorder::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  room_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Recorder::drain(Duration patience) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, patience, [this] { return queue_.empty() && !writing_; });
}

void Recorder::event(const model::Event& event) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return queue_.size() - telemetry_waiting_ < kMaxEvents || stopping_; });
  queue_.emplace_back(event);
  if (queue_.size() == 1) wake_.notify_one();
}

void Recorder::log(model::LogRecord record) {
  std::lock_guard lock(mutex_);
  if (telemetry_waiting_ >= options_.queue_limit) {
    ++dropped_;
    return;
  }
  ++telemetry_waiting_;
  queue_.emplace_back(std::move(record));
  if (queue_.size() == 1) wake_.notify_one();
}

void Recorder::span(model::SpanRecord record) {
  std::lock_guard lock(mutex_);
  if (telemetry_waiting_ >= options_.queue_limit) {
    ++dropped_;
    return;
  }
  ++telemetry_waiting_;
  queue_.emplace_back(std::move(record));
  if (queue_.size() == 1) wake_.notify_one();
}

std::int64_t Recorder::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void Recorder::run() {
  platform::name_this_thread("ms-recorder");
  while (true) {
    std::vector<Entry> batch;
    {
      std::unique_lock lock(mutex_);
      writing_ = false;
      if (queue_.empty()) idle_.notify_all();
      wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
      writing_ = true;
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < kBatch) {
        if (!std::holds_alternative<model::Event>(queue_.front())) --telemetry_waiting_;
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    room_.notify_all();
    for (const Entry& entry : batch) {
      std::visit([this](const auto& item) { write(item); }, entry);
    }
    note_dropped();
    keep_position();
  }
}

void Recorder::write(const model::Event& event) {
  if (event.seq <= written_) return;
  written_ = event.seq;
  if (event.kind == "run.started") begin_run(event.subject);
  if (event.kind.starts_with("agent.")) {
    write_agent_event(event);
    return;
  }
  const EventLine line = line_of(event);
  if (line.record.context.run_id.empty()) {
    write_line(line.record);
    return;
  }
  RunFiles* files = files_of(line.record.context.run_id, line.record.context.pipeline);
  if (files == nullptr) return;
  LiveRun& run = live_[line.record.context.run_id];
  if (event.kind == "step.started") {
    run.steps[line.record.context.stage] = line.record.context.step;
    files->prepare_step(line.record.context.step);
  }
  write_line(line.record);
  if (line.metrics) write_line(*line.metrics);
  if (event.kind == "step.finished") run.steps.erase(line.record.context.stage);
  if (event.kind == "run.finished") end_run(event.subject);
}

// Downtime of an agent concerns every step that runs meanwhile: it goes to their validator logs.
void Recorder::write_agent_event(const model::Event& event) {
  EventLine line = line_of(event);
  line.record.context.component = "validator";
  write_line(line.record);
  for (const auto& [run_id, run] : live_) {
    for (const auto& [stage, step] : run.steps) {
      line.record.context.run_id = run_id;
      line.record.context.pipeline = run.pipeline;
      line.record.context.stage = stage;
      line.record.context.step = step;
      run.files->append_step(step, "validator", telemetry::to_json_line(line.record));
    }
  }
}

void Recorder::write(const model::LogRecord& record) { write_line(record); }

void Recorder::write_line(const model::LogRecord& record) {
  const std::string text = telemetry::to_json_line(record);
  RunFiles* files = files_of(record.context.run_id, record.context.pipeline);
  if (files == nullptr) {
    if (!fleet_log_.is_open()) {
      auto file = platform::open_file(options_.fleet_log, O_WRONLY | O_APPEND | O_CREAT, 0600);
      if (!file) return;
      fleet_log_ = std::move(*file);
    }
    (void)platform::write_all(fleet_log_.get(), text, options_.fleet_log);
    return;
  }
  if (record.context.step > 0) {
    files->append_step(record.context.step,
                       record.context.component.empty() ? "adapter" : record.context.component,
                       text);
  } else {
    files->append_run(text);
  }
}

void Recorder::write(const model::SpanRecord& record) {
  RunFiles* files = files_of(record.context.run_id, record.context.pipeline);
  if (files != nullptr) files->append_span(telemetry::to_json_line(record));
}

// A run that is known by its folder is live until its end: also one that began before a restart.
RunFiles* Recorder::files_of(const std::string& run_id, const std::string& pipeline) {
  if (run_id.empty()) return nullptr;
  if (auto found = live_.find(run_id); found != live_.end()) return found->second.files.get();
  if (pipeline.empty()) return nullptr;
  RunLayout layout(options_.runs_root, pipeline, run_id);
  // A line that comes after the archive was made has no place in it any more.
  if (platform::path_exists(layout.archive())) return nullptr;
  LiveRun run{pipeline, std::make_unique<RunFiles>(std::move(layout)), {}};
  if (!run.files->prepare()) return nullptr;
  return live_.emplace(run_id, std::move(run)).first->second.files.get();
}

void Recorder::begin_run(const std::string& run_id) {
  const auto id = model::RunId::from_text(run_id);
  if (!id) return;
  auto details = ports_.details(*id);
  if (!details) return;
  RunFiles* files = files_of(run_id, details->spec->pipeline->name);
  if (files == nullptr) return;
  std::vector<std::pair<std::string, std::string>> hashes;
  for (const std::string& name : options_.manifest_files) {
    const auto bytes = platform::read_file(options_.project_folder + "/" + name);
    if (bytes) hashes.emplace_back(name, platform::sha256_hex(*bytes));
  }
  const std::string commit = commit_id_of(options_.project_folder).value_or("none");
  const RunLayout& layout = files->layout();
  (void)platform::write_file_atomic(layout.file("commit.txt"), commit + "\n", 0644);
  (void)platform::write_file_atomic(layout.file("manifest.json"),
                                    manifest_json(*details, options_, hashes, commit), 0644);
  (void)platform::write_file_atomic(layout.file("metadata.json"), metadata_json(*details, options_),
                                    0644);
}

void Recorder::end_run(const std::string& run_id) {
  const auto id = model::RunId::from_text(run_id);
  auto found = live_.find(run_id);
  if (!id || found == live_.end()) return;
  auto details = ports_.details(*id);
  if (!details) return;
  RunFiles& files = *found->second.files;
  for (const model::SpanRecord& span : spans_of(*details, options_.span_prefix)) {
    files.append_span(telemetry::to_json_line(span));
  }
  files.close_all();
  const RunLayout layout = files.layout();
  live_.erase(found);
  const LogCounts logs = scan_logs(layout.logs());
  const RunReport report = make_report(*details, options_, logs);
  (void)platform::write_file_atomic(layout.file("metadata.json"), metadata_json(*details, options_),
                                    0644);
  (void)platform::write_file_atomic(layout.file("metrics.json"), metrics_json(report, logs), 0644);
  (void)platform::write_file_atomic(layout.file("logs_summary.txt"), render_summary(report), 0644);
  auto archived = archive_run(layout);
  if (!archived) {
    model::LogRecord record;
    record.at = ports_.wall_clock();
    record.level = model::LogLevel::ERROR;
    record.context.component = "recorder";
    record.message =
        fmt::format("run {} could not be archived: {}", run_id, archived.error().to_text());
    write_line(record);
    return;
  }
  std::string path = archived->path;
  if (path.starts_with(options_.project_folder + "/")) {
    path.erase(0, options_.project_folder.size() + 1);
  }
  ports_.fact(model::RunArchived{*id, std::move(path), archived->size_bytes, archived->sha256});
}

void Recorder::note_dropped() {
  const std::int64_t now_dropped = dropped();
  if (now_dropped == dropped_told_) return;
  model::LogRecord record;
  record.at = ports_.wall_clock();
  record.level = model::LogLevel::WARNING;
  record.context.component = "recorder";
  record.message = fmt::format("{} log lines and spans were dropped: the recorder's queue was full",
                               now_dropped - dropped_told_);
  dropped_told_ = now_dropped;
  write_line(record);
}

void Recorder::keep_position() {
  auto file = platform::open_file(options_.position_file, O_WRONLY | O_CREAT, 0600);
  if (!file) return;
  // Written in place: it is a hint, and the same or an earlier position is safe.
  (void)platform::write_all(file->get(), fmt::format("{:020}\n", written_), options_.position_file);
}

}  // namespace mainstay::runs
