// fleet.yaml: what is read from it, and what is refused with its place (FLT-1, WRK-8, CFG-4).
#include "fleet/manifest/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace mainstay::fleet {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kCodeReview = R"(# the fleet of design.md
fleet: code-review
agents:
  scout:
    command: [python3, agents/scout.py]
    capabilities: [repo.scan, report.write]
  analyst:
    command: [python3, agents/analyst.py]
    replicas: 4
    capabilities: [file.analyse]
    depends_on: [scout]
    restart: {policy: on_failure, backoff_min: 200ms, backoff_max: 10s, max_restarts: 5, window: 1m}
    health: {start_grace: 20s, stall_after: 30s}
    env: {DEPTH: 3, VERBOSE: no, MODE: "true"}
    pass_env: [OPENAI_API_KEY]
    labels: {team: core}
  cppcheck:
    kind: exec                      # a plain command per item: JSON on stdin, JSON on stdout
    command: [agents/cppcheck.sh, --fast]
    capabilities: [file.lint]
    concurrency: 2
pipelines:
  review:
    version: 3
    description: Finds the hotspots.
    budget: {time: 10m}
    stages:
      scan:    {capability: repo.scan, input: {path: "run#/input/path"}, timeout: 30s}
      analyse: {capability: file.analyse, needs: [scan], foreach: "scan#/files", max_parallel: 8,
                timeout: 10s, retries: 4}
      lint:    {capability: file.lint, needs: [scan], foreach: "scan#/cpp_files", critical: false,
                when: {not_empty: "scan#/cpp_files"}}
      report:
        capability: report.write
        needs: [analyse, lint]
        priority: 7
        when: {not_equals: ["run#/input/mode", "dry"]}
        input: {files: "scan#/files", all: ["analyse#", "lint#/0"], note: "C# and a#b",
                raw: {$literal: "scan#/x"}, n: 012}
)";

std::string errors_of(std::string_view text) {
  config::Problems problems;
  const auto fleet = read_manifest({.text = text}, problems);
  EXPECT_EQ(fleet.has_value(), problems.ok());
  return problems.to_text();
}

/// The errors of one agent's fields, given as an inline map.
std::string agent_errors(const std::string& fields) {
  return errors_of("agents:\n  a: {command: [x], " + fields + "}\n");
}

std::string pipeline_errors(const std::string& stages) {
  return errors_of(
      "agents: {a: {command: [x], capabilities: [c.one, c.two]}}\n"
      "pipelines:\n  p:\n    stages:\n" +
      stages);
}

TEST(Manifest, ReadsAWholeFleet) {
  config::Problems problems;
  const auto fleet = read_manifest({.text = kCodeReview, .project_dir = "/srv/p"}, problems);
  ASSERT_TRUE(fleet) << problems.to_text();
  EXPECT_EQ(fleet->name, "code-review");
  ASSERT_EQ(fleet->agents.size(), 3U);
  const model::AgentSpec& analyst = *fleet->agents[1];
  EXPECT_EQ(analyst.name, "analyst");
  EXPECT_EQ(analyst.kind, model::AgentKind::link);
  EXPECT_THAT(analyst.command, ElementsAre("python3", "agents/analyst.py"));
  EXPECT_EQ(analyst.replicas, 4);
  EXPECT_THAT(analyst.depends_on, ElementsAre("scout"));
  EXPECT_EQ(analyst.restart.backoff_max, seconds(10));
  EXPECT_EQ(analyst.restart.max_restarts, 5);
  EXPECT_EQ(analyst.health.stall_after, seconds(30));
  EXPECT_EQ(analyst.environment.at("VERBOSE"), "no");
  EXPECT_EQ(analyst.environment.at("DEPTH"), "3");
  EXPECT_THAT(analyst.pass_environment, ElementsAre("OPENAI_API_KEY"));
  EXPECT_EQ(analyst.labels.at("team"), "core");
  const model::AgentSpec& cppcheck = *fleet->agents[2];
  EXPECT_EQ(cppcheck.kind, model::AgentKind::exec);
  EXPECT_THAT(cppcheck.command, ElementsAre("/srv/p/agents/cppcheck.sh", "--fast"));
  EXPECT_EQ(cppcheck.concurrency, 2);
}

