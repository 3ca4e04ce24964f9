#include "node/process/supervised_process.h"

#include <sys/epoll.h>

#include <csignal>

#include "platform/clock.h"

namespace mainstay::node {

model::ProcessIdentity to_model(const platform::ProcessIdentity& identity) {
  return {identity.pid, identity.start_ticks, identity.boot_id};
}

platform::ProcessIdentity from_model(const model::ProcessIdentity& identity) {
  return {identity.pid, identity.start_ticks, identity.boot_id};
}

SupervisedProcess::SupervisedProcess(platform::Reactor& reactor, platform::Fd pidfd,
                                     platform::ProcessTree tree, Calls calls)
    : reactor_(reactor),
      pidfd_(std::move(pidfd)),
      tree_(std::move(tree)),
      calls_(std::move(calls)),
      earlier_memory_kills_(tree_.group() ? tree_.group()->out_of_memory_kills() : 0) {}

SupervisedProcess::~SupervisedProcess() {
  reactor_.unwatch(watch_);
  reactor_.cancel(grace_timer_);
}

Result<void> SupervisedProcess::watch() {
  auto watch = reactor_.watch(pidfd_.get(), EPOLLIN, [this](std::uint32_t) { main_ended(); });
  if (!watch) return watch.error();
  watch_ = *watch;
  return {};
}

void SupervisedProcess::stop(Duration grace) {
  if (killer_ != nullptr) return;
  Mono until = platform::mono_now() + grace;
  if (grace_until_ && *grace_until_ <= until) return;
  if (!grace_until_) platform::send_signal(pidfd_, SIGTERM);
  grace_until_ = until;
  reactor_.cancel(grace_timer_);
  grace_timer_ = reactor_.after(grace, [this] { kill(); });
}

void SupervisedProcess::kill() {
  if (killer_ != nullptr) return;
  reactor_.cancel(std::exchange(grace_timer_, 0));
  platform::send_signal(pidfd_, SIGKILL);
  TreeKiller::Calls calls;
  calls.empty = [] {};  // main_ended() is still to come and looks again
  calls.stuck = calls_.stuck;
  killer_ = std::make_unique<TreeKiller>(reactor_, tree_, std::move(calls));
  killer_->start();
}

platform::KillReport SupervisedProcess::kill_and_wait(Duration limit) {
  platform::send_signal(pidfd_, SIGKILL);
  auto report = tree_.kill_all(limit);
  platform::reap(pidfd_);
  return report;
}

void SupervisedProcess::main_ended() {
  auto exit = platform::peek_exit(pidfd_);
  if (!exit) return;
  exit_ = *exit;
  reactor_.unwatch(std::exchange(watch_, 0));
  reactor_.cancel(std::exchange(grace_timer_, 0));
  // Whatever it left behind goes now. The zombie of the main process still holds its number, so
  // nobody else can be taken for a part of the tree. A killer that is already at work starts anew:
  // it may have found nothing while the main process was the only one left.
  TreeKiller::Calls calls;
  calls.empty = [this] { all_gone(); };
  calls.stuck = calls_.stuck;
  killer_ = std::make_unique<TreeKiller>(reactor_, tree_, std::move(calls));
  killer_->start();
}

void SupervisedProcess::all_gone() {
  // For an adopted process the kernel may know the status only after its reaper has seen it.
  if (!exit_->code && !exit_->signal) exit_ = platform::peek_exit(pidfd_).value_or(*exit_);
  platform::reap(pidfd_);
  model::ExitStatus status;
  status.code = exit_->code;
  status.signal = exit_->signal;
  status.core_dumped = exit_->core_dumped;
  bool memory_kill = tree_.group() && tree_.group()->out_of_memory_kills() > earlier_memory_kills_;
  status.out_of_memory = memory_kill && exit_->signal == SIGKILL;
  auto gone = std::move(calls_.gone);
  gone(status);  // may destroy this
}

}  // namespace mainstay::node
