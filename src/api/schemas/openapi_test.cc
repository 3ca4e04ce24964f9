// The OpenAPI document, the routes and the real answers agree; every route keeps its permission.
#include <map>
#include <set>
#include <string>

#include "api/routes/routes.h"
#include "api/schemas/schema_check.h"
#include "api/test_server.h"

namespace mainstay::api {
namespace {

using platform::Json;
using ::testing::IsEmpty;

std::string concrete(std::string_view path) {
  std::string out(path);
  const std::size_t open = out.find('{');
  if (open != std::string::npos) {
    out.replace(open, out.find('}') - open + 1, "0192f3c8-7b1a-7cc3-98c4-dc0c0c07398f");
  }
  return out;
}

void collect_refs(const Json& value, std::set<std::string>& refs) {
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      if (member.key() == "$ref") refs.emplace(member.value().get_string().c_str());
      collect_refs(member.value(), refs);
    }
  } else if (const auto* array = value.if_array()) {
    for (const Json& element : *array) collect_refs(element, refs);
  }
}

TEST_F(ApiTest, OpenApiListsEveryRouteAndNoOther) {
  const Json document = json(call("GET", "/openapi.json"));
  EXPECT_EQ(text_at(document, "/openapi"), "3.1.0");
  std::set<std::string> documented;
  for (const auto& path : document.at("paths").get_object()) {
    for (const auto& method : path.value().get_object()) {
      documented.insert(std::string(method.key()) + " " + std::string(path.key()));
      EXPECT_TRUE(method.value().get_object().contains("summary"));
    }
  }
  std::set<std::string> served;
  std::set<std::string_view> operations;
  for (const Route& route : all_routes()) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    served.insert(method + " " + std::string(route.path));
    EXPECT_TRUE(operations.insert(route.operation).second) << route.operation;
    EXPECT_NE(route.handler, nullptr);
  }
  EXPECT_EQ(documented, served);
  std::set<std::string> refs;
  collect_refs(document, refs);
  EXPECT_GT(refs.size(), 20U);
  for (const std::string& ref : refs) {
    EXPECT_NE(platform::at_pointer(document, ref.substr(1)), nullptr) << ref;
  }
}

TEST_F(ApiTest, J1EveryRouteButHealthNeedsTheToken) {
  for (const Route& route : all_routes()) {
    const std::string method(route.method);
    const std::string path = concrete(route.path);
    const bool open = route.path == "/healthz" || route.path == "/readyz";
    EXPECT_EQ(route.permission == Permission::anyone, open) << route.path;
    if (open) {
      EXPECT_EQ(raw(method, path).status, 200);
      continue;
    }
    for (const platform::HttpHeaders& headers : {platform::HttpHeaders{},
                                                 {{"Authorization", "Bearer wrong"}},
                                                 {{"Authorization", kTestToken}},
                                                 {{"Authorization", "Basic " + kTestToken}}}) {
      const auto refused = raw(method, path, "", headers);
      EXPECT_EQ(refused.status, 401) << method << " " << path;
      EXPECT_EQ(text_at(json(refused), "/code"), "unauthenticated");
      EXPECT_EQ(refused.header("www-authenticate"), "Bearer");
    }
  }
  EXPECT_EQ(raw("GET", "/nothing").status, 401);  // strangers do not learn which routes there are
  EXPECT_TRUE(backend.commands.empty());
}

TEST_F(ApiTest, J3HostsAndOriginsOfOthersAreRefusedBeforeTheToken) {
  const auto status = [&](const platform::HttpHeaders& headers) {
    return call("GET", "/v1/version", "", headers).status;
  };
  for (const char* host :
       {"localhost", "LOCALHOST:7000", "127.0.0.1:1", "[::1]:7000", "[::1]", "box.example:80"}) {
    EXPECT_EQ(status({{"Host", host}}), 200) << host;
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "evil.example:7000", "", "localhost:x",
        "localhost:", "127.0.0.1.evil", "localhost@evil", "[::1].evil", "localhost."}) {
    EXPECT_EQ(status({{"Host", host}}), 403) << host;
    EXPECT_EQ(raw("GET", "/healthz", "", {{"Host", host}}).status, 403) << host;
  }
  EXPECT_EQ(status({{"Host", "localhost:7000"}, {"Origin", "http://localhost:7000"}}), 200);
  for (const char* origin : {"http://evil.example", "null", "http://localhost:3000", "",
                             "http://localhost:7000.evil", "file://"}) {
    const auto refused =
        call("GET", "/v1/version", "", {{"Host", "localhost:7000"}, {"Origin", origin}});
    EXPECT_EQ(refused.status, 403) << origin;
    EXPECT_EQ(refused.header("access-control-allow-origin"), std::nullopt);
  }
}

TEST_F(ApiTest, UnknownRoutesAndMethodsAreTold) {
  EXPECT_EQ(call("GET", "/v2/work").status, 404);
  EXPECT_EQ(call("GET", "/v1/work/").status, 404);
  EXPECT_EQ(call("GET", "/v1/work/a/b/c").status, 404);
  EXPECT_EQ(call("POST", "/v1/work/a:nonsense").status, 404);
  const auto wrong = call("PUT", "/v1/work");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "POST, GET, HEAD");
  EXPECT_EQ(call("HEAD", "/v1/version").status, 200);
  EXPECT_EQ(call("GET", "/v1/agents/%zz").status, 400);
}

