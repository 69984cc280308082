// The place in a frame for what a task returns: a value, a reference, or nothing.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace wharf::coro::detail {

// As much of an optional as a value needs that has no destructor. Whether there is one is nowhere noted: every await would
// pay for that, and knows it.
template <class T>
union Place {
  Place() noexcept {}
  template <class U>
  void emplace(U&& value) {
    std::construct_at(std::addressof(stored), std::forward<U>(value));
  }
  T& operator*() noexcept { return stored; }

  T stored;
};

template <class T>
class Result {
  // A reference is kept as a pointer.
  using Stored = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;
  static_assert(alignof(Stored) <= 16,
                "a task's result is aligned to at most 16 bytes: frames are no better (GCC PR 104177)");

 public:
  template <class U>
  void set(U&& value) {
    if constexpr (std::is_reference_v<T>) {
      static_assert(std::is_rvalue_reference_v<T> || std::is_lvalue_reference_v<U>,
                    "a task gives a reference to what lives on, not to a temporary");
      value_.emplace(std::addressof(value));
    } else {
      value_.emplace(std::forward<U>(value));
    }
  }
  // Only what is set.
  T take() {
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**value_);
    } else {
      return std::move(*value_);
    }
  }

 private:
  std::conditional_t<std::is_trivially_destructible_v<Stored>, Place<Stored>, std::optional<Stored>> value_;
};

template <>
class Result<void> {
 public:
  static void take() noexcept {}
};

}  // namespace wharf::coro::detail
