// `mainstay logs tail` and `mainstay runs verify`: what lies in plain files.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "app/cli/client/daemon_client.h"
#include "app/cli/commands.h"
#include "app/cli/commands/stored_runs.h"
#include "app/cli/input/short_id.h"
#include "app/views/json_fields.h"
#include "app/views/output.h"
#include "base/printable.h"
#include "base/text.h"
#include "platform/http/message.h"
#include "runs/folders/run_archive.h"
#include "telemetry/log_line.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

bool colour() { return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

// What is no line of ours (half a line, another program's words) stays what it is, made printable;
// for programs it is a string.
void print_foreign(const GlobalOptions& global, std::string_view line) {
  std::string text;
  switch (global.output) {
    case OutputForm::json:
      platform::append_json_string(text, line);
      break;
    case OutputForm::yaml:
      text = "---\n" + std::string(base::trim(to_yaml(platform::to_text(Json(line)))));
      break;
    case OutputForm::table:
      text = base::printable_lines(line);
      break;
  }
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

// A stored line in its readable form; JSON Lines go out as they are, YAML as a document each.
void print_line(const GlobalOptions& global, std::string_view line) {
  const auto parsed = platform::parse_json(line);
  if (!parsed || !parsed->is_object()) return print_foreign(global, line);
  if (global.output == OutputForm::yaml) {
    std::printf("---\n%s", to_yaml(line).c_str());
    std::fflush(stdout);
    return;
  }
  if (global.output == OutputForm::json) {
    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    std::fflush(stdout);
    return;
  }
  model::LogRecord record;
  record.at = base::wall_from_text(text_of(*parsed, "timestamp")).value_or(Wall{});
  record.level =
      base::parse_enum<model::LogLevel>(text_of(*parsed, "level")).value_or(model::LogLevel::INFO);
  record.message = text_of(*parsed, "message");
  record.context.component = text_of(*parsed, "component");
  record.context.agent = text_of(*parsed, "agent");
  if (const Json& fields = field(*parsed, "fields"); fields.is_object()) {
    record.fields = platform::to_text(fields);
  }
  std::fputs(telemetry::to_console_line(record, colour()).c_str(), stdout);
  std::fflush(stdout);
}

std::string logs_target(const LogsOptions& options) {
  std::string target = fmt::format("/v1/logs?lines={}", options.lines);
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) target += fmt::format("&{}={}", key, platform::percent_encode(value));
  };
  add("run", options.run.value_or(""));
  add("component", options.component);
  add("agent", options.agent);
  add("level", options.level);
  return target;
}

Result<LogsOptions> with_whole_run(DaemonClient& daemon, LogsOptions options) {
  if (!options.run) return options;
  auto run = whole_id(daemon, "runs", *options.run, "--run");
  if (!run) return std::move(run).error();
  options.run = *std::move(run);
  return options;
}

Result<std::vector<std::string>> newest_lines(const GlobalOptions& global,
                                              const LogsOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon && daemon.error().code() == Code::not_running) {
    const auto project = find_project(global.project);
    if (!project) return project.error();
    say_no_daemon_runs();
    return stored_lines(*project, options);
  }
  if (!daemon) return std::move(daemon).error();
  auto known = with_whole_run(*daemon, options);
  if (!known) return std::move(known).error();
  auto answer = daemon->get(logs_target(*known));
  if (!answer) return std::move(answer).error();
  std::vector<std::string> lines;
  const auto list = platform::member_text(answer->text, "lines").value_or("[]");
  for (const std::string_view line : platform::element_texts(list)) {
    const auto text = platform::parse_json(line);
    lines.emplace_back(text && text->is_string() ? std::string_view(text->get_string()) : line);
  }
  return lines;
}

int follow_logs(const GlobalOptions& global, const LogsOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto known = with_whole_run(*daemon, options);
  if (!known) return report(known.error());
  auto ended = daemon->events(logs_target(*known) + "&follow=true", [&](std::string_view line) {
    // A line that is no JSON object comes as a string.
    const auto parsed = platform::parse_json(line);
    print_line(global,
               parsed && parsed->is_string() ? std::string_view(parsed->get_string()) : line);
    return std::ferror(stdout) == 0;
  });
  return ended ? kExitDone : report(ended.error());
}

}  // namespace

int logs_tail(const GlobalOptions& global, const LogsOptions& options) {
  if (options.follow) return follow_logs(global, options);
  auto lines = newest_lines(global, options);
  if (!lines) return report(lines.error());
  for (const std::string& line : *lines) print_line(global, line);
  if (lines->empty()) std::fputs("mainstay: no line is like that (yet)\n", stderr);
  return kExitDone;
}

int runs_verify(const GlobalOptions& global, const std::string& id) {
  auto project = find_project(global.project);
  if (!project) return report(project.error());
  auto recorded = stored_archive(*project, id);
  if (!recorded) return report(recorded.error());
  const std::string file = project->folder + "/" + recorded->path;
  const runs::RunLayout layout = runs::RunLayout::of_archive(file);
  auto verified = runs::verify_run(layout, {file, recorded->size_bytes, recorded->sha256});
  if (!verified) return report(verified.error());
  JsonArray problems;
  std::string text =
      verified->ok ? fmt::format("{}: {} files, {} bytes, SHA-256 {}: all agree\n", recorded->path,
                                 verified->files, recorded->size_bytes, recorded->sha256)
                   : fmt::format("{}: does not agree\n", recorded->path);
  for (const std::string& problem : verified->problems) {
    problems.push_back(Json(problem));
    text += "  " + problem + "\n";
  }
  const JsonObject object{{"run", id},
                          {"ok", verified->ok},
                          {"archive", recorded->path},
                          {"files", verified->files},
                          {"size_bytes", recorded->size_bytes},
                          {"sha256", recorded->sha256},
                          {"problems", std::move(problems)}};
  std::fputs(render(global.output, Json(object), text).c_str(), stdout);
  return verified->ok ? kExitDone : kExitFailed;
}

}  // namespace mainstay::app
