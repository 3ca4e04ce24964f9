// Ids as people type them: whole, or the first digits, as the live view and git show theirs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/daemon_client.h"
#include "base/result.h"

namespace mainstay::app {

/// The last id that can begin like this (ids of one list are ordered by time); nullopt for whole
/// ids, for fewer than 4 digits, and for what begins no id.
std::optional<std::string> last_id_like(std::string_view beginning);

/// The one of `ids` (the newest up to last_id_like(given), at least two where there are as many)
/// that begins like `given`; `given` itself when none does: what follows will say so.
/// invalid_argument when several do.
Result<std::string> only_id_like(const std::string& given, const std::vector<std::string>& ids);

/// Asks the daemon. list: `work` or `runs`.
Result<std::string> whole_id(DaemonClient& daemon, std::string_view list, const std::string& given);

}  // namespace mainstay::app
