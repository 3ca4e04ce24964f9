// stdout and stderr of a link agent: FIFOs in `.mainstay/agents/` that outlive the daemon. The
// agent's end is opened for reading and writing, so it never gets SIGPIPE or an error while no
// daemon reads; when 64 KiB wait, its writes wait too.
#pragma once

#include <string>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::node {

struct AgentStream {
  /// For the process; blocking.
  platform::Fd writer;
  /// For the daemon; never blocks.
  platform::Fd reader;
};

/// Makes the FIFO if it is not there; anything else of that name is replaced.
Result<AgentStream> open_agent_stream(const std::string& path);

}  // namespace mainstay::node
