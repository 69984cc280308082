// Rows: sockets by their types, streams of pieces, and what is built on them.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/datagram_stream.h"
#include "wharf/runtime/reader.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/tcp_stream.h"
#include "wharf/runtime/transfer.h"
#include "wharf/runtime/udp.h"
#include "wharf/runtime/unix_stream.h"
#include "wharf/runtime/writer.h"
#include "wharf/tests/runtime/matrix/case.h"

namespace wharf::test {
namespace {

using runtime::Address;
using runtime::IoOptions;
using runtime::TcpListener;
using runtime::TcpStream;
using runtime::UniqueFd;
using runtime::UnixListener;
using runtime::UnixStream;

struct TcpAccept final : AwaiterCase<TcpAccept> {
  auto make(IoOptions options) { return listener->accept(options); }
  void trigger() override { client = connect_to(listener->port()); }
  std::unique_ptr<TcpListener> listener = *TcpListener::listen("127.0.0.1", 0);
  UniqueFd client;
};

// The first connection fills the queue of the listener. The kernel tries the second one again a second after there is room.
struct TcpConnect final : TaskCase<TcpConnect> {
  TcpConnect() : listener(*TcpListener::listen("127.0.0.1", 0, {.backlog = 1})), port(listener->port()) {
    EXPECT_EQ(::listen(listener->fd(), 0), 0);
    filler = connect_to(port);
  }
  auto make(IoOptions options) {
    return TcpStream::connect(Address::loopback(port), {.deadline_ns = options.deadline_ns});
  }
  void trigger() override { ::close(::accept(listener->fd(), nullptr, nullptr)); }
  std::string spoil() override {
    filler.reset();
    listener.reset();
    return "connect: Connection refused";
  }
  std::unique_ptr<TcpListener> listener;
  std::uint16_t port;
  UniqueFd filler;
};

struct TcpPair {
  TcpPair() {
    const std::unique_ptr<TcpListener> listener = *TcpListener::listen("127.0.0.1", 0);
    peer = connect_to(listener->port());
    stream = TcpStream(UniqueFd(::accept(listener->fd(), nullptr, nullptr)));
  }
  TcpStream stream;
  UniqueFd peer;
};

struct TcpRecv final : AwaiterCase<TcpRecv> {
  auto make(IoOptions options) { return pair.stream.recv(buffer, options); }
  void trigger() override { put(pair.peer); }
  void end() override { pair.peer.reset(); }
  std::string spoil() override {
    pair.stream = TcpStream();
    return "recv";
  }
  TcpPair pair;
  std::array<std::byte, 16> buffer{};
};

struct SendAll final : TaskCase<SendAll> {
  SendAll() { fill(pair.left.get()); }
  auto make(IoOptions options) { return runtime::send_all(pair.left.get(), bytes_of(kText), options); }
  void trigger() override { drain(pair.right.get()); }
  std::string spoil() override {
    pair.right.reset();
    return "send: Broken pipe";
  }
  SocketPair pair;
};

struct SendFile final : TaskCase<SendFile> {
  SendFile() : file(::memfd_create("matrix", MFD_CLOEXEC)) {
    put(file);
    fill(pair.left.get());
  }
  auto make(IoOptions options) { return runtime::send_file(pair.left.get(), file.get(), 0, kText.size(), options); }
  Status judge(const StatusOr<std::uint64_t>& count) { return count.ok() ? said_count(*count) : count.status(); }
  void trigger() override { drain(pair.right.get()); }
  std::string spoil() override {
    pair.right.reset();
    return "send_file: Broken pipe";
  }
  SocketPair pair;
  UniqueFd file;
};

Address abstract_address() {
  static int number = 0;
  return *Address::unix_abstract("wharf_matrix_" + std::to_string(::getpid()) + "_" + std::to_string(++number));
}

struct UnixAccept final : TaskCase<UnixAccept> {
  auto make(IoOptions options) { return listener->accept(options); }
  void trigger() override {
    client.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address& address = listener->address();
    EXPECT_EQ(::connect(client.get(), address.get(), address.bytes()), 0);
  }
  std::unique_ptr<UnixListener> listener = *UnixListener::listen(abstract_address());
  UniqueFd client;
};

struct UnixConnect final : TaskCase<UnixConnect> {
  UnixConnect() : filler(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(::listen(listener->fd(), 0), 0);
    EXPECT_EQ(::connect(filler.get(), address.get(), address.bytes()), 0);
  }
  auto make(IoOptions options) { return UnixStream::connect(address, options); }
  void trigger() override { ::close(::accept(listener->fd(), nullptr, nullptr)); }
  std::string spoil() override {
    listener.reset();
    return "connect: Connection refused";
  }
  std::unique_ptr<UnixListener> listener = *UnixListener::listen(abstract_address());
  Address address = listener->address();
  UniqueFd filler;
};

struct UnixRecvWithFds final : TaskCase<UnixRecvWithFds> {
  auto make(IoOptions options) { return stream.recv_with_fds(buffer, options); }
  Status judge(const StatusOr<UnixStream::Received>& got) { return got.ok() ? said_count(got->bytes) : got.status(); }
  void trigger() override { put(pair.right); }
  void end() override { pair.right.reset(); }
  std::string spoil() override {
    stream = UnixStream();
    return "recvmsg";
  }
  SocketPair pair;
  UnixStream stream{std::move(pair.left)};
  std::array<std::byte, 16> buffer{};
};

struct UnixSendWithFds final : TaskCase<UnixSendWithFds> {
  UnixSendWithFds() { fill(stream.fd()); }
  auto make(IoOptions options) { return stream.send_with_fds(bytes_of(kText), std::vector<int>{stream.fd()}, options); }
  void trigger() override { drain(pair.right.get()); }
  std::string spoil() override {
    pair.right.reset();
    return "sendmsg: Broken pipe";
  }
  SocketPair pair;
  UnixStream stream{std::move(pair.left)};
};

struct UdpRecvFrom final : AwaiterCase<UdpRecvFrom> {
  UdpRecvFrom()
      : socket(*runtime::UdpSocket::bind(Address::loopback(0))),
        source(*runtime::UdpSocket::connect(*socket.local_address())) {}
  auto make(IoOptions options) { return socket.recv_from(buffer, options); }
  Status judge(const StatusOr<runtime::Datagram>& got) { return got.ok() ? said_count(got->bytes) : got.status(); }
  void trigger() override { EXPECT_EQ(::send(source.fd(), kText.data(), 4, 0), 4); }
  std::string spoil() override {
    socket = runtime::UdpSocket();
    return "recvfrom";
  }
  runtime::UdpSocket socket;
  runtime::UdpSocket source;
  std::array<std::byte, 16> buffer{};
};

// It needs the reactor for its buffers, and begins when it is first asked.
struct PieceNext final : AwaiterCase<PieceNext> {
  auto make(IoOptions options) {
    if (!group.has_value()) {
      group.emplace(*runtime::BufferGroup::create(runtime::Reactor::current(), 4, 256));
      stream.emplace(pair.left.get(), *group);
    }
    return stream->next(options);
  }
  Status judge(const StatusOr<runtime::ReceivedBuffer>& piece) {
    return piece.ok() ? said_count(piece->bytes().size()) : piece.status();
  }
  void trigger() override { put(pair.right); }
  void end() override { pair.right.reset(); }
  std::string spoil() override {
    pair.left.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return "recv: Socket operation on non-socket";
  }
  SocketPair pair;
  std::optional<runtime::BufferGroup> group;
  std::optional<runtime::RecvStream> stream;
};

struct DatagramNext final : AwaiterCase<DatagramNext> {
  auto make(IoOptions options) {
    if (!group.has_value()) {
      group.emplace(*runtime::BufferGroup::create(runtime::Reactor::current(), 4, 256));
      stream.emplace(pair.left.get(), *group);
    }
    return stream->next(options);
  }
  Status judge(const StatusOr<runtime::ReceivedDatagram>& datagram) {
    return datagram.ok() ? said_count(datagram->bytes().size()) : datagram.status();
  }
  void trigger() override { EXPECT_EQ(::send(pair.right.get(), kText.data(), 4, 0), 4); }
  std::string spoil() override {
    pair.left.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return "recvmsg: Socket operation on non-socket";
  }
  SocketPair pair{SOCK_DGRAM};
  std::optional<runtime::BufferGroup> group;
  std::optional<runtime::DatagramStream> stream;
};

struct Reading {
  SocketPair pair;
  UnixStream stream{std::move(pair.left)};
  runtime::Reader<UnixStream> reader{stream};
};

struct ReadLine final : TaskCase<ReadLine> {
  auto make(IoOptions options) { return from.reader.read_line(options); }
  Status judge(const StatusOr<std::optional<std::string_view>>& line) {
    return line.ok() ? said_count(line->value_or("").size()) : line.status();
  }
  void trigger() override { EXPECT_EQ(::write(from.pair.right.get(), "quay\n", 5), 5); }
  void end() override { from.pair.right.reset(); }
  Reading from;
};

struct ReadUntil final : TaskCase<ReadUntil> {
  auto make(IoOptions options) { return from.reader.read_until("y", options); }
  void trigger() override { put(from.pair.right); }
  void end() override { from.pair.right.reset(); }
  Reading from;
};

struct ReadExactly final : TaskCase<ReadExactly> {
  auto make(IoOptions options) { return from.reader.read_exactly(target, options); }
  void trigger() override { put(from.pair.right); }
  void end() override { from.pair.right.reset(); }
  Reading from;
  std::array<std::byte, 4> target{};
};

struct Peek final : TaskCase<Peek> {
  auto make(IoOptions options) { return from.reader.peek(4, options); }
  void trigger() override { put(from.pair.right); }
  void end() override { from.pair.right.reset(); }
  Reading from;
};

struct WriterFlush final : TaskCase<WriterFlush> {
  WriterFlush() { fill(stream.fd()); }
  auto make(IoOptions options) { return flush(options); }
  coro::Task<Status> flush(IoOptions options) {
    Status written = co_await writer.write(kText);
    if (!written.ok()) co_return written;
    Status flushed = co_await writer.flush(options);
    co_return flushed;
  }
  void trigger() override { drain(pair.right.get()); }
  std::string spoil() override {
    pair.right.reset();
    return "send: Broken pipe";
  }
  SocketPair pair;
  UnixStream stream{std::move(pair.left)};
  runtime::Writer<UnixStream> writer{stream};
};

constexpr std::uint32_t kTask = kWaits | kOwnDeadline;

constexpr Row kRows[] = {
    {"TcpListener_accept", kTask | kAgain | kLetsGo, make_case<TcpAccept>},
    {"TcpStream_connect", kTask | kAgain | kFails, make_case<TcpConnect>},
    {"TcpStream_recv", kTask | kAgain | kEnds | kFails | kHoldsOn, make_case<TcpRecv>},
    {"send_all", kTask | kAgain | kFails, make_case<SendAll>},
    {"send_file", kTask | kAgain | kEager | kFails, make_case<SendFile>},
    {"UnixListener_accept", kTask | kAgain, make_case<UnixAccept>},
    {"UnixStream_connect", kTask | kAgain | kFails | kUncounted, make_case<UnixConnect>},
    {"UnixStream_recv_with_fds", kTask | kAgain | kEnds | kFails, make_case<UnixRecvWithFds>},
    {"UnixStream_send_with_fds", kTask | kAgain | kFails, make_case<UnixSendWithFds>},
    {"UdpSocket_recv_from", kTask | kAgain | kFails | kHoldsOn, make_case<UdpRecvFrom>},
    {"RecvStream_next", kTask | kAgain | kEnds | kFails | kLetsGo, make_case<PieceNext>},
    {"DatagramStream_next", kTask | kAgain | kFails | kLetsGo, make_case<DatagramNext>},
    {"Reader_read_line", kTask | kAgain | kEnds, make_case<ReadLine>},
    {"Reader_read_until", kTask | kAgain | kEnds, make_case<ReadUntil>},
    {"Reader_read_exactly", kTask | kAgain | kEnds, make_case<ReadExactly>},
    {"Reader_peek", kTask | kAgain | kEnds, make_case<Peek>},
    {"Writer_flush", kTask | kFails, make_case<WriterFlush>},
};

}  // namespace

std::span<const Row> net_rows() noexcept { return kRows; }

}  // namespace wharf::test
