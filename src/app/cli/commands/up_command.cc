// `mainstay up`: the daemon in the foreground, or in the background with --detach.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/daemon/daemon.h"
#include "app/python_sdk.h"
#include "platform/files/files.h"
#include "platform/json/json.h"

namespace mainstay::app {
namespace {

int tell_address(const GlobalOptions& global, const Project& project) {
  auto info = read_daemon_info(project);
  if (!info) return report(info.error());
  const platform::JsonObject object{{"project", project.folder},
                                    {"pid", info->pid},
                                    {"http_address", info->http_address},
                                    {"link_address", info->link_address}};
  std::fputs(render(global.output, object,
                    fmt::format("the daemon is ready: process {}, http://{}\n", info->pid,
                                info->http_address))
                 .c_str(),
             stdout);
  return kExitDone;
}

// What went wrong is said by the child on the pipe; an empty message and its end mean "ready".
int wait_for_child(const GlobalOptions& global, const Project& project, pid_t child, int pipe) {
  const SaidOnInterrupt interrupted("\nthe daemon goes on starting; `mainstay status`\n");

  auto said = platform::read_fd(pipe, std::size_t{1} << 20, "the daemon's report");
  if (!said) return report(said.error());
  if (*said == "ready\n") return tell_address(global, project);
  std::fputs(said->c_str(), stderr);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : kExitFailed;
}

// The child is this program again, in a session of its own; its words go to .mainstay/logs and,
// until it is ready, to the pipe.
int detach(const GlobalOptions& global, const Project& project) {
  if (auto made = platform::make_private_dir(project.data_file("logs")); !made) {
    return report(made.error());
  }
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0)
    return report(platform::io_error("cannot make a pipe", "", errno));
  const pid_t child = ::fork();
  if (child < 0) return report(platform::io_error("cannot fork", "", errno));
  if (child > 0) {
    ::close(pipe[1]);
    return wait_for_child(global, project, child, pipe[0]);
  }
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(pipe[1], STDERR_FILENO);
  // The report's end stays open across exec under a number that the child is told.
  const int report_fd = ::dup(pipe[1]);
  const std::string fd_text = std::to_string(report_fd);
  std::vector<std::string> words{own_path(), "--project", project.folder};
  for (const std::string& set : global.sets) words.insert(words.end(), {"--set", set});
  words.insert(words.end(), {"up", "--ready-fd", fd_text});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(kExitFailed);
}

void tell_ready(int fd) {
  if (fd < 0) return;
  (void)platform::write_all(fd, "ready\n", "the report");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDERR_FILENO);
  ::close(null);
  ::close(fd);
}

}  // namespace

int up(const GlobalOptions& global, const UpOptions& options) {
  auto project = find_project(global.project);
  if (!project) return report(project.error());
  ProjectConfig config = load_project_config(*project, global.sets);
  if (!config.problems.ok()) {
    std::fputs(config.problems.to_text().c_str(), stderr);
    return kExitUsage;
  }
  if (!config.has_fleet_file && !platform::path_exists(project->file("mainstay.yaml"))) {
    return report(
        Error(Code::config_invalid,
              fmt::format("{} has no fleet.yaml: there is no fleet to start", project->folder))
            .with_hint("write one, or name another folder with --project DIR"));
  }
  if (options.detach) return detach(global, *project);
  Daemon daemon(*project, std::move(config), options.ready_fd < 0);
  if (auto started = daemon.start(); !started) return report(started.error());
  tell_ready(options.ready_fd);
  if (auto ended = daemon.run(); !ended) return report(ended.error());
  return kExitDone;
}

}  // namespace mainstay::app
