#include "platform/http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "platform/clock.h"
#include "platform/files/fd.h"
#include "platform/files/files.h"
#include "platform/http/message.h"
#include "platform/http/response_parser.h"
#include "platform/net/endpoint.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kReadBytes = 64UL * 1024;
constexpr std::size_t kMaxEventBytes = 16UL * 1024 * 1024;

Error not_running(const std::string& address, int error_number) {
  return Error(Code::not_running, "nothing answers at " + address)
      .caused_by(io_error("cannot connect to", address, error_number));
}

/// Waits until the socket can be read or written, or the deadline.
Result<void> wait_for(int fd, short what, Mono deadline, const std::string& address) {
  while (true) {
    const auto left = base::to_millis(deadline - mono_now());
    pollfd poll_fd{fd, what, 0};
    const int ready = left < 0 ? 0 : ::poll(&poll_fd, 1, static_cast<int>(left) + 1);
    if (ready > 0) return {};
    if (ready == 0) return Error(Code::deadline_exceeded, "no answer from " + address + " in time");
    if (errno != EINTR) return io_error("cannot wait for", address, errno);
  }
}

Result<Fd> connect_to(const std::string& address, Mono deadline) {
  auto endpoint = parse_endpoint(address);
  if (!endpoint) return std::move(endpoint).error();
  const int family = endpoint->is_ipv6 ? AF_INET6 : AF_INET;
  Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return io_error("cannot make a socket for", address, errno);
  sockaddr_storage to{};
  socklen_t size = sizeof(sockaddr_in);
  if (endpoint->is_ipv6) {
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&to);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(endpoint->port);
    ::inet_pton(AF_INET6, endpoint->address.c_str(), &ipv6->sin6_addr);
    size = sizeof(sockaddr_in6);
  } else {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&to);
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(endpoint->port);
    ::inet_pton(AF_INET, endpoint->address.c_str(), &ipv4->sin_addr);
  }
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) != 0) {
    if (errno != EINPROGRESS) return not_running(address, errno);
    if (auto ready = wait_for(fd.get(), POLLOUT, deadline, address); !ready) {
      return std::move(ready).error();
    }
    int failed = 0;
    socklen_t length = sizeof(failed);
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failed, &length);
    if (failed != 0) return not_running(address, failed);
  }
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

std::string request_text(const HttpCall& call, const std::string& address) {
  std::string out = call.method + " " + call.target + " HTTP/1.1\r\n";
  const bool has_host = std::any_of(call.headers.begin(), call.headers.end(), [](const auto& h) {
    return equal_ignoring_case(h.first, "host");
  });
  if (!has_host) out += "Host: " + address + "\r\n";
  for (const auto& [name, value] : call.headers) out += name + ": " + value + "\r\n";
  if (!call.body.empty() || call.method == "POST" || call.method == "PUT") {
    out += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  }
  return out + "\r\n" + call.body;
}

/// A connection that has something to say while nothing was asked has been closed.
bool is_stale(int fd) {
  pollfd idle{fd, POLLIN, 0};
  return ::poll(&idle, 1, 0) != 0;
}

bool may_be_repeated(const HttpCall& call) {
  if (call.method == "GET" || call.method == "HEAD" || call.method == "DELETE") return true;
  return std::any_of(call.headers.begin(), call.headers.end(), [](const auto& header) {
    return equal_ignoring_case(header.first, "idempotency-key");
  });
}

