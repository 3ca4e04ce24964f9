// What is asked of work from outside: refused with a reason, or accepted.
#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "work/trace_context.h"
#include "work/validation.h"
#include "work/work.h"

namespace mainstay::work {
namespace {

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  const auto near = base::nearest(name, names);
  return near ? fmt::format("; did you mean \"{}\"?", *near) : std::string();
}

Error key_conflict(const std::string& key) {
  return Error(Code::idempotency_conflict,
               fmt::format("idempotency_key: \"{}\" came before with another request",
                           base::excerpt(key, 120)))
      .with("field", "idempotency_key")
      .with("value", base::excerpt(key, 120));
}

/// The caller's trace goes on; without one (or with a malformed one, as W3C asks) a new one begins.
std::string trace_parent_or_new(const std::string& given, base::Random& random) {
  return parse_trace_parent(given) ? given : make_trace_parent(random);
}

}  // namespace

void Work::handle(model::ReplyToken token, const model::SubmitWork& asked,
                  const fleet::Directory& directory, const model::StorageChanged& storage, Now now,
                  model::Outbox& out) {
  out.reply(token, submit(asked, directory, storage, now, out));
}

void Work::handle(model::ReplyToken token, const model::StartRun& asked,
                  const fleet::Directory& directory, const model::StorageChanged& storage, Now now,
                  model::Outbox& out) {
  out.reply(token, start(asked, directory, storage, now, out));
}

Result<void> Work::check_room(const model::StorageChanged& storage) const {
  if (!storage.writable || storage.full) {
    return Error(
        storage.full ? Code::storage_full : Code::storage_failed,
        storage.reason.empty() ? "the work database does not take commits now" : storage.reason);
  }
  return {};
}

Result<void> Work::check_open_input(const model::Payload& more) const {
  const std::uint64_t open = items_.input_bytes() + runs_.input_bytes();
  const std::size_t size = more.view().size();
  if (open + size <= settings_.max_open_input) return {};
  return Error(Code::overloaded,
               fmt::format("input: {} bytes more than the {} of the items and runs that have not "
                           "ended, the limit (work.max_open_input) is {}",
                           size, open, settings_.max_open_input))
      .with("field", "input");
}

Result<void> Work::check_offered(const std::string& capability, std::string_view where,
                                 const fleet::Directory& directory) const {
  if (directory.offered(capability)) return {};
  return Error(Code::capability_unknown,
               fmt::format("{}: no agent offers \"{}\"{}", where, base::excerpt(capability, 120),
                           did_you_mean(capability, capabilities_)))
      .with("field", std::string(where))
      .with("value", base::excerpt(capability, 120));
}

std::optional<Result<model::ReplyBody>> Work::known_answer(const model::SubmitWork& asked) {
  const model::WorkSpec& spec = asked.spec;
  if (const auto found = items_.keys().find(spec.idempotency_key)) {
    if (found->request_sha256 != spec.request_sha256) return key_conflict(spec.idempotency_key);
    const Item* item = items_.find(found->id);
    const model::WorkState state = item ? item->state : *found->final;
    return model::ReplyBody(model::WorkAccepted{found->id, state, true});
  }
  if (!asked.known || spec.idempotency_key.empty()) return std::nullopt;
  if (asked.known->request_sha256 != spec.request_sha256) return key_conflict(spec.idempotency_key);
  return model::ReplyBody(model::WorkAccepted{asked.known->id, asked.known->state, true});
}

std::optional<Result<model::ReplyBody>> Work::known_answer(const model::StartRun& asked) const {
  if (const auto found = runs_.keys().find(asked.idempotency_key)) {
    if (found->request_sha256 != asked.request_sha256) return key_conflict(asked.idempotency_key);
    return model::ReplyBody(model::RunAccepted{found->id, true});
  }
  if (!asked.known || asked.idempotency_key.empty()) return std::nullopt;
  if (asked.known->request_sha256 != asked.request_sha256) {
    return key_conflict(asked.idempotency_key);
  }
  return model::ReplyBody(model::RunAccepted{asked.known->id, true});
}

Result<model::ReplyBody> Work::submit(const model::SubmitWork& asked,
                                      const fleet::Directory& directory,
                                      const model::StorageChanged& storage, Now now,
                                      model::Outbox& out) {
  if (auto ok = check_room(storage); !ok) return std::move(ok).error();
  if (auto known = known_answer(asked)) return *std::move(known);
  std::shared_ptr<model::WorkSpec> spec = complete(asked.spec, now);
  if (auto ok = check_work(*spec, settings_.phases, now.wall); !ok) return std::move(ok).error();
  if (auto ok = check_offered(spec->capability, "capability", directory); !ok) {
    return std::move(ok).error();
  }
  if (queued() + delayed() >= settings_.max_queued) {
    return Error(Code::overloaded,
                 fmt::format("{} items are waiting, the limit (work.max_queued) is {}",
                             queued() + delayed(), settings_.max_queued));
  }
  if (auto ok = check_open_input(spec->input); !ok) return std::move(ok).error();
  spec->id = model::WorkId::make(ids_, now.wall);
  const Item& item = items_.accept(std::move(spec), 0, now, out);
  return model::ReplyBody(model::WorkAccepted{item.spec->id, item.state, false});
}

