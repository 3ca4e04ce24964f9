#include "app/daemon/daemon.h"

#include <fmt/format.h>
#include <unistd.h>

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
#include "platform/process/identity.h"
#include "security/tokens.h"
#include "work/tables/run_queries.h"
#include "work/tables/work_queries.h"

namespace mainstay::app {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
constexpr std::size_t kJournalPage = 1024;
// Between attempts to stop the fleet while the disk is in trouble.
constexpr auto kStopRetry = std::chrono::milliseconds(200);

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

// Names this data folder for as long as it exists: marks every process started for it.
Result<std::string> load_or_make_instance(const std::string& path) {
  if (auto text = platform::read_file(path, 256); text && !base::trim(*text).empty()) {
    return std::string(base::trim(*text));
  }
  auto bytes = platform::random_bytes(16);
  if (!bytes) return std::move(bytes).error();
  const std::string instance = base::to_hex(*bytes);
  if (auto written = platform::write_file_atomic(path, instance + "\n"); !written) {
    return std::move(written).error();
  }
  return instance;
}

Result<std::unique_ptr<telemetry::LogSink>> make_stderr_sink(bool readable) {
  if (!readable) return telemetry::make_file_sink("/dev/stderr");
  return telemetry::make_console_sink(STDERR_FILENO, telemetry::ConsoleColour::when_terminal);
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

Daemon::Daemon(Project project, ProjectConfig config, bool console)
    : project_(std::move(project)), config_(std::move(config)), console_(console) {}

Daemon::~Daemon() { parts_.stop(); }

Result<void> Daemon::start() {
  auto signals = platform::SignalWatch::make();
  if (!signals) return std::move(signals).error();
  signals_ = std::move(*signals);
  if (auto opened = open_data(); !opened) return opened;
  parts_.add({"store", [this] { return open_store(); },
              [this] {
                watch_->stop();
                reader_->stop();
                bus_->close();
                store_->close(kPatience);
              }});
  parts_.add({"recorder",
              [this]() -> Result<void> {
                make_recorder();
                return {};
              },
              [this] {
                recorder_events_.reset();
                recorder_->stop();
              }});
  parts_.add({"agent link", [this] { return start_link(); }, [this] { link_->stop(); }});
  parts_.add({"node", [this] { return start_node(); }, [this] { node_->stop(); }});
  parts_.add({"control loop", [this] { return start_loop(); },
              [this] {
                // The archives of runs that just ended are still to be recorded.
                recorder_events_->wait_for(bus_->last(), kPatience);
                recorder_->drain(kPatience);
                loop_->stop(kPatience);
              }});
  parts_.add({"API", [this] { return start_api(); },
              [this] {
                api_->stop(std::chrono::seconds(2));
                watch_->stop();
                events_.stop();
                io_.stop();
              }});
  parts_.add({"fleet", [this] { return load_fleet(); },
              [this] {
                fleet_load_->stop();
                ready_ = false;
              }});
  parts_.add({"address", [this] { return publish_address(); },
              [this] {
                address_->stop();
                (void)platform::remove_file(project_.data_file("daemon.json"));
              }});
  return parts_.start();
}

Result<void> Daemon::open_data() {
  if (auto made = platform::make_private_dir(project_.data()); !made) return made;
  auto lock = platform::FileLock::acquire(project_.data_file("lock"));
  if (!lock) return std::move(lock).error();
  lock_ = std::move(*lock);
  if (auto made = platform::make_private_dir(project_.data_file("logs")); !made) return made;
  std::vector<std::unique_ptr<telemetry::LogSink>> sinks;
  const std::string form = config_.settings.get(config::kLogFormat);
  const bool readable = form == "console" || (form == "auto" && ::isatty(STDERR_FILENO) == 1);
  if (console_) {
    // A stderr that cannot be opened anew (a closed terminal) does not keep it from starting.
    if (auto console = make_stderr_sink(readable); console) sinks.push_back(std::move(*console));
  }
  auto file = telemetry::make_file_sink(project_.data_file("logs/daemon.log"));
  if (!file) return std::move(file).error();
  sinks.push_back(std::move(*file));
  telemetry::LogOutputOptions options;
  options.level = base::parse_enum<model::LogLevel>(config_.settings.get(config::kLogLevel))
                      .value_or(model::LogLevel::INFO);
  options.now = platform::wall_now;
  log_output_ =
      std::make_unique<telemetry::LogOutput>(std::move(options), redactor_, std::move(sinks));
  log_ = std::make_unique<telemetry::Logger>(*log_output_, "daemon");
  auto instance = load_or_make_instance(project_.data_file("instance"));
  if (!instance) return std::move(instance).error();
  instance_ = std::move(*instance);
  auto token = security::load_or_make_operator_token(project_.data());
  if (!token) return std::move(token).error();
  token_ = std::move(*token);
  redactor_->add(token_);
  return {};
}

Result<void> Daemon::open_store() {
  store::StoreOptions options;
  options.dir = project_.data();
  options.on_state_change = [this](const model::StorageChanged& change) {
    if (change.writable)
      log_->info("storage takes commits again");
    else
      log_->error("storage trouble", {{"reason", change.reason}});
    if (engine::Loop* loop = loop_for_store_) loop->storage_changed(change);
  };
  auto opened = store::Store::open(std::move(options), rows_);
  if (!opened) return std::move(opened).error();
  store_ = std::move(*opened);
  reader_ = std::make_unique<RowReader>(*store_);
  journal_ = std::make_unique<bus::JournalReader>(*store_);
  auto db = store_->open_reader();
  if (!db) return std::move(db).error();
  auto last = store::last_sequence(*db);
  if (!last) return std::move(last).error();
  bus_ = std::make_unique<bus::Bus>(*journal_, *last);
  watch_ = std::make_unique<WorkWatch>([this] { return store_->open_reader(); }, store_->blobs());
  return watch_->start(*bus_);
}

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

Result<void> Daemon::load_fleet() {
  PatientTask::Options options = patient("ms-load-fleet", "the fleet is not loaded yet");
  options.attempt = [this, fleet = std::make_shared<const model::FleetSpec>(*config_.fleet)](
                        PatientTask::OnDone on_done) {
    loop_->command(model::LoadFleet{fleet}, "daemon",
                   [this, on_done = std::move(on_done)](Result<model::ReplyBody> reply) {
                     // Loaded by an attempt that was refused while its commit was under way.
                     const bool before = !reply && reply.error().code() == Code::conflict;
                     if (!reply && !before) return on_done(std::move(reply).error());
                     node_->kill_unclaimed();
                     ready_ = true;
                     on_done({});
                   });
  };
  fleet_load_ = std::make_unique<PatientTask>(std::move(options));
  return fleet_load_->start();
}

/// Tells of each failed attempt: this is a degraded mode.
PatientTask::Options Daemon::patient(std::string thread, std::string what) {
  PatientTask::Options options;
  options.name = std::move(thread);
  options.on_trouble = [this, what = std::move(what)](const Error& error, Duration delay) {
    log_->warning(
        what, {{"reason", error.to_text()}, {"next_attempt_in", base::duration_for_people(delay)}});
  };
  return options;
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

Result<void> Daemon::publish_address() {
  const auto self = platform::identify(::getpid());
  DaemonInfo info;
  info.pid = ::getpid();
  info.start_ticks = self ? self->start_ticks : 0;
  info.instance = instance_;
  info.http_address = api_->address();
  info.link_address = link_->tcp_address();
  info.version = kVersion;
  log_->info(ready_ ? "ready" : "serving, and not ready yet", {{"http", info.http_address},
                                                               {"link", link_->unix_target()},
                                                               {"project", project_.folder},
                                                               {"version", kVersion}});
  PatientTask::Options options = patient("ms-address", "the address is not written yet");
  options.attempt = [this, info = std::move(info)](const PatientTask::OnDone& on_done) {
    on_done(write_daemon_info(project_, info));
  };
  address_ = std::make_unique<PatientTask>(std::move(options));
  return address_->start();
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

// Errors are words for people, and end in rows, events and summaries; outputs are the agent's data.
void Daemon::take_fact(model::Fact fact) {
  if (auto* finished = std::get_if<model::AttemptFinished>(&fact)) {
    if (auto& error = finished->outcome.error) {
      redactor_->redact_in(error->message);
      redactor_->redact_in_json(error->context_json);
    }
  }
  loop_->fact(std::move(fact));
}

void Daemon::log_record(model::LogRecord record) {
  redactor_->redact_in(record);
  recorder_->log(std::move(record));
}

Result<model::Payload> Daemon::store_payload(std::string json) {
  auto name = store_->blobs().put(json);
  if (!name) return std::move(name).error();
  model::Payload payload = model::Payload::of(std::move(json));
  payload.blob = std::move(*name);
  return payload;
}

void Daemon::request_end(bool now) {
  std::lock_guard lock(mutex_);
  if (now)
    end_requested_ = true;
  else
    drain_requested_ = true;
  ended_.notify_all();
}

Result<void> Daemon::run() {
  signals_->start({[this] { request_end(false); }, [this] { request_end(true); },
                   [this] { log_->warning("SIGHUP: this version does not reload; restart it"); }});
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return end_requested_ || drain_requested_; });
  const bool drains = !end_requested_;
  lock.unlock();
  Result<void> stopped = drains ? stop_fleet() : Result<void>();
  if (!stopped) {
    log_->error("the fleet cannot be stopped in order: its agents are killed",
                {{"reason", stopped.error().to_text()}});
    node_->kill_all();
  }
  log_->info("stopped");
  signals_->stop();
  parts_.stop();
  log_output_->close(kPatience);
  return stopped;
}

/// Waits for as long as the fleet takes, or until somebody wants the end now. An error when
/// StopFleet is refused for longer than a short trouble of the disk lasts.
Result<void> Daemon::stop_fleet() {
  log_->info("stopping: the fleet drains; a second signal ends it now");
  fleet_load_->stop();  // a later attempt would start it again
  std::optional<Mono> give_up_at;
  while (true) {
    auto answer = std::make_shared<std::optional<Result<model::ReplyBody>>>();
    loop_->command(model::StopFleet{}, "signal", [this, answer](Result<model::ReplyBody> reply) {
      std::lock_guard lock(mutex_);
      *answer = std::move(reply);
      ended_.notify_all();
    });
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return end_requested_ || answer->has_value(); });
    if (end_requested_ || **answer) return {};
    const Mono now = platform::mono_now();
    if (!give_up_at) give_up_at = now + kPatience;
    if (now >= *give_up_at) {
      Error killed(Code::unavailable, "the fleet could not be stopped in order; it was killed");
      return std::move(killed).caused_by(std::move(**answer).error());
    }
    ended_.wait_for(lock, kStopRetry, [this] { return end_requested_; });
  }
}

}  // namespace mainstay::app
