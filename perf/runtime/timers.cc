// Question: What does a timeout cost that never comes, while 10^6 others are set?
// Method:   TimerSetCancel: one more timer is set, to any time of an hour, and cancelled. TimerMove: one of those that live,
//           any of them, is set to another time, as a server does for a connection on which something has come.
// Floor:    An array heap of deadlines that knows the place of each timer, as libevent's or Asio's: the same order is kept.
// Reading:  Both at least as fast as Asio's (timers_asio.cc). TimerMove is a matter of cache misses.
#include "wharf/perf/runtime/timers.h"

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/perf/bench.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"

namespace wharf::perf {
namespace {

struct BareTimer {
  std::size_t place = 0;
  void (*expired)(BareTimer&) = nullptr;
};

class BareTimers {
 public:
  void set(BareTimer& timer, std::int64_t deadline_ns) {
    heap_.push_back({deadline_ns, &timer});
    up(heap_.size() - 1);
  }
  void cancel(BareTimer& timer) {
    const std::size_t place = timer.place;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    put(place, last);
    if (place != 0 && last.deadline_ns < heap_[(place - 1) / 2].deadline_ns) {
      up(place);
    } else {
      down(place);
    }
  }

 private:
  struct Entry {
    std::int64_t deadline_ns;
    BareTimer* timer;
  };
  void put(std::size_t place, Entry entry) {
    heap_[place] = entry;
    entry.timer->place = place;
  }
  void up(std::size_t place) {
    const Entry entry = heap_[place];
    while (place != 0 && entry.deadline_ns < heap_[(place - 1) / 2].deadline_ns) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, entry);
  }
  void down(std::size_t place) {
    const Entry entry = heap_[place];
    for (std::size_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1].deadline_ns < heap_[child].deadline_ns) ++child;
      if (entry.deadline_ns <= heap_[child].deadline_ns) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, entry);
  }

  std::vector<Entry> heap_;
};

// The live ones are made once for all repetitions, and stay until the process ends.
struct BareCrowd {
  BareCrowd() {
    for (BareTimer& timer : timers) heap.set(timer, random.after_ns());
  }
  BareTimers heap;
  std::deque<BareTimer> timers = std::deque<BareTimer>(kLiveTimers);
  Random random;
};
BareCrowd& bare_crowd() {
  static auto* crowd = new BareCrowd;
  return *crowd;
}

void TimerSetCancelBareHeap(benchmark::State& state) {
  BareCrowd& crowd = bare_crowd();
  BareTimer timer;
  for (auto _ : state) {
    crowd.heap.set(timer, crowd.random.after_ns());
    crowd.heap.cancel(timer);
  }
}
BENCHMARK(TimerSetCancelBareHeap)->Apply(steady);

void TimerMoveBareHeap(benchmark::State& state) {
  BareCrowd& crowd = bare_crowd();
  for (auto _ : state) {
    BareTimer& timer = crowd.timers[crowd.random.index()];
    crowd.heap.cancel(timer);
    crowd.heap.set(timer, crowd.random.after_ns());
  }
}
BENCHMARK(TimerMoveBareHeap)->Apply(steady);

class Timeout final : public runtime::Timer {
 private:
  void on_expired() noexcept override { std::abort(); }  // within the hour, nobody does
};

// A reactor dies after its timers: neither does.
struct Crowd {
  Crowd() {
    auto made = runtime::Reactor::create();
    if (!made.ok()) std::abort();
    reactor = std::move(*made);
    reactor->run([](Crowd& crowd) -> coro::Task<void> {
      const std::int64_t now_ns = crowd.reactor->now_ns();
      for (Timeout& timer : crowd.timers) timer.set(now_ns + crowd.random.after_ns());
      co_return;
    }(*this));
  }
  std::unique_ptr<runtime::Reactor> reactor;
  std::deque<Timeout> timers = std::deque<Timeout>(kLiveTimers);
  Random random;
};
Crowd& crowd_of_wharf() {
  static auto* crowd = new Crowd;
  return *crowd;
}

coro::Task<void> set_and_cancel(benchmark::State& state, Crowd& crowd) {
  Timeout timer;
  const std::int64_t now_ns = crowd.reactor->now_ns();
  for (auto _ : state) {
    timer.set(now_ns + crowd.random.after_ns());
    timer.cancel();
  }
  co_return;
}
void TimerSetCancelWharf(benchmark::State& state) {
  Crowd& crowd = crowd_of_wharf();
  crowd.reactor->run(set_and_cancel(state, crowd));
}
BENCHMARK(TimerSetCancelWharf)->Apply(steady);

coro::Task<void> move(benchmark::State& state, Crowd& crowd) {
  const std::int64_t now_ns = crowd.reactor->now_ns();
  for (auto _ : state) crowd.timers[crowd.random.index()].set(now_ns + crowd.random.after_ns());
  co_return;
}
void TimerMoveWharf(benchmark::State& state) {
  Crowd& crowd = crowd_of_wharf();
  crowd.reactor->run(move(state, crowd));
}
BENCHMARK(TimerMoveWharf)->Apply(steady);

}  // namespace
}  // namespace wharf::perf
