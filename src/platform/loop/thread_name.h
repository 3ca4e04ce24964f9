// Names a thread, so that top, gdb and perf show who is who. At most 15 characters.
#pragma once

namespace mainstay::platform {

void name_this_thread(const char* name);

}  // namespace mainstay::platform
