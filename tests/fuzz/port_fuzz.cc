// Two ports of one process, and whatever the input has them do: send, lend, call, answer, drop, keep, stop, close one way
// or both. A ledger for each direction says what must arrive: in order, whole and once; in the end every block and every
// descriptor is home.
#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/fuzz/fd_census.h"
#include "wharf/tests/fuzz/input.h"
#include "wharf/tests/fuzz/port_ledger.h"
#include "wharf/tests/ipc/turns.h"

namespace wharf::test {
namespace {

constexpr std::size_t kPacketBytesMax = 1024;
constexpr std::size_t kBytesMax = 24 * 1024;
constexpr int kStepsMax = 200;

ipc::PortOptions small_options(bool shared_memory) {
  ipc::PortOptions options;
  options.shared_memory = shared_memory;
  options.lane.release_slot_count = 256;
  options.lane.arena_bytes_max = 64 * 1024;
  options.lane.inline_bytes_max = 256;
  options.packet_bytes_max = kPacketBytesMax;
  options.message_bytes_max = kBytesMax - 1024;
  options.turn_message_count_max = 4;
  options.parked_count_max = 4;
  options.waiting_count_max = 8;
  options.call_count_max = 4;
  return options;
}

// One end of the link.
struct Side {
  explicit Side(bool shared_memory)
      : ledger(shared_memory ? std::numeric_limits<std::size_t>::max() : kPacketBytesMax) {}

  std::unique_ptr<ipc::Port> port;
  Ledger ledger;  // of what it sends
  std::vector<ipc::Message> kept;
  std::vector<ipc::Loan> loans;
  bool finishing = false;  // keeps nothing any more
  bool receiving = false;
  bool saw_end = false;  // receive() said nullopt, and had not been stopped
};

runtime::UniqueFd some_fd() {
  static const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  return runtime::UniqueFd(::fcntl(null, F_DUPFD_CLOEXEC, 0));
}

void attach(ipc::Message& message, std::size_t fd_count) {
  for (std::size_t i = 0; i < fd_count; ++i) message.attach(some_fd());
}

coro::Task<void> send_bytes(Side& from, std::size_t bytes, std::size_t fd_count) {
  const std::uint32_t number = from.ledger.begin(bytes, fd_count);
  const std::string payload = Ledger::payload(number, bytes);
  ipc::Message message(number, payload);
  attach(message, fd_count);
  const Status status = co_await from.port->send(std::move(message));
  from.ledger.sent(number, status);
}

coro::Task<void> send_loan(Side& from, ipc::Loan loan, std::size_t bytes, std::size_t fd_count) {
  bytes = std::min(bytes, loan.capacity_bytes());
  loan.resize(bytes);
  const std::uint32_t number = from.ledger.begin(bytes, fd_count);
  Ledger::fill(loan.bytes(), number);
  ipc::Message message(number, std::move(loan));
  attach(message, fd_count);
  const Status status = co_await from.port->send(std::move(message));
  from.ledger.sent(number, status);
}

coro::Task<void> borrow(Side& at, std::size_t bytes) {
  auto loan = co_await at.port->loan(bytes);
  if (!loan.ok()) co_return;
  WHARF_CHECK_EQ(loan->size_bytes(), bytes);
  if (!at.finishing) at.loans.push_back(*std::move(loan));
}

coro::Task<void> call(Side& from, std::size_t bytes, std::size_t fd_count) {
  const std::uint32_t number = from.ledger.begin(bytes, fd_count);
  const std::string payload = Ledger::payload(number, bytes);
  ipc::Message request(number, payload);
  attach(request, fd_count);
  const auto reply = co_await from.port->call(std::move(request));
  from.ledger.called(number, reply);
}

enum class Treatment : std::uint8_t { kDrop, kKeep, kEcho, kAnswer, kError };

coro::Task<void> answer(ipc::Message request, Treatment how) {
  if (!request.is_request()) co_return;
  const std::uint32_t number = Ledger::reply_number(request.type());
  if (how == Treatment::kEcho) {
    // Blocks go back as they are, what was inline as a copy.
    ipc::Message reply(number);
    std::string copy;
    const std::size_t bytes = request.size_bytes();
    reply.append_blocks_of(request);
    if (reply.size_bytes() != bytes) {
      const std::size_t head_bytes = bytes - reply.size_bytes();
      copy = Ledger::payload(request.type(), bytes);
      ipc::Message whole(number, std::string_view(copy).substr(0, head_bytes));
      whole.append_blocks_of(reply);
      reply = std::move(whole);
    }
    const Status status = co_await request.reply(std::move(reply));
    static_cast<void>(status);
  } else if (how == Treatment::kAnswer) {
    const std::string payload = Ledger::payload(number, kBytesMax / 2 + 1);
    ipc::Message reply(number, payload);
    const Status status = co_await request.reply(std::move(reply));
    static_cast<void>(status);
  } else if (how == Treatment::kError) {
    const Status status = co_await request.reply_error(absl::NotFoundError("no such berth"));
    static_cast<void>(status);
  }
}

coro::Task<void> receive(Side& at, Side& from, Treatment how) {
  const coro::StopToken token = co_await coro::stop_token();
  auto message = co_await at.port->receive();
  at.receiving = false;
  if (!message.has_value()) {
    at.saw_end = at.saw_end || !token.stop_requested();
    co_return;
  }
  from.ledger.received(*message);
  if (how == Treatment::kKeep && !at.finishing) {
    at.kept.push_back(*std::move(message));
    co_return;
  }
  co_await answer(*std::move(message), how);
}

// The link and what is going on at it.
class World {
 public:
  explicit World(bool shared_memory)
      : sides_{Side(shared_memory), Side(shared_memory)}, shared_memory_(shared_memory) {}

