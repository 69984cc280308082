// The code of docs/guide/sockets.md.

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/address.h"
#include "wharf/runtime/datagram_stream.h"
#include "wharf/runtime/owned_io.h"
#include "wharf/runtime/reader.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/tcp_stream.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"
#include "wharf/runtime/udp.h"
#include "wharf/runtime/unix_stream.h"
#include "wharf/runtime/writer.h"

using namespace wharf;
using namespace wharf::runtime;
using namespace std::chrono_literals;

namespace {

coro::Task<void> serve(TcpStream stream) {
  Reader reader(stream);
  Writer writer(stream);
  for (;;) {
    StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
    if (!line.ok() || !line->has_value()) co_return;
    const std::string answer = "you said: " + std::string(**line) + "\n";
    Status sent = co_await writer.write(answer);
    if (sent.ok()) sent = co_await writer.flush();
    if (!sent.ok()) co_return;
  }
}

coro::Task<void> accept_all(TcpListener& listener, coro::Scope& scope) {
  for (;;) {
    StatusOr<UniqueFd> connection = co_await listener.accept();
    if (connection.ok()) {
      scope.spawn(serve(TcpStream(*std::move(connection))));
      continue;
    }
    if (connection.status().code() == StatusCode::kCancelled) co_return;  // the stop
    std::fprintf(stderr, "%s\n", std::string(connection.status().message()).c_str());
    const bool slept = co_await sleep_for(100ms);
    if (!slept) co_return;
  }
}

coro::Task<StatusOr<std::string>> ask(Address server, std::string question) {
  StatusOr<TcpStream> stream = co_await TcpStream::connect(server);
  if (!stream.ok()) co_return stream.status();
  const std::string line = question + "\n";
  Status sent = co_await stream->send_all(std::as_bytes(std::span(line)));
  if (!sent.ok()) co_return sent;
  Reader reader(*stream);
  StatusOr<std::string_view> answer = co_await reader.read_until("\n");
  if (!answer.ok()) co_return answer.status();
  co_return std::string(*answer);
}

coro::Task<Status> talk() {
  StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen("127.0.0.1", 0);
  if (!listener.ok()) co_return listener.status();
  StatusOr<std::string> answer;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    scope.spawn(accept_all(**listener, scope));
    const Address server = Address::loopback((*listener)->port());
    answer = co_await with_timeout(5s, ask(server, "ahoy"));
    scope.cancel();
  });
  if (!answer.ok()) co_return answer.status();
  std::printf("%s", answer->c_str());
  co_return absl::OkStatus();
}

coro::Task<StatusOr<std::size_t>> count_bytes(const UnixStream& stream, BufferGroup& group) {
  RecvStream pieces(stream.fd(), group);
  std::size_t total = 0;
  for (;;) {
    StatusOr<ReceivedBuffer> piece = co_await pieces.next();
    if (!piece.ok()) co_return piece.status();
    if (!*piece) co_return total;
    total += piece->bytes().size();
  }
}

coro::Task<Status> receive_in_pieces() {
  StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 64, 4096);
  if (!group.ok()) co_return group.status();
  StatusOr<std::pair<UnixStream, UnixStream>> pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  const std::string text(10'000, 'q');
  Status sent = co_await pair->first.send_all(std::as_bytes(std::span(text)));
  if (!sent.ok()) co_return sent;
  pair->first = UnixStream();
  StatusOr<std::size_t> total = co_await count_bytes(pair->second, *group);
  if (!total.ok()) co_return total.status();
  std::printf("%zu bytes\n", *total);
  co_return absl::OkStatus();
}

coro::Task<Status> exchange_datagrams() {
  StatusOr<UdpSocket> server = UdpSocket::bind(Address::loopback(0));
  StatusOr<UdpSocket> client = UdpSocket::bind(Address::loopback(0));
  if (!server.ok()) co_return server.status();
  if (!client.ok()) co_return client.status();
  StatusOr<Address> address = server->local_address();
  if (!address.ok()) co_return address.status();
  const std::string_view text = "quay";
  StatusOr<std::size_t> sent = co_await client->send_to(std::as_bytes(std::span(text)), *address);
  if (!sent.ok()) co_return sent.status();

  std::vector<std::byte> buffer(2048);
  StatusOr<Datagram> asked = co_await server->recv_from(buffer);
  if (!asked.ok()) co_return asked.status();
  std::printf("%zu bytes from %s\n", asked->bytes, asked->source.host().c_str());
  co_return absl::OkStatus();
}

