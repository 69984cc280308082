// The code of docs/guide/sockets.md.

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
#include "wharf/runtime/reader.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/tcp_stream.h"
#include "wharf/runtime/timeout.h"
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
    if (!connection.ok()) co_return;
    scope.spawn(serve(TcpStream(*std::move(connection))));
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
  if (!server.ok() || !client.ok()) co_return server.status();
  StatusOr<Address> address = server->local_address();
  const std::string_view text = "quay";
  StatusOr<std::size_t> sent = co_await client->send_to(std::as_bytes(std::span(text)), *address);
  if (!sent.ok()) co_return sent.status();

  std::vector<std::byte> buffer(2048);
  StatusOr<Datagram> asked = co_await server->recv_from(buffer);
  if (!asked.ok()) co_return asked.status();
  std::printf("%zu bytes from %s\n", asked->bytes, asked->source.host().c_str());
  co_return absl::OkStatus();
}

coro::Task<Status> program() {
  Status done = co_await talk();
  if (done.ok()) done = co_await receive_in_pieces();
  if (done.ok()) done = co_await exchange_datagrams();
  co_return done;
}

}  // namespace

int main() { return run_main(program()); }
