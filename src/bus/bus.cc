#include "bus/bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bus/channel.h"

namespace mainstay::bus {

void Subscription::resume() { channel_->resume(); }
void Subscription::close() { channel_->close(); }
bool Subscription::wait_for(model::Sequence position, Duration patience) const {
  return channel_->wait_for(position, patience);
}
ChannelCounters Subscription::counters() const { return channel_->counters(); }

Bus::Bus(EventReader& reader, model::Sequence last)
    : reader_(reader), channels_(std::make_shared<const Channels>()), last_(last) {}

Bus::~Bus() { close(); }

void Bus::publish(const std::vector<model::Event>& events) {
  auto batch = std::make_shared<std::vector<model::Event>>();
  std::shared_ptr<const Channels> channels;
  {
    const std::lock_guard lock(mutex_);
    for (const model::Event& event : events) {
      if (event.seq > last_) batch->push_back(event);
    }
    if (batch->empty()) return;
    last_ = batch->back().seq;
    channels = channels_;
  }
  // Who subscribes from here on begins behind last_, or reads up to it.
  for (const auto& channel : *channels) channel->offer(batch);
}

Result<std::unique_ptr<Subscription>> Bus::subscribe(SubscriptionOptions options, Handler handler) {
  if (options.name.empty() || options.capacity == 0 || !handler.event) {
    return Error(Code::invalid_argument,
                 "a subscription needs a name, a capacity and a handler of events");
  }
  std::shared_ptr<Channel> channel;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return Error(Code::unavailable, "the bus is closed");
    if (options.after && (*options.after < 0 || *options.after > last_)) {
      return Error(Code::invalid_argument,
                   fmt::format("after: expected 0 to {}, got {}", last_, *options.after))
          .with("field", "after");
    }
    channel = std::make_shared<Channel>(std::move(options), std::move(handler), reader_, last_);
    auto next = std::make_shared<Channels>();
    for (const auto& known : *channels_) {
      if (!known->closed()) next->push_back(known);
    }
    next->push_back(channel);
    channels_ = std::move(next);
  }
  channel->start();
  return std::make_unique<Subscription>(std::move(channel));
}

void Bus::close() {
  std::shared_ptr<const Channels> channels;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    channels = std::exchange(channels_, std::make_shared<const Channels>());
  }
  for (const auto& channel : *channels) channel->close();
}

model::Sequence Bus::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

std::vector<ChannelCounters> Bus::counters() const {
  std::shared_ptr<const Channels> channels;
  {
    const std::lock_guard lock(mutex_);
    channels = channels_;
  }
  std::vector<ChannelCounters> all;
  for (const auto& channel : *channels) {
    if (!channel->closed()) all.push_back(channel->counters());
  }
  std::sort(all.begin(), all.end(),
            [](const ChannelCounters& a, const ChannelCounters& b) { return a.name < b.name; });
  return all;
}

}  // namespace mainstay::bus
