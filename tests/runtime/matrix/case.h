// Case: one public operation of the runtime, ready to be started, in a place of its own. The columns of the matrix
// (operation_matrix_test.cc) do the same to every one of them; the rows (rows_*.cc) say what an operation is.
//
// A row whose operation waits gives `make()`, which starts it, and `trigger()`, which lets it succeed:
//
//     struct Receive final : AwaiterCase<Receive> {
//       auto make(IoOptions options) { return runtime::recv(pair.left.get(), buffer, options); }
//       void trigger() override { put(pair.right); }
//       ...
//     };
//
// Threads: the reactor's; trigger() any.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/executor.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timeout.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {

// A coroutine that may be destroyed while it waits, as no Task may.
class Discardable {
 public:
  struct promise_type : coro::Frame {
    Discardable get_return_object() noexcept {
      return Discardable(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    static void unhandled_exception() noexcept { std::terminate(); }
  };

  Discardable(Discardable&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Discardable& operator=(Discardable&&) = delete;
  ~Discardable() {
    if (handle_ != nullptr) handle_.destroy();
  }
  // `context` outlives it.
  void start(const coro::Context& context) noexcept {
    coro::Frame& frame = handle_.promise();
    frame.context = &context;
    frame.schedule();
  }

 private:
  explicit Discardable(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// What tells that an operation's fate is decided, before its task goes on.
enum class Decision : std::uint8_t {
  kCompletion,  // the kernel's completion
  kPost,        // something posted by another thread
  kTrigger,     // trigger() itself
};

class Case {
 public:
  Case() = default;
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;
  virtual ~Case() = default;

  // The operation. OK: it has succeeded, and given what it should. OutOfRange: its source has ended.
  virtual coro::Task<Status> start(runtime::IoOptions options) = 0;
  // The same without a Task around it, which can be destroyed.
  virtual Discardable discardable() { std::abort(); }

  // Lets it succeed, whether it waits already or not.
  virtual void trigger() {}
  virtual Decision decision() const { return Decision::kCompletion; }
  // Ends what it reads from.
  virtual void end() {}
  // From now on it fails, with an error that says what is returned.
  virtual std::string spoil() { return {}; }
  // Whether it has had its effect.
  virtual bool happened() const { return true; }
};

// What a result says. What moves bytes is expected to move `kText`.
inline constexpr std::string_view kText = "quay";

inline Status said_count(std::uint64_t count) {
  if (count == kText.size()) return absl::OkStatus();
  return runtime::make_status(count == 0 ? StatusCode::kOutOfRange : StatusCode::kInternal,
                              "matrix: " + std::to_string(count) + " bytes");
}
inline Status said(const Status& status) { return status; }
inline Status said(const StatusOr<std::size_t>& count) { return count.ok() ? said_count(*count) : count.status(); }
template <class T>
Status said(const StatusOr<T>& result) {
  return result.status();
}
inline Status said_stop() { return runtime::make_status(StatusCode::kCancelled, "matrix: stopped"); }
inline Status said(bool went_on) { return went_on ? absl::OkStatus() : said_stop(); }
template <class T>
Status said(const std::optional<T>& item) {
  return item.has_value() ? absl::OkStatus() : said_stop();
}

// An operation that is an awaiter: `Derived::make(options)` gives it, `Derived::judge(result)` reads its result.
template <class Derived>
class AwaiterCase : public Case {
 public:
  coro::Task<Status> start(runtime::IoOptions options) final {
    auto operation = derived().make(options);
    ByReference waiting(operation);
    auto result = co_await waiting;
    co_return derived().judge(result);
  }
  Discardable discardable() final {
    auto operation = derived().make(runtime::IoOptions{});
    ByReference waiting(operation);
    auto result = co_await waiting;
    static_cast<void>(result);
  }
  template <class Result>
  Status judge(const Result& result) {
    return said(result);
  }

 private:
  Derived& derived() noexcept { return static_cast<Derived&>(*this); }
};

// One that is a Task.
template <class Derived>
class TaskCase : public Case {
 public:
  coro::Task<Status> start(runtime::IoOptions options) final {
    auto operation = derived().make(options);
    auto result = co_await std::move(operation);
    co_return derived().judge(result);
  }
  template <class Result>
  Status judge(const Result& result) {
    return said(result);
  }

 private:
  Derived& derived() noexcept { return static_cast<Derived&>(*this); }
};

// One that knows no deadline: with_deadline() gives it one.
template <class Base>
class Limited final : public Case {
 public:
  coro::Task<Status> start(runtime::IoOptions options) override {
    Status ended = co_await runtime::with_deadline(options.deadline_ns, base_.start({}));
    co_return ended;
  }
  Discardable discardable() override { return base_.discardable(); }
  void trigger() override { base_.trigger(); }
  Decision decision() const override { return base_.decision(); }
  void end() override { base_.end(); }
  std::string spoil() override { return base_.spoil(); }
  bool happened() const override { return base_.happened(); }

 private:
  Base base_;
};

// What a row is, beyond an operation.
enum Trait : std::uint32_t {
  kWaits = 1,        // until trigger()
  kEndless = 2,      // and that does nothing
  kOwnDeadline = 4,  // it takes IoOptions
  kAgain = 8,        // after a stop or a deadline it can be tried again, and has lost nothing
  kEager = 16,       // it takes what is there already, stopped or not
  kUncounted = 32,   // its end is not that of one completion
  kBegun = 64,       // once it has begun, neither a stop nor a deadline ends it
  kAlways = 128,     // nor does one before
  kVisible = 256,    // happened() says something
  kEnds = 512,       // end() does something
  kFails = 1024,     // spoil() does something
  kLetsGo = 2048,    // an awaiter that may be destroyed while it waits
  kHoldsOn = 4096,   // an awaiter that aborts then
  kOptional = 8192,  // it is Unimplemented where the kernel is too old for it
};

struct Row {
  const char* name;
  std::uint32_t traits;
  std::unique_ptr<Case> (*make)();

  bool has(std::uint32_t all) const noexcept { return (traits & all) == all; }
};

template <class T>
std::unique_ptr<Case> make_case() {
  return std::make_unique<T>();
}

std::span<const Row> io_rows() noexcept;    // rows_io.cc
std::span<const Row> net_rows() noexcept;   // rows_net.cc
std::span<const Row> task_rows() noexcept;  // rows_tasks.cc
std::span<const Row> file_rows() noexcept;  // rows_files.cc

// For rows.
struct Pipe {
  Pipe();
  runtime::UniqueFd reader;
  runtime::UniqueFd writer;
};
// Writes kText.
void put(const runtime::UniqueFd& file);
// Writes until nothing more fits; takes all of it away again.
void fill(int file);
void drain(int file);

}  // namespace wharf::test
