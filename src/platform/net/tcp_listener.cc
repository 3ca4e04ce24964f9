#include "platform/net/tcp_listener.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

#include "platform/files/fd.h"
#include "platform/net/tcp_stream.h"

namespace mainstay::platform {
namespace {

constexpr int kBacklog = 1024;
constexpr Duration kBackOff = std::chrono::milliseconds(50);

Fd open_reserve() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

struct TcpListener::State : std::enable_shared_from_this<State> {
  State(EventLoop& on, Callbacks calls)
      : loop(on), callbacks(std::move(calls)), acceptor(on.context(0)), retry(on, 0) {}

  void accept_next();
  void on_accepted(const boost::system::error_code& failed, asio::ip::tcp::socket socket, int lane);
  void back_off(const boost::system::error_code& failed);
  void refuse_one();

  EventLoop& loop;
  Callbacks callbacks;
  asio::ip::tcp::acceptor acceptor;  // lane 0 only, after start
  Timer retry;
  Fd reserve = open_reserve();
  Endpoint local;
  bool closed = false;
};

void TcpListener::State::accept_next() {
  if (closed) return;
  const int lane = loop.next_lane();
  acceptor.async_accept(loop.context(lane),
                        [self = shared_from_this(), lane](const boost::system::error_code& failed,
                                                          asio::ip::tcp::socket socket) {
                          self->on_accepted(failed, std::move(socket), lane);
                        });
}

void TcpListener::State::on_accepted(const boost::system::error_code& failed,
                                     asio::ip::tcp::socket socket, int lane) {
  if (closed) return;
  if (failed) {
    // The caller may be gone already; only a lack of resources is worth waiting for.
    const bool caller_left = failed == asio::error::connection_aborted ||
                             failed == asio::error::connection_reset ||
                             failed == asio::error::interrupted;
    if (caller_left) return accept_next();
    return back_off(failed);
  }
  auto stream = std::make_unique<TcpStream>(std::move(socket));
  if (lane == 0) {
    callbacks.on_stream(std::move(stream), lane);
  } else {
    asio::post(loop.context(lane),
               [self = shared_from_this(), lane, stream = std::move(stream)]() mutable {
                 self->callbacks.on_stream(std::move(stream), lane);
               });
  }
  accept_next();
}

void TcpListener::State::back_off(const boost::system::error_code& failed) {
  if (failed == asio::error::no_descriptors) refuse_one();
  if (callbacks.on_trouble) {
    callbacks.on_trouble(Error(Code::environment_invalid, "cannot accept connections on " +
                                                              local.to_text() + ": " +
                                                              failed.message() + "; trying again")
                             .with("address", local.to_text()));
  }
  retry.after(kBackOff, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->accept_next();
  });
}

void TcpListener::State::refuse_one() {
  reserve.reset();
  const Fd caller(
      ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (caller) {
    const ssize_t sent = ::send(caller.get(), callbacks.refusal.data(), callbacks.refusal.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) ::shutdown(caller.get(), SHUT_WR);
  }
  reserve = open_reserve();
}

Result<std::unique_ptr<TcpListener>> TcpListener::open(EventLoop& loop, const Endpoint& endpoint,
                                                       Callbacks callbacks) {
  using asio::ip::tcp;
  auto state = std::make_shared<State>(loop, std::move(callbacks));
  boost::system::error_code failed;
  const tcp::endpoint address(asio::ip::make_address(endpoint.address, failed), endpoint.port);
  if (!failed) state->acceptor.open(address.protocol(), failed);
  if (!failed) state->acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
  if (!failed) state->acceptor.bind(address, failed);
  if (!failed) state->acceptor.listen(kBacklog, failed);
  if (!failed) state->acceptor.non_blocking(true, failed);
  if (failed) {
    return Error(Code::environment_invalid,
                 "cannot listen on " + endpoint.to_text() + ": " + failed.message())
        .with("address", endpoint.to_text());
  }
  ::fcntl(state->acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
  state->local = endpoint;
  state->local.port = state->acceptor.local_endpoint(failed).port();
  return std::unique_ptr<TcpListener>(new TcpListener(std::move(state)));
}

TcpListener::TcpListener(std::shared_ptr<State> state) : state_(std::move(state)) {}

TcpListener::~TcpListener() { close(); }

const Endpoint& TcpListener::local() const { return state_->local; }

void TcpListener::start() {
  state_->loop.post([state = state_] { state->accept_next(); });
}

void TcpListener::close() {
  state_->loop.post([state = state_] {
    if (std::exchange(state->closed, true)) return;
    boost::system::error_code ignored;
    state->acceptor.close(ignored);
    state->retry.cancel();
  });
}

}  // namespace mainstay::platform
