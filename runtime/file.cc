#include "wharf/runtime/file.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <vector>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{256} << 10;
constexpr std::size_t kFirstReadBytes = std::size_t{16} << 10;  // of a file that says nothing of its size (/proc)

std::uint64_t moved(std::uint64_t offset, std::size_t bytes) noexcept {
  return offset == kCurrentPosition ? offset : offset + bytes;
}

Status about(const std::string& path, const Status& status) {
  return make_status(status.code(), path + ": " + std::string(status.message()));
}

// False: there is no memory for so much.
bool resize(std::string& text, std::size_t bytes) noexcept {
  try {
    text.resize(bytes);
    return true;
  } catch (const std::exception&) {  // bad_alloc, length_error
    return false;
  }
}

coro::Task<Status> write_whole(int file, std::uint64_t offset, std::span<const std::byte> bytes, IoOptions options) {
  while (!bytes.empty()) {
    StatusOr<std::size_t> count = co_await runtime::write(file, bytes, offset, options);
    if (!count.ok()) co_return count.status();
    if (*count == 0) co_return errno_status(EIO, "write");  // no file system does it; not a loop for ever
    bytes = bytes.subspan(*count);
    offset = moved(offset, *count);
  }
  co_return absl::OkStatus();
}

}  // namespace

coro::Task<StatusOr<File>> File::open(std::string path, int open_flags, mode_t mode, IoOptions options) {
  StatusOr<UniqueFd> file = co_await runtime::openat(AT_FDCWD, std::move(path), open_flags, mode, options);
  if (!file.ok()) co_return file.status();
  co_return File(*std::move(file));
}

coro::Task<StatusOr<std::size_t>> File::read_all_at(std::uint64_t offset, std::span<std::byte> buffer,
                                                    IoOptions options) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    StatusOr<std::size_t> count = co_await read_at(offset, buffer.subspan(done), options);
    if (!count.ok()) co_return count.status();
    if (*count == 0) break;
    done += *count;
    offset = moved(offset, *count);
  }
  co_return done;
}

coro::Task<Status> File::write_all_at(std::uint64_t offset, std::span<const std::byte> bytes, IoOptions options) {
  return write_whole(fd(), offset, bytes, options);
}

coro::Task<StatusOr<std::uint64_t>> File::size_bytes(IoOptions options) {
  StatusOr<struct statx> about = co_await status(options);
  if (!about.ok()) co_return about.status();
  co_return std::uint64_t{about->stx_size};
}

Status File::truncate(std::uint64_t bytes) noexcept {
  const int result = sys::ftruncate(fd(), static_cast<off_t>(bytes));
  return errno_status(result < 0 ? -result : 0, "truncate");
}

coro::Task<StatusOr<std::string>> read_file(std::string path, std::size_t bytes_max, IoOptions options) {
  StatusOr<File> file = co_await File::open(path, O_RDONLY, 0, options);
  if (!file.ok()) co_return file.status();
  StatusOr<std::uint64_t> size = co_await file->size_bytes(options);
  if (!size.ok()) co_return about(path, size.status());
  // Always with room for one byte more than there should be, which tells the end.
  std::size_t wanted = std::min<std::uint64_t>(bytes_max, *size != 0 ? *size : kFirstReadBytes);
  std::string text;
  std::size_t done = 0;
  for (;;) {
    if (done == text.size()) {
      if (done != 0) wanted = std::min(bytes_max, done + done / 2);
      const bool resized = wanted < text.max_size() && resize(text, wanted + 1);
      if (!resized) {
        co_return make_status(StatusCode::kResourceExhausted,
                              path + ": read_file: no memory for " + std::to_string(wanted) + " bytes");
      }
    }
    const std::span<char> rest(text.data() + done, text.size() - done);
    StatusOr<std::size_t> count = co_await file->read_all_at(done, std::as_writable_bytes(rest), options);
    if (!count.ok()) co_return about(path, count.status());
    done += *count;
    if (done > bytes_max) {
      co_return make_status(StatusCode::kResourceExhausted,
                            path + ": read_file: more than " + std::to_string(bytes_max) + " bytes");
    }
    if (*count < rest.size()) break;
  }
  text.resize(done);
  co_return std::move(text);
}

coro::Task<Status> replace_file(std::string path, std::span<const std::byte> bytes, mode_t mode, IoOptions options) {
  const std::string fresh = path + ".new";
  StatusOr<File> file = co_await File::open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, options);
  if (!file.ok()) co_return file.status();
  Status done = co_await file->write_all(bytes, options);
  if (done.ok()) done = co_await file->sync(SyncKind::kEverything, options);
  if (done.ok()) done = co_await renameat(AT_FDCWD, fresh, AT_FDCWD, path, 0, options);
  if (!done.ok()) {
    sys::unlink(fresh.c_str());  // not awaited: the task may have been stopped
    co_return about(path, done);
  }
  co_return done;
}

coro::Task<StatusOr<std::uint64_t>> copy_bytes(const File& source, const File& target, IoOptions options) {
  std::vector<std::byte> buffer(kCopyBytes);
  std::uint64_t copied = 0;
  for (;;) {
    StatusOr<std::size_t> count = co_await runtime::read(source.fd(), buffer, kCurrentPosition, options);
    if (!count.ok()) co_return count.status();
    if (*count == 0) break;
    const std::span<const std::byte> piece = std::span(buffer).first(*count);
    Status written = co_await write_whole(target.fd(), kCurrentPosition, piece, options);
    if (!written.ok()) co_return written;
    copied += *count;
  }
  co_return copied;
}

}  // namespace wharf::runtime
