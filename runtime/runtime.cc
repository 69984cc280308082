#include "wharf/runtime/runtime.h"

#include <pthread.h>

#include <cstdio>
#include <new>
#include <system_error>

#include "wharf/coro/dump.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/detail/signals_blocked.h"

namespace wharf::runtime {
namespace {

constexpr std::size_t kThreadNameMax = 15;  // the kernel's

void name_thread(const std::string& name, std::uint32_t index) {
  const std::string number = "/" + std::to_string(index);
  const std::string whole = name.substr(0, kThreadNameMax - number.size()) + number;
  pthread_setname_np(pthread_self(), whole.c_str());
}

std::string tasks(std::uint32_t count) { return std::to_string(count) + (count == 1 ? " task" : " tasks"); }

Status no_memory() { return make_status(StatusCode::kResourceExhausted, "runtime: no memory"); }

Status of_reactor(std::uint32_t index, const Status& status) {
  return make_status(status.code(), "reactor " + std::to_string(index) + ": " + std::string(status.message()));
}

}  // namespace

std::string LateStop::to_string() const {
  const std::chrono::duration<double> seconds = waited;
  char text[32];
  std::snprintf(text, sizeof(text), "%g s after the stop:", seconds.count());
  std::string said = text;
  const char* separator = " reactor ";
  for (const Late& late : reactors) {
    said += separator + std::to_string(late.reactor_index) +
            (late.blocked ? " is blocked by a task" : " still runs " + tasks(late.task_count));
    separator = "; reactor ";
  }
  return said;
}

StatusOr<std::unique_ptr<Runtime>> Runtime::create(RuntimeOptions options) {
  if (options.reactor_count == 0) {
    options.reactor_count = static_cast<std::uint32_t>(allowed_cpus().size());
  }
  if (options.reactor_count > kReactorCountMax) {
    return make_status(StatusCode::kInvalidArgument, "runtime: reactor_count is at most 1024");
  }
  std::unique_ptr<Runtime> runtime(new Runtime(std::move(options)));
  const Status started = runtime->start_threads();
  if (!started.ok()) return started;
  return runtime;
}

Runtime::Runtime(RuntimeOptions options) : options_(std::move(options)) {
  threads_.reserve(options_.reactor_count);
  workers_.reserve(options_.reactor_count);
  detail::Worker::Owner& owner = *this;
  for (std::uint32_t i = 0; i < options_.reactor_count; ++i) {
    workers_.push_back(std::make_unique<detail::Worker>(owner, i));
  }
}

// All threads wait until each has its reactor; then all go on, or none.
Status Runtime::start_threads() {
  Status status = workers_[0]->set_up(options_.reactor);
  if (status.ok()) {
    const detail::SignalsBlocked blocked;
    for (std::size_t i = 1; i < workers_.size() && status.ok(); ++i) {
      try {
        threads_.emplace_back([this, &worker = *workers_[i]] { thread_main(worker); });
      } catch (const std::system_error& error) {
        status =
            errno_status(error.code().value(), "runtime: start a thread", "lower reactor_count, or raise ulimit -u");
      } catch (const std::bad_alloc&) {
        status = no_memory();
      }
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return set_up_count_ == threads_.size(); });
  if (status.ok()) status = set_up_error_;
  start_ = status.ok() ? Start::kGo : Start::kAbort;
  changed_.notify_all();
  return status;
}

void Runtime::thread_main(detail::Worker& worker) noexcept {
  name_thread(options_.thread_name, worker.index());
  PinnedThread pinned;
  const Status status = begin_thread(worker, pinned);
  bool go = false;
  {
    std::unique_lock lock(mutex_);
    if (!status.ok() && set_up_error_.ok()) set_up_error_ = of_reactor(worker.index(), status);
    ++set_up_count_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return start_ != Start::kWait; });
    go = start_ == Start::kGo;
  }
  if (go) worker.drive();
  worker.tear_down();
}

