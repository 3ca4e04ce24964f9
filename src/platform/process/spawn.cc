#include "platform/process/spawn.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.h"
#include "platform/files/files.h"
#include "platform/process/pidfd.h"
#include "platform/process/spawn_child.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kFirstLineBytes = 256;  // as much as the kernel reads of a script

Error start_error(StartFailure reason, const SpawnRequest& request, std::string why) {
  std::string command = request.argv.empty() ? "" : request.argv.front();
  return Error(Code::process_start_failed, "cannot start " + command + ": " + std::move(why))
      .with("reason", std::string(to_text(reason)))
      .with("command", command);
}

std::string below(const std::string& dir, const std::string& path) {
  if (path.starts_with('/') || dir.empty()) return path;
  return dir + "/" + path;
}

std::string path_of(const SpawnRequest& request) {
  for (const std::string& entry : request.environment) {
    if (entry.starts_with("PATH=")) return entry.substr(5);
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

/// The program's path as the child will use it.
Result<std::string> find_program(const SpawnRequest& request) {
  if (request.argv.empty() || request.argv.front().empty()) {
    return start_error(StartFailure::not_found, request, "the command is empty");
  }
  const std::string& name = request.argv.front();
  if (name.find('/') != std::string::npos) return name;
  std::string refused;
  std::string search = path_of(request);
  for (std::string_view dir : base::split(search, ':')) {
    std::string candidate = below(request.working_dir, std::string(dir) + "/" + name);
    struct stat info {};
    if (dir.empty() || ::stat(candidate.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    if (refused.empty()) refused = candidate;
  }
  if (!refused.empty()) {
    return start_error(StartFailure::not_executable, request, refused + " is not executable");
  }
  return start_error(StartFailure::not_found, request,
                     "it is in no folder of PATH (" + search + ")");
}

/// The interpreter that a script's first line names; empty when it is not a script.
std::string interpreter_of(const std::string& path) {
  auto file = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!file) return "";
  char buffer[kFirstLineBytes];
  auto got = read_start(file->get(), buffer, sizeof buffer, path);
  std::string_view line(buffer, got ? *got : 0);
  if (!line.starts_with("#!")) return "";
  line.remove_prefix(2);
  auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  line.remove_prefix(begin);
  return std::string(line.substr(0, line.find_first_of(" \t\n")));
}

Error explain_missing(const SpawnRequest& request, const std::string& path) {
  if (!path_exists(path)) {
    return start_error(StartFailure::not_found, request, "there is no " + path);
  }
  std::string interpreter = interpreter_of(path);
  if (interpreter.empty()) {
    return start_error(StartFailure::bad_interpreter, request,
                       "the loader that " + path + " names does not exist");
  }
  bool windows_line_end = interpreter.back() == '\r';
  if (windows_line_end) interpreter.pop_back();
  Error error = start_error(StartFailure::bad_interpreter, request,
                            "its first line names " + interpreter +
                                (windows_line_end ? " with a carriage return" : "") +
                                ", which does not exist");
  if (!windows_line_end) return error;
  return std::move(error).with_hint("save " + path + " with Unix line ends");
}

Error explain_refused(const SpawnRequest& request, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    return start_error(StartFailure::not_executable, request, path + " is a folder");
  }
  std::string interpreter = interpreter_of(path);
  if (::access(path.c_str(), X_OK) == 0 && !interpreter.empty()) {
    return start_error(StartFailure::bad_interpreter, request,
                       "its first line names " + interpreter + ", which is not executable");
  }
  return start_error(StartFailure::not_executable, request, path + " is not executable")
      .with_hint("chmod +x it, or name its interpreter in the command");
}

Error explain_exec(const SpawnRequest& request, const std::string& program, int number) {
  std::string path = below(request.working_dir, program);
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return explain_missing(request, path);
    case EACCES:
    case EPERM:
      return explain_refused(request, path);
    case ENOEXEC:
    case EINVAL:
    case ELIBBAD:
      return start_error(StartFailure::wrong_format, request,
                         path + " is not a program for this machine, and has no #! line");
    case ELOOP:
      return start_error(StartFailure::bad_interpreter, request, "its interpreters go in a circle");
    case ETXTBSY:
      return start_error(StartFailure::text_busy, request, path + " is being written");
    case E2BIG:
      return start_error(StartFailure::arguments_too_long, request,
                         "its arguments and environment are too long for the system");
    case ENOMEM:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
      return start_error(StartFailure::no_resources, request, std::strerror(number));
    default:
      return start_error(StartFailure::other, request, std::strerror(number));
  }
}

Error explain(const SpawnRequest& request, const ChildPlan& plan) {
  int number = plan.failed_errno;
  if (plan.failed_at == ChildStep::exec) return explain_exec(request, plan.program, number);
  if (plan.failed_at == ChildStep::working_dir) {
    return start_error(StartFailure::working_dir, request,
                       "its working folder " + request.working_dir + ": " + std::strerror(number));
  }
  return start_error(StartFailure::other, request, std::strerror(number));
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Descriptors that the child's standard streams come from; holds /dev/null where none is given.
Result<Fd> fill_stdio(const SpawnRequest& request, ChildPlan* plan) {
  auto null = open_file("/dev/null", O_RDWR);
  if (!null) return null.error();
  const int given[3] = {request.stdin_fd, request.stdout_fd, request.stderr_fd};
  for (int i = 0; i < 3; ++i) plan->stdio[i] = given[i] >= 0 ? given[i] : null->get();
  return null;
}

/// Into the cgroup by clone3; else by the child's own hand; else without it.
CloneOutcome clone_into_cgroup(const ChildPlan& prepared, int cgroup_fd, ChildPlan* plan,
                               bool* in_cgroup) {
  *plan = prepared;
  *in_cgroup = cgroup_fd >= 0;
  CloneOutcome outcome = clone_child(*plan, cgroup_fd);
  bool refused = outcome.pid < 0 && outcome.failed_errno != EAGAIN &&
                 outcome.failed_errno != ENOMEM && cgroup_fd >= 0;
  if (!refused) return outcome;
  *plan = prepared;
  Fd procs(::openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));
  plan->cgroup_procs_fd = procs.get();
  *in_cgroup = procs.is_open();
  outcome = clone_child(*plan, -1);
  if (outcome.pid < 0 || plan->failed_at != ChildStep::cgroup) return outcome;
  // A vforked child lets us go on a little before it is a zombie.
  await_and_reap(outcome.pidfd);
  *plan = prepared;
  *in_cgroup = false;
  return clone_child(*plan, -1);
}

}  // namespace

