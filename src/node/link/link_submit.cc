#include "node/link/link_submit.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <variant>

#include "node/link/link_messages.h"
#include "node/link/submit_queue.h"
#include "platform/crypto.h"
#include "platform/grpc/grpc_duplex.h"

namespace mainstay::node {
namespace {

/// Submits of one stream that are not answered yet; no more are read meanwhile.
constexpr std::size_t kMaxUnanswered = 8192;
/// Items of one stream whose end is waited for; no more are read meanwhile.
constexpr std::size_t kMaxWaits = 65'536;

wire::SubmitReply& slot(wire::SubmitReply& out) { return out; }
wire::SubmitReply& slot(wire::SubmitReplies& out) { return *out.add_replies(); }
constexpr std::size_t max_entries(const wire::SubmitReply*) { return 1; }
constexpr std::size_t max_entries(const wire::SubmitReplies*) { return 4096; }

template <class F>
void for_each(const wire::SubmitRequest& in, F&& f) {
  f(in);
}
template <class F>
void for_each(const wire::SubmitRequests& in, F&& f) {
  for (const wire::SubmitRequest& request : in.requests()) f(request);
}

template <class In, class Out>
class SubmitSession final : public platform::DuplexStream<In, Out>, public EndableStream {
 public:
  using Base = platform::DuplexStream<In, Out>;
  using typename Base::Next;

  SubmitSession(grpc::CallbackServerContext* context, std::shared_ptr<LinkParts> parts)
      : Base(context, parts->writer,
             {parts->options.max_queued_bytes, max_entries(static_cast<Out*>(nullptr))}),
        parts_(std::move(parts)),
        principal_(principal()),
        queue_(std::make_shared<SubmitQueue>(parts_, principal_)) {}

  void start() {
    this->begin();
    if (principal_.empty()) {
      this->finish(Error(Code::unauthenticated,
                         "submitting work needs the operator's or an "
                         "agent's token"));
    }
  }
  void end(const Error& error) override {
    queue_->close();
    this->finish(error);
  }

 private:
  std::string principal() {
    std::string token = bearer_token(this->metadata("authorization"));
    if (token.empty()) return {};
    if (parts_->sinks.is_operator && parts_->sinks.is_operator(token)) return "operator";
    auto agent =
        parts_->registry.agent_of(platform::sha256_hex(token), parts_->process_of(this->peer()));
    return agent ? "agent:" + *agent : std::string();
  }

  Next on_message(In& message) override {
    if (principal_.empty()) return Next::read;  // it is ending
    bool large = false;
    for_each(message, [&](const wire::SubmitRequest& request) {
      large = large || request.input_json().size() > model::Payload::kInlineLimit;
    });
    if (!large) {
      take(message);
      return may_read_on() ? Next::read : Next::wait;
    }
    if (!this->hold()) return Next::read;
    auto owned = std::make_shared<In>(std::move(message));
    parts_->payloads.post([session = self(), owned] {
      session->take(*owned);
      session->release(session->may_read_on());
    });
    return Next::wait;
  }

  void on_reads_done() override {
    {
      std::lock_guard lock(mutex_);
      reads_done_ = true;
    }
    finish_if_answered();
  }

  void on_closed(const std::string&) override {
    queue_->close();
    parts_->streams.remove(this);
  }

  void take(const In& message) {
    for_each(message, [this](const wire::SubmitRequest& request) { submit(request); });
  }

  void submit(const wire::SubmitRequest& request) {
    {
      std::lock_guard lock(mutex_);
      ++unanswered_;
    }
    std::uint64_t id = request.request_id();
    auto submit = checked(request);
    if (!submit) return answer(id, false, submit.error());
    queue_->hand_in(std::move(submit).value(),
                    [weak = std::weak_ptr<SubmitSession>(self()), id,
                     wait = request.wait()](Result<model::ReplyBody> reply) {
                      if (auto session = weak.lock()) session->answer(id, wait, reply);
                    });
  }

  Result<model::SubmitWork> checked(const wire::SubmitRequest& request) {
    auto submit = submit_of(request);
    if (!submit || submit->spec.input.view().size() <= model::Payload::kInlineLimit) return submit;
    auto stored = parts_->sinks.store_payload(std::string(submit->spec.input.view()));
    if (!stored) return stored.error();
    submit->spec.input = std::move(stored).value();
    return submit;
  }

