#include "wharf/tests/ipc/evil/victim.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

ipc::PortOptions options_against(const Lie& lie) {
  ipc::PortOptions options;
  options.trust = ipc::Trust::kHostile;
  options.shared_memory = lie.stage != Stage::kSocket;
  options.message_bytes_max = 1 << 20;
  options.lane.peer_arena_bytes_max = 1 << 20;
  options.turn_message_count_max = 64;
  if (lie.victim == Victim::kImpatient) options.handshake_timeout_ms = 50;
  return options;
}

// While it lives, this process has room for 8 more descriptors.
class FdLimit {
 public:
  explicit FdLimit(bool wanted) {
    ::getrlimit(RLIMIT_NOFILE, &old_);
    rlimit few = old_;
    few.rlim_cur = open_fds().size() + 8;
    if (wanted) ::setrlimit(RLIMIT_NOFILE, &few);
  }
  FdLimit(const FdLimit&) = delete;
  FdLimit& operator=(const FdLimit&) = delete;
  ~FdLimit() { ::setrlimit(RLIMIT_NOFILE, &old_); }

 private:
  rlimit old_{};
};

// The honest link: how often it has been asked, and has answered.
struct Rounds {
  std::uint64_t count = 0;
  bool enough = false;
};

coro::Task<void> ask_without_pause(ipc::Port& port, Rounds& rounds) {
  while (!rounds.enough) {
    std::string back = co_await ask(port, ipc::Message("undisturbed"));
    EXPECT_EQ(back, "undisturbed");
    ++rounds.count;
  }
}

// What was heard on the liar's link.
struct Heard {
  bool over = false;
  std::uint64_t turn = 0;
  std::uint64_t in_this_turn = 0;
  std::uint64_t in_one_turn_max = 0;
};

coro::Task<void> receive_until_the_end(ipc::Port& port, Heard& heard) {
  while (auto message = co_await port.receive()) {
    const std::uint64_t turn = runtime::Reactor::current().counters().turns;
    heard.in_this_turn = turn == heard.turn ? heard.in_this_turn + 1 : 1;
    heard.turn = turn;
    heard.in_one_turn_max = std::max(heard.in_one_turn_max, heard.in_this_turn);
    heard.over = message->type() == kLieIsOver;
    if (heard.over) port.close();
  }
}

// A block is lent, then small messages go out for as long as the link lives: a full ring has to be noticed, too.
coro::Task<void> send_until_the_end(ipc::Port& port) {
  const std::string lent(5000, 'x');
  Status sent = co_await port.send(ipc::Message(lent));
  while (sent.ok()) sent = co_await port.send(ipc::Message("small"));
}

// The status that the link ends with.
coro::Task<Status> hear(runtime::UniqueFd socket, const Lie& lie) {
  const ipc::PortOptions options = options_against(lie);
  auto opened = co_await ipc::Port::open(std::move(socket), options);
  if (!opened.ok()) co_return opened.status();
  ipc::Port& port = **opened;
  Heard heard;
  bool closed = false;
  {
    const FdLimit limit(lie.victim == Victim::kAtFdLimit);
    coro::Scope scope;
    scope.spawn(receive_until_the_end(port, heard));
    if (lie.stage == Stage::kLane) scope.spawn(send_until_the_end(port));
    closed = co_await port.closed();
    co_await scope.join();
  }
  EXPECT_TRUE(closed);
  EXPECT_EQ(heard.over, lie.reason == kGoesOn);
  EXPECT_LE(heard.in_one_turn_max, 2 * options.turn_message_count_max);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  co_return port.status();
}

void give_order(int liar, const EvilOrder& order, int link) {
  EvilOrder copy = order;
  iovec part{&copy, sizeof(copy)};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* item = CMSG_FIRSTHDR(&message);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(item), &link, sizeof(link));
  EXPECT_EQ(::sendmsg(liar, &message, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof(copy)));
}

coro::Task<void> hear_out(PeerProcess& liar, EvilOrder order, const Rounds& rounds) {
  const Lie& lie = lies_of(order.table)[order.index];
  const std::map<int, std::string> fds_before = open_fds();
  const std::uint64_t rounds_before = rounds.count;
  auto sockets = ipc::Port::end_pair();
  give_order(liar.link().get(), order, sockets->second.fd());
  sockets->second = ipc::PortEnd();

  Status status = co_await hear(sockets->first.take_socket(), lie);

  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find(lie.reason), std::string::npos) << status;
  while (rounds.count < rounds_before + 2) co_await next_turn();
  std::byte done{};
  auto told = co_await runtime::recv(liar.link().get(), std::span(&done, 1));
  CO_ASSERT_TRUE(told.ok() && *told == 1);
  EXPECT_EQ(open_fds(), fds_before);
}

}  // namespace

std::vector<EvilOrder> all_of(Table table) {
  std::vector<EvilOrder> orders;
  for (std::uint32_t index = 0; index < lies_of(table).size(); ++index) orders.push_back({table, index});
  return orders;
}

std::vector<EvilOrder> named(std::initializer_list<std::string_view> names) {
  std::vector<EvilOrder> orders;
  for (const std::string_view name : names) {
    const std::size_t before = orders.size();
    for (const Table table : kTables) {
      for (const EvilOrder order : all_of(table)) {
        if (full_name(lies_of(table)[order.index]) == name) orders.push_back(order);
      }
    }
    EXPECT_EQ(orders.size(), before + 1) << "no lie is called " << name;
  }
  return orders;
}

coro::Task<void> hear_lies(std::vector<EvilOrder> orders) {
  PeerProcess liar(peer_setup("evil"));
  PeerProcess honest(peer_setup("echo"));
  auto other = co_await honest.open({});
  CO_ASSERT_TRUE(other != nullptr);
  Rounds rounds;
  coro::Scope scope;
  scope.spawn(ask_without_pause(*other, rounds));
  for (const EvilOrder& order : orders) {
    SCOPED_TRACE(full_name(lies_of(order.table)[order.index]));
    co_await hear_out(liar, order, rounds);
  }
  rounds.enough = true;
  co_await scope.join();
  other.reset();
  liar.take_link().reset();
  co_await liar.join();
  co_await honest.join();
}

}  // namespace wharf::test
