// Operations of io.h that move data of files and pipes: readv, writev, fsync, splice.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/io.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::Harness;
using test::SocketPair;

struct Pipe {
  Pipe() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    source.reset(fds[0]);
    target.reset(fds[1]);
  }
  UniqueFd source;
  UniqueFd target;
};

UniqueFd memory_file(std::string_view text) {
  UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(file.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return file;
}

iovec part_of(std::string& text) { return {text.data(), text.size()}; }

Task<StatusOr<std::size_t>> write_parts(int file, std::vector<iovec> parts, std::uint64_t offset) {
  StatusOr<std::size_t> count = co_await writev(file, parts, offset);
  co_return count;
}
Task<StatusOr<std::size_t>> read_parts(int file, std::vector<iovec> parts, std::uint64_t offset,
                                       IoOptions options = {}) {
  StatusOr<std::size_t> count = co_await readv(file, parts, offset, options);
  co_return count;
}

TEST(IoTransferTest, PartsAreWrittenAndReadInTheirOrder) {
  Harness harness;
  const UniqueFd file = memory_file("");
  std::string first = "quay";
  std::string second = " and pier";
  EXPECT_EQ(*harness.run(write_parts(file.get(), {part_of(first), part_of(second)}, 2)), 13U);
  std::string head(6, '-');
  std::string tail(20, '-');

  // Short: the file ends.
  EXPECT_EQ(*harness.run(read_parts(file.get(), {part_of(head), part_of(tail)}, 2)), 13U);
  EXPECT_EQ(head, "quay a");
  EXPECT_EQ(tail.substr(0, 8), "nd pier-");
  EXPECT_EQ(*harness.run(read_parts(file.get(), {part_of(head)}, 100)), 0U);
}

TEST(IoTransferTest, MorePartsThanTheKernelTakesAreAShortCount) {
  Harness harness;
  const UniqueFd file = memory_file("");
  std::string text = "x";

  EXPECT_EQ(*harness.run(write_parts(file.get(), std::vector<iovec>(2000, part_of(text)), 0)), 1024U);
}

TEST(IoTransferTest, AReadOfPartsEndsWithItsDeadline) {
  Harness harness;
  const Pipe pipe;
  std::string text(4, '-');
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;
  const Status status =
      harness.run(read_parts(pipe.source.get(), {part_of(text)}, kCurrentPosition, {.deadline_ns = deadline})).status();

  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
}

Task<Status> sync_it(int file, SyncKind kind) {
  Status synced = co_await fsync(file, kind);
  co_return synced;
}

TEST(IoTransferTest, AFileIsSyncedAndAPipeCannotBe) {
  Harness harness;
  const UniqueFd file = memory_file("quay");
  const Pipe pipe;

  EXPECT_TRUE(harness.run(sync_it(file.get(), SyncKind::kEverything)).ok());
  EXPECT_TRUE(harness.run(sync_it(file.get(), SyncKind::kDataOnly)).ok());
  EXPECT_EQ(harness.run(sync_it(pipe.source.get(), SyncKind::kEverything)).message(),
            "fsync: Invalid argument (EINVAL)");
}

Task<StatusOr<std::size_t>> move_bytes(int source, std::uint64_t source_offset, int target, std::size_t bytes,
                                       IoOptions options = {}) {
  StatusOr<std::size_t> moved = co_await splice(source, source_offset, target, kCurrentPosition, bytes, options);
  co_return moved;
}

TEST(IoTransferTest, ASpliceMovesFromAFileThroughAPipeToASocket) {
  Harness harness;
  const UniqueFd file = memory_file("a quay");
  const Pipe pipe;
  const SocketPair pair;
  EXPECT_EQ(*harness.run(move_bytes(file.get(), 2, pipe.target.get(), 100)), 4U);
  EXPECT_EQ(*harness.run(move_bytes(pipe.source.get(), kCurrentPosition, pair.left.get(), 100)), 4U);

  std::array<char, 16> text{};
  EXPECT_EQ(::read(pair.right.get(), text.data(), text.size()), 4);
  EXPECT_EQ(std::string(text.data()), "quay");
  EXPECT_EQ(*harness.run(move_bytes(file.get(), 6, pipe.target.get(), 100)), 0U);  // its end
}

TEST(IoTransferTest, ASpliceWithoutAPipeIsRefused) {
  Harness harness;
  const UniqueFd file = memory_file("quay");
  const SocketPair pair;

  EXPECT_EQ(harness.run(move_bytes(file.get(), 0, pair.left.get(), 4)).status().message(),
            "splice: Invalid argument (EINVAL)");
}

TEST(IoTransferTest, AStopEndsASpliceThatWaits) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    const Pipe pipe;
    const SocketPair pair;
    auto splicing = move_bytes(pipe.source.get(), kCurrentPosition, pair.left.get(), 16);

    EXPECT_EQ(harness.run(test::stopped(std::move(splicing), in_kernel)).status().code(), StatusCode::kCancelled);
  }
}

}  // namespace
}  // namespace wharf::runtime
