#include "platform/loop/thread_name.h"

#include <pthread.h>

namespace mainstay::platform {

void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace mainstay::platform
