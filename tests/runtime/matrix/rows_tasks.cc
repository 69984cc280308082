// Rows: time, other threads, processes and signals.
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <utility>

#include "wharf/runtime/blocking.h"
#include "wharf/runtime/interval.h"
#include "wharf/runtime/process.h"
#include "wharf/runtime/process_output.h"
#include "wharf/runtime/resolve.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/runtime/signals.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/matrix/case.h"

namespace wharf::test {
namespace {

using namespace std::chrono_literals;
using runtime::IoOptions;
using runtime::SpawnOptions;

struct ChannelSend final : AwaiterCase<ChannelSend> {
  ChannelSend() { EXPECT_TRUE(channel.try_send(1)); }
  auto make(IoOptions /*options*/) { return channel.send(2); }
  void trigger() override { EXPECT_EQ(channel.try_receive(), 1); }
  Decision decision() const override { return Decision::kTrigger; }
  runtime::SharedChannel<int> channel{1};
};

struct ChannelReceive final : AwaiterCase<ChannelReceive> {
  auto make(IoOptions /*options*/) { return channel.receive(); }
  void trigger() override { EXPECT_TRUE(channel.try_send(1)); }
  Decision decision() const override { return Decision::kTrigger; }
  runtime::SharedChannel<int> channel{1};
};

// The function has begun, and ends when it is let.
struct RunBlocking final : AwaiterCase<RunBlocking> {
  auto make(IoOptions /*options*/) {
    return runtime::run_blocking(wait_for, std::shared_ptr<std::binary_semaphore>(let));
  }
  static int wait_for(const std::shared_ptr<std::binary_semaphore>& semaphore) {
    semaphore->acquire();
    return 1;
  }
  void trigger() override { let->release(); }
  Decision decision() const override { return Decision::kPost; }
  std::shared_ptr<std::binary_semaphore> let = std::make_shared<std::binary_semaphore>(0);
};

struct ProcessWait final : TaskCase<ProcessWait> {
  ProcessWait() {
    SpawnOptions options("/bin/cat");
    options.input = SpawnOptions::Standard::kPipe;
    child = *runtime::Process::spawn(options);
    input = child->take_input();
  }
  auto make(IoOptions options) { return child->wait(options); }
  void trigger() override { input.reset(); }
  std::unique_ptr<runtime::Process> child;
  runtime::UniqueFd input;
};

// A shell that says what it reads from the pipe.
struct RunProcess final : TaskCase<RunProcess> {
  auto make(IoOptions options) {
    SpawnOptions child("/bin/sh");
    child.arguments = {"sh", "-c", "read word <&3; echo -n $word"};
    child.fds.push_back({pipe.reader.get(), 3});
    return runtime::run_process(std::move(child), {}, 100, options);
  }
  Status judge(const StatusOr<runtime::ProcessOutput>& output) {
    return output.ok() ? said_count(output->output.size()) : output.status();
  }
  void trigger() override {
    put(pipe.writer);
    EXPECT_EQ(::write(pipe.writer.get(), "\n", 1), 1);
  }
  Pipe pipe;
};

struct SignalNext final : TaskCase<SignalNext> {
  auto make(IoOptions options) { return set->next(options); }
  void trigger() override { EXPECT_EQ(::pthread_kill(thread, SIGUSR2), 0); }
  std::unique_ptr<runtime::SignalSet> set = *runtime::SignalSet::create({SIGUSR2});
  pthread_t thread = ::pthread_self();
};

struct Sleep final : AwaiterCase<Sleep> {
  auto make(IoOptions /*options*/) { return runtime::sleep_for(1ms); }
};

struct SleepLong final : AwaiterCase<SleepLong> {
  auto make(IoOptions /*options*/) { return runtime::sleep_for(1h); }
};

// It begins when it is first asked.
template <class Derived>
struct Ticks : AwaiterCase<Derived> {
  auto next(std::chrono::nanoseconds period) {
    if (!interval.has_value()) interval.emplace(period);
    return interval->tick();
  }
  Status judge(std::uint64_t ticks) { return said(ticks != 0); }
  std::optional<runtime::Interval> interval;
};

struct Tick final : Ticks<Tick> {
  auto make(IoOptions /*options*/) { return next(1ms); }
};

struct TickLong final : Ticks<TickLong> {
  auto make(IoOptions /*options*/) { return next(1h); }
};

struct Resolve final : TaskCase<Resolve> {
  auto make(IoOptions /*options*/) { return runtime::resolve("localhost", port, {.family = AF_INET}); }
  std::string spoil() override {
    port = "no such service";
    return "resolve";
  }
  std::string port = "80";
};

constexpr Row kRows[] = {
    {"SharedChannel_send", kWaits | kAgain | kEager | kHoldsOn, make_case<Limited<ChannelSend>>},
    {"SharedChannel_receive", kWaits | kAgain | kEager | kHoldsOn, make_case<Limited<ChannelReceive>>},
    {"run_blocking", kWaits | kBegun | kAgain | kHoldsOn, make_case<Limited<RunBlocking>>},
    {"resolve", kBegun | kUncounted | kFails, make_case<Limited<Resolve>>},
    {"Process_wait", kWaits | kOwnDeadline | kAgain, make_case<ProcessWait>},
    {"run_process", kWaits | kOwnDeadline | kAgain | kEager | kUncounted, make_case<RunProcess>},
    {"SignalSet_next", kWaits | kOwnDeadline | kAgain | kEager, make_case<SignalNext>},
    {"sleep_for", kUncounted, make_case<Limited<Sleep>>},
    {"sleep_for_an_hour", kWaits | kEndless | kLetsGo, make_case<Limited<SleepLong>>},
    {"Interval_tick", kUncounted, make_case<Limited<Tick>>},
    {"Interval_tick_in_an_hour", kWaits | kEndless | kLetsGo, make_case<Limited<TickLong>>},
};

}  // namespace

std::span<const Row> task_rows() noexcept { return kRows; }

}  // namespace wharf::test
