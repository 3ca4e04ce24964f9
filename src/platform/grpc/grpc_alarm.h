// gRPC's timer, for those who must not include gRPC's headers themselves: runs a callback on one of
// gRPC's threads at a deadline; cancelling runs it at once with `false`.
#pragma once

#include <grpcpp/alarm.h>
