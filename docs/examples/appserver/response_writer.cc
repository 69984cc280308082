#include "wharf/docs/examples/appserver/response_writer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "wharf/docs/examples/appserver/deadline.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/transfer.h"

namespace appserver {
namespace {

using wharf::Status;
using wharf::StatusOr;
using wharf::coro::Task;

// So much of a file has to be taken by the client within the time for a stall.
constexpr std::uint64_t kFileStepBytes = 256 * 1024;

// What is left of `parts` after `sent` bytes.
std::span<iovec> without_front(std::span<iovec> parts, std::size_t sent) noexcept {
  while (!parts.empty() && sent >= parts.front().iov_len) {
    sent -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (!parts.empty()) {
    parts.front().iov_base = static_cast<std::byte*>(parts.front().iov_base) + sent;
    parts.front().iov_len -= sent;
  }
  return parts;
}

}  // namespace

void ResponseWriter::begin(const ResponseHead& head) {
  start_bytes_ = format_head(head, std::span(start_).first<kResponseHeadBytesMax>()).size();
  parts_.assign(1, {start_.data(), start_bytes_});
  more_follows_ = false;
}

void ResponseWriter::add(std::span<const std::byte> part) {
  if (part.empty()) return;
  if (parts_.size() == 1 && part.size() <= start_.size() - start_bytes_) {
    std::memcpy(start_.data() + start_bytes_, part.data(), part.size());
    start_bytes_ += part.size();
    parts_.front().iov_len = start_bytes_;
    return;
  }
  parts_.push_back({const_cast<std::byte*>(part.data()), part.size()});
}

Task<Status> ResponseWriter::send() {
  std::span<iovec> left = parts_;
  while (!left.empty()) {
    msghdr message{};
    message.msg_iov = left.data();
    message.msg_iovlen = left.size();
    const std::uint32_t flags = more_follows_ ? MSG_MORE : 0;
    StatusOr<std::size_t> sent =
        co_await wharf::runtime::sendmsg(socket_, message, flags, {deadline_in(write_stall_ms_)});
    if (!sent.ok()) co_return sent.status();
    left = without_front(left, *sent);
  }
  co_return absl::OkStatus();
}

Task<Status> ResponseWriter::send_file(int file, std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t step = std::min(bytes - done, kFileStepBytes);
    StatusOr<std::uint64_t> sent =
        co_await wharf::runtime::send_file(socket_, file, done, step, {deadline_in(write_stall_ms_)});
    if (!sent.ok()) co_return sent.status();
    if (*sent != step) co_return absl::DataLossError("the file became shorter");
    done += step;
  }
  co_return absl::OkStatus();
}

}  // namespace appserver
