// For tests: a client that sends exactly the bytes it is told to. Every wait ends within a minute.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "platform/files/fd.h"

namespace mainstay::platform {

class RawClient {
 public:
  RawClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    MS_ASSERT(socket_.is_open(), "no socket");
  }
  explicit RawClient(int port) : RawClient() { connect(port); }

  void connect(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int done =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    MS_ASSERT(done == 0, "cannot connect");
  }

  /// Small kernel buffers, so that a client that does not read is felt soon. Before connect().
  void shrink_buffers() {
    const int bytes = 4096;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  }
  int fd() const { return socket_.get(); }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has closed; the test looks at what it said
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }

  /// Reads until `text` has come; what came so far, without it on end or time-out.
  std::string read_until(std::string_view text) {
    while (received_.find(text) == std::string::npos && read_once()) {
    }
    const std::size_t found = received_.find(text);
    const std::size_t end = found == std::string::npos ? received_.size() : found + text.size();
    std::string taken = received_.substr(0, end);
    received_.erase(0, end);
    return taken;
  }
  /// Reads until the server closes.
  std::string read_to_end() {
    while (read_once()) {
    }
    return std::exchange(received_, {});
  }
  bool ended() const { return ended_; }

 private:
  bool read_once() {
    pollfd wait{socket_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 60'000) <= 0) return false;
    char buffer[4096];
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    ended_ = n <= 0;
    if (n > 0) received_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  Fd socket_;
  std::string received_;
  bool ended_ = false;
};

}  // namespace mainstay::platform
