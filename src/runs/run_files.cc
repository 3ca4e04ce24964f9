#include "runs/run_files.h"

#include <fcntl.h>

#include <utility>

#include "platform/files/files.h"

namespace mainstay::runs {
RunFiles::RunFiles(RunLayout layout) : layout_(std::move(layout)) {}

RunFiles::~RunFiles() { close_all(); }

Result<void> RunFiles::prepare() {
  for (const std::string& folder :
       {layout_.logs(), layout_.file("workspace"), layout_.file("artifacts")}) {
    if (auto made = platform::make_dirs(folder); !made) return made;
  }
  append_run("");
  append(layout_.logs() + "/reconciliation.log", "");
  append_span("");
  return {};
}

void RunFiles::prepare_step(int step) {
  // append() notices and counts if this fails.
  (void)platform::make_dirs(layout_.logs() + "/" + RunLayout::step_name(step));
  for (const char* component : {"orchestrator", "adapter", "metrics", "validator"}) {
    append_step(step, component, "");
  }
}

void RunFiles::append(const std::string& path, std::string_view line) {
  const int fd = open(path);
  if (fd < 0 || !platform::write_all(fd, line, path)) ++lost_lines_;
}

int RunFiles::open(const std::string& path) {
  if (auto found = open_.find(path); found != open_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second.recent);
    return found->second.fd.get();
  }
  if (open_.size() >= kMaxOpen) {
    auto oldest = open_.find(recent_.back());
    open_.erase(oldest);
    recent_.pop_back();
  }
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW;
  auto file = platform::open_file(path, kFlags, 0644);
  // An agent's line may come before the event that starts its step, and makes its folder.
  if (!file && file.error().code() == Code::not_found) {
    (void)platform::make_dirs(path.substr(0, path.rfind('/')));
    file = platform::open_file(path, kFlags, 0644);
  }
  if (!file) return -1;
  const int fd = file->get();
  recent_.push_front(path);
  open_.emplace(path, Open{std::move(*file), recent_.begin()});
  return fd;
}

void RunFiles::close_all() {
  open_.clear();
  recent_.clear();
}

}  // namespace mainstay::runs