  coro::Task<void> run(Input& input) {
    auto sockets = ipc::Port::end_pair();
    WHARF_CHECK(sockets.ok(), "no descriptors");
    {
      coro::Scope opening;
      opening.spawn(open(sides_[0], sockets->first.take_socket()));
      opening.spawn(open(sides_[1], sockets->second.take_socket()));
      co_await opening.join();
    }
    renew_scope();
    for (int step = 0; step < kStepsMax && !input.empty(); ++step) {
      if (input.byte() % 3 == 0) {
        co_await next_turn();
      }
      act(input);
    }
    co_await finish();
  }

 private:
  coro::Task<void> open(Side& side, runtime::UniqueFd socket) {
    auto port = co_await ipc::Port::open(std::move(socket), small_options(shared_memory_));
    WHARF_CHECK(port.ok(), "an honest handshake");
    WHARF_CHECK_EQ((*port)->uses_shared_memory(), shared_memory_);
    side.port = *std::move(port);
  }

  void renew_scope() { scopes_.push_back(std::make_unique<coro::Scope>()); }

  static std::size_t some_bytes(Input& input) {
    switch (input.byte() % 4) {
      case 0: return input.below(33);
      case 1: return input.below(600);
      case 2: return input.below(5000);
      default: return input.below(kBytesMax);
    }
  }
  static std::size_t some_fds(Input& input) {
    const std::uint8_t some = input.byte();
    return some < 200 ? 0 : some % 18;
  }

