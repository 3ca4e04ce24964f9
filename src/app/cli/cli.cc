// The command line's grammar, in one file because CLI11 is slow to compile.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/bench/bench_work.h"
#include "app/cli/commands.h"
#include "app/cli/commands/config_commands.h"
#include "app/cli/input/usage_slip.h"
#include "app/cli/shell/completion.h"
#include "app/cli/shell/man_page.h"
#include "app/cli/standard_streams.h"
#include "app/version.h"
#include "base/printable.h"
#include "base/text.h"

namespace mainstay::app {
namespace {

using Action = std::function<int()>;

constexpr const char* kEverywhere = "Every command also takes -C and -o: see `mainstay --help`.";
constexpr const char* kWithSettings = "It also takes -C, -o and --set: see `mainstay --help`.";
constexpr const char* kExamples =
    R"(
  mainstay up --detach                    start the fleet of this folder
  mainstay run hello -i 'names=["ann"]'   run a pipeline of fleet.yaml and watch it
  mainstay work list --state failed       what went wrong; `work show ID` says why
  mainstay logs tail -f                   what happens
)";

constexpr const char* kReconnectHelp = "how long to look for a daemon that went away";

// May be given several times, each time with one value.
void each(CLI::Option* option, const char* type) {
  option->type_name(type)->allow_extra_args(false);
}

void between(CLI::Option* option, std::int64_t least, std::int64_t most) {
  option->type_name(std::to_string(least) + ".." + std::to_string(most));
  option->check({[=](std::string& text) { return not_between(text, least, most); }, ""});
}

// `into` keeps its value unless the option is given.
void duration(CLI::App* command, const std::string& name, Duration* into, const std::string& help) {
  const auto take = [=](const std::string& text) {
    const auto time = base::parse_duration(text);
    if (!time) {
      throw CLI::ValidationError(fmt::format("{}: expected a duration such as 30s, got \"{}\"",
                                             name, base::excerpt(text, 80)));
    }
    *into = *time;
  };
  command
      ->add_option_function<std::string>(name, take,
                                         fmt::format("{}; {}", help, base::duration_to_text(*into)))
      ->type_name("DURATION");
}

int put(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return kExitDone;
}

std::string to_upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return text;
}

// Gives each subcommand its action; the last one parsed wins (there is only one).
class Grammar {
 public:
  explicit Grammar(const char* program);
  int run(std::vector<std::string> words);

 private:
  CLI::App* verb(CLI::App& parent, const char* name, const char* help, Action action);
  CLI::App* noun(const char* name, const char* help);
  void one_of(CLI::Option* option, std::vector<std::string> words);
  /// It reads the settings itself; to the others `--set` would mean nothing.
  CLI::App* with_settings(CLI::App* command);
  CommandShape shape_of(const CLI::App& app) const;
  void add_fleet();
  void add_registry(CLI::App& agents);
  void add_run();
  void add_work();
  void add_runs();
  void add_logs();
  void add_config();
  void add_bench();
  void add_shell();
  int usage_error(const CLI::ParseError& error, const std::vector<std::string>& words);

  CLI::App app_{"Mainstay: the operations backbone for fleets of AI agents."};
  GlobalOptions global_;
  UpOptions up_;
  RunOptions run_;
  SubmitOptions submit_;
  ListOptions list_;
  FindOptions find_;
  RegisterOptions register_;
  LogsOptions logs_;
  ConfigOptions config_;
  BenchOptions bench_;
  std::string output_ = "table";
  std::string id_;
  std::string reason_;
  bool show_version_ = false;
  std::string shell_;
  Action action_;
  const CLI::App* chosen_ = nullptr;
  std::set<const CLI::App*> with_settings_;
  std::map<const CLI::Option*, std::vector<std::string>> choices_;
};