std::shared_ptr<model::WorkSpec> Work::complete(const model::WorkSpec& asked, Now now) {
  auto spec = std::make_shared<model::WorkSpec>(asked);
  spec->created_at = now.wall;
  if (spec->timeout == Duration::zero()) spec->timeout = settings_.default_timeout;
  if (spec->idle_timeout == Duration::zero()) spec->idle_timeout = settings_.default_idle_timeout;
  if (spec->retry == model::RetryPolicy{}) spec->retry = settings_.default_retry;
  if (!spec->input.has_value()) spec->input = model::Payload::of("null");
  spec->trace_parent = trace_parent_or_new(asked.trace_parent, traces_);
  return spec;
}

Result<std::shared_ptr<const model::PipelineSpec>> Work::find_pipeline(
    const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& pipeline : pipelines_) {
    if (pipeline->name == name) return pipeline;
    names.push_back(pipeline->name);
  }
  return Error(Code::pipeline_unknown,
               fmt::format("pipeline: there is no \"{}\"{}", base::excerpt(name, 120),
                           did_you_mean(name, names)))
      .with("field", "pipeline")
      .with("value", base::excerpt(name, 120));
}

Result<void> Work::check_start(const model::StartRun& asked, const model::PipelineSpec& pipeline,
                               const fleet::Directory& directory) const {
  if (auto ok = check_labels(asked.labels, Code::invalid_argument); !ok) return ok;
  if (auto ok = check_key(asked.idempotency_key, Code::invalid_argument); !ok) return ok;
  if (asked.input.view().size() > kMaxInput) {
    return Error(Code::payload_too_large, fmt::format("input: {} bytes, the limit is {}",
                                                      asked.input.view().size(), kMaxInput))
        .with("field", "input");
  }
  for (const model::StageSpec& stage : pipeline.stages) {
    const std::string where =
        fmt::format("pipelines.{}.stages.{}.capability", asked.pipeline, stage.name);
    if (auto ok = check_offered(stage.capability, where, directory); !ok) return ok;
  }
  if (auto ok = check_open_input(asked.input); !ok) return ok;
  if (open_runs() < kMaxOpenRuns && queued() + delayed() < settings_.max_queued) return {};
  return Error(Code::overloaded, fmt::format("{} runs are open and {} items are waiting",
                                             open_runs(), queued() + delayed()));
}

Result<model::ReplyBody> Work::start(const model::StartRun& asked,
                                     const fleet::Directory& directory,
                                     const model::StorageChanged& storage, Now now,
                                     model::Outbox& out) {
  if (auto ok = check_room(storage); !ok) return std::move(ok).error();
  if (auto known = known_answer(asked)) return *std::move(known);
  auto pipeline = find_pipeline(asked.pipeline);
  if (!pipeline) return std::move(pipeline).error();
  if (auto ok = check_start(asked, **pipeline, directory); !ok) return std::move(ok).error();

  auto spec = std::make_shared<model::RunSpec>();
  spec->id = model::RunId::make(ids_, now.wall);
  spec->pipeline = *std::move(pipeline);
  spec->input = asked.input.has_value() ? asked.input : model::Payload::of("null");
  spec->labels = asked.labels;
  spec->idempotency_key = asked.idempotency_key;
  spec->request_sha256 = asked.request_sha256;
  const std::string caller = trace_parent_or_new(asked.trace_parent, traces_);
  spec->trace_parent = make_trace_parent(trace_id_of(caller), span_id_of(spec->id, ""));
  spec->created_at = now.wall;
  const model::RunId id = spec->id;
  const auto parent = parse_trace_parent(asked.trace_parent);
  RunContext run_context = context(now, out);
  runs_.start(std::move(spec), parent ? parent->span_id : std::string_view(), run_context);
  return model::ReplyBody(model::RunAccepted{id, false});
}

void Work::handle(model::ReplyToken token, const model::CancelWork& cancel, const fleet::Directory&,
                  Now now, model::Outbox& out) {
  if (Item* item = items_.find(cancel.id)) {
    items_.cancel(*item, cancel.reason, now, out);
    RunContext run_context = context(now, out);
    runs_.take_news(run_context);
    return out.reply(token, model::ReplyBody(model::Done{}));
  }
  const RecentEnds::End* end = items_.recent_ends().find(cancel.id);
  if (end == nullptr) {
    return out.reply(token,
                     Error(Code::not_found, "there is no open work item " + cancel.id.to_text()));
  }
  if (end->state == model::WorkState::cancelled) {
    return out.reply(token, model::ReplyBody(model::Done{}));
  }
  out.reply(token, Error(Code::conflict, fmt::format("work item {} has already ended: {}",
                                                     cancel.id.to_text(), to_text(end->state)))
                       .with("state", std::string(to_text(end->state))));
}

void Work::handle(model::ReplyToken token, const model::CancelRun& cancel, const fleet::Directory&,
                  Now now, model::Outbox& out) {
  Run* run = runs_.find(cancel.id);
  if (run == nullptr) {
    return out.reply(token, Error(Code::not_found, "there is no open run " + cancel.id.to_text()));
  }
  RunContext run_context = context(now, out);
  runs_.cancel(*run, cancel.reason, run_context);
  runs_.take_news(run_context);
  out.reply(token, model::ReplyBody(model::Done{}));
}

}  // namespace mainstay::work
