#include "platform/process/identity.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

#include "base/text.h"
#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kMaxStat = 4096;
/// The kernel's own limit for arguments and environment together is 6 MiB by default.
constexpr std::size_t kMaxEnvironment = std::size_t{8} << 20;

std::string proc_path(pid_t pid, std::string_view file) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(file);
}

template <class Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The entries of a folder of /proc that are numbers: processes, or the threads of one.
std::vector<pid_t> numbers_in(const std::string& folder) {
  std::vector<pid_t> numbers;
  auto close_dir = [](DIR* d) { ::closedir(d); };
  std::unique_ptr<DIR, decltype(close_dir)> dir(::opendir(folder.c_str()), close_dir);
  if (!dir) return numbers;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (auto number = to_number<pid_t>(entry->d_name)) numbers.push_back(*number);
  }
  return numbers;
}

/// Empty when there is none to read. A first thread that ended has lost its own view of it, which
/// the others still have.
std::string environment_of(pid_t pid) {
  auto text = read_file(proc_path(pid, "environ"), kMaxEnvironment);
  if (text && !text->empty()) return *std::move(text);
  for (pid_t thread : numbers_in(proc_path(pid, "task"))) {
    if (thread == pid) continue;
    auto seen =
        read_file(proc_path(pid, "task/" + std::to_string(thread) + "/environ"), kMaxEnvironment);
    if (seen && !seen->empty()) return *std::move(seen);
  }
  return {};
}

}  // namespace

const std::string& boot_id() {
  static const std::string id = [] {
    auto text = read_file("/proc/sys/kernel/random/boot_id", kMaxStat);
    return text ? std::string(base::trim(*text)) : std::string();
  }();
  return id;
}

std::optional<ProcEntry> parse_proc_stat(std::string_view text) {
  // The name in field 2 may hold spaces and ')': the last ')' ends it.
  auto name_end = text.rfind(')');
  auto pid = to_number<pid_t>(text.substr(0, text.find(' ')));
  if (name_end == std::string_view::npos || !pid) return std::nullopt;
  auto fields = base::split(base::trim(text.substr(name_end + 1)), ' ');
  constexpr std::size_t kThreads = 17;    // field 20; fields[0] is field 3
  constexpr std::size_t kStartTime = 19;  // field 22
  if (fields.size() <= kStartTime || fields[0].size() != 1) return std::nullopt;
  auto parent = to_number<pid_t>(fields[1]);
  auto group = to_number<pid_t>(fields[2]);
  auto session = to_number<pid_t>(fields[3]);
  auto threads = to_number<std::uint64_t>(fields[kThreads]);
  auto start = to_number<std::uint64_t>(fields[kStartTime]);
  if (!parent || !group || !session || !threads || !start) return std::nullopt;
  return ProcEntry{*pid, fields[0][0], *parent, *group, *session, *threads, *start};
}

std::optional<ProcEntry> read_proc_entry(pid_t pid) {
  auto file = open_file(proc_path(pid, "stat"), O_RDONLY);
  if (!file) return std::nullopt;
  char text[kMaxStat];  // more than a line of it can be
  auto got = read_start(file->get(), text, sizeof text, "stat");
  if (!got || *got == 0) return std::nullopt;
  return parse_proc_stat({text, *got});
}

std::vector<ProcEntry> list_processes() {
  std::vector<ProcEntry> table;
  for (pid_t pid : numbers_in("/proc")) {
    if (auto found = read_proc_entry(pid)) table.push_back(*found);
  }
  return table;
}

std::optional<std::string> environment_value(pid_t pid, std::string_view name) {
  const std::string environment = environment_of(pid);
  for (std::string_view entry : base::split(environment, '\0')) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return std::string(entry.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

bool environment_has(pid_t pid, std::string_view assignment) {
  auto equals = assignment.find('=');
  if (equals == std::string_view::npos) return false;
  return environment_value(pid, assignment.substr(0, equals)) == assignment.substr(equals + 1);
}

std::optional<ProcessIdentity> identify(pid_t pid) {
  auto entry = read_proc_entry(pid);
  if (!entry) return std::nullopt;
  return ProcessIdentity{pid, entry->start_ticks, boot_id()};
}

bool is_alive(const ProcessIdentity& process) {
  if (process.pid <= 0 || process.boot_id != boot_id()) return false;
  auto entry = read_proc_entry(process.pid);
  return entry && entry->start_ticks == process.start_ticks && entry->alive();
}

}  // namespace mainstay::platform
