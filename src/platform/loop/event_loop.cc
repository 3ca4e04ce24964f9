#include "platform/loop/event_loop.h"

#include <mutex>
#include <system_error>
#include <utility>

#include "platform/loop/asio.h"
#include "platform/loop/thread_name.h"

namespace mainstay::platform {

/// One lane's queue. Its callbacks can be destroyed before the queue itself is.
class EventLoop::Context : public asio::io_context {
 public:
  // The hint tells Asio that one thread runs it; posting from others stays safe.
  Context() : asio::io_context(1) {}
  void drop_callbacks() { shutdown(); }
};

EventLoop::EventLoop(std::string name, int lanes) : name_(std::move(name)) {
  MS_ASSERT(lanes >= 1, "an event loop needs a lane");
  for (int i = 0; i < lanes; ++i) contexts_.push_back(std::make_unique<Context>());
}

EventLoop::~EventLoop() {
  stop();
  // What is still queued may own timers and connections of any lane: it goes while all lanes still
  // exist. Twice, since what goes may post a last time.
  for (int round = 0; round < 2; ++round) {
    for (auto& context : contexts_) context->drop_callbacks();
  }
}

Result<void> EventLoop::start() {
  MS_ASSERT(threads_.empty(), "an event loop is started once");
  try {
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      threads_.emplace_back([this, i] {
        name_this_thread((name_ + "-" + std::to_string(i)).c_str());
        const auto stay = asio::make_work_guard(*contexts_[i]);
        contexts_[i]->run();
      });
    }
  } catch (const std::system_error& refused) {
    stop();
    return Error(Code::environment_invalid,
                 std::string("cannot start an I/O thread: ") + refused.what());
  }
  return {};
}

void EventLoop::stop() {
  for (auto& context : contexts_) context->stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  threads_.clear();
}

void EventLoop::post(std::function<void()> task, int lane) {
  asio::post(context(lane), std::move(task));
}

asio::io_context& EventLoop::context(int lane) {
  return *contexts_[static_cast<std::size_t>(lane)];
}

bool EventLoop::on_lane(int lane) const {
  return contexts_[static_cast<std::size_t>(lane)]->get_executor().running_in_this_thread();
}

struct Timer::State {
  explicit State(asio::io_context& context) : timer(context) {}

  std::mutex mutex;
  asio::steady_timer timer;
  std::uint64_t generation = 0;
  std::function<void()> callback;
};

Timer::Timer(EventLoop& loop, int lane) : state_(std::make_shared<State>(loop.context(lane))) {}

Timer::~Timer() { cancel(); }

void Timer::after(Duration delay, std::function<void()> callback) {
  std::function<void()> replaced;  // destroyed after the lock is released
  const std::lock_guard lock(state_->mutex);
  replaced = std::exchange(state_->callback, std::move(callback));
  const std::uint64_t mine = ++state_->generation;
  state_->timer.expires_after(delay);
  state_->timer.async_wait([state = state_, mine](const boost::system::error_code&) {
    std::function<void()> due;
    {
      const std::lock_guard inner(state->mutex);
      if (state->generation != mine) return;
      due = std::exchange(state->callback, nullptr);
    }
    if (due) due();
  });
}

void Timer::cancel() {
  std::function<void()> replaced;
  const std::lock_guard lock(state_->mutex);
  ++state_->generation;
  replaced = std::exchange(state_->callback, nullptr);
  state_->timer.cancel();
}

}  // namespace mainstay::platform
