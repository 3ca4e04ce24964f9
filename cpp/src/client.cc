#include "mainstay/client.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "client_core.h"
#include "mainstay/v1/link.grpc.pb.h"
#include "text.h"

namespace mainstay {
namespace client_internal {
namespace {

using agent_internal::clean_utf8;
using agent_internal::ToSend;
using agent_internal::uuid_text;
using std::chrono::milliseconds;

constexpr milliseconds kBackoffMin{20};
constexpr milliseconds kBackoffMax{2000};
/// Of one message.
constexpr std::size_t kMessageBytes = std::size_t{1} << 20;
constexpr int kMessageRequests = 512;

std::string from_environment(const char* name, std::string given) {
  if (!given.empty()) return given;
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

v1::SubmitRequest request_of(SubmitOptions options) {
  v1::SubmitRequest request;
  request.set_capability(clean_utf8(options.capability));
  request.set_description(clean_utf8(options.description));
  request.set_input_json(std::move(options.input));
  if (options.priority) {
    request.set_priority(*options.priority);
    request.set_has_priority(true);
  }
  request.set_idempotency_key(clean_utf8(options.idempotency_key));
  request.set_timeout_ms(options.timeout.count());
  request.set_idle_timeout_ms(options.idle_timeout.count());
  request.set_max_attempts(options.max_attempts);
  request.set_phase(clean_utf8(options.phase));
  request.set_trace_parent(clean_utf8(options.trace_parent));
  for (const auto& [key, value] : options.labels) {
    (*request.mutable_labels())[clean_utf8(key)] = clean_utf8(value);
  }
  return request;
}

/// Statuses that no retry changes.
bool is_final(grpc::StatusCode code) {
  return code == grpc::UNAUTHENTICATED || code == grpc::PERMISSION_DENIED ||
         code == grpc::INVALID_ARGUMENT || code == grpc::UNIMPLEMENTED;
}

}  // namespace

Core::Core(Client::Options options)
    : options_(std::move(options)), random_(std::random_device{}()) {
  options_.link = from_environment("MAINSTAY_LINK", std::move(options_.link));
  options_.token = from_environment("MAINSTAY_TOKEN", std::move(options_.token));
  options_.window = std::max<std::size_t>(options_.window, 1);
}

void Core::start() {
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
}

void Core::close() {
  std::shared_ptr<Stream> stream;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    stream = stream_;
  }
  changed_.notify_all();
  if (stream) stream->cancel();
  if (!thread_.joinable()) return;
  thread_.join();
  Told told;
  {
    std::lock_guard lock(mutex_);
    ++telling_now_;
    refused_ = SubmitProblem{"unavailable", "the client was closed", true};
    sort_out(grpc::Status::OK, told);
  }
  tell(told);
}

void Core::submit(SubmitOptions options, Client::OnAccepted on_accepted,
                  Client::OnFinished on_finished) {
  Pending pending;
  pending.request = request_of(std::move(options));
  pending.request.set_wait(static_cast<bool>(on_finished));
  pending.on_accepted = std::move(on_accepted);
  pending.on_finished = std::move(on_finished);
  Told told;
  std::shared_ptr<Stream> stream;
  {
    Lock lock(mutex_);
    changed_.wait(lock, [this] { return has_room(); });
    ++telling_now_;
    if (closing_ || refused_) {
      fail(pending, refused_.value_or(SubmitProblem{"unavailable", "the client was closed", true}),
           told);
    } else {
      std::uint64_t id = ++last_id_;
      pending.request.set_request_id(id);
      pending_.emplace(id, std::move(pending));
      to_send_.push_back(id);
      stream = stream_;
    }
  }
  tell(told);
  if (stream) stream->pump();
}

bool Core::wait_for_room(std::chrono::nanoseconds at_most) {
  Lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [this] { return has_room(); });
}

bool Core::wait_idle(std::chrono::nanoseconds at_most) {
  Lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [this] { return pending_.empty() && telling_now_ == 0; });
}

void Core::run() {
  int failures = 0;
  while (true) {
    grpc::Status status = one_connection();
    Told told;
    Lock lock(mutex_);
    if (closing_) return;
    failures = std::exchange(heard_, false) ? 0 : failures + 1;
    ++telling_now_;
    sort_out(status, told);
    bool refused = refused_.has_value();
    lock.unlock();
    tell(told);
    if (refused) return;
    auto cap = std::min<milliseconds>(kBackoffMax, kBackoffMin * (1 << std::min(failures, 10)));
    std::uniform_int_distribution<std::int64_t> up_to(0, cap.count());
    lock.lock();
    changed_.wait_for(lock, milliseconds(up_to(random_)), [this] { return closing_; });
    if (closing_) return;
  }
}

grpc::Status Core::one_connection() {
  auto stub = v1::Work::NewStub(agent_internal::open_channel(options_.link));
  auto self = shared_from_this();
  Stream::Owner owner;
  owner.next = [self](v1::SubmitRequests& out) { return self->next_message(out); };
  owner.received = [self](v1::SubmitReplies& replies) { self->received(replies); };
  owner.over = [self](const grpc::Status& status) {
    {
      std::lock_guard lock(self->mutex_);
      self->stream_over_ = status;
    }
    self->changed_.notify_all();
  };
  auto stream = Stream::open(options_.token, std::move(owner),
                             [&stub](grpc::ClientContext* context, Stream* reactor) {
                               stub->async()->SubmitMany(context, reactor);
                             });
  Lock lock(mutex_);
  stream_ = stream;
  bool closing = closing_;
  lock.unlock();
  if (closing) stream->cancel();
  stream->pump();
  lock.lock();
  changed_.wait(lock, [this] { return stream_over_.has_value(); });
  stream_.reset();
  grpc::Status status = *stream_over_;
  stream_over_.reset();
  return status;
}

