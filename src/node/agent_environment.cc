#include "node/agent_environment.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/uuid.h"
#include "platform/crypto.h"
#include "platform/environment.h"

namespace mainstay::node {
namespace {

using Variables = std::map<std::string, std::string>;

constexpr const char* kExecGroupPart = "@exec-";

/// The a SHA-256's first 128 bits, in the usual form of a UUID.
std::string id_of(const std::string& text) {
  std::string hex = platform::sha256_hex(text).substr(0, 32);
  for (std::size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, "-");
  return hex;
}

/// What the spec itself names, over `variables`.
void set_own(const model::AgentSpec& spec, Variables& variables) {
  for (const std::string& name : spec.pass_environment) {
    if (auto value = platform::environment_variable(name)) variables[name] = *std::move(value);
  }
  for (const auto& [name, value] : spec.environment) variables[name] = value;
}

bool names_a_secret(std::string_view variable) {
  std::string name(variable);
  for (char& c : name) c = 'a' <= c && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  constexpr std::array<std::string_view, 8> kEndings = {
      "_KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIALS"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

Variables common_variables(const NodeOptions& options, const model::AgentSpec& spec,
                           const model::AgentName& agent, model::AgentKind kind) {
  Variables variables = options.inherited_environment;
  // Python holds back what it prints to a pipe until it ends, and loses it when it is killed.
  variables["PYTHONUNBUFFERED"] = "1";
  set_own(spec, variables);
  if (!options.python_path.empty()) {
    std::string& path = variables["PYTHONPATH"];
    path = path.empty() ? options.python_path : options.python_path + ":" + path;
  }
  variables["MAINSTAY_AGENT"] = agent;
  variables["MAINSTAY_KIND"] = to_text(kind);
  variables["MAINSTAY_INSTANCE"] = options.instance;
  variables["MAINSTAY_PROJECT"] = options.project_dir;
  variables["MAINSTAY_ENV"] = options.environment;
  return variables;
}

}  // namespace

std::string start_id(const std::string& instance, const model::AgentName& agent,
                     model::Incarnation incarnation) {
  return id_of("agent/" + instance + "/" + agent + "/" + std::to_string(incarnation));
}

std::string start_id(const std::string& instance, const model::WorkId& work, model::Epoch epoch) {
  return id_of("work/" + instance + "/" + work.to_text() + "/" + std::to_string(epoch));
}

std::string start_marker(const std::string& id) { return "MAINSTAY_START_ID=" + id; }

std::string group_name(const model::AgentName& agent, model::Incarnation incarnation) {
  return agent + "@" + std::to_string(incarnation);
}

std::string exec_group_name(const model::AgentName& agent, int slot) {
  return agent + kExecGroupPart + std::to_string(slot);
}

bool is_exec_group(const std::string& name) { return name.find(kExecGroupPart) != name.npos; }

std::vector<std::string> link_environment(const NodeOptions& options,
                                          const model::StartProcess& start,
                                          const std::string& token) {
  Variables variables = common_variables(options, *start.spec, start.agent, model::AgentKind::link);
  variables["MAINSTAY_INCARNATION"] = std::to_string(start.incarnation);
  variables["MAINSTAY_TOKEN"] = token;
  variables["MAINSTAY_LINK"] = options.link_target;
  variables["MAINSTAY_START_ID"] = start_id(options.instance, start.agent, start.incarnation);
  return platform::environment_list(variables);
}

std::vector<std::string> exec_environment(const NodeOptions& options,
                                          const model::AssignWork& assign) {
  const model::WorkSpec& work = *assign.work;
  Variables variables =
      common_variables(options, *assign.spec, assign.agent, model::AgentKind::exec);
  variables["MAINSTAY_START_ID"] = start_id(options.instance, work.id, assign.epoch);
  variables["MAINSTAY_WORK_ID"] = work.id.to_text();
  variables["MAINSTAY_EPOCH"] = std::to_string(assign.epoch);
  variables["MAINSTAY_ATTEMPT"] = std::to_string(assign.attempt);
  variables["MAINSTAY_CAPABILITY"] = work.capability;
  if (assign.time_left > Duration{0}) {
    variables["MAINSTAY_TIME_LEFT_MS"] = std::to_string(base::to_millis(assign.time_left));
  }
  if (!work.trace_parent.empty()) variables["TRACEPARENT"] = work.trace_parent;
  if (work.step) {
    variables["MAINSTAY_RUN_ID"] = work.step->run.to_text();
    variables["MAINSTAY_PIPELINE"] = work.step->pipeline;
    variables["MAINSTAY_STAGE"] = work.step->stage;
    variables["MAINSTAY_STEP"] = std::to_string(assign.step_number);
  }
  return platform::environment_list(variables);
}

std::vector<std::string> secret_values(const model::AgentSpec& spec) {
  Variables own;
  set_own(spec, own);
  std::vector<std::string> values;
  for (auto& [name, value] : own) {
    if (names_a_secret(name)) values.push_back(std::move(value));
  }
  return values;
}

std::string working_dir(const NodeOptions& options, const model::AgentSpec& spec) {
  if (spec.working_dir.empty()) return options.project_dir;
  if (spec.working_dir.starts_with('/')) return spec.working_dir;
  return options.project_dir + "/" + spec.working_dir;
}

}  // namespace mainstay::node
