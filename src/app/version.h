// Which Mainstay this is.
#pragma once

namespace mainstay::app {

/// `0.1.0`.
extern const char* const kVersion;
/// Twelve digits of the commit that it was built from; `unknown` outside of a repository.
extern const char* const kCommit;

}  // namespace mainstay::app
