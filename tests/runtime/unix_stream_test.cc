#include "wharf/runtime/unix_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/owned_io.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/pass_pidfd.h"
#include "wharf/tests/runtime/stopped.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::bytes_of;
using test::Harness;
using test::TemporaryDirectory;
using Listener = std::unique_ptr<UnixListener>;

Listener listen(const Address& address) {
  StatusOr<Listener> listener = UnixListener::listen(address);
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

Task<void> speak(UnixListener& listener) {
  StatusOr<UnixStream> client = co_await UnixStream::connect(listener.address());
  EXPECT_TRUE(client.ok()) << client.status();
  StatusOr<UnixStream> server = co_await listener.accept();
  EXPECT_TRUE(server.ok()) << server.status();
  Status sent = co_await client->send_all(bytes_of("quay"));
  EXPECT_TRUE(sent.ok());
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> got = co_await server->recv(buffer);
  EXPECT_EQ(*got, 4U);
  EXPECT_EQ(*client->peer_address(), listener.address());
  EXPECT_EQ(server->peer_credentials()->pid, ::getpid());
  EXPECT_EQ(server->peer_credentials()->uid, ::getuid());
}

TEST(UnixStreamTest, PathsAndAbstractNamesAreConnectedTo) {
  Harness harness;
  const TemporaryDirectory directory;
  const Listener path = listen(*Address::unix_path(directory / "quay"));
  const Listener abstract = listen(*Address::unix_abstract(directory / "quay"));
  harness.run(speak(*path));
  harness.run(speak(*abstract));
}

Task<Status> connect_to(Address address) {
  StatusOr<UnixStream> stream = co_await UnixStream::connect(std::move(address));
  co_return stream.status();
}

TEST(UnixStreamTest, WhereNobodyListensTheErrorNamesThePath) {
  Harness harness;
  const TemporaryDirectory directory;
  const Status status = harness.run(connect_to(*Address::unix_path(directory / "quay")));

  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "unix:" + directory / "quay" + ": connect: No such file or directory (ENOENT)");
  EXPECT_EQ(harness.run(connect_to(Address::loopback(1))).code(), StatusCode::kInvalidArgument);
}

TEST(UnixListenerTest, ItsFileGoesWithIt) {
  const TemporaryDirectory directory;
  Listener listener = listen(*Address::unix_path(directory / "quay"));
  EXPECT_EQ(::access((directory / "quay").c_str(), F_OK), 0);
  listener.reset();

  EXPECT_NE(::access((directory / "quay").c_str(), F_OK), 0);
}

TEST(UnixListenerTest, APathThatSomethingElseHasTakenIsLeftAlone) {
  const TemporaryDirectory directory;
  const Address address = *Address::unix_path(directory / "quay");
  Listener first = listen(address);
  ASSERT_EQ(::unlink((directory / "quay").c_str()), 0);
  const Listener second = listen(address);
  first.reset();

  ASSERT_EQ(::access((directory / "quay").c_str(), F_OK), 0);
  Harness harness;
  harness.run(speak(*second));
}

TEST(UnixListenerTest, ASocketThatSomebodyListensToIsLeftAlone) {
  const TemporaryDirectory directory;
  const Address address = *Address::unix_path(directory / "quay");
  const Listener first = listen(address);

  EXPECT_EQ(UnixListener::listen(address).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(::access((directory / "quay").c_str(), F_OK), 0);
}

TEST(UnixListenerTest, ADeadSocketIsReplacedAndAFileIsNot) {
  const TemporaryDirectory directory;
  const Address dead = *Address::unix_path(directory / "dead");
  const Address file = *Address::unix_path(directory / "file");
  {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket.get(), dead.get(), dead.bytes()), 0);
  }
  UniqueFd(::open((directory / "file").c_str(), O_CREAT | O_WRONLY, 0600)).reset();

  EXPECT_FALSE(UnixListener::listen(dead, {.replace_dead = false}).ok());
  EXPECT_TRUE(UnixListener::listen(dead).ok());
  EXPECT_EQ(UnixListener::listen(file).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(::access((directory / "file").c_str(), F_OK), 0);
}

TEST(UnixListenerTest, OnlyUnixAddressesWillDo) {
  EXPECT_EQ(UnixListener::listen(Address::loopback(0)).status().code(), StatusCode::kInvalidArgument);
}

TEST(UnixListenerTest, AStopEndsAnAcceptAndTakesNoConnection) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    const TemporaryDirectory directory;
    const Listener listener = listen(*Address::unix_path(directory / "quay"));
    EXPECT_EQ(harness.run(test::stopped(listener->accept(), in_kernel)).status().code(), StatusCode::kCancelled);

    harness.run(speak(*listener));
  }
}

Task<Status> accept_until(UnixListener& listener, std::int64_t deadline_ns) {
  StatusOr<UnixStream> stream = co_await listener.accept({.deadline_ns = deadline_ns});
  co_return stream.status();
}

TEST(UnixListenerTest, ADeadlineEndsAnAccept) {
  Harness harness;
  const TemporaryDirectory directory;
  const Listener listener = listen(*Address::unix_path(directory / "quay"));

  EXPECT_EQ(harness.run(accept_until(*listener, harness.reactor().now_ns() + 1'000'000)).code(),
            StatusCode::kDeadlineExceeded);
}

