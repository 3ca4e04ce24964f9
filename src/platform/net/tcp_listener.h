// Waits for TCP connections and hands each out as a Stream. When the process has no file
// descriptor left (EMFILE, ENFILE), a reserve descriptor is given up for a moment to refuse the
// caller with a fixed answer, and accepting backs off: no spin, no silent hang (fault C9).
//
// Lifetime: made on any thread; callbacks run on the lanes given; after close() none starts.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "platform/loop/event_loop.h"
#include "platform/net/endpoint.h"
#include "platform/net/stream.h"

namespace mainstay::platform {

class TcpListener {
 public:
  struct Callbacks {
    /// On the connection's lane.
    std::function<void(std::unique_ptr<Stream>, int lane)> on_stream;
    /// Accepting failed and backs off; on lane 0, at most once a back-off.
    std::function<void(const Error&)> on_trouble;
    /// Sent to callers that are refused for want of a descriptor.
    std::string refusal;
  };

  /// Binds and listens; port 0 takes a free one. `environment_invalid` when the address is in use
  /// or not ours.
  static Result<std::unique_ptr<TcpListener>> open(EventLoop& loop, const Endpoint& endpoint,
                                                   Callbacks callbacks);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  /// With the real port.
  const Endpoint& local() const;
  void start();
  void close();

 private:
  struct State;
  explicit TcpListener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace mainstay::platform
