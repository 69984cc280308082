#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include <gtest/gtest.h>

#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/tests/runtime/detail/each_backend.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime::detail {
namespace {

TEST(EpollBackendMemoryTest, AnOperationThatNoMemoryIsLeftForSaysSoAndTheOthersGoOn) {
  constexpr std::size_t kCount = 40;
  const test::Watchdog watchdog;
  test::SocketPair pair;
  auto backend = *EpollBackend::create(64);
  std::array<char, kCount> bytes;
  std::array<test::Recorder, kCount> receives;
  test::Recorder close(Opcode::kClose, ::dup(pair.left.get()));
  const int closed = close.fd;
  for (std::size_t i = 0; i < kCount; ++i) {
    receives[i].opcode = Opcode::kRecv;
    receives[i].fd = pair.left.get();
    receives[i].memory = &bytes[i];
    receives[i].memory_bytes = 1;
    receives[i].results.reserve(1);
    backend->submit(receives[i]);
  }
  close.results.reserve(1);
  backend->submit(close);
  std::size_t refused = 0;

  test::fail_allocation(1);
  backend->poll();
  EXPECT_TRUE(test::allocation_failed());
  for (test::Recorder& receive : receives) {
    if (!receive.in_flight()) continue;
    EXPECT_EQ(::write(pair.right.get(), "x", 1), 1);
  }
  for (test::Recorder& receive : receives) {
    while (receive.in_flight()) backend->wait(kNever);
    if (receive.results.back() == -ENOMEM) ++refused;
  }
  while (close.in_flight()) backend->wait(kNever);

  EXPECT_EQ(refused, 1U);
  EXPECT_EQ(::fcntl(closed, F_GETFD), -1);
}

}  // namespace
}  // namespace wharf::runtime::detail
