#include "app/cli/commands/stored_runs.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "api/routes/views.h"
#include "app/cli/input/short_id.h"
#include "base/text.h"
#include "platform/files/files.h"
#include "platform/sqlite/sqlite.h"
#include "runs/folders/run_layout.h"
#include "runs/logs/log_tail.h"
#include "work/tables/run_queries.h"

namespace mainstay::app {
namespace {

using platform::JsonWriter;
using platform::SqliteConnection;

Result<SqliteConnection> open_rows(const Project& project) {
  const std::string path = project.data_file("mainstay.db");
  if (!platform::path_exists(path)) {
    return Error(Code::not_found,
                 fmt::format("{} has no runs: no daemon ever ran here", project.folder))
        .with_hint("start it with `mainstay up --detach`");
  }
  platform::SqliteOptions options;
  options.access = platform::SqliteAccess::read_only;
  return SqliteConnection::open(path, options);
}

Result<std::string> whole_run_id(SqliteConnection& db, const std::string& given) {
  const auto last = last_id_like(given);
  if (!last) return given;
  work::RunFilter filter;
  filter.before = model::RunId::from_text(*last);
  filter.limit = 2;
  auto found = work::list_runs(db, filter);
  if (!found) return std::move(found).error();
  std::vector<std::string> ids;
  for (const work::RunRecord& run : *found) ids.push_back(run.spec->id.to_text());
  return only_id_like(given, ids);
}

Result<work::RunRecord> find_run(SqliteConnection& db, const std::string& id,
                                 std::string_view what = "ID") {
  const auto whole = whole_run_id(db, id);
  if (!whole) return whole.error();
  const auto checked = checked_id("runs", *whole, what);
  if (!checked) return checked.error();
  return work::find_run(db, *model::RunId::from_text(*checked), nullptr);
}

api::RunView view_of(work::RunRecord record) {
  return {std::move(record.spec), std::move(record.status), std::move(record.steps)};
}

Result<work::RunFilter> filter_of(const ListOptions& options) {
  work::RunFilter filter;
  for (const std::string& name : options.states) {
    const auto state = base::parse_enum<model::RunState>(name);
    if (!state) {
      return Error(Code::invalid_argument,
                   fmt::format("--state: expected one of {}, got \"{}\"",
                               fmt::join(base::enum_names<model::RunState>(), ", "),
                               base::excerpt(name, 80)));
    }
    filter.states.push_back(*state);
  }
  filter.pipeline = options.pipeline;
  filter.limit = static_cast<std::size_t>(options.limit);
  return filter;
}

Result<std::string> log_place(const Project& project, const std::optional<std::string>& id) {
  if (!id) return project.data_file("logs/fleet.log");
  auto db = open_rows(project);
  if (!db) return std::move(db).error();
  auto run = find_run(*db, *id, "--run");
  if (!run) return std::move(run).error();
  return runs::RunLayout(project.runs(), run->spec->pipeline->name, run->spec->id.to_text()).logs();
}

}  // namespace

Result<Answer> stored_run(const Project& project, const std::string& id) {
  auto db = open_rows(project);
  if (!db) return std::move(db).error();
  auto run = find_run(*db, id);
  if (!run) return std::move(run).error();
  std::string text;
  JsonWriter json(text);
  api::write_run(json, view_of(std::move(*run)), true);
  return read_answer(std::move(text));
}

Result<Answer> stored_runs(const Project& project, const ListOptions& options) {
  auto filter = filter_of(options);
  if (!filter) return std::move(filter).error();
  auto db = open_rows(project);
  if (!db) return std::move(db).error();
  auto found = work::list_runs(*db, *filter);
  if (!found) return std::move(found).error();
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("runs").begin_array();
  for (work::RunRecord& run : *found) api::write_run(json, view_of(std::move(run)), false);
  json.end_array().key("next_cursor").null().end_object();
  return read_answer(std::move(text));
}

Result<std::vector<std::string>> stored_lines(const Project& project, const LogsOptions& options) {
  auto place = log_place(project, options.run);
  if (!place) return std::move(place).error();
  const auto least =
      base::parse_enum<model::LogLevel>(options.level).value_or(model::LogLevel::DEBUG);
  return runs::LogTail(std::move(*place), {options.component, options.agent, least})
      .last(static_cast<std::size_t>(options.lines));
}

Result<model::ArchiveRow> stored_archive(const Project& project, const std::string& id) {
  auto db = open_rows(project);
  if (!db) return std::move(db).error();
  auto run = find_run(*db, id);
  if (!run) return std::move(run).error();
  auto archive = work::find_archive(*db, run->spec->id);
  if (!archive) return std::move(archive).error();
  if (!*archive) {
    return Error(Code::conflict, fmt::format("run {} is not archived yet", id))
        .with_hint("it is archived a moment after it ends");
  }
  return **archive;
}

void say_no_daemon_runs() {
  std::fputs("mainstay: no daemon answers; this is what the files say\n", stderr);
}

}  // namespace mainstay::app
