// Few: a list that mostly has no element or one, and costs next to nothing to move and to destroy then. The elements lie
// side by side: the first in the object, all of them in a vector once there are more.
//
// Threads: any, one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "wharf/coro/compiler.h"

namespace wharf::ipc::detail {

template <class T>
class Few {
 public:
  Few() noexcept {}  // NOLINT(modernize-use-equals-default): the union has no element yet
  Few(Few&& other) noexcept { take(other); }
  Few& operator=(Few&& other) noexcept {
    if (this == &other) return *this;
    clear();
    take(other);
    return *this;
  }
  ~Few() { clear(); }

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  T* data() noexcept { return many_ != nullptr ? many_->data() : &one_; }
  const T* data() const noexcept { return many_ != nullptr ? many_->data() : &one_; }
  T& operator[](std::size_t index) noexcept { return data()[index]; }
  const T& operator[](std::size_t index) const noexcept { return data()[index]; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + count_; }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + count_; }

  template <class... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    if (count_ == 0) {
      std::construct_at(&one_, std::forward<Arguments>(arguments)...);
      count_ = 1;
      return one_;
    }
    if (many_ == nullptr) spill();
    T& added = many_->emplace_back(std::forward<Arguments>(arguments)...);
    ++count_;
    return added;
  }
  void push_back(T&& element) { emplace_back(std::move(element)); }
  // Precondition: `count` is at most size().
  void shrink(std::size_t count) noexcept {
    while (count_ > count) pop_back();
  }
  void clear() noexcept {
    if (count_ == 0) return;
    if (many_ != nullptr) {
      drop_many();
    } else {
      std::destroy_at(&one_);
    }
    count_ = 0;
  }

 private:
  void take(Few& other) noexcept {
    if (other.count_ == 0) return;
    count_ = other.count_;
    if (other.many_ != nullptr) {
      many_ = std::exchange(other.many_, nullptr);
    } else {
      std::construct_at(&one_, std::move(other.one_));
      std::destroy_at(&other.one_);
    }
    other.count_ = 0;
  }
  void pop_back() noexcept {
    --count_;
    if (many_ == nullptr) return std::destroy_at(&one_);
    many_->pop_back();
    if (many_->empty()) drop_many();
  }
  WHARF_NOINLINE void spill() {
    auto many = std::make_unique<std::vector<T>>();
    many->reserve(4);
    many->push_back(std::move(one_));
    std::destroy_at(&one_);
    many_ = many.release();
  }
  WHARF_NOINLINE void drop_many() noexcept { delete std::exchange(many_, nullptr); }

  std::size_t count_ = 0;
  std::vector<T>* many_ = nullptr;  // owned; null while one_ is enough
  union {
    T one_;
  };
};

}  // namespace wharf::ipc::detail
