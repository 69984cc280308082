// The awaiter behind when_all and when_any: starts its tasks under a stop source of their own, and goes on when the last
// has ended.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"

namespace wharf::coro {

// What a task without a value gives where a value has to be.
struct Void {
  friend bool operator==(Void, Void) noexcept { return true; }
};
template <class T>
using NonVoid = std::conditional_t<std::is_void_v<T>, Void, T>;

namespace detail {

template <class T>
NonVoid<T> take_result(Task<T>& task) {
  if constexpr (std::is_void_v<T>) {
    task.take();
    return Void{};
  } else {
    return task.take();
  }
}

template <class... Ts, class F>
void for_each_task(std::tuple<Task<Ts>...>& tasks, F f) {
  std::apply([&](auto&... task) { (f(task), ...); }, tasks);
}
template <class T, class F>
void for_each_task(std::vector<Task<T>>& tasks, F f) {
  for (Task<T>& task : tasks) f(task);
}

enum class StopOthers { kOnError, kOnFirstEnd };

// `Tasks` is a tuple or a vector of tasks.
template <class Tasks, StopOthers kStopOthers>
class [[nodiscard]] Joined : private Joiner {
 public:
  explicit Joined(Tasks tasks) noexcept : tasks_(std::move(tasks)) {}
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;

  static constexpr const char* kWaitsFor = kStopOthers == StopOthers::kOnError ? "when_all" : "when_any";
  void describe_wait(std::string& text, std::int64_t /*now_ns*/) const {
    text += ", " + std::to_string(live_count_) + " left";
  }
  static bool await_ready() noexcept { return false; }

  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
    parent_ = &handle.promise();
    stop_.follow(parent_->context->stop);
    context_ = parent_->context->with_stop(stop_.token());
    // Tasks are only queued here, so none ends before all have started.
    for_each_task(tasks_, [this](auto& task) noexcept {
      task.start(*this, context_);
      ++live_count_;
    });
    if (live_count_ == 0) return false;
    parent_->note_wait(site, *this);
    return true;
  }

 protected:
  ~Joined() = default;
  Tasks& tasks() noexcept { return tasks_; }
  const Frame* first_ended() const noexcept { return first_ended_; }
  void rethrow_first_error() const {
    if (first_error_ != nullptr) std::rethrow_exception(first_error_);
  }

 private:
  Frame* child_done(Frame& child) noexcept override {
    if (first_ended_ == nullptr) {
      first_ended_ = &child;
      if constexpr (kStopOthers == StopOthers::kOnFirstEnd) stop_.request_stop();
    }
    if (child.error != nullptr && first_error_ == nullptr) {
      first_error_ = child.error;
      stop_.request_stop();
    }
    if (--live_count_ != 0) return nullptr;
    stop_.unfollow();
    return parent_;
  }

  const Frame* awaited_by() const noexcept override { return parent_; }

  Tasks tasks_;
  Frame* parent_ = nullptr;
  StopSource stop_;
  Context context_;
  std::size_t live_count_ = 0;
  const Frame* first_ended_ = nullptr;
  std::exception_ptr first_error_;
};

}  // namespace detail
}  // namespace wharf::coro
