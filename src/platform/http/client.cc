#include "platform/http/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/text.h"
#include "platform/clock.h"
#include "platform/http/chunk_decoder.h"
#include "platform/http/message.h"

namespace mainstay::platform {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kMaxBody = std::size_t{1} << 30;

Error late(const std::string& address) {
  return Error(Code::deadline_exceeded, fmt::format("{} did not answer in time", address));
}

Error unreachable(const std::string& address, int error_number) {
  return Error(Code::unavailable,
               fmt::format("cannot reach {}: {}", address, std::strerror(error_number)));
}

// True when the socket is ready for `events` before `until`.
bool wait_for(int fd, short events, Mono until) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - mono_now()).count();
    if (left <= 0) return false;
    pollfd wait{fd, events, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

}  // namespace

struct HttpClient::Head {
  HttpAnswer answer;
  bool keep_alive = true;
  bool chunked = false;
  std::optional<std::size_t> length;
};

std::string_view HttpAnswer::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

HttpClient::HttpClient(std::string address) : address_(std::move(address)) {}

Result<void> HttpClient::connect(Mono until) {
  const std::size_t colon = address_.rfind(':');
  if (colon == std::string::npos) {
    return Error(Code::invalid_argument, address_ + ": expected an address such as 127.0.0.1:7000");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string host = address_.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const int failed =
      ::getaddrinfo(host.c_str(), address_.substr(colon + 1).c_str(), &hints, &found);
  if (failed != 0) {
    return Error(Code::unavailable, fmt::format("{}: {}", address_, ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  received_.clear();
  socket_ = Fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_.is_open()) return unreachable(address_, errno);
  if (::connect(socket_.get(), found->ai_addr, found->ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return unreachable(address_, errno);
    if (!wait_for(socket_.get(), POLLOUT, until)) return late(address_);
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return unreachable(address_, error);
  }
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return {};
}

Result<void> HttpClient::send(const HttpCall& call, Mono until) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", call.method, call.target,
                                 address_);
  for (const auto& [name, value] : call.headers) text += name + ": " + value + "\r\n";
  if (!call.body.empty() || call.method == "POST") {
    text += fmt::format("Content-Length: {}\r\n", call.body.size());
  }
  text += "\r\n" + call.body;
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n > 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket_.get(), POLLOUT, until)) return late(address_);
    } else if (errno != EINTR) {
      return unreachable(address_, errno);
    }
  }
  return {};
}

Result<void> HttpClient::read_some(Mono until) {
  char buffer[64 * 1024];
  while (true) {
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    if (n > 0) {
      received_.append(buffer, static_cast<std::size_t>(n));
      return {};
    }
    if (n == 0) return Error(Code::unavailable, address_ + " closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return unreachable(address_, errno);
    if (!wait_for(socket_.get(), POLLIN, until)) return late(address_);
  }
}

Result<HttpClient::Head> HttpClient::read_head(Mono until) {
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (received_.size() > kMaxHead) {
      return Error(Code::io_failed, address_ + " does not answer in HTTP");
    }
    if (auto read = read_some(until); !read) return std::move(read).error();
  }
  const std::string text = received_.substr(0, end);
  received_.erase(0, end + 4);
  Head head;
  const auto lines = base::split(text, '\n');
  const std::string_view first = lines.front();
  if (!first.starts_with("HTTP/1.") || first.size() < 12 ||
      std::from_chars(first.data() + 9, first.data() + 12, head.answer.status).ec != std::errc()) {
    return Error(Code::io_failed, address_ + " does not answer in HTTP");
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    if (colon == std::string_view::npos) continue;
    head.answer.headers.emplace_back(lower(lines[i].substr(0, colon)),
                                     std::string(base::trim(lines[i].substr(colon + 1))));
  }
  head.keep_alive = lower(head.answer.header("connection")) != "close";
  head.chunked = lower(head.answer.header("transfer-encoding")) == "chunked";
  const std::string_view length = head.answer.header("content-length");
  std::size_t bytes = 0;
  if (!length.empty() && std::from_chars(length.data(), length.data() + length.size(), bytes).ec ==
                             std::errc()) {
    head.length = bytes;
  }
  return head;
}

