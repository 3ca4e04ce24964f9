#include "platform/loop/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "platform/clock.h"
#include "platform/files/files.h"

namespace mainstay::platform {
namespace {

constexpr int kEventsAtOnce = 64;
constexpr std::uint64_t kWakeKey = 0;

}  // namespace

Result<std::unique_ptr<Reactor>> Reactor::make() {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return io_error("cannot make an epoll", "", errno);
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return io_error("cannot make an eventfd", "", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeKey;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
    return io_error("cannot watch an eventfd", "", errno);
  }
  return std::unique_ptr<Reactor>(new Reactor(std::move(epoll), std::move(wake)));
}

void Reactor::run() {
  epoll_event events[kEventsAtOnce];
  for (;;) {
    run_posted();
    {
      std::scoped_lock lock(mutex_);
      if (stopping_ && posted_.empty()) return;
    }
    run_timers();
    int count = ::epoll_wait(epoll_.get(), events, kEventsAtOnce, wait_time());
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWakeKey) {
        eventfd_t ignored = 0;
        ::eventfd_read(wake_.get(), &ignored);
        continue;
      }
      auto found = watches_.find(events[i].data.u64);
      if (found == watches_.end()) continue;  // unwatched by a callback of this round
      auto watch = found->second;
      watch->on_ready(events[i].events);
    }
  }
}

int Reactor::wait_time() const {
  auto due = timers_.next_due();
  if (!due) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - mono_now()).count();
  constexpr std::int64_t kLongest = 60'000;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongest));
}

void Reactor::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    std::scoped_lock lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

void Reactor::run_timers() {
  Mono now = mono_now();
  while (auto id = timers_.pop_due(now)) {
    auto found = timer_tasks_.find(*id);
    auto task = std::move(found->second);
    timer_tasks_.erase(found);
    task();
  }
}

void Reactor::wake() { ::eventfd_write(wake_.get(), 1); }

void Reactor::stop() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake();
}

void Reactor::post(std::function<void()> task) {
  bool was_empty = false;
  {
    std::scoped_lock lock(mutex_);
    was_empty = posted_.empty();
    posted_.push_back(std::move(task));
  }
  if (was_empty) wake();
}

Result<Reactor::WatchId> Reactor::watch(int fd, std::uint32_t events, OnReady on_ready) {
  WatchId id = next_id_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return io_error("cannot watch descriptor", std::to_string(fd), errno);
  }
  watches_.emplace(id, std::make_shared<Watch>(Watch{fd, std::move(on_ready)}));
  return id;
}

void Reactor::unwatch(WatchId id) {
  auto found = watches_.find(id);
  if (found == watches_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
  watches_.erase(found);
}

Reactor::TimerId Reactor::after(Duration delay, std::function<void()> task) {
  TimerId id = next_id_++;
  timers_.set(id, mono_now() + delay);
  timer_tasks_.emplace(id, std::move(task));
  return id;
}

void Reactor::cancel(TimerId id) {
  timers_.cancel(id);
  timer_tasks_.erase(id);
}

}  // namespace mainstay::platform
