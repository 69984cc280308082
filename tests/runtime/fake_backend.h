// FakeBackend: a Backend without a kernel. The test plays the kernel: it completes operations, decides
// what happens during a sleep, and moves the clock.
//
// Threads: the reactor's; wake() any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"

namespace wharf::test {

class FakeBackend final : public runtime::Backend {
 public:
  ~FakeBackend() override { EXPECT_TRUE(in_flight.empty()); }

  void submit(runtime::Operation& operation) noexcept override {
    EXPECT_FALSE(operation.in_flight());
    state(operation) = OperationState::kSubmitted;
    in_flight.push_back(&operation);
    ++counters_.submitted;
  }
  void cancel(runtime::Operation& operation) noexcept override {
    if (operation.in_flight() && !ends(operation)) complete(operation, -ECANCELED, false);
  }
  std::size_t poll() noexcept override {
    ++counters_.enters;
    if (on_poll) on_poll();
    return deliver();
  }
  std::size_t wait(std::int64_t deadline_ns) noexcept override {
    ++counters_.sleeps;
    deadlines.push_back(deadline_ns);
    EXPECT_TRUE(on_sleep) << "a sleep that nothing ends";
    if (on_sleep) on_sleep(deadline_ns);
    return deliver();
  }
  void wake() noexcept override { wakes.fetch_add(1); }
  std::int64_t now_ns() const noexcept override { return clock_ns += clock_step_ns; }
  runtime::BackendCounters counters() const noexcept override { return counters_; }

  // Has an operation complete at the next poll or wait.
  void complete(runtime::Operation& operation, std::int32_t result, bool more) {
    completions_.push_back({&operation, result, more});
  }

  std::vector<runtime::Operation*> in_flight;  // in the order of their submission
  std::vector<std::int64_t> deadlines;         // of the sleeps
  std::atomic<int> wakes{0};
  std::function<void()> on_poll;
  std::function<void(std::int64_t)> on_sleep;
  mutable std::int64_t clock_ns = 1'000'000;
  std::int64_t clock_step_ns = 0;  // that each look at the clock takes

 private:
  struct Completion {
    runtime::Operation* operation;
    std::int32_t result;
    bool more;
  };

  // Whether its final completion waits to be delivered.
  bool ends(const runtime::Operation& operation) const noexcept {
    return std::any_of(completions_.begin(), completions_.end(), [&](const Completion& completion) {
      return completion.operation == &operation && !completion.more;
    });
  }

  std::size_t deliver() noexcept {
    std::size_t count = 0;
    for (const Completion& completion : std::exchange(completions_, {})) {
      if (!completion.operation->in_flight()) continue;
      if (!completion.more) {
        state(*completion.operation) = OperationState::kIdle;
        std::erase(in_flight, completion.operation);
      }
      completion.operation->on_complete(completion.result, completion.more);
      ++count;
    }
    counters_.completions += count;
    return count;
  }

  std::vector<Completion> completions_;
  runtime::BackendCounters counters_;
};

}  // namespace wharf::test