std::string root_footer() {
  std::string codes = "Exit codes:";
  for (const ExitCode& known : kExitCodes) {
    if (known.code == kExitNotFound) codes += "\n           ";
    codes += fmt::format(" {} {}{}", known.code, known.meaning,
                         known.code == kExitInterrupted ? ".\n" : ";");
  }
  return codes + kExamples;
}

Grammar::Grammar(const char* program) {
  global_.program = program;
  app_.name("mainstay");
  app_.require_subcommand(0, 1);
  app_.fallthrough();
  app_.set_help_flag("-h,--help", "what there is to say, of any command");
  app_.add_flag("-V,--version", show_version_, "print the version and the commit");
  app_.add_option("-C,--project", global_.project, "the folder that has fleet.yaml")
      ->type_name("DIR");
  one_of(app_.add_option("-o,--output", output_, "the form of what goes to standard output"),
         {"table", "json", "yaml"});
  each(app_.add_option("--set", global_.sets,
                       "a setting, over all files; for up, doctor and config"),
       "KEY=VALUE");
  app_.footer(kEverywhere);  // commands take it over as they are made
  add_fleet();
  add_run();
  add_work();
  add_runs();
  add_logs();
  add_config();
  add_bench();
  add_shell();
  app_.footer(root_footer());
}

CLI::App* Grammar::verb(CLI::App& parent, const char* name, const char* help, Action action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->callback([this, command, action = std::move(action)] {
    action_ = action;
    chosen_ = command;
  });
  return command;
}

void Grammar::one_of(CLI::Option* option, std::vector<std::string> words) {
  option->type_name(base::join(words, "|"));
  choices_[option] = words;
  option->check(
      {[words = std::move(words)](std::string& text) { return not_one_of(text, words); }, ""});
}

CLI::App* Grammar::with_settings(CLI::App* command) {
  with_settings_.insert(command);
  command->footer(kWithSettings);
  return command;
}

CLI::App* Grammar::noun(const char* name, const char* help) {
  CLI::App* command = app_.add_subcommand(name, help);
  command->require_subcommand(1);
  return command;
}

void Grammar::add_fleet() {
  CLI::App* up_command =
      with_settings(verb(app_, "up", "start the daemon and the fleet of this project",
                         [this] { return up(global_, up_); }));
  up_command->add_flag("-d,--detach", up_.detach, "return when it is ready");
  up_command->add_option("--ready-fd", up_.ready_fd)->group("");
  verb(app_, "down", "drain and stop the fleet, then the daemon", [this] { return down(global_); });
  verb(app_, "status", "the fleet at a glance", [this] { return status(global_); });
  CLI::App* agents = noun("agents", "the fleet's agents, and those registered by hand");
  verb(*agents, "list", "every agent and its state", [this] { return agents_list(global_, list_); })
      ->add_option("--capability", list_.capability, "only those that offer it")
      ->type_name("NAME");
  verb(*agents, "show", "one agent, with its last error",
       [this] { return agents_show(global_, id_); })
      ->add_option("NAME", id_)
      ->required();
  add_registry(*agents);
  with_settings(verb(app_, "doctor", "check the environment, each finding with a fix",
                     [this] { return doctor(global_); }));
  verb(app_, "version", "print the version and the commit", [this] { return version(global_); });
}