Result<std::string> HttpClient::read_body(const Head& head, Mono until) {
  if (!head.chunked) {
    const std::size_t length = head.length.value_or(0);
    if (length > kMaxBody) return Error(Code::payload_too_large, "the answer is over 1 GiB");
    while (received_.size() < length) {
      if (auto read = read_some(until); !read) return std::move(read).error();
    }
    std::string body = received_.substr(0, length);
    received_.erase(0, length);
    return body;
  }
  ChunkDecoder decoder(kMaxBody);
  std::string body;
  while (true) {
    std::size_t consumed = 0;
    const auto state = decoder.decode(received_, consumed, body);
    received_.erase(0, consumed);
    if (state == ChunkDecoder::State::done) return body;
    if (state != ChunkDecoder::State::more) {
      return Error(Code::io_failed, address_ + " sends a broken body");
    }
    if (auto read = read_some(until); !read) return std::move(read).error();
  }
}

Result<HttpAnswer> HttpClient::exchange(const HttpCall& call, Mono until) {
  if (auto sent = send(call, until); !sent) return std::move(sent).error();
  auto head = read_head(until);
  if (!head) return std::move(head).error();
  auto body = read_body(*head, until);
  if (!body) return std::move(body).error();
  if (!head->keep_alive) socket_.reset();
  head->answer.body = std::move(*body);
  return std::move(head->answer);
}

Result<HttpAnswer> HttpClient::call(const HttpCall& call) {
  const Mono until = mono_now() + call.deadline;
  const bool reused = socket_.is_open();
  if (!reused) {
    if (auto connected = connect(until); !connected) return std::move(connected).error();
  }
  auto answer = exchange(call, until);
  if (!answer) socket_.reset();
  // Nothing came of a connection that was kept: the server had closed it before it saw the request.
  const bool untouched = received_.empty();
  if (answer || !reused || !untouched || answer.error().code() != Code::unavailable ||
      call.method != "GET") {
    return answer;
  }
  if (auto connected = connect(until); !connected) return std::move(connected).error();
  answer = exchange(call, until);
  if (!answer) socket_.reset();
  return answer;
}

Result<HttpAnswer> HttpClient::stream(const HttpCall& call,
                                      const std::function<bool(std::string_view)>& on_line) {
  const Mono until = mono_now() + call.deadline;
  socket_.reset();
  if (auto connected = connect(until); !connected) return std::move(connected).error();
  if (auto sent = send(call, until); !sent) return std::move(sent).error();
  auto head = read_head(until);
  if (!head) return std::move(head).error();
  if (head->answer.status != 200) {
    auto body = read_body(*head, until);
    socket_.reset();
    if (!body) return std::move(body).error();
    head->answer.body = std::move(*body);
    return std::move(head->answer);
  }
  auto ended = stream_lines(call, std::move(*head), on_line);
  socket_.reset();
  return ended;
}

Result<HttpAnswer> HttpClient::stream_lines(
    const HttpCall& call, Head head, const std::function<bool(std::string_view)>& on_line) {
  ChunkDecoder decoder(SIZE_MAX);
  std::string text;
  while (true) {
    std::size_t consumed = 0;
    auto state = ChunkDecoder::State::more;
    if (head.chunked) {
      state = decoder.decode(received_, consumed, text);
    } else {
      consumed = received_.size();
      text += received_;
    }
    received_.erase(0, consumed);
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string_view line = std::string_view(text).substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!on_line(line)) return std::move(head.answer);
    }
    text.erase(0, begin);
    if (state == ChunkDecoder::State::done) return std::move(head.answer);
    if (state != ChunkDecoder::State::more) {
      return Error(Code::io_failed, address_ + " sends a broken body");
    }
    if (auto read = read_some(mono_now() + call.deadline); !read) return std::move(read).error();
  }
}

}  // namespace mainstay::platform
