// Buffers that there is no memory for: a Status, where the size is somebody else's choice.
#include <cstdint>
#include <fstream>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/file.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

TEST(BufferGroupMemoryTest, AGroupThatThereIsNoMemoryForIsRefused) {
  test::Harness harness;
  for (const std::uint64_t k : {1, 2}) {
    test::fail_allocation(k);
    const Status status = BufferGroup::create(harness.reactor(), 4, 64).status();

    EXPECT_TRUE(test::allocation_failed());
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  }
  EXPECT_TRUE(BufferGroup::create(harness.reactor(), 4, 64).ok());
}

// The other allocations are frames and names, for which std::bad_alloc is thrown.
TEST(FileMemoryTest, AFileThatThereIsNoMemoryForIsAStatusThatNamesIt) {
  test::Harness harness;
  const test::TemporaryDirectory directory;
  const std::string path = directory / "quay";
  std::ofstream(path) << std::string(100'000, 'q');
  bool failed = true;
  bool refused = false;
  for (std::uint64_t k = 1; failed; ++k) {
    SCOPED_TRACE(k);
    coro::trim_frame_cache();
    Status status;
    test::fail_allocation(k);
    try {
      status = harness.run(read_file(path, 1 << 20)).status();
    } catch (const std::bad_alloc&) {
    }
    failed = test::allocation_failed();
    if (status.ok()) continue;

    EXPECT_EQ(status.message(), path + ": read_file: no memory for 100000 bytes");
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    refused = true;
  }
  EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace wharf::runtime
