#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/unix_stream.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

coro::Task<void> pass_two(UnixStream& source, UnixStream& target, std::uint64_t k) {
  const UniqueFd memory(::memfd_create("quay", MFD_CLOEXEC));
  std::vector<int> fds{memory.get(), memory.get()};
  StatusOr<std::size_t> sent = co_await source.send_with_fds(test::bytes_of("x"), std::move(fds));
  EXPECT_TRUE(sent.ok()) << sent.status();
  std::array<std::byte, 8> buffer;
  coro::Task<StatusOr<UnixStream::Received>> receiving = target.recv_with_fds(buffer);
  test::fail_allocation(k);
  StatusOr<UnixStream::Received> received = co_await std::move(receiving);
  EXPECT_TRUE(received.ok()) << received.status();
}

TEST(UnixStreamMemoryTest, DescriptorsThatNoMemoryIsLeftForAreClosed) {
  test::Harness harness;
  auto pair = *UnixStream::pair();
  bool failed = true;
  for (std::uint64_t k = 1; failed; ++k) {
    SCOPED_TRACE(k);
    const std::size_t fds = test::open_fd_count();
    bool thrown = false;

    try {
      harness.run(pass_two(pair.first, pair.second, k));
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    failed = test::allocation_failed();

    EXPECT_EQ(thrown, failed);
    EXPECT_EQ(test::open_fd_count(), fds);
  }
}

TEST(UnixListenerMemoryTest, AListenThatRunsOutOfMemoryLeavesNoFileAndNoDescriptor) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "a_socket_with_a_name_that_no_string_holds_within";
  const Address address = *Address::unix_path(path);
  bool failed = true;
  for (std::uint64_t k = 1; failed; ++k) {
    SCOPED_TRACE(k);
    const std::size_t fds = test::open_fd_count();

    test::fail_allocation(k);
    try {
      static_cast<void>(UnixListener::listen(address));
    } catch (const std::bad_alloc&) {
    }
    failed = test::allocation_failed();

    EXPECT_EQ(test::open_fd_count(), fds);
    EXPECT_NE(::access(path.c_str(), F_OK), 0);
  }
}

TEST(UnixListenerMemoryTest, ItsEndNeedsNoMemory) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "a_socket_with_a_name_that_no_string_holds_within";
  auto listener = *UnixListener::listen(*Address::unix_path(path));

  test::fail_allocation(1);
  listener.reset();

  EXPECT_FALSE(test::allocation_failed());
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace wharf::runtime