/// Statuses that the document has for answers of a schema.
std::map<std::string, std::set<int>> documented_statuses(const Json& document) {
  const std::string kSchemas = "#/components/schemas/";
  std::map<std::string, std::set<int>> statuses;
  for (const auto& path : document.at("paths").get_object()) {
    for (const auto& method : path.value().get_object()) {
      for (const auto& answer : method.value().at("responses").get_object()) {
        std::set<std::string> refs;
        collect_refs(answer.value(), refs);
        for (const std::string& ref : refs) {
          const std::string status(answer.key());
          if (status != "default") statuses[ref.substr(kSchemas.size())].insert(std::stoi(status));
        }
      }
    }
  }
  return statuses;
}

std::shared_ptr<const FleetSnapshot> with_an_agent_and_a_pipeline(const FleetSnapshot& snapshot) {
  auto fleet = std::make_shared<FleetSnapshot>(snapshot);
  model::AgentStatus agent;
  agent.name = "scout";
  agent.process = model::ProcessIdentity{1, 2, "b"};
  agent.last_exit = model::ExitStatus{std::nullopt, 9, false, true};
  fleet->agents = {agent};
  auto pipeline = std::make_shared<model::PipelineSpec>();
  pipeline->name = "p";
  pipeline->stages.push_back({});
  fleet->pipelines = {pipeline};
  return fleet;
}

TEST_F(ApiTest, AnswersAreWhatTheirSchemasSay) {
  model::WorkSpec spec;
  spec.description = "d\xff";
  spec.capability = "c";
  spec.step = model::StepRef{{}, "p", "s", 3};
  spec.deadline = platform::wall_now();
  spec.timeout = std::chrono::seconds(90);
  WorkView& work = backend.add_work(spec);
  work.status.state = model::WorkState::failed;
  work.status.error = model::WorkError{model::FailureKind::timeout, "x", "y", true, "not json"};
  const std::string work_id = work.spec->id.to_text();
  const std::string run_id = text_at(json(call("POST", "/v1/runs", R"({"pipeline":"p"})")), "/id");
  backend.snapshot = with_an_agent_and_a_pipeline(*backend.snapshot);

  const Json document = json(call("GET", "/openapi.json"));
  const SchemaCheck schemas(document);
  const auto documented = documented_statuses(document);
  std::set<std::string> checked;
  std::map<std::string, std::set<int>> seen;
  const auto check = [&](const platform::HttpReply& reply, const char* schema) {
    if (reply.status < 300) seen[schema].insert(reply.status);
    EXPECT_THAT(schemas.check(json(reply), schema), IsEmpty()) << schema << " " << reply.body;
    checked.insert(schema);
  };
  check(raw("GET", "/healthz"), "health");
  check(call("GET", "/v1/version"), "version");
  check(call("POST", "/v1/work", kItem), "work_accepted");
  backend.known_work["k"] = {*model::WorkId::from_text(work_id), "", model::WorkState::failed};
  check(call("POST", "/v1/work", kItem, {{"Idempotency-Key", "k"}}), "work_accepted");
  check(call("POST", "/v1/work:batch", R"({"work":[{"description":"a","capability":"b"}]})"),
        "work_batch_answer");
  check(call("GET", "/v1/work"), "work_list");
  check(call("GET", "/v1/work/" + work_id), "work");
  check(call("GET", "/v1/work/" + work_id + "/attempts"), "attempt_list");
  check(call("POST", "/v1/work/" + work_id + ":cancel"), "done");
  check(call("POST", "/v1/runs", R"({"pipeline":"p"})"), "run_accepted");
  backend.known_runs["k"] = {backend.runs[0].spec->id, ""};
  check(call("POST", "/v1/runs", R"({"pipeline":"p"})", {{"Idempotency-Key", "k"}}),
        "run_accepted");
  check(call("GET", "/v1/runs"), "run_list");
  check(call("GET", "/v1/runs/" + run_id), "run");
  check(call("GET", "/v1/agents"), "agent_list");
  check(call("GET", "/v1/agents/scout"), "agent");
  check(call("POST", "/v1/agents", R"({"name":"far","endpoint":"http://x:1"})"), "agent");
  check(call("GET", "/v1/fleet"), "fleet");
  check(call("GET", "/v1/pipelines"), "pipeline_list");
  backend.log_lines.push_back("not ours");
  check(call("GET", "/v1/logs"), "log_lines");
  check(call("GET", "/v1/work/none"), "problem");
  backend.publish({0, {}, "agent.ready", "scout", R"({"a":1})"});
  platform::HttpClient other(api->address());
  ASSERT_TRUE(other.events(
      {"GET", "/v1/events?after=0", {{"Authorization", "Bearer " + kTestToken}}},
      [&](const platform::ServerEvent& event) {
        EXPECT_THAT(schemas.check(*platform::parse_json(event.data), "event"), IsEmpty());
        checked.insert("event");
        seen["event"].insert(200);
        return false;
      }));
  for (const Route& route : all_routes()) {
    if (route.response_schema.empty()) continue;
    EXPECT_TRUE(checked.contains(std::string(route.response_schema))) << route.operation;
  }
  EXPECT_EQ(seen, documented) << "real statuses and those of the document";
  EXPECT_THAT(schemas.check(*platform::parse_json(R"({"id":1})"), "run_accepted").size(), 2U);
}

}  // namespace
}  // namespace mainstay::api
