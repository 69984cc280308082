#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/datagram_stream.h"
#include "wharf/runtime/file.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/reader.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/tcp_stream.h"
#include "wharf/runtime/transfer.h"
#include "wharf/runtime/udp.h"
#include "wharf/runtime/unix_stream.h"
#include "wharf/runtime/writer.h"
#include "wharf/tests/runtime/faults/scripts.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {
namespace {

using namespace runtime;  // NOLINT(google-build-using-namespace)

const std::string kLine = std::string(300, 'q') + "\n";

coro::Task<Status> echo_lines(TcpListener& listener) {
  StatusOr<UniqueFd> accepted = co_await listener.accept();
  if (!accepted.ok()) co_return accepted.status();
  TcpStream peer(*std::move(accepted));
  Reader reader(peer);
  Writer writer(peer);
  for (;;) {
    StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
    if (!line.ok()) co_return line.status();
    if (!line->has_value()) break;
    const std::string answer = std::string(**line) + "\n";
    Status written = co_await writer.write(answer);
    if (!written.ok()) co_return written;
    Status flushed = co_await writer.flush();
    if (!flushed.ok()) co_return flushed;
  }
  Status closed = co_await peer.close();
  co_return closed;
}

coro::Task<Status> ask_lines(std::uint16_t port) {
  StatusOr<TcpStream> server = co_await TcpStream::connect(Address::loopback(port));
  if (!server.ok()) co_return server.status();
  Reader reader(*server);
  for (int i = 0; i < 2; ++i) {
    Status sent = co_await server->send_all(bytes_of(kLine));
    if (!sent.ok()) co_return sent;
    std::array<std::byte, 301> answer;
    Status read = co_await reader.read_exactly(answer);
    if (!read.ok()) co_return read;
    Status same = expect(text_of(answer) == kLine, "the echo differs");
    if (!same.ok()) co_return same;
  }
  Status closed = co_await server->close();
  co_return closed;
}

coro::Task<Status> tcp_echo(std::string /*directory*/) {
  StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen("127.0.0.1", 0);
  if (!listener.ok()) co_return listener.status();
  Status ended = co_await beside(echo_lines(**listener), ask_lines((*listener)->port()));
  co_return ended;
}

coro::Task<Status> answer_datagram(UdpSocket& socket) {
  std::array<std::byte, 64> buffer;
  StatusOr<Datagram> asked = co_await socket.recv_from(buffer);
  if (!asked.ok()) co_return asked.status();
  StatusOr<std::size_t> sent = co_await socket.send_to(std::span(buffer).first(asked->bytes), asked->source);
  co_return sent.status();
}

coro::Task<Status> ask_datagram(Address server) {
  StatusOr<UdpSocket> socket = UdpSocket::connect(server);
  if (!socket.ok()) co_return socket.status();
  StatusOr<std::size_t> sent = co_await socket->send(bytes_of("quay"));
  if (!sent.ok()) co_return sent.status();
  std::array<std::byte, 64> buffer;
  StatusOr<std::size_t> count = co_await socket->recv(buffer);
  if (!count.ok()) co_return count.status();
  co_return expect(text_of(std::span(buffer).first(*count)) == "quay", "the datagram differs");
}

coro::Task<Status> udp(std::string /*directory*/) {
  StatusOr<UdpSocket> socket = UdpSocket::bind(Address::loopback(0));
  if (!socket.ok()) co_return socket.status();
  StatusOr<Address> address = socket->local_address();
  if (!address.ok()) co_return address.status();
  Status ended = co_await beside(answer_datagram(*socket), ask_datagram(*address));
  co_return ended;
}

coro::Task<Status> pass_fd(UnixListener& listener) {
  StatusOr<UnixStream> peer = co_await listener.accept();
  if (!peer.ok()) co_return peer.status();
  const UniqueFd memory(::memfd_create("quay", MFD_CLOEXEC));
  std::vector<int> fds{memory.get()};
  StatusOr<std::size_t> sent = co_await peer->send_with_fds(bytes_of("x"), std::move(fds));
  co_return sent.status();
}

coro::Task<Status> take_fd(Address address) {
  StatusOr<UnixStream> peer = co_await UnixStream::connect(address);
  if (!peer.ok()) co_return peer.status();
  std::array<std::byte, 16> buffer;
  StatusOr<UnixStream::Received> received = co_await peer->recv_with_fds(buffer);
  if (!received.ok()) co_return received.status();
  co_return expect(received->bytes == 1 && received->fds.size() == 1, "no descriptor came");
}

coro::Task<Status> unix_fds(std::string directory) {
  StatusOr<Address> address = Address::unix_path(directory + "/socket");
  if (!address.ok()) co_return address.status();
  StatusOr<std::unique_ptr<UnixListener>> listener = UnixListener::listen(*address);
  if (!listener.ok()) co_return listener.status();
  Status ended = co_await beside(pass_fd(**listener), take_fd(*address));
  co_return ended;
}

coro::Task<Status> send_pieces(UnixStream socket) {
  for (int i = 0; i < 6; ++i) {
    Status sent = co_await socket.send_all(bytes_of(kLine));
    if (!sent.ok()) co_return sent;
  }
  Status closed = co_await socket.close();
  co_return closed;
}

coro::Task<Status> take_pieces(UnixStream& socket, BufferGroup& group) {
  RecvStream stream(socket.fd(), group, {.queued_max = 2});
  std::size_t bytes = 0;
  for (;;) {
    StatusOr<ReceivedBuffer> piece = co_await stream.next();
    if (!piece.ok()) co_return piece.status();
    if (!*piece) break;
    bytes += piece->bytes().size();
  }
  co_return expect(bytes == 6 * kLine.size(), "the stream is not whole");
}

coro::Task<Status> recv_stream(std::string /*directory*/) {
  StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 4, 256);
  if (!group.ok()) co_return group.status();
  auto pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  UnixStream target = std::move(pair->first);
  Status ended = co_await beside(send_pieces(std::move(pair->second)), take_pieces(target, *group));
  if (!ended.ok()) co_return ended;
  co_return expect(group->free_count() == group->count(), "a buffer is lost");
}

