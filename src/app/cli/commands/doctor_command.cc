// `mainstay doctor`: what the environment has and lacks, each finding with what to do (CFG-7).
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "app/cli/client/daemon_client.h"
#include "app/cli/commands.h"
#include "app/daemon/project_config.h"
#include "app/python_sdk.h"
#include "app/version.h"
#include "base/text.h"
#include "config/settings_list.h"
#include "platform/files/files.h"
#include "platform/loop/event_loop.h"
#include "platform/net/tcp_listener.h"
#include "platform/process/cgroup.h"
#include "platform/sqlite/sqlite.h"

namespace mainstay::app {
namespace {

using platform::JsonArray;
using platform::JsonObject;

constexpr std::uint64_t kLittleSpace = std::uint64_t{1} << 30;
constexpr rlim_t kFewDescriptors = 1024;

struct Finding {
  std::string check;
  /// ok, warning or error.
  std::string state;
  std::string found;
  std::string fix;
};

Finding ok(std::string check, std::string found) {
  return {std::move(check), "ok", std::move(found), ""};
}

// The first line that a command prints; nullopt when it fails.
std::optional<std::string> first_line_of(const std::string& command) {
  const std::unique_ptr<FILE, decltype(&::pclose)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) return std::nullopt;
  char line[512];
  if (std::fgets(line, sizeof(line), pipe.get()) == nullptr) return std::nullopt;
  return std::string(base::trim(line));
}

Finding check_python() {
  const auto found = first_line_of(
      "/usr/bin/python3 -c 'import sys; print(\"%d.%d.%d\" % sys.version_info[:3])' 2>/dev/null");
  if (!found) {
    return {"python", "warning", "/usr/bin/python3 does not run",
            "apt-get install python3; without it only command agents work"};
  }
  return ok("python", *found);
}

Finding check_grpc() {
  const auto found = first_line_of(
      "/usr/bin/python3 -c 'import grpc, google.protobuf as p; print(\"grpc \" + grpc.__version__ "
      "+ \", protobuf \" + p.__version__)' 2>/dev/null");
  if (!found) {
    return {"python grpc", "warning", "grpc or protobuf cannot be imported",
            "apt-get install python3-grpcio python3-protobuf; Python agents need both"};
  }
  return ok("python grpc", *found);
}

Finding check_sdk() {
  const std::string path = find_python_sdk();
  if (path.empty()) {
    return {"python sdk", "warning", "not beside this program",
            "run `make install`, or put the folder python/ on PYTHONPATH"};
  }
  return ok("python sdk", path);
}

Finding check_disk(const Project& project) {
  const auto free = platform::free_bytes(project.folder);
  if (!free) return {"disk", "error", free.error().message(), "check the project folder"};
  const std::string text = fmt::format("{:.1f} GiB free", static_cast<double>(*free) / (1U << 30U));
  if (*free < kLittleSpace) return {"disk", "warning", text, "free space: new work needs it"};
  return ok("disk", text);
}

Finding check_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string text = fmt::format("{} open files allowed", limit.rlim_cur);
  if (limit.rlim_cur < kFewDescriptors) return {"descriptors", "warning", text, "ulimit -n 4096"};
  return ok("descriptors", text);
}

Finding check_cgroup() {
  auto base = platform::CgroupBase::find("doctor");
  if (!base) {
    return {"process trees", "warning", "no writable cgroup v2: " + base.error().message(),
            "trees are ended by walking /proc, which a hiding process can delay"};
  }
  return ok("process trees", "cgroup.kill in a cgroup v2");
}

Finding check_config(const Project& project, const GlobalOptions& global) {
  const ProjectConfig config = load_project_config(project, global.sets);
  if (!config.problems.ok()) {
    return {"configuration", "error", fmt::format("{} errors", config.problems.error_count()),
            "mainstay config check"};
  }
  std::int64_t agents = 0;
  for (const auto& agent : config.fleet->agents) agents += agent->replicas;
  return ok("configuration",
            fmt::format("agents: {}, pipelines: {}", agents, config.fleet->pipelines.size()));
}

Finding check_daemon(const GlobalOptions& global) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) {
    const bool absent = daemon.error().code() == Code::not_running;
    if (absent && daemon.error().message().starts_with("no daemon")) {
      return ok("daemon", "not running");
    }
    return {"daemon", "warning", daemon.error().message(), std::string(daemon.error().hint())};
  }
  if (!daemon->is_ready()) {
    return {"daemon", "warning", "runs, and is not ready", "mainstay status; mainstay logs tail"};
  }
  return ok("daemon", "runs and is ready");
}

// For a daemon that does not run yet: whether it will get its addresses.
void check_addresses(const Project& project, const GlobalOptions& global,
                     std::vector<Finding>& findings) {
  if (const auto running = read_daemon_info(project)) return;
  const ProjectConfig config = load_project_config(project, global.sets);
  if (!config.problems.ok()) return;
  platform::EventLoop loop;
  for (const auto* setting : {&config::kHttpListen, &config::kLinkListen}) {
    const std::string& address = config.settings.get(*setting);
    const auto endpoint = platform::parse_endpoint(address);
    if (!endpoint) continue;  // empty: off
    const std::string key(setting->decl.key);
    const auto taken = platform::TcpListener::open(loop, *endpoint, {});
    findings.push_back(taken ? ok(key, address + " is free")
                             : Finding{key, "error", taken.error().message(),
                                       "another fleet may use it: set " + key +
                                           " to another port, or to port 0 for any free one"});
  }
}

}  // namespace

int doctor(const GlobalOptions& global) {
  std::vector<Finding> findings{ok("mainstay", fmt::format("{} (commit {})", kVersion, kCommit)),
                                check_python(),
                                check_grpc(),
                                check_sdk(),
                                check_descriptors(),
                                check_cgroup()};
  auto project = find_project(global.project);
  if (project) {
    findings.push_back(check_disk(*project));
    findings.push_back(check_config(*project, global));
    findings.push_back(check_daemon(global));
    check_addresses(*project, global, findings);
  } else {
    findings.push_back(
        {"project", "warning", project.error().message(), std::string(project.error().hint())});
  }
  Table table({"CHECK", "STATE", "FOUND", "FIX"});
  JsonArray list;
  bool failed = false;
  for (const Finding& finding : findings) {
    table.row({finding.check, finding.state, finding.found, finding.fix});
    list.push_back(JsonObject{{"check", finding.check},
                              {"state", finding.state},
                              {"found", finding.found},
                              {"fix", finding.fix}});
    failed = failed || finding.state == "error";
  }
  std::fputs(
      render(global.output, JsonObject{{"checks", std::move(list)}}, table.to_text()).c_str(),
      stdout);
  return failed ? kExitFailed : kExitDone;
}

}  // namespace mainstay::app
