// A stream of bytes in both directions, whatever carries it (TCP now; Unix sockets and TLS are
// further classes). One read and one write may be under way at a time.
//
// Lifetime: the stream keeps its user alive while an operation is under way; every operation ends
// with exactly one call, also after close(). Threads: those of its lane only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace mainstay::platform {

class StreamUser {
 public:
  virtual ~StreamUser() = default;
  /// `bytes` came (at least 1 while `open`); not `open`: the peer is done, or the stream failed.
  virtual void on_read(std::size_t bytes, bool open) = 0;
  /// `bytes` of the last write were taken; not `open`: the stream failed.
  virtual void on_written(std::size_t bytes, bool open) = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;
  /// `into` must live until on_read.
  virtual void read_some(char* into, std::size_t size, std::shared_ptr<StreamUser> user) = 0;
  /// `from` must live until on_written.
  virtual void write_some(const char* from, std::size_t size, std::shared_ptr<StreamUser> user) = 0;
  /// Tells the peer that nothing more comes; reading goes on.
  virtual void shutdown_write() = 0;
  virtual void close() = 0;
  /// `127.0.0.1:52344`; for logs.
  virtual std::string peer() const = 0;
};

}  // namespace mainstay::platform
