#include "runs/folders/run_restore.h"

#include <fstream>
#include <functional>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runs/logs/log_scan.h"
#include "runs/logs/run_lines.h"
#include "telemetry/log_line.h"

namespace mainstay::runs {
namespace {

// Lines are known by their hash: there may be millions.
class KnownLines {
 public:
  void read(const std::string& path) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) hashes_.insert(hash_of(path, line));
  }
  bool has(const std::string& path, std::string_view text) const {
    return hashes_.contains(hash_of(path, text.substr(0, text.rfind('\n'))));
  }

 private:
  static std::size_t hash_of(const std::string& path, std::string_view line) {
    const std::hash<std::string_view> hash;
    return hash(path) * 31 + hash(line);
  }

  std::unordered_set<std::size_t> hashes_;
};

class Restorer {
 public:
  Restorer(const RestoreOrder& order, RunFiles& files)
      : order_(order), run_id_(order.run.to_text()), files_(files) {
    const std::string logs = files.layout().logs();
    for (const std::string& file : files_under(logs)) {
      if (file.ends_with(".log")) known_.read(logs + "/" + file);
    }
  }

  /// False: that was all.
  bool take(const model::Event& event) {
    if (event.seq > order_.until) return false;
    const bool of_agent = event.kind.starts_with("agent.");
    // Most events in between are those of other runs' work.
    if (!of_agent && event.subject != run_id_ && event.body.find(run_id_) == std::string::npos) {
      return true;
    }
    const EventLine line = line_of(event);
    if (of_agent) {
      put(lines_.of_agent(run_id_, order_.pipeline, line));
    } else if (line.record.context.run_id == run_id_ && event.kind != "run.archived") {
      if (event.kind == "step.started") failed_ = files_.prepare_step(line.record.context.step);
      put(lines_.of(event, line));
    }
    return failed_.has_value() && !(event.kind == "run.finished" && event.subject == run_id_);
  }

  Result<std::int64_t> result() const {
    if (!failed_) return failed_.error();
    return added_;
  }

 private:
  void put(const std::vector<RunLine>& lines) {
    for (const RunLine& line : lines) {
      const std::string path = line.step > 0 ? files_.layout().step_log(line.step, line.component)
                                             : files_.layout().run_log();
      if (!failed_ || known_.has(path, line.text)) continue;
      failed_ = files_.append(line.step, line.component, line.text);
      if (failed_) ++added_;
    }
  }

  const RestoreOrder& order_;
  const std::string run_id_;
  RunFiles& files_;
  KnownLines known_;
  RunLines lines_;
  Result<void> failed_;
  std::int64_t added_ = 0;
};

}  // namespace

Result<std::int64_t> restore_lines(const RestoreOrder& order, const EventsOfRun& events,
                                   RunFiles& files) {
  Restorer restorer(order, files);
  auto read =
      events(order.run, [&restorer](const model::Event& event) { return restorer.take(event); });
  if (!read) return std::move(read).error();
  return restorer.result();
}

Result<void> restore_spans(const std::vector<model::SpanRecord>& spans, RunFiles& files) {
  const std::string path = files.layout().file("spans.jsonl");
  KnownLines known;
  known.read(path);
  for (const model::SpanRecord& span : spans) {
    const std::string text = telemetry::to_json_line(span);
    if (known.has(path, text)) continue;
    if (auto added = files.append_span(text); !added) return added;
  }
  return {};
}

}  // namespace mainstay::runs
