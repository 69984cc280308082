#include "wharf/runtime/detail/worker.h"

#include <type_traits>

#include "wharf/coro/compiler.h"

namespace wharf::runtime::detail {
namespace {

WHARF_NOINLINE Worker*& current_worker() noexcept {
  static thread_local Worker* current = nullptr;
  return current;
}

}  // namespace

// Suspends live() until `done`. No stop token ends it: the runtime does.
class Worker::Until {
 public:
  Until(Worker& worker, bool done) noexcept : worker_(worker), done_(done) {}
  static constexpr const char* kWaitsFor = "the end of the Runtime";
  bool await_ready() const noexcept { return done_; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    worker_.waiting_ = &handle.promise();
    handle.promise().note_wait(site, *this);
  }
  static void await_resume() noexcept {}

 private:
  Worker& worker_;
  bool done_;
};

Worker* Worker::current() noexcept { return current_worker(); }

Status Worker::set_up(const ReactorOptions& options) {
  StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create(options);
  if (!reactor.ok()) return reactor.status();
  reactor_ = *std::move(reactor);
  scope_ = std::make_unique<coro::Scope>(*reactor_);
  life_.emplace(live());
  gate_ = reactor_->gate();
  return absl::OkStatus();
}

void Worker::drive() noexcept {
  current_worker() = this;
  if (!reactor_->stop_token().attach(reactor_stop_)) owner_.request_stop();
  reactor_->run(*std::move(life_));
  reactor_stop_.detach();
  current_worker() = nullptr;
}

void Worker::tear_down() noexcept {
  life_.reset();
  scope_.reset();
  reactor_.reset();
}

coro::Task<void> Worker::live() {
  Until stopped(*this, stopping());
  co_await stopped;
  co_await scope_->join();
  joined_.store(true, std::memory_order_relaxed);
  owner_.worker_joined();
  Until left(*this, leaving_);
  co_await left;
}

void Worker::go_on() noexcept {
  if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->schedule();
}

void Worker::stop() noexcept {
  stopping_.store(true, std::memory_order_relaxed);
  scope_->cancel();
  go_on();
}

void Worker::leave() noexcept {
  leaving_ = true;
  go_on();
}

template <class T>
coro::Task<void> Worker::guard(coro::Task<T> task) {
  Status ended;
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
    } else {
      Status result = co_await std::move(task);
      ended = std::move(result);
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (error != nullptr || !ended.ok()) owner_.task_failed(std::move(ended), std::move(error));
  task_count_.fetch_sub(1, std::memory_order_relaxed);
}

template <class T>
void Worker::start(coro::Task<T> task) {
  if (stopping()) return;
  coro::Task<void> guarded = guard(std::move(task));
  task_count_.fetch_add(1, std::memory_order_relaxed);
  scope_->spawn(std::move(guarded));
}
template void Worker::start(coro::Task<void> task);
template void Worker::start(coro::Task<Status> task);

}  // namespace wharf::runtime::detail
