#include "wharf/runtime/process_output.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/transfer.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;

constexpr std::size_t kStepBytes = std::size_t{16} << 10;

// What one run shares among its tasks.
struct Run {
  // The first error ends the others.
  void fail(Status status) {
    if (failure.ok()) failure = std::move(status);
    scope->cancel();
  }
  Scope* scope = nullptr;
  Status failure;
};

// Nothing is sent: only the state of the other end decides.
bool peer_reads_no_more(int socket) noexcept {
  const msghdr nothing{};
  return sys::sendmsg(socket, &nothing, MSG_NOSIGNAL | MSG_DONTWAIT) == -EPIPE;
}

Task<void> feed(Run& run, UniqueFd socket, const std::string& input, IoOptions io) {
  Status sent = co_await send_all(socket.get(), std::as_bytes(std::span(input)), io);
  if (sent.ok()) co_return;
  // A child that has gone, or reads no more, is no failure of this. The code alone does not say: want of memory in the
  // kernel is Unavailable too (EAGAIN).
  const bool unread = sent.code() == StatusCode::kUnavailable && peer_reads_no_more(socket.get());
  if (!unread) run.fail(std::move(sent));
}

Task<void> collect(Run& run, UniqueFd pipe, std::string& text, std::size_t bytes_max, IoOptions io) {
  for (;;) {
    const std::size_t done = text.size();
    // One byte more than there may be tells of too much.
    text.resize(done + std::min(kStepBytes - 1, bytes_max - done) + 1);
    const std::span<char> rest(text.data() + done, text.size() - done);
    StatusOr<std::size_t> count = co_await read(pipe.get(), std::as_writable_bytes(rest), kCurrentPosition, io);
    text.resize(done + (count.ok() ? *count : 0));
    if (!count.ok()) co_return run.fail(count.status());
    if (*count == 0) co_return;
    if (text.size() > bytes_max) {
      co_return run.fail(make_status(StatusCode::kResourceExhausted, "run_process: the child said too much"));
    }
  }
}

Task<void> await_end(Run& run, Process& child, ExitStatus& status, IoOptions io) {
  StatusOr<ExitStatus> ended = co_await child.wait(io);
  if (ended.ok()) {
    status = *ended;
  } else {
    run.fail(ended.status());
  }
}

}  // namespace

Task<StatusOr<ProcessOutput>> run_process(SpawnOptions options, std::string input, std::size_t output_bytes_max,
                                          IoOptions io) {
  int pair[2] = {-1, -1};
  const int made = sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  if (made < 0) co_return errno_status(-made, "spawn " + options.path);
  UniqueFd ours(pair[0]);
  UniqueFd childs(pair[1]);
  options.input = SpawnOptions::Standard::kInherit;
  options.output = SpawnOptions::Standard::kPipe;
  options.errors = SpawnOptions::Standard::kPipe;
  options.fds.push_back({childs.get(), STDIN_FILENO});
  StatusOr<std::unique_ptr<Process>> child = Process::spawn(options);
  if (!child.ok()) co_return child.status();
  childs.reset();
  ProcessOutput output;
  Run run;  // out here, since the tasks outlive a body that throws for want of memory
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    run.scope = &scope;
    scope.spawn(feed(run, std::move(ours), input, io));
    scope.spawn(collect(run, (*child)->take_output(), output.output, output_bytes_max, io));
    scope.spawn(collect(run, (*child)->take_errors(), output.errors, output_bytes_max, io));
    scope.spawn(await_end(run, **child, output.status, io));
    co_await scope.join();
  });
  if (!run.failure.ok()) co_return std::move(run.failure);
  co_return std::move(output);
}

}  // namespace wharf::runtime
