// Rows: the operations of io.h, owned_io.h, futex.h, and those of udp.h on bare sockets.
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/runtime/futex.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/owned_io.h"
#include "wharf/runtime/udp.h"
#include "wharf/tests/runtime/matrix/case.h"

namespace wharf::test {

Pipe::Pipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  reader.reset(fds[0]);
  writer.reset(fds[1]);
}

void put(const runtime::UniqueFd& file) {
  EXPECT_EQ(::write(file.get(), kText.data(), kText.size()), static_cast<ssize_t>(kText.size()));
}

namespace {

using runtime::IoOptions;
using runtime::UniqueFd;

class NonBlocking {
 public:
  explicit NonBlocking(int file) : file_(file), flags_(::fcntl(file, F_GETFL)) {
    EXPECT_EQ(::fcntl(file, F_SETFL, flags_ | O_NONBLOCK), 0);
  }
  ~NonBlocking() { EXPECT_EQ(::fcntl(file_, F_SETFL, flags_), 0); }
  NonBlocking(const NonBlocking&) = delete;
  NonBlocking& operator=(const NonBlocking&) = delete;

 private:
  int file_;
  int flags_;
};

}  // namespace

void fill(int file) {
  const NonBlocking mode(file);
  const std::string page(4096, 'x');
  while (::write(file, page.data(), page.size()) > 0) {
  }
  while (::write(file, page.data(), 1) > 0) {
  }
}

void drain(int file) {
  const NonBlocking mode(file);
  std::array<char, 65536> bytes;
  while (::read(file, bytes.data(), bytes.size()) > 0) {
  }
}

