// Names in the file system, awaited: open, look at, make, move and remove. Like io.h; for a file's contents see file.h.
//
//     StatusOr<UniqueFd> log = co_await openat(AT_FDCWD, "log/today", O_WRONLY | O_CREAT | O_APPEND, 0640);
//     StatusOr<struct statx> about = co_await statx(AT_FDCWD, "log/today");
//
// Units:     directory: an fd, or AT_FDCWD for the working directory; of no account for an absolute path.
// Ownership: paths are copied; a directory's fd is borrowed until the co_await is over.
// Errors:    NotFound, AlreadyExists, PermissionDenied, ResourceExhausted, ...: errno_status() of the call, with its name and
//            the path. InvalidArgument: a zero byte in a path. Cancelled, DeadlineExceeded: as in io.h; what had happened by
//            then has happened.
// Cancel:    honoured where the kernel can; a disk that hangs holds the task.
// Threads:   the reactor's. The kernel does what may wait for a disk on threads of its own.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "wharf/runtime/detail/path_awaiter.h"

namespace wharf::runtime {

// `open_flags`: O_RDONLY and so on; O_CLOEXEC is added. `mode` is that of a file which O_CREAT makes.
// A named pipe does not wait for its other end: to write, the reader comes first.
inline auto openat(int directory, std::string path, int open_flags, mode_t mode = 0666,
                   IoOptions options = {}) noexcept {
  return detail::OpenAwaiter(directory, std::move(path), open_flags, mode, options);
}

// `at_flags`: AT_SYMLINK_NOFOLLOW looks at a link itself; AT_EMPTY_PATH with "" at `directory` itself.
inline auto statx(int directory, std::string path, int at_flags = 0, unsigned mask = STATX_BASIC_STATS,
                  IoOptions options = {}) noexcept {
  return detail::StatxAwaiter(directory, std::move(path), at_flags, mask, options);
}

inline auto mkdirat(int directory, std::string path, mode_t mode = 0777, IoOptions options = {}) noexcept {
  return detail::PathAwaiter("mkdir", Opcode::kMkdirat, directory, std::move(path), 0, mode, options);
}

// A file or a link; with AT_REMOVEDIR an empty directory.
inline auto unlinkat(int directory, std::string path, int at_flags = 0, IoOptions options = {}) noexcept {
  return detail::PathAwaiter("unlink", Opcode::kUnlinkat, directory, std::move(path),
                             static_cast<std::uint32_t>(at_flags), 0, options);
}

// Replaces what the target names, at one stroke; `rename_flags`: RENAME_NOREPLACE, RENAME_EXCHANGE.
inline auto renameat(int source_directory, std::string source, int target_directory, std::string target,
                     unsigned rename_flags = 0, IoOptions options = {}) noexcept {
  return detail::RenameAwaiter(source_directory, std::move(source), target_directory, std::move(target), rename_flags,
                               options);
}

}  // namespace wharf::runtime
