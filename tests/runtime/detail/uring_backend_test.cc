// What only io_uring does. What every backend does: backend_test.cc, backend_operations_test.cc.
#include "wharf/runtime/detail/uring_backend.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;

using UringBackendTest = test::EachBackend;
INSTANTIATE_TEST_SUITE_P(Setups, UringBackendTest,
                         ::testing::Range(std::size_t{0}, UringBackend::kSetupCount));

TEST_P(UringBackendTest, OneEnterSubmitsAndReapsEverything) {
  make();
  std::deque<Recorder> operations(10);
  const std::uint64_t before = backend_->counters().enters;
  for (Recorder& operation : operations) backend_->submit(operation);

  EXPECT_EQ(backend_->poll(), 10U);

  EXPECT_EQ(backend_->counters().enters, before + 1);
  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
}

TEST_P(UringBackendTest, MoreThanTheRingHoldsIsSubmittedInSeveralEnters) {
  make(8, 64);
  std::deque<Recorder> operations(40);
  const std::uint64_t before = backend_->counters().enters;
  for (Recorder& operation : operations) backend_->submit(operation);
  backend_->poll();
  while (backend_->poll() != 0) {
  }

  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
  EXPECT_EQ(backend_->counters().enters, before + 5);
}

TEST_P(UringBackendTest, RingEntriesOutOfRangeAreRefused) {
  EXPECT_EQ(create(0, 64).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(create(40'000, 64).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace wharf::runtime::detail
