// Scripts of a Runtime, which makes its reactors itself: of these only allocations fail, on whichever thread makes them.
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/runtime/reactor.h"
#include "wharf/runtime/runtime.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/tests/runtime/faults/scripts.h"

namespace wharf::test {
namespace {

using namespace runtime;  // NOLINT(google-build-using-namespace)

using Numbers = SharedChannel<std::uint32_t>;

coro::Task<void> send_index(std::reference_wrapper<Numbers> to) {
  Numbers& numbers = to;
  const bool sent = co_await numbers.send(Runtime::current_index());
  static_cast<void>(sent);
}

coro::Task<StatusOr<std::string>> name_of(std::uint32_t index) {
  co_return "a name that no string holds within, and the number " + std::to_string(index);
}

Status stopped() { return make_status(StatusCode::kCancelled, "main: stopped"); }

// Hears of each reactor by way of a channel, a call and a post.
coro::Task<Status> main_of(Runtime& runtime, Numbers& numbers, std::atomic<std::uint32_t>& posted) {
  runtime.spawn_on_each(send_index, std::ref(numbers));
  std::uint32_t sum = 0;
  for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
    std::optional<std::uint32_t> index = co_await numbers.receive();
    if (!index.has_value()) co_return stopped();
    sum += *index;
    StatusOr<std::string> name = co_await runtime.call_on(i, name_of, i);
    if (!name.ok()) co_return name.status();
    runtime.post(i, [&posted] { posted.fetch_add(1); });
  }
  co_return expect(sum == runtime.reactor_count() - 1, "a reactor was not heard of");
}

Status run_a_runtime(std::uint32_t reactor_count) {
  RuntimeOptions options;
  options.reactor_count = reactor_count;
  const bool on_epoll = std::string_view(Reactor::current().backend_name()) == "epoll";
  options.reactor.backend = on_epoll ? BackendKind::kEpoll : BackendKind::kUring;
  StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::create(std::move(options));
  if (!runtime.ok()) return runtime.status();
  Numbers numbers(4);
  std::atomic<std::uint32_t> posted{0};
  Status ended = (*runtime)->run(main_of(**runtime, numbers, posted));
  runtime->reset();
  if (!ended.ok()) return ended;
  return expect(posted.load() == reactor_count, "a post was lost");
}

coro::Task<Status> runtime_of_one(std::string /*directory*/) { co_return run_a_runtime(1); }
coro::Task<Status> runtime_of_two(std::string /*directory*/) { co_return run_a_runtime(2); }

// It is created, and never runs.
coro::Task<Status> runtime_unused(std::string /*directory*/) {
  StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::create({.reactor_count = 2});
  co_return runtime.status();
}

constexpr Script kScripts[] = {
    {"RuntimeOfOne", runtime_of_one},
    {"RuntimeOfTwo", runtime_of_two},
    {"RuntimeUnused", runtime_unused},
};

}  // namespace

std::span<const Script> runtime_scripts() noexcept { return kScripts; }

}  // namespace wharf::test
