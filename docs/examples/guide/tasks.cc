// The code of docs/guide/tasks.md.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "wharf/coro/frame_cache.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/timer.h"

using namespace wharf;
using namespace std::chrono_literals;

namespace {

coro::Task<std::string> greet(std::string name) {
  co_await runtime::sleep_for(1ms);
  co_return "ahoy, " + name;
}

coro::Task<std::unique_ptr<int>> berth() { co_return std::make_unique<int>(7); }

coro::Task<int> careful(coro::Task<int> risky) {
  try {
    const int result = co_await std::move(risky);
    co_return result;
  } catch (const std::runtime_error& error) {
    std::printf("caught: %s\n", error.what());
  }
  co_return -1;
}

coro::Task<int> fails() {
  throw std::runtime_error("adrift");
  co_return 0;
}

coro::Task<Status> program() {
  coro::Task<std::string> later = greet("quay");  // nothing has run yet
  std::string greeting = co_await std::move(later);
  std::puts(greeting.c_str());

  std::unique_ptr<int> number = co_await berth();
  std::printf("berth %d\n", *number);

  int outcome = co_await careful(fails());

  const coro::FrameCounters frames = coro::frame_counters();
  std::printf("%ju frames, %ju of them from malloc\n", std::uintmax_t{frames.allocated},
              std::uintmax_t{frames.from_malloc});
  co_return outcome == -1 ? absl::OkStatus() : absl::InternalError("nothing was thrown");
}

}  // namespace

int main() { return runtime::run_main(program()); }
