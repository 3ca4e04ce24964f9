// Everything that is written comes back as it was, and a group of changes gives the same rows as
// the changes one by one.
#include "engine/row_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "engine/recovery.h"
#include "platform/sqlite/sqlite_memory_vfs.h"
#include "store/store.h"
#include "work/tables/pipeline_codec.h"
#include "work/tables/run_queries.h"
#include "work/tables/work_queries.h"

namespace mainstay::engine {
namespace {

using base::wall_from_micros;
using model::Payload;

/// A store in memory, inline, with the real tables.
struct Rig {
  explicit Rig(std::uint64_t seed = 1) : vfs("rows-" + std::to_string(seed), seed), ids(seed) {
    open();
  }
  void open() {
    store::StoreOptions options;
    options.dir = "data";
    options.vfs = vfs.name();
    options.blobs = blobs;
    options.mode = store::StoreMode::inline_commit;
    Result<std::unique_ptr<store::Store>> opened = store::Store::open(options, writer);
    MS_ASSERT(opened.has_value(), opened ? "" : opened.error().to_text());
    store = std::move(*opened);
    reader = store->open_reader().value();
  }
  void commit(std::vector<model::Row> rows) {
    store::Batch batch;
    batch.rows = std::move(rows);
    bool durable = false;
    batch.on_durable = [&durable] { durable = true; };
    store->commit(std::move(batch));
    MS_ASSERT(durable, "an inline commit on a sound disk");
  }
  model::WorkId work_id() { return model::WorkId::make(ids, wall_from_micros(1'800'000'000'000)); }
  model::RunId run_id() { return model::RunId::make(ids, wall_from_micros(1'800'000'000'000)); }

