#include "wharf/ipc/detail/listening_socket.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "wharf/runtime/base/sys.h"

namespace wharf::ipc::detail {
namespace sys = runtime::sys;
namespace {

constexpr mode_t kModeBits = 07777;

std::string operation_on(const SocketName& name) { return "listen on " + name.text(); }

bool same_file(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Status taken(const SocketName& name, std::string_view what) {
  return absl::AlreadyExistsError(operation_on(name) + ": " + std::string(what));
}

std::string_view bind_remedy(int error) noexcept {
  switch (error) {
    case ENOENT: return "create the folder first";
    case EACCES:
    case EROFS: return "this user may not write to the folder: choose another, or change its mode";
    default: return {};
  }
}

// Removes a path that nobody is bound to.
Status remove_stale(const SocketName& name) {
  struct stat found;
  int result = sys::lstat(name.path(), &found);
  if (result == -ENOENT) return absl::OkStatus();
  if (result < 0) return runtime::errno_status(-result, operation_on(name) + ": lstat");
  if (!S_ISSOCK(found.st_mode)) return taken(name, "what is there is no socket: remove it, or choose another path");

  // A socket of another type is refused by a live one before it is noticed there; it is told apart from a dead one also
  // in the moment between bind and listen.
  const runtime::UniqueFd probe(sys::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  result = sys::connect(probe.get(), name.address(), name.address_bytes());
  if (result == -ENOENT) return absl::OkStatus();
  if (result == 0 || result == -EPROTOTYPE) {
    return taken(name, "a server is running there: stop it, or choose another path");
  }
  if (result != -ECONNREFUSED) return runtime::errno_status(-result, operation_on(name) + ": look who is there");

  struct stat now;
  result = sys::lstat(name.path(), &now);
  if (result == 0 && !same_file(found, now)) return taken(name, "another server has just started there");
  if (result == 0) result = sys::unlink(name.path());
  if (result == 0 || result == -ENOENT) return absl::OkStatus();
  return runtime::errno_status(-result, operation_on(name) + ": remove the path of a dead server");
}

}  // namespace

StatusOr<std::unique_ptr<ListeningSocket>> ListeningSocket::open(const SocketName& name, mode_t mode, int backlog) {
  std::unique_ptr<ListeningSocket> listening(new ListeningSocket(name));
  if (Status bound = listening->bind(mode); !bound.ok()) return bound;
  const int result = sys::listen(listening->fd(), backlog);
  if (result < 0) return runtime::errno_status(-result, operation_on(name));
  return listening;
}

Status ListeningSocket::bind(mode_t mode) {
  const int fd = sys::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return runtime::errno_status(-fd, operation_on(name_) + ": socket");
  socket_.reset(runtime::UniqueFd(fd));
  // A path takes the mode of the socket that is bound to it, less the umask: at no moment is it more open than wanted.
  int result = name_.is_abstract() ? 0 : sys::fchmod(fd, mode);
  if (result < 0) return runtime::errno_status(-result, operation_on(name_) + ": fchmod");
  result = sys::bind(fd, name_.address(), name_.address_bytes());
  if (result == -EADDRINUSE && !name_.is_abstract()) {
    if (Status removed = remove_stale(name_); !removed.ok()) return removed;
    result = sys::bind(fd, name_.address(), name_.address_bytes());
  }
  if (result == -EADDRINUSE) return taken(name_, "a server is running there: stop it, or choose another name");
  if (result < 0) return runtime::errno_status(-result, operation_on(name_), bind_remedy(-result));
  if (name_.is_abstract()) return absl::OkStatus();
  Status claimed = claim_path(mode);
  const bool lost = absl::IsAlreadyExists(claimed);                             // the path, to somebody else
  if (!claimed.ok() && !path_.has_value() && !lost) sys::unlink(name_.path());  // close() would not know it
  return claimed;
}

// Remembers which file the path is, and gives it what the umask took from its mode.
Status ListeningSocket::claim_path(mode_t mode) {
  const runtime::UniqueFd file(sys::open(name_.path(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat made;
  int result = sys::fstat(file.get(), &made);
  if (result < 0) return runtime::errno_status(-result, operation_on(name_) + ": fstat");
  if (!S_ISSOCK(made.st_mode)) return taken(name_, "somebody has just put something else there");
  path_ = made;
  if ((made.st_mode & kModeBits) == mode) return absl::OkStatus();
  result = sys::chmod(("/proc/self/fd/" + std::to_string(file.get())).c_str(), mode);
  return result < 0 ? runtime::errno_status(-result, operation_on(name_) + ": chmod") : absl::OkStatus();
}

void ListeningSocket::close() noexcept {
  if (!open_) return;
  open_ = false;
  // While the socket is open its file cannot become another's.
  struct stat now;
  if (path_.has_value() && sys::lstat(name_.path(), &now) == 0 && same_file(*path_, now)) sys::unlink(name_.path());
  // After it accept does not wait. Who is in the backlog is told now, and not when the last visitor lets go of this.
  if (!socket_ || sys::shutdown(socket_.get(), SHUT_RDWR) != 0) return;
  for (int waiting = 0; waiting >= 0;) {
    waiting = sys::accept(socket_.get(), SOCK_CLOEXEC);
    if (waiting >= 0) sys::close(waiting);
  }
}

}  // namespace wharf::ipc::detail
