#include "wharf/runtime/base/sys.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "wharf/runtime/base/check.h"

namespace wharf::runtime::sys {

// Before each call. In a build for tests the program defines it, and may end the process here: tests/kill/fault_points.h.
#ifdef WHARF_FAULT_POINTS
void fault_point(Call call) noexcept;
#else
static void fault_point(Call /*call*/) noexcept {}
#endif

// Of one thread. Reached through state() alone, which no compiler caches across a suspension.
struct ThreadState {
  Counters counters;
  FailureInjection* injection = nullptr;

  // Counts the call. Returns the errno that it is to fail with, or 0.
  int enter(Call call) noexcept {
    fault_point(call);
    ++counters.total;
    ++counters.by_call[static_cast<std::size_t>(call)];
    return injection == nullptr ? 0 : injected(call);
  }
  [[gnu::noinline]] int injected(Call call) noexcept {
    if (injection->left_ == 0) return 0;
    if (injection->only_.has_value() && *injection->only_ != call) return 0;
    return --injection->left_ == 0 ? injection->error_ : 0;
  }
};

namespace {

[[gnu::noinline]] ThreadState& state() noexcept {
  static thread_local ThreadState instance;
  return instance;
}

// Runs `function`, a system call, unless it is to fail. Gives its result, or minus the errno.
template <class F>
auto invoke_once(Call call, F function) noexcept -> decltype(function()) {
  using Result = decltype(function());
  if (const int error = state().enter(call); error != 0) [[unlikely]]
    return Result{-error};
  const int saved = errno;
  Result result = function();
  if (result < 0) {
    result = -errno;
    errno = saved;
  }
  return result;
}
template <class F>
auto invoke(Call call, F function) noexcept -> decltype(function()) {
  for (;;) {
    const auto result = invoke_once(call, function);
    if (result != -EINTR) return result;
  }
}

}  // namespace

Counters counters() noexcept { return state().counters; }
void count(Call call) noexcept {
  fault_point(call);
  ++state().counters.total;
  ++state().counters.by_call[static_cast<std::size_t>(call)];
}

FailureInjection::FailureInjection(std::uint64_t nth, int error, std::optional<Call> only) noexcept
    : left_(nth), error_(error), only_(only) {
  WHARF_CHECK(nth != 0, "the first call is number 1");
  WHARF_CHECK(state().injection == nullptr, "two FailureInjections on one thread");
  state().injection = this;
}
FailureInjection::~FailureInjection() { state().injection = nullptr; }

int close(int fd) noexcept {
  const int injected = state().enter(Call::kClose);
  const int saved = errno;
  const int result = ::close(fd) < 0 ? -errno : 0;
  errno = saved;
  return injected != 0 ? -injected : result;
}
int socket(int domain, int type, int protocol) noexcept {
  return invoke(Call::kSocket, [=] { return ::socket(domain, type, protocol); });
}
int socketpair(int domain, int type, int protocol, int (&fds)[2]) noexcept {
  return invoke(Call::kSocketpair, [&] { return ::socketpair(domain, type, protocol, fds); });
}
int bind(int fd, const sockaddr* address, socklen_t address_bytes) noexcept {
  return invoke(Call::kBind, [=] { return ::bind(fd, address, address_bytes); });
}
int listen(int fd, int backlog) noexcept {
  return invoke(Call::kListen, [=] { return ::listen(fd, backlog); });
}
int connect(int fd, const sockaddr* address, socklen_t address_bytes) noexcept {
  return invoke_once(Call::kConnect, [=] { return ::connect(fd, address, address_bytes); });
}
int accept(int fd, int flags) noexcept {
  return invoke(Call::kAccept, [=] { return ::accept4(fd, nullptr, nullptr, flags); });
}
int getsockname(int fd, sockaddr* address, socklen_t* address_bytes) noexcept {
  return invoke(Call::kGetsockname, [=] { return ::getsockname(fd, address, address_bytes); });
}
int getpeername(int fd, sockaddr* address, socklen_t* address_bytes) noexcept {
  return invoke(Call::kGetpeername, [=] { return ::getpeername(fd, address, address_bytes); });
}
int getsockopt(int fd, int level, int name, void* value, socklen_t* value_bytes) noexcept {
  return invoke(Call::kGetsockopt, [=] { return ::getsockopt(fd, level, name, value, value_bytes); });
}
int setsockopt(int fd, int level, int name, const void* value, socklen_t value_bytes) noexcept {
  return invoke(Call::kSetsockopt, [=] { return ::setsockopt(fd, level, name, value, value_bytes); });
}
int shutdown(int fd, int how) noexcept {
  return invoke(Call::kShutdown, [=] { return ::shutdown(fd, how); });
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) noexcept {
  return invoke(Call::kSendmsg, [=] { return ::sendmsg(fd, message, flags); });
}
ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept {
  return invoke(Call::kRecvmsg, [=] { return ::recvmsg(fd, message, flags); });
}

ssize_t read(int fd, void* buffer, std::size_t bytes) noexcept {
  return invoke(Call::kRead, [=] { return ::read(fd, buffer, bytes); });
}
ssize_t write(int fd, const void* buffer, std::size_t bytes) noexcept {
  return invoke(Call::kWrite, [=] { return ::write(fd, buffer, bytes); });
}
ssize_t sendfile(int socket, int file, off_t* offset, std::size_t bytes) noexcept {
  return invoke(Call::kSendfile, [=] { return ::sendfile(socket, file, offset, bytes); });
}
int open(const char* path, int flags, mode_t mode) noexcept { return openat(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char* path, int flags, mode_t mode) noexcept {
  return invoke(Call::kOpen, [=] { return ::openat(directory, path, flags, mode); });
}
int fstat(int fd, struct stat* status) noexcept {
  return invoke(Call::kFstat, [=] { return ::fstat(fd, status); });
}
int lstat(const char* path, struct stat* status) noexcept {
  return invoke(Call::kLstat, [=] { return ::lstat(path, status); });
}
int fstatfs(int fd, struct statfs* status) noexcept {
  return invoke(Call::kFstatfs, [=] { return ::fstatfs(fd, status); });
}
int chmod(const char* path, mode_t mode) noexcept {
  return invoke(Call::kChmod, [=] { return ::chmod(path, mode); });
}
int fchmod(int fd, mode_t mode) noexcept {
  return invoke(Call::kChmod, [=] { return ::fchmod(fd, mode); });
}
int unlink(const char* path) noexcept {
  return invoke(Call::kUnlink, [=] { return ::unlink(path); });
}
int fcntl(int fd, int command, long argument) noexcept {  // NOLINT(google-runtime-int)
  return invoke(Call::kFcntl, [=] { return ::fcntl(fd, command, argument); });
}
int ftruncate(int fd, off_t bytes) noexcept {
  return invoke(Call::kFtruncate, [=] { return ::ftruncate(fd, bytes); });
}
int fallocate(int fd, int mode, off_t offset, off_t bytes) noexcept {
  return invoke(Call::kFallocate, [=] { return ::fallocate(fd, mode, offset, bytes); });
}
int pipe2(int (&fds)[2], int flags) noexcept {
  return invoke(Call::kPipe, [&] { return ::pipe2(fds, flags); });
}
int eventfd(unsigned initial, int flags) noexcept {
  return invoke(Call::kEventfd, [=] { return ::eventfd(initial, flags); });
}

int memfd_create(const char* name, unsigned flags) noexcept {
  return invoke(Call::kMemfdCreate, [=] { return ::memfd_create(name, flags); });
}
void* mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset, int* error) noexcept {
  void* mapped = nullptr;
  const int result = invoke_once(Call::kMmap, [&] {
    mapped = ::mmap(address, bytes, protection, flags, fd, offset);
    return mapped == MAP_FAILED ? -1 : 0;
  });
  if (error != nullptr) *error = result;
  return result < 0 ? nullptr : mapped;
}
int munmap(void* address, std::size_t bytes) noexcept {
  return invoke_once(Call::kMunmap, [=] { return ::munmap(address, bytes); });
}
int madvise(void* address, std::size_t bytes, int advice) noexcept {
  return invoke(Call::kMadvise, [=] { return ::madvise(address, bytes, advice); });
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const argv[], char* const environment[]) noexcept {
  return invoke_once(Call::kPosixSpawn, [=] {
    // This one returns the errno, and leaves errno undefined.
    const int saved = errno;
    const int error = ::posix_spawn(pid, path, actions, attributes, argv, environment);
    errno = error == 0 ? saved : error;
    return error == 0 ? 0 : -1;
  });
}
int pidfd_open(pid_t pid, unsigned flags) noexcept {
  return invoke(Call::kPidfdOpen, [=] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, flags)); });
}
int pidfd_send_signal(int pidfd, int signal) noexcept {
  return invoke(Call::kPidfdSendSignal,
                [=] { return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0)); });
}
int kill(pid_t pid, int signal) noexcept {
  return invoke(Call::kKill, [=] { return ::kill(pid, signal); });
}
int waitid(idtype_t type, id_t id, siginfo_t* info, int options) noexcept {
  return invoke(Call::kWaitid, [=] { return ::waitid(type, id, info, options); });
}

int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  return invoke(Call::kSignalfd, [=] { return ::signalfd(fd, mask, flags); });
}
int thread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept {
  return invoke(Call::kSigmask, [=] {
    const int error = ::pthread_sigmask(how, set, old);
    if (error != 0) errno = error;
    return error == 0 ? 0 : -1;
  });
}

int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) noexcept {
  return invoke(Call::kSigtimedwait, [=] { return ::sigtimedwait(set, info, timeout); });
}

int sched_getcpu() noexcept { return ::sched_getcpu(); }

}  // namespace wharf::runtime::sys
