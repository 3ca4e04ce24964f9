// Ids as people type them: whole, or the first digits, as the live view and git show theirs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/client/daemon_client.h"
#include "base/result.h"

namespace mainstay::app {

/// The last id that can begin like this (ids of one list are ordered by time); nullopt for whole
/// ids, for fewer than 4 digits, and for what begins no id.
std::optional<std::string> last_id_like(std::string_view beginning);

/// The one of `ids` (the newest up to last_id_like(given), at least two where there are as many)
/// that begins like `given`; `given` itself when none does: what follows will say so.
/// invalid_argument when several do.
Result<std::string> only_id_like(const std::string& given, const std::vector<std::string>& ids);

/// `given` when it is a whole id; not_found when it is empty or none can look like it. list: `work`
/// or `runs`; what: the argument or option that it came by.
Result<std::string> checked_id(std::string_view list, const std::string& given,
                               std::string_view what = "ID");

/// Asks the daemon; not_found as checked_id.
Result<std::string> whole_id(DaemonClient& daemon, std::string_view list, const std::string& given,
                             std::string_view what = "ID");

/// Where the API has the agent of this name; not_found when it is empty.
Result<std::string> agent_target(const std::string& name);

}  // namespace mainstay::app
