// A short fingerprint of what a process was started from. Re-adoption after a restart of the daemon
// compares it: a process of another command, environment or offer must not be taken for this one.
//
// Pure. Not a secret and not a proof: it tells edits apart, not attackers.
#pragma once

#include <string>

#include "model/fleet.h"

namespace mainstay::fleet {

/// 16 hexadecimal digits over what the process was given: kind, command, directory, environment,
/// capabilities, concurrency. How it is supervised (restart, health, grace, labels, dependencies)
/// may change under a running process.
std::string spec_digest(const model::AgentSpec& spec);

}  // namespace mainstay::fleet
