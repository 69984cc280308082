#include "wharf/runtime/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>

#include <algorithm>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {
namespace {

// Large enough that the switches of mode do not matter, small enough for the turn's budget.
constexpr std::uint64_t kStepBytesMax = std::uint64_t{256} << 10;

// sendfile that does not wait for the socket. Switching the mode around it leaves the socket as io_uring
// needs it: in non-blocking mode, its operations fail instead of waiting.
ssize_t sendfile_now(int socket, int flags, int file, off_t& offset, std::size_t bytes) noexcept {
  if ((flags & O_NONBLOCK) != 0) return sys::sendfile(socket, file, &offset, bytes);
  if (const int set = sys::fcntl(socket, F_SETFL, flags | O_NONBLOCK); set < 0) return set;
  const ssize_t sent = sys::sendfile(socket, file, &offset, bytes);
  static_cast<void>(sys::fcntl(socket, F_SETFL, flags));
  return sent;
}

}  // namespace

coro::Task<Status> send_all(int socket, std::span<const std::byte> bytes, IoOptions options) {
  while (!bytes.empty()) {
    StatusOr<std::size_t> sent = co_await send(socket, bytes, options);
    if (!sent.ok()) co_return sent.status();
    bytes = bytes.subspan(*sent);
  }
  co_return absl::OkStatus();
}

coro::Task<StatusOr<std::uint64_t>> send_file(int socket, int file, std::uint64_t offset,
                                              std::uint64_t count_bytes, IoOptions options) {
  const int flags = sys::fcntl(socket, F_GETFL);
  if (flags < 0) co_return errno_status(-flags, "send_file");
  auto position = static_cast<off_t>(offset);
  std::uint64_t left = count_bytes;
  while (left != 0) {
    const auto step = static_cast<std::size_t>(std::min(left, kStepBytesMax));
    const ssize_t sent = sendfile_now(socket, flags, file, position, step);
    if (sent == 0) break;  // the file ends here
    if (sent < 0 && sent != -EAGAIN) co_return errno_status(static_cast<int>(-sent), "send_file");
    if (sent > 0) left -= static_cast<std::uint64_t>(sent);
    if (left == 0) break;
    // Also the others' turn, and where a stop or the deadline takes effect.
    StatusOr<std::uint32_t> writable = co_await poll(socket, POLLOUT, options);
    if (!writable.ok()) co_return writable.status();
  }
  co_return count_bytes - left;
}

}  // namespace wharf::runtime
