// Settings from their declarations, through the layers, to the reference (CFG-1 to CFG-4).
#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "config/listen_address.h"
#include "config/settings_loader.h"
#include "config/settings_reference.h"
#include "platform/files/test_dir.h"
#include "platform/json/json.h"

namespace mainstay::config {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

void write(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string errors_of(std::string_view text) {
  Settings settings;
  Problems problems;
  apply_file(text, "mainstay.yaml", Layer::file, settings, problems);
  return problems.to_text();
}

TEST(Settings, EveryDeclarationIsSound) {
  std::set<std::string> variables;
  for (const SettingDecl* decl : all_settings()) {
    SCOPED_TRACE(decl->key);
    EXPECT_FALSE(decl->doc.empty());
    EXPECT_TRUE(variables.insert(environment_name(decl->key)).second);
    EXPECT_EQ(find_unserved(unserved_settings(), decl->key), nullptr);
    for (std::size_t i = 0; i < kEnvironments; ++i) {
      const auto environment = static_cast<Environment>(i);
      const Settings settings(environment);
      const SettingValue& value = settings.effective(*decl).value;
      Problems problems;
      const auto node = read_yaml(value_to_text(*decl, value), "x", problems);
      EXPECT_EQ(setting_from_yaml(*decl, *node), value) << "not written as it is read";
    }
    EXPECT_THAT(expectation(*decl), testing::StartsWith("expected "));
  }
  EXPECT_EQ(setting_keys().size(), all_settings().size());
}

TEST(Settings, EachIsReadWithItsOwnType) {
  const Settings settings;
  EXPECT_TRUE(settings.get(kDebug));
  EXPECT_EQ(settings.get(kFeatures), std::vector<std::string>{"ai_analysis"});
  EXPECT_EQ(settings.get(kLogFormat), "auto");
  EXPECT_EQ(settings.get(kHttpListen), "127.0.0.1:7000");
  EXPECT_FALSE(settings.get(kHttpAllowRemote));
  EXPECT_TRUE(settings.get(kHttpAllowedHosts).empty());
  EXPECT_EQ(settings.get(kHttpMaxBody), 16ULL << 20U);
  EXPECT_EQ(settings.get(kHttpHeaderTimeout), seconds(10));
  EXPECT_EQ(settings.get(kLinkListen), "127.0.0.1:7001");
  EXPECT_TRUE(settings.get(kWorkPhases).empty());
  EXPECT_EQ(settings.get(kWorkTimeout), minutes(10));
  EXPECT_EQ(settings.get(kWorkIdleTimeout), seconds(0));
  EXPECT_EQ(settings.get(kWorkMaxQueued), 1'000'000);
  EXPECT_EQ(settings.get(kWorkRetryMaxAttempts), 3);
  EXPECT_EQ(settings.get(kWorkRetryBackoffMin), std::chrono::milliseconds(200));
  EXPECT_EQ(settings.get(kWorkRetryBackoffMax), seconds(30));
  EXPECT_EQ(settings.get(kTelemetrySpanPrefix), "mainstay");
}

TEST(Settings, EnvironmentsHaveTheirOwnDefaults) {
  const std::vector<std::string> levels{"DEBUG", "INFO", "INFO", "WARNING"};
  for (std::size_t i = 0; i < kEnvironments; ++i) {
    const Settings settings(static_cast<Environment>(i));
    EXPECT_EQ(settings.get(kLogLevel), levels[i]);
    EXPECT_EQ(settings.get(kDebug), i == 0);
  }
  const Settings production(Environment::production);
  EXPECT_EQ(production.get(kFeatures), std::vector<std::string>{"performance_monitoring"});
  EXPECT_EQ(production.effective(kLogLevel.decl).origin.to_text(),
            "built-in default of production");
}

TEST(Settings, LaterLayersWinAndAllAreRemembered) {
  const platform::TestDir dir;
  write(dir / "mainstay.yaml", "work:\n  timeout: 1m\n  idle_timeout: 5s\nlog: {level: ERROR}\n");
  write(dir / "mainstay.staging.yaml", "work: {timeout: 2m}\n");
  write(dir / "mainstay.production.yaml", "work: {timeout: 9h}\n");
  Problems problems;
  const Settings settings = load_settings({.project_dir = dir.path(),
                                           .variables = {{"MAINSTAY_ENV", "staging"},
                                                         {"MAINSTAY_WORK_TIMEOUT", "3m"},
                                                         {"MAINSTAY_AGENT", "scout"},
                                                         {"HOME", "/nowhere"}},
                                           .flags = {"work.timeout=4m", "work.phases=a,b"}},
                                          problems);
  EXPECT_EQ(problems.to_text(), "");
  EXPECT_EQ(settings.environment(), Environment::staging);
  EXPECT_EQ(settings.get(kWorkTimeout), minutes(4));
  EXPECT_EQ(settings.get(kWorkIdleTimeout), seconds(5));
  EXPECT_EQ(settings.get(kLogLevel), "ERROR");
  EXPECT_EQ(settings.get(kWorkPhases), (std::vector<std::string>{"a", "b"}));
  std::vector<std::string> origins;
  for (const Assignment& said : settings.history(kWorkTimeout.decl)) {
    origins.push_back(said.origin.to_text() + "=" + value_to_text(kWorkTimeout.decl, said.value));
  }
  EXPECT_EQ(origins, (std::vector<std::string>{"built-in default=10m", "mainstay.yaml:2:12=1m",
                                               "mainstay.staging.yaml:1:17=2m",
                                               "MAINSTAY_WORK_TIMEOUT=3m", "--set=4m"}));
}

TEST(Settings, AllErrorsAtOnceWithTheirPlaces) {
  const platform::TestDir dir;
  write(dir / "mainstay.yaml",
        "work:\n"
        "  timeout: ten\n"
        "  retry:\n"
        "    backoff_max: 10\n"
        "    max_atempts: 3\n"
        "log:\n"
        "  level: info\n"
        "debug: yes\n"
        "gpu: {devices: 2}\n"
        "http: [1]\n");
  Problems problems;
  (void)load_settings({.project_dir = dir.path(),
                       .variables = {{"MAINSTAY_WORK_MAX_QUEUED", "0"},
                                     {"MAINSTAY_NATS_URL", "x"},
                                     {"MAINSTAY_WORK_TIMEOUTS", "1s"}},
                       .flags = {"work.timout=1s", "nonsense"}},
                      problems);
  EXPECT_EQ(problems.to_text(),
            "mainstay.yaml:2:12: work.timeout: expected a duration such as 10s, from 0 to 30d, got "
            "\"ten\"\n"
            "mainstay.yaml:4:18: work.retry.backoff_max: expected a duration such as 10s, from 1ms "
            "to 1d, got the number 10\n"
            "mainstay.yaml:5:5: work.retry.max_atempts: there is no such setting; did you mean "
            "\"work.retry.max_attempts\"?\n"
            "mainstay.yaml:7:10: log.level: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, "
            "got \"info\"; did you mean \"INFO\"?\n"
            "mainstay.yaml:8:8: debug: expected true or false, got \"yes\"\n"
            "mainstay.yaml:9:1: gpu: not served by this version (not_supported): GPUs and their "
            "memory; take it out, it would have no effect\n"
            "mainstay.yaml:10:7: http: expected a map of settings, got a list\n"
            "environment MAINSTAY_NATS_URL: nats: not served by this version (not_supported): "
            "NATS; take it out, it would have no effect\n"
            "environment MAINSTAY_WORK_MAX_QUEUED: work.max_queued: expected a whole number, from "
            "1 to 10000000, got \"0\"\n"
            "environment MAINSTAY_WORK_TIMEOUTS: warning: there is no such setting; it is ignored; "
            "did you mean MAINSTAY_WORK_TIMEOUT?\n"
            "--set: work.timout: there is no such setting; did you mean \"work.timeout\"?\n"
            "--set: expected KEY=VALUE, got \"nonsense\"\n");
}

TEST(Settings, RefusesWrongForms) {
  EXPECT_THAT(errors_of("work.timeout: 1s\n"), HasSubstr("expected nested keys"));
  EXPECT_THAT(errors_of("timeout: 1s\n"), HasSubstr("did you mean \"work.timeout\"?"));
  EXPECT_THAT(errors_of("environment: production\n"), HasSubstr("MAINSTAY_ENV"));
  EXPECT_THAT(errors_of("- a\n"), HasSubstr("mainstay.yaml:1:1: expected a map of settings"));
  EXPECT_THAT(errors_of("work: {max_queued: 1.5}\n"), HasSubstr("got the number 1.5"));
  EXPECT_THAT(errors_of("work: {max_queued: \"5\"}\n"), HasSubstr("got \"5\""));
  EXPECT_THAT(errors_of("work:\n  timeout:\n"),
              HasSubstr("mainstay.yaml:2:3: work.timeout: expected a duration such as 10s, from 0 "
                        "to 30d, got nothing"));
  EXPECT_THAT(errors_of("work: {phases: a}\n"), HasSubstr("expected a list of different names"));
  EXPECT_THAT(errors_of("http: {max_body: 1GiB}\n"), HasSubstr("from 1KiB to 64MiB"));
  EXPECT_EQ(errors_of("debug: !!bool on\nwork: {<<: {}, timeout: ten}\n"),
            "mainstay.yaml:1:8: debug: expected a value of the type its tag says "
            "(\"tag:yaml.org,2002:bool\"), got \"on\"\n"
            "mainstay.yaml:2:8: merge keys (<<) are not part of YAML 1.2: write the entries out\n"
            "mainstay.yaml:2:25: work.timeout: expected a duration such as 10s, from 0 to 30d, got "
            "\"ten\"\n");
  for (const std::string& bad : {std::string("a b"), std::string("a\\nb"), std::string(101, 'x')}) {
    EXPECT_THAT(
        errors_of("telemetry: {span_prefix: \"" + bad + "\"}\n"),
        HasSubstr("mainstay.yaml:1:26: telemetry.span_prefix: expected text without spaces, "
                  "not empty, of at most 100 bytes, got "));
  }
  EXPECT_EQ(errors_of("telemetry: {span_prefix: größe.x}\n"), "");
  EXPECT_EQ(errors_of("\"\": 1\nwork: {\"\": 2}\n"),
            "mainstay.yaml:1:1: expected the name of a setting, got \"\"\n"
            "mainstay.yaml:2:8: work: expected the name of a setting, got \"\"\n");
  EXPECT_EQ(errors_of("~: 1\n"), "mainstay.yaml:1:1: expected a plain word as key, got nothing\n");
  EXPECT_EQ(errors_of("work:\nlog: {}\n# nothing\n"), "");
  EXPECT_EQ(errors_of("http: {max_body: 65536}\nwork: {timeout: 0}\n"), "");
  for (const char* bad : {"7000", ":7000", "127.0.0.1", "127.0.0.1:65536", "example.org:80",
                          "::1:7000", "[::1]", "127.0.0.1:", "1.2.3:4", "a b:1"}) {
    EXPECT_THAT(errors_of("http: {listen: \"" + std::string(bad) + "\"}\n"),
                HasSubstr("expected an address"))
        << bad;
  }
}

TEST(Settings, AListSaysWhichOfItsNamesAreWrong) {
  const std::string name =
      "expected a name of 1 to 63 of a-z, 0-9, '_', '-' and '.', with a letter or digit at both "
      "ends, got ";
  EXPECT_EQ(errors_of("http:\n  allowed_hosts: [a.example.com, \"x:80\", 7,\n    \"*\"]\n"
                      "work: {phases: [a, b, a, [c], ]}\n"),
            "mainstay.yaml:2:34: http.allowed_hosts: " + name + "\"x:80\"\n" +
                "mainstay.yaml:2:42: http.allowed_hosts: " + name + "the number 7\n" +
                "mainstay.yaml:3:5: http.allowed_hosts: " + name + "\"*\"\n" +
                "mainstay.yaml:4:23: work.phases: expected each name once, got \"a\" again\n" +
                "mainstay.yaml:4:26: work.phases: " + name + "a list\n");
  Problems problems;
  (void)load_settings({.project_dir = "/nonexistent",
                       .variables = {{"MAINSTAY_FEATURES", "a,,B"}},
                       .flags = {"work.phases=a, a"}},
                      problems);
  EXPECT_EQ(problems.to_text(), "environment MAINSTAY_FEATURES: features: " + name + "\"\"\n" +
                                    "environment MAINSTAY_FEATURES: features: " + name +
                                    "\"B\"\n--set: work.phases: expected each name once, got "
                                    "\"a\" again\n");
}

// Nobody can correct a built-in default: of two that do not fit, the one that was said last is
// named, with its line, and the other with its value and origin.
TEST(Settings, BlamesWhatThePersonWrote) {
  const platform::TestDir dir;
  const auto check = [&](std::string_view text, std::vector<std::string> flags = {}) {
    write(dir / "mainstay.yaml", text);
    Problems problems;
    (void)load_settings({.project_dir = dir.path(), .flags = std::move(flags)}, problems);
    return problems.to_text();
  };
  EXPECT_EQ(check("work: {retry: {backoff_min: 5m}}"),
            "mainstay.yaml:1:29: work.retry.backoff_min: expected at most work.retry.backoff_max "
            "(30s, built-in default), got 5m\n");
  EXPECT_EQ(check("work: {retry: {backoff_max: 1ms}}"),
            "mainstay.yaml:1:29: work.retry.backoff_max: expected at least work.retry.backoff_min "
            "(200ms, built-in default), got 1ms\n");
  EXPECT_EQ(check("work: {retry: {backoff_max: 1s, backoff_min: 5m}}"),
            "mainstay.yaml:1:29: work.retry.backoff_max: expected at least work.retry.backoff_min "
            "(5m, mainstay.yaml:1:46), got 1s\n");
  EXPECT_EQ(check("work: {retry: {backoff_max: 1s}}", {"work.retry.backoff_min=2s"}),
            "--set: work.retry.backoff_min: expected at most work.retry.backoff_max (1s, "
            "mainstay.yaml:1:29), got 2s\n");
  EXPECT_EQ(check("http: {listen: \"127.0.0.1:7001\"}"),
            "mainstay.yaml:1:16: http.listen: expected another port than link.listen "
            "(127.0.0.1:7001, built-in default), got 127.0.0.1:7001\n");
  // What was refused for itself says no more.
  EXPECT_EQ(check("work: {retry: {backoff_max: ten, backoff_min: 5m}}"),
            "mainstay.yaml:1:29: work.retry.backoff_max: expected a duration such as 10s, from 1ms "
            "to 1d, got \"ten\"\n");
}

TEST(ListenAddress, ClashesWhereBothWouldTakeTheSamePort) {
  const auto clash = [](const char* a, const char* b) {
    const auto one = parse_listen_address(a);
    const auto two = parse_listen_address(b);
    EXPECT_EQ(one->clashes_with(*two), two->clashes_with(*one));
    return one->clashes_with(*two);
  };
  EXPECT_TRUE(clash("127.0.0.1:1", "127.0.0.1:1"));
  EXPECT_TRUE(clash("localhost:1", "127.0.0.1:1"));
  EXPECT_TRUE(clash("localhost:1", "[::1]:1"));
  EXPECT_TRUE(clash("[::1]:1", "[0:0:0:0:0:0:0:1]:1"));
  EXPECT_TRUE(clash("0.0.0.0:1", "127.0.0.1:1"));
  EXPECT_TRUE(clash("0.0.0.0:1", "localhost:1"));
  EXPECT_TRUE(clash("[::]:1", "127.0.0.1:1"));
  EXPECT_TRUE(clash("[::ffff:127.0.0.1]:1", "127.0.0.1:1"));
  EXPECT_FALSE(clash("0.0.0.0:1", "[::1]:1"));
  EXPECT_FALSE(clash("127.0.0.1:1", "127.0.0.2:1"));
  EXPECT_FALSE(clash("127.0.0.1:1", "127.0.0.1:2"));
  EXPECT_FALSE(clash("127.0.0.1:0", "127.0.0.1:0"));
}

TEST(Settings, ChecksWhatDoesNotFitTogether) {
  const auto check = [](std::vector<std::string> flags, const char* environment = "production") {
    Problems problems;
    (void)load_settings({.project_dir = "/nonexistent",
                         .variables = {{"MAINSTAY_ENV", environment}},
                         .flags = std::move(flags)},
                        problems);
    return problems.to_text();
  };
  EXPECT_EQ(check({}), "");
  EXPECT_THAT(check({"debug=true"}), HasSubstr("--set: debug: expected false in the environment"));
  EXPECT_THAT(check({"work.retry.backoff_min=1m"}),
              HasSubstr("--set: work.retry.backoff_min: expected at most work.retry.backoff_max "
                        "(30s, built-in default), got 1m"));
  EXPECT_THAT(check({"http.listen=0.0.0.0:7000"}), HasSubstr("http.allow_remote: true"));
  EXPECT_THAT(check({"link.listen=[::]:7001"}), HasSubstr("link.listen: expected a loopback"));
  EXPECT_EQ(check({"http.listen=0.0.0.0:7000", "http.allow_remote=true"}), "");
  EXPECT_EQ(check({"http.listen=[::1]:0", "link.listen=[::1]:0"}), "");
  EXPECT_THAT(check({"link.listen=10.0.0.1:1", "http.allow_remote=true"}),
              HasSubstr("agents run on this machine"));
  EXPECT_EQ(check({"link.listen="}), "");
  EXPECT_THAT(check({"link.listen=127.0.0.1:7000"}), HasSubstr("another port than http.listen"));
  EXPECT_THAT(check({"http.listen=localhost:7001"}),
              HasSubstr("--set: http.listen: expected another port than link.listen"));
  EXPECT_THAT(check({"http.listen=0.0.0.0:7001", "http.allow_remote=true"}),
              HasSubstr("--set: http.listen: expected another port than link.listen"));
  EXPECT_EQ(check({}, "prod"),
            "environment MAINSTAY_ENV: expected one of development, testing, staging, production, "
            "got \"prod\"\n");
  EXPECT_THAT(check({}, "prodution"), HasSubstr("did you mean \"production\"?"));
}

TEST(Settings, UnreadableFilesAreProblems) {
  const platform::TestDir dir;
  ASSERT_EQ(::mkdir((dir / "mainstay.yaml").c_str(), 0700), 0);
  Problems problems;
  (void)load_settings({.project_dir = dir.path(), .variables = {}, .flags = {}}, problems);
  EXPECT_EQ(problems.to_text(),
            "mainstay.yaml: expected a file that can be read, got something else\n");
}

TEST(SettingsReference, SchemaIsMadeOfTheDeclarations) {
  const auto schema = platform::parse_json(settings_schema());
  ASSERT_TRUE(schema);
  for (const SettingDecl* decl : all_settings()) {
    std::string pointer;
    for (const std::string_view part : base::split(decl->key, '.')) {
      pointer.append("/properties/").append(part);
    }
    const platform::Json* found = platform::at_pointer(*schema, pointer);
    ASSERT_NE(found, nullptr) << decl->key;
    EXPECT_NE(found->as_object().if_contains("description"), nullptr);
  }
  EXPECT_EQ(schema->at("additionalProperties"), false);
}

TEST(SettingsReference, DocsSettingsIsUpToDate) {
  std::ifstream file(MS_SOURCE_DIR "/docs/settings.md", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), settings_page())
      << "renew it: mainstay config reference > docs/settings.md";
}

}  // namespace
}  // namespace mainstay::config
