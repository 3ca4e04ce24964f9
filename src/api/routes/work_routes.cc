// Routes of work items.
#include <atomic>
#include <utility>

#include "api/context.h"
#include "api/problem.h"
#include "api/routes/answers.h"
#include "api/routes/handlers.h"
#include "api/routes/views.h"
#include "base/assert.h"
#include "platform/json/json_text.h"

namespace mainstay::api {
namespace {

using model::SubmitWork;
using platform::JsonWriter;

std::string accepted_json(const model::WorkAccepted& accepted) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("id", accepted.id.to_text());
  json.member("state", to_text(accepted.state)).member("duplicate", accepted.duplicate);
  json.end_object();
  return out;
}

using OnAccepted = OnResult<model::WorkAccepted>;

void hand_in(ApiContext& api, SubmitWork submit, const std::string& principal,
             OnAccepted on_accepted) {
  api.backend.command(std::move(submit), principal,
                      [on_accepted = std::move(on_accepted)](Result<model::ReplyBody> reply) {
                        if (!reply) return on_accepted(std::move(reply).error());
                        const auto* accepted = std::get_if<model::WorkAccepted>(&*reply);
                        MS_ASSERT(accepted != nullptr, "a submit is answered with another reply");
                        on_accepted(*accepted);
                      });
}

/// What the store knows of the key, then the command.
void look_up_and_hand_in(ApiContext& api, SubmitWork submit, const std::string& principal,
                         OnAccepted on_accepted) {
  if (submit.spec.idempotency_key.empty()) {
    return hand_in(api, std::move(submit), principal, std::move(on_accepted));
  }
  const std::string key = submit.spec.idempotency_key;
  auto held = std::make_shared<SubmitWork>(std::move(submit));
  api.backend.find_work_key(
      key, [api = api.shared_from_this(), held, principal,
            on_accepted = std::move(on_accepted)](Result<std::optional<SubmitWork::Known>> known) {
        if (!known) return on_accepted(std::move(known).error());
        held->known = *std::move(known);
        hand_in(*api, std::move(*held), principal, on_accepted);
      });
}

/// A large input becomes a blob before the command that names it.
void submit_one(ApiContext& api, model::WorkSpec spec, const std::string& principal,
                OnAccepted on_accepted) {
  SubmitWork submit{std::move(spec), std::nullopt};
  if (submit.spec.input.view().size() <= model::Payload::kInlineLimit) {
    return look_up_and_hand_in(api, std::move(submit), principal, std::move(on_accepted));
  }
  std::string text(submit.spec.input.view());
  auto held = std::make_shared<SubmitWork>(std::move(submit));
  api.backend.store_payload(std::move(text),
                            [api = api.shared_from_this(), held, principal,
                             on_accepted = std::move(on_accepted)](Result<model::Payload> stored) {
                              if (!stored) return on_accepted(std::move(stored).error());
                              held->spec.input = *std::move(stored);
                              look_up_and_hand_in(*api, std::move(*held), principal, on_accepted);
                            });
}

/// The answers to a batch, in the order of its items; sent when the last one is there.
struct BatchAnswers {
  std::vector<std::string> results;
  std::atomic<std::size_t> left;

  explicit BatchAnswers(std::size_t size) : results(size), left(size) {}
  std::string json() const {
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("results").begin_array();
    for (const std::string& result : results) json.raw(result);
    json.end_array().end_object();
    return out;
  }
};

bool has_ended(const WorkView& work) { return is_terminal(work.status.state); }

void reply_work(ApiContext& api, const CallPtr& call, const Result<WorkView>& work) {
  if (!work) return reply_error(api, call, work.error());
  const auto fleet = api.backend.fleet();
  std::string out;
  JsonWriter json(out);
  write_work(json, explained(*work, *fleet), true);
  reply(api, call, 200, std::move(out));
}

Result<WorkFilter> work_filter(const Call& call) {
  WorkFilter filter;
  auto states = enum_parameter<model::WorkState>(call, "state");
  if (!states) return std::move(states).error();
  filter.states = *std::move(states);
  filter.capability = call.parameter("capability");
  auto limit = number_parameter(call, "limit", 50, 1, 1000);
  if (!limit) return std::move(limit).error();
  filter.limit = static_cast<int>(*limit);
  if (const auto run = call.parameter("run"); !run.empty()) {
    filter.run = model::RunId::from_text(run);
    if (!filter.run) return Error(Code::invalid_argument, "run: expected the id of a run");
  }
  if (const auto cursor = call.parameter("cursor"); !cursor.empty()) {
    filter.before = model::WorkId::from_text(cursor);
    if (!filter.before) return Error(Code::invalid_argument, "cursor: not one of this list");
  }
  return filter;
}

}  // namespace

