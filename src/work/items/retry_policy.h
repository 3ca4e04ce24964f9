// When a failed item is tried again, and when it is not (WRK-4).
#pragma once

#include "base/random.h"
#include "base/time.h"
#include "model/work.h"

namespace mainstay::work {

/// How long to wait before retry `n` (from 1): uniform in [0, min(backoff_max, backoff_min *
/// 2^(n-1))], "full jitter" (Exponential Backoff and Jitter, AWS Architecture Blog, 2015).
Duration backoff_before_retry(const model::RetryPolicy& policy, int n, base::Random& random);

/// The largest wait that backoff_before_retry may give.
Duration backoff_bound(const model::RetryPolicy& policy, int n);

enum class Verdict { retry, give_up };

/// attempts_used counts the attempt that just failed.
Verdict after_failure(const model::RetryPolicy& policy, int attempts_used, bool permanent);

}  // namespace mainstay::work
