// The API as a client sees it, over real sockets.
#include <algorithm>
#include <future>
#include <thread>

#include "api/problem.h"
#include "api/test_server.h"

namespace mainstay::api {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(ApiTest, SubmitsAndGivesBackOneItem) {
  const auto made = call("POST", "/v1/work",
                         R"({"description":"look","capability":"file.analyse","priority":7,
                             "input": {"n": 1.10}, "labels":{"a":"b"},"timeout":"30s"})");
  EXPECT_EQ(made.status, 201) << made.body;
  const std::string id = text_at(json(made), "/id");
  EXPECT_EQ(made.header("location"), "/v1/work/" + id);
  EXPECT_EQ(text_at(json(made), "/state"), "queued");
  const auto& spec = std::get<model::SubmitWork>(backend.commands.at(0)).spec;
  EXPECT_EQ(spec.priority, 7);
  EXPECT_EQ(spec.timeout, std::chrono::seconds(30));
  EXPECT_EQ(spec.input.view(), R"({"n": 1.10})");  // as it was written
  EXPECT_EQ(backend.principals.at(0), "operator");

  const auto got = call("GET", "/v1/work/" + id);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(text_at(json(got), "/priority"), "7");
  EXPECT_EQ(text_at(json(got), "/labels/a"), "b");
  EXPECT_EQ(text_at(json(got), "/timeout"), "30s");
  EXPECT_EQ(text_at(json(got), "/output"), "null");
}

TEST_F(ApiTest, ABadItemIsRefusedWithAllItsErrorsAtOnce) {
  const auto refused =
      call("POST", "/v1/work",
           R"({"capability":3,"priority":12,"phase":"planing","timeout":"soon","labels":{"Ä":"b"},
          "deadline":"2001-01-01T00:00:00Z","retry":{"max_attempts":0,"backof_min":"1s"},
          "lane":"production","prioritty":1})");
  EXPECT_EQ(refused.status, 422) << refused.body;
  EXPECT_EQ(refused.header("content-type"), "application/problem+json");
  const auto problem = json(refused);
  EXPECT_EQ(text_at(problem, "/type"), "docs/errors/work_invalid.md");
  EXPECT_EQ(text_at(problem, "/code"), "work_invalid");
  EXPECT_EQ(text_at(problem, "/status"), "422");
  EXPECT_EQ(text_at(problem, "/retryable"), "false");
  EXPECT_THAT(text_at(problem, "/fields/description"), HasSubstr("missing"));
  EXPECT_EQ(text_at(problem, "/fields/capability"), "expected a string, got 3");
  EXPECT_EQ(text_at(problem, "/fields/priority"), "expected an integer from 0 to 9, got 12");
  EXPECT_THAT(text_at(problem, "/fields/phase"), HasSubstr("did you mean \"planning\"?"));
  EXPECT_THAT(text_at(problem, "/fields/timeout"), HasSubstr("got \"soon\""));
  EXPECT_THAT(text_at(problem, "/fields/labels.Ä"), HasSubstr("[a-z0-9_.-]"));
  EXPECT_THAT(text_at(problem, "/fields/deadline"), HasSubstr("in the future"));
  EXPECT_THAT(text_at(problem, "/fields/retry.max_attempts"), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(text_at(problem, "/fields/retry.backof_min"), HasSubstr("did you mean"));
  EXPECT_THAT(text_at(problem, "/fields/lane"), HasSubstr("not served by this version"));
  EXPECT_THAT(text_at(problem, "/fields/prioritty"), HasSubstr("did you mean \"priority\"?"));
  EXPECT_TRUE(backend.commands.empty());
}

