#include "wharf/runtime/file_system.h"

#include <filesystem>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/io.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::bytes_of;
using test::Harness;
using test::TemporaryDirectory;

Task<StatusOr<UniqueFd>> open(int directory, std::string path, int flags, IoOptions options = {}) {
  StatusOr<UniqueFd> file = co_await openat(directory, std::move(path), flags, 0600, options);
  co_return file;
}
Task<StatusOr<struct statx>> look_at(int directory, std::string path, int flags = 0) {
  StatusOr<struct statx> about = co_await statx(directory, std::move(path), flags);
  co_return about;
}
Task<Status> make_directory(int directory, std::string path, mode_t mode) {
  Status made = co_await mkdirat(directory, std::move(path), mode);
  co_return made;
}
Task<Status> remove_file(std::string path, int flags = 0) {
  Status removed = co_await unlinkat(AT_FDCWD, std::move(path), flags);
  co_return removed;
}
Task<Status> move_file(std::string source, std::string target, unsigned flags = 0) {
  Status moved = co_await renameat(AT_FDCWD, std::move(source), AT_FDCWD, std::move(target), flags);
  co_return moved;
}

void touch(Harness& harness, const std::string& path) {
  EXPECT_TRUE(harness.run(open(AT_FDCWD, path, O_WRONLY | O_CREAT)).ok());
}

