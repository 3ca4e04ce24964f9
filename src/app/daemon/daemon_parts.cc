// The parts of the daemon: how each is made and joined to the others. Their order is daemon.cc's.
#include "app/daemon/daemon.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/python_sdk.h"
#include "app/version.h"
#include "base/text.h"
#include "config/settings_list.h"
#include "engine/recovery.h"
#include "node/agent_environment.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/environment.h"
#include "platform/files/files.h"
#include "security/tokens.h"
#include "work/tables/run_queries.h"
#include "work/tables/work_queries.h"

namespace mainstay::app {
namespace {

constexpr std::size_t kJournalPage = 1024;

work::WorkSettings work_settings(const config::Settings& settings) {
  work::WorkSettings out;
  out.default_timeout = settings.get(config::kWorkTimeout);
  out.default_idle_timeout = settings.get(config::kWorkIdleTimeout);
  out.default_retry.max_attempts = static_cast<int>(settings.get(config::kWorkRetryMaxAttempts));
  out.default_retry.backoff_min = settings.get(config::kWorkRetryBackoffMin);
  out.default_retry.backoff_max = settings.get(config::kWorkRetryBackoffMax);
  out.max_queued = settings.get(config::kWorkMaxQueued);
  out.max_open_input = settings.get(config::kWorkMaxOpenInput);
  out.phases = settings.get(config::kWorkPhases);
  return out;
}

Result<std::uint64_t> random_seed() {
  auto bytes = platform::random_bytes(8);
  if (!bytes) return std::move(bytes).error();
  std::uint64_t seed = 0;
  for (const char c : *bytes) seed = seed << 8U | static_cast<unsigned char>(c);
  return seed;
}

// Scripts that agents run, for the manifest: words of commands that name files of the project.
std::vector<std::string> manifest_files(const Project& project, const model::FleetSpec& fleet) {
  std::vector<std::string> files{"fleet.yaml", "mainstay.yaml"};
  for (const auto& agent : fleet.agents) {
    for (const std::string& word : agent->command) {
      if (!word.empty() && word.front() != '/' && platform::path_exists(project.file(word))) {
        files.push_back(word);
      }
    }
  }
  return files;
}

}  // namespace

void Daemon::make_recorder() {
  runs::RecorderOptions options;
  options.project_folder = project_.folder;
  options.runs_root = project_.runs();
  options.fleet_log = project_.data_file("logs/fleet.log");
  options.position_file = project_.data_file("recorder.position");
  options.fleet_name = config_.fleet->name;
  options.manifest_files = manifest_files(project_, *config_.fleet);
  options.framework = fmt::format("mainstay {}", kVersion);
  options.span_prefix = config_.settings.get(config::kTelemetrySpanPrefix);
  runs::RecorderPorts ports;
  ports.details = [this](model::RunId id) { return run_details(id); };
  ports.fact = [this](model::Fact fact) {
    if (loop_) loop_->fact(std::move(fact));
  };
  ports.wall_clock = platform::wall_now;
  ports.events = [this](model::RunId id, const std::function<bool(const model::Event&)>& visit) {
    return events_of_run(id, visit);
  };
  ports.unarchived = [this]() -> Result<std::vector<model::RunId>> {
    auto db = store_->open_reader();
    if (!db) return std::move(db).error();
    return work::unarchived_runs(*db, runs::RunFolders::kMaxWaiting);
  };
  ports.trouble = [this](const std::string& reason) {
    if (reason.empty())
      log_->info("runs are recorded again");
    else
      log_->error("runs cannot be recorded; work goes on", {{"reason", reason}});
  };
  recorder_ = std::make_unique<runs::Recorder>(std::move(options), std::move(ports));
  recorder_->start();
}

Result<runs::RunDetails> Daemon::run_details(model::RunId id) {
  auto db = store_->open_reader();
  if (!db) return std::move(db).error();
  auto run = work::find_run(*db, id, &store_->blobs());
  if (!run) return std::move(run).error();
  auto usage = work::usage_of_run(*db, id);
  if (!usage) return std::move(usage).error();
  auto archive = work::find_archive(*db, id);
  if (!archive) return std::move(archive).error();
  runs::RunDetails details{run->spec, run->status, run->steps, {}, archive->has_value()};
  for (const work::UsageTotal& total : *usage) {
    const std::string& name = total.usage.model;
    if (!name.empty() &&
        std::find(details.models.begin(), details.models.end(), name) == details.models.end()) {
      details.models.push_back(name);
    }
  }
  std::sort(details.models.begin(), details.models.end());
  return details;
}

Result<void> Daemon::events_of_run(model::RunId id,
                                   const std::function<bool(const model::Event&)>& visit) {
  auto db = store_->open_reader();
  if (!db) return std::move(db).error();
  const auto first = store::last_event_of(*db, "run.started", id.to_text());
  if (!first) return first.error();
  for (model::Sequence after = *first - 1; *first > 0;) {
    const auto events = store::read_journal(*db, after, kJournalPage);
    if (!events) return events.error();
    for (const model::Event& event : *events) {
      if (!visit(event)) return {};
    }
    if (events->size() < kJournalPage) return {};
    after = events->back().seq;
  }
  return {};
}

Result<void> Daemon::start_link() {
  node::LinkServer::Options options;
  options.unix_path = project_.data_file("link.sock");
  options.tcp_address = config_.settings.get(config::kLinkListen);
  options.daemon_version = kVersion;
  options.settings = {std::string(to_text(config_.settings.environment())),
                      config_.settings.get(config::kFeatures), config_.settings.get(config::kDebug),
                      config_.settings.get(config::kLogLevel)};
  gate_ = std::make_shared<node::LineGate>(
      node::LineLimits{static_cast<std::uint64_t>(config_.settings.get(config::kLogAgentLines)),
                       config_.settings.get(config::kLogAgentBytes)});
  node::LinkServer::Sinks sinks;
  sinks.fact = [this](model::Fact fact) { take_fact(std::move(fact)); };
  sinks.log = [this](model::LogRecord record) { log_record(std::move(record)); };
  sinks.gate = gate_;
  sinks.span = [this](model::SpanRecord span) {
    redactor_->redact_in(span);
    recorder_->span(std::move(span));
  };
  sinks.store_payload = [this](std::string json) { return store_payload(std::move(json)); };
  sinks.command = [this](model::CommandBody body, std::string principal,
                         node::LinkServer::CommandDone done) {
    loop_->command(std::move(body), std::move(principal), std::move(done));
  };
  sinks.find_work_keys = [this](std::vector<std::string> keys,
                                std::function<void(Result<node::LinkServer::KnownKeys>)> done) {
    reader_->read<node::LinkServer::KnownKeys>(
        [keys = std::move(keys)](platform::SqliteConnection& db) {
          return work::find_work_keys(db, keys);
        },
        std::move(done));
  };
  sinks.takes_work = [this] { return ready_.load(); };
  sinks.is_operator = [check = security::TokenCheck(token_)](std::string_view token) {
    return check.matches(token);
  };
  sinks.on_finished = [this](model::WorkId id, node::LinkServer::WorkFinished done) {
    watch_->watch(id, [done = std::move(done)](const work::WorkRecord& record) {
      done(record.status.state, record.status.output, record.status.error);
    });
  };
  sinks.agents = [this] {
    const auto snapshot = loop_->snapshot();
    return std::shared_ptr<const std::vector<model::AgentStatus>>(snapshot, &snapshot->agents);
  };
  if (auto made = make_loop(); !made) return made;
  auto started = node::LinkServer::start(std::move(options), std::move(sinks));
  if (!started) return std::move(started).error();
  link_ = std::move(*started);
  return {};
}

// The loop object is there before anything can post to it; it begins to turn when the node is there
// to carry out its effects.
Result<void> Daemon::make_loop() {
  auto seed = random_seed();
  if (!seed) return std::move(seed).error();
  engine::Loop::Ports ports;
  ports.clock = platform::system_now;
  ports.commit = [this](engine::Turn turn) {
    store_->commit({std::move(turn.rows), std::move(turn.events), std::move(turn.on_durable)});
  };
  ports.effects = [this](std::vector<model::Effect> effects) { node_->apply(std::move(effects)); };
  ports.events = [this](const std::vector<model::Event>& events) { bus_->publish(events); };
  loop_ = std::make_unique<engine::Loop>(
      std::make_unique<engine::Core>(engine::CoreSettings{work_settings(config_.settings), *seed}),
      std::move(ports), engine::Loop::Limits{});
  loop_for_store_ = loop_.get();
  return {};
}

Result<void> Daemon::start_node() {
  node::NodeOptions options;
  options.project_dir = project_.folder;
  options.data_dir = project_.data();
  options.instance = instance_;
  options.environment = to_text(config_.settings.environment());
  options.link_target = link_->unix_target();
  options.python_path = find_python_sdk();
  options.inherited_environment = platform::passable_environment();
  options.inherited_environment["MAINSTAY_FEATURES"] =
      base::join(config_.settings.get(config::kFeatures), ",");
  for (const auto& agent : config_.fleet->agents) {
    for (const std::string& secret : node::secret_values(*agent)) redactor_->add(secret);
  }
  node::NodeSinks sinks;
  sinks.secret = [this](const std::string& secret) { redactor_->add(secret); };
  sinks.fact = [this](model::Fact fact) { take_fact(std::move(fact)); };
  sinks.log = [this](model::LogRecord record) { log_record(std::move(record)); };
  sinks.gate = gate_;
  sinks.store_payload = [this](std::string json) { return store_payload(std::move(json)); };
  auto started = node::Node::start(std::move(options), *link_, std::move(sinks));
  if (!started) return std::move(started).error();
  node_ = std::move(*started);
  return {};
}

Result<void> Daemon::start_loop() {
  auto db = store_->open_reader();
  if (!db) return std::move(db).error();
  auto recovered = engine::load_recovered(*db, store_->blobs());
  if (!recovered) return std::move(recovered).error();
  log_->info("recovered", {{"open_items", recovered->work.size()},
                           {"open_runs", recovered->runs.size()},
                           {"agents", recovered->agents.size()},
                           {"last_event", recovered->last_seq}});
  // What the recorder missed is read from the journal; nothing new is there yet.
  bus::SubscriptionOptions options;
  options.name = "recorder";
  options.after = std::min(recorder_->position(), recovered->last_seq);
  bus::Handler handler;
  handler.event = [this](const model::Event& event) {
    recorder_->event(event);
    return bus::Delivery::taken;
  };
  auto subscribed = bus_->subscribe(std::move(options), std::move(handler));
  if (!subscribed) return std::move(subscribed).error();
  recorder_events_ = std::move(*subscribed);
  const model::Sequence last = recovered->last_seq;
  loop_->start(std::move(*recovered));
  recorder_->complete_ended(last);
  // The store may have been in trouble since before there was a loop to tell.
  if (const auto state = store_->state(); !state.writable) loop_->storage_changed(state);
  return {};
}

Result<void> Daemon::start_api() {
  if (auto started = io_.start(); !started) return started;
  if (auto started = events_.start(); !started) return started;
  backend_ = std::make_unique<ApiBackend>(
      ApiBackend::Parts{*loop_, *store_, *reader_, *bus_, events_, project_,
                        std::make_shared<const model::FleetSpec>(*config_.fleet), ready_,
                        [this] { return recorder_->trouble(); }, [this] { request_end(true); }});
  api::ApiSettings settings;
  settings.version = kVersion;
  settings.commit = kCommit;
  settings.operator_token = token_;
  settings.debug = config_.settings.get(config::kDebug);
  settings.allowed_hosts = config_.settings.get(config::kHttpAllowedHosts);
  settings.phases = config_.settings.get(config::kWorkPhases);
  settings.wall = platform::wall_now;
  settings.http.listen = config_.settings.get(config::kHttpListen);
  settings.http.header_timeout = config_.settings.get(config::kHttpHeaderTimeout);
  settings.http.limits.max_body_bytes = config_.settings.get(config::kHttpMaxBody);
  api_ = std::make_unique<api::Api>(io_, *backend_, std::move(settings));
  api_->add_metrics([this](std::string& out) { append_metrics(out); });
  return api_->start();
}

void Daemon::append_metrics(std::string& out) const {
  const store::StoreCounters store = store_->counters();
  const node::NodeStatus node = node_->status();
  const auto add = [&out](std::string_view name, std::string_view help, std::uint64_t value) {
    const bool counter = name.ends_with("_total");
    out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help,
                       counter ? "counter" : "gauge", value);
  };
  add("mainstay_store_commits_total", "Transactions made durable", store.commits);
  add("mainstay_store_rows_total", "Row changes made durable", store.rows);
  add("mainstay_store_events_total", "Events made durable", store.events);
  add("mainstay_store_failed_commits_total", "Commits that failed", store.failed_commits);
  add("mainstay_store_reopens_total", "Reopenings of the database after an error of the disk",
      store.reopens);
  add("mainstay_store_waiting_changes", "Changes that wait for a commit", store.waiting_changes);
  const engine::Loop::Counters loop = loop_->counters();
  add("mainstay_loop_waiting", "Inputs that wait for the control loop", loop.waiting);
  add("mainstay_loop_dropped_progress_total", "Progress of attempts that found no room to wait",
      loop.dropped_progress);
  add("mainstay_node_processes_started_total", "Processes started", node.processes_started);
  add("mainstay_node_log_lines_total", "Lines read from agents", node.log_lines);
  add("mainstay_node_truncated_lines_total", "Lines cut at the limit", node.truncated_lines);
  add("mainstay_node_dropped_lines_total", "Lines of agents dropped above their rate limit",
      node.dropped_lines);
  add("mainstay_recorder_dropped_total", "Log lines and spans dropped",
      static_cast<std::uint64_t>(recorder_->dropped()));
  add("mainstay_recorder_failed_writes_total",
      "Lines and spans that could not be written where they belong",
      static_cast<std::uint64_t>(recorder_->failed_writes()));
  add("mainstay_recorder_waiting_runs", "Runs whose folder waits to be written",
      static_cast<std::uint64_t>(recorder_->waiting_runs()));
}

}  // namespace mainstay::app
