#include "wharf/runtime/transfer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {
namespace {

// Large enough that the switches of mode do not matter, small enough for the turn's budget.
constexpr std::uint64_t kStepBytesMax = std::uint64_t{256} << 10;

// Without SIGPIPE for as long as it lives: sendfile has no MSG_NOSIGNAL.
class SigpipeHeld {
 public:
  SigpipeHeld() noexcept {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sys::thread_sigmask(SIG_BLOCK, &sigpipe_, &old_);
  }
  ~SigpipeHeld() { sys::thread_sigmask(SIG_SETMASK, &old_, nullptr); }
  SigpipeHeld(const SigpipeHeld&) = delete;
  SigpipeHeld& operator=(const SigpipeHeld&) = delete;

  // Takes the one that has just come, unless the program itself holds it back.
  void take() const noexcept {
    const timespec now{};
    if (sigismember(&old_, SIGPIPE) == 0) sys::sigtimedwait(&sigpipe_, nullptr, &now);
  }

 private:
  sigset_t sigpipe_;
  sigset_t old_;
};

// sendfile that does not wait for the socket: it has no flag for that, only the socket's mode has. The
// mode is restored at once, because in non-blocking mode io_uring may not wait either (see io.h).
ssize_t sendfile_now(int socket, int flags, int file, off_t& offset, std::size_t bytes) noexcept {
  const bool waits = (flags & O_NONBLOCK) == 0;
  if (waits) {
    const int set = sys::fcntl(socket, F_SETFL, flags | O_NONBLOCK);
    if (set < 0) return set;
  }
  const SigpipeHeld held;
  const ssize_t sent = sys::sendfile(socket, file, &offset, bytes);
  if (sent == -EPIPE) held.take();
  if (waits) sys::fcntl(socket, F_SETFL, flags);
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

coro::Task<StatusOr<std::uint64_t>> send_file(int socket, int file, std::uint64_t offset, std::uint64_t count_bytes,
                                              IoOptions options) {
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
