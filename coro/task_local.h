// TaskLocal<T>: a value that a task and everything it awaits can see, without passing it along: the id of a request, for
// one.
//
//     inline constinit TaskLocal<std::string> request_id;         // at namespace scope: a name for the value
//
//     co_await with_local(request_id, std::string("a1"), serve());
//     const std::string* id = co_await request_id.get();          // in serve(), and below; null if nobody set it
//     const std::string* id = request_id.current();               // the same, in a plain function that they call
//
// Values follow the await chain: through when_all, when_any, shield, timeouts and generators, and to what is spawned in a
// scope that follows its task (with_scope, or Scope(context)). Of two with the same name the inner one is seen.
//
// Ownership: with_local keeps the value until its task has ended. The pointer is good in that task and below.
// Cancel:    reaches the task.
// Threads:   one executor's thread. The TaskLocal itself holds nothing, and may be used on all.
// Cost:      with_local: no allocation; one trip through the ready queue. get() and current(): a walk over the values that
//            were set above.
#pragma once

#include <coroutine>
#include <type_traits>
#include <utility>

#include "wharf/coro/detail/under.h"

namespace wharf::coro {
namespace detail {

// A value that was set, in a list from the innermost outwards.
struct LocalValue {
  const void* name = nullptr;
  const void* value = nullptr;
  const LocalValue* outer = nullptr;
};

}  // namespace detail

template <class T>
class TaskLocal {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a TaskLocal names an object");

 public:
  constexpr TaskLocal() noexcept = default;
  TaskLocal(const TaskLocal&) = delete;
  TaskLocal& operator=(const TaskLocal&) = delete;

  // The value that was set nearest above this task, or null.
  auto get() const noexcept {
    return detail::WithFrame([this](const Frame& frame) noexcept { return find(*frame.context); });
  }
  // That of the task that runs now on this thread; null outside tasks too.
  const T* current() const noexcept {
    const Executor* executor = Executor::current();
    const Context* running = executor != nullptr ? executor->running() : nullptr;
    return running != nullptr ? find(*running) : nullptr;
  }
  const T* find(const Context& context) const noexcept {
    const detail::LocalValue* local = context.locals;
    while (local != nullptr && local->name != this) local = local->outer;
    return local != nullptr ? static_cast<const T*>(local->value) : nullptr;
  }

 private:
  char unused_ = 0;  // so that no two have the same address
};

namespace detail {

template <class T, class Value>
class [[nodiscard]] WithLocal final : public Under<T> {
  static_assert(alignof(Value) <= 16, "frames hold nothing that is aligned to more than 16 bytes");

 public:
  WithLocal(const TaskLocal<Value>& name, Value value, Task<T> task) noexcept
      : Under<T>(std::move(task)), value_(std::move(value)), local_{&name, &value_, nullptr} {}

  static constexpr const char* kWaitsFor = "with_local";
  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  void await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
    Frame& parent = handle.promise();
    Context context = *parent.context;
    local_.outer = std::exchange(context.locals, &local_);
    this->begin(parent, context);
    parent.note_wait(site, *this);
  }

 private:
  const Value value_;
  LocalValue local_;
};

}  // namespace detail

template <class Value, class T>
auto with_local(const TaskLocal<Value>& name, std::type_identity_t<Value> value, Task<T> task) noexcept {
  return detail::WithLocal<T, Value>(name, std::move(value), std::move(task));
}

}  // namespace wharf::coro
