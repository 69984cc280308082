// Worker: one reactor of a Runtime, the tasks on it, and its share of the stop.
//
// A life: set_up(), then drive(), which runs tasks until it was told to stop and the last of them has ended, says so to
// the owner, and goes on serving its queue until it is told to leave; then tear_down(). So whatever a task does at its
// end on another reactor, that reactor is there.
//
// Threads: one is the worker's: it calls set_up, drive, tear_down and start. The rest any.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/coro/stop_token.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/post_gate.h"
#include "wharf/runtime/posted.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

template <class Task>
concept SpawnedTask = std::same_as<Task, coro::Task<void>> || std::same_as<Task, coro::Task<Status>>;

class Worker {
 public:
  class Owner {
   public:
    // A task has ended with `error`, or else with `ended`, which is not OK. On the worker's thread.
    virtual void task_failed(Status ended, std::exception_ptr error) noexcept = 0;
    // It was told to stop, and no task of it lives. On the worker's thread.
    virtual void worker_joined() noexcept = 0;
    virtual void request_stop() noexcept = 0;

   protected:
    virtual ~Owner() = default;
  };

  Worker(Owner& owner, std::uint32_t index) noexcept : owner_(owner), index_(index) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() = default;

  // Takes the memory for all of it: drive() needs none.
  //
  // Errors: those of Reactor::create.
  Status set_up(const ReactorOptions& options);
  void drive() noexcept;
  void tear_down() noexcept;

  // A SpawnedTask. Once it is stopping, the task is destroyed instead.
  template <class T>
  void start(coro::Task<T> task);
  bool stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }
  void failed(std::exception_ptr error) noexcept { owner_.task_failed(absl::OkStatus(), std::move(error)); }

  // Null on a thread that no worker drives.
  static Worker* current() noexcept;

  std::uint32_t index() const noexcept { return index_; }
  Owner& owner() const noexcept { return owner_; }
  const std::shared_ptr<PostGate>& gate() const noexcept { return gate_; }
  void tell_to_stop() noexcept { gate_->post(stop_order_); }
  void tell_to_leave() noexcept { gate_->post(leave_order_); }

  // What was so a moment ago.
  std::uint32_t task_count() const noexcept { return task_count_.load(std::memory_order_relaxed); }
  bool joined() const noexcept { return joined_.load(std::memory_order_relaxed); }

 private:
  // Work of this object's own; what is left of it when the reactor dies is nothing.
  class Order final : public Posted {
   public:
    Order(Worker& worker, void (Worker::*work)() noexcept) noexcept : worker_(worker), work_(work) {}
    void run() noexcept override { (worker_.*work_)(); }
    void drop() noexcept override {}

   private:
    Worker& worker_;
    void (Worker::*work_)() noexcept;
  };
  // Reactor::request_stop, called by a task of it: stops the whole.
  class ReactorStop final : public coro::StopCallback {
   public:
    explicit ReactorStop(Owner& owner) noexcept : owner_(owner) {}

   private:
    void on_stop() noexcept override { owner_.request_stop(); }
    Owner& owner_;
  };
  class Until;

  coro::Task<void> live();
  template <class T>
  coro::Task<void> guard(coro::Task<T> task);
  void stop() noexcept;
  void leave() noexcept;
  void go_on() noexcept;

  Owner& owner_;
  const std::uint32_t index_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<coro::Scope> scope_;
  std::optional<coro::Task<void>> life_;  // live(), until it is driven
  std::shared_ptr<PostGate> gate_;
  ReactorStop reactor_stop_{owner_};
  Order stop_order_{*this, &Worker::stop};
  Order leave_order_{*this, &Worker::leave};
  coro::Frame* waiting_ = nullptr;  // live(), until it is told what it waits for
  bool leaving_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> joined_{false};
  std::atomic<std::uint32_t> task_count_{0};
};

// Calls a function with its arguments on a worker's thread, and starts the task that it returns.
template <class F, class... Args>
class SpawnOrder final : public Posted {
 public:
  SpawnOrder(Worker& worker, F function, Args... args)
      : worker_(worker), function_(std::move(function)), args_(std::move(args)...) {}
  void run() noexcept override {
    if (!worker_.stopping()) {
      try {
        worker_.start(std::apply([this](Args&... args) { return std::invoke(function_, std::move(args)...); }, args_));
      } catch (...) {
        worker_.failed(std::current_exception());
      }
    }
    delete this;
  }
  void drop() noexcept override { delete this; }

 private:
  Worker& worker_;
  F function_;
  std::tuple<Args...> args_;
};

template <class F>
class CallOrder final : public Posted {
 public:
  explicit CallOrder(F function) : function_(std::move(function)) {}
  void run() noexcept override {
    function_();
    delete this;
  }
  void drop() noexcept override { delete this; }

 private:
  F function_;
};

}  // namespace wharf::runtime::detail
