// The code of docs/guide/files.md.

#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/runtime/file.h"
#include "wharf/runtime/file_system.h"
#include "wharf/runtime/owned_io.h"
#include "wharf/runtime/reader.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/transfer.h"
#include "wharf/runtime/unix_stream.h"

using namespace wharf;
using namespace wharf::runtime;

namespace {

coro::Task<Status> append_line(std::string path, std::string text) {
  StatusOr<File> log = co_await File::open(path, O_WRONLY | O_CREAT | O_APPEND, 0640);
  if (!log.ok()) co_return log.status();
  const std::string line = text + "\n";
  Status written = co_await log->write_all(std::as_bytes(std::span(line)));
  if (!written.ok()) co_return written;
  Status synced = co_await log->sync(SyncKind::kDataOnly);
  co_return synced;
}

coro::Task<StatusOr<std::size_t>> count_lines(std::string path) {
  StatusOr<File> file = co_await File::open(path);
  if (!file.ok()) co_return file.status();
  Reader reader(*file);
  std::size_t count = 0;
  for (;;) {
    StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
    if (!line.ok()) co_return line.status();
    if (!line->has_value()) co_return count;
    ++count;
  }
}

coro::Task<Status> whole_files(std::string directory) {
  const std::string path = directory + "/settings";
  const std::string settings = "berths = 7\n";
  Status replaced = co_await replace_file(path, std::as_bytes(std::span(settings)));
  if (!replaced.ok()) co_return replaced;
  StatusOr<std::string> text = co_await read_file(path, 1 << 20);
  if (!text.ok()) co_return text.status();
  std::printf("%s", text->c_str());
  co_return absl::OkStatus();
}

coro::Task<Status> move_bytes(std::string path, int socket, int pipe) {
  std::string head = "quay";
  std::string body = "side";
  StatusOr<File> file = co_await File::open(path, O_RDWR | O_CREAT);
  if (!file.ok()) co_return file.status();
  const std::array<iovec, 2> parts{{{head.data(), head.size()}, {body.data(), body.size()}}};
  StatusOr<std::size_t> written = co_await writev(file->fd(), parts, 0);
  if (!written.ok()) co_return written.status();
  StatusOr<std::size_t> read = co_await readv(file->fd(), parts, 0);
  if (!read.ok()) co_return read.status();
  StatusOr<std::uint64_t> sent = co_await send_file(socket, file->fd(), 0, 8);
  if (!sent.ok()) co_return sent.status();
  StatusOr<std::size_t> moved = co_await splice(file->fd(), 0, pipe, kCurrentPosition, 65536);
  if (!moved.ok()) co_return moved.status();
  std::printf("%zu bytes written, %zu read, %llu sent, %zu moved\n", *written, *read,
              static_cast<unsigned long long>(*sent), *moved);
  co_return absl::OkStatus();
}

coro::Task<Status> without_buffers(std::string path) {
  StatusOr<std::pair<UnixStream, UnixStream>> pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  int pipe[2] = {-1, -1};
  if (::pipe2(pipe, O_CLOEXEC) != 0) co_return errno_status(errno, "pipe2");
  const UniqueFd source(pipe[0]);
  const UniqueFd target(pipe[1]);
  Status moved = co_await move_bytes(path, pair->first.fd(), target.get());
  co_return moved;
}

coro::Task<Status> names(std::string directory) {
  Status made = co_await mkdirat(AT_FDCWD, directory + "/old");
  if (!made.ok()) co_return made;
  Status moved = co_await renameat(AT_FDCWD, directory + "/log", AT_FDCWD, directory + "/old/log");
  if (!moved.ok()) co_return moved;
  StatusOr<struct statx> about = co_await statx(AT_FDCWD, directory + "/old/log");
  if (!about.ok()) co_return about.status();
  Status removed = co_await unlinkat(AT_FDCWD, directory + "/old/log");
  if (!removed.ok()) co_return removed;
  std::printf("%llu bytes\n", static_cast<unsigned long long>(about->stx_size));
  co_return absl::OkStatus();
}

coro::Task<Status> read_patiently(std::string path, std::int64_t soon) {
  StatusOr<File> file = co_await File::open(path);
  if (!file.ok()) co_return file.status();
  OwnedResult got = co_await read_owned(file->fd(), Buffer(4096), 0, {.deadline_ns = soon});
  if (!got.count.ok()) co_return got.count.status();
  std::printf("%zu bytes read\n", *got.count);
  co_return absl::OkStatus();
}

coro::Task<Status> program(std::string directory) {
  const std::string log = directory + "/log";
  Status done = co_await append_line(log, "quay");
  if (done.ok()) done = co_await append_line(log, "pier");
  StatusOr<std::size_t> count = co_await count_lines(log);
  if (!count.ok()) co_return count.status();
  std::printf("%zu lines\n", *count);
  if (done.ok()) done = co_await whole_files(directory);
  if (done.ok()) done = co_await read_patiently(log, kNever);
  if (done.ok()) done = co_await without_buffers(directory + "/parts");
  if (done.ok()) done = co_await names(directory);
  for (const char* name : {"/parts", "/settings"}) {
    Status removed = co_await unlinkat(AT_FDCWD, directory + name);
    if (done.ok()) done = removed;
  }
  for (const char* name : {"/old", ""}) {
    Status removed = co_await unlinkat(AT_FDCWD, directory + name, AT_REMOVEDIR);
    if (done.ok()) done = removed;
  }
  co_return done;
}

}  // namespace

int main() {
  std::string directory = "/tmp/wharf_files_XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return 1;
  return run_main(program(directory));
}
