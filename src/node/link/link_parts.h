// What the streams of one link server share. Made by the server, kept alive by every stream.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/link/link.h"
#include "node/link/link_registry.h"
#include "node/link/link_worker.h"
#include "platform/grpc/grpc_server.h"
#include "platform/grpc/write_starter.h"

namespace mainstay::node {

/// A stream as far as the server's stop is concerned.
class EndableStream {
 public:
  virtual ~EndableStream() = default;
  virtual void end(const Error& error) = 0;
};

/// Every stream there is. Thread-safe.
class StreamList {
 public:
  /// False after close_all(): the stream comes too late.
  bool add(const std::shared_ptr<EndableStream>& stream);
  void remove(const EndableStream* stream);
  void close_all(const Error& error);

 private:
  std::mutex mutex_;
  std::map<const EndableStream*, std::weak_ptr<EndableStream>> streams_;
  bool closed_ = false;
};

struct LinkParts {
  LinkServer::Options options;
  LinkServer::Sinks sinks;
  LinkRegistry registry;
  StreamList streams;
  /// Opens all links, one after the other.
  LinkWorker hellos{"link-hellos"};
  /// Waits for the disk: large payloads. Apart from the hellos, so that a slow disk does not keep
  /// agents from connecting.
  LinkWorker payloads{"link-payloads"};
  std::shared_ptr<platform::WriteStarter> writer;
  std::atomic<platform::GrpcServer*> server = nullptr;

  /// Who is at the other end of a stream; nullopt over TCP.
  std::optional<platform::PeerProcess> process_of(const std::string& peer) const {
    platform::GrpcServer* now = server.load();
    return now ? now->process_of(peer) : std::nullopt;
  }
};

/// The token of an `authorization: Bearer TOKEN` value; empty when it is none.
std::string bearer_token(const std::string& authorization);

}  // namespace mainstay::node
