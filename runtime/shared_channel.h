// SharedChannel<T>: a bounded FIFO between tasks of any reactors of the process; many senders, many receivers. Threads
// without a reactor may try_send and try_receive. Between tasks of one reactor, coro::Channel is cheaper.
//
//     SharedChannel<Job> jobs(64);
//     bool sent = co_await jobs.send(std::move(job));      // on one reactor: waits while 64 are queued
//     while (auto job = co_await jobs.receive()) { ... }   // on another; nullopt: closed and empty
//
// Units:   capacity in items, at least 1; memory for all of them is taken at construction.
// Cancel:  a stopped send has sent nothing and returns false; a stopped receive returns nullopt and has taken nothing. What
//          was handed over before the stop is delivered.
// Threads: any. The channel outlives the calls of it. Items are moved, and destroyed, on the threads of both sides.
// Cost:    a mutex, held for the move of one item. A task that waits is brought back by a post to its reactor: one for each
//          wait, and a system call only if that reactor sleeps. Nothing allocates.
#pragma once

#include <coroutine>
#include <cstddef>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "wharf/runtime/detail/shared_wait.h"

namespace wharf::runtime {

template <class T>
class SharedChannel {
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "items are moved between threads under a lock: their move must not throw");
  using List = detail::SharedWait::List;

 public:
  explicit SharedChannel(std::size_t capacity) : slots_(capacity != 0 ? capacity : 1) {}
  SharedChannel(const SharedChannel&) = delete;
  SharedChannel& operator=(const SharedChannel&) = delete;

  std::size_t capacity() const noexcept { return slots_.size(); }
  // What was so a moment ago.
  std::size_t size() const noexcept {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  bool closed() const noexcept {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

  // No more sends: waiting ones return false; receivers get what is queued, then nullopt.
  void close() noexcept {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    // Nobody waits from here on. One by one: a stop may end any of them meanwhile.
    while (detail::SharedWait* wait = pop_waiting()) wait->wake();
  }

  // True: queued, or handed to a receiver; `item` is moved from. False: full, or closed; `item` is as it was.
  [[nodiscard]] bool try_send(T& item) noexcept {
    Receiver* receiver = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || (receivers_.empty() && size_ == slots_.size())) return false;
      receiver = put(std::move(item));
    }
    if (receiver != nullptr) receiver->wake();
    return true;
  }
  [[nodiscard]] bool try_send(T&& item) noexcept { return try_send(item); }

  // Nullopt: empty; closed() says whether for good.
  [[nodiscard]] std::optional<T> try_receive() noexcept {
    std::optional<T> item;
    Sender* sender = nullptr;
    {
      const std::lock_guard lock(mutex_);
      sender = take(item);
    }
    if (sender != nullptr) sender->wake();
    return item;
  }

 private:
  class Sender : public detail::SharedWait {
   public:
    static constexpr const char* kWaitsFor = "SharedChannel::send";
    Sender(SharedChannel& channel, T&& item) noexcept
        : SharedWait(channel.mutex_), channel_(channel), item_(std::move(item)) {}
    bool await_ready() noexcept { return sent_ = channel_.try_send(item_); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
      Receiver* receiver = nullptr;
      const bool waits = suspend(handle, channel_.senders_, [&]() noexcept {
        if (channel_.closed_) return true;
        if (channel_.receivers_.empty() && channel_.size_ == channel_.slots_.size()) return false;
        receiver = channel_.put(std::move(item_));
        return sent_ = true;
      });
      if (receiver != nullptr) receiver->wake();
      if (waits) handle.promise().note_wait(site, *this);
      return waits;
    }
    // True: queued, or received. False: the channel is closed, or the task has been stopped.
    bool await_resume() const noexcept { return sent_; }

   private:
    friend SharedChannel;
    SharedChannel& channel_;
    T item_;
    bool sent_ = false;
  };

  class Receiver : public detail::SharedWait {
   public:
    static constexpr const char* kWaitsFor = "SharedChannel::receive";
    explicit Receiver(SharedChannel& channel) noexcept : SharedWait(channel.mutex_), channel_(channel) {}
    bool await_ready() noexcept {
      item_ = channel_.try_receive();
      return item_.has_value();
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
      Sender* sender = nullptr;
      const bool waits = suspend(handle, channel_.receivers_, [&]() noexcept {
        sender = channel_.take(item_);
        return item_.has_value() || channel_.closed_;
      });
      if (sender != nullptr) sender->wake();
      if (waits) handle.promise().note_wait(site, *this);
      return waits;
    }
    std::optional<T> await_resume() noexcept { return std::move(item_); }

   private:
    friend SharedChannel;
    SharedChannel& channel_;
    std::optional<T> item_;
  };

 public:
  class [[nodiscard]] SendAwaiter final : public Sender {
    using Sender::Sender;
  };
  class [[nodiscard]] ReceiveAwaiter final : public Receiver {
    using Receiver::Receiver;
  };

  SendAwaiter send(T item) noexcept { return SendAwaiter(*this, std::move(item)); }
  ReceiveAwaiter receive() noexcept { return ReceiveAwaiter(*this); }

 private:
  // Under the mutex. Invariant: nobody waits to receive while an item is queued, nor to send while there is room.

  // Gives the item to a waiting receiver, which it returns, or queues it.
  Receiver* put(T&& item) noexcept {
    if (detail::SharedWait* wait = receivers_.pop_front(); wait != nullptr) {
      auto* receiver = static_cast<Receiver*>(wait);
      receiver->item_.emplace(std::move(item));
      return receiver;
    }
    slots_[(first_ + size_) % slots_.size()].emplace(std::move(item));
    ++size_;
    return nullptr;
  }

  // Returns the sender whose item has taken the free place, if there is one.
  Sender* take(std::optional<T>& item) noexcept {
    if (size_ == 0) return nullptr;
    item.emplace(std::move(*slots_[first_]));
    slots_[first_].reset();
    first_ = (first_ + 1) % slots_.size();
    --size_;
    detail::SharedWait* wait = senders_.pop_front();
    if (wait == nullptr) return nullptr;
    auto* sender = static_cast<Sender*>(wait);
    put(std::move(sender->item_));
    sender->sent_ = true;
    return sender;
  }

  detail::SharedWait* pop_waiting() noexcept {
    const std::lock_guard lock(mutex_);
    detail::SharedWait* wait = senders_.pop_front();
    return wait != nullptr ? wait : receivers_.pop_front();
  }

  mutable std::mutex mutex_;
  std::vector<std::optional<T>> slots_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  List senders_;
  List receivers_;
  bool closed_ = false;
};

}  // namespace wharf::runtime
