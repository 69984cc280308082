// BlockingAwaiter: a function that a thread of the reactor's pool runs, and the task that waits for it. The public form is
// run_blocking, in blocking.h.
//
// Threads: the reactor's; call() alone runs on a thread of the pool.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/detail/worker_pool.h"
#include "wharf/runtime/posted.h"

namespace wharf::runtime {

class Reactor;

namespace detail {

class BlockingBase : private Job, private coro::StopCallback {
 public:
  BlockingBase(const BlockingBase&) = delete;
  BlockingBase& operator=(const BlockingBase&) = delete;

  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    if (!begin(handle.promise())) return false;
    handle.promise().note_wait(site, *this);
    return true;
  }
  static constexpr const char* kWaitsFor = "run_blocking";

 protected:
  BlockingBase() noexcept = default;
  // Only before it was awaited.
  BlockingBase(BlockingBase&& other) noexcept;
  virtual ~BlockingBase();

  virtual void call() noexcept = 0;

  bool called() const noexcept { return state_ == State::kCalled; }
  // Why it was not called.
  Status refusal() const;

 private:
  enum class State : std::uint8_t { kNew, kGiven, kCalled, kStopped, kFull, kNoThread };

  // Back on the reactor's thread.
  struct Return final : Posted {
    explicit Return(BlockingBase& awaiter) noexcept : owner(awaiter) {}
    void run() noexcept override { owner.end(State::kCalled); }
    void drop() noexcept override {}  // the frame that waits keeps its reactor
    BlockingBase& owner;
  };

  bool begin(coro::Frame& frame) noexcept;
  void end(State state) noexcept;
  void run() noexcept override;
  void on_stop() noexcept override;

  Return return_{*this};
  Reactor* reactor_ = nullptr;
  coro::Frame* frame_ = nullptr;
  State state_ = State::kNew;
};

template <class T>
struct BlockingResult {
  using type = StatusOr<T>;
};
template <>
struct BlockingResult<void> {
  using type = Status;
};
template <>
struct BlockingResult<Status> {
  using type = Status;
};
template <class T>
struct BlockingResult<StatusOr<T>> {
  using type = StatusOr<T>;
};

template <class F>
class [[nodiscard]] BlockingAwaiter final : public BlockingBase {
  using Given = std::invoke_result_t<F&>;
  static_assert(!std::is_reference_v<Given>, "a function for run_blocking gives a value");

 public:
  using Result = typename BlockingResult<Given>::type;

  explicit BlockingAwaiter(F function) : function_(std::move(function)) {}
  // For `co_await std::move(named)`, which awaits the object itself.
  BlockingAwaiter(BlockingAwaiter&& other) noexcept(std::is_nothrow_move_constructible_v<F>) = default;

  Result await_resume() {
    if (!called()) return refusal();
    if (thrown_ != nullptr) std::rethrow_exception(std::move(thrown_));
    return *std::move(result_);
  }

 private:
  void call() noexcept override {
    try {
      if constexpr (std::is_void_v<Given>) {
        function_();
        result_.emplace();
      } else {
        result_.emplace(function_());
      }
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

  F function_;
  std::optional<Result> result_;
  std::exception_ptr thrown_;
};

}  // namespace detail
}  // namespace wharf::runtime