  void answer(std::uint64_t id, bool wait, const Result<model::ReplyBody>& reply) {
    const auto* accepted = reply ? std::get_if<model::WorkAccepted>(&*reply) : nullptr;
    this->queue(96, [&](Out& out) {
      wire::SubmitReply& said = slot(out);
      said.set_request_id(id);
      if (accepted != nullptr) {
        said.mutable_accepted()->set_work_id(accepted->id.view().data(), 16);
        said.mutable_accepted()->set_duplicate(accepted->duplicate);
      } else {
        fill_problem(reply ? Error(Code::internal, "a submit was answered with another reply")
                           : reply.error(),
                     *said.mutable_problem());
      }
    });
    bool waits = wait && accepted != nullptr && parts_->sinks.on_finished;
    settle(1, waits ? 1 : 0, 0);
    if (!waits) return;
    parts_->sinks.on_finished(
        accepted->id, [weak = std::weak_ptr<SubmitSession>(self()), id, work = accepted->id](
                          model::WorkState state, const model::Payload& output,
                          const std::optional<model::WorkError>& error) {
          if (auto session = weak.lock()) session->tell_end(id, work, state, output, error);
        });
  }

  void tell_end(std::uint64_t id, model::WorkId work, model::WorkState state,
                const model::Payload& output, const std::optional<model::WorkError>& error) {
    std::size_t extra = error ? error->message.size() + error->context_json.size() : 0;
    this->queue(128 + output.view().size() + extra, [&](Out& out) {
      wire::SubmitReply& said = slot(out);
      said.set_request_id(id);
      fill_finished(work, state, output, error, *said.mutable_finished());
    });
    settle(0, 0, 1);
  }

  /// Counts, reads on when there is room again, and ends the stream after the last answer.
  void settle(std::size_t answered, std::size_t waits_begun, std::size_t waits_over) {
    bool read_on = false;
    {
      std::lock_guard lock(mutex_);
      unanswered_ -= answered;
      waits_ = waits_ + waits_begun - waits_over;
      read_on = paused_ && unanswered_ <= kMaxUnanswered / 2 && waits_ <= kMaxWaits / 2;
      if (read_on) paused_ = false;
    }
    if (read_on && this->hold()) this->release(true);
    finish_if_answered();
  }

  bool may_read_on() {
    std::lock_guard lock(mutex_);
    paused_ = unanswered_ >= kMaxUnanswered || waits_ >= kMaxWaits;
    return !paused_;
  }

  void finish_if_answered() {
    {
      std::lock_guard lock(mutex_);
      if (!reads_done_ || unanswered_ > 0 || waits_ > 0) return;
    }
    this->finish_well();
  }

  std::shared_ptr<SubmitSession> self() {
    return std::static_pointer_cast<SubmitSession>(this->shared_from_this());
  }

  std::shared_ptr<LinkParts> parts_;
  const std::string principal_;
  const std::shared_ptr<SubmitQueue> queue_;
  std::mutex mutex_;
  std::size_t unanswered_ = 0;
  std::size_t waits_ = 0;
  bool paused_ = false;
  bool reads_done_ = false;
};

template <class In, class Out>
grpc::ServerBidiReactor<In, Out>* begin(grpc::CallbackServerContext* context,
                                        const std::shared_ptr<LinkParts>& parts) {
  auto session = std::make_shared<SubmitSession<In, Out>>(context, parts);
  bool in_time = parts->streams.add(session);
  session->start();
  if (!in_time) session->end(Error(Code::unavailable, "the daemon is stopping"));
  const auto& takes_work = parts->sinks.takes_work;
  if (takes_work && !takes_work()) {
    session->end(Error(Code::unavailable, "the daemon takes no work now: it starts, or stops"));
  }
  return session.get();
}

}  // namespace

grpc::ServerBidiReactor<wire::SubmitRequest, wire::SubmitReply>* WorkService::Submit(
    grpc::CallbackServerContext* context) {
  return begin<wire::SubmitRequest, wire::SubmitReply>(context, parts_);
}

grpc::ServerBidiReactor<wire::SubmitRequests, wire::SubmitReplies>* WorkService::SubmitMany(
    grpc::CallbackServerContext* context) {
  return begin<wire::SubmitRequests, wire::SubmitReplies>(context, parts_);
}

}  // namespace mainstay::node
