// Routes about the daemon itself: health, metrics, version, OpenAPI.
#include <array>
#include <utility>

#include "api/context.h"
#include "api/routes/handlers.h"
#include "base/enum_text.h"
#include "platform/json/json_text.h"

namespace mainstay::api {
namespace {

using platform::JsonWriter;

/// Prometheus text exposition, version 0.0.4.
class Exposition {
 public:
  explicit Exposition(std::string& out) : out_(out) {}

  Exposition& family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_ += "# HELP ";
    out_.append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ");
    out_.append(type).append("\n");
    return *this;
  }
  /// `labels` as in `{route="x"}`; empty: none.
  Exposition& sample(std::string_view labels, std::uint64_t value) {
    out_.append(name_).append(labels).append(" ");
    platform::append_json_integer(out_, value);
    out_ += '\n';
    return *this;
  }

 private:
  std::string& out_;
  std::string_view name_;
};

std::string label(std::string_view name, std::string_view value) {
  return "{" + std::string(name) + "=\"" + std::string(value) + "\"}";
}

void write_http_metrics(ApiContext& api, Exposition& metrics) {
  constexpr std::array<std::string_view, 4> kClasses{"2xx", "3xx", "4xx", "5xx"};
  metrics.family("mainstay_http_answers_total", "counter", "Answers by operation and class");
  for (std::size_t i = 0; i < api.counts.size(); ++i) {
    for (std::size_t c = 0; c < kClasses.size(); ++c) {
      const std::uint64_t count = api.counts[i].by_class[c].load(std::memory_order_relaxed);
      if (count == 0) continue;
      metrics.sample("{operation=\"" + std::string(all_routes()[i].operation) + "\",class=\"" +
                         std::string(kClasses[c]) + "\"}",
                     count);
    }
  }
  const platform::HttpServerStats stats = api.http_stats();
  metrics.family("mainstay_http_connections", "gauge", "Open connections").sample("", stats.open);
  metrics.family("mainstay_http_connections_total", "counter", "Connections accepted")
      .sample("", stats.accepted);
  metrics.family("mainstay_http_refused_total", "counter", "Connections turned away")
      .sample("", stats.refused);
  metrics.family("mainstay_http_malformed_total", "counter", "Requests that were not strict HTTP")
      .sample("", stats.malformed);
  metrics.family("mainstay_http_timeouts_total", "counter", "Requests that came too slowly")
      .sample("", stats.timed_out);
  metrics.family("mainstay_http_event_overflows_total", "counter", "Slow readers cut off")
      .sample("", stats.overflows);
}

void write_fleet_metrics(const FleetSnapshot& fleet, Exposition& metrics) {
  const auto& states = base::enum_names<model::AgentState>();
  std::array<std::uint64_t, base::enum_names<model::AgentState>().size()> counts{};
  for (const model::AgentStatus& agent : fleet.agents) {
    ++counts[static_cast<std::size_t>(agent.state)];
  }
  metrics.family("mainstay_agents", "gauge", "Agents by state");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    metrics.sample(label("state", states[i]), counts[i]);
  }
  metrics.family("mainstay_agent_restarts_total", "counter", "Restarts of agents");
  for (const model::AgentStatus& agent : fleet.agents) {
    metrics.sample(label("agent", agent.name), static_cast<std::uint64_t>(agent.restarts));
  }
  metrics.family("mainstay_work_items", "gauge", "Open work items by state")
      .sample(label("state", "queued"), static_cast<std::uint64_t>(fleet.queued))
      .sample(label("state", "delayed"), static_cast<std::uint64_t>(fleet.delayed))
      .sample(label("state", "running"), static_cast<std::uint64_t>(fleet.running));
  metrics.family("mainstay_runs_open", "gauge", "Runs that have not ended")
      .sample("", static_cast<std::uint64_t>(fleet.open_runs));
  metrics.family("mainstay_events_total", "counter", "Events in the journal")
      .sample("", static_cast<std::uint64_t>(fleet.last_sequence));
  metrics.family("mainstay_storage_writable", "gauge", "1 while the store takes commits")
      .sample("", fleet.storage_writable ? 1 : 0);
}

}  // namespace

void get_healthz(ApiContext& api, const CallPtr& call) {
  reply(api, call, 200, R"({"status":"ok"})");
}

void get_readyz(ApiContext& api, const CallPtr& call) {
  const auto fleet = api.backend.fleet();
  if (fleet->stopping) {
    return reply_error(api, call, Error(Code::unavailable, "the fleet is going down"));
  }
  // Before the start, which may be waiting for just this.
  if (!fleet->storage_writable) {
    return reply_error(
        api, call,
        Error(Code::unavailable, "the store does not take commits: " + fleet->storage_reason));
  }
  if (!fleet->ready) {
    return reply_error(api, call, Error(Code::unavailable, "the daemon is starting"));
  }
  reply(api, call, 200, R"({"status":"ready"})");
}

void get_metrics(ApiContext& api, const CallPtr& call) {
  std::string out;
  Exposition metrics(out);
  metrics.family("mainstay_build_info", "gauge", "Version and commit of the daemon")
      .sample("{version=\"" + api.settings.version + "\",commit=\"" + api.settings.commit + "\"}",
              1);
  write_fleet_metrics(*api.backend.fleet(), metrics);
  write_http_metrics(api, metrics);
  {
    const std::lock_guard lock(api.metrics_mutex);
    for (const auto& append : api.more_metrics) append(out);
  }
  reply(api, call, 200, std::move(out));
}

void get_openapi(ApiContext& api, const CallPtr& call) { reply(api, call, 200, api.openapi); }

void get_version(ApiContext& api, const CallPtr& call) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("version", api.settings.version);
  json.member("commit", api.settings.commit).end_object();
  reply(api, call, 200, std::move(out));
}

}  // namespace mainstay::api
