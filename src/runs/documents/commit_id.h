// Which commit a folder is at, read from the files of git without running it.
#pragma once

#include <optional>
#include <string>

namespace mainstay::runs {

/// The 40 (or 64) hexadecimal digits of HEAD of the repository that holds `folder`, also in a
/// linked work tree; nullopt when there is none or it has no commit yet.
std::optional<std::string> commit_id_of(const std::string& folder);

}  // namespace mainstay::runs