TEST_F(ApiTest, H2BadJsonIsToldWithItsPlace) {
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string(R"({"a":1,"a":2})"),
        std::string("\xff\xfe"), std::string(100'000, '['), std::string("")}) {
    const auto refused = call("POST", "/v1/work", body);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(text_at(json(refused), "/code"), "invalid_argument");
  }
  EXPECT_THAT(call("POST", "/v1/work", R"({"a":1,"a":2})").body, HasSubstr("at byte 7"));
}

TEST_F(ApiTest, IdempotencyKeysAreLookedUpAndPassedOn) {
  const auto made = call("POST", "/v1/work", kItem, {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(made.status, 201);
  const auto first = std::get<model::SubmitWork>(backend.commands.at(0));
  EXPECT_EQ(first.spec.idempotency_key, "k1");
  EXPECT_EQ(first.spec.request_sha256.size(), 64U);
  EXPECT_FALSE(first.known);
  backend.known_work["k2"] = {first.spec.id, first.spec.request_sha256,
                              model::WorkState::succeeded};
  const auto again = call("POST", "/v1/work", kItem, {{"Idempotency-Key", "k2"}});
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(text_at(json(again), "/duplicate"), "true");
  EXPECT_EQ(std::get<model::SubmitWork>(backend.commands.at(1)).spec.request_sha256,
            first.spec.request_sha256);
  const auto mixed =
      call("POST", "/v1/work", R"({"description":"a","capability":"b","idempotency_key":"x"})",
           {{"Idempotency-Key", "y"}});
  EXPECT_EQ(mixed.status, 422);
}

/// A repeat is one by what it asks, not by its bytes, nor by where the key stands.
TEST_F(ApiTest, EqualRequestsHaveEqualHashesHoweverTheyAreWritten) {
  const auto hash = [&](const char* body, const char* key = nullptr) {
    platform::HttpHeaders headers;
    if (key != nullptr) headers.emplace_back("Idempotency-Key", key);
    EXPECT_LT(call("POST", "/v1/work", body, headers).status, 300) << body;
    return std::get<model::SubmitWork>(backend.commands.back()).spec.request_sha256;
  };
  const std::string first =
      hash(R"({"description":"d","capability":"c","input":{"a":1,"b":"é"},"idempotency_key":"k"})");
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(first,
            hash(R"({ "input": {"b":"\u00e9", "a":1}, "capability":"c","description":"d" })", "k"));
  EXPECT_EQ(first, hash(R"({"description":"d","capability":"c","input":{"a":1,"b":"é"},
                           "priority":5,"labels":{},"retry":{"max_attempts":3}})",
                        "other"));
  for (const char* other : {R"({"description":"d","capability":"c","input":{"a":1.0,"b":"é"}})",
                            R"({"description":"d","capability":"c","input":{"a":1}})",
                            R"({"description":"e","capability":"c","input":{"a":1,"b":"é"}})",
                            R"({"description":"d","capability":"c","input":{"a":1,"b":"é"},
                                "timeout":"1s"})"}) {
    EXPECT_NE(first, hash(other, "k")) << other;
  }
  const auto run_hash = [&](const char* body) {
    EXPECT_LT(call("POST", "/v1/runs", body, {{"Idempotency-Key", "k"}}).status, 300);
    return std::get<model::StartRun>(backend.commands.back()).request_sha256;
  };
  EXPECT_EQ(run_hash(R"({"pipeline":"p","input":{"a":[1],"b":2}})"),
            run_hash(R"({"labels":{},"input":{"b":2,"a":[1]},"pipeline":"p"})"));
}

/// Whether it is a repeat is for the loop to say; only then its times are looked at.
TEST_F(ApiTest, WithAKeyADeadlineThatHasPassedIsTheLoopsToJudge) {
  const char* body = R"({"description":"d","capability":"c","deadline":"2001-01-01T00:00:00Z"})";
  EXPECT_EQ(call("POST", "/v1/work", body).status, 422);
  EXPECT_EQ(call("POST", "/v1/work", body, {{"Idempotency-Key", "k"}}).status, 201);
}

