// `mainstay config …`: what it prints and the exit codes, over real files.
#include "app/cli/commands/config_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "platform/files/test_dir.h"
#include "platform/json/json.h"

namespace mainstay::app {
namespace {

using testing::HasSubstr;

class ConfigCommands : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) {
    std::ofstream(dir_ / name, std::ios::binary) << text;
  }
  ProjectConfig load(const std::vector<std::string>& sets = {}) {
    return load_project_config(Project{dir_.path()}, sets);
  }

  platform::TestDir dir_;
};

TEST_F(ConfigCommands, CheckSaysOkOrEverythingThatIsWrong) {
  EXPECT_EQ(answer_check(load(), OutputForm::table).exit_code, 0);
  write("fleet.yaml", "agents: {a: {command: [sh, -c, x], replicas: 3}}\n");
  const ConfigAnswer good = answer_check(load(), OutputForm::table);
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(good.out, "ok: environment development, 3 agents, 0 pipelines\n");

  write("mainstay.yaml", "work: {timeout: ten}\n");
  write("fleet.yaml", "agents: {a: {command: [no-such-program-here]}}\n");
  const ConfigAnswer bad = answer_check(load(), OutputForm::table);
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.out, HasSubstr("mainstay.yaml:1:17: work.timeout: expected a duration"));
  EXPECT_THAT(bad.out, HasSubstr("fleet.yaml:1:24: agents.a.command: there is no program"));
  const auto json = platform::parse_json(answer_check(load(), OutputForm::json).out);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->at("error_count"), 2);
  EXPECT_EQ(json->at("sections").at("work").at(0).at("column"), 17);
  EXPECT_EQ(json->at("sections").at("agents").at(0).at("file"), "fleet.yaml");
}

TEST_F(ConfigCommands, ProgramsAreFoundInTheProjectFolder) {
  ASSERT_EQ(::mkdir((dir_ / "agents").c_str(), 0700), 0);
  write("agents/run.sh", "#!/bin/sh\n");
  write("fleet.yaml", "agents: {a: {command: [agents/run.sh]}}\n");
  EXPECT_THAT(answer_check(load(), OutputForm::table).out, HasSubstr("not executable"));
  ASSERT_EQ(::chmod((dir_ / "agents/run.sh").c_str(), 0700), 0);
  const ProjectConfig config = load();
  ASSERT_TRUE(config.fleet) << config.problems.to_text();
  EXPECT_EQ(config.fleet->agents[0]->command[0], dir_ / "agents/run.sh");
}

TEST_F(ConfigCommands, GetShowAndWhyTellWhereValuesComeFrom) {
  write("mainstay.yaml", "work:\n  timeout: 1m\n");
  const ProjectConfig config = load({"work.timeout=90s"});
  EXPECT_EQ(answer_get(config, "work.timeout", OutputForm::table).out, "1m30s\n");
  const auto json = platform::parse_json(answer_get(config, "work.timeout", OutputForm::json).out);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->at("value"), "1m30s");
  EXPECT_EQ(json->at("origin"), "--set");
  EXPECT_THAT(answer_show(config, true, OutputForm::table).out,
              HasSubstr("built-in default of development"));
  EXPECT_THAT(answer_show(config, false, OutputForm::table).out, testing::Not(HasSubstr("ORIGIN")));
  EXPECT_THAT(answer_why(config, "work.timeout", OutputForm::table).out,
              testing::StartsWith("work.timeout: 1m30s\n"
                                  "  from --set: 1m30s\n"
                                  "  over mainstay.yaml:2:12: 1m\n"
                                  "  over built-in default: 10m\n"));
}

TEST_F(ConfigCommands, UnknownSettingsAreSuggested) {
  const ProjectConfig config = load();
  const ConfigAnswer answer = answer_get(config, "work.timout", OutputForm::table);
  EXPECT_EQ(answer.exit_code, 4);
  EXPECT_THAT(answer.err, HasSubstr("did you mean \"work.timeout\"?"));
  EXPECT_THAT(answer_why(config, "nats.url", OutputForm::table).err, HasSubstr("not_supported"));
}

TEST_F(ConfigCommands, AWrongFileChangesTheExitCodeButTheValueIsTold) {
  write("mainstay.yaml", "log: {level: LOUD}\nwork: {timeout: 3s}\n");
  const ConfigAnswer answer = answer_get(load(), "work.timeout", OutputForm::table);
  EXPECT_EQ(answer.out, "3s\n");
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_THAT(answer.err, HasSubstr("log.level: expected one of"));
}

}  // namespace
}  // namespace mainstay::app