void submit_work(ApiContext& api, const CallPtr& call) {
  auto spec = parse_work_request(call->request.body(), api.request_context(*call));
  if (!spec) return reply_error(api, call, spec.error());
  submit_one(api, *std::move(spec), call->principal,
             [api = api.shared_from_this(), call](Result<model::WorkAccepted> accepted) {
               if (!accepted) return reply_error(*api, call, accepted.error());
               reply(*api, call, accepted->duplicate ? 200 : 201, accepted_json(*accepted),
                     {{"Location", "/v1/work/" + accepted->id.to_text()}});
             });
}

void submit_batch(ApiContext& api, const CallPtr& call) {
  auto specs = parse_work_batch(call->request.body(), api.request_context(*call));
  if (!specs) return reply_error(api, call, specs.error());
  auto answers = std::make_shared<BatchAnswers>(specs->size());
  for (std::size_t i = 0; i < specs->size(); ++i) {
    submit_one(
        api, std::move((*specs)[i]), call->principal,
        [api = api.shared_from_this(), call, answers, i](Result<model::WorkAccepted> accepted) {
          answers->results[i] =
              accepted ? accepted_json(*accepted)
                       : R"({"error":)" + problem_json(accepted.error(), 0, api->causes()) + "}";
          if (answers->left.fetch_sub(1) == 1) reply(*api, call, 200, answers->json());
        });
  }
}

void list_work(ApiContext& api, const CallPtr& call) {
  auto filter = work_filter(*call);
  if (!filter) return reply_error(api, call, filter.error());
  const auto limit = static_cast<std::size_t>(filter->limit);
  ++filter->limit;  // one more, to know whether there is a next page
  api.backend.list_work(*std::move(filter), [api = api.shared_from_this(), call,
                                             limit](Result<std::vector<WorkView>> found) {
    if (!found) return reply_error(*api, call, found.error());
    const auto fleet = api->backend.fleet();
    reply(*api, call, 200,
          page_json("work", *found, limit, [&fleet](JsonWriter& json, const WorkView& work) {
            write_work(json, explained(work, *fleet), false);
          }));
  });
}

void get_work(ApiContext& api, const CallPtr& call) {
  const auto id = subject_id<model::WorkId>(*call, "work item");
  if (!id) return reply_error(api, call, id.error());
  const auto wait = wait_parameter(*call);
  if (!wait) return reply_error(api, call, wait.error());
  answer_when_ended<WorkView>(
      api, call, id->to_text(), *wait,
      [id = *id](ApiContext& at, auto on_found) { at.backend.find_work(id, std::move(on_found)); },
      has_ended, reply_work);
}

void cancel_work(ApiContext& api, const CallPtr& call) {
  const auto id = subject_id<model::WorkId>(*call, "work item");
  if (!id) return reply_error(api, call, id.error());
  auto reason = parse_cancel_request(call->request.body());
  if (!reason) return reply_error(api, call, reason.error());
  api.backend.command(model::CancelWork{*id, *std::move(reason)}, call->principal,
                      [api = api.shared_from_this(), call](Result<model::ReplyBody> done) {
                        if (!done) return reply_error(*api, call, done.error());
                        reply_done(*api, call);
                      });
}

void list_attempts(ApiContext& api, const CallPtr& call) {
  const auto id = subject_id<model::WorkId>(*call, "work item");
  if (!id) return reply_error(api, call, id.error());
  api.backend.list_attempts(
      *id, [api = api.shared_from_this(), call](Result<std::vector<model::AttemptRow>> rows) {
        if (!rows) return reply_error(*api, call, rows.error());
        std::string out;
        JsonWriter json(out);
        json.begin_object().key("attempts").begin_array();
        for (const model::AttemptRow& row : *rows) write_attempt(json, row);
        json.end_array().end_object();
        reply(*api, call, 200, std::move(out));
      });
}

}  // namespace mainstay::api
