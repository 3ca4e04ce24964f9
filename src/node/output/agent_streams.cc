#include "node/output/agent_streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "platform/files/files.h"

namespace mainstay::node {
namespace {

Result<void> make_fifo(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (S_ISFIFO(info.st_mode)) return {};
    if (::unlink(path.c_str()) != 0) return platform::io_error("cannot replace", path, errno);
  }
  if (::mkfifo(path.c_str(), 0600) != 0) {
    return platform::io_error("cannot make the FIFO", path, errno);
  }
  return {};
}

}  // namespace

Result<AgentStream> open_agent_stream(const std::string& path) {
  if (auto made = make_fifo(path); !made) return made.error();
  auto writer = platform::open_file(path, O_RDWR | O_NOFOLLOW);
  if (!writer) return writer.error();
  auto reader = platform::open_file(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  if (!reader) return reader.error();
  return AgentStream{std::move(*writer), std::move(*reader)};
}

}  // namespace mainstay::node
