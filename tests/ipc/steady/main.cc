// ipc_steady client|server|offender CPU shm|socket: one of two processes that exchange messages of every kind, first to warm up,
// then with their allocations and system calls counted; over shared memory also forbidden (no_system_calls.h).
//
// Exits with a Verdict. The end is agreed on through a page of memory: a socket that closes would be news to the other.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/when_all.h"
#include "wharf/ipc/inherited_link.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/ipc/steady/allocations.h"
#include "wharf/tests/ipc/steady/no_system_calls.h"
#include "wharf/tests/ipc/steady/verdict.h"

namespace wharf::test {
namespace {

constexpr std::uint64_t kCount = kSanitized ? 2000 : 100'000;
constexpr std::uint64_t kSocketCount = 20'000;
constexpr std::uint64_t kWarmUpCount = kSanitized ? 500 : 5000;
constexpr std::size_t kLoanBytes = 16 * 1024;

enum Type : std::uint32_t { kPage = 1, kCall, kOneWay, kReturn, kSync, kMutual, kArm, kFinish };

// Both processes map it.
struct Page {
  std::atomic<std::uint32_t> client_done;
  std::atomic<std::uint32_t> server_done;
};

struct State {
  ipc::Port& port;
  bool shared = true;
  Page* page = nullptr;
  Verdict verdict = kAllIsWell;
  std::uint64_t received = 0;  // one-way, since the last kSync
  std::uint64_t allocations = 0;
  std::uint64_t system_calls = 0;

  void expect(bool condition, Verdict otherwise) {
    if (!condition && verdict == kAllIsWell) verdict = otherwise;
  }
  void arm() {
    if (shared) expect(forbid_system_calls(), kNoSeccomp);
    allocations = allocation_count();
    system_calls = runtime::sys::counters().total;
  }
  void judge() {
    expect(allocation_count() == allocations, kAllocated);
    expect(!shared || runtime::sys::counters().total == system_calls, kCalledTheKernel);
  }
};

Page* map_page(int fd) {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return page == MAP_FAILED ? nullptr : static_cast<Page*>(page);
}

coro::Task<void> call_many(State& state, Type type, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t payload[2] = {i, ~i};
    auto reply = co_await state.port.call(ipc::Message(type, bytes_of(payload)));
    state.expect(reply.ok() && reply->size_bytes() == 16, kWrongAnswer);
    if (!reply.ok()) co_return;
    std::uint64_t first = 0;
    reply->copy_out(std::as_writable_bytes(std::span(&first, 1)));
    state.expect(first == i, kWrongAnswer);
  }
}

coro::Task<void> serve_many(State& state, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto request = co_await state.port.receive();
    if (!request.has_value()) co_return;
    co_await coro::yield();  // the next one may come before this one is answered
    std::uint64_t payload[2];
    request->copy_out(std::as_writable_bytes(std::span(payload)));
    Status sent = co_await request->reply(ipc::Message(request->type(), bytes_of(payload)));
    state.expect(sent.ok(), kWrongAnswer);
  }
}

coro::Task<void> send_many(State& state, std::string_view payload, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    Status sent = co_await state.port.send(ipc::Message(kOneWay, payload));
    state.expect(sent.ok(), kWrongAnswer);
  }
}

coro::Task<void> lend_many(State& state, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto loan = co_await state.port.loan(kLoanBytes);
    state.expect(loan.ok(), kWrongAnswer);
    if (!loan.ok()) co_return;
    std::memcpy(loan->data(), &i, sizeof(i));
    Status sent = co_await state.port.send(ipc::Message(kOneWay, *std::move(loan)));
    state.expect(sent.ok(), kWrongAnswer);
  }
}

// Loans whose memory comes back in the reply.
coro::Task<void> lend_and_get_back(State& state, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto loan = co_await state.port.loan(kLoanBytes);
    if (!loan.ok()) co_return;
    auto reply = co_await state.port.call(ipc::Message(kReturn, *std::move(loan)));
    state.expect(reply.ok() && reply->size_bytes() == kLoanBytes, kWrongAnswer);
  }
}

// The server has received all of it.
coro::Task<void> sync(State& state, std::uint64_t count) {
  auto reply = co_await state.port.call(ipc::Message(kSync, bytes_of(count)));
  state.expect(reply.ok(), kWrongAnswer);
}

// Requests arrive while replies are waited for, and before the last one has been answered.
coro::Task<void> call_each_other(State& state, std::uint64_t count) {
  auto all = co_await coro::when_all(call_many(state, kCall, count), call_many(state, kCall, count),
                                     serve_many(state, 2 * count));
  static_cast<void>(all);
}

