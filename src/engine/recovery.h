// What the control loop needs to go on after a start: read from the rows, not replayed from the
// journal, so that it takes as long as there is open work, however much was done before.
//
// Any connection to the database; call it before the loop starts. Fails as SQLite does, and with
// storage_corrupt when a row or a blob of something open cannot be read.
#pragma once

#include "base/result.h"
#include "model/recovered.h"
#include "platform/sqlite/sqlite.h"
#include "store/disk/blobs.h"

namespace mainstay::engine {

Result<model::Recovered> load_recovered(platform::SqliteConnection& db, const store::Blobs& blobs);

}  // namespace mainstay::engine
