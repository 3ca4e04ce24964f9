#include "platform/loop/asio.h"
// The whole of Asio's code, once.
#include <boost/asio/impl/src.hpp>
