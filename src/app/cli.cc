// The command line's grammar, in one file because CLI11 is slow to compile.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "app/bench_work.h"
#include "app/commands.h"
#include "app/config_commands.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

using Action = std::function<int()>;

// Gives each subcommand its action; the last one parsed wins (there is only one).
class Grammar {
 public:
  explicit Grammar(const char* program);
  int run(int argc, char** argv);

 private:
  CLI::App* verb(CLI::App& parent, const char* name, const char* help, Action action);
  CLI::App* noun(const char* name, const char* help);
  void add_fleet();
  void add_run();
  void add_work();
  void add_runs();
  void add_logs();
  void add_config();
  void add_bench();
  int usage_error(const CLI::ParseError& error, const std::vector<std::string>& words);
  std::string suggestion(const std::vector<std::string>& words) const;

  CLI::App app_{"Mainstay: the operations backbone for fleets of AI agents."};
  GlobalOptions global_;
  UpOptions up_;
  RunOptions run_;
  SubmitOptions submit_;
  ListOptions list_;
  LogsOptions logs_;
  ConfigOptions config_;
  BenchOptions bench_;
  std::string output_ = "table";
  std::string id_;
  std::string reason_;
  bool show_version_ = false;
  Action action_;
};

Grammar::Grammar(const char* program) {
  global_.program = program;
  app_.name("mainstay");
  app_.require_subcommand(0, 1);
  app_.fallthrough();
  app_.add_flag("-V,--version", show_version_, "print the version and the commit");
  app_.add_option("-C,--project", global_.project, "the folder that has fleet.yaml");
  app_.add_option("-o,--output", output_, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}));
  app_.add_option("--set", global_.sets, "key=value: a setting, over all files")
      ->allow_extra_args(false);
  add_fleet();
  add_run();
  add_work();
  add_runs();
  add_logs();
  add_config();
  add_bench();
}

CLI::App* Grammar::verb(CLI::App& parent, const char* name, const char* help, Action action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->callback([this, action = std::move(action)] { action_ = action; });
  return command;
}

CLI::App* Grammar::noun(const char* name, const char* help) {
  CLI::App* command = app_.add_subcommand(name, help);
  command->require_subcommand(1);
  return command;
}

void Grammar::add_fleet() {
  CLI::App* up_command = verb(app_, "up", "start the daemon and the fleet of this project",
                              [this] { return up(global_, up_); });
  up_command->add_flag("-d,--detach", up_.detach, "return when it is ready");
  up_command->add_option("--ready-fd", up_.ready_fd)->group("");
  verb(app_, "down", "drain and stop the fleet, then the daemon", [this] { return down(global_); });
  verb(app_, "status", "the fleet at a glance", [this] { return status(global_); });
  CLI::App* agents = noun("agents", "registered agents");
  verb(*agents, "list", "every agent and its state", [this] {
    return agents_list(global_, list_);
  })->add_option("--capability", list_.capability, "only those that offer it");
  verb(*agents, "show", "one agent, with its last error",
       [this] { return agents_show(global_, id_); })
      ->add_option("name", id_)
      ->required();
  verb(app_, "doctor", "check the environment, each finding with a fix",
       [this] { return doctor(global_); });
  verb(app_, "version", "print the version and the commit", [this] { return version(global_); });
}

void Grammar::add_run() {
  CLI::App* command = verb(app_, "run", "run a pipeline and watch it",
                           [this] { return run_pipeline(global_, run_); });
  command->add_option("pipeline", run_.pipeline, "a pipeline of fleet.yaml")->required();
  command->add_option("-i,--input", run_.inputs, "key=value: a member of the input")
      ->allow_extra_args(false);
  command->add_option("--input-json", run_.input_json, "the input as JSON, @FILE or -");
  command->add_option("-l,--label", run_.labels, "key=value")->allow_extra_args(false);
  command->add_option("--idempotency-key", run_.idempotency_key,
                      "the same key starts the same run only once");
  command->add_flag("-d,--detach", run_.detach, "print the run's id and return");
  command->add_flag("--plain", run_.plain, "plain lines, no live view");
}

void Grammar::add_work() {
  CLI::App* work = noun("work", "work items");
  CLI::App* submit =
      verb(*work, "submit", "submit one item", [this] { return work_submit(global_, submit_); });
  submit->add_option("capability", submit_.capability)->required();
  submit->add_option("-m,--description", submit_.description, "what is asked, for people");
  submit->add_option("-i,--input", submit_.inputs, "key=value: a member of the input")
      ->allow_extra_args(false);
  submit->add_option("--input-json", submit_.input_json, "the input as JSON, @FILE or -");
  submit->add_option("-p,--priority", submit_.priority, "0 to 9, higher is sooner");
  submit->add_option("--timeout", submit_.timeout, "of one attempt, such as 30s");
  submit->add_option("--idempotency-key", submit_.idempotency_key);
  submit->add_option("-l,--label", submit_.labels, "key=value")->allow_extra_args(false);
  submit->add_flag("-w,--wait", submit_.wait, "wait for the result and print it");
  CLI::App* list =
      verb(*work, "list", "items, newest first", [this] { return work_list(global_, list_); });
  list->add_option("--state", list_.states, "queued, delayed, running, succeeded, failed, …")
      ->allow_extra_args(false);
  list->add_option("--capability", list_.capability);
  list->add_option("--run", list_.run, "only items of this run");
  list->add_option("-n,--limit", list_.limit)->check(CLI::Range(1, 1000));
  verb(*work, "show", "one item with its attempts", [this] { return work_show(global_, id_); })
      ->add_option("id", id_)
      ->required();
  verb(*work, "wait", "wait for an item and print its result",
       [this] { return work_wait(global_, id_); })
      ->add_option("id", id_)
      ->required();
  CLI::App* cancel = verb(*work, "cancel", "cancel an item",
                          [this] { return work_cancel(global_, id_, reason_); });
  cancel->add_option("id", id_)->required();
  cancel->add_option("--reason", reason_);
}

