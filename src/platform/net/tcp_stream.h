// Stream over a TCP socket. Inner header of platform/: shows Asio.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "platform/loop/asio.h"
#include "platform/net/stream.h"

namespace mainstay::platform {

class TcpStream final : public Stream {
 public:
  explicit TcpStream(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {
    boost::system::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  }

  void read_some(char* into, std::size_t size, std::shared_ptr<StreamUser> user) override;
  void write_some(const char* from, std::size_t size, std::shared_ptr<StreamUser> user) override;
  void shutdown_write() override;
  void close() override;
  std::string peer() const override;

 private:
  asio::ip::tcp::socket socket_;
};

}  // namespace mainstay::platform
