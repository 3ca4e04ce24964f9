#include "node/link/link_session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "node/link/link_messages.h"
#include "platform/clock.h"
#include "platform/crypto.h"

namespace mainstay::node {
namespace {

Error protocol_error(const std::string& what) { return Error(Code::invalid_argument, what); }

bool needs_disk(const AgentSession::Message& message) {
  const auto& results = message.results();
  return std::any_of(results.begin(), results.end(), [](const wire::AttemptResult& result) {
    return result.output_json().size() > model::Payload::kInlineLimit;
  });
}

void set_key(const model::WorkId& work, model::Epoch epoch, wire::AttemptKey& key) {
  key.set_work_id(work.view().data(), work.view().size());
  key.set_epoch(epoch);
}

}  // namespace

AgentSession::AgentSession(grpc::CallbackServerContext* context, std::shared_ptr<LinkParts> parts)
    : DuplexStream(context, parts->writer, {parts->options.max_queued_bytes, 4096}),
      parts_(std::move(parts)) {}

std::shared_ptr<AgentSession> AgentSession::self() {
  return std::static_pointer_cast<AgentSession>(shared_from_this());
}

void AgentSession::start() {
  std::weak_ptr<AgentSession> weak = self();
  hello_timer_.Set(
      std::chrono::system_clock::now() + parts_->options.hello_timeout, [weak](bool fired) {
        auto session = weak.lock();
        if (!fired || !session || session->link_ != 0) return;
        if (session->said_hello_) {
          // Not refused: nobody has judged it. The daemon may still be recovering, or be busy, and
          // an agent that is told "forbidden" does not come again.
          session->finish(Error(Code::unavailable, "the daemon does not expect start " +
                                                       std::to_string(session->claim_.incarnation) +
                                                       " of agent \"" + session->claim_.agent +
                                                       "\" yet; say hello again later"));
        } else {
          session->finish(Error(Code::deadline_exceeded, "no hello came in time"));
        }
      });
  begin();
}

AgentSession::Next AgentSession::on_message(Message& message) {
  if (link_ == 0) return on_hello(message);
  if (message.has_hello()) {
    finish(protocol_error("a second hello on one stream"));
    return Next::read;
  }
  return take_or_hand_over(message);
}

AgentSession::Next AgentSession::on_hello(const Message& message) {
  if (!message.has_hello()) {
    finish(protocol_error("the first message must be a hello"));
    return Next::read;
  }
  auto opened = link_opened_of(message.hello());
  if (!opened) {
    finish(opened.error());
    return Next::read;
  }
  std::string token = bearer_token(metadata("authorization"));
  if (token.empty()) {
    finish(Error(Code::unauthenticated, "no token: send MAINSTAY_TOKEN as authorization: Bearer"));
    return Next::read;
  }
  opened_ = std::move(opened).value();
  claim_ = {opened_.agent, opened_.incarnation, platform::sha256_hex(token),
            parts_->process_of(peer())};
  said_hello_ = true;
  if (!hold()) return Next::read;
  // One thread opens all links, so the facts of two hellos of one agent cannot cross.
  parts_->hellos.post([session = self()] { session->release(session->try_open()); });
  return Next::wait;
}

bool AgentSession::try_open() {
  LinkRegistry::Admission admission = parts_->registry.admit(claim_, self());
  if (admission.waits) return false;
  if (admission.refused) {
    finish(*admission.refused);
    return false;
  }
  if (admission.replaced) admission.replaced->replace();
  open(admission.link, admission.slots);
  return true;
}

void AgentSession::open(model::LinkId link, int allowed) {
  int asked = opened_.slots;
  int slots = asked > 0 && (allowed <= 0 || asked < allowed) ? asked : allowed;
  opened_.link = link;
  link_ = link;
  hello_timer_.Cancel();
  queue(64, [this, slots](wire::DaemonMessage& out) {
    out.mutable_welcome()->set_daemon_version(parts_->options.daemon_version);
    out.mutable_welcome()->set_agent(opened_.agent);
    out.mutable_welcome()->set_slots(slots);
    fill_settings(parts_->options.settings, *out.mutable_welcome()->mutable_settings());
  });
  parts_->sinks.fact(opened_);
}

void AgentSession::retry_hello() {
  if (hold()) release(try_open());
}

AgentSession::Next AgentSession::take_or_hand_over(Message& message) {
  if (!needs_disk(message)) {
    take(message);
    return Next::read;
  }
  if (!hold()) return Next::read;
  auto owned = std::make_shared<Message>(std::move(message));
  parts_->payloads.post([session = self(), owned] {
    session->take(*owned);
    session->release(true);
  });
  return Next::wait;
}

void AgentSession::take(Message& message) {
  const model::AgentName& agent = opened_.agent;
  const LinkServer::Sinks& sinks = parts_->sinks;
  if (sinks.log) {
    for (const wire::LogLine& line : message.logs()) take_log(line);
  }
  if (sinks.span) {
    for (const wire::Span& span : message.spans()) sinks.span(span_record_of(span, agent));
  }
  for (const wire::Progress& said : message.progress()) {
    auto progress = progress_of(said);
    if (!progress) return finish(protocol_error("a progress message without a valid attempt"));
    progress->agent = agent;
    sinks.fact(std::move(*progress));
  }
  for (wire::AttemptResult& result : *message.mutable_results()) {
    if (close_reported_) return;  // a newer link took its place: the agent says it again there
    if (!take_result(result)) return;
  }
  if (!message.goodbye()) return;
  orderly_ = true;
  finish_well();
}

void AgentSession::take_log(const wire::LogLine& line) {
  const LinkServer::Sinks& sinks = parts_->sinks;
  const std::size_t bytes = line.message().size() + line.fields_json().size();
  if (sinks.gate && !sinks.gate->admit(opened_.agent, bytes, platform::mono_now())) return;
  sinks.log(log_record_of(line, opened_.agent));
}

bool AgentSession::take_result(wire::AttemptResult& result) {
  auto attempt = attempt_of(result.work_id(), result.epoch());
  if (!attempt) {
    finish(attempt.error());
    return false;
  }
  model::AttemptFinished fact{opened_.agent, link_, attempt->work, attempt->epoch,
                              outcome_of(result)};
  auto& output = fact.outcome.output;
  if (output && output->view().size() > model::Payload::kInlineLimit) {
    auto stored = parts_->sinks.store_payload(std::string(output->view()));
    if (!stored) {
      // Not said to be finished, so the agent keeps it and sends it again over its next link.
      finish(stored.error());
      return false;
    }
    output = std::move(stored).value();
  }
  parts_->sinks.fact(std::move(fact));
  return true;
}

void AgentSession::assign(const model::AssignWork& effect) {
  queue(size_of(effect),
        [&](wire::DaemonMessage& out) { fill_assignment(effect, *out.add_assignments()); });
}

void AgentSession::cancel(const model::CancelAttempt& effect) {
  queue(64 + effect.reason.size(), [&](wire::DaemonMessage& out) {
    wire::AttemptKey& key = *out.add_cancels();
    set_key(effect.work, effect.epoch, key);
    key.set_reason(effect.reason);
  });
}

void AgentSession::ack(const model::AckResult& effect) {
  queue(32, [&](wire::DaemonMessage& out) {
    wire::ResultAck& ack = *out.add_acks();
    ack.set_work_id(effect.work.view().data(), effect.work.view().size());
    ack.set_epoch(effect.epoch);
    ack.set_accepted(effect.accepted);
  });
}

void AgentSession::drain(const model::DrainAgent& effect) {
  queue(32, [&](wire::DaemonMessage& out) {
    out.mutable_drain()->set_grace_ms(base::to_millis(effect.grace));
  });
}

void AgentSession::replace() {
  report_closed("a newer link of the same start took its place");
  finish(Error(Code::conflict, "a newer link of the same start took this one's place"));
}

void AgentSession::on_closed(const std::string& reason) {
  hello_timer_.Cancel();
  parts_->streams.remove(this);
  if (orderly_) return report_closed("the agent said goodbye");
  report_closed(reason.empty() ? "the agent closed the link" : reason);
}

void AgentSession::report_closed(const std::string& reason) {
  model::LinkId link = link_;
  if (link == 0 || close_reported_.exchange(true)) return;
  parts_->registry.closed(opened_.agent, link);
  parts_->sinks.fact(model::LinkClosed{opened_.agent, link, reason, orderly_});
}

}  // namespace mainstay::node
