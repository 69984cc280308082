// What the shapes of await_shapes_test.cc need: a move-only message that owns a descriptor, and a port that takes and
// gives such messages, as ipc::Port does, with awaiters that suspend or do not.
//
// Every object that holds a descriptor is entered in a Register when it is constructed, and struck off when it is
// destroyed, by address: so one that a compiler copies bit by bit, forgets, or destroys twice is seen.
//
// Threads: one.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/executor.h"

namespace wharf::test {

// Descriptors that are open, and objects that are alive.
class Register {
 public:
  void constructed(const void* object) {
    ++constructed_count_;
    EXPECT_TRUE(alive_.insert(object).second) << "constructed where another object lives";
  }
  void destroyed(const void* object) {
    EXPECT_EQ(alive_.erase(object), 1U) << "destroyed, but never constructed, or destroyed before";
  }
  int open() {
    open_.insert(++last_fd_);
    return last_fd_;
  }
  void close(int fd) { EXPECT_EQ(open_.erase(fd), 1U) << "descriptor " << fd << " was closed before"; }

  std::size_t alive_count() const { return alive_.size(); }
  std::size_t open_count() const { return open_.size(); }
  std::uint64_t constructed_count() const { return constructed_count_; }
  int opened_count() const { return last_fd_; }

 private:
  std::set<const void*> alive_;
  std::set<int> open_;
  std::uint64_t constructed_count_ = 0;
  int last_fd_ = 0;
};

class Message {
 public:
  Message(Register& all, std::string body) : body_(std::move(body)), all_(all), fd_(all.open()) {
    all_.constructed(this);
  }
  Message(Message&& other) noexcept
      : body_(std::move(other.body_)), all_(other.all_), fd_(std::exchange(other.fd_, 0)) {
    all_.constructed(this);
  }
  Message& operator=(Message&& other) noexcept {
    std::swap(body_, other.body_);
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Message() {
    if (fd_ != 0) all_.close(fd_);
    all_.destroyed(this);
  }

  const std::string& body() const { return body_; }
  bool owns_fd() const { return fd_ != 0; }

 private:
  std::string body_;
  Register& all_;
  int fd_;
};

enum class Outcome { kOk, kClosed };

struct Options {
  int timeout = 0;
  int priority = 0;
};

// What a message must not be: an aggregate with a member that has a destructor.
struct Parcel {
  int priority;
  Message message;
};

class FakePort {
 public:
  FakePort(Register& all, bool suspends) : all_(all), suspends_(suspends) {}
  FakePort(const FakePort&) = delete;
  FakePort& operator=(const FakePort&) = delete;

  class Awaiter {
   public:
    explicit Awaiter(FakePort& port) : port_(port) {}
    bool await_ready() const noexcept { return !port_.suspends_; }
    template <class Promise>
      requires std::is_base_of_v<coro::Frame, Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
      handle.promise().schedule();
    }

   protected:
    FakePort& port_;
  };

  class [[nodiscard]] Send : public Awaiter {
   public:
    Send(FakePort& port, Message message, Options options)
        : Awaiter(port), message_(std::move(message)), options_(options) {}
    Outcome await_resume() {
      if (port_.closed_) return Outcome::kClosed;
      EXPECT_TRUE(message_.owns_fd());
      port_.timeouts_ += options_.timeout;
      port_.queue_.push_back(std::move(message_));
      return Outcome::kOk;
    }

   private:
    Message message_;
    Options options_;
  };

  class [[nodiscard]] Receive : public Awaiter {
   public:
    using Awaiter::Awaiter;
    std::optional<Message> await_resume() {
      if (port_.queue_.empty()) return std::nullopt;
      std::optional<Message> message(std::move(port_.queue_.front()));
      port_.queue_.pop_front();
      return message;
    }
  };

  class [[nodiscard]] Call : public Awaiter {
   public:
    Call(FakePort& port, Message request) : Awaiter(port), request_(std::move(request)) {}
    Message await_resume() { return Message(port_.all_, "re: " + request_.body()); }

   private:
    Message request_;
  };

  Send send(Message message, Options options = {}) { return {*this, std::move(message), options}; }
  Send send_parcel(Parcel parcel) { return {*this, std::move(parcel.message), {}}; }
  Receive receive() { return Receive(*this); }
  Call call(Message request) { return {*this, std::move(request)}; }
  void close() { closed_ = true; }

  std::size_t queued_count() const { return queue_.size(); }
  int timeouts() const { return timeouts_; }

 private:
  Register& all_;
  const bool suspends_;
  bool closed_ = false;
  int timeouts_ = 0;
  std::deque<Message> queue_;
};

}  // namespace wharf::test
