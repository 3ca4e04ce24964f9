// Runs and their logs from the project's own files, in the API's form, for when no daemon runs to
// be asked. Reads only; a daemon that starts meanwhile is not in the way.
#pragma once

#include <string>
#include <vector>

#include "app/cli/client/daemon_client.h"
#include "app/cli/options.h"
#include "app/project.h"
#include "base/result.h"
#include "model/row.h"

namespace mainstay::app {

/// not_found, in the words of the API, when there is no such run.
Result<Answer> stored_run(const Project& project, const std::string& id);
/// As `GET /v1/runs`.
Result<Answer> stored_runs(const Project& project, const ListOptions& options);
/// The newest lines, of a run or of the fleet.
Result<std::vector<std::string>> stored_lines(const Project& project, const LogsOptions& options);
/// conflict: the run is not archived yet.
Result<model::ArchiveRow> stored_archive(const Project& project, const std::string& id);

/// Says on stderr that the answer is of the files, as they were left.
void say_no_daemon_runs();

}  // namespace mainstay::app
