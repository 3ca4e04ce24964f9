#include "app/daemon/payload_writer.h"

#include <memory>
#include <mutex>
#include <utility>

namespace mainstay::app {

/// One payload and who waits for it. The text goes with the answer, so that requests that were
/// given up hold no memory while they wait for the disk.
class PayloadWriter::Request {
 public:
  Request(std::string json, OnStored on_stored)
      : json_(std::move(json)), on_stored_(std::move(on_stored)) {}

  /// The text, for the thread that writes it; nothing when it was given up.
  std::string take() {
    std::lock_guard lock(mutex_);
    return std::move(json_);
  }
  void answer(Result<model::Payload> stored) {
    std::string text;
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(answered_, true)) return;
      text.swap(json_);
    }
    on_stored_(std::move(stored));
  }

 private:
  std::mutex mutex_;
  std::string json_;
  bool answered_ = false;
  const OnStored on_stored_;
};

void PayloadWriter::put(std::string json, OnStored on_stored) {
  if (const model::StorageChanged state = store_.state(); !state.writable) {
    return on_stored(Error(state.full ? Code::storage_full : Code::storage_failed, state.reason));
  }
  auto request = std::make_shared<Request>(std::move(json), std::move(on_stored));
  auto patience = std::make_shared<platform::Timer>(timers_);
  const bool taken = pool_.submit([this, request, patience](std::size_t) {
    std::string text = request->take();
    if (text.empty()) return;
    auto name = store_.blobs().put(text);
    patience->cancel();
    if (!name) return request->answer(std::move(name).error());
    model::Payload payload = model::Payload::of(std::move(text));
    payload.blob = *std::move(name);
    request->answer(std::move(payload));
  });
  if (!taken) return request->answer(Error(Code::overloaded, "too many large payloads wait"));
  patience->after(kPatience, [request] {
    request->answer(Error(Code::unavailable, "the disk does not take the payload in time"));
  });
}

}  // namespace mainstay::app
