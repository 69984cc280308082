// when_all: runs tasks side by side and gives all their results.
//
//     auto [user, cart] = co_await when_all(load_user(id), load_cart(id));
//     std::vector<int> sizes = co_await when_all(std::move(tasks));     // a vector of Task<int>
//
// A void task gives Void. The first exception stops the others; when all have ended it is thrown.
//
// Cancel:  reaches every task; they are joined.
// Threads: one executor's thread.
#pragma once

#include <tuple>
#include <utility>
#include <vector>

#include "wharf/coro/detail/joined.h"

namespace wharf::coro {
namespace detail {

template <class... Ts>
class [[nodiscard]] WhenAll final : public Joined<std::tuple<Task<Ts>...>, StopOthers::kOnError> {
 public:
  using Joined<std::tuple<Task<Ts>...>, StopOthers::kOnError>::Joined;
  std::tuple<NonVoid<Ts>...> await_resume() {
    this->rethrow_first_error();
    return std::apply([](auto&... task) { return std::tuple<NonVoid<Ts>...>{take_result(task)...}; }, this->tasks());
  }
};

template <class T>
class [[nodiscard]] WhenAllOf final : public Joined<std::vector<Task<T>>, StopOthers::kOnError> {
 public:
  using Joined<std::vector<Task<T>>, StopOthers::kOnError>::Joined;
  std::vector<NonVoid<T>> await_resume() {
    this->rethrow_first_error();
    std::vector<NonVoid<T>> results;
    results.reserve(this->tasks().size());
    for (Task<T>& task : this->tasks()) results.push_back(take_result(task));
    return results;
  }
};

}  // namespace detail

template <class... Ts>
auto when_all(Task<Ts>... tasks) noexcept {
  return detail::WhenAll<Ts...>(std::tuple<Task<Ts>...>(std::move(tasks)...));
}

template <class T>
auto when_all(std::vector<Task<T>> tasks) noexcept {
  return detail::WhenAllOf<T>(std::move(tasks));
}

}  // namespace wharf::coro
