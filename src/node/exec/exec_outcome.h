// What the end of a command agent's process means for its work item (FLT-9). Pure.
//
// Exit 0 and one JSON value on stdout: success. 75 (EX_TEMPFAIL): failure, worth a retry. 69
// (EX_UNAVAILABLE), 78 (EX_CONFIG), 126 and 127 (the shell's "cannot run", "not found"): something
// is not there, permanent. Anything else: failure, retried by policy. sysexits.h.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/effect.h"
#include "model/fleet.h"
#include "model/work.h"

namespace mainstay::node {

constexpr std::size_t kMaxExecOutput = std::size_t{16} << 20;

struct ExecEnd {
  model::ExitStatus status;
  std::string output;       ///< stdout, at most kMaxExecOutput
  bool too_large = false;   ///< it wrote more than that
  std::string stderr_tail;  ///< valid UTF-8
  bool cancelled = false;
  std::string cancel_reason;
  Duration time{0};
  // What surrounded it, for whoever reads why it failed (WRK-10).
  std::vector<std::string> skills;  ///< capabilities of its agent
  std::string folder;               ///< where it ran
  std::string python_sdk;           ///< the SDK that it could import; empty: none
};

/// The output is text only; over Payload::kInlineLimit the caller stores it.
model::AttemptOutcome outcome_of(ExecEnd end, const std::string& command);

/// The process could not be started.
model::AttemptOutcome outcome_of_start_failure(const Error& error, bool permanent);

}  // namespace mainstay::node
