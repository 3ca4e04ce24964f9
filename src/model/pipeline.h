// A pipeline: stages as versioned data (WRK-8). Where values come from is written as references by
// JSON Pointer (RFC 6901), never as code.
//
// A reference is `SOURCE#POINTER`, where SOURCE is `run` (an object with `id`, `input`, `labels`),
// `item` (the element of a fan-out), `index` (its position) or the name of a stage named in
// `needs` (directly or through others); POINTER is empty or begins with '/'.
// `scan#/files` is `/files` of the output of stage `scan`. The output of a stage with `foreach` is
// the array of its items' outputs in their order. The output of a failed fail-soft stage or item is
// {"_stage_error": true, "stage": …, "error": …}; that of a skipped stage is null.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_text.h"
#include "base/time.h"
#include "model/work.h"

// exists: the pointer resolves to something other than null. not_empty: … and is not "", [], {}, 0
// or false.
MS_ENUM_TEXT(model, ConditionKind, exists, not_empty, equals, not_equals)

namespace mainstay::model {

/// `when:` of a stage; the stage is skipped when it does not hold.
struct Condition {
  ConditionKind kind = ConditionKind::exists;
  std::string reference;
  /// JSON text compared with, for equals and not_equals.
  std::string value_json;
};

struct StageSpec {
  std::string name;
  std::string capability;
  std::vector<std::string> needs;
  /// Empty: no fan-out. Else a reference that must give an array.
  std::string foreach_reference;
  /// Items of the fan-out that run at a time; 0: as many as agents allow.
  int max_parallel = 0;
  /// JSON text of the input; every string in it that is a reference is replaced by its value;
  /// {"$literal": X} stands for X untouched. Empty: the element with `foreach`, else the run's
  /// input.
  std::string input_json;
  /// Of one attempt; zero: the setting work.timeout.
  Duration timeout{0};
  Duration idle_timeout{0};
  /// Retries after the first try.
  int retries = 2;
  Duration backoff_min = std::chrono::milliseconds(200);
  Duration backoff_max = std::chrono::seconds(30);
  int priority = kPriorityDefault;
  /// false: fail-soft; its failure is recorded and the run goes on, degraded.
  bool critical = true;
  std::optional<Condition> when;
};

struct PipelineSpec {
  std::string name;
  int version = 1;
  std::string description;
  /// Time the whole run may take; zero: no limit.
  Duration timeout{0};
  /// In file order; `needs` has no cycle and names only stages of this list.
  std::vector<StageSpec> stages;
};

}  // namespace mainstay::model
