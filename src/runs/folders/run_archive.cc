#include "runs/folders/run_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "platform/crypto.h"
#include "platform/files/archive.h"
#include "platform/files/files.h"
#include "runs/documents/summary.h"
#include "runs/logs/log_scan.h"

namespace mainstay::runs {
namespace {

constexpr std::string_view kSummary = "logs_summary.txt";
constexpr std::string_view kArchive = "run.tar.gz";
constexpr std::size_t kMaxFile = std::size_t{4} << 30;

// Names with `.tmp` are files that were being written when the daemon was killed.
bool is_archived(std::string_view path) {
  const bool is_half = path.ends_with(".tmp") || (path.find('/') == std::string_view::npos &&
                                                  path.find(".tmp-") != std::string_view::npos);
  return !path.starts_with("workspace/") && !path.starts_with("artifacts/") &&
         !path.starts_with("run.tar.") && !is_half;
}

// The outer summary up to the rule above its ARCHIVE heading: what the archive holds.
std::string_view archived_part(std::string_view summary) {
  const std::string section = render_archive_section("", 0, "");
  const std::string_view opening = std::string_view(section).substr(0, section.find("File:"));
  return summary.substr(0, summary.find(opening));
}

Result<ArchiveInfo> describe(const std::string& path) {
  auto bytes = platform::read_regular_file(path, kMaxFile);
  if (!bytes) return std::move(bytes).error();
  return ArchiveInfo{path, static_cast<std::int64_t>(bytes->size()), platform::sha256_hex(*bytes)};
}

// Writes the summary and leaves its time, which is in the archive: else archiving again, a second
// later, would give another one.
Result<void> rewrite_summary(const std::string& path, std::string_view text) {
  std::error_code failed;
  const auto time = std::filesystem::last_write_time(path, failed);
  if (failed) return platform::io_error("cannot stat", path, failed.value());
  if (auto put = platform::write_file_atomic(path, text, 0644); !put) return put;
  std::filesystem::last_write_time(path, time, failed);
  if (failed) return platform::io_error("cannot set the time of", path, failed.value());
  return {};
}

// The outer summary is the archived one and the ARCHIVE section, nothing else.
void compare_summary(std::string_view outside, const std::string& archived,
                     const ArchiveInfo& recorded, VerifyReport& report) {
  const std::string_view part = archived_part(outside);
  if (part != archived) {
    report.problems.push_back(
        fmt::format("{}: the folder's file differs from the archived one", kSummary));
  }
  const std::string section =
      render_archive_section(kArchive, recorded.size_bytes, recorded.sha256);
  if (outside.substr(part.size()) != section) {
    report.problems.push_back(
        fmt::format("{}: its ARCHIVE section is not what was recorded ({} bytes, SHA-256 {})",
                    kSummary, recorded.size_bytes, recorded.sha256));
  }
}

void compare_file(const RunLayout& layout, std::string_view path, const std::string& bytes,
                  const ArchiveInfo& recorded, VerifyReport& report) {
  auto outside = platform::read_regular_file(layout.file(path), kMaxFile);
  if (!outside && outside.error().code() == Code::not_found) {
    report.problems.push_back(fmt::format("{}: in the archive, not in the folder", path));
  } else if (!outside) {
    report.problems.push_back(fmt::format("{}: {}", path, outside.error().message()));
  } else if (path == kSummary) {
    compare_summary(*outside, bytes, recorded, report);
  } else if (*outside != bytes) {
    report.problems.push_back(
        fmt::format("{}: the folder's file differs from the archived one", path));
  }
}

using Paths = std::set<std::string, std::less<>>;

void look_for_what_lacks(const RunLayout& layout, const Paths& archived, VerifyReport& report) {
  for (const std::string& path : files_under(layout.folder())) {
    if (is_archived(path) && !archived.contains(path)) {
      report.problems.push_back(path + ": in the folder, not in the archive");
    }
  }
  for (const std::string_view path : kRequiredFiles) {
    if (!archived.contains(path)) {
      report.problems.push_back(fmt::format("{}: not in the archive; every run has one", path));
    }
  }
}

}  // namespace

Result<ArchiveInfo> archive_run(const RunLayout& layout) {
  const std::string summary_path = layout.file(kSummary);
  auto summary = platform::read_regular_file(summary_path, kMaxFile);
  if (!summary) return std::move(summary).error();
  const std::string plain(archived_part(*summary));
  if (plain != *summary) {
    if (auto put = rewrite_summary(summary_path, plain); !put) return std::move(put).error();
  }
  std::vector<platform::ArchiveEntry> entries;
  for (const std::string& path : files_under(layout.folder())) {
    if (is_archived(path)) entries.push_back({layout.file(path), path});
  }
  if (auto written = platform::write_tar_gz(layout.archive(), entries); !written) {
    return std::move(written).error();
  }
  auto info = describe(layout.archive());
  if (!info) return info;
  const std::string whole =
      plain + render_archive_section(kArchive, info->size_bytes, info->sha256);
  if (auto put = rewrite_summary(summary_path, whole); !put) return std::move(put).error();
  return info;
}

Result<VerifyReport> verify_run(const RunLayout& layout, const ArchiveInfo& recorded) {
  auto found = describe(layout.archive());
  if (!found) return std::move(found).error();
  VerifyReport report;
  if (found->size_bytes != recorded.size_bytes) {
    report.problems.push_back(fmt::format("run.tar.gz has {} bytes, {} were recorded",
                                          found->size_bytes, recorded.size_bytes));
  }
  if (found->sha256 != recorded.sha256) {
    report.problems.push_back(
        fmt::format("run.tar.gz has SHA-256 {}, {} was recorded", found->sha256, recorded.sha256));
  }
  Paths archived;
  const auto read =
      platform::read_tar_gz(layout.archive(), [&](std::string_view path, const std::string& bytes) {
        ++report.files;
        archived.emplace(path);
        compare_file(layout, path, bytes, recorded, report);
      });
  if (!read) report.problems.push_back(read.error().message());
  look_for_what_lacks(layout, archived, report);
  report.ok = report.problems.empty();
  return report;
}

}  // namespace mainstay::runs