void Grammar::add_runs() {
  CLI::App* runs = noun("runs", "runs of pipelines");
  CLI::App* list =
      verb(*runs, "list", "runs, newest first", [this] { return runs_list(global_, list_); });
  list->add_option("--state", list_.states)->allow_extra_args(false);
  list->add_option("--pipeline", list_.pipeline);
  list->add_option("-n,--limit", list_.limit)->check(CLI::Range(1, 1000));
  verb(*runs, "show", "one run with its steps", [this] { return runs_show(global_, id_); })
      ->add_option("id", id_)
      ->required();
  CLI::App* cancel =
      verb(*runs, "cancel", "cancel a run", [this] { return runs_cancel(global_, id_, reason_); });
  cancel->add_option("id", id_)->required();
  cancel->add_option("--reason", reason_);
  verb(*runs, "verify", "prove a run's archive", [this] { return runs_verify(global_, id_); })
      ->add_option("id", id_)
      ->required();
}

void Grammar::add_logs() {
  CLI::App* logs = noun("logs", "logs of the fleet and of runs");
  CLI::App* tail =
      verb(*logs, "tail", "the newest lines", [this] { return logs_tail(global_, logs_); });
  tail->add_option("--run", logs_.run, "of this run; else of the fleet");
  tail->add_option("--component", logs_.component, "orchestrator, adapter, metrics, …");
  tail->add_option("--agent", logs_.agent);
  tail->add_option("--level", logs_.level, "this level and above")
      ->check(CLI::IsMember({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}, CLI::ignore_case));
  tail->add_option("-n,--lines", logs_.lines, "how many")->check(CLI::Range(0, 1'000'000));
  tail->add_flag("-f,--follow", logs_.follow, "go on as lines come");
}

void Grammar::add_config() {
  CLI::App* config = noun("config", "settings and the fleet file");
  verb(*config, "check", "check all files; every error at once",
       [this] { return config_check(global_); });
  verb(*config, "get", "one setting's value", [this] { return config_get(global_, config_); })
      ->add_option("key", config_.key)
      ->required();
  CLI::App* show =
      verb(*config, "show", "all settings", [this] { return config_show(global_, config_); });
  show->add_flag("--origin", config_.origin, "with where each value came from");
  verb(*config, "why", "where one setting's value came from, layer by layer",
       [this] { return config_why(global_, config_); })
      ->add_option("key", config_.key)
      ->required();
  verb(*config, "reference", "every setting, as Markdown",
       [this] { return config_reference(global_); });
  verb(*config, "schema", "JSON Schema of mainstay.yaml",
       [this] { return config_schema(global_); });
}

void Grammar::add_bench() {
  CLI::App* bench = noun("bench", "measure this machine");
  CLI::App* work = verb(*bench, "work", "durable items through no-op agents", [this] {
    bench_.output = global_.output;
    return bench_work(bench_);
  });
  work->add_option("--agents", bench_.agents)->check(CLI::Range(1, 64));
  work->add_option("--agent-kind", bench_.agent_kind)->check(CLI::IsMember({"cpp", "python"}));
  work->add_option("--items", bench_.items)->check(CLI::Range(1, 10'000'000));
  work->add_option("--rate", bench_.rate, "items per second offered; 0: as fast as it goes");
}

std::string Grammar::suggestion(const std::vector<std::string>& words) const {
  const CLI::App* at = &app_;
  for (const std::string& word : words) {
    if (word.starts_with("-")) continue;
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(sub->get_name());
      if (sub->get_name() == word) next = sub;
    }
    if (next == nullptr) {
      const auto near = base::nearest(word, names);
      return near ? "\n  did you mean `" + *near + "`?" : "";
    }
    at = next;
  }
  return "";
}

int Grammar::usage_error(const CLI::ParseError& error, const std::vector<std::string>& words) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app_.exit(error);
  std::fprintf(stderr, "mainstay: %s%s\n  see `mainstay --help`\n", error.what(),
               suggestion(words).c_str());
  return kExitUsage;
}

int Grammar::run(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(error, words);
  }
  global_.output = base::parse_enum<OutputForm>(output_).value_or(OutputForm::table);
  if (show_version_) return version(global_);
  if (!action_) {
    std::fputs(app_.help().c_str(), stdout);
    return kExitDone;
  }
  return action_();
}

}  // namespace

int run_cli(int argc, char** argv) { return Grammar(argv[0]).run(argc, argv); }

}  // namespace mainstay::app
