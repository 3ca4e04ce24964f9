// Moments of the API as people like to read them.
#pragma once

#include <string>

namespace mainstay::app {

/// How long ago an RFC 3339 moment was, such as `2m 34s`; empty for what is not one.
std::string age_of(const std::string& moment);
/// Between two moments; `to` empty: until now.
std::string span_between(const std::string& from, const std::string& to);

}  // namespace mainstay::app
