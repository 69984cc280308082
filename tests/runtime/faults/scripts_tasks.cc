#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "wharf/coro/channel.h"
#include "wharf/coro/mutex.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/coro/when_any.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/blocking.h"
#include "wharf/runtime/owned_io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/resolve.h"
#include "wharf/runtime/signals.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"
#include "wharf/runtime/unix_stream.h"
#include "wharf/tests/runtime/faults/scripts.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {
namespace {

using namespace runtime;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;

struct Failed final : std::exception {
  explicit Failed(Status why) noexcept : status(std::move(why)) {}
  Status status;
};

coro::Task<void> must(coro::Task<Status> task) {
  Status status = co_await std::move(task);
  if (!status.ok()) throw Failed(std::move(status));
}

using Pair = std::pair<UnixStream, UnixStream>;

coro::Task<StatusOr<std::size_t>> recv_one(UnixStream& socket) {
  std::array<std::byte, 8> buffer;
  StatusOr<std::size_t> count = co_await socket.recv(buffer);
  co_return count;
}

coro::Task<bool> nap() {
  const bool elapsed = co_await sleep_for(1ms);
  co_return elapsed;
}

// Twice the time is up before anything comes; then something has come.
coro::Task<Status> timeouts(std::string /*directory*/) {
  StatusOr<Pair> pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  StatusOr<std::size_t> late = co_await with_timeout(1ms, recv_one(pair->first));
  if (late.status().code() != StatusCode::kDeadlineExceeded) co_return late.status();
  auto first = co_await coro::when_any(recv_one(pair->first), nap());
  if (first.index() == 0) co_return std::get<0>(first).status();
  Status sent = co_await pair->second.send_all(bytes_of("x"));
  if (!sent.ok()) co_return sent;
  StatusOr<std::size_t> count = co_await with_timeout(1h, recv_one(pair->first));
  co_return count.status();
}

coro::Task<Status> read_into(UnixStream& socket, coro::Channel<std::byte>& bytes) {
  for (;;) {
    std::array<std::byte, 2> buffer;
    StatusOr<std::size_t> count = co_await socket.recv(buffer);
    if (!count.ok() || *count == 0) {
      bytes.close();
      co_return count.status();
    }
    for (std::size_t i = 0; i < *count; ++i) {
      const bool taken = co_await bytes.send(buffer[i]);
      if (!taken) co_return make_status(StatusCode::kCancelled, "script: send");
    }
  }
}

coro::Task<void> write_from(UnixStream& socket, coro::Channel<std::byte>& bytes, coro::Mutex& mutex) {
  for (;;) {
    std::optional<std::byte> byte = co_await bytes.receive();
    if (!byte.has_value()) co_return;
    coro::Mutex::Lock lock = co_await mutex.lock();
    if (!lock) co_return;
    const std::array<std::byte, 1> buffer{*byte};
    co_await must(socket.send_all(buffer));
  }
}

// Bytes go from one socket through a channel to another, by way of three tasks that share a mutex.
coro::Task<Status> channel(std::string /*directory*/) {
  StatusOr<Pair> source = UnixStream::pair();
  StatusOr<Pair> target = UnixStream::pair();
  if (!source.ok() || !target.ok()) co_return source.ok() ? target.status() : source.status();
  Status sent = co_await source->first.send_all(bytes_of("abcdef"));
  if (!sent.ok()) co_return sent;
  UniqueFd(source->first.release()).reset();
  coro::Channel<std::byte> bytes(2);
  coro::Mutex mutex;
  const coro::Context& inherited = co_await coro::context();
  coro::Scope scope(inherited);
  Status failed;
  std::exception_ptr error;
  try {
    scope.spawn(must(read_into(source->second, bytes)));
    for (int i = 0; i < 3; ++i) scope.spawn(write_from(target->first, bytes, mutex));
  } catch (...) {
    error = std::current_exception();
    scope.cancel();
  }
  try {
    co_await scope.join();
  } catch (const Failed& thrown) {
    failed = thrown.status;
  } catch (...) {
    error = std::current_exception();
  }
  if (error != nullptr) std::rethrow_exception(error);
  if (!failed.ok()) co_return failed;
  std::array<std::byte, 8> buffer;
  std::size_t count = 0;
  while (count < 6) {
    StatusOr<std::size_t> read = co_await target->second.recv(std::span(buffer).subspan(count));
    if (!read.ok()) co_return read.status();
    count += *read;
  }
  co_return absl::OkStatus();
}

int add(int left, int right) { return left + right; }

coro::Task<Status> call_elsewhere(int left) {
  StatusOr<int> sum = co_await run_blocking(add, left, 1);
  if (!sum.ok()) co_return sum.status();
  co_return expect(*sum == left + 1, "the sum differs");
}

coro::Task<Status> blocking(std::string /*directory*/) {
  Status ended = co_await beside(call_elsewhere(1), call_elsewhere(2));
  co_return ended;
}

// The second receive is given up, and its operation outlives the wait.
coro::Task<Status> owned(std::string /*directory*/) {
  StatusOr<Pair> pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  Buffer bytes(4);
  std::memcpy(bytes.data(), "quay", 4);
  OwnedResult sent = co_await send_owned(pair->first.fd(), std::move(bytes));
  if (!sent.count.ok()) co_return sent.count.status();
  OwnedResult received = co_await recv_owned(pair->second.fd(), Buffer(16));
  if (!received.count.ok()) co_return received.count.status();
  const std::int64_t soon_ns = deadline_after(Reactor::current().now_ns(), 1'000'000);
  OwnedResult late = co_await recv_owned(pair->second.fd(), Buffer(16), {.deadline_ns = soon_ns});
  if (late.count.status().code() != StatusCode::kDeadlineExceeded) co_return late.count.status();
  co_return absl::OkStatus();
}

coro::Task<Status> signals(std::string /*directory*/) {
  StatusOr<std::unique_ptr<SignalSet>> set = SignalSet::create({SIGUSR2});
  if (!set.ok()) co_return set.status();
  std::signal(SIGUSR2, SIG_IGN);  // one that nobody took ends no process when the set does
  ::raise(SIGUSR2);
  StatusOr<int> number = co_await (*set)->next();
  if (!number.ok()) co_return number.status();
  co_return expect(*number == SIGUSR2, "another signal");
}

coro::Task<Status> resolve_localhost(std::string /*directory*/) {
  StatusOr<std::vector<Address>> found = co_await resolve("localhost", "80", {.family = AF_INET});
  co_return found.status();
}

coro::Task<void> throw_after(int turns) {
  for (int i = 0; i < turns; ++i) co_await coro::yield();
  throw Failed(make_status(StatusCode::kAborted, "quay: thrown"));
}

// Three tasks fail, and each failure is kept.
coro::Task<Status> collect(std::string /*directory*/) {
  const coro::Context& inherited = co_await coro::context();
  coro::Scope scope(inherited, coro::OnError::kCollect);
  std::exception_ptr error;
  try {
    for (int i = 0; i < 3; ++i) scope.spawn(throw_after(i));
  } catch (...) {
    error = std::current_exception();
  }
  co_await scope.join();
  if (error != nullptr) std::rethrow_exception(error);
  co_return expect(scope.take_errors().size() == 3, "an error is lost");
}

constexpr Script kScripts[] = {
    {"Timeouts", timeouts}, {"Channel", channel},           {"Blocking", blocking}, {"Owned", owned},
    {"Signals", signals},   {"Resolve", resolve_localhost}, {"Collect", collect},
};

}  // namespace

std::span<const Script> task_scripts() noexcept { return kScripts; }

std::vector<Script> all_scripts() {
  std::vector<Script> all;
  for (const auto& some : {net_scripts(), file_scripts(), task_scripts(), wait_scripts()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

coro::Task<Status> beside(coro::Task<Status> left, coro::Task<Status> right) {
  Status status;
  try {
    co_await coro::when_all(must(std::move(left)), must(std::move(right)));
  } catch (const Failed& failed) {
    status = failed.status;
  }
  co_return status;
}

}  // namespace wharf::test
