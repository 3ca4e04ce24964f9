// What a work item must be to be accepted (WRK-1). Every refusal names the field, the value and
// what would be right.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/work.h"

namespace mainstay::work {

// Sizes in bytes. The API refuses larger bodies long before.
constexpr std::size_t kMaxDescription = 4096;
constexpr std::size_t kMaxCapability = 255;
constexpr std::size_t kMaxKey = 255;
constexpr std::size_t kMaxLabels = 64;
constexpr std::size_t kMaxLabelValue = 1024;
constexpr std::size_t kMaxInput = 16UL * 1024 * 1024;
constexpr int kMaxAttempts = 1000;
/// Longest deadline, start_after, timeout or backoff.
constexpr Duration kMaxHorizon = std::chrono::hours(24 * 3660);

/// Code::work_invalid, or payload_too_large. Does not look at what the fleet offers.
Result<void> check_work(const model::WorkSpec& spec, const std::vector<std::string>& phases,
                        Wall now);

/// Labels of an item or a run; `code` is that of the refusal.
Result<void> check_labels(const std::map<std::string, std::string>& labels, Code code);
Result<void> check_key(const std::string& idempotency_key, Code code);

}  // namespace mainstay::work
