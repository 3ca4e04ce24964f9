// A pipeline as JSON, in the row of each run: a run keeps the version that it was started with
// (WRK-8), whatever the fleet file says later. Reads back exactly what was written.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/pipeline.h"

namespace mainstay::work {

std::string pipeline_to_json(const model::PipelineSpec& pipeline);

/// storage_corrupt when it is not what pipeline_to_json writes. Unknown members are ignored: a
/// later version may add some.
Result<model::PipelineSpec> pipeline_from_json(std::string_view json);

}  // namespace mainstay::work
