// A listening Unix socket that gives away each connection together with what the kernel says about
// the process at the other end (SO_PEERCRED): identity that cannot be claimed, only had (faults
// I3).
//
// Only processes of this user get through; others are closed at once. The socket file is 0600.
// Threads: an accept thread of its own calls on_connection; stop() may be called from any other.
// Fails: listen(), when the path cannot be bound.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

struct PeerProcess {
  /// As seen from our PID namespace; 0 when it is in one that we cannot see.
  pid_t pid = 0;
  uid_t uid = 0;
};

/// The path itself when the kernel takes it (107 bytes); else one in a private folder of this user
/// (XDG_RUNTIME_DIR, or the temporary folder), always the same for the same path.
Result<std::string> bindable_socket_path(const std::string& path);

class UnixListener {
 public:
  using OnConnection = std::function<void(Fd connection, PeerProcess peer)>;

  /// Binds `path`, which bindable_socket_path() has given, taking the place of a socket file left
  /// by a dead process; anything else at that path is left alone (`conflict`).
  static Result<std::unique_ptr<UnixListener>> listen(std::string path, OnConnection on_connection);
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  const std::string& path() const { return path_; }
  /// No connection comes after it returns; the socket file is removed. Idempotent.
  void stop();

 private:
  UnixListener(std::string path, Fd socket, Fd wake, OnConnection on_connection);
  void run();
  /// False when accept4 says that the process is out of descriptors or memory.
  bool accept_one();

  std::string path_;
  Fd socket_;
  Fd wake_;
  OnConnection on_connection_;
  std::thread thread_;
};

}  // namespace mainstay::platform
