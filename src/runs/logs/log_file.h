// A log file opened so that lines can be added to it, whatever happened to it before.
#pragma once

#include <string>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::runs {

/// Opens it for appending, made anew where it lacks. Half a line at its end (the disk was full, the
/// power went) is ended, so that it takes no whole line with it. Only a regular file.
Result<platform::Fd> open_log_file(const std::string& path, mode_t mode);

}  // namespace mainstay::runs
