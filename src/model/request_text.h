// What a request asks for, as one text: equal for requests that ask for the same, however they came
// and were spelled. Its hash is kept with an idempotency key, so that the key's second use can be
// told apart from a repeat. The key itself, the trace and who asks are no part of it.
//
// A value that is left to a setting is text of its own: a repeat stays one when the setting
// changes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/input.h"
#include "model/work.h"

namespace mainstay::model {

/// Texts with their lengths in front, so that no two lists of texts give the same.
class RequestText {
 public:
  RequestText& add(std::string_view text) {
    text_.append(std::to_string(text.size())).append(":").append(text);
    return *this;
  }
  RequestText& add(std::int64_t number) { return add(std::string_view(std::to_string(number))); }
  RequestText& add(const std::optional<Wall>& at) {
    return at ? add(base::to_micros(*at)) : add(std::string_view("-"));
  }
  RequestText& add(const std::map<std::string, std::string>& labels) {
    add(static_cast<std::int64_t>(labels.size()));
    for (const auto& [key, value] : labels) add(key).add(value);
    return *this;
  }
  std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

/// `canonical_input`: the input as platform::canonical_json() spells it.
inline std::string request_text(const WorkSpec& spec, std::string_view canonical_input) {
  RequestText text;
  text.add(spec.capability).add(spec.description).add(spec.phase).add(spec.priority);
  text.add(spec.deadline).add(spec.start_after);
  text.add(spec.timeout.count()).add(spec.idle_timeout.count());
  text.add(spec.retry.max_attempts);
  text.add(spec.retry.backoff_min.count()).add(spec.retry.backoff_max.count());
  return std::move(text.add(spec.labels).add(canonical_input)).take();
}

inline std::string request_text(const StartRun& run, std::string_view canonical_input) {
  RequestText text;
  return std::move(text.add(run.pipeline).add(run.labels).add(canonical_input)).take();
}

}  // namespace mainstay::model
