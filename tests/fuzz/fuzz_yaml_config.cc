// Any bytes as mainstay.yaml and as fleet.yaml: never a crash, a hang or an exception; what is
// accepted becomes valid JSON; every problem has text and a place that exists.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "config/settings_check.h"
#include "config/settings_loader.h"
#include "fleet/manifest/manifest.h"
#include "platform/json/json.h"

namespace {

using namespace mainstay;

void check_problems(const config::Problems& problems, std::string_view text) {
  std::size_t lines = 2;
  for (const char c : text) lines += c == '\n' ? 1U : 0U;
  for (const config::Problem& problem : problems.sorted()) {
    MS_ASSERT(!problem.message.empty(), "a problem without words");
    MS_ASSERT(problem.at.line >= 0 && static_cast<std::size_t>(problem.at.line) <= lines,
              "a problem outside the file");
    MS_ASSERT(problem.at.line == 0 || problem.at.column > 0, "a column before the line");
  }
  MS_ASSERT(platform::parse_json(problems.to_json()).has_value(), "problems are not valid JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Problems of_settings;
  config::Settings settings;
  config::apply_file(text, "mainstay.yaml", config::Layer::file, settings, of_settings);
  config::check_settings(settings, of_settings);
  check_problems(of_settings, text);

  config::Problems of_fleet;
  const auto fleet = fleet::read_manifest({.text = text}, of_fleet);
  MS_ASSERT(fleet.has_value() == of_fleet.ok(), "a fleet with errors was accepted");
  check_problems(of_fleet, text);

  config::Problems ignored;
  if (const auto node = config::read_yaml(text, "x", ignored)) {
    MS_ASSERT(platform::parse_json(config::yaml_to_json(*node)).has_value() || !ignored.ok(),
              "YAML that was accepted gives no valid JSON");
  }
  return 0;
}