TEST(Manifest, ReadsPipelines) {
  const auto fleet = parse_manifest(kCodeReview);
  ASSERT_TRUE(fleet) << fleet.error().to_text();
  const model::PipelineSpec& review = *fleet->pipelines.at(0);
  EXPECT_EQ(review.version, 3);
  EXPECT_EQ(review.timeout, minutes(10));
  ASSERT_EQ(review.stages.size(), 4U);
  EXPECT_EQ(review.stages[0].input_json, R"({"path":"run#/input/path"})");
  EXPECT_EQ(review.stages[0].timeout, seconds(30));
  EXPECT_EQ(review.stages[1].foreach_reference, "scan#/files");
  EXPECT_EQ(review.stages[1].max_parallel, 8);
  EXPECT_EQ(review.stages[1].retries, 4);
  EXPECT_TRUE(review.stages[1].input_json.empty());
  EXPECT_FALSE(review.stages[2].critical);
  EXPECT_EQ(review.stages[2].when->kind, model::ConditionKind::not_empty);
  EXPECT_EQ(review.stages[3].when->value_json, "\"dry\"");
  EXPECT_EQ(review.stages[3].priority, 7);
  EXPECT_THAT(review.stages[3].input_json, HasSubstr("\"n\":12"));
}

TEST(Manifest, AnEmptyFleetIsAFleet) {
  for (const char* text : {"", "fleet: x\n", "agents:\n", "agents: {}\npipelines: {}\n"}) {
    const auto fleet = parse_manifest(text);
    ASSERT_TRUE(fleet) << fleet.error().to_text();
    EXPECT_TRUE(fleet->agents.empty());
  }
}

TEST(Manifest, TheExampleOfTheDesign) {
  std::string text(kCodeReview);
  text.replace(text.rfind("capability: file.lint"), 21, "capability: file.lnit");
  EXPECT_EQ(errors_of(text),
            "fleet.yaml:31:29: pipelines.review.stages.lint.capability: no agent offers "
            "\"file.lnit\"; did you mean \"file.lint\"?\n");
}

TEST(Manifest, AllErrorsAtOnce) {
  EXPECT_EQ(errors_of("fleet: Big Fleet\n"
                      "agents:\n"
                      "  scout:\n"
                      "    comand: [python3, a.py]\n"
                      "    replicas: 0\n"
                      "    limits: {memory: 512MiB}\n"
                      "    health: {http: /x}\n"
                      "  scout: {command: [x]}\n"
                      "  B: 7\n"
                      "gpu: {}\n"
                      "pipelins: {}\n"),
            "fleet.yaml:1:8: fleet: expected a name of 1 to 63 of a-z, 0-9, '_', '-' and '.', with "
            "a letter or digit at both ends, got \"Big Fleet\"\n"
            "fleet.yaml:3:3: agents.scout.command: expected a list of words such as [python3, "
            "a.py], got nothing\n"
            "fleet.yaml:4:5: agents.scout.comand: there is no such field; expected kind, command, "
            "working_dir, env, pass_env, requires_env, labels, replicas, capabilities, depends_on, "
            "concurrency, restart, health, stop_grace; did you mean \"command\"?\n"
            "fleet.yaml:5:15: agents.scout.replicas: expected a whole number from 1 to 500, got "
            "the number 0\n"
            "fleet.yaml:6:5: agents.scout.limits: not served by this version (not_supported): "
            "limits on memory, processor and processes; take it out, it would have no effect\n"
            "fleet.yaml:7:14: agents.scout.health.http: not served by this version "
            "(not_supported): active health checks; take it out, it would have no effect\n"
            "fleet.yaml:8:3: expected each key once, got \"scout\" again (first in line 3)\n"
            "fleet.yaml:9:3: agents.B: expected a name of 1 to 63 of a-z, 0-9, '_', '-' and '.', "
            "with a letter or digit at both ends, got \"B\"\n"
            "fleet.yaml:9:6: agents.B: expected a map, got the number 7\n"
            "fleet.yaml:10:1: gpu: not served by this version (not_supported): GPUs; take it out, "
            "it would have no effect\n"
            "fleet.yaml:11:1: pipelins: there is no such field; expected fleet, agents, pipelines; "
            "did you mean \"pipelines\"?\n");
}

TEST(Manifest, RefusesWrongAgentFields) {
  EXPECT_EQ(agent_errors("stop_grace: 0"), "");
  EXPECT_THAT(errors_of("agents: {a: {command: python3 a.py}}"),
              HasSubstr("fleet.yaml:1:23: agents.a.command: expected a list of words such as "
                        "[python3, agent.py], got \"python3 a.py\""));
  EXPECT_THAT(errors_of("agents: {a: {command: []}}"), HasSubstr("expected a list of words"));
  EXPECT_THAT(errors_of("agents: {a: {command: []}}"), HasSubstr("got an empty list"));
  EXPECT_THAT(errors_of("agents: {a: {command: [\"\", b]}}"),
              HasSubstr("fleet.yaml:1:24: agents.a.command: expected the program in the first "
                        "place, got \"\""));
  EXPECT_EQ(agent_errors("env: {LONG: " + std::string(130'048, 'x') + "}"), "");
  EXPECT_THAT(agent_errors("env: {LONG: " + std::string(130'049, 'x') + "}"),
              HasSubstr("fleet.yaml:2:33: agents.a.env.LONG: expected at most 130048 bytes"));
  EXPECT_THAT(errors_of("agents: {a: {command: [x, [y]]}}"), HasSubstr("got a list"));
  EXPECT_THAT(errors_of("agents: {a: }"), HasSubstr("expected a map, got nothing"));
  EXPECT_THAT(agent_errors("replicas: 501"), HasSubstr("from 1 to 500, got the number 501"));
  EXPECT_THAT(agent_errors("replicas: two"), HasSubstr("got \"two\""));
  EXPECT_THAT(agent_errors("replicas: 1.0"), HasSubstr("got the number 1.0"));
  EXPECT_THAT(agent_errors("kind: exce, capabilities: [c]"),
              HasSubstr("expected one of link, exec, got \"exce\"; did you mean "
                        "\"exec\"?"));
  EXPECT_EQ(
      errors_of("agents:\n  a: {kind: external, endpoint: \"http://a\"}\n"),
      "fleet.yaml:2:13: agents.a.kind: expected link or exec, got \"external\"; external agents "
      "register over the API (`mainstay agents register`)\n")
      << "and nothing about a command";
  EXPECT_THAT(agent_errors("kind: http, endpoint: \"http://a\""), HasSubstr("by a later version"));
  EXPECT_THAT(errors_of("agents: {a: {kind: http, capabilities: [c]}}\n"
                        "pipelines: {p: {stages: {s: {capability: c}}}}\n"),
              testing::Not(HasSubstr("no agent offers")));
  EXPECT_THAT(agent_errors("kind: exec"), HasSubstr("expected at least one for kind exec"));
  EXPECT_THAT(agent_errors("kind: exec, capabilities: [c], restart: {policy: always}"),
              HasSubstr("has no meaning for kind exec"));
  EXPECT_THAT(agent_errors("capabilities: [c, c]"), HasSubstr("expected each name once"));
  EXPECT_THAT(agent_errors("capabilities: [C]"), HasSubstr("expected a name of 1 to 63"));
  EXPECT_THAT(agent_errors("capabilities: c"), HasSubstr("expected a list of names, got \"c\""));
  EXPECT_THAT(agent_errors("env: {A: [1]}"),
              HasSubstr("agents.a.env.A: expected text, got a list"));
  EXPECT_THAT(agent_errors("env: {A: }"), HasSubstr("expected text, got nothing"));
  EXPECT_THAT(agent_errors("env: {MAINSTAY_TOKEN: x}"), HasSubstr("set by Mainstay itself"));
  EXPECT_THAT(agent_errors("env: {\"A=B\": x}"), HasSubstr("expected the name of a variable"));
  EXPECT_THAT(agent_errors("pass_env: [1A]"), HasSubstr("expected the name of a variable"));
  EXPECT_THAT(agent_errors("pass_env: A"), HasSubstr("expected a list of variables"));
  EXPECT_THAT(agent_errors("restart: {policy: on-failure}"),
              HasSubstr("did you mean \"on_failure\"?"));
  EXPECT_THAT(
      agent_errors("restart: {backoff_min: 20s}"),
      HasSubstr("fleet.yaml:2:44: agents.a.restart.backoff_min: expected at most backoff_max "
                "(10s, its default), got 20s"));
  EXPECT_THAT(agent_errors("restart: {backoff_max: 1ms}"),
              HasSubstr("restart.backoff_max: expected at least backoff_min (200ms, its default), "
                        "got 1ms"));
  EXPECT_THAT(agent_errors("restart: {backoff_min: 20s, backoff_max: 15s}"),
              HasSubstr("restart.backoff_max: expected at least backoff_min (20s), got 15s"));
  EXPECT_EQ(agent_errors("restart: {backoff_min: 20s, backoff_max: ten}"),
            "fleet.yaml:2:62: agents.a.restart.backoff_max: expected a duration such as 10s, from "
            "1ms to 1d, got \"ten\"\n");
  EXPECT_THAT(agent_errors("restart: {backoff_min: 5}"), HasSubstr("got the number 5"));
  EXPECT_THAT(agent_errors("restart: [1]"), HasSubstr("expected a map, got a list"));
  EXPECT_THAT(agent_errors("health: {start_grace: 0}"), HasSubstr("from 100ms to 1h"));
  EXPECT_THAT(agent_errors("working_dir: 3"), HasSubstr("expected text, got the number 3"));
}

TEST(Manifest, RefusesAgentsOfOneName) {
  EXPECT_THAT(errors_of("agents:\n  a: {command: [x], replicas: 2}\n  a-1: {command: [x]}\n"),
              HasSubstr("fleet.yaml:3:3: agents.a-1: expected agents of different names, got "
                        "\"a-1\" from both a and a-1"));
  EXPECT_THAT(errors_of("agents:\n  " + std::string(60, 'a') + ": {command: [x], replicas: 200}\n"),
              HasSubstr("expected a shorter name"));
  std::string many = "agents:\n";
  for (int i = 0; i < 5; ++i)
    many += "  a" + std::to_string(i) + ": {command: [x], replicas: 500}\n";
  EXPECT_THAT(errors_of(many), HasSubstr("expected at most 2000 agents"));
}

TEST(Manifest, RefusesUnknownDependenciesAndCycles) {
  const std::string errors = errors_of(
      "agents:\n"
      "  scout: {command: [x], depends_on: [analyst]}\n"
      "  analyst: {command: [x], depends_on: [scout, scot]}\n"
      "  loner: {command: [x], depends_on: [loner]}\n"
      "  entry: {command: [x], depends_on: [scout]}\n");
  EXPECT_EQ(errors,
            "fleet.yaml:2:38: agents.scout.depends_on: expected no cycle, got scout -> analyst -> "
            "scout\n"
            "fleet.yaml:3:47: agents.analyst.depends_on: there is no agent \"scot\"; did you mean "
            "\"scout\"?\n"
            "fleet.yaml:4:38: agents.loner.depends_on: expected no cycle, got loner -> loner\n");
}

TEST(Manifest, ChecksStages) {
  EXPECT_EQ(pipeline_errors("      s: {capability: c.one}\n"), "");
  EXPECT_THAT(
      pipeline_errors("      s: {}\n"),
      HasSubstr("fleet.yaml:5:7: pipelines.p.stages.s.capability: expected the capability"));
  EXPECT_THAT(pipeline_errors("      item: {capability: c.one}\n"),
              HasSubstr("expected another name"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, needs: [s]}\n"),
              HasSubstr("expected no cycle, got s -> s"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, needs: [u]}\n"
                              "      t: {capability: c.one, needs: [s]}\n"
                              "      u: {capability: c.one, needs: [t]}\n"),
              HasSubstr("expected no cycle, got s -> u -> t -> s"));
  EXPECT_THAT(pipeline_errors("      scan: {capability: c.one}\n"
                              "      t: {capability: c.two, needs: [scna]}\n"),
              HasSubstr("there is no stage \"scna\"; did you mean \"scan\"?"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, approval: true}\n"),
              HasSubstr("approval stages"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, max_parallel: 3}\n"),
              HasSubstr("only together with foreach"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, priority: 10}\n"),
              HasSubstr("from 0 to 9"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, critical: yes}\n"),
              HasSubstr("expected true or false, got \"yes\""));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, timeout: 0}\n"), HasSubstr("from 1ms"));
  EXPECT_THAT(pipeline_errors("      {}\n"), HasSubstr("expected a map of stages"));
  EXPECT_THAT(errors_of("pipelines: {p: {version: 1}}"),
              HasSubstr("pipelines.p.stages: expected a map of stages, got nothing"));
  EXPECT_THAT(errors_of("pipelines: {p: {budget: {tokens: 200k}}}"),
              HasSubstr("pipelines.p.budget.tokens: not served by this version"));
}

// One mistake, one error; each at the word that is wrong.
TEST(Manifest, NamesTheWrongPartOnce) {
  EXPECT_EQ(pipeline_errors("      s: {capability: c.one, foreach: [1]}\n"
                            "      t: {capability: c.one, needs: [s, x, y], when: {exists: 1}}\n"
                            "      u: {capability: c.one, when: {equals: run#}}\n"
                            "      v: {capability: c.one, needs: [s, v], backoff_min: 2m}\n"),
            "fleet.yaml:5:39: pipelines.p.stages.s.foreach: expected a reference such as "
            "scan#/files, got a list\n"
            "fleet.yaml:6:41: pipelines.p.stages.t.needs: there is no stage \"x\"\n"
            "fleet.yaml:6:44: pipelines.p.stages.t.needs: there is no stage \"y\"\n"
            "fleet.yaml:6:63: pipelines.p.stages.t.when.exists: expected a reference such as "
            "scan#/files, got the number 1\n"
            "fleet.yaml:7:45: pipelines.p.stages.u.when.equals: expected {equals: [REF, VALUE]}, "
            "got \"run#\"\n"
            "fleet.yaml:8:41: pipelines.p.stages.v.needs: expected no cycle, got v -> v\n"
            "fleet.yaml:8:58: pipelines.p.stages.v.backoff_min: expected at most backoff_max (30s, "
            "its default), got 2m\n");
  EXPECT_EQ(errors_of("agents:\n  a: {command: [~, no-such-program], replicas: !secret 2}\n"),
            "fleet.yaml:2:17: agents.a.command: expected a list of words such as [python3, "
            "agent.py], got nothing\n"
            "fleet.yaml:2:48: agents.a.replicas: expected no tag, got \"!secret\"\n");
}

TEST(Manifest, ChecksConditions) {
  const auto when = [](const std::string& text) {
    return pipeline_errors("      s: {capability: c.one, when: " + text + "}\n");
  };
  EXPECT_EQ(when("{exists: \"run#/input/x\"}"), "");
  EXPECT_EQ(when("{equals: [\"run#/input/x\", {a: [1]}]}"), "");
  EXPECT_THAT(when("{equal: [\"run#/input/x\", 1]}"), HasSubstr("did you mean \"equals\"?"));
  EXPECT_THAT(when("{equals: \"run#/input/x\"}"), HasSubstr("{equals: [REF, VALUE]}"));
  EXPECT_THAT(when("{exists: a, not_empty: b}"), HasSubstr("expected one of {exists: REF}"));
  EXPECT_THAT(when("{exists: nothing}"), HasSubstr("expected a reference such as scan#/files"));
  EXPECT_THAT(when("{exists: \"item#/x\"}"),
              HasSubstr("only in the input of a stage with foreach"));
  EXPECT_THAT(when("true"), HasSubstr("got true"));
}

TEST(Manifest, ChecksReferences) {
  const auto input = [](const std::string& text) {
    return pipeline_errors(
        "      one: {capability: c.one}\n"
        "      two: {capability: c.one, needs: [one]}\n"
        "      far: {capability: c.one}\n"
        "      s: {capability: c.one, needs: [two], input: {v: " +
        text + "}}\n");
  };
  EXPECT_EQ(input("\"one#/x\""), "");
  EXPECT_EQ(input("[\"two#\", \"run#/labels/a\", \"run#\", \"run#/id\", plain, 7]"), "");
  EXPECT_EQ(input("{$literal: \"nowhere#/x\"}"), "");
  EXPECT_EQ(input("\"C#/NET, http://h/#x\""), "");
  EXPECT_THAT(input("\"far#/x\""),
              HasSubstr("fleet.yaml:8:55: pipelines.p.stages.s.input.v: expected the output of a "
                        "stage in needs (directly or through others), got \"far#/x\""));
  EXPECT_THAT(input("{deep: [\"on#/x\"]}"), HasSubstr("input.v.deep: there is no stage \"on\""));
  EXPECT_THAT(input("\"s#\""), HasSubstr("expected the output of a stage in needs"));
  EXPECT_THAT(input("\"run#/path\""), HasSubstr("did you mean \"run#/input/path\"?"));
  EXPECT_THAT(input("\"item#/x\""), HasSubstr("only in the input of a stage with foreach"));
  EXPECT_THAT(input("{$literal: x, more: 1}"), HasSubstr("expected $literal to stand alone"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, foreach: \"item#/x\"}\n"),
              HasSubstr("only in the input"));
  EXPECT_THAT(pipeline_errors("      s: {capability: c.one, foreach: all}\n"),
              HasSubstr("expected a reference such as scan#/files, got \"all\""));
  EXPECT_EQ(pipeline_errors("      s: {capability: c.one, foreach: \"run#/input/f\", input: "
                            "{f: \"item#\", i: \"index#\"}}\n"),
            "");
}

// Left as text, a slip in a reference would only be seen in what the agent made of it.
TEST(Manifest, RefusesMistypedReferences) {
  const auto errors = [](const std::string& fields) {
    return pipeline_errors(
        "      s: {capability: c.one}\n"
        "      t: {capability: c.one, needs: [s], " +
        fields + "}\n");
  };
  const std::string help = " ('/' before each name; '~' in a name is ~0, '/' is ~1), got ";
  const std::string literal = " (for the text itself write {$literal: …})";
  EXPECT_EQ(errors("input: \"s#files\""),
            "fleet.yaml:6:49: pipelines.p.stages.t.input: expected nothing more or a JSON Pointer "
            "after \"s#\"" +
                help + "\"s#files\"" + literal + "; did you mean \"s#/files\"?\n");
  EXPECT_EQ(errors("input: {a: [1, {b: \"s#x~3\"}], c: \"run#input\", d: \"item#5\"}"),
            "fleet.yaml:6:61: pipelines.p.stages.t.input.a.b: expected nothing more or a JSON "
            "Pointer after \"s#\"" +
                help + "\"s#x~3\"" + literal +
                "; did you mean \"s#/x~03\"?\n"
                "fleet.yaml:6:75: pipelines.p.stages.t.input.c: expected nothing more or a JSON "
                "Pointer after \"run#\"" +
                help + "\"run#input\"" + literal +
                "; did you mean \"run#/input\"?\n"
                "fleet.yaml:6:91: pipelines.p.stages.t.input.d: expected nothing more or a JSON "
                "Pointer after \"item#\"" +
                help + "\"item#5\"" + literal + "; did you mean \"item#/5\"?\n");
  EXPECT_THAT(errors("input: \"t#x\""), HasSubstr("did you mean \"t#/x\"?"));
  EXPECT_THAT(errors("foreach: \"s#files\""), HasSubstr("did you mean \"s#/files\"?"));
  EXPECT_THAT(errors("when: {exists: \"s#/a~\"}"), HasSubstr("did you mean \"s#/a~0\"?"));
  EXPECT_THAT(errors("input: {$literal: \"s#x\", more: \"s#y\"}"),
              testing::AllOf(HasSubstr("expected $literal to stand alone"),
                             HasSubstr("did you mean \"s#/y\"?")));
  // Text that names nothing here stays text, and so does what $literal holds.
  EXPECT_EQ(errors("input: [\"issue#12\", \"S#x\", \"s #x\", {$literal: [\"s#x\", {a: \"s#y\"}]}]"),
            "");
}

TEST(Manifest, AsksTheMachineForProgramsAndVariables) {
  std::set<std::string> asked;
  const HostProbe probe{
      .program =
          [&](const std::string& program) {
            asked.insert(program);
            if (program == "/p/agents/plain.sh") return ProgramState::not_executable;
            return program == "python3" || program == "/p/agents/good.sh" ? ProgramState::found
                                                                          : ProgramState::missing;
          },
      .file_exists =
          [](const std::string& path) { return path == "/p/sub/a.py" || path == "/p/sub"; },
      .variable_set = [](const std::string& name) { return name == "SET"; }};
  config::Problems problems;
  const auto fleet = read_manifest(
      {.text =
           "agents:\n"
           "  a: {command: [agents/plain.sh]}\n"
           "  b: {command: [agents/good.sh], pass_env: [UNSET]}\n"
           "  c: {command: [nowhere]}\n"
           "  d: {command: [python3.99, x]}\n"
           "  e: {command: [python3, a.py]}\n"
           "  f: {command: [python3, a.py], working_dir: sub, requires_env: [SET, UNSET, OWN],\n"
           "      env: {OWN: x}}\n"
           "  g: {command: [agents/none.sh], working_dir: gone}\n",
       .project_dir = "/p",
       .probe = &probe},
      problems);
  EXPECT_FALSE(fleet);
  EXPECT_EQ(problems.to_text(),
            "fleet.yaml:2:17: agents.a.command: expected a program that can be run, got "
            "\"agents/plain.sh\", which is not executable (chmod +x)\n"
            "fleet.yaml:3:45: warning: agents.b.pass_env: UNSET is not set; the agent runs without "
            "it\n"
            "fleet.yaml:4:17: agents.c.command: there is no program \"nowhere\" on PATH\n"
            "fleet.yaml:5:17: warning: agents.d.command: \"python3.99\" is not installed; this "
            "agent will not start\n"
            "fleet.yaml:6:26: agents.e.command: there is no file \"a.py\"\n"
            "fleet.yaml:7:71: agents.f.requires_env: expected the variable UNSET to be set, got "
            "nothing\n"
            "fleet.yaml:9:17: agents.g.command: there is no program \"agents/none.sh\" in the "
            "project folder\n"
            "fleet.yaml:9:47: agents.g.working_dir: there is no folder \"gone\"\n");
  EXPECT_EQ(asked.count("/p/agents/good.sh"), 1U);
}

TEST(Manifest, BoundsItsLists) {
  std::string stages;
  for (int i = 0; i < 201; ++i) stages += "      s" + std::to_string(i) + ": {capability: c.one}\n";
  EXPECT_THAT(pipeline_errors(stages), HasSubstr("expected at most 200 stages, got 201"));
  std::string agents = "agents:\n";
  for (int i = 0; i < 501; ++i) agents += "  a" + std::to_string(i) + ": {command: [x]}\n";
  EXPECT_THAT(errors_of(agents), HasSubstr("expected at most 500 entries, got 501"));
}

}  // namespace
}  // namespace mainstay::fleet
