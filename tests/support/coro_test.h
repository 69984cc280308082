// Runs tasks without a reactor: a Loop is a bare Executor and a StopSource, driven by the test itself.
//
//     Loop loop;
//     EXPECT_EQ(loop.run(length("quay")), 4);
//
//     auto wait = loop.start(event.wait());           // or any Task
//     loop.run_ready();
//     EXPECT_FALSE(wait.done());
//     loop.stop();
//
// Threads: the Loop's maker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/coro/task.h"

// ASSERT_* contain a return, which no coroutine may have. These end a Task<void> instead; await first, then assert.
#define CO_ASSERT_TRUE(condition) WHARF_CO_ASSERT(EXPECT_TRUE(condition))
#define CO_ASSERT_FALSE(condition) WHARF_CO_ASSERT(EXPECT_FALSE(condition))
#define CO_ASSERT_EQ(a, b) WHARF_CO_ASSERT(EXPECT_EQ(a, b))
#define CO_ASSERT_NE(a, b) WHARF_CO_ASSERT(EXPECT_NE(a, b))
#define WHARF_CO_ASSERT(expectation)              \
  do {                                            \
    expectation;                                  \
    if (::testing::Test::HasFailure()) co_return; \
  } while (false)

namespace wharf::test {

class Loop;

// A task that a Loop started. It must be done when this goes.
template <class T>
class Started final : private coro::Joiner {
 public:
  Started(const coro::Context& context, coro::Task<T> task) : task_(std::move(task)) { task_.start(*this, context); }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  ~Started() = default;

  bool done() const noexcept { return done_; }
  // The result, or its exception; once. Precondition: done().
  T take() { return task_.take(); }

 private:
  coro::Frame* child_done(coro::Frame&) noexcept override {
    done_ = true;
    return nullptr;
  }
  coro::Task<T> task_;
  bool done_ = false;
};

class Loop {
 public:
  coro::Executor& executor() noexcept { return executor_; }
  coro::StopSource& stop_source() noexcept { return stop_; }
  // Stops every task that was started here.
  void stop() noexcept { stop_.request_stop(); }

  template <class T>
  Started<T> start(coro::Task<T> task) {
    return Started<T>(context_, std::move(task));
  }
  // Runs until no task is ready; returns how many turns tasks had.
  std::size_t run_ready() {
    std::size_t turns = 0;
    while (!executor_.idle()) turns += executor_.run_ready(64);
    return turns;
  }
  // Runs `task` to its end. A task that waits for something that never comes aborts the test, and says so.
  template <class T>
  T run(coro::Task<T> task) {
    Started<T> started(context_, std::move(task));
    run_ready();
    EXPECT_TRUE(started.done()) << "no task is ready, and this one has not ended";
    return started.take();
  }

 private:
  coro::Executor executor_;
  coro::Executor::Entered entered_{executor_};
  coro::StopSource stop_;
  coro::Context context_{&executor_, stop_.token()};
};

// Counts what is alive of it, and how often one was destroyed; movable only. Moved-from ones do not count.
struct Counted {
  struct Counts {
    std::int64_t made = 0;
    std::int64_t destroyed = 0;
    std::int64_t live() const noexcept { return made - destroyed; }
  };

  explicit Counted(Counts& counts, int value_of = 0) noexcept : value(value_of), counts_(&counts) { ++counts.made; }
  Counted(Counted&& other) noexcept : value(other.value), counts_(std::exchange(other.counts_, nullptr)) {}
  Counted& operator=(Counted&& other) noexcept {
    std::swap(value, other.value);
    std::swap(counts_, other.counts_);
    return *this;
  }
  ~Counted() {
    if (counts_ != nullptr) ++counts_->destroyed;
  }

  int value;

 private:
  Counts* counts_;
};

}  // namespace wharf::test