  platform::MemoryVfs vfs;
  std::shared_ptr<store::MemoryBlobs> blobs = std::make_shared<store::MemoryBlobs>();
  std::vector<std::string> conflicts;
  RowWriter writer{[this](const std::string& what) { conflicts.push_back(what); }};
  base::UuidMaker ids;
  std::unique_ptr<store::Store> store;
  platform::SqliteConnection reader;
};

std::shared_ptr<model::WorkSpec> full_spec(Rig& rig) {
  auto spec = std::make_shared<model::WorkSpec>();
  spec->id = rig.work_id();
  spec->description = "analyse \"a\\b\" — grün";
  spec->capability = "file.analyse";
  spec->phase = "analysis";
  spec->priority = 7;
  spec->deadline = wall_from_micros(1'900'000'000'000'001);
  spec->start_after = wall_from_micros(-5);
  spec->timeout = std::chrono::nanoseconds(1'500'000'001);
  spec->idle_timeout = std::chrono::seconds(3);
  spec->retry = {5, std::chrono::milliseconds(10), std::chrono::minutes(2)};
  spec->idempotency_key = "key-" + spec->id.to_text();
  spec->request_sha256 = std::string(64, 'a');
  spec->input = Payload::of(R"({"n": 1.0, "path":"x"})");
  spec->labels = {{"team", "a \"b\""}, {"z", ""}};
  spec->trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  spec->created_at = wall_from_micros(1'800'000'000'000'123);
  return spec;
}

model::WorkStatus full_status() {
  model::WorkStatus status;
  status.state = model::WorkState::failed;
  status.epoch = 4;
  status.attempts_used = 3;
  status.agent = "analyst-2";
  status.due_at = wall_from_micros(11);
  status.first_started_at = wall_from_micros(12);
  status.finished_at = wall_from_micros(13);
  status.output = Payload::of("");
  status.error = model::WorkError{model::FailureKind::idle_timeout, "ValueError", "it\nbroke", true,
                                  R"({"traceback":"..."})"};
  return status;
}

std::string describe(const model::WorkSpec& s) {
  std::string out = s.id.to_text() + s.description + "|" + s.capability + "|" + s.phase + "|" +
                    std::to_string(s.priority) + "|" + std::to_string(s.timeout.count()) + "|" +
                    std::to_string(s.idle_timeout.count()) + "|" +
                    std::to_string(s.retry.max_attempts) + "|" +
                    std::to_string(s.retry.backoff_min.count()) + "|" +
                    std::to_string(s.retry.backoff_max.count()) + "|" + s.idempotency_key + "|" +
                    s.request_sha256 + "|" + std::string(s.input.view()) + "|" + s.trace_parent +
                    "|" + std::to_string(base::to_micros(s.created_at));
  if (s.deadline) out += "|d" + std::to_string(base::to_micros(*s.deadline));
  if (s.start_after) out += "|a" + std::to_string(base::to_micros(*s.start_after));
  for (const auto& [name, label] : s.labels) out += "|" + name + "=" + label;
  if (s.step) {
    out += "|" + s.step->run.to_text() + s.step->pipeline + s.step->stage +
           std::to_string(s.step->index);
  }
  return out;
}

std::string describe(const std::optional<model::WorkError>& e) {
  if (!e) return "none";
  return std::string(to_text(e->kind)) + "|" + e->code + "|" + e->message + "|" +
         (e->permanent ? "permanent" : "") + "|" + e->context_json;
}

std::string describe(const std::optional<Wall>& wall) {
  return wall ? std::to_string(base::to_micros(*wall)) : "-";
}

std::string describe(const model::WorkStatus& s) {
  return std::string(to_text(s.state)) + "|" + std::to_string(s.epoch) + "|" +
         std::to_string(s.attempts_used) + "|" + s.agent + "|" + describe(s.due_at) + "|" +
         describe(s.first_started_at) + "|" + describe(s.finished_at) + "|" +
         (s.output.has_value() ? "'" + std::string(s.output.view()) + "'" : "none") + "|" +
         describe(s.error);
}

TEST(Rows, AWorkItemComesBackAsItWas) {
  Rig rig;
  auto spec = full_spec(rig);
  spec->step = model::StepRef{rig.run_id(), "review", "analyse", 12};
  auto bare = std::make_shared<model::WorkSpec>();
  bare->id = rig.work_id();
  rig.commit({model::WorkInserted{spec, full_status()}, model::WorkInserted{bare, {}}});
  Result<work::WorkRecord> found = work::find_work(rig.reader, spec->id, rig.blobs.get());
  ASSERT_TRUE(found) << found.error().to_text();
  EXPECT_EQ(describe(*found->spec), describe(*spec));
  EXPECT_EQ(describe(found->status), describe(full_status()));
  found = work::find_work(rig.reader, bare->id, rig.blobs.get());
  ASSERT_TRUE(found);
  EXPECT_EQ(describe(*found->spec), describe(*bare));
  EXPECT_FALSE(found->spec->input.has_value());
  EXPECT_EQ(describe(found->status), describe(model::WorkStatus{}));
  EXPECT_EQ(work::find_work(rig.reader, rig.work_id(), nullptr).error().code(), Code::not_found);
  Result<std::optional<work::WorkRecord>> by_key =
      work::find_work_by_key(rig.reader, spec->idempotency_key);
  ASSERT_TRUE(by_key && *by_key);
  EXPECT_EQ((*by_key)->spec->id, spec->id);
  EXPECT_EQ((*by_key)->spec->request_sha256, spec->request_sha256);
  EXPECT_FALSE(*work::find_work_by_key(rig.reader, "never"));
}

TEST(Rows, ALargePayloadBecomesABlobBeforeItsRow) {
  Rig rig;
  auto spec = full_spec(rig);
  const std::string large = "\"" + std::string(Payload::kInlineLimit, 'x') + "\"";
  spec->input = Payload::of(large);
  auto named = full_spec(rig);
  named->input = Payload{std::make_shared<const std::string>(large), rig.blobs->put(large).value()};
  rig.commit({model::WorkInserted{spec, {}}, model::WorkInserted{named, {}}});
  Result<model::Recovered> recovered = load_recovered(rig.reader, *rig.blobs);
  ASSERT_TRUE(recovered) << recovered.error().to_text();
  ASSERT_EQ(recovered->work.size(), 2U);
  for (const model::RecoveredWork& item : recovered->work) {
    EXPECT_TRUE(item.spec->input.view() == large);
    EXPECT_EQ(item.spec->input.blob, named->input.blob);
  }
  EXPECT_EQ(**rig.reader.query_integer("SELECT count(*) FROM work_items WHERE input IS NULL"), 2);
  store::MemoryBlobs none;
  EXPECT_EQ(load_recovered(rig.reader, none).error().code(), Code::not_found);
}

TEST(Rows, ASecondItemWithAKeyIsKeptWithoutItAndTold) {
  Rig rig;
  auto first = full_spec(rig);
  auto second = full_spec(rig);
  second->idempotency_key = first->idempotency_key;
  rig.commit({model::WorkInserted{first, {}}});
  rig.commit({model::WorkInserted{second, {}}, model::WorkInserted{first, {}}});
  EXPECT_TRUE(work::find_work(rig.reader, second->id, nullptr));
  Result<std::optional<work::WorkRecord>> found =
      work::find_work_by_key(rig.reader, first->idempotency_key);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->spec->id, first->id);
  ASSERT_EQ(rig.conflicts.size(), 1U);
  EXPECT_NE(rig.conflicts[0].find(second->id.to_text()), std::string::npos);
  EXPECT_NE(rig.conflicts[0].find(first->idempotency_key), std::string::npos);
}

TEST(Rows, ManyKeysAreLookedUpAtOnceInTheirOrder) {
  Rig rig;
  auto open = full_spec(rig);
  auto ended = full_spec(rig);
  ended->request_sha256 = std::string(64, 'b');
  model::WorkStatus succeeded;
  succeeded.state = model::WorkState::succeeded;
  rig.commit({model::WorkInserted{open, {}}, model::WorkInserted{ended, succeeded}});
  const auto found = work::find_work_keys(
      rig.reader, {ended->idempotency_key, "never", open->idempotency_key, ended->idempotency_key});
  ASSERT_TRUE(found) << found.error().to_text();
  ASSERT_EQ(found->size(), 4U);
  EXPECT_FALSE((*found)[1]);
  ASSERT_TRUE((*found)[0] && (*found)[2] && (*found)[3]);
  EXPECT_EQ((*found)[0]->id, ended->id);
  EXPECT_EQ((*found)[0]->request_sha256, ended->request_sha256);
  EXPECT_EQ((*found)[0]->state, model::WorkState::succeeded);
  EXPECT_EQ((*found)[2]->id, open->id);
  EXPECT_EQ((*found)[3]->id, ended->id);
  EXPECT_TRUE(work::find_work_keys(rig.reader, {})->empty());
}

model::AgentStatus full_agent(const std::string& name) {
  model::AgentStatus agent;
  agent.name = name;
  agent.spec = "analyst";
  agent.kind = model::AgentKind::exec;
  agent.state = model::AgentState::backoff;
  agent.reason = "exited with 1";
  agent.incarnation = 9;
  agent.process = model::ProcessIdentity{123, 18'446'744'073'709'551'000ULL, "boot"};
  agent.token_sha256 = std::string(64, 'f');
  agent.spec_digest = "digest";
  agent.capabilities = {"a", "b"};
  agent.labels = {{"gpu", "no"}};
  agent.endpoint = "http://x";
  agent.slots = 3;
  agent.sdk = "python 0.1.0 (3.11.2)";
  agent.restarts = 4;
  agent.error_count = 5;
  agent.last_error = "boom";
  agent.last_error_at = wall_from_micros(1);
  agent.started_at = wall_from_micros(2);
  agent.last_exit_at = wall_from_micros(3);
  agent.last_exit = model::ExitStatus{std::nullopt, 11, true, false};
  agent.lease_until = wall_from_micros(4);
  return agent;
}

TEST(Rows, AnAgentComesBackAsItWas) {
  Rig rig;
  model::AgentStatus bare;
  bare.name = "zero";
  rig.commit({model::AgentRow{full_agent("analyst-1")}, model::AgentRow{bare},
              model::AgentRow{full_agent("gone")}});
  rig.commit({model::AgentRemoved{"gone"}});
  Result<std::vector<model::AgentStatus>> agents = fleet::load_agents(rig.reader);
  ASSERT_TRUE(agents) << agents.error().to_text();
  ASSERT_EQ(agents->size(), 2U);
  const model::AgentStatus& a = agents->front();
  const model::AgentStatus b = full_agent("analyst-1");
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.process, b.process);
  EXPECT_EQ(a.spec_digest, b.spec_digest);
  EXPECT_EQ(a.capabilities, b.capabilities);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.last_error_at, b.last_error_at);
  ASSERT_TRUE(a.last_exit);
  EXPECT_EQ(a.last_exit->signal, 11);
  EXPECT_EQ(a.last_exit->code, std::nullopt);
  EXPECT_TRUE(a.last_exit->core_dumped);
  EXPECT_EQ(a.lease_until, b.lease_until);
  EXPECT_EQ(a.sdk, b.sdk);
  EXPECT_FALSE(agents->back().process);
  EXPECT_FALSE(agents->back().last_exit);
}

std::shared_ptr<const model::PipelineSpec> pipeline() {
  auto spec = std::make_shared<model::PipelineSpec>();
  spec->name = "review";
  spec->version = 3;
  spec->description = "text";
  spec->timeout = std::chrono::minutes(10);
  model::StageSpec scan;
  scan.name = "scan";
  scan.capability = "repo.scan";
  scan.input_json = R"({"path":"run#/input/path","n":1.0})";
  model::StageSpec analyse;
  analyse.name = "analyse";
  analyse.capability = "file.analyse";
  analyse.needs = {"scan"};
  analyse.foreach_reference = "scan#/files";
  analyse.max_parallel = 8;
  analyse.timeout = std::chrono::seconds(10);
  analyse.idle_timeout = Duration(1);
  analyse.retries = 0;
  analyse.critical = false;
  analyse.when = model::Condition{model::ConditionKind::equals, "scan#/kind", R"("git")"};
  spec->stages = {scan, analyse};
  return spec;
}

TEST(PipelineCodec, ReadsBackExactlyWhatItWrote) {
  const std::string json = work::pipeline_to_json(*pipeline());
  Result<model::PipelineSpec> read = work::pipeline_from_json(json);
  ASSERT_TRUE(read) << read.error().to_text();
  EXPECT_EQ(work::pipeline_to_json(*read), json);
  EXPECT_EQ(read->stages[1].when->value_json, R"("git")");
  EXPECT_EQ(read->stages[1].idle_timeout, Duration(1));
  EXPECT_EQ(read->timeout, std::chrono::minutes(10));
  EXPECT_EQ(work::pipeline_from_json("{}").error().code(), Code::storage_corrupt);
  EXPECT_EQ(work::pipeline_from_json("{").error().code(), Code::storage_corrupt);
}

TEST(Rows, ARunComesBackWithStepsItemsUsageAndArchive) {
  Rig rig;
  auto spec = std::make_shared<model::RunSpec>();
  spec->id = rig.run_id();
  spec->pipeline = pipeline();
  spec->input = Payload::of(R"({"path":"."})");
  spec->labels = {{"a", "b"}};
  spec->idempotency_key = "run-key";
  spec->request_sha256 = "s";
  spec->trace_parent = "t";
  spec->created_at = wall_from_micros(5);
  auto item = full_spec(rig);
  item->step = model::StepRef{spec->id, "review", "scan", 0};
  model::WorkStatus running;
  running.state = model::WorkState::running;
  running.epoch = 1;
  model::StepStatus analyse{"analyse", 2, model::StepState::waiting, 540, 12, 1, 3, {}, {}, {}, {}};
  model::StepStatus scan{
      "scan", 1, model::StepState::running, 1,  0,
      0,      0, wall_from_micros(6),       {}, {"openai", "m", 1, 2, 3, 4, 5, 6},
      {}};
  model::UsageRow usage{item->id, 1, 0, {"openai", "m", 10, 20, 0, 0, 1, 0}};
  model::UsageRow more{item->id, 1, 1, {"openai", "m", 5, 5, 0, 0, 1, 0}};
  rig.commit({model::RunInserted{spec, {}}, model::WorkInserted{item, {}},
              model::WorkUpdated{item->id, running},
              model::AttemptRow{item->id, 1, "scout", 2, wall_from_micros(7), {}, "", {}},
              model::StepRow{spec->id, analyse}, model::StepRow{spec->id, scan}, usage, more});
  Result<model::Recovered> recovered = load_recovered(rig.reader, *rig.blobs);
  ASSERT_TRUE(recovered) << recovered.error().to_text();
  EXPECT_TRUE(recovered->work.empty()) << "its items come with the run";
  ASSERT_EQ(recovered->runs.size(), 1U);
  const model::RecoveredRun& run = recovered->runs.front();
  EXPECT_EQ(work::pipeline_to_json(*run.spec->pipeline), work::pipeline_to_json(*spec->pipeline));
  EXPECT_EQ(run.spec->input.view(), spec->input.view());
  EXPECT_EQ(run.spec->labels, spec->labels);
  ASSERT_EQ(run.steps.size(), 2U);
  EXPECT_EQ(run.steps[0].stage, "scan") << "in the pipeline's order";
  EXPECT_EQ(run.steps[0].usage.api_calls, 6);
  EXPECT_EQ(run.steps[1].items_total, 540);
  ASSERT_EQ(run.items.size(), 1U);
  ASSERT_TRUE(run.items[0].attempt);
  EXPECT_EQ(run.items[0].attempt->agent, "scout");
  EXPECT_EQ(run.items[0].attempt->incarnation, 2);
  Result<std::vector<work::UsageTotal>> totals = work::usage_of_run(rig.reader, spec->id);
  ASSERT_TRUE(totals);
  ASSERT_EQ(totals->size(), 1U);
  EXPECT_EQ(totals->front().usage.prompt_tokens, 15);
  EXPECT_EQ(totals->front().attempts, 1);
  // Numbers that no attempt can have, from before they were refused on entry.
  const std::int64_t huge = std::int64_t{1} << 62U;
  for (int ordinal = 2; ordinal < 6; ++ordinal) {
    rig.commit({model::UsageRow{item->id, 1, ordinal, {"openai", "m", huge, -5, 0, 0, 0, 0}}});
  }
  totals = work::usage_of_run(rig.reader, spec->id);
  ASSERT_TRUE(totals) << totals.error().to_text();
  EXPECT_EQ(totals->front().usage.prompt_tokens, 4'000'000'000'015);
  EXPECT_EQ(totals->front().usage.completion_tokens, 25);
  model::RunStatus done{model::RunState::degraded, wall_from_micros(9), {}, Payload::of("{}")};
  EXPECT_TRUE(work::unarchived_runs(rig.reader, 10)->empty()) << "it has not ended";
  rig.commit({model::RunUpdated{spec->id, done}});
  EXPECT_EQ(*work::unarchived_runs(rig.reader, 10), std::vector{spec->id});
  rig.commit({model::ArchiveRow{spec->id, "runs/a.tar.gz", 7, "h", wall_from_micros(10)}});
  EXPECT_TRUE(load_recovered(rig.reader, *rig.blobs)->runs.empty());
  Result<work::RunRecord> found = work::find_run(rig.reader, spec->id, rig.blobs.get());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->status.output.view(), "{}");
  EXPECT_EQ((*work::find_archive(rig.reader, spec->id))->sha256, "h");
  EXPECT_TRUE(work::unarchived_runs(rig.reader, 10)->empty());
  EXPECT_EQ((*work::find_run_by_key(rig.reader, "run-key"))->spec->id, spec->id);
}

TEST(Queries, TheWaitingItemsOfARunAreFound) {
  Rig rig;
  const model::RunId run = rig.run_id();
  std::vector<model::WorkId> ids;
  for (const char* stage : {"scan", "scan", "lint"}) {
    auto item = full_spec(rig);
    item->idempotency_key.clear();
    item->step = model::StepRef{run, "review", stage, static_cast<std::int64_t>(ids.size())};
    ids.push_back(item->id);
    rig.commit({model::WorkInserted{item, {}}});
  }
  const auto waiting = [&] { return work::waiting_items(rig.reader, run).value(); };
  ASSERT_EQ(waiting().oldest.size(), 2U);
  EXPECT_EQ(waiting().oldest[0].spec->id, ids[0]);
  EXPECT_EQ(waiting().oldest[1].spec->id, ids[2]);
  EXPECT_FALSE(waiting().some_run);
  model::WorkStatus running;
  running.state = model::WorkState::running;
  rig.commit({model::WorkUpdated{ids[1], running}});
  ASSERT_EQ(waiting().oldest.size(), 1U) << "not all of scan wait";
  EXPECT_EQ(waiting().oldest[0].spec->id, ids[2]);
  EXPECT_TRUE(waiting().some_run);
}

TEST(Queries, ListsGoFromTheNewestDownInPages) {
  Rig rig;
  std::vector<model::WorkId> ids;
  for (int i = 0; i < 25; ++i) {
    auto spec = std::make_shared<model::WorkSpec>();
    spec->id = rig.work_id();
    spec->capability = i % 5 == 0 ? "rare" : "usual";
    model::WorkStatus status;
    status.state = i % 2 == 0 ? model::WorkState::succeeded : model::WorkState::failed;
    if (i == 24) status.state = model::WorkState::queued;
    ids.push_back(spec->id);
    rig.commit({model::WorkInserted{spec, status}});
  }
  work::WorkFilter filter;
  filter.limit = 10;
  std::vector<model::WorkId> seen;
  for (;;) {
    Result<std::vector<work::WorkRecord>> page = work::list_work(rig.reader, filter);
    ASSERT_TRUE(page) << page.error().to_text();
    if (page->empty()) break;
    for (const work::WorkRecord& record : *page) seen.push_back(record.spec->id);
    filter.before = seen.back();
  }
  std::reverse(ids.begin(), ids.end());
  EXPECT_EQ(seen, ids);
  const auto count = [&rig](const work::WorkFilter& f) {
    return work::list_work(rig.reader, f).value().size();
  };
  EXPECT_EQ(count({{model::WorkState::failed}, "", {}, "", {}, 100, false}), 12U);
  EXPECT_EQ(
      count({{model::WorkState::queued, model::WorkState::running}, "", {}, "", {}, 100, true}),
      1U);
  EXPECT_EQ(count({{}, "rare", {}, "", {}, 100, false}), 5U);
  EXPECT_EQ(count({{}, "", rig.run_id(), "scan", {}, 100, false}), 0U);
}

TEST(Recovery, RemembersTheNewestEnds) {
  Rig rig;
  std::vector<model::WorkId> ended;
  model::Sequence seq = 0;
  for (int i = 0; i < 30; ++i) {
    auto spec = std::make_shared<model::WorkSpec>();
    spec->id = rig.work_id();
    model::WorkStatus status;
    status.state = i % 3 == 0 ? model::WorkState::queued : model::WorkState::succeeded;
    status.epoch = i;
    store::Batch batch;
    batch.rows = {model::WorkInserted{spec, status}};
    batch.events.push_back({++seq, Wall{}, "work.accepted", spec->id.to_text(), "{}"});
    if (i % 3 != 0) {
      batch.events.push_back({++seq, Wall{}, "work.succeeded", spec->id.to_text(), "{}"});
      ended.push_back(spec->id);
    }
    rig.store->commit(std::move(batch));
  }
  Result<model::Recovered> recovered = load_recovered(rig.reader, *rig.blobs);
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->last_seq, seq);
  EXPECT_EQ(recovered->work.size(), 10U);
  ASSERT_EQ(recovered->ended.size(), ended.size());
  for (std::size_t i = 0; i < ended.size(); ++i) EXPECT_EQ(recovered->ended[i].id, ended[i]);
  EXPECT_EQ(work::recent_ends(rig.reader, 100, 3)->size(), 3U);
}