TEST_F(ApiTest, WhatWaitsSaysWhy) {
  auto fleet = std::make_shared<FleetSnapshot>(*backend.snapshot);
  model::AgentStatus agent;
  agent.name = "scout";
  agent.state = model::AgentState::healthy;
  agent.linked = true;
  agent.capabilities = {"file.analyse", "file.lint"};
  agent.unserved = {"file.analyse"};
  fleet->agents = {agent};
  backend.snapshot = fleet;
  const std::string id = text_at(json(call("POST", "/v1/work", kItem)), "/id");
  const auto got = json(call("GET", "/v1/work/" + id));
  const std::string capability = text_at(got, "/capability");
  EXPECT_NE(text_at(got, "/waiting/reason"), "");
  EXPECT_NE(text_at(json(call("GET", "/v1/work")), "/work/0/waiting/sentence"), "");
  const auto shown = json(call("GET", "/v1/agents/scout"));
  EXPECT_EQ(platform::to_text(shown.at("capabilities")), R"(["file.analyse","file.lint"])");
  EXPECT_EQ(platform::to_text(shown.at("serves")), R"(["file.lint"])");
  backend.finish_work(*model::WorkId::from_text(id), "1");
  EXPECT_EQ(text_at(json(call("GET", "/v1/work/" + id)), "/waiting"), "null");
}

TEST_F(ApiTest, ARunSaysItsOutputAndWhyItWaits) {
  const std::string id = text_at(json(call("POST", "/v1/runs", R"({"pipeline":"p"})")), "/id");
  model::WorkSpec spec;
  spec.capability = "nobody.does";
  spec.step = model::StepRef{*model::RunId::from_text(id), "p", "only", 0};
  WorkView item{std::make_shared<const model::WorkSpec>(spec), {}};
  backend.runs.back().waiting_items = {item};
  const auto waiting = json(call("GET", "/v1/runs/" + id));
  EXPECT_EQ(text_at(waiting, "/output"), "null");
  EXPECT_EQ(text_at(waiting, "/waiting/reason"), "not_offered");
  EXPECT_EQ(text_at(waiting, "/steps/0/waiting/reason"), "not_offered");
  backend.runs.back().has_running_items = true;  // of another stage
  const auto partly = json(call("GET", "/v1/runs/" + id));
  EXPECT_EQ(text_at(partly, "/waiting"), "null");
  EXPECT_EQ(text_at(partly, "/steps/0/waiting/reason"), "not_offered");
  backend.runs.back().waiting_items.clear();
  backend.runs.back().status.state = model::RunState::succeeded;
  backend.runs.back().status.output = model::Payload::of(R"({"only":[1]})");
  EXPECT_EQ(text_at(json(call("GET", "/v1/runs/" + id)), "/output/only/0"), "1");
}

TEST_F(ApiTest, ABatchIsCheckedWholeAndAnsweredInOrder) {
  const auto bad = call("POST", "/v1/work:batch",
                        R"({"work":[{"description":"a","capability":"b"},{"capability":"c"},7]})");
  EXPECT_EQ(bad.status, 422);
  EXPECT_THAT(text_at(json(bad), "/fields/work[1].description"), HasSubstr("missing"));
  EXPECT_THAT(text_at(json(bad), "/fields/work[2]"), HasSubstr("expected an object"));
  EXPECT_TRUE(backend.commands.empty());
  const auto good = call("POST", "/v1/work:batch",
                         R"({"work":[{"description":"a","capability":"b","input":[1]},
                  {"description":"c","capability":"d"}]})");
  EXPECT_EQ(good.status, 200) << good.body;
  EXPECT_EQ(json(good).at("results").get_array().size(), 2U);
  EXPECT_EQ(std::get<model::SubmitWork>(backend.commands.at(0)).spec.input.view(), "[1]");
  backend.refuse_commands = Error(Code::overloaded, "the queue is full");
  const auto full =
      call("POST", "/v1/work:batch", R"({"work":[{"description":"a","capability":"b"}]})");
  EXPECT_EQ(full.status, 200);
  EXPECT_EQ(text_at(json(full), "/results/0/error/code"), "overloaded");
}

