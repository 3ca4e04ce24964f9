#include "app/bench/bench_daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "app/cli/interrupt.h"
#include "app/python_sdk.h"
#include "app/views/json_fields.h"
#include "base/text.h"
#include "platform/clock.h"
#include "platform/environment.h"
#include "platform/files/files.h"
#include "platform/grpc/unix_listener.h"
#include "platform/http/client.h"
#include "platform/json/json.h"
#include "platform/process/pidfd.h"
#include "security/tokens.h"

namespace mainstay::app {
namespace {

namespace fs = std::filesystem;

constexpr auto kReadyLimit = std::chrono::seconds(60);
constexpr auto kStopLimit = std::chrono::seconds(20);
constexpr auto kLook = std::chrono::milliseconds(10);

Result<std::string> temporary_folder() {
  std::string pattern = (fs::temp_directory_path() / "mainstay-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return platform::io_error("cannot make a folder like", pattern, errno);
  }
  return pattern;
}

Result<std::string> agent_command(const std::string& kind) {
  const fs::path cpp = fs::path(own_path()).parent_path() / "mainstay_noop_agent";
  const fs::path python = fs::path(find_python_sdk()) / "../bench/agents/noop_agent.py";
  const fs::path& program = kind == "cpp" ? cpp : python;
  std::error_code failed;
  const std::string path = fs::canonical(program, failed).string();
  if (failed) {
    return Error(Code::environment_invalid,
                 fmt::format("the no-op agent is not there: {}", program.string()))
        .with_hint("build everything (`make build`) and run it from the source tree");
  }
  std::string quoted;
  platform::append_json_string(quoted, path);  // JSON strings are YAML strings
  // Debian's grpcio belongs to the system's Python, which need not be the first on PATH.
  const char* python3 = platform::path_exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
  return kind == "cpp" ? quoted : fmt::format("{}, {}", python3, quoted);
}

/// The words after a key of /proc/PID/status, in kibibytes.
std::int64_t status_kib(int pid, const std::string& key) {
  auto text = platform::read_file(fmt::format("/proc/{}/status", pid), 64 * 1024);
  if (!text) return 0;
  const std::size_t at = text->find("\n" + key + ":");
  return at == std::string::npos ? 0 : std::atoll(text->c_str() + at + key.size() + 2);
}

}  // namespace

Result<std::unique_ptr<BenchDaemon>> BenchDaemon::start(const BenchOptions& options) {
  auto folder = temporary_folder();
  if (!folder) return std::move(folder).error();
  std::unique_ptr<BenchDaemon> made(new BenchDaemon(std::move(*folder)));
  if (auto written = made->write_project(options); !written) return std::move(written).error();
  if (auto spawned = made->spawn(); !spawned) return std::move(spawned).error();
  if (auto ready = made->wait_ready(options.agents); !ready) return std::move(ready).error();
  auto token = security::read_operator_token(made->project_.data());
  if (!token) return std::move(token).error();
  made->token_ = std::move(*token);
  return made;
}

BenchDaemon::~BenchDaemon() {
  stop();
  std::error_code ignored;
  fs::remove_all(project_.folder, ignored);
}

std::string BenchDaemon::link() const {
  auto path = platform::bindable_socket_path(project_.data_file("link.sock"));
  return path ? "unix:" + *path : "";
}

Result<void> BenchDaemon::write_project(const BenchOptions& options) const {
  auto command = agent_command(options.agent_kind);
  if (!command) return std::move(command).error();
  const std::string fleet = fmt::format(
      "fleet: bench\n"
      "agents:\n"
      "  noop:\n"
      "    command: [{}]\n"
      "    replicas: {}\n"
      "    concurrency: {}\n"
      "    capabilities: [bench.noop]\n",
      *command, options.agents, options.slots);
  if (auto written = platform::write_file_atomic(project_.file("fleet.yaml"), fleet); !written) {
    return written;
  }
  return platform::write_file_atomic(project_.file("mainstay.yaml"),
                                     "log: {level: WARNING}\n"
                                     "http: {listen: \"127.0.0.1:0\"}\n"
                                     "link: {listen: \"\"}\n");
}

Result<void> BenchDaemon::spawn() {
  auto log = platform::open_file(project_.file("daemon.out"), O_WRONLY | O_CREAT | O_APPEND);
  if (!log) return std::move(log).error();
  platform::SpawnRequest request;
  request.argv = {own_path(), "--project", project_.folder, "up"};
  request.working_dir = project_.folder;
  request.environment = platform::environment_list(platform::passable_environment());
  request.stdout_fd = log->get();
  request.stderr_fd = log->get();
  auto process = platform::spawn(request);
  if (!process) return std::move(process).error();
  process_ = std::move(*process);
  started_ = true;
  return {};
}

Result<void> BenchDaemon::wait_ready(int agents) {
  const Mono until = platform::mono_now() + kReadyLimit;
  while (platform::mono_now() < until) {
    if (platform::has_ended(process_.pidfd)) return explained("the daemon ended");
    if (healthy_agents() >= agents) return {};
    if (interrupted_within(kLook)) return Error(Code::cancelled, "interrupted");
  }
  return explained("the agents did not become ready in time");
}

std::int64_t BenchDaemon::healthy_agents() const {
  auto info = read_daemon_info(project_);
  auto token = security::read_operator_token(project_.data());
  if (!info || !token) return 0;
  platform::HttpCall call;
  call.target = "/v1/agents";
  call.headers = {{"Authorization", "Bearer " + *token}};
  auto reply = platform::http_call(info->http_address, call);
  if (!reply || reply->status != 200) return 0;
  auto body = platform::parse_json(reply->body);
  if (!body) return 0;
  std::int64_t healthy = 0;
  for (const platform::Json& agent : list_of(*body, "agents")) {
    if (text_of(agent, "state") == "healthy") ++healthy;
  }
  return healthy;
}

Error BenchDaemon::explained(const std::string& what) const {
  auto said = platform::read_file(project_.file("daemon.out"), 1024 * 1024);
  const std::string words = said ? std::string(base::trim(*said)) : "";
  return Error(Code::environment_invalid,
               words.empty() ? what : fmt::format("{}; it said:\n{}", what, words));
}

bool BenchDaemon::has_ended() const { return platform::has_ended(process_.pidfd); }

std::int64_t BenchDaemon::rss_bytes() const {
  return status_kib(process_.identity.pid, "VmRSS") * 1024;
}

double BenchDaemon::cpu_seconds() const {
  auto text = platform::read_file(fmt::format("/proc/{}/stat", process_.identity.pid), 4096);
  if (!text) return 0;
  // proc(5): fields 14 and 15; field 3 is the first after the name's closing bracket.
  const std::size_t name_end = text->rfind(") ");
  if (name_end == std::string::npos) return 0;
  const auto fields = base::split(std::string_view(*text).substr(name_end + 2), ' ');
  if (fields.size() < 13) return 0;
  const double ticks =
      std::atof(std::string(fields[11]).c_str()) + std::atof(std::string(fields[12]).c_str());
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void BenchDaemon::stop() {
  if (!std::exchange(started_, false)) return;
  platform::send_signal(process_.pidfd, SIGTERM);
  const Mono until = platform::mono_now() + kStopLimit;
  while (!platform::has_ended(process_.pidfd) && platform::mono_now() < until) {
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kLook).count()));
  }
  platform::send_signal(process_.pidfd, SIGKILL);
  platform::await_and_reap(process_.pidfd);
}

}  // namespace mainstay::app