Status Runtime::begin_thread(detail::Worker& worker, PinnedThread& pinned) {
  try {
    if (!options_.cpus.empty()) {
      const Status status = pinned.pin_to(options_.cpus[worker.index() % options_.cpus.size()]);
      if (!status.ok()) return status;
    }
    return worker.set_up(options_.reactor);
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

Runtime::~Runtime() {
  if (!finished_ && start_ == Start::kGo) {
    request_stop();
    workers_[0]->drive();
  }
  finish();
  workers_[0]->tear_down();
}

// The threads, and the watcher of the stop, end.
void Runtime::finish() noexcept {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::thread watcher;
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
    watcher.swap(watcher_);
  }
  if (watcher.joinable()) watcher.join();
}

Status Runtime::run(coro::Task<Status> main) {
  WHARF_CHECK(!ran_, "Runtime::run was called twice");
  PinnedThread pinned;
  if (!options_.cpus.empty()) {
    const Status status = pinned.pin_to(options_.cpus[0]);
    if (!status.ok()) return of_reactor(0, status);
  }
  ran_ = true;
  {
    coro::Task<Status> task(std::move(main));
    workers_[0]->start(watch_main(std::move(task)));
  }
  workers_[0]->drive();
  finish();
  if (first_error_ != nullptr) std::rethrow_exception(first_error_);
  if (failed_) return first_status_;
  if (main_ended_.ok() && late_.has_value()) {
    return make_status(StatusCode::kDeadlineExceeded, "runtime: " + late_->to_string());
  }
  return main_ended_;
}

// Its error is the first, unless another task's was, or the stop made it end.
coro::Task<Status> Runtime::watch_main(coro::Task<Status> main) {
  Status ended = co_await std::move(main);
  main_ended_ = ended;
  if (ended.ok()) request_stop();
  co_return ended;
}

void Runtime::task_failed(Status ended, std::exception_ptr error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const bool by_the_stop = stop_requested_ && error == nullptr && ended.code() == StatusCode::kCancelled;
    if (!failed_ && !by_the_stop) {
      failed_ = true;
      first_status_ = std::move(ended);
      first_error_ = std::move(error);
    }
  }
  request_stop();
}

void Runtime::request_stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (stop_requested_) return;
    stop_requested_ = true;
    try {
      const detail::SignalsBlocked blocked;
      watcher_ = std::thread([this] { watch_stop(); });
    } catch (const std::exception&) {
      // No thread to be had, or no memory: the stop goes on, and nobody reports that it is late.
    }
  }
  for (const auto& worker : workers_) worker->tell_to_stop();
}

void Runtime::worker_joined() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (++joined_count_ != workers_.size()) return;
  }
  for (const auto& worker : workers_) worker->tell_to_leave();
}

void Runtime::watch_stop() noexcept {
  std::unique_lock lock(mutex_);
  const bool ended =
      changed_.wait_for(lock, options_.stop_limit, [this] { return finished_ || joined_count_ == workers_.size(); });
  if (ended) return;
  late_ = late_stop();
  LateStop late = *late_;
  lock.unlock();
  dump_late_tasks(late);
  if (options_.on_late) {
    options_.on_late(late);
    return;
  }
  std::string text = "wharf: " + late.to_string() + "\n";
  for (const LateStop::Late& reactor : late.reactors) text += reactor.tasks;
  std::fwrite(text.data(), 1, text.size(), stderr);
}

// Asks each of those that look at their queue what it runs, and waits a second at most for the answers.
void Runtime::dump_late_tasks(LateStop& late) const {
  struct Answers {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> dumps;
    std::size_t left = 0;
  };
  const auto answers = std::make_shared<Answers>();
  answers->dumps.resize(late.reactors.size());
  for (const LateStop::Late& reactor : late.reactors) answers->left += reactor.blocked ? 0 : 1;
  for (std::size_t i = 0; i < late.reactors.size(); ++i) {
    if (late.reactors[i].blocked) continue;
    auto answer = [answers, i] {
      std::string dump = coro::dump_tasks(Reactor::current());
      const std::lock_guard lock(answers->mutex);
      answers->dumps[i] = std::move(dump);
      --answers->left;
      answers->changed.notify_all();
    };
    workers_[late.reactors[i].reactor_index]->gate()->post(*new detail::CallOrder<decltype(answer)>(std::move(answer)));
  }
  std::unique_lock lock(answers->mutex);
  answers->changed.wait_for(lock, std::chrono::seconds(1), [&] { return answers->left == 0; });
  for (std::size_t i = 0; i < late.reactors.size(); ++i) {
    late.reactors[i].tasks = answers->dumps[i];
  }
}

LateStop Runtime::late_stop() const {
  LateStop late;
  late.waited = options_.stop_limit;
  for (const auto& worker : workers_) {
    if (worker->joined()) continue;
    late.reactors.push_back(
        {.reactor_index = worker->index(), .task_count = worker->task_count(), .blocked = !worker->stopping()});
  }
  return late;
}

std::uint32_t Runtime::current_index() noexcept {
  const detail::Worker* worker = detail::Worker::current();
  WHARF_CHECK(worker != nullptr, "Runtime::current_index: no reactor of a Runtime drives this thread");
  return worker->index();
}

detail::Worker& Runtime::worker_at(std::uint32_t index) noexcept {
  WHARF_CHECK_LT(index, workers_.size());
  return *workers_[index];
}

}  // namespace wharf::runtime