TEST_F(ApiTest, LargeInputsBecomeBlobsBeforeTheCommand) {
  const std::string large = "\"" + std::string(70'000, 'x') + "\"";
  EXPECT_EQ(
      call("POST", "/v1/work", R"({"description":"a","capability":"b","input":)" + large + "}")
          .status,
      201);
  const auto& spec = std::get<model::SubmitWork>(backend.commands.at(0)).spec;
  EXPECT_EQ(spec.input.blob, "stored");
  EXPECT_EQ(spec.input.view(), large);
}

TEST_F(ApiTest, WaitAnswersWhenTheItemEndsAndNotBefore) {
  const std::string id = text_at(json(call("POST", "/v1/work", kItem)), "/id");
  auto waiting = std::async(std::launch::async, [&] {
    platform::HttpClient other(api->address());
    return other.call({"GET",
                       "/v1/work/" + id + "?wait=20s",
                       {{"Authorization", "Bearer " + kTestToken}},
                       "",
                       std::chrono::seconds(30)});
  });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  backend.finish_work(*model::WorkId::from_text(id), R"({"x":1})");
  const auto reply = waiting.get();
  ASSERT_TRUE(reply);
  EXPECT_EQ(text_at(json(*reply), "/state"), "succeeded");
  EXPECT_EQ(text_at(json(*reply), "/output/x"), "1");
  EXPECT_EQ(text_at(json(call("GET", "/v1/work/" + id + "?wait=20s")), "/state"), "succeeded");
  const std::string open = text_at(json(call("POST", "/v1/work", kItem)), "/id");
  EXPECT_EQ(text_at(json(call("GET", "/v1/work/" + open + "?wait=10ms")), "/state"), "queued");
  EXPECT_EQ(call("GET", "/v1/work/" + open + "?wait=soon").status, 400);
}

TEST_F(ApiTest, WaitLooksAgainWhenItsEventsWereLost) {
  const std::string id = text_at(json(call("POST", "/v1/work", kItem)), "/id");
  auto waiting = std::async(std::launch::async, [&] {
    platform::HttpClient other(api->address());
    return other.call({"GET",
                       "/v1/work/" + id + "?wait=20s",
                       {{"Authorization", "Bearer " + kTestToken}},
                       "",
                       std::chrono::seconds(30)});
  });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  const int before = backend.subscriptions;
  backend.end_subscriptions(Error(Code::overloaded, "fell behind"));
  EXPECT_EQ(text_at(json(*waiting.get()), "/state"), "queued");
  EXPECT_EQ(backend.subscriptions, before + 1);
}

TEST_F(ApiTest, ListsPageByCursor) {
  for (int i = 0; i < 5; ++i) call("POST", "/v1/work", kItem);
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    const auto page = json(call("GET", "/v1/work?limit=2" + cursor));
    for (const auto& item : page.at("work").get_array()) seen.push_back(text_at(item, "/id"));
    const auto* next = platform::at_pointer(page, "/next_cursor");
    cursor = next->is_null() ? "" : "&cursor=" + text_at(page, "/next_cursor");
    ++pages;
  } while (!cursor.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_TRUE(std::is_sorted(seen.rbegin(), seen.rend()));
  call("GET",
       "/v1/work?state=queued,running&capability=x&run=0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(backend.last_work_filter.states.size(), 2U);
  EXPECT_EQ(backend.last_work_filter.capability, "x");
  EXPECT_TRUE(backend.last_work_filter.run);
  for (const char* bad :
       {"state=queud", "limit=0", "limit=x", "cursor=x", "run=x", "sate=queued"}) {
    const auto refused = call("GET", std::string("/v1/work?") + bad);
    EXPECT_EQ(refused.status, 400) << bad;
  }
  EXPECT_THAT(call("GET", "/v1/work?sate=queued").body, HasSubstr("did you mean \\\"state\\\"?"));
}

TEST_F(ApiTest, ErrorsOfTheLoopBecomeProblemsWithRetryAfter) {
  backend.refuse_commands = Error(Code::overloaded, "1000000 items wait").with("limit", "1000000");
  auto refused = call("POST", "/v1/work", kItem);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(text_at(json(refused), "/retryable"), "true");
  EXPECT_EQ(text_at(json(refused), "/fields/limit"), "1000000");
  backend.refuse_commands = Error(Code::storage_full, "no space");
  refused = call("POST", "/v1/runs", R"({"pipeline":"p"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "5");
  const Error back = error_from_problem(refused.status, refused.body);
  EXPECT_EQ(back.code(), Code::storage_full);
  EXPECT_EQ(back.message(), "no space");
}

TEST_F(ApiTest, RunsStartWaitAndCancel) {
  const auto made = call("POST", "/v1/runs", R"({"pipeline":"review","input":{"path":"."}})");
  EXPECT_EQ(made.status, 201) << made.body;
  const std::string id = text_at(json(made), "/id");
  const auto run = json(call("GET", "/v1/runs/" + id));
  EXPECT_EQ(text_at(run, "/pipeline"), "review");
  EXPECT_EQ(text_at(run, "/steps/0/stage"), "only");
  EXPECT_EQ(text_at(run, "/input/path"), ".");
  EXPECT_EQ(call("POST", "/v1/runs/" + id + ":cancel", R"({"reason":"enough"})").status, 200);
  EXPECT_EQ(std::get<model::CancelRun>(backend.commands.back()).reason, "enough");
  EXPECT_EQ(call("POST", "/v1/runs/" + id + ":cancel").status, 200);
  EXPECT_EQ(call("GET", "/v1/runs/0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f").status, 404);
  EXPECT_EQ(call("GET", "/v1/runs/x").status, 404);
  EXPECT_EQ(call("POST", "/v1/runs", R"({"pipeline":"p","budget":{}})").status, 400);
}

TEST_F(ApiTest, AgentsAreFilteredRegisteredRenewedAndRemoved) {
  auto fleet = std::make_shared<FleetSnapshot>(*backend.snapshot);
  for (const char* name : {"scout", "analyst-1"}) {
    model::AgentStatus agent;
    agent.name = name;
    agent.state = model::AgentState::healthy;
    agent.capabilities = {std::string(name) + ".do"};
    agent.labels = {{"zone", "a"}};
    fleet->agents.push_back(agent);
  }
  backend.snapshot = fleet;
  const auto names = [&](const std::string& query) {
    std::string all;
    const auto answer = json(call("GET", "/v1/agents" + query));
    for (const auto& agent : answer.at("agents").get_array()) {
      all += text_at(agent, "/name") + " ";
    }
    return all;
  };
  EXPECT_EQ(names(""), "scout analyst-1 ");
  EXPECT_EQ(names("?capability=scout.do&label=zone%3Da"), "scout ");
  EXPECT_EQ(names("?name=analyst-1&health=healthy,degraded"), "analyst-1 ");
  EXPECT_EQ(names("?label=zone%3Db"), "");
  EXPECT_EQ(call("GET", "/v1/agents?health=fine").status, 400);
  EXPECT_THAT(call("GET", "/v1/agents/scuot").body, HasSubstr("did you mean \\\"scout\\\"?"));
  const auto made = call("POST", "/v1/agents",
                         R"({"name":"outside","endpoint":"http://x","capabilities":["far"],
                             "labels":{"zone":"a"},"lease":"45s"})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(text_at(json(made), "/name"), "outside");
  const auto wrong =
      call("POST", "/v1/agents", R"({"name":"outside","endpoint":"not a url \u001b[31m"})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(text_at(json(wrong), "/detail"),
              HasSubstr("endpoint: expected a URL such as http://10.0.0.5:8000, or HOST:PORT, or "
                        "unix:/PATH, got \"not a url \\x1b[31m\""));
  EXPECT_EQ(std::get<model::RegisterAgent>(backend.commands.back()).lease,
            std::chrono::seconds(45));
  EXPECT_EQ(call("POST", "/v1/agents/outside:renew", R"({"lease":"60s"})").status, 200);
  EXPECT_EQ(std::get<model::RenewAgent>(backend.commands.back()).name, "outside");
  EXPECT_EQ(call("DELETE", "/v1/agents/outside").status, 200);
  EXPECT_EQ(std::get<model::DeregisterAgent>(backend.commands.back()).name, "outside");
}

TEST_F(ApiTest, EventsAreStreamedAndResumed) {
  for (int i = 0; i < 5; ++i) backend.publish({0, {}, "work.accepted", "a", R"({"n":1})"});
  backend.publish({0, {}, "agent.ready", "b", "{}"});
  const auto read = [&](const std::string& query, platform::HttpHeaders headers,
                        std::size_t count) {
    headers.emplace_back("Authorization", "Bearer " + kTestToken);
    std::vector<std::string> ids;
    platform::HttpClient other(api->address());
    const auto reply = other.events({"GET", "/v1/events" + query, headers},
                                    [&](const platform::ServerEvent& event) {
                                      ids.push_back(event.id + " " + event.kind);
                                      return ids.size() < count;
                                    });
    EXPECT_TRUE(reply) << reply.error().to_text();
    return ids;
  };
  EXPECT_EQ(read("?after=0", {}, 6).size(), 6U);
  EXPECT_THAT(read("", {{"Last-Event-ID", "4"}}, 2),
              ::testing::ElementsAre("5 work.accepted", "6 agent.ready"));
  EXPECT_THAT(read("?after=0&kinds=agent.*", {}, 1), ::testing::ElementsAre("6 agent.ready"));
  EXPECT_THAT(read("?after=0&subject=b", {}, 1), ::testing::ElementsAre("6 agent.ready"));
  EXPECT_EQ(call("GET", "/v1/events?after=x").status, 400);
}

TEST_F(ApiTest, AStreamThatTheBackendEndsSaysWhy) {
  auto stream = std::async(std::launch::async, [&] {
    platform::HttpClient other(api->address());
    std::vector<platform::ServerEvent> seen;
    const auto reply = other.events(
        {"GET", "/v1/events?kinds=agent.*", {{"Authorization", "Bearer " + kTestToken}}},
        [&](const platform::ServerEvent& event) {
          seen.push_back(event);
          return true;
        });
    EXPECT_TRUE(reply);
    return seen;
  });
  while (backend.subscriptions < 2) std::this_thread::yield();
  backend.publish({0, {}, "agent.ready", "b", "{}"});
  backend.end_subscriptions(Error(Code::overloaded, "fell behind"));
  const auto seen = stream.get();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen.back().kind, "end");
  EXPECT_THAT(seen.back().data, HasSubstr("fell behind"));
}

TEST_F(ApiTest, LogsAreTailedAndFollowed) {
  const auto lines = json(call("GET", "/v1/logs?component=adapter&level=WARNING&lines=7"));
  EXPECT_EQ(text_at(lines, "/lines/1/message"), "two");
  EXPECT_EQ(backend.last_log_query.component, "adapter");
  EXPECT_EQ(backend.last_log_query.least, model::LogLevel::WARNING);
  EXPECT_EQ(backend.last_log_query.lines, 7);
  std::string followed;
  platform::HttpClient other(api->address());
  ASSERT_TRUE(
      other.events({"GET", "/v1/logs?follow=true", {{"Authorization", "Bearer " + kTestToken}}},
                   [&](const platform::ServerEvent& event) {
                     followed = event.data;
                     return false;
                   }));
  EXPECT_EQ(followed, R"({"message":"followed"})");
  EXPECT_EQ(call("GET", "/v1/logs?level=LOUD").status, 400);
}

// RUN-8: files are not only written by us.
TEST_F(ApiTest, ALogLineThatIsNoObjectIsAString) {
  backend.log_lines = {R"({"message":"one"})", R"(garbage {"x)", R"({"a":1,"a":2})", "7",
                       "\xff\x1b[2J"};
  const auto lines = json(call("GET", "/v1/logs"));
  EXPECT_EQ(text_at(lines, "/lines/0/message"), "one");
  EXPECT_EQ(text_at(lines, "/lines/1"), R"(garbage {"x)");
  EXPECT_EQ(text_at(lines, "/lines/2"), R"({"a":1,"a":2})");
  EXPECT_EQ(text_at(lines, "/lines/3"), "7");
  EXPECT_EQ(text_at(lines, "/lines/4"), "\xef\xbf\xbd\x1b[2J");
  std::vector<std::string> followed;
  platform::HttpClient other(api->address());
  ASSERT_TRUE(
      other.events({"GET", "/v1/logs?follow=true", {{"Authorization", "Bearer " + kTestToken}}},
                   [&](const platform::ServerEvent& event) {
                     followed.push_back(event.data);
                     return followed.size() < 2;
                   }));
  EXPECT_EQ(followed.back(), R"("half {\"a lin")");
}

TEST_F(ApiTest, ReadinessTellsWhy) {
  EXPECT_EQ(raw("GET", "/healthz").status, 200);
  EXPECT_EQ(raw("GET", "/readyz").status, 200);
  auto fleet = std::make_shared<FleetSnapshot>(*backend.snapshot);
  fleet->storage_writable = false;
  fleet->storage_reason = "disk full";
  backend.snapshot = fleet;
  const auto not_ready = raw("GET", "/readyz");
  EXPECT_EQ(not_ready.status, 503);
  EXPECT_THAT(not_ready.body, HasSubstr("disk full"));
  EXPECT_EQ(raw("GET", "/healthz").status, 200);
}

TEST_F(ApiTest, MetricsCountAnswers) {
  call("GET", "/v1/work/x");
  api->add_metrics([](std::string& out) { out += "mine 1\n"; });
  const auto metrics = call("GET", "/metrics");
  EXPECT_THAT(*metrics.header("content-type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body,
              HasSubstr("mainstay_http_answers_total{operation=\"get_work\",class=\"4xx\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("mine 1\n"));
}

TEST_F(ApiTest, DownStopsTheFleetThenTheDaemon) {
  EXPECT_EQ(call("POST", "/v1/fleet:down").status, 200);
  EXPECT_TRUE(std::holds_alternative<model::StopFleet>(backend.commands.back()));
  // The answer goes out first.
  const Mono until = platform::mono_now() + std::chrono::seconds(60);
  while (backend.shut_downs == 0 && platform::mono_now() < until) std::this_thread::yield();
  EXPECT_EQ(backend.shut_downs, 1);
}

class DebugApiTest : public ApiTest {
 protected:
  DebugApiTest() { debug = true; }
};

Error refused_because() {
  return Error(Code::storage_failed, "cannot commit")
      .caused_by(Error(Code::io_failed, "write: I/O error").with("path", "/data/mainstay.db"));
}

TEST_F(ApiTest, CausesStayInsideUnlessDebugIsOn) {
  backend.refuse_commands = refused_because();
  const auto problem = json(call("POST", "/v1/runs", R"({"pipeline":"p"})"));
  EXPECT_EQ(text_at(problem, "/detail"), "cannot commit");
  EXPECT_EQ(platform::at_pointer(problem, "/causes"), nullptr);
}

TEST_F(DebugApiTest, ProblemsTellTheirCausesWithFields) {
  backend.refuse_commands = refused_because();
  const auto problem = json(call("POST", "/v1/runs", R"({"pipeline":"p"})"));
  EXPECT_EQ(text_at(problem, "/causes/0/code"), "io_failed");
  EXPECT_EQ(text_at(problem, "/causes/0/detail"), "write: I/O error");
  EXPECT_EQ(text_at(problem, "/causes/0/fields/path"), "/data/mainstay.db");
}

}  // namespace
}  // namespace mainstay::api
