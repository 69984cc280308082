// Every operation, its end, its error and its cancellation, on each backend.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Listening;
using test::Recorder;
using test::Results;
using test::SocketPair;

struct Pipe {
  Pipe() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

using BackendOperationsTest = test::EachBackend;
WHARF_EACH_BACKEND(BackendOperationsTest);

TEST_P(BackendOperationsTest, AReadOfAPipeWaitsForBytesAndLeavesItsModeAlone) {
  make();
  Pipe pipe;
  Recorder read(Opcode::kRead, pipe.reader.get(), buffer_, sizeof(buffer_));
  backend_->submit(read);
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(::fcntl(pipe.reader.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::write(pipe.writer.get(), "quay", 4), 4);
  wait_for(read);

  EXPECT_EQ(read.results, Results{4});
}

TEST_P(BackendOperationsTest, AReadOfAPipeEndsWithItsWriter) {
  make();
  Pipe pipe;
  Recorder read(Opcode::kRead, pipe.reader.get(), buffer_, sizeof(buffer_));
  backend_->submit(read);
  backend_->poll();
  pipe.writer.reset();
  wait_for(read);

  EXPECT_EQ(read.results, Results{0});
}

TEST_P(BackendOperationsTest, AWriteToAFullPipeWaitsForRoom) {
  make();
  Pipe pipe;
  ::fcntl(pipe.writer.get(), F_SETPIPE_SZ, 4096);
  char page[4096] = {};
  EXPECT_EQ(::write(pipe.writer.get(), page, sizeof(page)), 4096);
  Recorder write(Opcode::kWrite, pipe.writer.get(), page, sizeof(page));
  backend_->submit(write);
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(::read(pipe.reader.get(), page, sizeof(page)), 4096);
  wait_for(write);

  EXPECT_EQ(write.results, Results{4096});
}

TEST_P(BackendOperationsTest, ASendToAFullSocketWaitsForRoomAndCanBeCancelled) {
  make();
  SocketPair pair;
  std::string much(1 << 20, 'x');
  while (::send(pair.left.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
  }
  Recorder first(Opcode::kSend, pair.left.get(), much.data(), much.size());
  first.flags = MSG_NOSIGNAL;
  backend_->submit(first);
  EXPECT_EQ(backend_->poll(), 0U);
  backend_->cancel(first);
  wait_for(first);
  EXPECT_EQ(first.results, Results{-ECANCELED});

  Recorder second(Opcode::kSend, pair.left.get(), much.data(), 1);
  second.flags = MSG_NOSIGNAL;
  backend_->submit(second);
  EXPECT_EQ(backend_->poll(), 0U);
  while (::recv(pair.right.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
  }
  wait_for(second);

  EXPECT_EQ(second.results, Results{1});
}

TEST_P(BackendOperationsTest, MessagesAreSentAndReceived) {
  make();
  SocketPair pair(SOCK_SEQPACKET);
  char text[] = "quay";
  iovec out{text, 4};
  msghdr out_header{.msg_iov = &out, .msg_iovlen = 1};
  iovec in{buffer_, sizeof(buffer_)};
  msghdr in_header{.msg_iov = &in, .msg_iovlen = 1};
  Recorder receive(Opcode::kRecvmsg, pair.right.get(), &in_header);
  backend_->submit(receive);
  backend_->poll();
  Recorder send(Opcode::kSendmsg, pair.left.get(), &out_header);

  EXPECT_EQ(result_of(send), 4);
  wait_for(receive);

  EXPECT_EQ(receive.results, Results{4});
  EXPECT_EQ(std::string_view(buffer_, 4), "quay");
}

TEST_P(BackendOperationsTest, AFileIsReadAndWrittenWhole) {
  make();
  const UniqueFd file(::memfd_create("backend", MFD_CLOEXEC));
  std::string text(300'000, 'q');
  Recorder write(Opcode::kWrite, file.get(), text.data(), text.size());
  EXPECT_EQ(result_of(write), 300'000);
  std::string back(300'001, ' ');
  Recorder read(Opcode::kRead, file.get(), back.data(), back.size());
  read.offset = 0;
  EXPECT_EQ(result_of(read), 300'000);
  EXPECT_EQ(back.substr(0, text.size()), text);
  Recorder at_end(Opcode::kRead, file.get(), back.data(), back.size());
  EXPECT_EQ(result_of(at_end), 0);  // at the position that the write left
}

TEST_P(BackendOperationsTest, ManyReadsOfFilesAllEnd) {
  make();
  const UniqueFd file(::memfd_create("backend", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), "0123456789", 10), 10);
  char bytes[40];
  std::deque<Recorder> reads;
  for (std::uint64_t i = 0; i < 40; ++i) {
    reads.emplace_back(Opcode::kRead, file.get(), &bytes[i], 1);
    reads.back().offset = i % 10;
    backend_->submit(reads.back());
  }
  for (Recorder& read : reads) wait_for(read);

  for (std::size_t i = 0; i < reads.size(); ++i) {
    EXPECT_EQ(reads[i].results, Results{1});
    EXPECT_EQ(bytes[i], static_cast<char>('0' + i % 10));
  }
}

TEST_P(BackendOperationsTest, ReadsOfFilesMayBeCancelledAndEndOnce) {
  make();
  const UniqueFd file(::memfd_create("backend", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), "0123456789", 10), 10);
  std::deque<Recorder> reads;
  for (std::uint64_t i = 0; i < 40; ++i) {
    reads.emplace_back(Opcode::kRead, file.get(), buffer_, 1);
    reads.back().offset = 0;
    backend_->submit(reads.back());
  }
  backend_->poll();
  for (Recorder& read : reads) backend_->cancel(read);
  for (Recorder& read : reads) wait_for(read);

  for (Recorder& read : reads) {
    EXPECT_EQ(read.final_count, 1);
    EXPECT_TRUE(read.results.at(0) == 1 || read.results.at(0) == -ECANCELED);
  }
}

TEST_P(BackendOperationsTest, ErrorsAreThoseOfTheCall) {
  make();
  Pipe pipe;
  const UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const Opcode opcode :
       {Opcode::kAccept, Opcode::kRecv, Opcode::kSend, Opcode::kRead, Opcode::kWrite, Opcode::kPoll, Opcode::kClose}) {
    Recorder bad(opcode, 1'000'000, buffer_, 1);
    EXPECT_EQ(result_of(bad), -EBADF) << static_cast<int>(opcode);
  }
  Recorder no_socket(Opcode::kRecv, pipe.reader.get(), buffer_, 1);
  EXPECT_EQ(result_of(no_socket), -ENOTSOCK);
  Recorder is_directory(Opcode::kRead, directory.get(), buffer_, 1);
  EXPECT_EQ(result_of(is_directory), -EISDIR);
  SocketPair pair;
  pair.right.reset();
  Recorder gone(Opcode::kSend, pair.left.get(), buffer_, 1);
  gone.flags = MSG_NOSIGNAL;
  EXPECT_EQ(result_of(gone), -EPIPE);
  Recorder not_listening(Opcode::kAccept, pair.left.get());
  EXPECT_LT(result_of(not_listening), 0);
}

TEST_P(BackendOperationsTest, CloseCloses) {
  make();
  SocketPair pair;
  Recorder close(Opcode::kClose, pair.left.release());
  EXPECT_EQ(result_of(close), 0);

  EXPECT_EQ(::fcntl(close.fd, F_GETFD), -1);
}

TEST_P(BackendOperationsTest, ACloseIsNeverCancelled) {
  make();
  SocketPair pair;
  Recorder close(Opcode::kClose, pair.left.release());
  backend_->submit(close);
  backend_->cancel(close);
  wait_for(close);

  EXPECT_EQ(close.results, Results{0});
  EXPECT_EQ(::fcntl(close.fd, F_GETFD), -1);
}

TEST_P(BackendOperationsTest, AnAcceptWaitsForOneConnection) {
  make();
  Listening listening;
  Recorder accept(Opcode::kAccept, listening.socket.get());
  accept.flags = SOCK_CLOEXEC;
  backend_->submit(accept);
  EXPECT_EQ(backend_->poll(), 0U);
  const UniqueFd client = listening.connect();
  wait_for(accept);

  const UniqueFd accepted(accept.results.at(0));
  EXPECT_EQ(::fcntl(accepted.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(listening.socket.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(BackendOperationsTest, AMultishotAcceptTakesEveryConnectionUntilItIsCancelled) {
  make();
  Listening listening;
  Recorder accept(Opcode::kAccept, listening.socket.get());
  accept.multishot = true;
  backend_->submit(accept);
  std::deque<UniqueFd> clients;
  for (std::size_t i = 1; i <= 5; ++i) {
    clients.push_back(listening.connect());
    while (accept.results.size() < i) backend_->wait(kNever);
  }
  EXPECT_TRUE(accept.in_flight());
  for (const std::int32_t fd : accept.results) {
    EXPECT_GE(fd, 0);
    ::close(fd);
  }
  backend_->cancel(accept);
  wait_for(accept);

  EXPECT_EQ(accept.results.back(), -ECANCELED);
  EXPECT_EQ(accept.final_count, 1);
}

TEST_P(BackendOperationsTest, AMultishotAcceptEndsWithItsError) {
  make();
  SocketPair pair;
  Recorder accept(Opcode::kAccept, pair.left.get());
  accept.multishot = true;
  backend_->submit(accept);
  EXPECT_EQ(::write(pair.right.get(), "x", 1), 1);
  wait_for(accept);

  EXPECT_EQ(accept.final_count, 1);
  EXPECT_LT(accept.results.back(), 0);
}

TEST_P(BackendOperationsTest, AConnectMeetsAListenerOrIsRefused) {
  make();
  Listening listening;
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Recorder connect(Opcode::kConnect, client.get(), &listening.address, sizeof(listening.address));
  EXPECT_EQ(result_of(connect), 0);
  EXPECT_EQ(::fcntl(client.get(), F_GETFL) & O_NONBLOCK, 0);

  listening.socket.reset();
  const UniqueFd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Recorder refused(Opcode::kConnect, late.get(), &listening.address, sizeof(listening.address));
  EXPECT_EQ(result_of(refused), -ECONNREFUSED);
}

// A Unix socket whose listener's queue is full is always "writable": that says nothing.
TEST_P(BackendOperationsTest, AConnectToAFullUnixListenerWaitsForItsTurn) {
  make();
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
  socklen_t bytes = sizeof(address);
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  EXPECT_EQ(::listen(listener.get(), 0), 0);
  std::deque<UniqueFd> sockets(2);
  std::deque<Recorder> connects;
  for (UniqueFd& socket : sockets) {
    socket.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connects.emplace_back(Opcode::kConnect, socket.get(), &address, bytes);
    backend_->submit(connects.back());
  }
  wait_for(connects[0]);
  EXPECT_EQ(connects[0].results, Results{0});
  EXPECT_TRUE(connects[1].in_flight());
  // io_uring has a thread block in the call, and cannot cancel it.
  if (GetParam() == test::kEpoll) {
    backend_->cancel(connects[1]);
    wait_for(connects[1]);
    EXPECT_EQ(connects[1].results, Results{-ECANCELED});
    connects[1].results.clear();
    backend_->submit(connects[1]);
  }
  ::close(::accept(listener.get(), nullptr, nullptr));
  wait_for(connects[1]);

  EXPECT_EQ(connects[1].results, Results{0});
}

}  // namespace
}  // namespace wharf::runtime::detail
