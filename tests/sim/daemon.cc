#include "sim/daemon.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "engine/recovery.h"
#include "store/database/journal.h"
#include "work/tables/run_queries.h"
#include "work/tables/work_queries.h"

namespace mainstay::sim {
namespace {

constexpr Duration kLongestTurn = std::chrono::milliseconds(4);

}  // namespace

Daemon::Daemon(World& world, Ledger& ledger, std::shared_ptr<const model::FleetSpec> fleet,
               std::uint64_t seed)
    : world_(world),
      ledger_(ledger),
      fleet_(std::move(fleet)),
      seeds_(seed ^ 0x5eedULL),
      vfs_(fmt::format("sim-{}", seed), seed) {}

void Daemon::boot() {
  ++life_;
  vfs_.disk().set_wall(world_.now().wall);
  store::StoreOptions options;
  options.dir = "sim";
  options.vfs = vfs_.name();
  options.blobs = blobs_;
  options.mode = store::StoreMode::inline_commit;
  auto opened = store::Store::open(std::move(options), rows_);
  MS_ASSERT(opened.has_value(), "the simulated store does not open");
  store_ = std::move(*opened);
  read_missed_events();
  engine::CoreSettings settings;
  settings.seed = seeds_.next();
  core_ = std::make_unique<engine::Core>(settings);
  auto recovered = engine::load_recovered(reader(), store_->blobs());
  MS_ASSERT(recovered.has_value(), "the simulated store does not load");
  ledger_.daemon_started();
  ports_.up_changed(true);
  model::Outbox out;
  core_->recover(std::move(*recovered), world_.now(), out);
  core_->settle(world_.now(), out);
  release(std::move(out), {});
  if (!is_up()) return;
  command(model::LoadFleet{fleet_}, [](const Result<model::ReplyBody>&) {});
}

void Daemon::crash(bool lose_power) {
  ++life_;
  core_.reset();
  waiting_.clear();
  mailbox_.clear();
  reader_.reset();
  planned_tick_ = Mono::max();
  if (lose_power)
    vfs_.disk().lose_power();
  else
    vfs_.disk().kill_handles();
  store_.reset();
  ports_.up_changed(false);
}

// Durable events that no listener of the former life saw are read from the journal, like the
// daemon's own listeners do.
void Daemon::read_missed_events() {
  auto events = store::read_journal(reader(), seen_, 1'000'000);
  MS_ASSERT(events.has_value(), "the simulated journal cannot be read");
  for (const model::Event& event : *events) listen(event);
}

void Daemon::listen(const model::Event& event) {
  seen_ = event.seq;
  ledger_.happened(event);
  const auto id = model::WorkId::from_text(event.subject);
  if (event.kind != "work.succeeded" || !id) return;
  const auto kept = work::find_work(reader(), *id, &store_->blobs());
  MS_ASSERT(kept.has_value(), "an item that succeeded has no row");
  ledger_.result_kept(*id, std::string(kept->status.output.view()), kept->status.epoch,
                      kept->status.agent);
}

void Daemon::fact(model::Fact fact) {
  if (is_up()) input(fact);
}

void Daemon::command(model::CommandBody body, OnReply on_reply) {
  if (!is_up()) return;
  const model::ReplyToken token = next_token_++;
  waiting_.emplace(token, std::move(on_reply));
  input(model::Command{token, "sim", std::move(body)});
}

// A turn begins a moment after the first input and takes what has come by then, like the loop does
// that was busy with the turn before.
void Daemon::input(model::Input input) {
  mailbox_.push_back(std::move(input));
  if (mailbox_.size() > 1) return;
  world_.after(world_.between(std::chrono::microseconds(1), kLongestTurn), [this, life = life_] {
    if (life == life_) take_turn();
  });
}

void Daemon::take_turn() {
  model::Outbox out;
  const Now now = world_.now();
  const std::vector<model::Input> inputs = std::exchange(mailbox_, {});
  if (inputs.size() > 1) ++ledger_.sights["several inputs in one turn"];
  for (const model::Input& input : inputs) core_->step(input, now, out);
  core_->settle(now, out);
  std::map<model::ReplyToken, OnReply> waiting;
  for (const model::Reply& reply : out.replies) {
    if (auto found = waiting_.find(reply.token); found != waiting_.end()) {
      waiting.insert(waiting_.extract(found));
    }
  }
  release(std::move(out), std::move(waiting));
}

void Daemon::release(model::Outbox out, std::map<model::ReplyToken, OnReply> waiting) {
  const std::uint64_t life = life_;
  const bool crashes = world_.chance(crash_at_commit_);
  if (crashes && world_.chance(0.5)) {
    crash(world_.chance(0.5));  // before the commit: nothing of this turn happened
    return;
  }
  if (!out.rows.empty() || !out.events.empty()) {
    bool durable = false;
    store_->commit({std::move(out.rows), out.events, [&durable] { durable = true; }});
    MS_ASSERT(durable, "an inline commit on a healthy disk is durable at once");
  }
  if (crashes) {
    ++ledger_.sights["crashed between commit and release"];
    crash(world_.chance(0.5));
    return;
  }
  for (const model::Event& event : out.events) {
    listen(event);
    world_.trace(event.kind);
  }
  for (model::Reply& reply : out.replies) {
    if (auto found = waiting.find(reply.token); found != waiting.end()) found->second(reply.body);
  }
  for (const model::Effect& effect : out.effects) {
    if (life != life_) return;
    ports_.effect(effect);
  }
  if (life == life_) plan_tick();
}

void Daemon::plan_tick() {
  const auto due = core_->next_due();
  if (!due || *due >= planned_tick_) return;
  planned_tick_ = *due;
  world_.after(*due - world_.now().mono, [this, life = life_] {
    if (life != life_) return;
    planned_tick_ = Mono::max();
    input(model::Fact(model::Tick{}));  // its turn plans the next
  });
}

platform::SqliteConnection& Daemon::reader() {
  if (!reader_) {
    auto opened = store_->open_reader();
    MS_ASSERT(opened.has_value(), "the simulated store gives no reader");
    reader_ = std::move(*opened);
  }
  return *reader_;
}

std::optional<model::SubmitWork::Known> Daemon::known_work(const std::string& key) {
  auto found = work::find_work_by_key(reader(), key);
  if (!found || !*found) return std::nullopt;
  const auto& record = **found;
  return model::SubmitWork::Known{record.spec->id, record.spec->request_sha256,
                                  record.status.state};
}

std::optional<model::StartRun::Known> Daemon::known_run(const std::string& key) {
  auto found = work::find_run_by_key(reader(), key);
  if (!found || !*found) return std::nullopt;
  return model::StartRun::Known{(*found)->spec->id, (*found)->spec->request_sha256};
}

std::string Daemon::state_of_work(const model::WorkId& id) {
  const auto found = work::find_work(reader(), id, nullptr);
  return found ? std::string(to_text(found->status.state)) : "";
}

std::string Daemon::state_of_run(const model::RunId& id) {
  const auto found = work::find_run(reader(), id, nullptr);
  return found ? std::string(to_text(found->status.state)) : "";
}

}  // namespace mainstay::sim
