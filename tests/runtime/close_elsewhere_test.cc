#include "wharf/runtime/close_elsewhere.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/tests/support/in_a_child.h"

namespace wharf::runtime {
namespace {

void wait_until_closing(std::size_t count) {
  while (closing_count() != count) ::sched_yield();
}

// A connection whose close hangs until the other end has read everything, or gone: two hours at most.
struct Hanging {
  Hanging() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    sender.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(sender.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    reader.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const linger hours{1, 7200};
    EXPECT_EQ(::setsockopt(sender.get(), SOL_SOCKET, SO_LINGER, &hours, sizeof(hours)), 0);
    EXPECT_EQ(::fcntl(sender.get(), F_SETFL, O_NONBLOCK), 0);
    std::array<char, 65'536> much{};
    while (::write(sender.get(), much.data(), much.size()) > 0) continue;
  }
  UniqueFd sender;
  UniqueFd reader;
};

TEST(CloseElsewhereTest, ClosesWhatItWasGiven) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reading(fds[0]);

  close_elsewhere(UniqueFd(fds[1]));

  pollfd item{reading.get(), 0, 0};
  EXPECT_EQ(::poll(&item, 1, -1), 1);
  EXPECT_NE(item.revents & POLLHUP, 0);
  wait_until_closing(0);
}

TEST(CloseElsewhereTest, TakesNothing) {
  close_elsewhere(UniqueFd());

  EXPECT_EQ(closing_count(), 0u);
  EXPECT_EQ(closing_room(), kClosingCountMax / 2);
}

TEST(CloseElsewhereTest, ACloseThatHangsHoldsUpNeitherTheCallerNorOthers) {
  Hanging hanging;
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reading(fds[0]);

  close_elsewhere(std::move(hanging.sender));
  close_elsewhere(UniqueFd(fds[1]));

  pollfd item{reading.get(), 0, 0};
  EXPECT_EQ(::poll(&item, 1, -1), 1) << "closed by another helper";
  wait_until_closing(1);
  EXPECT_EQ(closing_room(), kClosingCountMax / 2 - 1);
  hanging.reader.reset();
  wait_until_closing(0);
}

TEST(CloseElsewhereTest, SoManyHangingClosesLetTheNextOneWait) {
  std::array<Hanging, kClosingThreadCountMax> hanging;
  for (Hanging& one : hanging) close_elsewhere(std::move(one.sender));
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reading(fds[0]);

  close_elsewhere(UniqueFd(fds[1]));

  EXPECT_EQ(closing_count(), kClosingThreadCountMax + 1);
  pollfd item{reading.get(), 0, 0};
  EXPECT_EQ(::poll(&item, 1, 0), 0) << "it is open still";
  for (Hanging& one : hanging) one.reader.reset();
  EXPECT_EQ(::poll(&item, 1, -1), 1);
  wait_until_closing(0);
}

// The helpers are threads of the parent's.
TEST(CloseElsewhereTest, AChildOfForkHasHelpersOfItsOwn) {
  close_elsewhere(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  wait_until_closing(0);

  EXPECT_TRUE(test::in_a_child([] {
    if (!test::kChildMayStartThreads) return true;
    int fds[2];
    if (closing_count() != 0 || ::pipe2(fds, O_CLOEXEC) != 0) return false;
    close_elsewhere(UniqueFd(fds[1]));
    pollfd item{fds[0], 0, 0};
    return ::poll(&item, 1, -1) == 1 && (item.revents & POLLHUP) != 0;
  }));
}

}  // namespace
}  // namespace wharf::runtime
