// Polls, and what operations have to do with descriptors that are shared, duplicated, closed and used anew, on each
// backend.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;
using test::Results;
using test::SocketPair;

class BackendFilesTest : public test::EachBackend {
 protected:
  Recorder recv_on(const UniqueFd& fd, int part = 0) { return {Opcode::kRecv, fd.get(), buffer_ + 8 * part, 8}; }
};
WHARF_EACH_BACKEND(BackendFilesTest);

struct Poll final : Operation {
  Poll(int file, std::uint32_t events, bool again) {
    opcode = Opcode::kPoll;
    multishot = again;
    fd = file;
    flags = events;
  }
  void on_complete(std::int32_t result, bool more) noexcept override {
    results.push_back(result);
    final_count += more ? 0 : 1;
  }
  Results results;
  int final_count = 0;
};

TEST_P(BackendFilesTest, APollTellsWhatIsThereAtOnce) {
  make();
  SocketPair pair;
  Poll poll(pair.left.get(), POLLIN | POLLOUT, false);
  backend_->submit(poll);
  while (poll.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(poll.results, Results{POLLOUT});
}

TEST_P(BackendFilesTest, APollWaitsForItsEvent) {
  make();
  SocketPair pair;
  Poll poll(pair.left.get(), POLLIN | POLLRDHUP, false);
  backend_->submit(poll);
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(::shutdown(pair.right.get(), SHUT_WR), 0);
  while (poll.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(poll.results, Results{POLLIN | POLLRDHUP});
}

TEST_P(BackendFilesTest, APollOfAFileIsAlwaysReady) {
  make();
  const UniqueFd file(::memfd_create("backend", MFD_CLOEXEC));
  Poll poll(file.get(), POLLIN, false);
  backend_->submit(poll);
  while (poll.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(poll.results, Results{POLLIN});
}

TEST_P(BackendFilesTest, AMultishotPollReportsEachEdge) {
  make();
  const UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Poll poll(bell.get(), POLLIN, true);
  backend_->submit(poll);
  EXPECT_EQ(backend_->poll(), 0U);

  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(::eventfd_write(bell.get(), 1), 0);  // and never read
    EXPECT_EQ(backend_->wait(kNever), 1U);
    EXPECT_EQ(backend_->poll(), 0U);
    EXPECT_EQ(poll.results.size(), static_cast<std::size_t>(i));
    EXPECT_EQ(poll.results.back(), POLLIN);
  }

  EXPECT_TRUE(poll.in_flight());
  backend_->cancel(poll);
  while (poll.in_flight()) backend_->wait(kNever);
  EXPECT_EQ(poll.final_count, 1);
}

TEST_P(BackendFilesTest, AMultishotPollReportsOnceWhatIsThereAtItsStart) {
  make();
  const UniqueFd bell(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  Poll poll(bell.get(), POLLIN, true);
  backend_->submit(poll);
  while (poll.results.empty()) backend_->wait(kNever);
  for (int i = 0; i < 10; ++i) backend_->poll();

  EXPECT_EQ(poll.results, Results{POLLIN});
  backend_->cancel(poll);
  while (poll.in_flight()) backend_->wait(kNever);
}

TEST_P(BackendFilesTest, SeveralOperationsWaitForOneFile) {
  make();
  SocketPair pair(SOCK_SEQPACKET);
  std::deque<Recorder> receives;
  for (int i = 0; i < 3; ++i) {
    receives.emplace_back(Opcode::kRecv, pair.left.get(), buffer_ + 8 * i, 8U);
    backend_->submit(receives.back());
  }
  Poll bell(pair.left.get(), POLLIN, true);
  backend_->submit(bell);
  backend_->poll();
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(::send(pair.right.get(), "xyz", static_cast<std::size_t>(i), 0), i);
  int bytes = 0;
  for (Recorder& receive : receives) {
    wait_for(receive);
    bytes += receive.results.at(0);
  }

  EXPECT_EQ(bytes, 6);
  EXPECT_FALSE(bell.results.empty());
  backend_->cancel(bell);
  while (bell.in_flight()) backend_->wait(kNever);
}

TEST_P(BackendFilesTest, ReadingAndWritingWaitForOneSocketIndependently) {
  make();
  SocketPair pair;
  char page[4096] = {};
  while (::send(pair.left.get(), page, sizeof(page), MSG_DONTWAIT) > 0) {
  }
  Recorder receive = recv_on(pair.left);
  Recorder send(Opcode::kSend, pair.left.get(), page, 1);
  backend_->submit(send);
  backend_->submit(receive);
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  wait_for(receive);
  EXPECT_TRUE(send.in_flight());
  while (::recv(pair.right.get(), page, sizeof(page), MSG_DONTWAIT) > 0) {
  }
  wait_for(send);

  EXPECT_EQ(receive.results, Results{4});
  EXPECT_EQ(send.results, Results{1});
}

TEST_P(BackendFilesTest, DuplicatesOfOneFileWaitIndependently) {
  make();
  SocketPair pair;
  UniqueFd other(::dup(pair.left.get()));
  Recorder first = recv_on(pair.left, 0);
  Recorder second = recv_on(other, 1);
  backend_->submit(first);
  backend_->submit(second);
  backend_->poll();
  backend_->cancel(first);
  wait_for(first);
  pair.left.reset();
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  wait_for(second);

  EXPECT_EQ(first.results, Results{-ECANCELED});
  EXPECT_EQ(second.results, Results{4});
}

TEST_P(BackendFilesTest, AnOperationKeepsItsFileThoughTheDescriptorIsClosedAndUsedAnew) {
  make();
  SocketPair old_pair;
  SocketPair new_pair;
  const int number = old_pair.left.get();
  Recorder old_receive = recv_on(old_pair.left, 0);
  backend_->submit(old_receive);
  backend_->poll();
  old_pair.left.reset();
  EXPECT_EQ(::dup2(new_pair.left.get(), number), number);
  const UniqueFd reused(number);
  Recorder new_receive = recv_on(reused, 1);
  backend_->submit(new_receive);
  backend_->poll();
  EXPECT_EQ(::write(old_pair.right.get(), "old", 3), 3);
  wait_for(old_receive);
  EXPECT_TRUE(new_receive.in_flight());
  EXPECT_EQ(::write(new_pair.right.get(), "newer", 5), 5);
  wait_for(new_receive);

  EXPECT_EQ(old_receive.results, Results{3});
  EXPECT_EQ(new_receive.results, Results{5});
}

TEST_P(BackendFilesTest, AFileThatIsClosedAfterACancelIsReallyClosed) {
  make();
  SocketPair pair;
  Recorder receive = recv_on(pair.left);
  backend_->submit(receive);
  backend_->poll();
  backend_->cancel(receive);
  pair.left.reset();
  wait_for(receive);
  backend_->poll();

  EXPECT_EQ(receive.results, Results{-ECANCELED});
  EXPECT_EQ(::recv(pair.right.get(), buffer_, 1, 0), 0);  // the peer sees the end
}

TEST_P(BackendFilesTest, WithoutADescriptorLeftWhatWaitsStillEnds) {
  make();
  SocketPair pair;
  Recorder receive = recv_on(pair.left);
  Poll bell(pair.left.get(), POLLIN, true);
  {
    const test::NoMoreFds none;
    backend_->submit(receive);
    backend_->submit(bell);
    backend_->poll();
    EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
    wait_for(receive);
    EXPECT_EQ(receive.results, Results{4});
  }
  EXPECT_EQ(::write(pair.right.get(), "more", 4), 4);
  while (bell.results.empty()) backend_->wait(kNever);
  EXPECT_EQ(bell.results.at(0), POLLIN);
  backend_->cancel(bell);
  while (bell.in_flight()) backend_->wait(kNever);
}

}  // namespace
}  // namespace wharf::runtime::detail
