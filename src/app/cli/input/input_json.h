// The input of a run or an item as people give it on a command line. It is checked and goes on as
// the text it was, so that its numbers keep all of their digits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/json/json.h"

namespace mainstay::app {

/// `--input path=. --input depth=3` gives {"path":".","depth":3}; `--input-json` gives the whole
/// value as JSON, from a file with `@FILE`, from standard input with `-`. Both: the members are put
/// over the object. Neither: {}. JSON text.
Result<std::string> read_input(const std::vector<std::string>& members,
                               const std::optional<std::string>& whole);

/// `key=value` pairs as an object of strings.
Result<platform::JsonObject> read_labels(const std::vector<std::string>& labels);

}  // namespace mainstay::app