  // One operation, which may go on for as long as it likes.
  void act(Input& input) {
    const std::uint8_t what = input.byte();
    const std::size_t which = what & 1;
    Side& at = sides_[which];
    Side& other = sides_[1 - which];
    coro::Scope& scope = *scopes_.back();
    switch (what / 2 % 16) {
      case 0:
      case 1: scope.spawn(send_bytes(at, some_bytes(input), some_fds(input))); break;
      case 2: scope.spawn(borrow(at, 1 + some_bytes(input))); break;
      case 3: lend(at, other, input); break;
      case 4:
      case 5: scope.spawn(call(at, some_bytes(input), some_fds(input))); break;
      case 6:
      case 7:
      case 8:
        if (at.receiving) break;
        at.receiving = true;
        scope.spawn(receive(at, other, static_cast<Treatment>(input.byte() % 5)));
        break;
      case 9:
      case 10:
        if (at.kept.empty()) break;
        scope.spawn(answer(take(at.kept, input), static_cast<Treatment>(input.byte() % 5)));
        break;
      case 11:
        if (!at.loans.empty()) take(at.loans, input);
        break;
      case 12:
        scope.cancel();
        renew_scope();
        break;
      case 13:
        if (input.byte() > 192) scope.spawn(close_send(at));
        break;
      case 14:
        if (input.byte() < 240) break;
        closed_ = true;
        at.port->close();
        break;
      default:
        WHARF_CHECK(at.port->status().ok() || closed_ || at.port->status().code() == StatusCode::kUnavailable,
                    "an honest peer broke the format");
    }
  }

  // Sends a loan: through its own port, or through the other, which has to copy it.
  void lend(Side& at, Side& other, Input& input) {
    if (at.loans.empty()) return;
    ipc::Loan loan = take(at.loans, input);
    Side& through = input.byte() > 224 ? other : at;
    scopes_.back()->spawn(send_loan(through, std::move(loan), some_bytes(input), some_fds(input)));
  }

  template <class T>
  static T take(std::vector<T>& from, Input& input) {
    const std::size_t index = input.below(from.size());
    T taken = std::move(from[index]);
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(index));
    return taken;
  }

  static coro::Task<void> close_send(Side& at) {
    Status status = co_await at.port->close_send();
    while (status.code() == StatusCode::kResourceExhausted) {  // too many wait before it
      co_await next_turn();
      status = co_await at.port->close_send();
    }
  }
  // Takes whatever is still to come, until the goodbye.
  static coro::Task<void> take_the_rest(Side& at, Side& from) {
    while (!at.saw_end) {
      if (at.receiving) {
        co_await next_turn();
        continue;
      }
      at.receiving = true;
      co_await receive(at, from, Treatment::kDrop);
    }
  }

  coro::Task<void> finish() {
    for (Side& side : sides_) {
      side.finishing = true;
      side.kept.clear();
      side.loans.clear();
    }
    renew_scope();
    coro::Scope& last = *scopes_.back();
    last.spawn(take_the_rest(sides_[0], sides_[1]));
    last.spawn(take_the_rest(sides_[1], sides_[0]));
    last.spawn(close_send(sides_[0]));
    last.spawn(close_send(sides_[1]));
    for (std::size_t i = 0; i < scopes_.size(); ++i) {
      coro::Scope& scope = *scopes_[i];
      co_await scope.join();
    }
    for (Side& side : sides_) {
      // Neither has broken anything: at most, both have said goodbye.
      if (!closed_) WHARF_CHECK_EQ(side.port->status().ToString(), "OK");
    }
    for (Side& side : sides_) side.port->close();
    for (Side& side : sides_) {
      side.ledger.finish(!closed_);
      const ipc::PortCounters counters = side.port->counters();
      WHARF_CHECK_EQ(counters.blocks_lent_now, 0U);
      WHARF_CHECK_EQ(counters.arena_used_bytes, 0U);
    }
  }

  Side sides_[2];
  const bool shared_memory_;
  std::vector<std::unique_ptr<coro::Scope>> scopes_;  // the last one is for new operations
  bool closed_ = false;                               // at once, somewhere: what was under way may be lost
};

coro::Task<void> play(Input& input) {
  World world(input.coin());
  co_await world.run(input);
}

}  // namespace
}  // namespace wharf::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  static const std::unique_ptr<runtime::Reactor> reactor = *runtime::Reactor::create({.spin_ns = 0});
  static const runtime::UniqueFd first = test::some_fd();  // opens what it copies
  const test::FdCensus census;
  test::Input input(data, size);
  reactor->run(test::play(input));
  return 0;
}
