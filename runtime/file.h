// File: an open file, and whole files at a time. For names (remove, rename, directories) see file_system.h.
//
//     StatusOr<File> log = co_await File::open("log", O_WRONLY | O_CREAT | O_APPEND);
//     Status written = co_await log->write_all(line);
//     StatusOr<std::string> text = co_await read_file("settings.json", 1 << 20);
//
// Operations are those of io.h, with the same errors and costs: many may be in flight on one file at different offsets.
// Cancel:  honoured; a disk that hangs holds the task (owned_io.h does not let it).
// Threads: the reactor's.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/file_system.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

class File {
 public:
  // None: operations fail with EBADF.
  File() noexcept = default;
  // Also a pipe, whose position is of no account. Writing to one that nobody reads raises SIGPIPE.
  explicit File(UniqueFd file) noexcept : file_(std::move(file)) {}

  // Errors: see openat
  static coro::Task<StatusOr<File>> open(std::string path, int open_flags = O_RDONLY, mode_t mode = 0666,
                                         IoOptions options = {});

  explicit operator bool() const noexcept { return static_cast<bool>(file_); }
  // Borrowed.
  int fd() const noexcept { return file_.get(); }
  UniqueFd release() noexcept { return std::move(file_); }

  // At an offset in bytes. 0: the end of the file. The count may be less than asked for.
  auto read_at(std::uint64_t offset, std::span<std::byte> buffer, IoOptions options = {}) noexcept {
    return runtime::read(fd(), buffer, offset, options);
  }
  auto write_at(std::uint64_t offset, std::span<const std::byte> bytes, IoOptions options = {}) noexcept {
    return runtime::write(fd(), bytes, offset, options);
  }
  // Until all is done, or the file ends: that is no error, and the count is less.
  coro::Task<StatusOr<std::size_t>> read_all_at(std::uint64_t offset, std::span<std::byte> buffer,
                                                IoOptions options = {});
  coro::Task<Status> write_all_at(std::uint64_t offset, std::span<const std::byte> bytes, IoOptions options = {});

  // At the file's own position, which they move: one at a time. With O_APPEND: at the end.
  auto read_some(std::span<std::byte> buffer, IoOptions options = {}) noexcept {
    return runtime::read(fd(), buffer, kCurrentPosition, options);
  }
  auto write_some(std::span<const std::byte> bytes, IoOptions options = {}) noexcept {
    return runtime::write(fd(), bytes, kCurrentPosition, options);
  }
  coro::Task<Status> write_all(std::span<const std::byte> bytes, IoOptions options = {}) {
    return write_all_at(kCurrentPosition, bytes, options);
  }

  // Until it is on the disk: everything, or what reading it back needs.
  auto sync(SyncKind kind = SyncKind::kEverything, IoOptions options = {}) noexcept {
    return runtime::fsync(fd(), kind, options);
  }
  auto status(IoOptions options = {}) noexcept {
    return runtime::statx(fd(), std::string(), AT_EMPTY_PATH, STATX_BASIC_STATS, options);
  }
  coro::Task<StatusOr<std::uint64_t>> size_bytes(IoOptions options = {});
  // Cuts, or adds zero bytes. On this thread: the kernel's work, and no wait for data.
  Status truncate(std::uint64_t bytes) noexcept;
  // Without it the destructor closes, on this thread. Tells of what a network file system could not write.
  auto close() noexcept { return runtime::close(std::move(file_)); }

 private:
  UniqueFd file_;
};

// The whole file.
//
// Errors: ResourceExhausted  it has more than `bytes_max`, or there is no memory for what it has
//         any other          those of openat and read
coro::Task<StatusOr<std::string>> read_file(std::string path, std::size_t bytes_max, IoOptions options = {});

// Makes a file of these bytes, or replaces the one that is there, at one stroke: after a crash it is the old one or the new
// one. Goes by way of a file with ".new" behind its name, and syncs it. One call at a time for a path.
coro::Task<Status> replace_file(std::string path, std::span<const std::byte> bytes, mode_t mode = 0666,
                                IoOptions options = {});

// Copies from the position of `source` until it ends, to that of `target`. Gives how many bytes. Works for pipes and sockets
// too. What had been copied before an error stays.
coro::Task<StatusOr<std::uint64_t>> copy_bytes(const File& source, const File& target, IoOptions options = {});

}  // namespace wharf::runtime
