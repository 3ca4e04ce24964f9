// A gRPC server on a Unix socket that we accept on ourselves (so each stream can be tied to the
// process behind it) and, if wanted, on a loopback TCP port.
//
// Both sides ping over HTTP/2: a peer that vanished without a word is noticed within about
// kKeepalive + kKeepaliveTimeout. Clients may ping every kMinPing, not faster.
//
// Threads: gRPC's own. Fails: start() and listen_unix(), when an address cannot be bound or is not
// loopback.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/grpc/unix_listener.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace mainstay::platform {

class GrpcServer {
 public:
  static constexpr std::chrono::seconds kKeepalive{20};
  static constexpr std::chrono::seconds kKeepaliveTimeout{10};
  static constexpr std::chrono::seconds kMinPing{5};

  struct Options {
    std::string tcp_address;  ///< `127.0.0.1:0`; empty: no TCP
    std::size_t max_message_bytes = 0;
  };

  /// The services live until stop() has returned.
  static Result<std::unique_ptr<GrpcServer>> start(const Options& options,
                                                   const std::vector<grpc::Service*>& services);
  ~GrpcServer();

  /// Opens the Unix socket; apart from start(), so that the services can know the server first.
  Result<void> listen_unix(const std::string& path);

  /// `unix:/path`, where the socket really is; empty without one.
  std::string unix_target() const;
  /// With the real port; empty without TCP.
  const std::string& tcp_address() const { return tcp_address_; }

  /// The process behind a stream, by its context's peer(); nullopt for TCP, pid 0 when unknown.
  /// Only valid while a call of that connection lives: gRPC keeps the descriptor (and so its
  /// number) until then.
  std::optional<PeerProcess> process_of(std::string_view peer) const;

  /// Takes no more connections and calls; cuts what is left after `patience`. Returns when every
  /// call has ended.
  void stop(std::chrono::milliseconds patience);

 private:
  GrpcServer() = default;
  void take(Fd connection, PeerProcess peer);

  static constexpr std::size_t kMaxDescriptors = 65'536;

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<UnixListener> listener_;
  std::string tcp_address_;
  /// By descriptor number: pid of the process behind it. Written before gRPC learns of the
  /// connection.
  std::unique_ptr<std::array<std::atomic<pid_t>, kMaxDescriptors>> pids_;
};

}  // namespace mainstay::platform
