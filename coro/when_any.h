// when_any: runs tasks side by side until the first has ended; the others are stopped and joined.
//
//     auto first = co_await when_any(read_line(), next_order());        // tasks; for a time limit: runtime/timeout.h
//     if (first.index() == 1) { ... }                                   // the order came first
//     AnyOf<int> answer = co_await when_any(std::move(tasks));          // a vector of Task<int>
//
// Gives a variant whose index is the winner's place, or an AnyOf; a void task gives Void. What the losers return is dropped.
// An exception of the winner is thrown; so is a loser's, rather than hide it.
//
// Cancel:  reaches every task; they are joined.
// Threads: one executor's thread.
#pragma once

#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "wharf/coro/detail/joined.h"

namespace wharf::coro {

// What the first of several alike gave, and its place among them.
template <class T>
struct AnyOf {
  std::size_t index = 0;
  NonVoid<T> value;
};

namespace detail {

template <class... Ts>
class [[nodiscard]] WhenAny final : public Joined<std::tuple<Task<Ts>...>, StopOthers::kOnFirstEnd> {
 public:
  using Joined<std::tuple<Task<Ts>...>, StopOthers::kOnFirstEnd>::Joined;
  using Winner = std::variant<NonVoid<Ts>...>;

  Winner await_resume() {
    this->rethrow_first_error();
    return take_winner(std::index_sequence_for<Ts...>{});
  }

 private:
  template <std::size_t... kIndex>
  Winner take_winner(std::index_sequence<kIndex...>) {
    std::optional<Winner> winner;
    ((std::get<kIndex>(this->tasks()).owns(*this->first_ended())
          ? void(winner.emplace(std::in_place_index<kIndex>, take_result(std::get<kIndex>(this->tasks()))))
          : void()),
     ...);
    return std::move(*winner);
  }
};

template <class T>
class [[nodiscard]] WhenAnyOf final : public Joined<std::vector<Task<T>>, StopOthers::kOnFirstEnd> {
 public:
  using Joined<std::vector<Task<T>>, StopOthers::kOnFirstEnd>::Joined;

  AnyOf<T> await_resume() {
    this->rethrow_first_error();
    std::size_t index = 0;
    while (!this->tasks()[index].owns(*this->first_ended())) ++index;
    return AnyOf<T>{index, take_result(this->tasks()[index])};
  }
};

}  // namespace detail

template <class... Ts>
  requires(sizeof...(Ts) > 0)
auto when_any(Task<Ts>... tasks) noexcept {
  return detail::WhenAny<Ts...>(std::tuple<Task<Ts>...>(std::move(tasks)...));
}

// Of at least one task: with none it aborts, as it would never end.
template <class T>
auto when_any(std::vector<Task<T>> tasks) noexcept {
  if (tasks.empty()) detail::fail("when_any of no task would never end");
  return detail::WhenAnyOf<T>(std::move(tasks));
}

}  // namespace wharf::coro
