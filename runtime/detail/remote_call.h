// RemoteCall: a task of one worker that is awaited by a task of another. The awaiter behind Runtime::call_on.
//
// Invariants:
//   1. The object lives in the caller's frame, which goes on only when every order that was sent has come back: the start,
//      as the reply, and the cancellation, if there was one.
//   2. What the target's thread writes (result_, error_, refused_, stop_) the caller's reads after the reply alone.
//
// Threads: the caller's reactor, but for what is said to be the target's.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wharf/coro/stop_token.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/detail/worker.h"
#include "wharf/runtime/post_gate.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

template <class T>
inline constexpr bool kIsStatus = false;
template <>
inline constexpr bool kIsStatus<Status> = true;
template <class T>
inline constexpr bool kIsStatus<StatusOr<T>> = true;

// Runs a task under a stop source and a deadline beside those that its parent has.
template <class T>
class UnderStop final : private coro::Joiner {
 public:
  UnderStop(coro::StopSource& stop, std::int64_t deadline_ns, coro::Task<T> task) noexcept
      : stop_(stop), deadline_ns_(deadline_ns), task_(std::move(task)) {}
  static constexpr const char* kWaitsFor = "Runtime::call_on, as its target";
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  void await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    parent_ = &handle.promise();
    stop_.follow(parent_->context->stop);
    context_ = parent_->context->with_stop(stop_.token());
    context_.deadline_ns = std::min(deadline_ns_, context_.deadline_ns);
    task_.start(*this, context_);
    parent_->note_wait(site, *this);
  }
  T await_resume() { return task_.take(); }

 private:
  coro::Frame* child_done(coro::Frame& /*child*/) noexcept override {
    stop_.unfollow();
    return parent_;
  }
  const coro::Frame* awaited_by() const noexcept override { return parent_; }

  coro::StopSource& stop_;
  std::int64_t deadline_ns_;
  coro::Task<T> task_;
  coro::Frame* parent_ = nullptr;
  coro::Context context_;
};

template <class F, class... Args>
class [[nodiscard]] RemoteCall final : private coro::StopCallback {
  using Result = typename std::invoke_result_t<F, Args...>::value_type;
  static_assert(kIsStatus<Result>, "call_on: the function gives a Task of a Status or a StatusOr");

 public:
  RemoteCall(Worker& target, F function, Args... args)
      : target_(target), function_(std::move(function)), args_(std::move(args)...) {}

  static constexpr const char* kWaitsFor = "Runtime::call_on";
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    frame_ = &handle.promise();
    deadline_ns_ = frame_->context->deadline_ns;
    gate_ = Reactor::current().gate();
    if (!frame_->context->stop.attach(*this)) {
      refused_ = "call_on: the task was stopped";
      return false;
    }
    frame_->note_wait(site, *this);
    target_.gate()->post(start_);
    return true;
  }
  Result await_resume() {
    if (error_ != nullptr) std::rethrow_exception(error_);
    if (refused_ != nullptr) return make_status(StatusCode::kCancelled, refused_);
    return *std::move(result_);
  }

 private:
  class Order final : public Posted {
   public:
    Order(RemoteCall& call, void (RemoteCall::*work)() noexcept, void (RemoteCall::*refused)() noexcept) noexcept
        : call_(call), work_(work), refused_(refused) {}
    void run() noexcept override { (call_.*work_)(); }
    void drop() noexcept override { (call_.*refused_)(); }

   private:
    RemoteCall& call_;
    void (RemoteCall::*work_)() noexcept;
    void (RemoteCall::*refused_)() noexcept;
  };

  // The target's thread.

  void start() noexcept {
    if (target_.stopping()) {
      refuse();
      return;
    }
    try {
      target_.start(body(*this));
    } catch (...) {
      error_ = std::current_exception();
      send(reply_);
    }
  }
  static coro::Task<void> body(RemoteCall& call) {
    try {
      UnderStop<Result> running(call.stop_, call.deadline_ns_, call.invoke());
      Result result = co_await running;
      call.result_.emplace(std::move(result));
    } catch (...) {
      call.error_ = std::current_exception();
    }
    call.send(call.reply_);  // from here on the call may be gone
  }
  coro::Task<Result> invoke() {
    return std::apply([this](Args&... args) { return std::invoke(function_, std::move(args)...); }, args_);
  }
  void cancel() noexcept {
    stop_.request_stop();
    acknowledge();
  }

  // Any thread.

  void refuse() noexcept {
    refused_ = "call_on: the runtime stops";
    send(reply_);
  }
  void acknowledge() noexcept { send(acknowledgement_); }
  void send(Order& order) noexcept {
    const std::shared_ptr<PostGate> gate = gate_;
    gate->post(order);
  }

  // The caller's thread.

  void on_stop() noexcept override {
    ++expected_count_;
    target_.gate()->post(cancel_);
  }
  void come_back() noexcept {
    if (--expected_count_ != 0) return;
    StopCallback::detach();
    frame_->schedule();
  }
  void replied() noexcept {
    StopCallback::detach();
    come_back();
  }
  void nothing() noexcept {}

  Worker& target_;
  F function_;
  std::tuple<Args...> args_;
  coro::Frame* frame_ = nullptr;
  std::shared_ptr<PostGate> gate_;
  std::int64_t deadline_ns_ = 0;
  std::uint32_t expected_count_ = 1;
  coro::StopSource stop_;
  std::optional<Result> result_;
  std::exception_ptr error_;
  const char* refused_ = nullptr;  // why it has not begun; the text is made on the caller's thread, which may throw
  Order start_{*this, &RemoteCall::start, &RemoteCall::refuse};
  Order cancel_{*this, &RemoteCall::cancel, &RemoteCall::acknowledge};
  Order reply_{*this, &RemoteCall::replied, &RemoteCall::nothing};
  Order acknowledgement_{*this, &RemoteCall::come_back, &RemoteCall::nothing};
};

}  // namespace wharf::runtime::detail
