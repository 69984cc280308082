// Descriptors to send, that tell who they are, and whether they have been closed.
//
// Threads: the reactor's.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/io.h"

namespace wharf::test {

// A file that holds a number.
inline runtime::UniqueFd numbered_file(std::uint64_t number) {
  runtime::UniqueFd file(::memfd_create("numbered", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(file.get(), &number, sizeof(number), 0), static_cast<ssize_t>(sizeof(number)));
  return file;
}
// UINT64_MAX: there is no such file.
inline std::uint64_t number_in(const runtime::UniqueFd& file) {
  std::uint64_t number = UINT64_MAX;
  if (::pread(file.get(), &number, sizeof(number), 0) != sizeof(number)) return UINT64_MAX;
  return number;
}

inline bool same_file(const runtime::UniqueFd& a, const runtime::UniqueFd& b) {
  struct stat of_a;
  struct stat of_b;
  return ::fstat(a.get(), &of_a) == 0 && ::fstat(b.get(), &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
         of_a.st_ino == of_b.st_ino;
}

inline bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
inline bool is_close_on_exec(int fd) { return ::fcntl(fd, F_GETFD) == FD_CLOEXEC; }

// Knows when every copy of a descriptor has been closed, in whichever process: it is a pipe's writing end.
class Tracer {
 public:
  Tracer() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    reading_.reset(fds[0]);
    writing_.reset(fds[1]);
  }
  // The descriptor; once.
  runtime::UniqueFd take() noexcept { return std::move(writing_); }
  bool closed_everywhere() const {
    pollfd item{reading_.get(), POLLIN, 0};
    return ::poll(&item, 1, 0) == 1 && (item.revents & POLLHUP) != 0;
  }
  coro::Task<void> until_closed_everywhere() {
    auto events = co_await runtime::poll(reading_.get(), POLLIN);
    EXPECT_TRUE(events.ok() && (*events & POLLHUP) != 0);
  }

 private:
  runtime::UniqueFd reading_;
  runtime::UniqueFd writing_;
};

}  // namespace wharf::test
