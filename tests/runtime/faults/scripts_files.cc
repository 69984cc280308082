#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "wharf/runtime/file.h"
#include "wharf/runtime/file_system.h"
#include "wharf/runtime/process.h"
#include "wharf/runtime/process_output.h"
#include "wharf/tests/runtime/faults/scripts.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {
namespace {

using namespace runtime;  // NOLINT(google-build-using-namespace)

const std::string kText(700, 't');

coro::Task<Status> write_a_file(std::string path) {
  StatusOr<File> file = co_await File::open(path, O_RDWR | O_CREAT | O_TRUNC);
  if (!file.ok()) co_return file.status();
  Status written = co_await file->write_all(bytes_of(kText));
  if (!written.ok()) co_return written;
  Status synced = co_await file->sync();
  if (!synced.ok()) co_return synced;
  StatusOr<std::uint64_t> size = co_await file->size_bytes();
  if (!size.ok()) co_return size.status();
  Status closed = co_await file->close();
  if (!closed.ok()) co_return closed;
  co_return expect(*size == kText.size(), "the file's size differs");
}

coro::Task<Status> copy_a_file(std::string from, std::string to) {
  StatusOr<File> source = co_await File::open(from);
  if (!source.ok()) co_return source.status();
  StatusOr<File> target = co_await File::open(to, O_RDWR | O_CREAT | O_TRUNC);
  if (!target.ok()) co_return target.status();
  StatusOr<std::uint64_t> copied = co_await copy_bytes(*source, *target);
  if (!copied.ok()) co_return copied.status();
  std::array<std::byte, 1000> buffer;
  StatusOr<std::size_t> count = co_await target->read_all_at(0, buffer);
  if (!count.ok()) co_return count.status();
  co_return expect(text_of(std::span(buffer).first(*count)) == kText, "the copy differs");
}

coro::Task<Status> files(std::string directory) {
  const std::string path = directory + "/a";
  Status written = co_await write_a_file(path);
  if (!written.ok()) co_return written;
  Status renamed = co_await renameat(AT_FDCWD, path, AT_FDCWD, directory + "/b");
  if (!renamed.ok()) co_return renamed;
  Status copied = co_await copy_a_file(directory + "/b", path);
  if (!copied.ok()) co_return copied;
  StatusOr<std::string> text = co_await read_file(path, 4096);
  if (!text.ok()) co_return text.status();
  co_return expect(*text == kText, "the text differs");
}

// Whatever fails, the file is the old one or the new one.
coro::Task<Status> replace(std::string directory) {
  const std::string path = directory + "/settings";
  Status made = co_await replace_file(path, bytes_of("old"));
  if (!made.ok()) co_return made;
  Status replaced = co_await replace_file(path, bytes_of("new"));
  StatusOr<std::string> text = co_await read_file(path, 100);
  if (!replaced.ok()) {
    if (!text.ok()) co_return text.status();
    if (*text != "old" && *text != "new") std::abort();
    co_return replaced;
  }
  if (!text.ok()) co_return text.status();
  co_return expect(*text == "new", "the file is not replaced");
}

coro::Task<Status> names(std::string directory) {
  const std::string inner = directory + "/inner";
  Status made = co_await mkdirat(AT_FDCWD, inner);
  if (!made.ok()) co_return made;
  StatusOr<struct statx> about = co_await statx(AT_FDCWD, inner);
  if (!about.ok()) co_return about.status();
  Status removed = co_await unlinkat(AT_FDCWD, inner, AT_REMOVEDIR);
  co_return removed;
}

coro::Task<Status> child_with_pipes(std::string /*directory*/) {
  SpawnOptions options("/bin/cat");
  options.input = SpawnOptions::Standard::kPipe;
  options.output = SpawnOptions::Standard::kPipe;
  StatusOr<std::unique_ptr<Process>> child = Process::spawn(options);
  if (!child.ok()) co_return child.status();
  File input((*child)->take_input());
  const File output((*child)->take_output());
  Status written = co_await input.write_all(bytes_of(kText));
  if (!written.ok()) co_return written;
  Status closed = co_await input.close();
  if (!closed.ok()) co_return closed;
  std::array<std::byte, 1000> buffer;
  std::size_t bytes = 0;
  for (;;) {
    StatusOr<std::size_t> count = co_await runtime::read(output.fd(), std::span(buffer).subspan(bytes));
    if (!count.ok()) co_return count.status();
    if (*count == 0) break;
    bytes += *count;
  }
  StatusOr<ExitStatus> ended = co_await (*child)->wait();
  if (!ended.ok()) co_return ended.status();
  co_return expect(ended->success() && bytes == kText.size(), "the child says something else");
}

coro::Task<Status> child_to_its_end(std::string /*directory*/) {
  SpawnOptions options("/bin/cat");
  StatusOr<ProcessOutput> cat = co_await run_process(options, "quay");
  if (!cat.ok()) co_return cat.status();
  co_return expect(cat->status.success() && cat->output == "quay", "the output differs");
}

constexpr Script kScripts[] = {
    {"Files", files},
    {"Replace", replace},
    {"Names", names},
    {"ChildWithPipes", child_with_pipes},
    {"ChildToItsEnd", child_to_its_end},
};

}  // namespace

std::span<const Script> file_scripts() noexcept { return kScripts; }

}  // namespace wharf::test
