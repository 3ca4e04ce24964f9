// How a process ended, in a person's words and as JSON. Fault A1.
#pragma once

#include <string>

#include "model/fleet.h"

namespace mainstay::fleet {

/// `exit 3`, `killed by SIGSEGV (core dumped)`, `killed by SIGKILL (out of memory)`, or `gone`
/// when nothing is known of it.
std::string exit_text(const model::ExitStatus& status);

/// `SIGTERM`; `signal 63` for one without a common name.
std::string signal_name(int signal);

}  // namespace mainstay::fleet
