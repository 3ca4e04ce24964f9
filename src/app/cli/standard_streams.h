// The three standard streams of a command: all there, and what was printed really written.
#pragma once

namespace mainstay::app {

/// Fills descriptors 0 to 2 that the caller closed, before anything opens one: a socket on
/// descriptor 1 would get what is printed. Filled ones refuse to be used.
void hold_standard_streams();

/// Flushes stdout. What could not be written (a full disk, a closed stream) is told on stderr, and
/// makes an exit code of 0 a 1.
int flushed(int exit_code);

}  // namespace mainstay::app
