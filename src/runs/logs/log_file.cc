#include "runs/logs/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "platform/files/files.h"

namespace mainstay::runs {

Result<platform::Fd> open_log_file(const std::string& path, mode_t mode) {
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW;
  auto file = platform::open_regular_file(path, kFlags, mode);
  if (!file) return file;
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(file->get(), &last, 1, size - 1) == 1 && last != '\n') {
    if (auto ended = platform::write_all(file->get(), "\n", path); !ended) return ended.error();
  }
  return file;
}

}  // namespace mainstay::runs
