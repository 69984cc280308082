#include "wharf/runtime/file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::bytes_of;
using test::Harness;
using test::TemporaryDirectory;
namespace fs = std::filesystem;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Task<void> write_and_read(std::string path) {
  StatusOr<File> file = co_await File::open(path, O_RDWR | O_CREAT);
  EXPECT_TRUE(file.ok()) << file.status();
  Status done = co_await file->write_all_at(2, bytes_of("quay and pier"));
  EXPECT_TRUE(done.ok());
  StatusOr<std::uint64_t> size = co_await file->size_bytes();
  EXPECT_EQ(*size, 15U);
  std::array<std::byte, 32> buffer;
  StatusOr<std::size_t> count = co_await file->read_all_at(7, buffer);  // the file ends before
  EXPECT_EQ(test::text_of(std::span(buffer).first(*count)), "and pier");
  count = co_await file->read_at(15, buffer);
  EXPECT_EQ(*count, 0U);
  done = co_await file->sync(SyncKind::kDataOnly);
  EXPECT_TRUE(done.ok());
  EXPECT_TRUE(file->truncate(3).ok());
  size = co_await file->size_bytes();
  EXPECT_EQ(*size, 3U);
  done = co_await file->close();
  EXPECT_TRUE(done.ok());
  EXPECT_FALSE(*file);
}

TEST(FileTest, WhatIsWrittenIsReadAtItsOffset) {
  Harness harness;
  const TemporaryDirectory directory;
  harness.run(write_and_read(directory / "quay"));

  EXPECT_EQ(content_of(directory / "quay"), std::string("\0\0q", 3));
}

Task<void> append_and_go_on(std::string path) {
  StatusOr<File> log = co_await File::open(path, O_WRONLY | O_CREAT | O_APPEND);
  Status done = co_await log->write_all(bytes_of("one "));
  EXPECT_TRUE(done.ok());
  done = co_await log->write_all(bytes_of("two"));
  EXPECT_TRUE(done.ok());
  StatusOr<File> reader = co_await File::open(path);
  std::array<std::byte, 4> buffer;
  StatusOr<std::size_t> count = co_await reader->read_some(buffer);
  EXPECT_EQ(test::text_of(std::span(buffer).first(*count)), "one ");
  count = co_await reader->read_some(buffer);
  EXPECT_EQ(test::text_of(std::span(buffer).first(*count)), "two");
  count = co_await reader->read_some(buffer);
  EXPECT_EQ(*count, 0U);
}

TEST(FileTest, ThePositionMovesWithWhatIsReadAndWritten) {
  Harness harness;
  const TemporaryDirectory directory;
  harness.run(append_and_go_on(directory / "log"));
}

Task<Status> write_to(File file, std::string text) {
  Status written = co_await file.write_all(bytes_of(text));
  co_return written;
}

TEST(FileTest, ErrorsOfTheFileAreGiven) {
  Harness harness;
  const TemporaryDirectory directory;
  EXPECT_EQ(harness.run(write_to(File(), "x")).message(), "write: Bad file descriptor (EBADF)");
  EXPECT_EQ(harness.run(write_to(File(UniqueFd(::open("/dev/full", O_WRONLY))), "x")).code(),
            StatusCode::kResourceExhausted);
  EXPECT_FALSE(File().truncate(1).ok());
}

Task<void> write_through(UniqueFd pipe, std::string text) {
  Status written = co_await write_to(File(std::move(pipe)), std::move(text));
  EXPECT_TRUE(written.ok()) << written;
}

Task<void> read_slowly(UniqueFd pipe, std::string& all) {
  std::array<std::byte, 777> buffer;
  for (;;) {
    StatusOr<std::size_t> count = co_await read(pipe.get(), buffer);
    EXPECT_TRUE(count.ok()) << count.status();
    if (!count.ok() || *count == 0) break;
    all.append(test::text_of(std::span(buffer).first(*count)));
  }
}

Task<void> through_a_pipe(std::string text, std::string& all) {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(read_slowly(UniqueFd(fds[0]), all));
    scope.spawn(write_through(UniqueFd(fds[1]), text));
    co_return;
  });
}

