// `mainstay work …`: submit, list, show, wait, cancel.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <thread>
#include <utility>

#include "app/cli/client/daemon_client.h"
#include "app/cli/client/patient_client.h"
#include "app/cli/commands.h"
#include "app/cli/input/input_json.h"
#include "app/cli/input/short_id.h"
#include "app/cli/interrupt.h"
#include "app/views/json_fields.h"
#include "app/views/time_text.h"
#include "app/views/work_tables.h"
#include "base/text.h"
#include "base/time.h"
#include "platform/clock.h"
#include "platform/http/message.h"
#include "platform/json/json_layout.h"

namespace mainstay::app {
namespace {

using platform::Json;

bool is_open(const Json& item) {
  const std::string state = text_of(item, "state");
  return state == "queued" || state == "delayed" || state == "running";
}

/// A time as it is written, or one so long from now.
Result<std::string> moment_of(const char* option, const std::string& text) {
  if (base::wall_from_text(text)) return text;
  const auto from_now = base::parse_duration(text);
  // No duration that is read is longer than a few hundred years: the sum is a time.
  if (from_now) {
    return base::wall_to_text(platform::wall_now() +
                              std::chrono::duration_cast<Wall::duration>(*from_now));
  }
  return Error(Code::invalid_argument,
               fmt::format("{}: expected a duration from now such as 10m, or a time such as "
                           "2030-01-31T12:00:00Z, got \"{}\"",
                           option, base::excerpt(text, 80)));
}

Result<void> add_times(const SubmitOptions& options, platform::JsonWriter& json) {
  if (!options.timeout.empty()) json.member("timeout", options.timeout);
  if (!options.idle_timeout.empty()) json.member("idle_timeout", options.idle_timeout);
  if (!options.deadline.empty()) {
    auto deadline = moment_of("--deadline", options.deadline);
    if (!deadline) return std::move(deadline).error();
    json.member("deadline", *deadline);
  }
  if (!options.start_after.empty()) {
    auto start = moment_of("--start-after", options.start_after);
    if (!start) return std::move(start).error();
    json.member("start_after", *start);
  }
  return {};
}

Result<std::string> submit_body(const SubmitOptions& options) {
  auto input = read_input(options.inputs, options.input_json);
  if (!input) return std::move(input).error();
  auto labels = read_labels(options.labels);
  if (!labels) return std::move(labels).error();
  std::string body;
  platform::JsonWriter json(body);
  json.begin_object().member("capability", options.capability);
  json.member("description",
              options.description.empty() ? options.capability + " by hand" : options.description);
  json.member_raw("input", *input).member_raw("labels", platform::to_text(*labels));
  if (options.priority >= 0) json.member("priority", options.priority);
  if (!options.phase.empty()) json.member("phase", options.phase);
  if (options.max_attempts > 0) {
    json.member_raw("retry", fmt::format(R"({{"max_attempts":{}}})", options.max_attempts));
  }
  if (auto added = add_times(options, json); !added) return std::move(added).error();
  json.end_object();
  return body;
}

std::string goes_on(const std::string& id) {
  return fmt::format(
      "\nthe item goes on; `mainstay work wait {0}` waits again, `mainstay work cancel {0}` ends "
      "it\n",
      base::excerpt(id, 80));
}

// Waits as long as it takes: each request is answered within its own wait.
Result<Answer> wait_for_end(const GlobalOptions& global, DaemonClient daemon, Duration reconnect,
                            const std::string& id) {
  const auto pause = [](Duration time) {
    std::this_thread::sleep_for(time);  // Ctrl-C ends the process: SaidOnInterrupt
    return false;
  };
  PatientClient client(std::move(daemon), global.project, reconnect, pause,
                       [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); });
  while (true) {
    auto item = client.get("/v1/work/" + platform::percent_encode(id) + "?wait=30s");
    if (!item || !is_open(item->json)) return item;
  }
}

int finish(const GlobalOptions& global, const Answer& item) {
  const bool ok = text_of(item.json, "state") == "succeeded";
  const auto output = platform::member_text(item.text, "output").value_or("null");
  const std::string table = ok ? platform::pretty_json_text(output) + "\n"
                               : item_text(item.json, item.text) + failure_text(item.json);
  print(global, item.text, table);
  return ok ? kExitDone : kExitFailed;
}

}  // namespace

int work_submit(const GlobalOptions& global, const SubmitOptions& options) {
  auto body = submit_body(options);
  if (!body) return report(body.error());
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  SaidOnInterrupt interrupted("\nthe item may have been accepted; `mainstay work list`\n");
  auto accepted = daemon->post("/v1/work", *std::move(body), options.idempotency_key);
  if (!accepted) return report(accepted.error());
  const std::string id = text_of(accepted->json, "id");
  interrupted.say(goes_on(id));
  if (!options.wait) {
    print(global, accepted->text, id + "\n");
    return kExitDone;
  }
  auto item = wait_for_end(global, *std::move(daemon), options.reconnect, id);
  if (item) return finish(global, *item);
  std::fprintf(stderr, "mainstay: item %s was accepted; `mainstay work wait %s` waits again\n",
               id.c_str(), id.c_str());
  return report(item.error());
}

int work_wait(const GlobalOptions& global, const std::string& id, Duration reconnect) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto whole = whole_id(*daemon, "work", id);
  if (!whole) return report(whole.error());
  const SaidOnInterrupt interrupted(goes_on(*whole));
  auto item = wait_for_end(global, *std::move(daemon), reconnect, *whole);
  return item ? finish(global, *item) : report(item.error());
}

int work_list(const GlobalOptions& global, const ListOptions& options) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  std::string target = fmt::format("/v1/work?limit={}", options.limit);
  if (!options.states.empty()) {
    target += "&state=" + platform::percent_encode(base::join(options.states, ","));
  }
  if (!options.capability.empty()) {
    target += "&capability=" + platform::percent_encode(options.capability);
  }
  if (options.run) {
    const auto run = whole_id(*daemon, "runs", *options.run, "--run");
    if (!run) return report(run.error());
    target += "&run=" + platform::percent_encode(*run);
  }
  auto list = daemon->get(target);
  if (!list) return report(list.error());
  Table table({"ID", "STATE", "CAPABILITY", "PRIO", "TRIES", "AGENT", "AGE", "DESCRIPTION"});
  for (const Json& item : list_of(list->json, "work")) {
    table.row({text_of(item, "id"), text_of(item, "state"), text_of(item, "capability"),
               std::to_string(number_of(item, "priority")),
               std::to_string(number_of(item, "attempts_used")), text_of(item, "agent"),
               age_of(text_of(item, "created_at")),
               base::excerpt(text_of(item, "description"), 60)});
  }
  print(global, list->text, table.to_text());
  return kExitDone;
}

int work_show(const GlobalOptions& global, const std::string& id) {
  auto daemon = DaemonClient::connect(global.project);
  if (!daemon) return report(daemon.error());
  const auto whole = whole_id(*daemon, "work", id);
  if (!whole) return report(whole.error());
  const std::string target = "/v1/work/" + platform::percent_encode(*whole);
  auto item = daemon->get(target);
  if (!item) return report(item.error());
  auto attempts = daemon->get(target + "/attempts");
  if (!attempts) return report(attempts.error());
  const auto list = platform::member_text(attempts->text, "attempts");
  print(global, with_member(item->text, "attempts", list.value_or("[]")),
        item_text(item->json, item->text) + attempts_text(list_of(attempts->json, "attempts")) +
            failure_text(item->json));
  return kExitDone;
}

}  // namespace mainstay::app
