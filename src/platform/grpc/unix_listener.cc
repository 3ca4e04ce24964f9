#include "platform/grpc/unix_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "platform/crypto.h"
#include "platform/files/files.h"
#include "platform/loop/thread_name.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr int kBacklog = 1024;
/// Pause after running out of descriptors, so that the accept thread does not spin.
constexpr int kExhaustedPauseMs = 100;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<void> remove_old_socket(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return io_error("cannot look at", path, errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Error(Code::conflict, path + " is in the way: it is not a socket")
        .with("path", path)
        .with_hint("move it away");
  }
  return remove_file(path);
}

Result<Fd> bound_socket(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return io_error("cannot make a socket for", path, errno);
  sockaddr_un address = address_of(path);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return io_error("cannot bind", path, errno);
  }
  // Nobody can connect before listen(), so there is no moment with the umask's mode.
  if (::chmod(path.c_str(), 0600) != 0) return io_error("cannot make private", path, errno);
  if (::listen(socket.get(), kBacklog) != 0) return io_error("cannot listen on", path, errno);
  return socket;
}

}  // namespace

Result<std::string> bindable_socket_path(const std::string& path) {
  if (path.size() <= kMaxSocketPath) return path;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string folder = runtime != nullptr && *runtime == '/'
                           ? std::string(runtime) + "/mainstay"
                           : "/tmp/mainstay-" + std::to_string(::geteuid());
  if (auto made = make_private_dir(folder); !made) return made.error();
  std::string stand_in = folder + "/" + sha256_hex(path).substr(0, 32) + ".sock";
  if (stand_in.size() <= kMaxSocketPath) return stand_in;
  return Error(Code::environment_invalid,
               "the socket path " + path + " is " + std::to_string(path.size()) +
                   " bytes long; the system takes at most " + std::to_string(kMaxSocketPath))
      .with_hint("use a project folder with a shorter path");
}

Result<std::unique_ptr<UnixListener>> UnixListener::listen(std::string path,
                                                           OnConnection on_connection) {
  if (path.size() > kMaxSocketPath) {
    return Error(Code::environment_invalid, "the socket path " + path + " is too long");
  }
  if (auto removed = remove_old_socket(path); !removed) return removed.error();
  auto socket = bound_socket(path);
  if (!socket) return socket.error();
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return io_error("cannot make an eventfd for", path, errno);
  return std::unique_ptr<UnixListener>(new UnixListener(std::move(path), std::move(socket).value(),
                                                        std::move(wake), std::move(on_connection)));
}

UnixListener::UnixListener(std::string path, Fd socket, Fd wake, OnConnection on_connection)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      wake_(std::move(wake)),
      on_connection_(std::move(on_connection)),
      thread_([this] { run(); }) {}

UnixListener::~UnixListener() { stop(); }

void UnixListener::stop() {
  if (!thread_.joinable()) return;
  std::uint64_t one = 1;
  while (::write(wake_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  thread_.join();
  socket_.reset();
  (void)remove_file(path_);  // a file left behind is taken over at the next start
}

void UnixListener::run() {
  name_this_thread("unix-accept");
  bool exhausted = false;
  while (true) {
    pollfd waits[2] = {{wake_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    int ready = ::poll(waits, exhausted ? 1 : 2, exhausted ? kExhaustedPauseMs : -1);
    if (ready < 0 && errno != EINTR) return;
    if (ready > 0 && waits[0].revents != 0) return;
    exhausted = ready >= 0 && !accept_one();
  }
}

bool UnixListener::accept_one() {
  Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) {
    return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  }
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  int got = ::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  if (got != 0 || credentials.uid != ::geteuid()) return true;  // closed: not one of us
  on_connection_(std::move(connection), PeerProcess{credentials.pid, credentials.uid});
  return true;
}

}  // namespace mainstay::platform
