// Writer: gathers small writes to a stream in a buffer, and writes them together.
//
//     Writer writer(stream);
//     Status written = co_await writer.write("HTTP/1.1 200 OK\r\n");
//     ...
//     Status flushed = co_await writer.flush();
//
// A Stream has `write_some(std::span<const std::byte>, IoOptions)`, which is awaited and gives StatusOr<std::size_t>:
// TcpStream, UnixStream, File.
//
// Ownership: the stream is borrowed; nobody else writes to it. What is not flushed when the writer dies is lost.
// Errors:    the stream's. How much had been written is then unknown: every later call gives the same error.
// Cancel:    honoured, and an error like any other.
// Threads:   those of the stream; one call at a time.
// Cost:      one allocation; a frame for a call, and two more if it has to write.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

template <class Stream>
class Writer {
 public:
  static constexpr std::size_t kCapacityBytes = 16384;

  explicit Writer(Stream& stream, std::size_t capacity_bytes = kCapacityBytes)
      : stream_(stream), buffer_(capacity_bytes != 0 ? capacity_bytes : 1) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Takes all of `bytes`: into the buffer, or, when that is full, to the stream. They outlive the co_await.
  coro::Task<Status> write(std::span<const std::byte> bytes, IoOptions options = {}) {
    if (!broken_.ok()) co_return broken_;
    if (bytes.size() > buffer_.size() - end_) {
      Status flushed = co_await flush(options);
      if (!flushed.ok()) co_return flushed;
    }
    if (bytes.size() >= buffer_.size()) {
      Status written = co_await write_all(bytes, options);
      co_return written;
    }
    if (!bytes.empty()) std::memcpy(buffer_.data() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
    co_return absl::OkStatus();
  }
  coro::Task<Status> write(std::string_view text, IoOptions options = {}) {
    return write(std::as_bytes(std::span(text.data(), text.size())), options);
  }

  // Writes what the buffer holds.
  coro::Task<Status> flush(IoOptions options = {}) {
    if (!broken_.ok()) co_return broken_;
    const std::size_t bytes = std::exchange(end_, 0);
    Status written = co_await write_all(buffer_.bytes().first(bytes), options);
    co_return written;
  }

  // That wait for a flush.
  std::size_t buffered_bytes() const noexcept { return end_; }

 private:
  coro::Task<Status> write_all(std::span<const std::byte> bytes, IoOptions options) {
    while (!bytes.empty()) {
      StatusOr<std::size_t> count = co_await stream_.write_some(bytes, options);
      if (count.ok() && *count == 0) count = errno_status(EIO, "write");  // not a loop for ever
      if (!count.ok()) {
        broken_ = count.status();
        co_return broken_;
      }
      bytes = bytes.subspan(*count);
    }
    co_return absl::OkStatus();
  }

  Stream& stream_;
  Buffer buffer_;
  std::size_t end_ = 0;
  Status broken_;
};

}  // namespace wharf::runtime
