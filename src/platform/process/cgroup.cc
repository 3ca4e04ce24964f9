#include "platform/process/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kMaxText = std::size_t{4} << 20;
constexpr const char* kFolder = "/mainstay";
constexpr int kMaxDepth = 16;

/// mountinfo writes space, tab, newline and backslash as \ooo (proc(5)).
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ec == std::errc{}) {
      plain.push_back(static_cast<char>(value));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

struct Mount {
  std::string root;   ///< the part of the hierarchy that is mounted
  std::string point;  ///< where
};

std::vector<Mount> cgroup2_mounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (std::string_view line : base::split(mountinfo, '\n')) {
    auto separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    if (!line.substr(separator + 3).starts_with("cgroup2 ")) continue;
    auto fields = base::split(line, ' ');
    if (fields.size() > 5) mounts.push_back({unescape(fields[3]), unescape(fields[4])});
  }
  return mounts;
}

/// The path in `0::/path` of /proc/PID/cgroup.
std::string own_path(std::string_view groups) {
  for (std::string_view line : base::split(groups, '\n')) {
    if (line.starts_with("0::")) return std::string(line.substr(3));
  }
  return "";
}

std::vector<pid_t> pids_in(const std::string& group) {
  std::vector<pid_t> pids;
  auto text = read_file(group + "/cgroup.procs", kMaxText);
  if (!text) return pids;
  for (std::string_view line : base::split(*text, '\n')) {
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    if (pid > 0) pids.push_back(pid);
  }
  return pids;
}

std::vector<std::string> groups_below(const std::string& group) {
  std::vector<std::string> found;
  auto names = list_dir(group);
  if (!names) return found;
  for (const std::string& name : *names) {
    struct stat info {};
    std::string path = group + "/" + name;
    if (::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) found.push_back(path);
  }
  return found;
}

void all_pids(const std::string& group, int depth, std::vector<pid_t>* pids) {
  auto here = pids_in(group);
  pids->insert(pids->end(), here.begin(), here.end());
  if (depth >= kMaxDepth) return;
  for (const std::string& child : groups_below(group)) all_pids(child, depth + 1, pids);
}

void remove_groups(const std::string& group, int depth) {
  if (depth < kMaxDepth) {
    for (const std::string& child : groups_below(group)) remove_groups(child, depth + 1);
  }
  ::rmdir(group.c_str());
}

/// The value of a line `key value` in a file such as cgroup.events.
std::optional<std::int64_t> keyed_value(const std::string& path, std::string_view key) {
  auto text = read_file(path, kMaxText);
  if (!text) return std::nullopt;
  for (std::string_view line : base::split(*text, '\n')) {
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
    std::int64_t value = 0;
    line.remove_prefix(key.size() + 1);
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
  }
  return std::nullopt;
}

/// Makes the folders and says whether they serve; what was made is taken away again if not.
Result<std::string> prepare_base(const std::string& parent, const std::string& instance) {
  std::string middle = parent + kFolder;
  std::string base = middle + "/" + instance;
  if (::access((parent + "/cgroup.procs").c_str(), W_OK) != 0) {
    return io_error("cannot move processes below", parent, errno);
  }
  Result<std::string> result = base;
  if ((::mkdir(middle.c_str(), 0755) != 0 && errno != EEXIST) ||
      (::mkdir(base.c_str(), 0755) != 0 && errno != EEXIST)) {
    result = io_error("cannot make the group", base, errno);
  } else if (::access((base + "/cgroup.kill").c_str(), W_OK) != 0) {
    result =
        Error(Code::environment_invalid, "the kernel has no cgroup.kill (Linux 5.14) in " + base);
  }
  if (!result) {
    ::rmdir(base.c_str());
    ::rmdir(middle.c_str());
  }
  return result;
}

}  // namespace