Task<void> pass_descriptors() {
  StatusOr<std::pair<UnixStream, UnixStream>> pair = UnixStream::pair();
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  UniqueFd source(fds[0]);
  UniqueFd target(fds[1]);
  const std::vector<int> sent_fds{source.get(), target.get()};
  StatusOr<std::size_t> sent = co_await pair->first.send_with_fds(bytes_of("two"), sent_fds);
  EXPECT_EQ(*sent, 3U);
  std::array<std::byte, 16> buffer;
  StatusOr<UnixStream::Received> got = co_await pair->second.recv_with_fds(buffer);
  EXPECT_EQ(got->bytes, 3U);
  EXPECT_EQ(got->fds.size(), 2U);
  EXPECT_EQ(::fcntl(got->fds[0].get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::write(got->fds[1].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(source.get(), &byte, 1), 1);
}

TEST(UnixStreamTest, DescriptorsGoAlong) {
  const std::size_t before = test::open_fd_count();
  {
    Harness harness;
    harness.run(pass_descriptors());
  }
  EXPECT_EQ(test::open_fd_count(), before);
}

Task<UnixStream::Received> receive_from(UnixStream& stream) {
  std::array<std::byte, 16> buffer;
  StatusOr<UnixStream::Received> got = co_await stream.recv_with_fds(buffer);
  EXPECT_TRUE(got.ok()) << got.status();
  co_return *std::move(got);
}

TEST(UnixStreamTest, DescriptorsThatThereIsNoRoomForAreClosedAndMissed) {
  Harness harness;
  auto pair = *UnixStream::pair();
  const std::size_t before = test::open_fd_count();
  for (const bool cut : {true, false}) {
    const std::vector<int> sent_fds{0, 1};
    StatusOr<std::size_t> sent = harness.run(pair.first.send_with_fds(bytes_of("two"), sent_fds));
    EXPECT_TRUE(sent.ok()) << sent.status();
    std::optional<test::NoMoreFds> none;
    if (cut) none.emplace();
    const UnixStream::Received got = harness.run(receive_from(pair.second));
    none.reset();

    EXPECT_EQ(got.bytes, 3U);
    EXPECT_EQ(got.fds.size(), cut ? 0U : 2U);
    EXPECT_EQ(got.cut, cut);
  }
  EXPECT_EQ(test::open_fd_count(), before);
}

// The kernel adds a pidfd of the sender to every message.
TEST(UnixStreamTest, ADescriptorThatNobodySentIsClosed) {
  Harness harness;
  auto pair = *UnixStream::pair();
  if (!test::pass_pidfd(pair.second.fd())) GTEST_SKIP() << "the kernel has no SO_PASSPIDFD";
  const std::size_t before = test::open_fd_count();
  for (const std::size_t fd_count : {std::size_t{0}, UnixStream::kFdCountMax}) {
    const std::vector<int> sent_fds(fd_count, 0);
    StatusOr<std::size_t> sent = harness.run(pair.first.send_with_fds(bytes_of("two"), sent_fds));
    EXPECT_TRUE(sent.ok()) << sent.status();
    const UnixStream::Received got = harness.run(receive_from(pair.second));

    EXPECT_EQ(got.fds.size(), fd_count);
    EXPECT_FALSE(got.cut);
  }
  EXPECT_EQ(test::open_fd_count(), before);
}

// From a peer that sends more than send_with_fds does.
TEST(UnixStreamTest, DescriptorsAboveTheLimitAreClosedAndMissed) {
  Harness harness;
  auto pair = *UnixStream::pair();
  const std::size_t before = test::open_fd_count();
  for (const std::size_t more : {std::size_t{1}, std::size_t{100}}) {
    OwnedMessage message(Buffer::copy_of("x"));
    while (message.fds.size() < UnixStream::kFdCountMax + more) {
      message.fds.emplace_back(::dup(0));
    }
    harness.run([](int socket, OwnedMessage sent) -> Task<void> {
      OwnedMessageResult result = co_await sendmsg_owned(socket, std::move(sent));
      EXPECT_TRUE(result.count.ok()) << result.count.status();
    }(pair.first.fd(), std::move(message)));
    const UnixStream::Received got = harness.run(receive_from(pair.second));

    EXPECT_EQ(got.fds.size(), UnixStream::kFdCountMax);
    EXPECT_TRUE(got.cut);
  }
  EXPECT_EQ(test::open_fd_count(), before);
}

Task<void> send_badly() {
  StatusOr<std::pair<UnixStream, UnixStream>> pair = UnixStream::pair();
  const std::vector<int> too_many(65, 0);
  StatusOr<std::size_t> sent = co_await pair->first.send_with_fds(bytes_of("x"), too_many);
  EXPECT_EQ(sent.status().code(), StatusCode::kInvalidArgument);
  const std::vector<int> one{0};
  sent = co_await pair->first.send_with_fds({}, one);
  EXPECT_EQ(sent.status().code(), StatusCode::kInvalidArgument);
  const std::vector<int> none;
  sent = co_await pair->first.send_with_fds(bytes_of("x"), none);
  EXPECT_EQ(*sent, 1U);
  std::array<std::byte, 16> buffer;
  StatusOr<UnixStream::Received> got = co_await pair->second.recv_with_fds(buffer);
  EXPECT_EQ(got->bytes, 1U);
  EXPECT_TRUE(got->fds.empty());
  pair->first = UnixStream();
  got = co_await pair->second.recv_with_fds(buffer);
  EXPECT_EQ(got->bytes, 0U);
}

TEST(UnixStreamTest, TooManyDescriptorsAreRefusedAndNoneIsFine) {
  Harness harness;
  harness.run(send_badly());
}

}  // namespace
}  // namespace wharf::runtime
