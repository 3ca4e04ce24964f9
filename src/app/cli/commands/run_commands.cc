// `mainstay run` and `mainstay runs …`.
#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "app/cli/client/daemon_client.h"
#include "app/cli/commands.h"
#include "app/cli/commands/run_watch.h"
#include "app/cli/commands/stored_runs.h"
#include "app/cli/input/input_json.h"
#include "app/cli/input/short_id.h"
#include "app/cli/interrupt.h"
#include "app/views/json_fields.h"
#include "app/views/time_text.h"
#include "base/printable.h"
#include "base/text.h"
#include "platform/clock.h"
#include "platform/files/files.h"
#include "platform/http/message.h"

namespace mainstay::app {
namespace {

using platform::Json;

constexpr auto kArchiveWait = std::chrono::seconds(10);
/// Looks for the archive between questions whether it can be written at all.
constexpr int kLooks = 50;

int exit_code_of_run(const std::string& state) {
  return state == "succeeded" || state == "degraded" ? kExitDone : kExitFailed;
}

std::string goes_on(const std::string& id) {
  return fmt::format(
      "\nthe run goes on; `mainstay runs show {0}` tells of it, `mainstay runs cancel {0}` ends "
      "it\n",
      id);
}

bool is_archived(const std::string& folder) {
  const auto summary = platform::read_file(folder + "/logs_summary.txt");
  return summary && summary->find("SHA-256: ") != std::string::npos;
}

// Why the daemon cannot write folders of runs; "" when it can, or does not say.
std::string recording_trouble(const std::string& project) {
  auto daemon = DaemonClient::connect(project);
  const auto fleet = daemon ? daemon->get("/v1/fleet") : Result<Answer>(daemon.error());
  return fleet ? text_of(field(fleet->json, "recording"), "reason") : "";
}

// The folder is completed a moment after the run has ended; who reads it next should find it whole.
// False: there is no folder, and it was said why.
bool wait_for_folder(const std::string& project, const std::string& folder) {
  const Mono until = platform::mono_now() + kArchiveWait;
  std::string trouble;
  while (platform::mono_now() < until && trouble.empty()) {
    for (int i = 0; i < kLooks; ++i) {
      if (is_archived(folder)) return true;
      if (interrupted_within(std::chrono::milliseconds(10))) return platform::path_exists(folder);
    }
    if (!platform::path_exists(folder)) trouble = recording_trouble(project);
  }
  const bool there = platform::path_exists(folder);
  std::fprintf(stderr, "mainstay: %s of the run is not there yet: %s%s%s\n",
               there ? "the archive" : "the folder", folder.c_str(), trouble.empty() ? "" : "; ",
               trouble.c_str());
  if (!there)
    std::fputs("hint: the daemon writes it as soon as it can; `mainstay status`\n", stderr);
  return there;
}

Result<std::string> run_body(const RunOptions& options) {
  auto input = read_input(options.inputs, options.input_json);
  if (!input) return std::move(input).error();
  auto labels = read_labels(options.labels);
  if (!labels) return std::move(labels).error();
  std::string body;
  platform::JsonWriter json(body);
  json.begin_object().member("pipeline", options.pipeline).member_raw("input", *input);
  json.member_raw("labels", platform::to_text(*labels)).end_object();
  return body;
}

// What the run's models were asked; "" when none was.
std::string usage_text(const Json& run) {
  std::int64_t tokens = 0;
  std::int64_t requests = 0;
  for (const Json& step : list_of(run, "steps")) {
    const Json& usage = field(step, "usage");
    tokens += number_of(usage, "prompt_tokens") + number_of(usage, "completion_tokens");
    requests += number_of(usage, "llm_requests");
  }
  if (tokens == 0 && requests == 0) return "";
  return fmt::format(", {} tokens in {} LLM request{}", tokens, requests, requests == 1 ? "" : "s");
}

/// Why nothing of it goes on, or of single stages; "" when all goes on.
std::string waiting_text(const Json& run) {
  std::string out;
  for (const Json& step : list_of(run, "steps")) {
    const std::string sentence = text_of(field(step, "waiting"), "sentence");
    if (!sentence.empty()) out += fmt::format("{} waits: {}\n", text_of(step, "stage"), sentence);
  }
  return out;
}

std::string run_text(const Json& run) {
  std::string out = fmt::format(
      "{} {} (version {}): {}, {}{}\n", text_of(run, "pipeline"), text_of(run, "id"),
      number_of(run, "version"), text_of(run, "state"),
      span_between(text_of(run, "created_at"), text_of(run, "finished_at")), usage_text(run));
  if (const Json& error = field(run, "error"); error.is_object()) {
    out += "error: " + base::printable(text_of(error, "message")) + "\n";
    const std::string hint = text_of(field(error, "context"), "hint");
    if (!hint.empty()) out += "hint: " + base::printable(hint) + "\n";
  }
  Table table({"STEP", "STAGE", "STATE", "ITEMS", "FAILED", "RETRIES", "TOOK", "ERROR"});
  for (const Json& step : list_of(run, "steps")) {
    table.row({std::to_string(number_of(step, "number")), text_of(step, "stage"),
               text_of(step, "state"),
               fmt::format("{}/{}", number_of(step, "items_done"), number_of(step, "items_total")),
               std::to_string(number_of(step, "items_failed")),
               std::to_string(number_of(step, "retries")),
               text_of(step, "started_at").empty()
                   ? ""
                   : span_between(text_of(step, "started_at"), text_of(step, "finished_at")),
               text_of(field(step, "error"), "message")});
  }
  return out + waiting_text(run) + "\n" + table.to_text();
}

std::string list_target(const ListOptions& options) {
  std::string target = fmt::format("/v1/runs?limit={}", options.limit);
  if (!options.states.empty()) {
    target += "&state=" + platform::percent_encode(base::join(options.states, ","));
  }
  if (!options.pipeline.empty()) {
    target += "&pipeline=" + platform::percent_encode(options.pipeline);
  }
  return target;
}

// Where the run's folder is; nothing when the daemon is not this project's own, so that its folder
// lies elsewhere.
std::optional<std::string> run_folder(const GlobalOptions& global, const DaemonClient& daemon,
                                      const std::string& pipeline, const std::string& id) {
  const auto project = find_project(global.project);
  if (!project || !daemon.serves(*project)) return std::nullopt;
  return project->runs() + "/" + pipeline + "/" + id;
}

// What is known of runs outlives the daemon: without one, the project's files are read. They say
// nothing of a daemon that is named by its URL.
template <class Ask, class Read>
Result<Answer> ask_or_read(const GlobalOptions& global, const Ask& ask, const Read& read) {
  auto daemon = DaemonClient::connect(global.project);
  auto answer = daemon ? ask(*daemon) : Result<Answer>(daemon.error());
  if (answer || answer.error().code() != Code::not_running || is_named_by_url()) return answer;
  const auto project = find_project(global.project);
  if (!project) return project.error();
  say_no_daemon_runs();
  return read(*project);
}

}  // namespace

int run_pipeline(const GlobalOptions& global, const RunOptions& options) {
  auto body = run_body(options);
  if (!body) return report(body.error());
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  SaidOnInterrupt interrupted("\nthe run may have been accepted; `mainstay runs list`\n");
  auto started = daemon->post("/v1/runs", *std::move(body), options.idempotency_key);
  if (!started) return report(started.error());
  const std::string id = text_of(started->json, "id");
  interrupted.say(goes_on(id));
  if (options.detach) {
    print(global, started->text, id + "\n");
    return kExitDone;
  }
  const auto folder = run_folder(global, *daemon, options.pipeline, id);
  auto run = watch_run(*std::move(daemon), id, {global.project, options.plain, options.reconnect});
  if (!run && run.error().code() == Code::cancelled) {
    std::fputs(goes_on(id).c_str(), stderr);
    return kExitInterrupted;
  }
  if (!run) {
    std::fprintf(stderr, "mainstay: run %s was accepted; `mainstay runs show %s` tells of it\n",
                 id.c_str(), id.c_str());
    return report(run.error());
  }
  const bool there = folder && wait_for_folder(global.project, *folder);
  // The daemon that MAINSTAY_URL names has its folders elsewhere; its run is known by its id.
  print(global, run->text, there ? *folder + "\n" : folder ? "" : id + "\n");
  return exit_code_of_run(text_of(run->json, "state"));
}

int runs_list(const GlobalOptions& global, const ListOptions& options) {
  auto list = ask_or_read(
      global, [&](DaemonClient& daemon) { return daemon.get(list_target(options)); },
      [&](const Project& project) { return stored_runs(project, options); });
  if (!list) return report(list.error());
  Table table({"ID", "PIPELINE", "STATE", "AGE", "TOOK"});
  for (const Json& run : list_of(list->json, "runs")) {
    table.row({text_of(run, "id"), text_of(run, "pipeline"), text_of(run, "state"),
               age_of(text_of(run, "created_at")),
               span_between(text_of(run, "created_at"), text_of(run, "finished_at"))});
  }
  print(global, list->text, table.to_text());
  return kExitDone;
}

int runs_show(const GlobalOptions& global, const std::string& id) {
  auto run = ask_or_read(
      global,
      [&](DaemonClient& daemon) -> Result<Answer> {
        const auto whole = whole_id(daemon, "runs", id);
        if (!whole) return whole.error();
        return daemon.get("/v1/runs/" + platform::percent_encode(*whole));
      },
      [&](const Project& project) { return stored_run(project, id); });
  if (!run) return report(run.error());
  print(global, run->text, run_text(run->json));
  return kExitDone;
}

}  // namespace mainstay::app
