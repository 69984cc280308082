// Channel<T>: a bounded FIFO between tasks of one executor; many senders, many receivers.
//
//     Channel<Job> jobs(64);
//     bool sent = co_await jobs.send(std::move(job));    // waits while 64 are queued
//     while (auto job = co_await jobs.receive()) { ... } // nullopt: closed and empty
//
// Units:     capacity in items, at least 1; memory for all of them is taken at construction.
// Ownership: send() takes its item in any case: one that is neither queued nor received is destroyed with the wait. That of
//            try_send() stays with the caller then.
// Cancel:    a stopped send keeps nothing and returns false; a stopped receive returns nullopt and takes nothing.
// Threads:   one executor's thread.
#pragma once

#include <coroutine>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

template <class T>
class Channel {
  static_assert(alignof(T) <= 16, "frames hold nothing that is aligned to more than 16 bytes (GCC PR 104177)");

 public:
  explicit Channel(std::size_t capacity) : slots_(capacity != 0 ? capacity : 1) {}

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return slots_.size(); }
  bool closed() const noexcept { return closed_; }

  // No more sends: waiting ones return false; receivers get what is queued, then nullopt.
  void close() noexcept {
    closed_ = true;
    senders_.resume_all();
    receivers_.resume_all();
  }

  // Without waiting. True: queued, or handed to a receiver; `item` is moved from. False: full, or closed; `item` is as it
  // was.
  [[nodiscard]] bool try_send(T& item) {
    if (closed_ || size_ == capacity()) return false;
    put(std::move(item));
    return true;
  }
  [[nodiscard]] bool try_send(T&& item) { return try_send(item); }
  // Nullopt: empty; closed() says whether for good.
  [[nodiscard]] std::optional<T> try_receive() { return take(); }

  class [[nodiscard]] SendAwaiter final : private detail::Wait {
   public:
    SendAwaiter(Channel& channel, T item) : channel_(channel), item_(std::move(item)) {}
    static constexpr const char* kWaitsFor = "Channel::send";
    bool await_ready() {
      if (channel_.closed_) return true;
      if (channel_.size_ == channel_.capacity()) return false;
      deliver();
      return true;
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, channel_.senders_, site, *this);
    }
    // True: queued, or received. False: the channel is closed, or the task has been stopped.
    bool await_resume() const noexcept { return sent_; }

   private:
    friend Channel;
    void deliver() {
      channel_.put(std::move(item_));
      sent_ = true;
    }

    Channel& channel_;
    T item_;
    bool sent_ = false;
  };

  class [[nodiscard]] ReceiveAwaiter final : private detail::Wait {
   public:
    explicit ReceiveAwaiter(Channel& channel) noexcept : channel_(channel) {}
    static constexpr const char* kWaitsFor = "Channel::receive";
    bool await_ready() const noexcept { return channel_.size_ != 0 || channel_.closed_; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, channel_.receivers_, site, *this);
    }
    std::optional<T> await_resume() {
      if (item_.has_value() || stopped()) return std::move(item_);
      return channel_.take();
    }

   private:
    friend Channel;
    Channel& channel_;
    std::optional<T> item_;  // handed over by a sender
  };

  SendAwaiter send(T item) { return SendAwaiter(*this, std::move(item)); }
  ReceiveAwaiter receive() noexcept { return ReceiveAwaiter(*this); }

 private:
  // Invariant: nobody waits to receive while an item is queued, nor to send while there is room.
  void put(T&& item) {
    if (detail::Wait* wait = receivers_.first(); wait != nullptr) {
      static_cast<ReceiveAwaiter*>(wait)->item_.emplace(std::move(item));
      receivers_.resume_first();
      return;
    }
    slots_[(first_ + size_) % slots_.size()].emplace(std::move(item));
    ++size_;
  }

  std::optional<T> take() {
    if (size_ == 0) return std::nullopt;
    std::optional<T> item(std::move(slots_[first_]));
    slots_[first_].reset();
    first_ = (first_ + 1) % slots_.size();
    --size_;
    if (detail::Wait* wait = senders_.first(); wait != nullptr) {
      static_cast<SendAwaiter*>(wait)->deliver();
      senders_.resume_first();
    }
    return item;
  }

  std::vector<std::optional<T>> slots_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  detail::WaitList senders_;
  detail::WaitList receivers_;
  bool closed_ = false;
};

}  // namespace wharf::coro