TEST(FileTest, MoreThanAPipeHoldsIsWrittenInSteps) {
  Harness harness;
  std::string text;
  while (text.size() < 300'000) text.append(std::to_string(text.size()));
  std::string all;
  harness.run(through_a_pipe(text, all));

  EXPECT_TRUE(all == text);
}

Task<StatusOr<std::string>> read_whole(std::string path, std::size_t bytes_max) {
  StatusOr<std::string> text = co_await read_file(std::move(path), bytes_max);
  co_return text;
}

TEST(FileTest, AWholeFileIsReadUpToItsLimit) {
  Harness harness;
  const TemporaryDirectory directory;
  const std::string text(100'000, 'q');
  std::ofstream(directory / "quay") << text;
  std::ofstream(directory / "empty") << "";

  EXPECT_EQ(*harness.run(read_whole(directory / "quay", 100'000)), text);
  EXPECT_EQ(harness.run(read_whole(directory / "quay", 99'999)).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(*harness.run(read_whole(directory / "empty", 0)), "");
  EXPECT_EQ(*harness.run(read_whole(directory / "empty", 100)), "");
  EXPECT_EQ(harness.run(read_whole(directory / "none", 100)).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(harness.run(read_whole(directory.path(), 100)).ok());  // a directory
}

TEST(FileTest, AFileThatHidesItsSizeIsReadWhole) {
  Harness harness;

  EXPECT_EQ(harness.run(read_whole("/proc/self/stat", 100'000))->back(), '\n');
  EXPECT_EQ(harness.run(read_whole("/proc/self/stat", 10)).status().code(), StatusCode::kResourceExhausted);
}

Task<Status> replace(std::string path, std::string text) {
  Status done = co_await replace_file(std::move(path), bytes_of(text));
  co_return done;
}

TEST(FileTest, AFileIsReplacedAtOneStroke) {
  Harness harness;
  const TemporaryDirectory directory;
  EXPECT_TRUE(harness.run(replace(directory / "quay", "old")).ok());
  EXPECT_TRUE(harness.run(replace(directory / "quay", "new")).ok());
  EXPECT_EQ(content_of(directory / "quay"), "new");
  fs::create_directory(directory / "pier");

  EXPECT_FALSE(harness.run(replace(directory / "pier", "text")).ok());
  EXPECT_FALSE(fs::exists(directory / "pier.new"));
  EXPECT_EQ(harness.run(replace(directory / "none/quay", "text")).code(), StatusCode::kNotFound);
}

Task<Status> read_some(const UniqueFd& pipe) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> count = co_await read(pipe.get(), buffer);
  co_return count.status();
}

TEST(FileTest, AStopEndsAReadOfAPipe) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    const UniqueFd source(fds[0]);
    const UniqueFd target(fds[1]);

    EXPECT_EQ(harness.run(test::stopped(read_some(source), in_kernel)).code(), StatusCode::kCancelled);
  }
}

// Files of all sizes, some executable, in directories four deep.
void grow_tree(const fs::path& root, int depth, std::mt19937& random) {
  fs::create_directory(root);
  for (int i = 0; i < 6; ++i) {
    const std::size_t limit = i == 0 ? 700'000 : 20'000;
    const std::size_t bytes = random() % limit;
    std::string content;
    while (content.size() < bytes) content.append(std::to_string(random()));
    content.resize(bytes);
    if (i == 1) content.clear();
    const fs::path file = root / ("file" + std::to_string(i));
    std::ofstream(file, std::ios::binary) << content;
    if (i == 2) fs::permissions(file, fs::perms::owner_all);
  }
  for (int i = 0; i < 3 && depth > 1; ++i) {
    grow_tree(root / ("directory" + std::to_string(i)), depth - 1, random);
  }
}

Task<void> copy_file(std::string source, std::string target) {
  StatusOr<File> from = co_await File::open(source);
  EXPECT_TRUE(from.ok()) << from.status();
  StatusOr<struct statx> about = co_await from->status();
  StatusOr<File> to = co_await File::open(target, O_WRONLY | O_CREAT | O_EXCL, about->stx_mode & 0777);
  EXPECT_TRUE(to.ok()) << to.status();
  StatusOr<std::uint64_t> copied = co_await copy_bytes(*from, *to);
  EXPECT_EQ(*copied, about->stx_size);
  Status closed = co_await to->close();
  EXPECT_TRUE(closed.ok());
}

// The files of one directory side by side, then those below.
Task<void> copy_tree(fs::path source, fs::path target) {
  Status made = co_await mkdirat(AT_FDCWD, target.string());
  EXPECT_TRUE(made.ok()) << made;
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    for (const fs::directory_entry& entry : fs::directory_iterator(source)) {
      const fs::path name = target / entry.path().filename();
      if (entry.is_directory()) {
        scope.spawn(copy_tree, entry.path(), name);
      } else {
        scope.spawn(copy_file, entry.path().string(), name.string());
      }
    }
    co_return;
  });
}

TEST(FileTest, ALargeTreeIsCopiedByteForByte) {
  Harness harness;
  const TemporaryDirectory directory;
  std::mt19937 random(7);
  grow_tree(directory / "source", 4, random);
  harness.run(copy_tree(directory / "source", directory / "target"));

  std::size_t file_count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory / "source")) {
    const fs::path copy = directory / "target" / fs::relative(entry.path(), directory / "source");
    EXPECT_EQ(entry.status().type(), fs::status(copy).type());
    if (!entry.is_regular_file()) continue;
    ++file_count;
    EXPECT_TRUE(content_of(entry.path()) == content_of(copy)) << copy;
    EXPECT_EQ(entry.status().permissions(), fs::status(copy).permissions());
  }
  EXPECT_EQ(file_count, 240U);
}

}  // namespace
}  // namespace wharf::runtime
