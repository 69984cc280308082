// Receives into buffers that the backend takes from a group, on each backend.
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Results;
using test::SocketPair;

constexpr std::uint16_t kGroup = 3;
constexpr std::uint32_t kCount = 4;
constexpr std::uint32_t kBytes = 8;

// Notes the buffers too.
struct Receiver final : Operation {
  explicit Receiver(int socket, bool many = false) {
    opcode = Opcode::kRecv;
    fd = socket;
    multishot = many;
    buffer_group = kGroup;
  }
  void on_complete(std::int32_t result, bool more) noexcept override {
    results.push_back(result);
    taken.push_back(buffer_taken);
    final_count += more ? 0 : 1;
  }
  Results results;
  Results taken;
  int final_count = 0;
};

class BackendBuffersTest : public test::EachBackend {
 protected:
  void set_up() override {
    make();
    memory_ = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory_, MAP_FAILED);
    io_uring_buf_ring_init(ring());
    ASSERT_EQ(backend_->add_buffers(kGroup, memory_, kCount), 0);
  }
  void TearDown() override {
    if (backend_ == nullptr) return;
    backend_->remove_buffers(kGroup);
    backend_.reset();
    ::munmap(memory_, 8192);
  }
  io_uring_buf_ring* ring() { return static_cast<io_uring_buf_ring*>(memory_); }
  char* buffer(std::int32_t index) { return static_cast<char*>(memory_) + 4096 + index * kBytes; }
  void give(std::uint16_t index) {
    io_uring_buf_ring_add(ring(), buffer(index), kBytes, index, io_uring_buf_ring_mask(kCount), 0);
    io_uring_buf_ring_advance(ring(), 1);
  }
  void give_all() {
    for (std::uint16_t i = 0; i < kCount; ++i) give(i);
  }
  void run(Receiver& receiver) {
    backend_->submit(receiver);
    while (receiver.in_flight()) backend_->wait(kNever);
  }
  std::string text(const Receiver& receiver, std::size_t at) {
    return {buffer(receiver.taken.at(at)), static_cast<std::size_t>(receiver.results.at(at))};
  }
  static void write_to(const UniqueFd& socket, std::string_view text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  void* memory_ = nullptr;
};
WHARF_EACH_BACKEND(BackendBuffersTest);

TEST_P(BackendBuffersTest, AReceiveBringsABufferWithItsBytes) {
  SocketPair pair;
  give_all();
  Receiver receiver(pair.left.get());
  backend_->submit(receiver);
  EXPECT_EQ(backend_->poll(), 0U);
  write_to(pair.right, "quay");
  while (receiver.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(receiver.results, Results{4});
  EXPECT_EQ(text(receiver, 0), "quay");
}

TEST_P(BackendBuffersTest, ABufferTakesNoMoreThanItHolds) {
  SocketPair pair;
  give_all();
  write_to(pair.right, "the long quay");
  Receiver receiver(pair.left.get());
  run(receiver);
  run(receiver);

  EXPECT_EQ(text(receiver, 0), "the long");
  EXPECT_EQ(text(receiver, 1), " quay");
  EXPECT_NE(receiver.taken[0], receiver.taken[1]);
}

TEST_P(BackendBuffersTest, ABufferThatIsGivenBackIsTakenAgain) {
  SocketPair pair;
  give(2);
  for (int i = 0; i < 10; ++i) {
    write_to(pair.right, std::to_string(i));
    Receiver receiver(pair.left.get());
    run(receiver);
    EXPECT_EQ(text(receiver, 0), std::to_string(i));
    EXPECT_EQ(receiver.taken, Results{2});
    give(2);
  }
}

TEST_P(BackendBuffersTest, WithoutABufferItIsRefusedAndLosesNothing) {
  SocketPair pair;
  write_to(pair.right, "quay");
  Receiver receiver(pair.left.get());
  run(receiver);
  EXPECT_EQ(receiver.results, Results{-ENOBUFS});
  give(1);
  run(receiver);

  EXPECT_EQ(text(receiver, 1), "quay");
}

TEST_P(BackendBuffersTest, AMultishotOneTakesABufferForEachPieceUntilNoneIsLeft) {
  SocketPair pair(SOCK_DGRAM);
  give_all();
  Receiver receiver(pair.left.get(), true);
  backend_->submit(receiver);
  backend_->poll();
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_TRUE(receiver.in_flight());
    write_to(pair.right, std::to_string(i));
    while (receiver.results.size() == i) backend_->wait(kNever);
    EXPECT_EQ(text(receiver, i), std::to_string(i));
  }
  while (receiver.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(receiver.results, (Results{1, 1, 1, 1, -ENOBUFS}));
  EXPECT_EQ(receiver.taken.back(), -1);
  EXPECT_EQ(receiver.final_count, 1);
}

TEST_P(BackendBuffersTest, TheEndOfTheStreamEndsIt) {
  SocketPair pair;
  give_all();
  pair.right.reset();
  Receiver receiver(pair.left.get());
  run(receiver);

  EXPECT_EQ(receiver.results, Results{0});
}

TEST_P(BackendBuffersTest, ACancelledOneTakesNoBuffer) {
  SocketPair pair(SOCK_DGRAM);
  give_all();
  Receiver receiver(pair.left.get(), true);
  backend_->submit(receiver);
  backend_->poll();
  write_to(pair.right, "quay");
  while (receiver.results.empty()) backend_->wait(kNever);
  backend_->cancel(receiver);
  while (receiver.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(receiver.results, (Results{4, -ECANCELED}));
  EXPECT_EQ(receiver.taken.back(), -1);
}

TEST_P(BackendBuffersTest, AGroupsNumberIsTakenUntilItIsRemoved) {
  EXPECT_EQ(backend_->add_buffers(kGroup, memory_, kCount), -EEXIST);
  backend_->remove_buffers(kGroup);

  EXPECT_EQ(backend_->add_buffers(kGroup, memory_, kCount), 0);
}

}  // namespace
}  // namespace wharf::runtime::detail
