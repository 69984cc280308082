// when_any: runs tasks side by side until the first has ended; the others are stopped and joined.
//
//     auto first = co_await when_any(read_line(), sleep_for(5s));
//     if (first.index() == 1) { ... }                                   // the timer won
//
// Gives a variant whose index is the winner's place; a void task gives Void. What the losers return is dropped. An
// exception of the winner is thrown; so is a loser's, rather than hide it.
//
// Cancel:  reaches every task; they are joined.
// Threads: one executor's thread.
#pragma once

#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "wharf/coro/detail/joined.h"

namespace wharf::coro {
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
          ? void(winner.emplace(std::in_place_index<kIndex>,
                                take_result(std::get<kIndex>(this->tasks()))))
          : void()),
     ...);
    return std::move(*winner);
  }
};

}  // namespace detail

template <class... Ts>
  requires(sizeof...(Ts) > 0)
auto when_any(Task<Ts>... tasks) noexcept {
  return detail::WhenAny<Ts...>(std::tuple<Task<Ts>...>(std::move(tasks)...));
}

}  // namespace wharf::coro