void Grammar::add_registry(CLI::App& agents) {
  CLI::App* find = verb(agents, "find", "agents by name, capability, health or label",
                        [this] { return agents_find(global_, find_); });
  find->add_option("NAME", find_.name, "exactly this one");
  find->add_option("--capability", find_.capability, "that offer it")->type_name("NAME");
  each(find->add_option("--health", find_.health, "in this state: healthy, degraded, …"), "STATE");
  each(find->add_option("-l,--label", find_.labels, "with this label"), "KEY=VALUE");
  CLI::App* add =
      verb(agents, "register",
           "register an agent that Mainstay does not start; again: replace what is known",
           [this] { return agents_register(global_, register_); });
  add->add_option("NAME", register_.name)->required();
  add->add_option("--endpoint", register_.endpoint, "where it is reached, such as http://host:8080")
      ->type_name("URL")
      ->required();
  each(add->add_option("--capability", register_.capabilities, "that it offers"), "NAME");
  each(add->add_option("-l,--label", register_.labels, "kept with it"), "KEY=VALUE");
  add->add_option("--lease", register_.lease, "it is forgotten when not renewed by then; 30s")
      ->type_name("DURATION");
  CLI::App* renew = verb(agents, "renew", "extend the lease of a registered agent",
                         [this] { return agents_renew(global_, register_); });
  renew->add_option("NAME", register_.name)->required();
  renew->add_option("--lease", register_.lease, "from now; 30s")->type_name("DURATION");
  verb(agents, "deregister", "forget a registered agent",
       [this] { return agents_deregister(global_, id_); })
      ->add_option("NAME", id_)
      ->required();
}

void Grammar::add_run() {
  CLI::App* command = verb(app_, "run", "run a pipeline and watch it",
                           [this] { return run_pipeline(global_, run_); });
  command->add_option("PIPELINE", run_.pipeline, "a pipeline of fleet.yaml")->required();
  each(command->add_option("-i,--input", run_.inputs, "a member of the input; JSON, or else text"),
       "KEY=VALUE");
  command->add_option("--input-json", run_.input_json, "the whole input; `-`: standard input")
      ->type_name("JSON|@FILE|-");
  each(command->add_option("-l,--label", run_.labels, "kept with the run"), "KEY=VALUE");
  command
      ->add_option("--idempotency-key", run_.idempotency_key,
                   "the same key starts the same run only once")
      ->type_name("KEY");
  command->add_flag("-d,--detach", run_.detach, "print the run's id and return");
  command->add_flag("--plain", run_.plain, "plain lines, no live view");
  duration(command, "--reconnect", &run_.reconnect, kReconnectHelp);
}

void Grammar::add_work() {
  CLI::App* work = noun("work", "work items");
  CLI::App* submit =
      verb(*work, "submit", "submit one item", [this] { return work_submit(global_, submit_); });
  submit->add_option("CAPABILITY", submit_.capability, "that an agent offers")->required();
  submit->add_option("-m,--description", submit_.description, "what is asked, for people")
      ->type_name("TEXT");
  each(
      submit->add_option("-i,--input", submit_.inputs, "a member of the input; JSON, or else text"),
      "KEY=VALUE");
  submit->add_option("--input-json", submit_.input_json, "the whole input; `-`: standard input")
      ->type_name("JSON|@FILE|-");
  between(submit->add_option("-p,--priority", submit_.priority, "higher is sooner"), 0, 9);
  submit->add_option("--phase", submit_.phase, "one of the setting work.phases")->type_name("NAME");
  submit->add_option("--timeout", submit_.timeout, "of one attempt, such as 30s")
      ->type_name("DURATION");
  submit->add_option("--idle-timeout", submit_.idle_timeout, "of one attempt, without progress")
      ->type_name("DURATION");
  submit->add_option("--deadline", submit_.deadline, "it ends then, whatever it does")
      ->type_name("DURATION|TIME");
  submit->add_option("--start-after", submit_.start_after, "not to be started before")
      ->type_name("DURATION|TIME");
  between(submit->add_option("--max-attempts", submit_.max_attempts, "tries in all"), 1, 1000);
  submit
      ->add_option("--idempotency-key", submit_.idempotency_key,
                   "the same key submits the same item only once")
      ->type_name("KEY");
  each(submit->add_option("-l,--label", submit_.labels, "kept with the item"), "KEY=VALUE");
  submit->add_flag("-w,--wait", submit_.wait, "wait for the result and print it");
  duration(submit, "--reconnect", &submit_.reconnect, kReconnectHelp);
  CLI::App* list =
      verb(*work, "list", "items, newest first", [this] { return work_list(global_, list_); });
  each(list->add_option("--state", list_.states, "queued, delayed, running, succeeded, failed, …"),
       "STATE");
  list->add_option("--capability", list_.capability, "only items for it")->type_name("NAME");
  list->add_option("--run", list_.run, "only items of this run")->type_name("ID");
  between(list->add_option("-n,--limit", list_.limit, "how many; 50"), 1, 1000);
  verb(*work, "show", "one item with its attempts, and why it failed",
       [this] { return work_show(global_, id_); })
      ->add_option("ID", id_)
      ->required();
  CLI::App* wait = verb(*work, "wait", "wait for an item and print its result",
                        [this] { return work_wait(global_, id_, submit_.reconnect); });
  wait->add_option("ID", id_)->required();
  duration(wait, "--reconnect", &submit_.reconnect, kReconnectHelp);
  CLI::App* cancel = verb(*work, "cancel", "cancel an item",
                          [this] { return work_cancel(global_, id_, reason_); });
  cancel->add_option("ID", id_)->required();
  cancel->add_option("--reason", reason_, "kept with the item")->type_name("TEXT");
}

