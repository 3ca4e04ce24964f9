#include "runs/folders/run_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "platform/files/files.h"
#include "runs/logs/log_file.h"

namespace mainstay::runs {
RunFiles::RunFiles(RunLayout layout) : layout_(std::move(layout)) {}

RunFiles::~RunFiles() { close_all(); }

Result<void> RunFiles::prepare() {
  for (const std::string& folder :
       {layout_.logs(), layout_.file("workspace"), layout_.file("artifacts")}) {
    if (auto made = platform::make_dirs(folder); !made) return made;
  }
  if (auto made = append(0, "", ""); !made) return made;
  if (auto made = add(layout_.logs() + "/reconciliation.log", ""); !made) return made;
  return append_span("");
}

Result<void> RunFiles::prepare_step(int step) {
  auto made = platform::make_dirs(layout_.logs() + "/" + RunLayout::step_name(step));
  for (const char* component : {"orchestrator", "adapter", "metrics", "validator"}) {
    if (made) made = append(step, component, "");
  }
  return made;
}

Result<void> RunFiles::append(int step, std::string_view component, std::string_view line) {
  return add(step > 0 ? layout_.step_log(step, component) : layout_.run_log(), line);
}

Result<void> RunFiles::add(const std::string& path, std::string_view line) {
  const auto fd = open(path);
  if (!fd) return fd.error();
  auto written = platform::write_all(*fd, line, path);
  // Half of the line may be there: opening it anew ends it.
  if (!written) close(path);
  return written;
}

Result<int> RunFiles::open(const std::string& path) {
  if (auto found = open_.find(path); found != open_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second.recent);
    return found->second.fd.get();
  }
  if (open_.size() >= kMaxOpen) close(std::string(recent_.back()));
  auto file = open_log_file(path, 0644);
  // An agent's line may come before the event that starts its step, and makes its folder.
  if (!file && file.error().code() == Code::not_found) {
    (void)platform::make_dirs(path.substr(0, path.rfind('/')));
    file = open_log_file(path, 0644);
  }
  if (!file) return std::move(file).error();
  const int fd = file->get();
  struct stat info {};
  if (::fstat(fd, &info) == 0) first_seen_.try_emplace(path, info.st_dev, info.st_ino);
  recent_.push_front(path);
  open_.emplace(path, Open{std::move(*file), recent_.begin()});
  return fd;
}

void RunFiles::close(const std::string& path) {
  const auto found = open_.find(path);
  if (found == open_.end()) return;
  recent_.erase(found->second.recent);
  open_.erase(found);
}

void RunFiles::close_all() {
  open_.clear();
  recent_.clear();
  first_seen_.clear();
}

int RunFiles::vanished() const {
  int count = 0;
  for (const auto& [path, identity] : first_seen_) {
    struct stat info {};
    const bool there =
        ::stat(path.c_str(), &info) == 0 && identity == Identity{info.st_dev, info.st_ino};
    if (!there) ++count;
  }
  return count;
}

}  // namespace mainstay::runs
