#include "config/settings_list.h"

#include <algorithm>

namespace mainstay::config {
namespace {

constexpr std::array kAll{
    &kDebug.decl,
    &kFeatures.decl,
    &kLogLevel.decl,
    &kLogFormat.decl,
    &kLogAgentLines.decl,
    &kLogAgentBytes.decl,
    &kHttpListen.decl,
    &kHttpAllowRemote.decl,
    &kHttpAllowedHosts.decl,
    &kHttpMaxBody.decl,
    &kHttpHeaderTimeout.decl,
    &kLinkListen.decl,
    &kWorkPhases.decl,
    &kWorkTimeout.decl,
    &kWorkIdleTimeout.decl,
    &kWorkMaxQueued.decl,
    &kWorkMaxOpenInput.decl,
    &kWorkRetryMaxAttempts.decl,
    &kWorkRetryBackoffMin.decl,
    &kWorkRetryBackoffMax.decl,
    &kTelemetrySpanPrefix.decl,
};

constexpr std::array<Unserved, 31> kUnserved{{
    {"gpu", "GPUs and their memory"},
    {"devices", "devices"},
    {"resources", "resource limits and slots"},
    {"nats", "NATS"},
    {"bus", "a bus outside the process"},
    {"cluster", "several machines"},
    {"nodes", "several machines"},
    {"memory", "agent memory"},
    {"lanes", "lanes"},
    {"plugins", "plugins"},
    {"plugin_discovery", "plugins"},
    {"gateway", "the model gateway"},
    {"providers", "model providers"},
    {"budgets", "token and money budgets"},
    {"prices", "prices"},
    {"a2a", "A2A"},
    {"mcp", "MCP"},
    {"hub", "the telemetry hub"},
    {"metrics", "metrics history"},
    {"otlp", "OTLP"},
    {"telemetry.otlp", "OTLP"},
    {"alerts", "alerts"},
    {"dashboard", "the dashboard"},
    {"security", "principals, roles and secrets"},
    {"http.tls", "TLS"},
    {"link.tls", "TLS"},
    {"schedules", "schedules"},
    {"work.schedules", "schedules"},
    {"flags", "feature flags"},
    {"runs", "settings of run folders and their retention"},
    {"store", "other stores; what is accepted is always durable"},
}};

}  // namespace

std::span<const SettingDecl* const> all_settings() { return kAll; }

const SettingDecl* find_setting(std::string_view key) {
  const auto* found =
      std::find_if(kAll.begin(), kAll.end(), [&](const auto* decl) { return decl->key == key; });
  return found == kAll.end() ? nullptr : *found;
}

std::vector<std::string> setting_keys() {
  std::vector<std::string> keys;
  keys.reserve(kAll.size());
  for (const SettingDecl* decl : kAll) keys.emplace_back(decl->key);
  return keys;
}

const Unserved* find_unserved(std::span<const Unserved> table, std::string_view key) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Unserved& entry) {
    return key == entry.key ||
           (key.size() > entry.key.size() && key.substr(0, entry.key.size()) == entry.key &&
            key[entry.key.size()] == '.');
  });
  return found == table.end() ? nullptr : &*found;
}

std::span<const Unserved> unserved_settings() { return kUnserved; }

std::string unserved_text(const Unserved& entry) {
  return "not served by this version (not_supported): " + std::string(entry.what) +
         "; take it out, it would have no effect";
}

}  // namespace mainstay::config
