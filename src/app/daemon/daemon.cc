#include "app/daemon/daemon.h"

#include <unistd.h>

#include <utility>

#include "app/version.h"
#include "base/text.h"
#include "config/settings_list.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/files/files.h"
#include "platform/process/identity.h"
#include "security/tokens.h"

namespace mainstay::app {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);
// Between attempts to stop the fleet while the disk is in trouble.
constexpr auto kStopRetry = std::chrono::milliseconds(200);

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
