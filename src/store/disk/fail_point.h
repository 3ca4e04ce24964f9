// Named points at which a test can make the process die as by SIGKILL (faults B2). Chosen by the
// environment: MAINSTAY_FAIL_POINT=NAME or NAME:COUNT (die at the COUNTth pass, from 1). Unset, a
// pass costs one load and one comparison.
//
// Any thread.
#pragma once

#include "base/enum_text.h"

// before_rows: a group was taken, nothing written. before_commit: its rows are written, not
// committed. after_commit: durable, nobody told. after_reply: its callers were told.
// in_migration: between a migration's statements and its commit. in_blob: a blob's temporary file
// is written, not yet renamed. before_checkpoint and after_checkpoint: around moving the log.
MS_ENUM_TEXT(store, FailPoint, before_rows, before_commit, after_commit, after_reply, in_migration,
             in_blob, before_checkpoint, after_checkpoint)

namespace mainstay::store {

void pass(FailPoint point);

}  // namespace mainstay::store
