#include "runs/documents/run_edges.h"

#include <string>
#include <utility>
#include <vector>

#include "platform/crypto.h"
#include "platform/files/files.h"
#include "runs/documents/commit_id.h"
#include "runs/documents/run_documents.h"
#include "runs/documents/summary.h"
#include "runs/logs/log_scan.h"

namespace mainstay::runs {
namespace {

using Document = std::pair<std::string_view, std::string>;

Result<void> write_all_of(const RunLayout& layout, const std::vector<Document>& documents) {
  for (const auto& [name, text] : documents) {
    auto put = platform::write_file_atomic(layout.file(name), text, 0644);
    if (!put) return put;
  }
  return {};
}

}  // namespace

Result<void> write_start_documents(const RunLayout& layout, const RunDetails& details,
                                   const RecorderOptions& options) {
  std::vector<std::pair<std::string, std::string>> hashes;
  for (const std::string& name : options.manifest_files) {
    const auto bytes = platform::read_file(options.project_folder + "/" + name);
    if (bytes) hashes.emplace_back(name, platform::sha256_hex(*bytes));
  }
  const std::string commit = commit_id_of(options.project_folder).value_or("none");
  return write_all_of(layout, {{"commit.txt", commit + "\n"},
                               {"manifest.json", manifest_json(details, options, hashes, commit)},
                               {"metadata.json", metadata_json(details, options)}});
}

bool has_start_documents(const RunLayout& layout) {
  return platform::path_exists(layout.file("commit.txt")) &&
         platform::path_exists(layout.file("manifest.json"));
}

Result<void> write_end_documents(const RunLayout& layout, const RunDetails& details,
                                 const RecorderOptions& options) {
  const LogCounts logs = scan_logs(layout.logs());
  const RunReport report = make_report(details, options, logs);
  return write_all_of(layout, {{"metadata.json", metadata_json(details, options)},
                               {"metrics.json", metrics_json(report, logs)},
                               {"logs_summary.txt", render_summary(report)}});
}

}  // namespace mainstay::runs
