#include "platform/net/tcp_stream.h"

#include "platform/net/endpoint.h"

namespace mainstay::platform {

void TcpStream::read_some(char* into, std::size_t size, std::shared_ptr<StreamUser> user) {
  socket_.async_read_some(
      asio::buffer(into, size),
      [user = std::move(user)](const boost::system::error_code& failed, std::size_t bytes) {
        user->on_read(bytes, !failed);
      });
}

void TcpStream::write_some(const char* from, std::size_t size, std::shared_ptr<StreamUser> user) {
  socket_.async_write_some(
      asio::buffer(from, size),
      [user = std::move(user)](const boost::system::error_code& failed, std::size_t bytes) {
        user->on_written(bytes, !failed);
      });
}

void TcpStream::shutdown_write() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void TcpStream::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

std::string TcpStream::peer() const {
  boost::system::error_code failed;
  const auto remote = socket_.remote_endpoint(failed);
  if (failed) return "unknown";
  return Endpoint{remote.address().to_string(failed), remote.port(), remote.address().is_v6()}
      .to_text();
}

}  // namespace mainstay::platform
