// Every system call that shm, ipc and runtime make outside the reactor's backend: counted, and able
// to fail on request, so that a test can let the k-th one fail.
//
// Each function is the system call of its name. EINTR is retried wherever that is right, which is
// everywhere but in close.
//
// Errors:  the result is what the call gives, 0 or more, or minus the errno; errno stays as it was.
// Threads: any. Counters and FailureInjection are those of the calling thread.
// Cost:    about 1 ns on top of the call.
#pragma once

#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>

namespace wharf::runtime::sys {

enum class Call : std::uint8_t {
  kAccept,
  kBind,
  kChmod,
  kClose,
  kConnect,
  kEpollWait,
  kEventfd,
  kFallocate,
  kFcntl,
  kFstat,
  kFstatfs,
  kFtruncate,
  kGetpeername,
  kGetsockname,
  kGetsockopt,
  kIoUringEnter,
  kKill,
  kListen,
  kLstat,
  kMadvise,
  kMemfdCreate,
  kMmap,
  kMunmap,
  kOpen,
  kPidfdOpen,
  kPidfdSendSignal,
  kPipe,
  kPosixSpawn,
  kRead,
  kRecvmsg,
  kSendfile,
  kSendmsg,
  kSetsockopt,
  kShutdown,
  kSignalfd,
  kSigmask,
  kSigtimedwait,
  kSocket,
  kSocketpair,
  kUnlink,
  kWaitid,
  kWrite,
};
inline constexpr std::size_t kCallCount = static_cast<std::size_t>(Call::kWrite) + 1;

// How often the calling thread made each call. A call that was made to fail counts too.
struct Counters {
  std::uint64_t total = 0;
  std::array<std::uint64_t, kCallCount> by_call{};

  std::uint64_t of(Call call) const noexcept { return by_call[static_cast<std::size_t>(call)]; }
};
Counters counters() noexcept;

// For a backend, which makes its own calls but counts them here.
void count(Call call) noexcept;

// While it lives, the `nth` call (from 1) of this thread does nothing and fails with `error`; close
// alone closes, and then fails, as it does on Linux. Only calls of kind `only` are counted, if it is
// given. They do not nest.
class FailureInjection {
 public:
  FailureInjection(std::uint64_t nth, int error, std::optional<Call> only = std::nullopt) noexcept;
  ~FailureInjection();
  FailureInjection(const FailureInjection&) = delete;
  FailureInjection& operator=(const FailureInjection&) = delete;

  bool fired() const noexcept { return left_ == 0; }

 private:
  friend struct ThreadState;
  std::uint64_t left_;
  int error_;
  std::optional<Call> only_;
};

// Never retried: on Linux the descriptor is gone, whatever the result.
int close(int fd) noexcept;

int socket(int domain, int type, int protocol) noexcept;
int socketpair(int domain, int type, int protocol, int (&fds)[2]) noexcept;
int bind(int fd, const sockaddr* address, socklen_t address_bytes) noexcept;
int listen(int fd, int backlog) noexcept;
// For one that never waits: an interrupted connect goes on in the kernel, and is no call to repeat.
int connect(int fd, const sockaddr* address, socklen_t address_bytes) noexcept;
int accept(int fd, int flags) noexcept;
int getsockname(int fd, sockaddr* address, socklen_t* address_bytes) noexcept;
int getpeername(int fd, sockaddr* address, socklen_t* address_bytes) noexcept;
int getsockopt(int fd, int level, int name, void* value, socklen_t* value_bytes) noexcept;
int setsockopt(int fd, int level, int name, const void* value, socklen_t value_bytes) noexcept;
int shutdown(int fd, int how) noexcept;
ssize_t sendmsg(int fd, const msghdr* message, int flags) noexcept;
ssize_t recvmsg(int fd, msghdr* message, int flags) noexcept;

ssize_t read(int fd, void* buffer, std::size_t bytes) noexcept;
ssize_t write(int fd, const void* buffer, std::size_t bytes) noexcept;
ssize_t sendfile(int socket, int file, off_t* offset, std::size_t bytes) noexcept;
int open(const char* path, int flags, mode_t mode = 0) noexcept;
int openat(int directory, const char* path, int flags, mode_t mode = 0) noexcept;
int fstat(int fd, struct stat* status) noexcept;
int lstat(const char* path, struct stat* status) noexcept;
int chmod(const char* path, mode_t mode) noexcept;
int fchmod(int fd, mode_t mode) noexcept;  // counted as chmod
int unlink(const char* path) noexcept;
int fstatfs(int fd, struct statfs* status) noexcept;
int fcntl(int fd, int command, long argument = 0) noexcept;  // NOLINT(google-runtime-int)
int ftruncate(int fd, off_t bytes) noexcept;
int fallocate(int fd, int mode, off_t offset, off_t bytes) noexcept;
int pipe2(int (&fds)[2], int flags) noexcept;
int eventfd(unsigned initial, int flags) noexcept;

int memfd_create(const char* name, unsigned flags) noexcept;
// MAP_FAILED becomes a null address, and the errno's negative goes to `*error` if given.
void* mmap(void* address, std::size_t bytes, int protection, int flags, int fd, off_t offset,
           int* error = nullptr) noexcept;
int munmap(void* address, std::size_t bytes) noexcept;
int madvise(void* address, std::size_t bytes, int advice) noexcept;

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const argv[], char* const environment[]) noexcept;
int pidfd_open(pid_t pid, unsigned flags) noexcept;
int pidfd_send_signal(int pidfd, int signal) noexcept;
int kill(pid_t pid, int signal) noexcept;
int waitid(idtype_t type, id_t id, siginfo_t* info, int options) noexcept;

int signalfd(int fd, const sigset_t* mask, int flags) noexcept;
// pthread_sigmask.
int thread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept;
int sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) noexcept;

// The cpu that the thread runs on. Not counted: no system call where the kernel offers the vDSO.
int sched_getcpu() noexcept;

}  // namespace wharf::runtime::sys
