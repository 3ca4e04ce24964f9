// Writes the JSON object text of an event's body: what model/event.h promises of work, runs and
// steps. By hand, since several are written for each work item.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/run.h"
#include "model/usage.h"
#include "model/work.h"

namespace mainstay::work {

/// Something was consumed.
inline bool is_any(const model::Usage& usage) {
  return usage.llm_requests != 0 || usage.api_calls != 0 || usage.total_tokens() != 0;
}

class EventBody {
 public:
  EventBody() { text_.reserve(256); }

  /// Keys are literals of this program and need no escaping.
  EventBody& text(std::string_view key, std::string_view value);
  /// For ids, states and other values that need no escaping.
  EventBody& word(std::string_view key, std::string_view value);
  EventBody& number(std::string_view key, std::int64_t value);
  EventBody& boolean(std::string_view key, bool value);
  /// `json` is JSON text.
  EventBody& raw(std::string_view key, std::string_view json);
  /// Milliseconds with microseconds as the fraction.
  EventBody& milliseconds(std::string_view key, Duration value);
  EventBody& wall(std::string_view key, Wall value);
  EventBody& id(std::string_view key, const base::UuidBytes& bytes);

  /// trace_id, and run_id, pipeline, stage, index, step when it is part of a run.
  EventBody& work(const model::WorkSpec& spec, int step_number);
  EventBody& error(std::string_view key, const model::WorkError& error);
  EventBody& usage(std::string_view key, const model::Usage& usage);

  std::string take() &&;

 private:
  void begin(std::string_view key);

  std::string text_ = "{";
};

}  // namespace mainstay::work
