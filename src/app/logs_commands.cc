// `mainstay logs tail` and `mainstay runs verify`: what lies in plain files.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/commands.h"
#include "app/daemon_client.h"
#include "app/json_fields.h"
#include "base/text.h"
#include "platform/http/message.h"
#include "platform/sqlite.h"
#include "runs/run_archive.h"
#include "telemetry/log_line.h"
#include "work/run_queries.h"

namespace mainstay::app {
namespace {

using platform::Json;
using platform::JsonArray;
using platform::JsonObject;

// A stored line in its readable form; JSON Lines go out as they are.
void print_line(const GlobalOptions& global, std::string_view line) {
  auto parsed = platform::parse_json(line);
  if (global.output != OutputForm::table || !parsed) {
    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
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
  std::fputs(telemetry::to_console_line(record, ::isatty(STDOUT_FILENO) == 1).c_str(), stdout);
  std::fflush(stdout);
}

std::string logs_target(const LogsOptions& options) {
  std::string target = fmt::format("/v1/logs?lines={}", std::max<std::int64_t>(1, options.lines));
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) target += fmt::format("&{}={}", key, platform::percent_encode(value));
  };
  add("run", options.run);
  add("component", options.component);
  add("agent", options.agent);
  std::string level = options.level;
  for (char& c : level) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  add("level", level);
  return target;
}

Result<model::ArchiveRow> recorded_archive(const Project& project, const std::string& id) {
  const auto run = model::RunId::from_text(id);
  if (!run) return Error(Code::invalid_argument, fmt::format("\"{}\" is not the id of a run", id));
  platform::SqliteOptions options;
  options.access = platform::SqliteAccess::read_only;
  auto db = platform::SqliteConnection::open(project.data_file("mainstay.db"), options);
  if (!db) return std::move(db).error();
  if (auto known = work::find_run(*db, *run, nullptr); !known) return std::move(known).error();
  auto archive = work::find_archive(*db, *run);
  if (!archive) return std::move(archive).error();
  if (!*archive) {
    return Error(Code::conflict, fmt::format("run {} is not archived yet", id))
        .with_hint("it is archived a moment after it ends");
  }
  return **archive;
}

}  // namespace

int logs_tail(const GlobalOptions& global, const LogsOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const std::string target = logs_target(options);
  if (!options.follow) {
    auto lines = daemon->get(target);
    if (!lines) return report(lines.error());
    for (const Json& line : list_of(*lines, "lines")) {
      print_line(global,
                 line.is_string() ? std::string(line.get_string()) : platform::to_text(line));
    }
    return kExitDone;
  }
  auto ended = daemon->events(target + "&follow=true", [&](std::string_view line) {
    print_line(global, line);
    return true;
  });
  return ended ? kExitDone : report(ended.error());
}

int runs_verify(const GlobalOptions& global, const std::string& id) {
  auto project = find_project(global.project);
  if (!project) return report(project.error());
  auto recorded = recorded_archive(*project, id);
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
