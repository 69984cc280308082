// Generator<T>: a coroutine that yields values one by one, and may wait for each.
//
//     Generator<Record> records(File file) {
//       while (true) {
//         auto record = co_await file.next();
//         if (!record) co_return;
//         co_yield std::move(*record);
//       }
//     }
//
//     auto all = records(std::move(file));
//     while (auto record = co_await all.next()) use(*record);
//
// It runs only while somebody awaits next(). A T is moved out as std::optional<T>, empty at the end; of a Generator<T&>,
// next() gives a T*, null at the end.
//
// Ownership: the Generator owns its frame. One that was not run to its end is destroyed where it yields, with all that it
//            holds there: so it must not hold a Scope with live tasks across a co_yield.
// Errors:    what leaves the coroutine is thrown by next(), once; then it has ended.
// Cancel:    it runs under the stop token of whoever awaits next(), and what it awaits is stopped. Nothing is lost: whether it
//            yields or ends then is its own decision.
// Threads:   one executor's thread. One next() at a time.
// Cost:      next() hands the thread over and back directly. No allocation but the frame.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "wharf/coro/detail/fail.h"
#include "wharf/coro/executor.h"

namespace wharf::coro {

template <class T>
class [[nodiscard("a Generator does nothing until its next() is awaited")]] WHARF_CORO_TYPE Generator {
  static_assert(!std::is_void_v<T> && !std::is_rvalue_reference_v<T>,
                "a Generator yields values, or references to what lives on");

 public:
  // What next() gives: true while there is something, and `*item` is it.
  using Item = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, std::optional<T>>;
  static_assert(alignof(Item) <= 16, "frames hold nothing that is aligned to more than 16 bytes (GCC PR 104177)");

  struct promise_type final : Frame {
    // Back to whoever awaits next().
    struct GiveAwaiter {
      static bool await_ready() noexcept { return false; }
      WHARF_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(
          std::coroutine_handle<promise_type> yielding) const noexcept {
        promise_type& promise = yielding.promise();
        promise.yielded = true;
        Frame* consumer = std::exchange(promise.parent, nullptr);
        return promise.context->executor->transfer_to(*consumer);
      }
      static void await_resume() noexcept {}
    };

    WHARF_CORO_RETURN_OBJECT Generator get_return_object(Site site = Site::current()) noexcept {
      note_beginning(site);
      return Generator(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static GiveAwaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { error = std::current_exception(); }
    static void return_void() noexcept {}

    template <class U = std::remove_reference_t<T>>
      requires(!std::is_reference_v<T> && std::is_constructible_v<T, U &&>)
    GiveAwaiter yield_value(U&& value) {
      item.emplace(std::forward<U>(value));
      return {};
    }
    GiveAwaiter yield_value(std::remove_reference_t<T>& value) noexcept
      requires std::is_reference_v<T>
    {
      item = std::addressof(value);
      return {};
    }

    Item item{};
    // Suspended where it may be destroyed: before its start, at a co_yield, at its end.
    bool yielded = true;
  };

  Generator(Generator&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Generator& operator=(Generator&& other) noexcept {
    Generator(std::move(other)).swap(*this);
    return *this;
  }
  ~Generator() {
    if (handle_ == nullptr) return;
    if (!handle_.promise().yielded) {
      detail::fail("a Generator was destroyed while somebody waits for its next()");
    }
    handle_.promise().destroy();
  }

  void swap(Generator& other) noexcept { std::swap(handle_, other.handle_); }

  class [[nodiscard]] Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> producer) noexcept : producer_(producer) {}
    bool await_ready() const noexcept { return producer_.done(); }
    template <class Promise>
      requires std::is_base_of_v<Frame, Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> consumer,
                                          Site site = Site::current()) const noexcept {
      promise_type& promise = producer_.promise();
      if (!promise.yielded) detail::fail("two tasks await next() of the same Generator");
      promise.yielded = false;
      promise.parent = &consumer.promise();
      promise.context = promise.parent->context;
      promise.parent->note_child(site, promise);
      return promise.context->executor->transfer_to(promise);
    }
    Item await_resume() const {
      promise_type& promise = producer_.promise();
      if (promise.error != nullptr) promise.rethrow_error();
      Item item(std::move(promise.item));
      if constexpr (std::is_reference_v<T>) {
        promise.item = nullptr;
      } else {
        promise.item.reset();
      }
      return item;
    }

   private:
    std::coroutine_handle<promise_type> producer_;
  };

  // Runs it to its next co_yield, or to its end.
  Awaiter next() noexcept {
    if (handle_ == nullptr) detail::fail("next() of a Generator that was moved from");
    return Awaiter(handle_);
  }

 private:
  explicit Generator(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

}  // namespace wharf::coro
