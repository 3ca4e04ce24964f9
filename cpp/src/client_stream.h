// One client-side bidirectional gRPC stream: reads all the time, writes what its owner has
// whenever no write is under way, and says once when it is over. Not product-specific.
//
// Lifetime: whoever opened it keeps its shared_ptr until `over` was called.
// The owner's three functions are called on gRPC's threads with no lock of the stream held, except
// `next`, which must not call back into the stream.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace mainstay::agent_internal {

/// A channel of its own connection, with keepalive; no proxy, no retries of gRPC's.
std::shared_ptr<grpc::Channel> open_channel(const std::string& target);

enum class ToSend { nothing, message, last };

template <class Out, class In>
class ClientStream final : public grpc::ClientBidiReactor<Out, In> {
 public:
  struct Owner {
    /// Fills an empty message with what there is to send; `last`: nothing comes after it.
    std::function<ToSend(Out&)> next;
    std::function<void(In&)> received;
    std::function<void(const grpc::Status&)> over;
  };
  using Start = std::function<void(grpc::ClientContext*, ClientStream*)>;

  /// `start` calls the stub's method with the context and this reactor.
  static std::shared_ptr<ClientStream> open(const std::string& token, Owner owner,
                                            const Start& start) {
    std::shared_ptr<ClientStream> stream(new ClientStream(std::move(owner)));
    stream->self_ = stream;
    stream->context_.AddMetadata("authorization", "Bearer " + token);
    start(&stream->context_, stream.get());
    stream->AddHold();  // so that writes may start outside of callbacks
    stream->StartRead(&stream->in_);
    stream->StartCall();
    stream->pump();
    return stream;
  }

  /// Sends if there is something to send and no write is under way. Any thread that holds a
  /// shared_ptr.
  void pump() {
    bool last = false;
    {
      std::lock_guard lock(mutex_);
      if (writing_ || write_failed_ || broken_ || last_sent_) return;
      out_.Clear();
      ToSend what = owner_.next(out_);
      if (what == ToSend::nothing) return;
      writing_ = true;
      last = last_sent_ = what == ToSend::last;
    }
    if (last) {
      this->StartWriteLast(&out_, grpc::WriteOptions());
    } else {
      this->StartWrite(&out_);
    }
  }

  void cancel() { context_.TryCancel(); }

 private:
  explicit ClientStream(Owner owner) : owner_(std::move(owner)) {}

  void OnReadDone(bool ok) override {
    if (ok) {
      owner_.received(in_);
      this->StartRead(&in_);
      return;
    }
    bool let_go = false;
    {
      std::lock_guard lock(mutex_);
      broken_ = true;
      let_go = !writing_;
    }
    if (let_go) this->RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    bool let_go = false;
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      write_failed_ = !ok;  // a failed read follows
      let_go = broken_;
    }
    if (let_go) {
      this->RemoveHold();
    } else {
      pump();
    }
  }

  void OnDone(const grpc::Status& status) override {
    // The last reference to a channel must not go on one of gRPC's own threads: its completion
    // queue would join the thread that it runs on (gRPC 1.51). The opener still holds this stream,
    // and lets go of it once it has been told.
    auto over = std::move(owner_.over);
    self_.reset();
    over(status);
  }

  Owner owner_;
  grpc::ClientContext context_;
  std::shared_ptr<ClientStream> self_;
  In in_;
  Out out_;
  std::mutex mutex_;
  bool writing_ = false;
  bool write_failed_ = false;
  bool broken_ = false;
  bool last_sent_ = false;
};

}  // namespace mainstay::agent_internal