coro::Task<void> exchange(State& state, std::uint64_t count) {
  static const std::string small = pattern(16);
  static const std::string large = pattern(1024);
  co_await call_many(state, kCall, count);
  if (!state.shared) {
    // Not more at once than the socket holds: who waits for it has the kernel watch it, at the price of an allocation.
    for (std::uint64_t i = 0; i < count; i += 8) {
      co_await send_many(state, small, 4);
      co_await send_many(state, large, 4);
      co_await sync(state, 8);
    }
    co_return;
  }
  co_await send_many(state, small, count);
  co_await send_many(state, large, count);
  co_await sync(state, 2 * count);
  co_await lend_many(state, count);
  co_await sync(state, count);
  co_await lend_and_get_back(state, count / 10);
  co_await call_many(state, kMutual, 1);
  co_await call_each_other(state, count / 10);
}

coro::Task<void> run_client(State& state) {
  const int fd = ::memfd_create("page", MFD_CLOEXEC);
  if (::ftruncate(fd, 4096) != 0) std::_Exit(kNoPage);
  state.page = map_page(fd);
  ipc::Message first(kPage);
  first.attach(runtime::UniqueFd(fd));
  auto mapped = co_await state.port.call(std::move(first));
  state.expect(mapped.ok() && state.page != nullptr, kNoPage);
  co_await exchange(state, kWarmUpCount);
  co_await exchange(state, kWarmUpCount);
  co_await call_many(state, kArm, 1);
  state.arm();
  co_await exchange(state, state.shared ? kCount : kSocketCount);
  co_await call_many(state, kFinish, 1);
  state.judge();
  state.page->client_done = 1;
  while (state.page->server_done == 0) continue;
  std::_Exit(state.verdict);
}

coro::Task<void> run_server(State& state) {
  std::uint64_t mutual_count = kWarmUpCount / 10;
  while (auto message = co_await state.port.receive()) {
    const std::uint32_t type = message->type();
    if (type == kOneWay) {
      ++state.received;
      continue;
    }
    std::uint64_t payload[2] = {};
    const std::size_t bytes = message->copy_out(std::as_writable_bytes(std::span(payload)));
    if (type == kPage) {
      const runtime::UniqueFd page = message->take_fd(0);
      state.page = map_page(page.get());
    }
    if (type == kSync) {
      state.expect(state.received == payload[0], kLost);
      state.received = 0;
    }
    if (type == kArm) {
      state.arm();
      mutual_count = kCount / 10;
    }
    if (type == kFinish) state.judge();
    ipc::Message answer(type);
    if (type == kReturn) {
      answer.append_blocks_of(*message);
    } else {
      answer.append(std::as_bytes(std::span(payload)).first(bytes));
    }
    Status sent = co_await message->reply(std::move(answer));
    state.expect(sent.ok(), kWrongAnswer);
    if (type == kMutual) {
      co_await call_each_other(state, mutual_count);
    }
    if (type == kFinish) {
      while (state.page->client_done == 0) co_await coro::yield();
      state.page->server_done = 1;
      std::_Exit(state.verdict);
    }
  }
  std::_Exit(kEnded);
}

coro::Task<void> run(runtime::UniqueFd link, bool is_client, bool shared) {
  ipc::PortOptions options;
  options.shared_memory = shared;
  options.lane.arena_bytes_max = 256 * 1024;         // one segment: the arena does not grow later
  options.lane.arena_idle_ms = 24 * 60 * 60 * 1000;  // and does not go while only small messages pass
  auto port = co_await ipc::Port::open(std::move(link), options);
  if (!port.ok() || (*port)->uses_shared_memory() != shared) std::_Exit(kNoPort);
  State state{.port = **port, .shared = shared};
  if (is_client) {
    co_await run_client(state);
  } else {
    co_await run_server(state);
  }
}

// Does what the others must not: the counter sees it, and the kernel kills it.
int offend() {
  const std::uint64_t before = allocation_count();
  const auto memory = std::make_unique<State*>();
  if (!kSanitized && (memory == nullptr || allocation_count() == before)) return kAllocated;
  if (!forbid_system_calls()) return kNoSeccomp;
  static_cast<void>(::getppid());
  return kAllIsWell;
}

}  // namespace
}  // namespace wharf::test

int main(int argc, char** argv) {
  using namespace wharf;  // NOLINT(google-build-using-namespace)
  if (argc != 4) return test::kNoPort;
  ::alarm(test::kSanitized ? 200 : 50);
  if (std::string_view(argv[1]) == "offender") return test::offend();
  const test::PinnedTo pinned(std::atoi(argv[2]));
  auto reactor = runtime::Reactor::create({.spin_ns = runtime::kSpinAlways});
  auto link = ipc::take_inherited_link();
  if (!reactor.ok() || !link.ok()) return test::kNoPort;
  const bool is_client = std::string_view(argv[1]) == "client";
  const bool shared = std::string_view(argv[3]) == "shm";
  (*reactor)->run(test::run(*std::move(link), is_client, shared));
  return test::kEnded;
}
