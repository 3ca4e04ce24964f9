#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/enum_text.h"
#include "base/text.h"
#include "fleet/manifest/manifest_draft.h"

// The kinds of agents that the fleet file may name.
MS_ENUM_TEXT(fleet, FileKind, link, exec)

namespace mainstay::fleet {
namespace {

using config::quote;
using config::YamlNode;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kMaxReplicas = 500;
constexpr int kMaxConcurrency = 1000;

constexpr std::array<config::Unserved, 22> kUnserved{{
    {"endpoint", "agents that are endpoints; they register themselves over the API"},
    {"limits", "limits on memory, processor and processes"},
    {"resources", "resources"},
    {"gpu", "GPUs"},
    {"devices", "devices"},
    {"lane", "lanes"},
    {"node", "several machines"},
    {"nodes", "several machines"},
    {"strategy", "supervision strategies"},
    {"update", "rolling updates"},
    {"schedule", "schedules"},
    {"sandbox", "sandboxes"},
    {"user", "other users"},
    {"secrets", "secrets; pass_env hands variables on"},
    {"checks", "active health checks"},
    {"memory", "agent memory"},
    {"plugins", "plugins"},
    {"budget", "budgets of agents"},
    {"rate_limit", "rate limits"},
    {"version", "versions of agents"},
    {"weight", "routing weights"},
    {"priority", "priorities of agents"},
}};

constexpr std::array<config::Unserved, 4> kUnservedHealth{{
    {"http", "active health checks"},
    {"tcp", "active health checks"},
    {"exec", "active health checks"},
    {"interval", "active health checks"},
}};

constexpr std::array<config::Unserved, 1> kUnservedRestart{
    {{"strategy", "supervision strategies (one-for-one is what there is)"}}};

bool is_variable_name(std::string_view name) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), is_word);
}

/// Reports a name that cannot be given to a process; those of Mainstay itself are set by it.
bool check_variable(const Fields& fields, std::string_view key, config::Position at,
                    const std::string& name) {
  if (!is_variable_name(name)) {
    fields.error(at, key,
                 "expected the name of a variable such as OPENAI_API_KEY, got " + quote(name));
    return false;
  }
  if (name.compare(0, 9, "MAINSTAY_") == 0) {
    fields.error(at, key, quote(name) + " is set by Mainstay itself");
    return false;
  }
  return true;
}

void read_environment(Fields& fields, model::AgentSpec& spec) {
  const YamlNode* node = fields.find("env");
  if (node == nullptr) return;
  fields.texts("env", spec.environment);
  for (const config::YamlEntry& entry : node->entries) {
    check_variable(fields, "env", entry.key_at, entry.key);
  }
}

void read_variables(Fields& fields, std::string_view key, std::vector<std::string>& out,
                    AgentDraft& draft) {
  const YamlNode* node = fields.find(key);
  if (node == nullptr) return;
  if (node->kind != config::YamlKind::list) {
    fields.error(node->at, key, "expected a list of variables, got " + node->describe());
    return;
  }
  for (const YamlNode& item : node->items) {
    if (item.kind != config::YamlKind::text) {
      fields.error(item.at, key, "expected the name of a variable, got " + item.describe());
    } else if (check_variable(fields, key, item.at, item.text) &&
               std::find(out.begin(), out.end(), item.text) == out.end()) {
      out.push_back(item.text);
      draft.variables_at[item.text] = item.at;
    }
  }
}

void read_passed_variables(Fields& fields, AgentDraft& draft) {
  read_variables(fields, "pass_env", draft.spec.pass_environment, draft);
  read_variables(fields, "requires_env", draft.required_variables, draft);
  for (const std::string& name : draft.required_variables) {
    auto& passed = draft.spec.pass_environment;
    // What the file itself sets need not be passed on.
    if (draft.spec.environment.count(name) != 0) continue;
    if (std::find(passed.begin(), passed.end(), name) == passed.end()) passed.push_back(name);
  }
}