/// Takes whole events off the front of `text`.
bool take_events(std::string& text, const std::function<bool(const ServerEvent&)>& on_event) {
  std::size_t end = 0;
  while ((end = text.find("\n\n")) != std::string::npos) {
    ServerEvent event;
    bool has_data = false;
    const std::string block = text.substr(0, end);
    text.erase(0, end + 2);
    for (const std::string_view line : base::split(block, '\n')) {
      const std::size_t colon = line.find(':');
      const std::string_view name = line.substr(0, colon);
      std::string_view value =
          colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
      if (value.starts_with(' ')) value.remove_prefix(1);
      if (name == "id") event.id = value;
      if (name == "event") event.kind = value;
      if (name != "data") continue;
      if (has_data) event.data += '\n';
      event.data += value;
      has_data = true;
    }
    if (has_data && !on_event(event)) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string_view> HttpReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

struct HttpClient::State {
  explicit State(std::string to) : address(std::move(to)) {}

  /// Sends the request; `reused`: on a connection kept from before.
  Result<void> send(const HttpCall& call, Mono deadline, bool& reused);
  Result<void> write(std::string_view bytes, Mono deadline);
  /// Appends what came to `input`; false: the server closed.
  Result<bool> read(Mono deadline);
  Result<HttpReply> receive(const HttpCall& call, Mono deadline);
  Error broken(std::string why) {
    fd.reset();
    return Error(Code::io_failed, address + ": " + std::move(why));
  }

  const std::string address;
  Fd fd;
  std::string input;
};

Result<void> HttpClient::State::send(const HttpCall& call, Mono deadline, bool& reused) {
  if (fd && is_stale(fd.get())) fd.reset();
  reused = fd.is_open();
  if (!reused) {
    auto made = connect_to(address, deadline);
    if (!made) return std::move(made).error();
    fd = *std::move(made);
    input.clear();
  }
  return write(request_text(call, address), deadline);
}

Result<void> HttpClient::State::write(std::string_view bytes, Mono deadline) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      auto ready = wait_for(fd.get(), POLLOUT, deadline, address);
      if (!ready) return ready;
    } else if (errno != EINTR) {
      return {};  // the answer may be there already and say why; reading tells
    }
  }
  return {};
}

Result<bool> HttpClient::State::read(Mono deadline) {
  while (true) {
    const std::size_t before = input.size();
    input.resize(before + kReadBytes);
    const ssize_t n = ::recv(fd.get(), input.data() + before, kReadBytes, 0);
    const int failed = errno;
    input.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n > 0) return true;
    if (n == 0 || failed == ECONNRESET) return false;
    if (failed == EINTR) continue;
    if (failed != EAGAIN) return io_error("cannot read from", address, failed);
    auto ready = wait_for(fd.get(), POLLIN, deadline, address);
    if (!ready) return std::move(ready).error();
  }
}

Result<HttpReply> HttpClient::State::receive(const HttpCall& call, Mono deadline) {
  ResponseParser parser(call.method == "HEAD");
  std::string body;
  while (true) {
    auto state = parser.feed(input, body);
    if (state == ResponseParser::State::more) {
      auto open = read(deadline);
      if (!open) {
        fd.reset();
        return std::move(open).error();
      }
      if (*open) continue;
      state = parser.feed_end();
      if (state == ResponseParser::State::bad) return broken("the answer broke off");
    }
    if (state == ResponseParser::State::bad) return broken("the answer is not HTTP/1.1");
    HttpReply reply = parser.head();
    reply.body = std::move(body);
    if (!parser.keep_alive()) fd.reset();
    return reply;
  }
}

HttpClient::HttpClient(std::string address) : state_(std::make_unique<State>(std::move(address))) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpReply> HttpClient::call(const HttpCall& call) {
  const Mono deadline = mono_now() + call.timeout;
  while (true) {
    bool reused = false;
    if (auto sent = state_->send(call, deadline, reused); !sent) return std::move(sent).error();
    auto reply = state_->receive(call, deadline);
    const bool nothing_came = !reply && reply.error().code() == Code::io_failed;
    if (!nothing_came || !reused || !state_->input.empty() || !may_be_repeated(call)) return reply;
    state_->fd.reset();
  }
}

Result<HttpReply> HttpClient::events(const HttpCall& call,
                                     const std::function<bool(const ServerEvent&)>& on_event) {
  state_->fd.reset();  // a stream has a connection of its own
  bool reused = false;
  Mono deadline = mono_now() + call.timeout;
  if (auto sent = state_->send(call, deadline, reused); !sent) return std::move(sent).error();
  ResponseParser parser(false);
  std::string text;
  while (true) {
    auto state = parser.feed(state_->input, text);
    const bool streams = parser.has_head() && parser.head().status == 200;
    if (streams && !take_events(text, on_event)) break;
    if (streams && text.size() > kMaxEventBytes) return state_->broken("an event is too large");
    if (state == ResponseParser::State::bad) return state_->broken("the answer is not HTTP/1.1");
    if (state == ResponseParser::State::complete) break;
    auto open = state_->read(deadline);
    if (!open) return std::move(open).error();
    deadline = mono_now() + call.timeout;
    if (*open) continue;
    if (parser.feed_end() == ResponseParser::State::bad)
      return state_->broken("the stream broke off");
    break;
  }
  state_->fd.reset();
  HttpReply reply = parser.head();
  if (reply.status != 200) reply.body = std::move(text);
  return reply;
}

Result<HttpReply> http_call(const std::string& address, const HttpCall& call) {
  return HttpClient(address).call(call);
}

}  // namespace mainstay::platform
