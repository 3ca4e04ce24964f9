// logs_summary.txt (RUN-3): what happened in a run, in 80 columns and at most about 10 KB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runs/documents/report.h"

namespace mainstay::runs {

/// The summary without its ARCHIVE section; that is the one inside the archive.
std::string render_summary(const RunReport& report);

/// The section appended to the outer summary once the archive is there.
std::string render_archive_section(std::string_view file, std::int64_t size_bytes,
                                   std::string_view sha256);

/// The heading line that begins the ARCHIVE section; what stands before it (and its rule) is equal
/// to the archived summary.
inline constexpr std::string_view kArchiveHeading = "ARCHIVE";

}  // namespace mainstay::runs