void read_restart(Fields& fields, model::RestartPolicy& policy) {
  fields.choice("policy", policy.mode);
  fields.backoff(policy.backoff_min, policy.backoff_max);
  fields.integer("max_restarts", policy.max_restarts, {0, 1'000'000});
  fields.duration("window", policy.window, {seconds(1), hours(24 * 30)});
  fields.duration("stable_after", policy.stable_after, {Duration(0), hours(24)});
  fields.finish(kUnservedRestart);
}

void read_health(Fields& fields, model::HealthPolicy& policy) {
  fields.duration("start_grace", policy.start_grace, {milliseconds(100), hours(1)});
  fields.duration("link_grace", policy.link_grace, {milliseconds(100), hours(1)});
  fields.duration("stall_after", policy.stall_after, {Duration(0), hours(24 * 30)});
  fields.finish(kUnservedHealth);
}

/// A command that is run per item has no process that could be restarted or looked after.
void refuse_for_exec(Fields& fields, std::string_view key) {
  if (const YamlNode* node = fields.find(key)) {
    fields.error(node->at, key, "has no meaning for kind exec: there is a process per item only");
  }
}

/// Kinds that people ask for, and what there is instead.
constexpr std::pair<std::string_view, std::string_view> kOtherKinds[] = {
    {"external", "external agents register over the API (`mainstay agents register`)"},
    {"http", "agents behind HTTP are served by a later version"},
    {"a2a", "A2A agents are served by a later version"},
    {"mcp", "MCP servers are served by a later version"},
};

/// false: a kind that the fleet file cannot have in this version; it was refused by name.
bool read_kind(Fields& fields, model::AgentKind& kind) {
  if (const YamlNode* node = fields.find("kind")) {
    for (const auto& [name, instead] : kOtherKinds) {
      if (node->text != name) continue;
      fields.error(node->at, "kind",
                   fmt::format("expected link or exec, got \"{}\"; {}", name, instead));
      return false;
    }
  }
  FileKind read = FileKind::link;
  fields.choice("kind", read);
  kind = read == FileKind::exec ? model::AgentKind::exec : model::AgentKind::link;
  return true;
}

void check_kind(Fields& fields, const AgentDraft& draft) {
  const model::AgentSpec& spec = draft.spec;
  if (spec.kind != model::AgentKind::exec) return;
  refuse_for_exec(fields, "restart");
  refuse_for_exec(fields, "health");
  if (spec.capabilities.empty()) {
    fields.error(draft.at, "capabilities", "expected at least one for kind exec, got nothing");
  }
}

}  // namespace

AgentDraft read_agent(const config::YamlEntry& entry, const ManifestContext& context) {
  AgentDraft draft;
  draft.at = entry.key_at;
  draft.spec.name = entry.key;
  check_name(entry.key, entry.key_at, draft.path(), context);
  Fields fields(entry.value, entry.key_at, draft.path(), context);
  if (!fields.usable()) return draft;
  model::AgentSpec& spec = draft.spec;
  // What else belongs to an agent of a later version is not ours to judge.
  const bool ours = read_kind(fields, spec.kind);
  if (!ours) {
    fields.find("command");
  } else if (fields.require("command", "a list of words such as [python3, a.py]") != nullptr) {
    fields.words("command", spec.command, draft.command_at);
  }
  fields.text("working_dir", spec.working_dir);
  if (const YamlNode* node = fields.find("working_dir")) draft.working_dir_at = node->at;
  read_environment(fields, spec);
  read_passed_variables(fields, draft);
  fields.texts("labels", spec.labels);
  fields.integer("replicas", spec.replicas, {1, kMaxReplicas});
  fields.names("capabilities", spec.capabilities);
  fields.names("depends_on", spec.depends_on, &draft.depends_at);
  fields.integer("concurrency", spec.concurrency, {1, kMaxConcurrency});
  fields.section("restart", [&](Fields& inner) { read_restart(inner, spec.restart); });
  fields.section("health", [&](Fields& inner) { read_health(inner, spec.health); });
  fields.duration("stop_grace", spec.stop_grace, {Duration(0), hours(1)});
  if (!ours) return draft;
  check_kind(fields, draft);
  fields.finish(kUnserved);
  return draft;
}

}  // namespace mainstay::fleet
