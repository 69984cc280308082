#include "wharf/docs/examples/appserver/budget.h"

#include <algorithm>

namespace appserver {

using wharf::coro::Task;

Budget::Share Budget::try_take(std::uint64_t units) noexcept {
  units = std::min(units, total_);
  if (!waiters_.empty() || free_ < units) return {};
  free_ -= units;
  return {*this, units};
}

Task<Budget::Share> Budget::take(std::uint64_t units) {
  units = std::min(units, total_);
  Share share = try_take(units);
  if (share) co_return share;
  Waiter waiter{.units = units};
  waiters_.push_back(&waiter);
  const bool served = co_await waiter.served.wait();
  if (served) co_return Share(*this, units);
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
  serve_waiters();  // those behind may want less
  co_return Share();
}

void Budget::give_back(std::uint64_t units) noexcept {
  free_ += units;
  serve_waiters();
}

void Budget::serve_waiters() noexcept {
  while (!waiters_.empty() && waiters_.front()->units <= free_) {
    Waiter* waiter = waiters_.front();
    waiters_.pop_front();
    free_ -= waiter->units;
    waiter->served.set();
  }
}

}  // namespace appserver
