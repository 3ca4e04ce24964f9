// Routes of runs.
#include <utility>

#include "api/context.h"
#include "api/routes/answers.h"
#include "api/routes/handlers.h"
#include "api/routes/views.h"
#include "base/assert.h"
#include "platform/json/json_text.h"

namespace mainstay::api {
namespace {

using model::StartRun;
using platform::JsonWriter;

void hand_in(ApiContext& api, const CallPtr& call, StartRun start) {
  api.backend.command(
      std::move(start), call->principal,
      [api = api.shared_from_this(), call](Result<model::ReplyBody> answer) {
        if (!answer) return reply_error(*api, call, answer.error());
        const auto* accepted = std::get_if<model::RunAccepted>(&*answer);
        MS_ASSERT(accepted != nullptr, "a start is answered with another reply");
        const std::string id = accepted->id.to_text();
        std::string out;
        JsonWriter json(out);
        json.begin_object().member("id", id).member("duplicate", accepted->duplicate).end_object();
        reply(*api, call, accepted->duplicate ? 200 : 201, std::move(out),
              {{"Location", "/v1/runs/" + id}});
      });
}

void look_up_and_hand_in(ApiContext& api, const CallPtr& call, StartRun start) {
  if (start.idempotency_key.empty()) return hand_in(api, call, std::move(start));
  const std::string key = start.idempotency_key;
  auto held = std::make_shared<StartRun>(std::move(start));
  api.backend.find_run_key(key, [api = api.shared_from_this(), call,
                                 held](Result<std::optional<StartRun::Known>> known) {
    if (!known) return reply_error(*api, call, known.error());
    held->known = *std::move(known);
    hand_in(*api, call, std::move(*held));
  });
}

void reply_run(ApiContext& api, const CallPtr& call, const Result<RunView>& run) {
  if (!run) return reply_error(api, call, run.error());
  const auto fleet = api.backend.fleet();
  std::string out;
  JsonWriter json(out);
  write_run(json, explained(*run, *fleet), true);
  reply(api, call, 200, std::move(out));
}

Result<RunFilter> run_filter(const Call& call) {
  RunFilter filter;
  auto states = enum_parameter<model::RunState>(call, "state");
  if (!states) return std::move(states).error();
  filter.states = *std::move(states);
  filter.pipeline = call.parameter("pipeline");
  auto limit = number_parameter(call, "limit", 50, 1, 1000);
  if (!limit) return std::move(limit).error();
  filter.limit = static_cast<int>(*limit);
  if (const auto cursor = call.parameter("cursor"); !cursor.empty()) {
    filter.before = model::RunId::from_text(cursor);
    if (!filter.before) return Error(Code::invalid_argument, "cursor: not one of this list");
  }
  return filter;
}

// The loop knows open runs only; the rows say whether there ever was this one.
void refuse_cancel(ApiContext& api, const CallPtr& call, model::RunId id, const Error& error) {
  api.backend.find_run(id, [api = api.shared_from_this(), call, error](const Result<RunView>& run) {
    if (!run || !is_terminal(run->status.state)) return reply_error(*api, call, error);
    reply_error(*api, call,
                Error(Code::conflict, "run " + run->spec->id.to_text() + " has already ended: " +
                                          std::string(to_text(run->status.state))));
  });
}

}  // namespace

void start_run(ApiContext& api, const CallPtr& call) {
  auto start = parse_run_request(call->request.body(), api.request_context(*call));
  if (!start) return reply_error(api, call, start.error());
  if (start->input.view().size() <= model::Payload::kInlineLimit) {
    return look_up_and_hand_in(api, call, *std::move(start));
  }
  std::string text(start->input.view());
  auto held = std::make_shared<StartRun>(*std::move(start));
  api.backend.store_payload(
      std::move(text), [api = api.shared_from_this(), call, held](Result<model::Payload> stored) {
        if (!stored) return reply_error(*api, call, stored.error());
        held->input = *std::move(stored);
        look_up_and_hand_in(*api, call, std::move(*held));
      });
}

void list_runs(ApiContext& api, const CallPtr& call) {
  auto filter = run_filter(*call);
  if (!filter) return reply_error(api, call, filter.error());
  const auto limit = static_cast<std::size_t>(filter->limit);
  ++filter->limit;  // one more, to know whether there is a next page
  api.backend.list_runs(*std::move(filter), [api = api.shared_from_this(), call,
                                             limit](Result<std::vector<RunView>> found) {
    if (!found) return reply_error(*api, call, found.error());
    reply(*api, call, 200,
          page_json("runs", *found, limit,
                    [](JsonWriter& json, const RunView& run) { write_run(json, run, false); }));
  });
}

void get_run(ApiContext& api, const CallPtr& call) {
  const auto id = subject_id<model::RunId>(*call, "run");
  if (!id) return reply_error(api, call, id.error());
  const auto wait = wait_parameter(*call);
  if (!wait) return reply_error(api, call, wait.error());
  answer_when_ended<RunView>(
      api, call, id->to_text(), *wait,
      [id = *id](ApiContext& at, auto on_found) { at.backend.find_run(id, std::move(on_found)); },
      [](const RunView& run) { return is_terminal(run.status.state); }, reply_run);
}

void cancel_run(ApiContext& api, const CallPtr& call) {
  const auto id = subject_id<model::RunId>(*call, "run");
  if (!id) return reply_error(api, call, id.error());
  auto reason = parse_cancel_request(call->request.body());
  if (!reason) return reply_error(api, call, reason.error());
  api.backend.command(
      model::CancelRun{*id, *std::move(reason)}, call->principal,
      [api = api.shared_from_this(), call, id = *id](Result<model::ReplyBody> done) {
        if (done) return reply_done(*api, call);
        if (done.error().code() != Code::not_found) {
          return reply_error(*api, call, done.error());
        }
        refuse_cancel(*api, call, id, done.error());
      });
}

}  // namespace mainstay::api
