#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "wharf/coro/auto_reset_event.h"
#include "wharf/coro/when_any.h"
#include "wharf/runtime/futex.h"
#include "wharf/runtime/interval.h"
#include "wharf/runtime/listen_each.h"
#include "wharf/runtime/process_output.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/runtime/tcp_stream.h"
#include "wharf/runtime/timer.h"
#include "wharf/runtime/unix_stream.h"
#include "wharf/runtime/watch.h"
#include "wharf/tests/runtime/faults/scripts.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {
namespace {

using namespace runtime;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;

Status stopped() { return make_status(StatusCode::kCancelled, "task: stopped"); }

coro::Task<StatusOr<UniqueFd>> accept_one(TcpListener& listener) {
  StatusOr<UniqueFd> connection = co_await listener.accept();
  co_return std::move(connection);
}

coro::Task<Status> accept_on_either(TcpListener& first, TcpListener& second) {
  auto accepted = co_await coro::when_any(accept_one(first), accept_one(second));
  if (accepted.index() == 0) co_return std::get<0>(accepted).status();
  co_return std::get<1>(accepted).status();
}

coro::Task<Status> connect_once(std::uint16_t port) {
  StatusOr<TcpStream> server = co_await TcpStream::connect(Address::loopback(port));
  co_return server.status();
}

coro::Task<Status> listeners(std::string /*directory*/) {
  auto both = listen_each("127.0.0.1", 0, 2);
  if (!both.ok()) co_return both.status();
  TcpListener& first = *(*both)[0];
  TcpListener& second = *(*both)[1];
  Status ended = co_await beside(accept_on_either(first, second), connect_once(first.port()));
  co_return ended;
}

coro::Task<Status> interval(std::string /*directory*/) {
  Interval every(1ms);
  std::uint64_t ticks = 0;
  while (ticks < 3) {
    const std::uint64_t more = co_await every.tick();
    if (more == 0) co_return stopped();
    ticks += more;
  }
  co_return absl::OkStatus();
}

using Word = std::atomic<std::uint32_t>;

coro::Task<Status> wait_for_word(const Word& word) {
  while (word.load() == 0) {
    Status woken = co_await futex_wait(word, 0);
    if (woken.code() == StatusCode::kUnimplemented) co_return absl::OkStatus();
    if (!woken.ok()) co_return woken;
  }
  co_return absl::OkStatus();
}

coro::Task<Status> wake_word(Word& word) {
  const bool elapsed = co_await sleep_for(1ms);
  if (!elapsed) co_return stopped();
  word.store(1);
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  co_return absl::OkStatus();
}

coro::Task<Status> futex(std::string /*directory*/) {
  Word word{0};
  Status ended = co_await beside(wait_for_word(word), wake_word(word));
  co_return ended;
}

using Texts = SharedChannel<std::string>;

coro::Task<Status> read_into(UnixStream& source, Texts& texts) {
  for (;;) {
    std::array<std::byte, 40> buffer;
    StatusOr<std::size_t> count = co_await source.recv(buffer);
    if (!count.ok() || *count == 0) {
      texts.close();
      co_return count.status();
    }
    const bool sent = co_await texts.send(std::string(text_of(std::span(buffer).first(*count))));
    if (!sent) co_return stopped();
  }
}

coro::Task<Status> take_texts(Texts& texts) {
  std::size_t bytes = 0;
  for (;;) {
    std::optional<std::string> text = co_await texts.receive();
    if (!text.has_value()) break;
    bytes += text->size();
  }
  // The reader says why, if it is not all.
  co_return bytes == 200 ? absl::OkStatus() : stopped();
}

// What comes from a socket goes through a channel that holds less.
coro::Task<Status> shared_channel(std::string /*directory*/) {
  auto pair = UnixStream::pair();
  if (!pair.ok()) co_return pair.status();
  const std::string text(200, 'q');
  Status sent = co_await pair->first.send_all(bytes_of(text));
  if (!sent.ok()) co_return sent;
  UniqueFd(pair->first.release()).reset();
  Texts texts(1);
  Status ended = co_await beside(read_into(pair->second, texts), take_texts(texts));
  co_return ended;
}

class Bell final : public Watch {
 public:
  Bell(int fd, coro::AutoResetEvent& rung) : Watch(Reactor::current(), fd, POLLIN), rung_(rung) {}

 private:
  void on_ready(std::uint32_t /*events*/) noexcept override { rung_.set(); }
  coro::AutoResetEvent& rung_;
};

coro::Task<Status> watch(std::string /*directory*/) {
  const UniqueFd bell(::eventfd(0, EFD_CLOEXEC));
  coro::AutoResetEvent rung;
  const Bell watch(bell.get(), rung);
  for (int i = 0; i < 3; ++i) {
    if (::eventfd_write(bell.get(), 1) != 0) co_return expect(false, "no bell");
    const bool heard = co_await rung.wait();
    if (!heard) co_return stopped();
    if (!watch.is_open()) co_return make_status(StatusCode::kUnavailable, "watch: it has ended");
  }
  co_return absl::OkStatus();
}

// It says something on both, and would go on for long.
coro::Task<Status> late_child(std::string /*directory*/) {
  SpawnOptions options("/bin/sh");
  options.arguments = {"sh", "-c", "echo quay; echo pier >&2; exec sleep 1000"};
  const std::int64_t soon_ns = deadline_after(Reactor::current().now_ns(), 5'000'000);
  auto running = run_process(std::move(options), {}, 100, {.deadline_ns = soon_ns});
  StatusOr<ProcessOutput> child = co_await std::move(running);
  if (child.status().code() != StatusCode::kDeadlineExceeded) co_return child.status();
  co_return absl::OkStatus();
}

constexpr Script kScripts[] = {
    {"Listeners", listeners},          {"Interval", interval}, {"Futex", futex},
    {"SharedChannel", shared_channel}, {"Watch", watch},       {"LateChild", late_child},
};

}  // namespace

std::span<const Script> wait_scripts() noexcept { return kScripts; }

}  // namespace wharf::test