coro::Task<Status> send_datagrams(UdpSocket& socket) {
  for (int i = 0; i < 6; ++i) {
    StatusOr<std::size_t> sent = co_await socket.send(bytes_of(kLine));
    if (!sent.ok()) co_return sent.status();
  }
  co_return absl::OkStatus();
}

coro::Task<Status> take_datagrams(UdpSocket& socket, BufferGroup& group) {
  DatagramStream stream(socket.fd(), group, {.queued_max = 2});
  for (int i = 0; i < 6; ++i) {
    StatusOr<ReceivedDatagram> datagram = co_await stream.next();
    if (!datagram.ok()) co_return datagram.status();
    Status whole = expect(datagram->text() == kLine, "the datagram differs");
    if (!whole.ok()) co_return whole;
  }
  co_return absl::OkStatus();
}

coro::Task<Status> datagram_stream(std::string /*directory*/) {
  StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 4, DatagramStream::kHeaderBytes + 512);
  if (!group.ok()) co_return group.status();
  StatusOr<UdpSocket> server = UdpSocket::bind(Address::loopback(0));
  if (!server.ok()) co_return server.status();
  StatusOr<Address> address = server->local_address();
  if (!address.ok()) co_return address.status();
  StatusOr<UdpSocket> client = UdpSocket::connect(*address);
  if (!client.ok()) co_return client.status();
  Status ended = co_await beside(send_datagrams(*client), take_datagrams(*server, *group));
  co_return ended;
}

coro::Task<Status> send_the_file(TcpListener& listener, std::string path) {
  StatusOr<UniqueFd> accepted = co_await listener.accept();
  if (!accepted.ok()) co_return accepted.status();
  StatusOr<File> file = co_await File::open(path);
  if (!file.ok()) co_return file.status();
  TcpStream peer(*std::move(accepted));
  StatusOr<std::uint64_t> sent = co_await peer.send_file(file->fd(), 0, 5000);
  co_return sent.status();
}

coro::Task<Status> take_the_file(std::uint16_t port) {
  StatusOr<TcpStream> server = co_await TcpStream::connect(Address::loopback(port));
  if (!server.ok()) co_return server.status();
  std::array<std::byte, 512> buffer;
  std::size_t bytes = 0;
  for (;;) {
    StatusOr<std::size_t> count = co_await server->recv(buffer);
    if (!count.ok()) co_return count.status();
    if (*count == 0) break;
    bytes += *count;
  }
  co_return expect(bytes == 900, "the file is not whole");
}

coro::Task<Status> send_file(std::string directory) {
  const std::string path = directory + "/file";
  const std::string text(900, 'f');
  Status made = co_await replace_file(path, bytes_of(text));
  if (!made.ok()) co_return made;
  StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen("127.0.0.1", 0);
  if (!listener.ok()) co_return listener.status();
  Status ended = co_await beside(send_the_file(**listener, path), take_the_file((*listener)->port()));
  co_return ended;
}

constexpr Script kScripts[] = {
    {"TcpEcho", tcp_echo},   {"Udp", udp},
    {"UnixFds", unix_fds},   {"RecvStream", recv_stream},
    {"SendFile", send_file}, {"DatagramStream", datagram_stream},
};

}  // namespace

std::span<const Script> net_scripts() noexcept { return kScripts; }

}  // namespace wharf::test