ToSend Core::next_message(v1::SubmitRequests& out) {
  std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  while (!to_send_.empty() && bytes < kMessageBytes && out.requests_size() < kMessageRequests) {
    auto found = pending_.find(to_send_.front());
    to_send_.pop_front();
    if (found == pending_.end()) continue;
    found->second.sent = true;
    bytes += found->second.request.input_json().size() + 256;
    *out.add_requests() = found->second.request;
    // Kept whole only where it may have to be sent again.
    if (found->second.request.idempotency_key().empty()) found->second.request.Clear();
  }
  return out.requests_size() > 0 ? ToSend::message : ToSend::nothing;
}

void Core::received(v1::SubmitReplies& replies) {
  Told told;
  {
    std::lock_guard lock(mutex_);
    ++telling_now_;
    heard_ = true;
    for (v1::SubmitReply& reply : *replies.mutable_replies()) take_reply(reply, told);
  }
  tell(told);
}

/// With the lock held.
void Core::take_reply(v1::SubmitReply& reply, Told& told) {
  auto found = pending_.find(reply.request_id());
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  if (reply.has_problem()) {
    const v1::Problem& problem = reply.problem();
    fail(pending, {problem.code(), problem.message(), problem.retryable()}, told);
    pending_.erase(found);
  } else if (reply.has_accepted()) {
    pending.work_id = uuid_text(reply.accepted().work_id());
    bool first = !std::exchange(pending.accepted, true);
    if (first && pending.on_accepted) {
      told.push_back([call = std::move(pending.on_accepted),
                      accepted = Accepted{pending.work_id, reply.accepted().duplicate(), {}}] {
        call(accepted);
      });
    }
    if (!pending.on_finished) pending_.erase(found);
  } else if (reply.has_finished()) {
    v1::Finished& end = *reply.mutable_finished();
    Finished finished{uuid_text(end.work_id()), end.state(), std::move(*end.mutable_output_json()),
                      end.failure().code(), end.failure().message()};
    told.push_back([call = std::move(pending.on_finished), finished = std::move(finished)] {
      call(finished);
    });
    pending_.erase(found);
  }
}

/// With the lock held, the stream over: what is sent again, and what is given up.
void Core::sort_out(const grpc::Status& status, Told& told) {
  if (is_final(status.error_code())) {
    refused_ = SubmitProblem{"unauthenticated", status.error_message(), false};
    if (status.error_code() == grpc::INVALID_ARGUMENT) refused_->code = "invalid_argument";
    if (status.error_code() == grpc::UNIMPLEMENTED) refused_->code = "not_supported";
  }
  SubmitProblem lost{"unavailable",
                     "the connection was lost: " + status.error_message() +
                         "; whether the item was accepted is unknown",
                     true};
  to_send_.clear();
  for (auto it = pending_.begin(); it != pending_.end();) {
    Pending& pending = it->second;
    bool again = !pending.sent || !pending.request.idempotency_key().empty();
    if (again && !refused_) {
      pending.sent = false;
      to_send_.push_back(it->first);
      ++it;
      continue;
    }
    fail(pending, refused_.value_or(lost), told);
    it = pending_.erase(it);
  }
}

/// Tells the callback that is still due.
void Core::fail(Pending& pending, const SubmitProblem& problem, Told& told) {
  if (!pending.accepted && pending.on_accepted) {
    told.push_back([call = std::move(pending.on_accepted), problem] {
      call(Accepted{{}, false, problem});
    });
  }
  if (!pending.on_finished) return;
  told.push_back([call = std::move(pending.on_finished), problem, id = pending.work_id] {
    call(Finished{id, {}, {}, problem.code, problem.message});
  });
}

void Core::tell(Told& told) {
  if (!told.empty()) {
    std::lock_guard lock(telling_);
    for (auto& call : told) call();
  }
  {
    std::lock_guard lock(mutex_);
    --telling_now_;
  }
  changed_.notify_all();
}

}  // namespace client_internal

Client::Client() : Client(Options()) {}

Client::Client(Options options)
    : core_(std::make_shared<client_internal::Core>(std::move(options))) {
  core_->start();
}

Client::~Client() { close(); }

void Client::submit(SubmitOptions request, OnAccepted on_accepted, OnFinished on_finished) {
  core_->submit(std::move(request), std::move(on_accepted), std::move(on_finished));
}

Finished Client::run(SubmitOptions request) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Finished> finished;
  };
  auto wait = std::make_shared<Wait>();
  submit(std::move(request), {}, [wait](const Finished& finished) {
    std::lock_guard lock(wait->mutex);
    wait->finished = finished;
    wait->changed.notify_all();
  });
  std::unique_lock lock(wait->mutex);
  wait->changed.wait(lock, [&] { return wait->finished.has_value(); });
  return *wait->finished;
}

bool Client::wait_for_room(std::chrono::nanoseconds at_most) {
  return core_->wait_for_room(at_most);
}

bool Client::wait_idle(std::chrono::nanoseconds at_most) { return core_->wait_idle(at_most); }

void Client::close() { core_->close(); }

}  // namespace mainstay