TEST(FileSystemTest, AFileIsMadeWithItsModeAndClosedOnExec) {
  Harness harness;
  const TemporaryDirectory directory;
  StatusOr<UniqueFd> file = harness.run(open(AT_FDCWD, directory / "quay", O_RDWR | O_CREAT));
  ASSERT_TRUE(file.ok()) << file.status();
  StatusOr<struct statx> about = harness.run(look_at(AT_FDCWD, directory / "quay"));

  EXPECT_EQ(::fcntl(file->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(about->stx_mode & 07777, 0600);
  EXPECT_EQ(about->stx_size, 0U);
}

TEST(FileSystemTest, AnErrorNamesThePath) {
  Harness harness;
  const Status opened = harness.run(open(AT_FDCWD, "/no/such", O_RDONLY)).status();
  const Status looked = harness.run(look_at(AT_FDCWD, "/no/such")).status();

  EXPECT_EQ(opened.code(), StatusCode::kNotFound);
  EXPECT_EQ(opened.message(), "/no/such: open: No such file or directory (ENOENT)");
  EXPECT_EQ(looked.message(), "/no/such: statx: No such file or directory (ENOENT)");
}

// To the kernel it would be the path before it.
TEST(FileSystemTest, APathWithAZeroByteIsRefused) {
  Harness harness;
  const TemporaryDirectory directory;
  touch(harness, directory / "quay");
  const std::string cut = (directory / "quay") + std::string("\0.txt", 5);
  const Status opened = harness.run(open(AT_FDCWD, cut, O_RDONLY)).status();

  EXPECT_EQ(opened.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(opened.message(), "open: a zero byte in a path");
  EXPECT_EQ(harness.run(look_at(AT_FDCWD, cut)).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(harness.run(make_directory(AT_FDCWD, cut, 0700)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(harness.run(remove_file(cut)).code(), StatusCode::kInvalidArgument);
  for (const auto& [source, target] : {std::pair(cut, directory / "pier"), std::pair(directory / "quay", cut)}) {
    EXPECT_EQ(harness.run(move_file(source, target)).message(), "rename: a zero byte in a path");
  }
  EXPECT_TRUE(std::filesystem::exists(directory / "quay"));
}

TEST(FileSystemTest, PathsAreRelativeToTheDirectory) {
  Harness harness;
  const TemporaryDirectory root;
  StatusOr<UniqueFd> directory = harness.run(open(AT_FDCWD, root.path(), O_RDONLY | O_DIRECTORY));
  EXPECT_TRUE(harness.run(make_directory(directory->get(), "pier", 0700)).ok());
  StatusOr<UniqueFd> file = harness.run(open(directory->get(), "pier/quay", O_WRONLY | O_CREAT));

  EXPECT_TRUE(file.ok());
  EXPECT_TRUE(std::filesystem::is_regular_file(root / "pier/quay"));
  EXPECT_TRUE(S_ISDIR(harness.run(look_at(directory->get(), "", AT_EMPTY_PATH))->stx_mode));
}

TEST(FileSystemTest, ALinkCanBeLookedAtItself) {
  Harness harness;
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("nowhere", directory / "link");

  EXPECT_TRUE(S_ISLNK(harness.run(look_at(AT_FDCWD, directory / "link", AT_SYMLINK_NOFOLLOW))->stx_mode));
  EXPECT_EQ(harness.run(look_at(AT_FDCWD, directory / "link")).status().code(), StatusCode::kNotFound);
}

TEST(FileSystemTest, WhatIsThereAlreadyIsRefused) {
  Harness harness;
  const TemporaryDirectory directory;
  touch(harness, directory / "quay");

  EXPECT_EQ(harness.run(open(AT_FDCWD, directory / "quay", O_WRONLY | O_CREAT | O_EXCL)).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(harness.run(make_directory(AT_FDCWD, directory / "quay", 0700)).code(), StatusCode::kAlreadyExists);
}

TEST(FileSystemTest, FilesAndEmptyDirectoriesAreRemoved) {
  Harness harness;
  const TemporaryDirectory directory;
  EXPECT_TRUE(harness.run(make_directory(AT_FDCWD, directory / "pier", 0700)).ok());
  touch(harness, directory / "pier/quay");

  EXPECT_FALSE(harness.run(remove_file(directory / "pier", AT_REMOVEDIR)).ok());  // not empty
  EXPECT_FALSE(harness.run(remove_file(directory / "pier")).ok());                // no file
  EXPECT_TRUE(harness.run(remove_file(directory / "pier/quay")).ok());
  EXPECT_TRUE(harness.run(remove_file(directory / "pier", AT_REMOVEDIR)).ok());
  EXPECT_EQ(harness.run(remove_file(directory / "pier/quay")).code(), StatusCode::kNotFound);
}

TEST(FileSystemTest, ARenameReplacesUnlessItMustNot) {
  Harness harness;
  const TemporaryDirectory directory;
  touch(harness, directory / "old");
  touch(harness, directory / "new");

  EXPECT_EQ(harness.run(move_file(directory / "old", directory / "new", RENAME_NOREPLACE)).code(),
            StatusCode::kAlreadyExists);
  EXPECT_TRUE(harness.run(move_file(directory / "old", directory / "new")).ok());
  EXPECT_FALSE(std::filesystem::exists(directory / "old"));
  EXPECT_EQ(harness.run(move_file(directory / "old", directory / "new")).code(), StatusCode::kNotFound);
}

TEST(FileSystemTest, AStoppedTaskChangesNothing) {
  Harness harness;
  const TemporaryDirectory directory;
  harness.reactor().request_stop();

  EXPECT_EQ(harness.run(open(AT_FDCWD, directory / "quay", O_WRONLY | O_CREAT)).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(harness.run(make_directory(AT_FDCWD, directory / "pier", 0700)).code(), StatusCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(FileSystemTest, ADeadlineThatHasPassedChangesNothing) {
  Harness harness;
  const TemporaryDirectory directory;
  const Status status =
      harness.run(open(AT_FDCWD, directory / "quay", O_WRONLY | O_CREAT, {.deadline_ns = 1})).status();

  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(FileSystemTest, APipeIsOpenedWithoutItsOtherEnd) {
  Harness harness;
  const TemporaryDirectory directory;
  EXPECT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);

  EXPECT_EQ(harness.run(open(AT_FDCWD, directory / "pipe", O_WRONLY)).status().message(),
            directory / "pipe: open: No such device or address (ENXIO)");
  EXPECT_TRUE(harness.run(open(AT_FDCWD, directory / "pipe", O_RDONLY)).ok());
}

}  // namespace
}  // namespace wharf::runtime
