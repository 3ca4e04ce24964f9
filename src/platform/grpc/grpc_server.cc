#include "platform/grpc/grpc_server.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/text.h"

namespace mainstay::platform {
namespace {

int millis(std::chrono::milliseconds d) { return static_cast<int>(d.count()); }

Error bad_address(const std::string& address, const std::string& why) {
  return Error(Code::config_invalid, "cannot listen on \"" + address + "\": " + why)
      .with("address", address)
      .with_hint("give HOST:PORT with a loopback host, such as 127.0.0.1:7001");
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "localhost" || host == "[::1]";
}

/// The host of `host:port`, when both are in order.
Result<std::string> host_of(const std::string& address) {
  std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) return bad_address(address, "it has no port");
  std::uint16_t port = 0;
  const char* end = address.data() + address.size();
  auto [stop, failed] = std::from_chars(address.data() + colon + 1, end, port);
  if (failed != std::errc() || stop != end || colon + 1 == address.size()) {
    return bad_address(address, "its port is not a number from 0 to 65535");
  }
  std::string host = address.substr(0, colon);
  if (!is_loopback(host)) {
    return bad_address(address, "this version serves agents on loopback only (no TLS yet)");
  }
  return host;
}

void set_options(grpc::ServerBuilder& builder, std::size_t max_message_bytes) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(max_message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(max_message_bytes));
  // Two daemons on one port must not share it silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, millis(GrpcServer::kKeepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, millis(GrpcServer::kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             millis(GrpcServer::kMinPing));
}

/// What it says by itself goes to stderr, in a form of its own; its trouble is told by errors.
void silence_grpc() {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function([](gpr_log_func_args*) {});
}

/// Keeps the library until the process ends. Its own end waits for a poller that it starts whenever
/// a socket was full, 10 s and longer (run_poller in tcp_posix.cc, 1.51), and so would the
/// daemon's.
void keep_grpc() {
  static const bool kept = [] {
    grpc_init();
    return true;
  }();
  static_cast<void>(kept);
}

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const Options& options,
                                                      const std::vector<grpc::Service*>& services) {
  silence_grpc();
  keep_grpc();
  std::unique_ptr<GrpcServer> made(new GrpcServer);
  grpc::ServerBuilder builder;
  set_options(builder, options.max_message_bytes);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::string host;
  int port = 0;
  if (!options.tcp_address.empty()) {
    auto good = host_of(options.tcp_address);
    if (!good) return good.error();
    host = std::move(good).value();
    builder.AddListeningPort(options.tcp_address, grpc::InsecureServerCredentials(), &port);
  }
  made->server_ = builder.BuildAndStart();
  if (!made->server_ || (!host.empty() && port <= 0)) {
    return Error(Code::environment_invalid, "cannot listen on " + options.tcp_address +
                                                ": the address is in use or not allowed")
        .with_hint(
            "another fleet may use it: set link.listen to another port, to port 0 for any "
            "free one, or to \"\" for none");
  }
  if (!host.empty()) made->tcp_address_ = host + ":" + std::to_string(port);
  return made;
}

Result<void> GrpcServer::listen_unix(const std::string& path) {
  auto bindable = bindable_socket_path(path);
  if (!bindable) return bindable.error();
  pids_ = std::make_unique<std::array<std::atomic<pid_t>, kMaxDescriptors>>();
  auto listening = UnixListener::listen(
      std::move(bindable).value(),
      [this](Fd connection, PeerProcess peer) { take(std::move(connection), peer); });
  if (!listening) return listening.error();
  listener_ = std::move(listening).value();
  return {};
}

void GrpcServer::take(Fd connection, PeerProcess peer) {
  auto number = static_cast<std::size_t>(connection.get());
  if (number >= kMaxDescriptors) return;
  (*pids_)[number].store(peer.pid, std::memory_order_release);
  grpc::AddInsecureChannelFromFd(server_.get(), connection.release());
}

std::optional<PeerProcess> GrpcServer::process_of(std::string_view peer) const {
  constexpr std::string_view kPrefix = "fd:";
  if (peer.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  PeerProcess unknown{0, ::geteuid()};
  peer.remove_prefix(kPrefix.size());
  std::size_t number = 0;
  auto [stop, failed] = std::from_chars(peer.data(), peer.data() + peer.size(), number);
  if (failed != std::errc() || stop != peer.data() + peer.size() || number >= kMaxDescriptors ||
      !pids_) {
    return unknown;
  }
  return PeerProcess{(*pids_)[number].load(std::memory_order_acquire), ::geteuid()};
}

std::string GrpcServer::unix_target() const { return listener_ ? "unix:" + listener_->path() : ""; }

void GrpcServer::stop(std::chrono::milliseconds patience) {
  if (listener_) listener_->stop();
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now() + patience);
  server_->Wait();
}

GrpcServer::~GrpcServer() { stop(std::chrono::milliseconds(0)); }

}  // namespace mainstay::platform