coro::Task<Status> answer_all(UdpSocket& server, BufferGroup& group) {
  DatagramStream datagrams(server.fd(), group);
  for (;;) {
    StatusOr<ReceivedDatagram> asked = co_await datagrams.next();
    if (!asked.ok()) co_return asked.status();
    StatusOr<std::size_t> sent = co_await server.send_to(asked->bytes(), asked->source());
    if (!sent.ok()) co_return sent.status();
  }
}

coro::Task<void> serve_datagrams(UdpSocket* server, BufferGroup* group) {
  Status ended = co_await answer_all(*server, *group);
  if (!absl::IsCancelled(ended)) std::printf("%s\n", ended.ToString().c_str());
}

coro::Task<StatusOr<std::size_t>> ask_datagram(Address server) {
  StatusOr<UdpSocket> client = UdpSocket::connect(server);
  if (!client.ok()) co_return client.status();
  const std::string_view text = "pier";
  StatusOr<std::size_t> sent = co_await client->send(std::as_bytes(std::span(text)));
  if (!sent.ok()) co_return sent.status();
  std::array<std::byte, 64> answer;
  StatusOr<std::size_t> count = co_await client->recv(answer);
  co_return count;
}

coro::Task<Status> receive_datagrams() {
  StatusOr<BufferGroup> group =
      BufferGroup::create(Reactor::current(), 64, DatagramStream::kHeaderBytes + 1500);
  if (!group.ok()) co_return group.status();
  StatusOr<UdpSocket> server = UdpSocket::bind(Address::loopback(0));
  if (!server.ok()) co_return server.status();
  StatusOr<Address> address = server->local_address();
  if (!address.ok()) co_return address.status();
  StatusOr<std::size_t> answered;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    scope.spawn(serve_datagrams, &*server, &*group);
    answered = co_await with_timeout(5s, ask_datagram(*address));
    scope.cancel();
  });
  if (!answered.ok()) co_return answered.status();
  std::printf("%zu bytes came back\n", *answered);
  co_return absl::OkStatus();
}

coro::Task<StatusOr<std::size_t>> send_record(int socket, std::string head, std::string body) {
  const std::array<iovec, 2> parts{{{head.data(), head.size()}, {body.data(), body.size()}}};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  StatusOr<std::size_t> sent = co_await sendmsg(socket, message);
  co_return sent;
}

coro::Task<StatusOr<std::string>> receive_record(int socket, std::int64_t soon) {
  StatusOr<std::uint32_t> events = co_await poll(socket, POLLIN, {.deadline_ns = soon});
  if (!events.ok()) co_return events.status();
  OwnedMessage room(Buffer(64));
  room.control = Buffer(CMSG_SPACE(sizeof(int)));
  OwnedMessageResult got =
      co_await recvmsg_owned(socket, std::move(room), 0, {.deadline_ns = soon});
  if (!got.count.ok()) co_return got.count.status();
  co_return std::string(got.message.parts[0].text().substr(0, *got.count));
}

coro::Task<Status> pass_a_record() {
  StatusOr<std::pair<UnixStream, UnixStream>> pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  StatusOr<std::size_t> sent = co_await send_record(pair->first.fd(), "quay", "side");
  if (!sent.ok()) co_return sent.status();
  const std::int64_t soon = deadline_after(Reactor::current().now_ns(), 5'000'000'000);
  StatusOr<std::string> record = co_await receive_record(pair->second.fd(), soon);
  if (!record.ok()) co_return record.status();
  std::printf("%s\n", record->c_str());
  co_return absl::OkStatus();
}

coro::Task<Status> program() {
  Status done = co_await talk();
  if (done.ok()) done = co_await receive_in_pieces();
  if (done.ok()) done = co_await exchange_datagrams();
  if (done.ok()) done = co_await receive_datagrams();
  if (done.ok()) done = co_await pass_a_record();
  co_return done;
}

}  // namespace

int main() { return run_main(program()); }