void Grammar::add_runs() {
  CLI::App* runs = noun("runs", "runs of pipelines");
  CLI::App* list =
      verb(*runs, "list", "runs, newest first", [this] { return runs_list(global_, list_); });
  each(list->add_option("--state", list_.states, "running, succeeded, degraded, failed, …"),
       "STATE");
  list->add_option("--pipeline", list_.pipeline, "only runs of it")->type_name("NAME");
  between(list->add_option("-n,--limit", list_.limit, "how many; 50"), 1, 1000);
  verb(*runs, "show", "one run with its steps", [this] { return runs_show(global_, id_); })
      ->add_option("ID", id_)
      ->required();
  CLI::App* cancel =
      verb(*runs, "cancel", "cancel a run", [this] { return runs_cancel(global_, id_, reason_); });
  cancel->add_option("ID", id_)->required();
  cancel->add_option("--reason", reason_, "kept with the run")->type_name("TEXT");
  verb(*runs, "verify", "prove a run's archive; needs no daemon",
       [this] { return runs_verify(global_, id_); })
      ->add_option("ID", id_)
      ->required();
}

void Grammar::add_logs() {
  CLI::App* logs = noun("logs", "logs of the fleet and of runs");
  CLI::App* tail =
      verb(*logs, "tail", "the newest lines", [this] { return logs_tail(global_, logs_); });
  tail->add_option("--run", logs_.run, "of this run; else of the fleet")->type_name("ID");
  tail->add_option("--component", logs_.component, "orchestrator, adapter, metrics, …")
      ->type_name("NAME");
  tail->add_option("--agent", logs_.agent, "only what is about it")->type_name("NAME");
  one_of(tail->add_option("--level", logs_.level, "this level and above")->transform(to_upper),
         {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"});
  between(tail->add_option("-n,--lines", logs_.lines, "how many; 20"), 1, 10'000);
  tail->add_flag("-f,--follow", logs_.follow, "go on as lines come");
}

void Grammar::add_config() {
  CLI::App* config = noun("config", "settings and the fleet file");
  with_settings(verb(*config, "check", "check all files; every error at once",
                     [this] { return config_check(global_); }));
  with_settings(
      verb(*config, "get", "one setting's value", [this] { return config_get(global_, config_); }))
      ->add_option("KEY", config_.key)
      ->required();
  CLI::App* show = with_settings(
      verb(*config, "show", "all settings", [this] { return config_show(global_, config_); }));
  show->add_flag("--origin", config_.origin, "with where each value came from");
  with_settings(verb(*config, "why", "where one setting's value came from, layer by layer",
                     [this] { return config_why(global_, config_); }))
      ->add_option("KEY", config_.key)
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
  between(work->add_option("--agents", bench_.agents, "processes; 4"), 1, 64);
  one_of(work->add_option("--agent-kind", bench_.agent_kind, "what the agents are written in"),
         {"cpp", "python"});
  between(work->add_option("--items", bench_.items, "how many; 50000"), 1, 10'000'000);
  work->add_option("--rate", bench_.rate, "items per second offered; 0: as fast as it goes")
      ->type_name("NUMBER");
}

void Grammar::add_shell() {
  CLI::App* completing = verb(app_, "completion", "a shell's completion of this command line",
                              [this] { return put(completion_script(shape_of(app_), shell_)); });
  CLI::Option* shell = completing->add_option("SHELL", shell_, "to be read by it")->required();
  one_of(shell, {"bash", "zsh", "fish"});
  verb(app_, "man", "the manual page, mainstay(1), as roff",
       [this] { return put(manual_page(shape_of(app_), kVersion)); });
}

CommandShape Grammar::shape_of(const CLI::App& app) const {
  CommandShape shape;
  shape.name = app.get_name();
  shape.help = app.get_description();
  shape.takes_settings = with_settings_.contains(&app);
  for (const CLI::Option* option : app.get_options()) {
    const auto words = choices_.find(option);
    const auto choices = words == choices_.end() ? std::vector<std::string>{} : words->second;
    if (option->get_positional()) {
      shape.arguments.push_back(
          {option->get_name(), option->get_required(), option->get_description(), choices});
      continue;
    }
    OptionShape known;
    known.help = option->get_description();
    known.choices = choices;
    known.hidden = option->get_group().empty();
    for (const std::string& name : option->get_lnames()) known.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) known.names.push_back("-" + name);
    known.takes_value = option->get_items_expected_max() > 0;
    if (known.takes_value) known.value = option->get_type_name();
    shape.options.push_back(std::move(known));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    shape.commands.push_back(shape_of(*command));
  }
  return shape;
}

int usage_error_of(const std::string& message, const std::string& command) {
  std::fprintf(stderr, "mainstay: %s\n  see `%s --help`\n", base::printable(message).c_str(),
               command.c_str());
  return kExitUsage;
}

int Grammar::usage_error(const CLI::ParseError& error, const std::vector<std::string>& words) {
  const UsageSlip slip = find_slip(shape_of(app_), words);
  const bool asks_for_help = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  // Of what there is not there is no help; that something is missing is why help is asked for.
  if (asks_for_help && (slip.message.empty() || slip.is_missing)) return app_.exit(error);
  return usage_error_of(slip.message.empty() ? error.what() : slip.message, slip.command);
}

int Grammar::run(std::vector<std::string> words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (base::is_valid_utf8(words[i])) continue;
    return usage_error_of("argument " + std::to_string(i + 1) + " is not UTF-8 text: \"" +
                              base::excerpt(words[i], 80) + "\"",
                          "mainstay");
  }
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  try {
    app_.parse(
        std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes words from the back
  } catch (const CLI::ParseError& error) {
    return usage_error(error, words);
  }
  global_.output = base::parse_enum<OutputForm>(output_).value_or(OutputForm::table);
  if (show_version_) return version(global_);
  if (!action_) {
    std::fputs(app_.help().c_str(), stdout);
    return kExitDone;
  }
  if (!global_.sets.empty() && !with_settings_.contains(chosen_)) {
    const CommandShape root = shape_of(app_);
    return usage_error_of(
        fmt::format(
            "--set: `{0}` asks the daemon, whose settings are those it was started with, or "
            "needs none; expected it with `mainstay up`, `doctor` or `config`",
            find_slip(root, words).command),
        "mainstay up");
  }
  return action_();
}

}  // namespace

int run_cli(int argc, char** argv) {
  hold_standard_streams();
  return flushed(Grammar(argv[0]).run({argv + 1, argv + argc}));
}

}  // namespace mainstay::app
