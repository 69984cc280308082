// Reader: reads a stream in lines and pieces of known size, through a buffer of bounded size.
//
//     Reader reader(stream);
//     for (;;) {
//       StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
//       if (!line.ok() || !line->has_value()) break;       // an error, or the end
//       use(**line);
//     }
//
// A Stream has `read_some(std::span<std::byte>, IoOptions)`, which is awaited and gives StatusOr<std::size_t>, 0 at the end:
// TcpStream, UnixStream, File.
//
// Units:     capacity_bytes: the longest line, with its end, or piece that read_line, read_until and peek can give.
// Ownership: the stream is borrowed; nobody else reads from it, for the reader is ahead. What a call gives as a view is valid
//            until the next call.
// Errors:    the stream's, and those below; what has been read stays in the buffer, so that a call may be repeated.
// Cancel:    honoured, without loss: see Errors. Of read_exactly into a span larger than the buffer the span's part is lost.
// Threads:   those of the stream; one call at a time.
// Cost:      one allocation; two frames for a call, and one for each time that it reads more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

template <class Stream>
class Reader {
 public:
  static constexpr std::size_t kCapacityBytes = 16384;

  explicit Reader(Stream& stream, std::size_t capacity_bytes = kCapacityBytes)
      : stream_(stream), buffer_(capacity_bytes != 0 ? capacity_bytes : 1) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // A line without its end, "\n" or "\r\n". The last one may have no end. nullopt: there is none any more.
  //
  // Errors: ResourceExhausted  longer than the buffer
  coro::Task<StatusOr<std::optional<std::string_view>>> read_line(IoOptions options = {}) {
    StatusOr<std::size_t> end = co_await find("\n", options);
    if (!end.ok()) co_return end.status();
    if (*end == kNone && empty()) co_return std::optional<std::string_view>();
    std::string_view line = take(*end == kNone ? buffered().size() : *end);
    if (line.ends_with("\r\n")) {
      line.remove_suffix(2);
    } else if (line.ends_with('\n')) {
      line.remove_suffix(1);
    }
    co_return std::optional<std::string_view>(line);
  }

  // Up to `delimiter`, and with it. It is not empty, and outlives the call.
  //
  // Errors: OutOfRange         the stream ended before
  //         ResourceExhausted  it is not among the first capacity_bytes
  coro::Task<StatusOr<std::string_view>> read_until(std::string_view delimiter, IoOptions options = {}) {
    StatusOr<std::size_t> end = co_await find(delimiter, options);
    if (!end.ok()) co_return end.status();
    if (*end == kNone) co_return ended();
    co_return take(*end);
  }

  // Fills all of `target`.
  //
  // Errors: OutOfRange  the stream ended before
  coro::Task<Status> read_exactly(std::span<std::byte> target, IoOptions options = {}) {
    if (target.size() <= buffer_.size()) {
      Status filled = co_await fill(target.size(), options);
      if (!filled.ok()) co_return filled;
      std::ranges::copy(bytes_of(take(target.size())), target.begin());
      co_return absl::OkStatus();
    }
    const std::size_t there = buffered().size();
    std::ranges::copy(bytes_of(take(there)), target.begin());
    target = target.subspan(there);
    while (!target.empty()) {
      StatusOr<std::size_t> count = co_await stream_.read_some(target, options);
      if (!count.ok()) co_return count.status();
      if (*count == 0) co_return ended();
      target = target.subspan(*count);
    }
    co_return absl::OkStatus();
  }

  // The next `bytes`, which stay in the buffer: skip() takes them away.
  //
  // Errors: OutOfRange         the stream ended before
  //         ResourceExhausted  more than capacity_bytes
  coro::Task<StatusOr<std::string_view>> peek(std::size_t bytes, IoOptions options = {}) {
    Status filled = co_await fill(bytes, options);
    if (!filled.ok()) co_return filled;
    co_return buffered().substr(0, bytes);
  }
  // Up to buffered().size() bytes.
  void skip(std::size_t bytes) noexcept { take(std::min(bytes, buffered().size())); }

  // Whatever comes next, at least one byte; 0 at the end. So a Reader is a Stream.
  coro::Task<StatusOr<std::size_t>> read_some(std::span<std::byte> target, IoOptions options = {}) {
    if (empty()) {
      StatusOr<std::size_t> count = co_await stream_.read_some(target, options);
      co_return count;
    }
    const std::size_t bytes = std::min(target.size(), buffered().size());
    std::ranges::copy(bytes_of(take(bytes)), target.begin());
    co_return bytes;
  }

  // What has been read ahead.
  std::string_view buffered() const noexcept { return buffer_.text().substr(first_, end_ - first_); }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  bool empty() const noexcept { return first_ == end_; }
  static std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
  }
  static Status ended() { return make_status(StatusCode::kOutOfRange, "read: the stream ended before"); }
  static Status too_long() {
    return make_status(StatusCode::kResourceExhausted, "read: longer than the reader's buffer");
  }

  std::string_view take(std::size_t bytes) noexcept {
    const std::string_view taken = buffered().substr(0, bytes);
    first_ += taken.size();
    return taken;
  }

  // Reads once more. 0: the end.
  coro::Task<StatusOr<std::size_t>> read_more(IoOptions options) {
    if (first_ != 0) {
      std::memmove(buffer_.data(), buffer_.data() + first_, end_ - first_);
      end_ -= first_;
      first_ = 0;
    }
    StatusOr<std::size_t> count = co_await stream_.read_some(buffer_.bytes().subspan(end_), options);
    if (count.ok()) end_ += *count;
    co_return count;
  }

  // Where `delimiter` ends, in buffered(); kNone: the stream ended before.
  coro::Task<StatusOr<std::size_t>> find(std::string_view delimiter, IoOptions options) {
    std::size_t from = 0;
    for (;;) {
      const std::size_t found = buffered().find(delimiter, from);
      if (found != std::string_view::npos) co_return found + delimiter.size();
      // It may have begun in the last bytes.
      from = buffered().size() - std::min(buffered().size(), delimiter.size() - 1);
      if (buffered().size() == buffer_.size()) co_return too_long();
      StatusOr<std::size_t> count = co_await read_more(options);
      if (!count.ok()) co_return count.status();
      if (*count == 0) co_return kNone;
    }
  }

  coro::Task<Status> fill(std::size_t bytes, IoOptions options) {
    if (bytes > buffer_.size()) co_return too_long();
    while (buffered().size() < bytes) {
      StatusOr<std::size_t> count = co_await read_more(options);
      if (!count.ok()) co_return count.status();
      if (*count == 0) co_return ended();
    }
    co_return absl::OkStatus();
  }

  Stream& stream_;
  Buffer buffer_;
  std::size_t first_ = 0;
  std::size_t end_ = 0;
};

}  // namespace wharf::runtime