// ---- groups -----------------------------------------------------------------------------------

/// All tables of work and agents as one text.
std::string image(Rig& rig) {
  std::string all;
  for (const char* sql :
       {"SELECT group_concat(hex(id)||state||ifnull(open,'-')||epoch||ifnull(agent,'')"
        "||ifnull(output,'')||attempts_used, x'0a') FROM (SELECT * FROM work_items ORDER BY id)",
        "SELECT group_concat(hex(work)||epoch||ifnull(outcome,'-')||ifnull(finished_at,''), x'0a')"
        " FROM (SELECT * FROM attempts ORDER BY work, epoch)",
        "SELECT group_concat(name||state||restarts, x'0a') FROM (SELECT * FROM agents ORDER BY 1)",
        "SELECT group_concat(hex(run)||stage||items_done||state, x'0a') FROM "
        "(SELECT * FROM steps ORDER BY run, stage)",
        "SELECT group_concat(hex(id)||state||ifnull(open,'-'), x'0a') FROM "
        "(SELECT * FROM runs ORDER BY id)"}) {
    all += rig.reader.query_text(sql).value().value_or("") + "\n--\n";
  }
  return all;
}

std::vector<model::Row> random_history(Rig& rig, base::Random& random) {
  std::vector<model::Row> rows;
  std::vector<model::WorkId> items;
  std::vector<model::RunId> runs;
  const auto remove_if_ended = [&items](std::size_t at, const model::WorkStatus& status) {
    if (is_terminal(status.state)) items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  };
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t what = items.empty() || runs.empty() ? random.below(2) : random.below(8);
    model::WorkStatus status;
    status.state = static_cast<model::WorkState>(random.below(7));
    status.epoch = static_cast<model::Epoch>(random.below(4));
    status.agent = "agent-" + std::to_string(random.below(3));
    status.output = Payload::of(std::to_string(random.below(1000)));
    if (what == 0) {
      auto spec = std::make_shared<model::WorkSpec>();
      spec->id = rig.work_id();
      items.push_back(spec->id);
      rows.push_back(model::WorkInserted{spec, status});
      remove_if_ended(items.size() - 1, status);
    } else if (what == 1) {
      auto spec = std::make_shared<model::RunSpec>();
      spec->id = rig.run_id();
      spec->pipeline = pipeline();
      runs.push_back(spec->id);
      rows.push_back(model::RunInserted{spec, {}});
    } else if (what == 2) {
      model::RunStatus run;
      run.state = static_cast<model::RunState>(random.below(6));
      rows.push_back(model::RunUpdated{runs[random.below(runs.size())], run});
    } else if (what == 3) {
      model::StepStatus step;
      step.stage = random.below(2) == 0 ? "scan" : "analyse";
      step.items_done = static_cast<std::int64_t>(random.below(100));
      rows.push_back(model::StepRow{runs[random.below(runs.size())], step});
    } else if (what == 4) {
      model::AgentStatus agent = full_agent("agent-" + std::to_string(random.below(3)));
      agent.restarts = static_cast<std::int64_t>(random.below(100));
      if (random.below(4) == 0)
        rows.push_back(model::AgentRemoved{agent.name});
      else
        rows.push_back(model::AgentRow{agent});
    } else if (what == 5) {
      rows.push_back(model::AttemptRow{items[random.below(items.size())],
                                       static_cast<model::Epoch>(random.below(3)),
                                       "a",
                                       1,
                                       Wall{},
                                       wall_from_micros(static_cast<std::int64_t>(random.below(9))),
                                       random.below(2) == 0 ? "" : "error",
                                       {}});
    } else {
      const std::size_t at = random.below(items.size());
      rows.push_back(model::WorkUpdated{items[at], status});
      remove_if_ended(at, status);
    }
  }
  return rows;
}

TEST(Groups, GiveTheSameRowsAsTheirChangesOneByOneAndTwice) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig one(seed);
    Rig grouped(seed + 1000);
    base::Random random(seed);
    const std::vector<model::Row> rows = random_history(one, random);
    for (const model::Row& row : rows) one.commit({row});
    for (std::size_t at = 0; at < rows.size();) {
      const std::size_t length = std::min<std::size_t>(1 + random.below(60), rows.size() - at);
      const std::vector<model::Row> group(rows.begin() + static_cast<std::ptrdiff_t>(at),
                                          rows.begin() + static_cast<std::ptrdiff_t>(at + length));
      grouped.commit(group);
      grouped.commit(group);  // as after a commit of unknown outcome
      at += length;
    }
    EXPECT_EQ(image(one), image(grouped));
  }
}

}  // namespace
}  // namespace mainstay::engine