namespace {

constexpr std::uint64_t kHere = runtime::kCurrentPosition;

// Reads from `pair.left`, or the pipe's reader.
template <class Derived>
struct FromSocket : AwaiterCase<Derived> {
  void trigger() override { put(pair.right); }
  void end() override { pair.right.reset(); }
  SocketPair pair;
  std::array<std::byte, 16> buffer{};
};
template <class Derived>
struct FromPipe : AwaiterCase<Derived> {
  void trigger() override { put(pipe.writer); }
  void end() override { pipe.writer.reset(); }
  Pipe pipe;
  std::array<std::byte, 16> buffer{};
};
// Writes to what is full.
template <class Derived>
struct ToSocket : AwaiterCase<Derived> {
  ToSocket() { fill(pair.left.get()); }
  void trigger() override { drain(pair.right.get()); }
  SocketPair pair;
};
template <class Derived>
struct ToPipe : AwaiterCase<Derived> {
  ToPipe() { fill(pipe.writer.get()); }
  void trigger() override { drain(pipe.reader.get()); }
  std::string spoil() override {
    pipe.writer.reset();
    return "write";
  }
  Pipe pipe;
};

struct Recv final : FromSocket<Recv> {
  auto make(IoOptions options) { return runtime::recv(pair.left.get(), buffer, options); }
  std::string spoil() override {
    pair.left.reset();
    return "recv";
  }
};

struct Recvmsg final : FromSocket<Recvmsg> {
  auto make(IoOptions options) {
    part = {buffer.data(), buffer.size()};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return runtime::recvmsg(pair.left.get(), message, 0, options);
  }
  std::string spoil() override {
    pair.left.reset();
    return "recvmsg";
  }
  iovec part{};
  msghdr message{};
};

struct Recvfrom final : FromSocket<Recvfrom> {
  auto make(IoOptions options) { return runtime::recvfrom(pair.left.get(), buffer, options); }
  Status judge(const StatusOr<runtime::Datagram>& got) { return got.ok() ? said_count(got->bytes) : got.status(); }
  std::string spoil() override {
    pair.left.reset();
    return "recvfrom";
  }
};

struct Send final : ToSocket<Send> {
  auto make(IoOptions options) { return runtime::send(pair.left.get(), bytes_of(kText), options); }
  std::string spoil() override {
    pair.right.reset();
    return "send: Broken pipe";
  }
};

struct Sendmsg final : ToSocket<Sendmsg> {
  auto make(IoOptions options) {
    part = {const_cast<char*>(kText.data()), kText.size()};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return runtime::sendmsg(pair.left.get(), message, 0, options);
  }
  std::string spoil() override {
    pair.right.reset();
    return "sendmsg: Broken pipe";
  }
  iovec part{};
  msghdr message{};
};

// UDP never waits for its receiver.
struct Sendto final : AwaiterCase<Sendto> {
  auto make(IoOptions options) { return runtime::sendto(source.get(), bytes_of(kText), target_address, options); }
  bool happened() const override {
    std::array<char, 16> bytes;
    return ::recv(target.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT) == 4;
  }
  std::string spoil() override {
    source.reset();
    return "sendto";
  }
  UniqueFd source{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  runtime::UdpSocket target = *runtime::UdpSocket::bind(runtime::Address::loopback(0));
  runtime::Address target_address = *target.local_address();
};

struct Read final : FromPipe<Read> {
  auto make(IoOptions options) { return runtime::read(pipe.reader.get(), buffer, kHere, options); }
  std::string spoil() override {
    pipe.reader.reset();
    return "read";
  }
};

struct Readv final : FromPipe<Readv> {
  auto make(IoOptions options) { return runtime::readv(pipe.reader.get(), parts, kHere, options); }
  std::string spoil() override {
    pipe.reader.reset();
    return "readv";
  }
  std::array<iovec, 2> parts{iovec{buffer.data(), 2}, iovec{buffer.data() + 2, 14}};
};

struct Write final : ToPipe<Write> {
  auto make(IoOptions options) { return runtime::write(pipe.writer.get(), bytes_of(kText), kHere, options); }
};

struct Writev final : ToPipe<Writev> {
  auto make(IoOptions options) { return runtime::writev(pipe.writer.get(), parts, kHere, options); }
  char* text = const_cast<char*>(kText.data());
  std::array<iovec, 2> parts{iovec{text, 1}, iovec{text + 1, 3}};
};

struct Splice final : FromPipe<Splice> {
  auto make(IoOptions options) {
    return runtime::splice(pipe.reader.get(), kHere, pair.left.get(), kHere, 16, options);
  }
  std::string spoil() override {
    pipe.reader.reset();
    return "splice";
  }
  SocketPair pair;
};

struct Poll final : FromSocket<Poll> {
  auto make(IoOptions options) { return runtime::poll(pair.left.get(), POLLIN, options); }
  std::string spoil() override {
    pair.left.reset();
    return "poll";
  }
};

// A TCP port of 127.0.0.1.
struct Port {
  explicit Port(int backlog) : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    EXPECT_EQ(::listen(socket.get(), backlog), 0);
  }
  UniqueFd connect() const { return connect_to(ntohs(address.sin_port)); }
  UniqueFd socket;
  sockaddr_in address{};
};

struct Accept final : AwaiterCase<Accept> {
  auto make(IoOptions options) { return runtime::accept(port.socket.get(), options); }
  void trigger() override { client = port.connect(); }
  std::string spoil() override {
    port.socket.reset();
    return "accept";
  }
  Port port{8};
  UniqueFd client;
};

// To a port whose backlog is full: the kernel tries again a second after there is room.
struct Connect final : AwaiterCase<Connect> {
  auto make(IoOptions options) {
    return runtime::connect(socket.get(), reinterpret_cast<const sockaddr*>(&port.address), sizeof(port.address),
                            options);
  }
  void trigger() override { ::close(::accept(port.socket.get(), nullptr, nullptr)); }
  std::string spoil() override {
    filler.reset();
    port.socket.reset();
    return "connect: Connection refused";
  }
  Port port{0};
  UniqueFd filler = port.connect();
  UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

struct FutexWait final : AwaiterCase<FutexWait> {
  auto make(IoOptions options) { return runtime::futex_wait(word, 0, runtime::FutexKind::kShared, options); }
  void trigger() override {
    word.store(1);
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
  std::atomic<std::uint32_t> word{0};
};

runtime::Buffer text_buffer() {
  runtime::Buffer buffer(kText.size());
  std::memcpy(buffer.data(), kText.data(), kText.size());
  return buffer;
}

Status said_owned(const runtime::OwnedResult& result) {
  return result.count.ok() ? said_count(*result.count) : result.count.status();
}

struct RecvOwned final : FromSocket<RecvOwned> {
  auto make(IoOptions options) { return runtime::recv_owned(pair.left.get(), runtime::Buffer(16), options); }
  Status judge(const runtime::OwnedResult& result) { return said_owned(result); }
  std::string spoil() override {
    pair.left.reset();
    return "recv";
  }
};
struct ReadOwned final : FromPipe<ReadOwned> {
  auto make(IoOptions options) { return runtime::read_owned(pipe.reader.get(), runtime::Buffer(16), kHere, options); }
  Status judge(const runtime::OwnedResult& result) { return said_owned(result); }
  std::string spoil() override {
    pipe.reader.reset();
    return "read";
  }
};
struct SendOwned final : ToSocket<SendOwned> {
  auto make(IoOptions options) { return runtime::send_owned(pair.left.get(), text_buffer(), options); }
  Status judge(const runtime::OwnedResult& result) { return said_owned(result); }
  std::string spoil() override {
    pair.right.reset();
    return "send: Broken pipe";
  }
};
struct WriteOwned final : ToPipe<WriteOwned> {
  auto make(IoOptions options) { return runtime::write_owned(pipe.writer.get(), text_buffer(), kHere, options); }
  Status judge(const runtime::OwnedResult& result) { return said_owned(result); }
};

constexpr std::uint32_t kBorrowed = kWaits | kOwnDeadline | kHoldsOn;
constexpr std::uint32_t kSource = kBorrowed | kAgain | kEnds | kFails;
constexpr std::uint32_t kTarget = kBorrowed | kAgain | kFails;
constexpr std::uint32_t kOwned = kWaits | kOwnDeadline | kLetsGo | kFails;

constexpr Row kRows[] = {
    {"recv", kSource, make_case<Recv>},
    {"recvmsg", kSource, make_case<Recvmsg>},
    {"recvfrom", kSource, make_case<Recvfrom>},
    {"read", kSource, make_case<Read>},
    {"readv", kSource, make_case<Readv>},
    {"splice", kSource, make_case<Splice>},
    {"send", kTarget, make_case<Send>},
    {"sendmsg", kTarget, make_case<Sendmsg>},
    {"sendto", kOwnDeadline | kFails | kVisible, make_case<Sendto>},
    {"write", kTarget, make_case<Write>},
    {"writev", kTarget, make_case<Writev>},
    {"accept", kTarget, make_case<Accept>},
    {"connect", kBorrowed | kFails, make_case<Connect>},
    {"poll", kTarget, make_case<Poll>},
    {"futex_wait", kBorrowed | kAgain | kOptional, make_case<FutexWait>},
    {"recv_owned", kOwned | kEnds, make_case<RecvOwned>},
    {"read_owned", kOwned | kEnds, make_case<ReadOwned>},
    {"send_owned", kOwned, make_case<SendOwned>},
    {"write_owned", kOwned, make_case<WriteOwned>},
};

}  // namespace

std::span<const Row> io_rows() noexcept { return kRows; }

}  // namespace wharf::test
