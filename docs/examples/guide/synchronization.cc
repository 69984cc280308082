// The code of docs/guide/synchronization.md.

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>

#include "wharf/coro/channel.h"
#include "wharf/coro/event.h"
#include "wharf/coro/generator.h"
#include "wharf/coro/latch.h"
#include "wharf/coro/mutex.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/semaphore.h"
#include "wharf/coro/shared_mutex.h"
#include "wharf/coro/sync_wait.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/timer.h"

using namespace wharf;
using namespace std::chrono_literals;

namespace {

struct Account {
  coro::Mutex mutex;
  int balance = 100;
};

coro::Task<bool> withdraw(Account& account, int amount) {
  auto lock = co_await account.mutex.lock();
  if (!lock) co_return false;  // stopped; the mutex is not held
  if (account.balance < amount) co_return false;
  co_await runtime::sleep_for(1ms);  // asks another server, say
  account.balance -= amount;
  co_return true;
}

coro::Task<int> read_balance(coro::SharedMutex& mutex, const int& balance) {
  auto reading = co_await mutex.lock_shared();
  co_return reading ? balance : 0;
}

coro::Task<void> upload(coro::Semaphore& slots, int& done) {
  auto slot = co_await slots.acquire();
  if (!slot) co_return;
  co_await runtime::sleep_for(1ms);
  ++done;
}

coro::Task<int> upload_all() {
  coro::Semaphore slots(2);  // no more than two at a time
  int done = 0;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    for (int i = 0; i < 6; ++i) scope.spawn(upload, std::ref(slots), std::ref(done));
    co_return;
  });
  co_return done;
}

coro::Task<void> produce(coro::Channel<std::string>& lines) {
  for (int i = 1; i <= 5; ++i) {
    bool sent = co_await lines.send("line " + std::to_string(i));  // waits while it is full
    if (!sent) co_return;                                          // closed, or stopped
  }
  lines.close();
}

coro::Task<int> consume() {
  coro::Channel<std::string> lines(2);
  int count = 0;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    scope.spawn(produce, std::ref(lines));
    while (auto line = co_await lines.receive()) ++count;
  });
  co_return count;
}

coro::Generator<int> squares(int count) {
  for (int n = 1; n <= count; ++n) {
    co_await coro::yield();  // or reads a row
    const int square = n * n;
    co_yield square;
  }
}

coro::Task<int> sum_of_squares() {
  auto numbers = squares(3);
  int sum = 0;
  while (auto n = co_await numbers.next()) sum += *n;
  co_return sum;
}

coro::Task<void> start_up(coro::Latch& ready, coro::Event& open) {
  co_await runtime::sleep_for(1ms);
  ready.count_down();
  bool opened = co_await open.wait();
  if (opened) std::puts("serving");
}

coro::Task<void> open_when_all_are_ready() {
  coro::Latch ready(2);
  coro::Event open;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    for (int i = 0; i < 2; ++i) scope.spawn(start_up, std::ref(ready), std::ref(open));
    bool all = co_await ready.wait();
    if (all) open.set();
  });
}

coro::Task<Status> program() {
  Account account;
  bool withdrawn = co_await withdraw(account, 30);
  coro::SharedMutex mutex;
  int balance = co_await read_balance(mutex, account.balance);
  int uploads = co_await upload_all();
  int lines = co_await consume();
  co_await open_when_all_are_ready();
  const bool right = withdrawn && balance == 70 && uploads == 6 && lines == 5;
  co_return right ? absl::OkStatus() : absl::InternalError("not as the page says");
}

}  // namespace

int main() {
  int sum = coro::sync_wait(sum_of_squares());
  return sum == 14 ? runtime::run_main(program()) : 1;
}
