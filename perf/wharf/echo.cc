// A server of TCP connections as docs/guide/sockets.md has it: a task for each, that reads with a RecvStream from one
// group of buffers, and sends.
#include "wharf/perf/contest/echo.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/transfer.h"

namespace wharf::perf {
namespace {

constexpr std::uint32_t kBufferCount = 256;
constexpr std::uint32_t kBufferBytes = 4096;

coro::Task<void> echo(runtime::UniqueFd connection, runtime::BufferGroup& group, std::uint64_t& bytes) {
  runtime::RecvStream stream(connection.get(), group);
  for (;;) {
    StatusOr<runtime::ReceivedBuffer> piece = co_await stream.next();
    if (!piece.ok()) fail_with(piece.status());
    if (!*piece) co_return;
    bytes += piece->bytes().size();
    const StatusOr<std::size_t> sent = co_await runtime::send(connection.get(), piece->bytes());
    if (!sent.ok()) fail_with(sent.status());
    if (*sent == piece->bytes().size()) continue;
    const Status rest = co_await runtime::send_all(connection.get(), piece->bytes().subspan(*sent));
    if (!rest.ok()) fail_with(rest);
  }
}

class Echo final : public EchoDuel {
 public:
  using EchoDuel::EchoDuel;

 private:
  std::uint64_t serve(Side& side, std::vector<int> connections) override {
    auto reactor = runtime::Reactor::create();
    if (!reactor.ok()) fail_with(reactor.status());
    std::uint64_t bytes = 0;
    (*reactor)->run(serve_all(side, std::move(connections), bytes));
    return bytes;
  }

  static coro::Task<void> serve_all(Side& side, std::vector<int> connections, std::uint64_t& bytes) {
    auto group = runtime::BufferGroup::create(runtime::Reactor::current(), kBufferCount, kBufferBytes);
    if (!group.ok()) fail_with(group.status());
    coro::Scope scope;
    for (const int connection : connections) {
      scope.spawn(echo(runtime::UniqueFd(connection), *group, bytes));
    }
    side.ready();
    const std::uint64_t calls_before = runtime::sys::counters().total;
    co_await scope.join();
    side.add_system_calls(runtime::sys::counters().total - calls_before);
  }
};

}  // namespace

std::vector<Entry> echo_entries() { return {{"wharf", "echo", {Mode::kDefault}, make<Echo>, kBufferBytes, false, 2}}; }

}  // namespace wharf::perf