Result<CgroupBase> CgroupBase::find_in(std::string_view mountinfo, std::string_view own_groups,
                                       const std::string& instance) {
  std::string why = "no cgroup v2 is mounted";
  for (const Mount& mount : cgroup2_mounts(mountinfo)) {
    std::vector<std::string> parents;
    std::string own = own_path(own_groups);
    if (mount.root != "/" && own.starts_with(mount.root)) own = own.substr(mount.root.size());
    while (own.ends_with('/')) own.pop_back();
    auto here = pids_in(mount.point + own);
    bool ours = std::find(here.begin(), here.end(), ::getpid()) != here.end();
    if (ours && !own.empty()) parents.push_back(mount.point + own);
    parents.push_back(mount.point);
    for (const std::string& parent : parents) {
      auto base = prepare_base(parent, instance);
      if (base) return CgroupBase(*base);
      why = base.error().message();
    }
  }
  return Error(Code::environment_invalid, why);
}

Result<CgroupBase> CgroupBase::find(const std::string& instance) {
  auto mountinfo = read_file("/proc/self/mountinfo", kMaxText);
  if (!mountinfo) return mountinfo.error();
  auto own_groups = read_file("/proc/self/cgroup", kMaxText);
  if (!own_groups) return own_groups.error();
  return find_in(*mountinfo, *own_groups, instance);
}

std::vector<std::string> CgroupBase::names() const {
  std::vector<std::string> names;
  for (const std::string& path : groups_below(path_)) {
    names.push_back(path.substr(path_.size() + 1));
  }
  return names;
}

void CgroupBase::remove_if_empty() const {
  if (::rmdir(path_.c_str()) == 0) ::rmdir(path_.substr(0, path_.rfind('/')).c_str());
}

Result<Cgroup> Cgroup::make(const CgroupBase& base, const std::string& name) {
  std::string path = base.path() + "/" + name;
  // The base may have been taken away with another daemon's last group.
  if (::mkdir(base.path().c_str(), 0755) != 0 && errno != EEXIST) {
    return io_error("cannot make the group", base.path(), errno);
  }
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return io_error("cannot make the group", path, errno);
  }
  auto dir = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return dir.error();
  return Cgroup(std::move(path), std::move(*dir));
}

Result<Cgroup> Cgroup::make_new(const CgroupBase& base, const std::string& name) {
  if (auto old = find(base, name); old && !old->remove()) {
    return Error(Code::io_failed, "the group " + old->path() + " is in use");
  }
  return make(base, name);
}

std::optional<Cgroup> Cgroup::find(const CgroupBase& base, const std::string& name) {
  std::string path = base.path() + "/" + name;
  auto dir = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return std::nullopt;
  return Cgroup(std::move(path), std::move(*dir));
}

bool Cgroup::populated() const {
  return keyed_value(path_ + "/cgroup.events", "populated").value_or(0) != 0;
}

Result<void> Cgroup::kill() const {
  auto file = open_file(path_ + "/cgroup.kill", O_WRONLY);
  if (!file) return file.error();
  return write_all(file->get(), "1", path_ + "/cgroup.kill");
}

std::vector<ProcessIdentity> Cgroup::processes() const {
  std::vector<pid_t> pids;
  all_pids(path_, 0, &pids);
  std::vector<ProcessIdentity> processes;
  for (pid_t pid : pids) {
    auto entry = read_proc_entry(pid);
    if (entry && entry->alive()) processes.push_back({pid, entry->start_ticks, boot_id()});
  }
  return processes;
}

bool group_contains(const std::string& group_path, pid_t pid) {
  std::vector<pid_t> pids;
  all_pids(group_path, 0, &pids);
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

std::int64_t Cgroup::out_of_memory_kills() const {
  return keyed_value(path_ + "/memory.events", "oom_kill").value_or(0);
}

bool Cgroup::remove() {
  dir_.reset();
  remove_groups(path_, 0);
  return !path_exists(path_);
}

}  // namespace mainstay::platform
