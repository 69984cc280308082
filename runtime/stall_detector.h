// StallDetector: names the task that holds a reactor up.
//
//     StallDetector detector(*reactor, 50ms);           // a line on stderr for each stall
//     reactor->run(serve());
//
//     wharf: a turn has taken 62.5 ms; now runs hash_file(std::string), file.cc:31
//
// A thread of its own looks at the reactor's pulse four times in `limit`. So it also names a task that never comes back,
// which nothing on the reactor's thread could. What it names is the coroutine that runs, by its function and by where it
// last suspended (before its first co_await g++ gives the function's last line). No coroutine runs while the reactor polls lanes
// or does what was posted: the place is then empty.
//
// A turn that takes 1.25 limits is reported, one below the limit never; one that goes on is reported again each time that
// it has doubled. A reactor that sleeps, or spins before a sleep, is not held up.
//
// Threads: made and destroyed on any; the reactor outlives it.
// Cost:    the reactor's: two stores in each turn, whether there is a detector or not, and the three instructions by which
//          a resumed frame says where it is (coro/trace.h). The detector's: four wakes in `limit`, of about 5 us each.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <source_location>
#include <string>
#include <thread>

#include "wharf/runtime/detail/stall_watch.h"

namespace wharf::runtime {

class Reactor;

struct Stall {
  std::int64_t held_ns = 0;    // so far, at least
  std::uint64_t turn = 0;      // ReactorCounters::turns
  std::source_location where;  // of the coroutine that runs; line 0 if none does
};

// "a turn has taken 62.5 ms; now runs hash_file(std::string), file.cc:31"
std::string stall_text(const Stall& stall);

// stall_text() on stderr, but no more than one line each second in the whole process; the next one says how many were
// left out.
//
// Threads: any.
void print_stall(const Stall& stall);

class StallDetector {
 public:
  // Runs on the detector's thread while the reactor is held up: it must touch nothing that belongs to the reactor.
  using Report = std::function<void(const Stall&)>;

  // `limit`: at least a microsecond. Throws std::system_error if no thread can be started.
  StallDetector(const Reactor& reactor, std::chrono::nanoseconds limit, Report report = print_stall);
  StallDetector(const StallDetector&) = delete;
  StallDetector& operator=(const StallDetector&) = delete;
  // Returns when no report runs any more.
  ~StallDetector();

  // Reports so far.
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  void watch();

  const Reactor& reactor_;
  detail::StallWatch watch_;
  const Report report_;
  std::atomic<std::uint64_t> count_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace wharf::runtime
