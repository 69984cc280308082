#include "wharf/perf/contest/echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>

namespace wharf::perf {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set_no_delay(int socket) {
  const int on = 1;
  check(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "setsockopt");
}

void send_all(int socket, const std::vector<std::byte>& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t part = ::send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    sent += static_cast<std::size_t>(check(static_cast<int>(part), "send"));
  }
}

void receive_all(int socket, std::vector<std::byte>& bytes) {
  const int received = check(static_cast<int>(::recv(socket, bytes.data(), bytes.size(), MSG_WAITALL)), "recv");
  if (static_cast<std::size_t>(received) != bytes.size()) fail("recv: the end");
}

}  // namespace

EchoDuel::EchoDuel(const Load& load) : load_(load) {
  listener_ = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in address = loopback(0);
  socklen_t bytes = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  check(::bind(listener_, any, bytes), "bind");
  check(::listen(listener_, 1024), "listen");
  check(::getsockname(listener_, any, &bytes), "getsockname");
  port_ = ntohs(address.sin_port);
}

EchoDuel::~EchoDuel() { ::close(listener_); }

int EchoDuel::connect_one() const {
  const int connection = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const sockaddr_in address = loopback(port_);
  check(::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "connect");
  set_no_delay(connection);
  return connection;
}

void EchoDuel::server(Side& side, unsigned) {
  std::vector<int> connections;
  while (connections.size() < load_.count) {
    connections.push_back(check(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), "accept"));
    set_no_delay(connections.back());
  }
  const std::uint64_t bytes = serve(side, std::move(connections));
  side.relay(bytes / load_.payload_bytes);
  side.finish();
}

void EchoDuel::client(Side& side) {
  std::vector<int> connections;
  while (connections.size() < load_.count) connections.push_back(connect_one());
  side.ready();
  if (connections.size() == 1) {
    ask_one(side, connections.front());
  } else {
    ask_many(side, connections);
  }
  for (const int connection : connections) ::close(connection);
  side.finish();
}

void EchoDuel::ask_one(Side& side, int connection) const {
  std::vector<std::byte> payload(load_.payload_bytes);
  for (std::uint64_t number = 1; side.more(); ++number) {
    side.write(payload.data(), payload.size(), number);
    send_all(connection, payload);
    receive_all(connection, payload);
    side.check(payload.data(), payload.size(), number);
  }
}

void EchoDuel::ask_many(Side& side, const std::vector<int>& connections) const {
  const int poller = check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  std::vector<std::uint64_t> numbers(connections.size(), 0);
  std::vector<std::byte> payload(load_.payload_bytes);
  const auto ask = [&](std::size_t index) {
    side.write(payload.data(), payload.size(), ++numbers[index]);
    send_all(connections[index], payload);
  };
  for (std::size_t index = 0; index < connections.size(); ++index) {
    epoll_event interest{};
    interest.events = EPOLLIN;
    interest.data.u64 = index;
    check(::epoll_ctl(poller, EPOLL_CTL_ADD, connections[index], &interest), "epoll_ctl");
    ask(index);
  }
  std::array<epoll_event, 64> events{};
  for (std::size_t under_way = connections.size(); under_way != 0;) {
    const int count = check(::epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
      receive_all(connections[index], payload);
      side.check(payload.data(), payload.size(), numbers[index]);
      if (side.more()) {
        ask(index);
      } else {
        --under_way;
      }
    }
  }
  ::close(poller);
}

}  // namespace wharf::perf
