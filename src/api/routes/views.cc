#include "api/routes/views.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/text.h"
#include "platform/json/json.h"

namespace mainstay::api {
namespace {

using platform::JsonWriter;

void write_moment(JsonWriter& json, std::string_view name, const std::optional<Wall>& at) {
  json.key(name);
  if (at) {
    json.value(base::wall_to_text(*at));
  } else {
    json.null();
  }
}

void write_duration(JsonWriter& json, std::string_view name, Duration duration) {
  json.key(name);
  if (duration > Duration(0)) {
    json.value(base::duration_to_text(duration));
  } else {
    json.null();
  }
}

void write_text_or_null(JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else {
    json.value(text);
  }
}

/// Text that should be JSON but came from an agent: as it is when it is JSON, else as a string.
void write_foreign(JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else if (platform::parse_json(text)) {
    json.raw(text);
  } else {
    json.value(text);
  }
}

void write_payload(JsonWriter& json, std::string_view name, const model::Payload& payload) {
  json.key(name);
  if (payload.has_value() && !payload.view().empty()) {
    json.raw(payload.view());
  } else {
    json.null();
  }
}

void write_labels(JsonWriter& json, const std::map<std::string, std::string>& labels) {
  json.key("labels").begin_object();
  for (const auto& [name, value] : labels) json.member(name, value);
  json.end_object();
}

void write_error(JsonWriter& json, const std::optional<model::WorkError>& error) {
  json.key("error");
  if (!error) {
    json.null();
    return;
  }
  json.begin_object();
  json.member("kind", to_text(error->kind)).member("code", error->code);
  json.member("message", error->message).member("permanent", error->permanent);
  write_foreign(json, "context", error->context_json);
  json.end_object();
}

void write_step_ref(JsonWriter& json, const std::optional<model::StepRef>& step) {
  json.key("step");
  if (!step) {
    json.null();
    return;
  }
  json.begin_object();
  json.member("run", step->run.to_text()).member("pipeline", step->pipeline);
  json.member("stage", step->stage).member("index", step->index);
  json.end_object();
}

void write_usage(JsonWriter& json, const model::Usage& usage) {
  json.key("usage").begin_object();
  json.member("prompt_tokens", usage.prompt_tokens);
  json.member("completion_tokens", usage.completion_tokens);
  json.member("total_tokens", usage.total_tokens());
  json.member("cached_tokens", usage.cached_tokens);
  json.member("reasoning_tokens", usage.reasoning_tokens);
  json.member("llm_requests", usage.llm_requests);
  json.member("api_calls", usage.api_calls);
  json.end_object();
}

void write_waiting(JsonWriter& json, const std::optional<work::Waiting>& waiting) {
  json.key("waiting");
  if (!waiting) {
    json.null();
    return;
  }
  json.begin_object().member("reason", to_text(waiting->reason));
  json.member("sentence", waiting->sentence).end_object();
}

/// That of the item that stands for the stage, if all of its items wait.
std::optional<work::Waiting> waiting_of_stage(const RunView& run, const std::string& stage) {
  for (const WorkView& item : run.waiting_items) {
    if (item.spec->step && item.spec->step->stage == stage) return item.waiting;
  }
  return std::nullopt;
}

void write_step(JsonWriter& json, const model::StepStatus& step,
                const std::optional<work::Waiting>& waiting) {
  json.begin_object();
  json.member("stage", step.stage).member("number", step.number);
  json.member("state", to_text(step.state));
  json.member("items_total", step.items_total).member("items_done", step.items_done);
  json.member("items_failed", step.items_failed).member("retries", step.retries);
  write_moment(json, "started_at", step.started_at);
  write_moment(json, "finished_at", step.finished_at);
  write_usage(json, step.usage);
  write_error(json, step.error);
  write_waiting(json, waiting);
  json.end_object();
}

void write_names(JsonWriter& json, std::string_view name, const std::vector<std::string>& names) {
  json.key(name).begin_array();
  for (const std::string& one : names) json.value(one);
  json.end_array();
}

/// What it declares and can be given: of an agent with a link, what its hello named.
std::vector<std::string> served(const model::AgentStatus& agent) {
  if (agent.kind == model::AgentKind::link && !agent.linked) return {};
  std::vector<std::string> names;
  for (const std::string& name : agent.capabilities) {
    if (std::find(agent.unserved.begin(), agent.unserved.end(), name) == agent.unserved.end()) {
      names.push_back(name);
    }
  }
  return names;
}

void write_exit(JsonWriter& json, const model::AgentStatus& agent) {
  json.key("last_exit");
  if (!agent.last_exit) {
    json.null();
    return;
  }
  const auto number_or_null = [&](std::string_view name, const std::optional<int>& number) {
    json.key(name);
    if (number) {
      json.value(*number);
    } else {
      json.null();
    }
  };
  json.begin_object();
  write_moment(json, "at", agent.last_exit_at);
  number_or_null("code", agent.last_exit->code);
  number_or_null("signal", agent.last_exit->signal);
  json.member("core_dumped", agent.last_exit->core_dumped);
  json.member("out_of_memory", agent.last_exit->out_of_memory);
  json.end_object();
}

}  // namespace

WorkView explained(WorkView work, const FleetSnapshot& fleet) {
  work.waiting = work::waiting_of(*work.spec, work.status, fleet.agents, fleet.stopping);
  return work;
}

RunView explained(RunView run, const FleetSnapshot& fleet) {
  for (WorkView& item : run.waiting_items) item = explained(std::move(item), fleet);
  if (!run.waiting_items.empty() && !run.has_running_items) {
    run.waiting = run.waiting_items.front().waiting;
  }
  return run;
}

void write_work(JsonWriter& json, const WorkView& work, bool whole) {
  const model::WorkSpec& spec = *work.spec;
  const model::WorkStatus& status = work.status;
  json.begin_object();
  json.member("id", spec.id.to_text()).member("state", to_text(status.state));
  json.member("description", spec.description).member("capability", spec.capability);
  write_text_or_null(json, "phase", spec.phase);
  json.member("priority", spec.priority);
  write_labels(json, spec.labels);
  write_step_ref(json, spec.step);
  write_text_or_null(json, "agent", status.agent);
  json.member("epoch", status.epoch).member("attempts_used", status.attempts_used);
  json.member("max_attempts", spec.retry.max_attempts);
  json.member("progress", status.progress);
  write_moment(json, "created_at", spec.created_at);
  write_moment(json, "start_after", spec.start_after);
  write_moment(json, "deadline", spec.deadline);
  write_moment(json, "due_at",
               status.state == model::WorkState::delayed ? status.due_at : std::nullopt);
  write_moment(json, "started_at", status.first_started_at);
  write_moment(json, "finished_at", status.finished_at);
  write_duration(json, "timeout", spec.timeout);
  write_duration(json, "idle_timeout", spec.idle_timeout);
  write_text_or_null(json, "idempotency_key", spec.idempotency_key);
  write_text_or_null(json, "trace_parent", spec.trace_parent);
  write_error(json, status.error);
  write_waiting(json, work.waiting);
  if (whole) {
    write_payload(json, "input", spec.input);
    write_payload(json, "output", status.output);
  }
  json.end_object();
}

void write_attempt(JsonWriter& json, const model::AttemptRow& attempt) {
  json.begin_object();
  json.member("epoch", attempt.epoch).member("agent", attempt.agent);
  json.member("incarnation", attempt.incarnation);
  write_moment(json, "started_at", attempt.started_at);
  write_moment(json, "finished_at", attempt.finished_at);
  write_text_or_null(json, "outcome", attempt.outcome);
  write_error(json, attempt.error);
  json.end_object();
}

void write_run(JsonWriter& json, const RunView& run, bool whole) {
  json.begin_object();
  json.member("id", run.spec->id.to_text()).member("pipeline", run.spec->pipeline->name);
  json.member("version", run.spec->pipeline->version);
  json.member("state", to_text(run.status.state));
  write_labels(json, run.spec->labels);
  write_moment(json, "created_at", run.spec->created_at);
  write_moment(json, "finished_at", run.status.finished_at);
  write_text_or_null(json, "idempotency_key", run.spec->idempotency_key);
  write_text_or_null(json, "trace_parent", run.spec->trace_parent);
  write_error(json, run.status.error);
  if (whole) {
    write_payload(json, "input", run.spec->input);
    write_payload(json, "output", run.status.output);
    json.key("steps").begin_array();
    for (const model::StepStatus& step : run.steps) {
      write_step(json, step, waiting_of_stage(run, step.stage));
    }
    json.end_array();
    write_waiting(json, run.waiting);
  }
  json.end_object();
}

void write_agent(JsonWriter& json, const model::AgentStatus& agent) {
  json.begin_object();
  json.member("name", agent.name);
  write_text_or_null(json, "spec", agent.spec);
  json.member("kind", to_text(agent.kind)).member("state", to_text(agent.state));
  json.member("reason", agent.reason).member("incarnation", agent.incarnation);
  json.key("pid");
  if (agent.process) {
    json.value(agent.process->pid);
  } else {
    json.null();
  }
  write_names(json, "capabilities", agent.capabilities);
  write_names(json, "serves", served(agent));
  write_labels(json, agent.labels);
  write_text_or_null(json, "endpoint", agent.endpoint);
  json.member("slots", agent.slots).member("busy", agent.busy).member("linked", agent.linked);
  write_text_or_null(json, "sdk", agent.sdk);
  json.member("restarts", agent.restarts).member("error_count", agent.error_count);
  write_text_or_null(json, "last_error", agent.last_error);
  write_moment(json, "last_error_at", agent.last_error_at);
  write_moment(json, "started_at", agent.started_at);
  write_exit(json, agent);
  write_moment(json, "lease_until", agent.lease_until);
  json.end_object();
}

void write_pipeline(JsonWriter& json, const model::PipelineSpec& pipeline) {
  json.begin_object();
  json.member("name", pipeline.name).member("version", pipeline.version);
  json.member("description", pipeline.description);
  write_duration(json, "timeout", pipeline.timeout);
  json.key("stages").begin_array();
  for (const model::StageSpec& stage : pipeline.stages) {
    json.begin_object();
    json.member("name", stage.name).member("capability", stage.capability);
    json.key("needs").begin_array();
    for (const std::string& need : stage.needs) json.value(need);
    json.end_array();
    write_text_or_null(json, "foreach", stage.foreach_reference);
    json.member("critical", stage.critical).member("retries", stage.retries);
    write_duration(json, "timeout", stage.timeout);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_event(JsonWriter& json, const model::Event& event) {
  json.begin_object();
  json.member("seq", event.seq).member("at", base::wall_to_text(event.at));
  json.member("kind", event.kind).member("subject", event.subject);
  json.member_raw("body", event.body.empty() ? std::string_view("{}") : event.body);
  json.end_object();
}

void write_fleet(JsonWriter& json, const FleetSnapshot& fleet) {
  constexpr std::size_t kStates = base::enum_names<model::AgentState>().size();
  std::array<int, kStates> counts{};
  for (const model::AgentStatus& agent : fleet.agents) {
    ++counts[static_cast<std::size_t>(agent.state)];
  }
  json.begin_object();
  json.member("fleet", fleet.fleet).member("at", base::wall_to_text(fleet.at));
  json.member("ready", fleet.ready).member("stopping", fleet.stopping);
  json.key("agents").begin_object().member("total", fleet.agents.size());
  for (std::size_t i = 0; i < kStates; ++i) {
    json.member(base::enum_names<model::AgentState>()[i], counts[i]);
  }
  json.end_object();
  json.key("work").begin_object().member("queued", fleet.queued);
  json.member("delayed", fleet.delayed).member("running", fleet.running).end_object();
  json.key("runs").begin_object().member("open", fleet.open_runs).end_object();
  json.key("storage").begin_object().member("writable", fleet.storage_writable);
  write_text_or_null(json, "reason", fleet.storage_reason);
  json.end_object();
  json.key("recording").begin_object().member("writable", fleet.recording_trouble.empty());
  write_text_or_null(json, "reason", fleet.recording_trouble);
  json.end_object();
  json.member("last_sequence", fleet.last_sequence).end_object();
}

}  // namespace mainstay::api