Result<Process> spawn(const SpawnRequest& request) {
  auto program = find_program(request);
  if (!program) return program.error();
  auto argv = pointers_to(request.argv);
  auto environment = pointers_to(request.environment);
  ChildPlan prepared;
  prepared.program = program->c_str();
  prepared.argv = argv.data();
  prepared.environment = environment.data();
  prepared.working_dir = request.working_dir.empty() ? nullptr : request.working_dir.c_str();
  prepared.parent = ::getpid();
  prepared.die_with_parent = request.die_with_thread;
  auto null = fill_stdio(request, &prepared);
  if (!null) return start_error(StartFailure::no_resources, request, null.error().message());

  ChildPlan plan;
  bool in_cgroup = false;
  CloneOutcome child = clone_into_cgroup(prepared, request.cgroup_fd, &plan, &in_cgroup);
  if (child.pid < 0) {
    return start_error(StartFailure::no_resources, request, std::strerror(child.failed_errno));
  }
  if (plan.failed_at != ChildStep::none) {
    await_and_reap(child.pidfd);
    return explain(request, plan);
  }
  auto identity = identify(child.pid);  // a child of ours: at least its zombie is there
  if (!identity) {
    send_signal(child.pidfd, SIGKILL);
    await_and_reap(child.pidfd);
    return start_error(StartFailure::other, request, "/proc does not show it");
  }
  return Process{std::move(child.pidfd), *identity, in_cgroup};
}

StartFailure start_failure(const Error& error) {
  for (const auto& [key, value] : error.fields()) {
    if (key == "reason") return base::parse_enum<StartFailure>(value).value_or(StartFailure::other);
  }
  return StartFailure::other;
}

bool is_permanent(StartFailure reason) {
  return reason != StartFailure::text_busy && reason != StartFailure::no_resources &&
         reason != StartFailure::other;
}

}  // namespace mainstay::platform
